/**
 * Appends: where chunks begin, what a failure leaves, and what a large flush lets through.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { expect } from "vitest"
import { NoSpace } from "../../src/bytes/errors.ts"
import { Io } from "../../src/io/Io.ts"
import type { StoreService } from "../../src/store/Store.ts"
import { onEachIo } from "../file/eachIo.ts"
import { watchedIo } from "../file/watchedIo.ts"
import {
  expectBytes,
  gatedIo,
  holds,
  isSound,
  joined,
  openOn,
  readFrom,
  record,
  reopened,
  toldIo,
  turns
} from "./storeHarness.ts"

const lengthsOf = (store: StoreService): ReadonlyArray<number> =>
  store.stats().chunks.map(({ length }) => length)

onEachIo((test) => {
  test("a record that fills a chunk exactly belongs to it; the next byte begins another", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { chunkSize: 100 })
      const parts = [record(60, 1), record(40, 2), record(1, 3), record(99, 4), record(100, 5), record(1, 6)]
      for (const part of parts) yield* store.append(part)
      yield* store.commit
      expect(lengthsOf(store)).toEqual([100, 100, 100, 1])
      yield* holds(store, joined(...parts))
      yield* isSound(store)
      yield* store.close
      yield* reopened(io, directory, (again) => holds(again, joined(...parts)))
    }))

  test("one byte more than fits begins a chunk, and the one before stays shorter", (directory) =>
    Effect.gen(function* () {
      const store = yield* openOn(yield* Io, directory, { chunkSize: 100 })
      for (const length of [99, 2, 98, 1]) yield* store.append(record(length, length))
      yield* store.commit
      expect(lengthsOf(store)).toEqual([99, 100, 1])
    }))

  test("a record longer than a chunk has one to itself, first, last or in the middle", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { chunkSize: 100 })
      const parts = [250, 1, 101, 1000, 3].map((length) => record(length, length))
      for (const part of parts) yield* store.append(part)
      yield* store.commit
      expect(lengthsOf(store)).toEqual([250, 1, 101, 1000, 3])
      yield* holds(store, joined(...parts))
      yield* store.close
      yield* reopened(io, directory, (again) => holds(again, joined(...parts)))
    }))

  test("records of no bytes have the offset of the next one, begin no chunk and leave nothing to commit", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const told = toldIo(io, directory)
      const store = yield* openOn(told.io, directory, { chunkSize: 10 })
      told.forget()
      expect(yield* store.append(record(0))).toBe(0)
      yield* store.commit
      expect(told.calls).toEqual([])
      yield* store.append(record(10))
      expect(yield* store.append(record(0))).toBe(10)
      expect(store.unsafe.append(record(0))).toBe(10)
      expect(yield* store.appendAll([record(0), record(0)])).toBe(10)
      expect(yield* store.appendAll([])).toBe(10)
      yield* store.commit
      expect(lengthsOf(store)).toEqual([10])
      expect(yield* store.appendAll([record(0), record(5, 1), record(0)])).toBe(10)
      yield* store.commit
      expect(lengthsOf(store)).toEqual([10, 5])
    }))

  test("many records across chunks lie back to back, whatever iterable they come in", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { chunkSize: 1000, autoFlushThreshold: 700 })
      const parts = Array.from({ length: 50 }, (_, i) => record((i * 37) % 400, i))
      expect(yield* store.appendAll(parts)).toBe(0)
      const once = (function* () {
        yield* parts
      })()
      const end = joined(...parts).length
      expect(yield* store.appendAll(once)).toBe(end)
      const all = joined(...parts, ...parts)
      yield* holds(store, all)
      yield* store.commit
      for (const length of lengthsOf(store)) expect(length).toBeLessThanOrEqual(1000)
      yield* isSound(store)
      yield* store.close
      yield* reopened(io, directory, (again) => holds(again, all))
    }))

  test("bytes handed in are copied before the append returns", (directory) =>
    Effect.gen(function* () {
      const store = yield* openOn(yield* Io, directory)
      const mine = record(100, 1)
      yield* store.append(mine)
      yield* store.appendAll([mine])
      store.unsafe.append(mine)
      mine.fill(0)
      yield* holds(store, joined(record(100, 1), record(100, 1), record(100, 1)))
    }))

  test("the synchronous append never begins a chunk; the next append does", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { chunkSize: 100, autoFlushThreshold: 50 })
      const parts = Array.from({ length: 20 }, (_, i) => record(30, i))
      const offsets = parts.map((part) => store.unsafe.append(part))
      expect(offsets).toEqual(parts.map((_, i) => i * 30))
      yield* holds(store, joined(...parts))
      yield* store.commit
      expect(lengthsOf(store)).toEqual([600])
      store.unsafe.append(record(30, 20))
      yield* store.append(record(30, 21))
      yield* store.commit
      expect(lengthsOf(store)).toEqual([630, 30])
      const all = joined(...parts, record(30, 20), record(30, 21))
      yield* holds(store, all)
      yield* isSound(store)
      yield* store.close
      yield* reopened(io, directory, (again) => holds(again, all))
    }))

  test("the chunk size doubles with every 256 chunks, and all of them open again", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { chunkSize: 10 })
      const count = 255 * 2 + 256 * 4 + 10 * 8
      yield* store.appendAll(Array.from({ length: count }, (_, i) => record(5, i)))
      yield* store.commit
      const lengths = lengthsOf(store)
      const size = (chunk: number) => 10 * 2 ** Math.floor((chunk + 1) / 256)
      expect(lengths).toEqual(lengths.map((_, chunk) => size(chunk)))
      expect(lengths.length).toBe(255 + 256 + 10)
      yield* isSound(store)
      yield* store.close
      yield* reopened(io, directory, (again) =>
        Effect.gen(function* () {
          expect(lengthsOf(again)).toEqual(lengths)
          for (const i of [0, 509, 510, 511, 1533, 1534, count - 1]) {
            expectBytes(yield* again.read(i * 5, 5), record(5, i))
          }
        })
      )
    }))

  test("an append whose flush finds no space has appended nothing, and works when there is some", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      let full = false
      const store = yield* openOn(
        watchedIo(io, {
          before: (operation, path) => {
            if (full && operation === "writeAt") throw new NoSpace({ path, syscall: "write" })
          }
        }),
        directory,
        { autoFlushThreshold: 100, chunkSize: 1000 }
      )
      yield* store.append(record(50, 1))
      yield* store.commit
      yield* store.append(record(120, 2))
      full = true
      const expected = joined(record(50, 1), record(120, 2))
      const calls: Record<string, Effect.Effect<unknown, unknown>> = {
        append: store.append(record(10, 3)),
        appendAll: store.appendAll([record(10, 3), record(900, 4)]),
        nothing: store.append(record(0)),
        commit: store.commit,
        split: store.split
      }
      for (const [name, call] of Object.entries(calls)) {
        expect(yield* Effect.flip(call), name).toMatchObject({ _tag: "NoSpace", syscall: "write" })
        yield* holds(store, expected)
        expect(store.committedEnd()).toBe(50)
      }
      expect(() => store.unsafe.append(record(10))).toThrow(expect.objectContaining({ _tag: "NoSpace" }))
      yield* holds(store, expected)
      full = false
      expect(yield* store.append(record(10, 3))).toBe(170)
      expect(yield* store.appendAll([record(10, 3), record(900, 4)])).toBe(180)
      yield* store.commit
      const all = joined(expected, record(10, 3), record(10, 3), record(900, 4))
      yield* holds(store, all)
      yield* isSound(store)
      yield* store.close
      yield* reopened(io, directory, (again) => holds(again, all))
    }))

  test("an append that can't make the file of its chunk has appended nothing, and works later", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const told = toldIo(io, directory)
      const store = yield* openOn(told.io, directory, { autoFlushThreshold: 10, chunkSize: 100 })
      yield* store.append(record(100, 1))
      yield* store.append(record(50, 2))
      told.failing = (call) => call.startsWith("create ")
      for (let i = 0; i < 3; i++) {
        expect(yield* Effect.flip(store.append(record(60, 3)))).toMatchObject({ _tag: "IoFailed" })
        expect(store.end()).toBe(150)
      }
      told.failing = () => false
      expect(yield* store.append(record(60, 3))).toBe(150)
      yield* store.commit
      expect(lengthsOf(store)).toEqual([100, 50, 60])
      yield* isSound(store)
      yield* store.close
      const all = joined(record(100, 1), record(50, 2), record(60, 3))
      yield* reopened(io, directory, (again) => holds(again, all))
    }))

  test("a large flush that fails on the thread pool has lost nothing, and is made again", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const told = toldIo(io, directory)
      const store = yield* openOn(told.io, directory, { autoFlushThreshold: 100, chunkSize: 4 << 20 })
      yield* store.append(record(10, 1))
      yield* store.commit
      yield* store.append(record(3 << 20, 2))
      told.failing = (call) => call === "writeAt store.0.suffix"
      for (const call of [store.append(record(5, 3)), store.commit, store.appendAll([record(5, 3)])]) {
        expect(yield* Effect.flip(call as Effect.Effect<unknown, unknown>)).toMatchObject({
          _tag: "IoFailed"
        })
        yield* holds(store, joined(record(10, 1), record(3 << 20, 2)))
      }
      told.failing = () => false
      yield* store.append(record(5, 3))
      yield* store.commit
      yield* store.close
      const all = joined(record(10, 1), record(3 << 20, 2), record(5, 3))
      yield* reopened(io, directory, (again) => holds(again, all))
    }))

  test("with a threshold of 0 nothing waits longer than until the next append", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { autoFlushThreshold: 0, chunkSize: 100 })
      const append = Effect.gen(function* () {
        for (let i = 0; i < 10; i++) yield* store.append(record(30, i))
      })
      yield* Effect.timeout(append, "5 seconds")
      yield* holds(store, joined(...Array.from({ length: 10 }, (_, i) => record(30, i))))
      yield* store.commit
      yield* isSound(store)
    }))

  test("a flush that failed between two chunks goes on where it stopped", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const told = toldIo(io, directory)
      const store = yield* openOn(told.io, directory, { chunkSize: 100 })
      const parts = Array.from({ length: 6 }, (_, i) => record(70, i))
      yield* store.appendAll(parts)
      for (let chunk = 0; chunk < 6; chunk++) {
        told.failing = (call) => call === `writeAt store.${chunk}.suffix`
        expect(yield* Effect.flip(store.commit)).toMatchObject({ _tag: "IoFailed", syscall: "writeAt" })
        yield* holds(store, joined(...parts))
      }
      told.failing = () => false
      yield* store.commit
      yield* isSound(store)
      yield* store.close
      yield* reopened(io, directory, (again) => holds(again, joined(...parts)))
    }))

  test("records of more than a megabyte are flushed on the thread pool, in order with all others", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { chunkSize: 4 << 20, autoFlushThreshold: 1000 })
      const parts = [10, 3 << 20, 999, (1 << 20) + 1, 2000, 5 << 20, 0, 1].map((n, i) => record(n, i))
      for (const part of parts) yield* store.append(part)
      yield* holds(store, joined(...parts))
      yield* store.commit
      expect(lengthsOf(store)).toEqual([10 + (3 << 20) + 999, (1 << 20) + 1 + 2000, 5 << 20, 1])
      yield* isSound(store)
      yield* store.close
      yield* reopened(io, directory, (again) => holds(again, joined(...parts)))
    }))

  test("while a large flush is on the thread pool others append and read, and all keep their order", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const gate = gatedIo(io, directory, (call) => call === "writeAt store.0.suffix")
      const store = yield* openOn(gate.io, directory, { chunkSize: 16 << 20, autoFlushThreshold: 1 << 20 })
      const large = record(3 << 20, 1)
      yield* store.append(large)
      const flushing = yield* Effect.forkChild(store.commit, { startImmediately: true })
      yield* gate.arrived
      const parts = Array.from({ length: 100 }, (_, i) => record(1000, i))
      for (const part of parts.slice(0, 50))
        yield* Effect.timeout(store.append(part), "5 seconds").pipe(
          Effect.catchTag("TimeoutError", () => Effect.die("an append waited for a flush of somebody else")),
          Effect.forkChild
        )
      yield* turns(20)
      // More than the threshold waits already, so these do, too; a synchronous one never does.
      const before = store.end()
      for (const part of parts.slice(50)) store.unsafe.append(part)
      expect(store.end()).toBe(before + 50_000)
      expectBytes(yield* store.read((3 << 20) - 10, 10), large.subarray(-10))
      expectBytes(yield* store.read(before, 1000), parts[50])
      yield* gate.open
      yield* Fiber.join(flushing)
      yield* turns(200)
      expect(store.end()).toBe((3 << 20) + 100_000)
      yield* store.commit
      const all = yield* readFrom(store)
      yield* isSound(store)
      yield* store.close
      yield* reopened(io, directory, (again) => holds(again, all))
    }))

  test("appends that wait for a flush may be interrupted, and have then appended nothing", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const gate = gatedIo(io, directory, (call) => call === "writeAt store.0.suffix")
      const store = yield* openOn(gate.io, directory, { chunkSize: 16 << 20, autoFlushThreshold: 100 })
      yield* store.append(record(2 << 20, 1))
      const first = yield* Effect.forkChild(store.append(record(10, 2)), { startImmediately: true })
      yield* gate.arrived
      const second = yield* Effect.forkChild(store.append(record(20, 3)), { startImmediately: true })
      yield* turns(3)
      yield* Fiber.interrupt(second)
      yield* gate.open
      expect(yield* Fiber.join(first)).toBe(2 << 20)
      expect(store.end()).toBe((2 << 20) + 10)
    }))

  test("beyond 2^53-1, and in other ways wrong, nothing is appended", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory)
      yield* store.append(record(10))
      expect(store.end()).toBe(10)
      const huge = { length: Number.MAX_SAFE_INTEGER } as Uint8Array
      expect(yield* Effect.flip(store.append(huge))).toMatchObject({ _tag: "InvalidArgument" })
      expect(yield* Effect.flip(store.appendAll([record(1), huge]))).toMatchObject({
        _tag: "InvalidArgument"
      })
      expect(store.end()).toBe(10)
      const some = { length: 2 ** 40 } as Uint8Array
      expect(yield* Effect.flip(store.append(some))).toMatchObject({ _tag: "MemoryLimit" })
      expect(yield* Effect.flip(store.appendAll([record(1), some]))).toMatchObject({ _tag: "MemoryLimit" })
      yield* holds(store, record(10))
    }))
})
