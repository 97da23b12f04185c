/**
 * A collection beside many bytes that are flushed and not committed: it takes them back into memory,
 * a slice at a time.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { expect, vi } from "vitest"
import { AppendBuffer } from "../../src/file/appendBuffer.ts"
import { Io, type IoFile, type IoService } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import { expectBytes, isSound, openOn, record, reopened } from "./storeHarness.ts"

const mebibyte = 1 << 20
const total = 24 * mebibyte
const uncommitted = record(total, 1)

/** Tells the most bytes that were read without the event loop having had a turn. */
const readsBetweenTurns = (inner: IoService) => {
  const told = { most: 0, all: 0 }
  let now = 0
  let timer: NodeJS.Immediate | undefined
  const count = (bytes: number): void => {
    told.all += bytes
    now += bytes
    told.most = Math.max(told.most, now)
    timer ??= setImmediate(() => {
      timer = undefined
      now = 0
    })
  }
  const file = (opened: IoFile): IoFile => ({
    ...opened,
    unsafe: {
      ...opened.unsafe,
      readAt: (offset, buffer) => {
        count(buffer.length)
        opened.unsafe.readAt(offset, buffer)
      }
    }
  })
  const opened = <E>(call: Effect.Effect<IoFile, E, Scope.Scope>) => Effect.map(call, file)
  const io: IoService = {
    ...inner,
    create: (path, options) => opened(inner.create(path, options)),
    open: (path, options) => opened(inner.open(path, options))
  }
  return { io, told }
}

onEachIo((test) => {
  test("they stay, uncommitted and right; the memory is told; and others run in between", (directory) =>
    Effect.gen(function* () {
      const { io, told } = readsBetweenTurns(yield* Io)
      const store = yield* openOn(io, directory, { autoFlushThreshold: mebibyte })
      yield* store.append(record(100))
      yield* store.commit
      for (let at = 0; at < total; at += mebibyte) {
        yield* store.append(uncommitted.subarray(at, at + mebibyte))
      }
      told.all = 0
      told.most = 0
      const push = vi.spyOn(AppendBuffer.prototype, "push")
      const collected = yield* store.collect({ live: [{ offset: 20, length: 50 }], upTo: 100 })
      // Nor is all of it copied once more, in one step.
      const pushed = push.mock.calls.map(([bytes]) => bytes.length)
      push.mockRestore()
      expect(Math.max(0, ...pushed)).toBeLessThanOrEqual(4 * mebibyte)
      // The last append may still wait in memory.
      expect(told.all).toBeGreaterThanOrEqual(total - 2 * mebibyte)
      expect(told.most).toBeLessThanOrEqual(4 * mebibyte)
      expect(collected.peakMemoryBytes).toBeGreaterThanOrEqual(total - 2 * mebibyte)
      expect(store.committedEnd()).toBe(100)
      expect(store.end()).toBe(100 + total)
      expectBytes(yield* store.read(100, total), uncommitted)
      expectBytes(yield* store.read(20, 50), record(100).subarray(20, 70))
      yield* store.append(record(10, 2))
      yield* store.commit
      expectBytes(yield* store.read(100, total), uncommitted)
      yield* store.close
      yield* reopened(io, directory, (again) =>
        Effect.gen(function* () {
          expectBytes(yield* again.read(100, total), uncommitted)
          expectBytes(yield* again.read(100 + total, 10), record(10, 2))
          yield* isSound(again)
        })
      )
    }))

  test("where they are rolled back afterwards, nothing of them is left", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { autoFlushThreshold: mebibyte })
      yield* store.append(record(100))
      yield* store.commit
      for (let i = 0; i < 4; i++) yield* store.append(uncommitted.subarray(0, mebibyte))
      yield* store.collect({ live: [], upTo: 60 })
      yield* store.rollback
      yield* store.append(record(10, 2))
      yield* store.commit
      yield* store.close
      yield* reopened(io, directory, (again) =>
        Effect.gen(function* () {
          expect(again.end()).toBe(110)
          expectBytes(yield* again.read(60, 40), record(100).subarray(60))
          expectBytes(yield* again.read(100, 10), record(10, 2))
          yield* isSound(again)
        })
      )
    }))
})
