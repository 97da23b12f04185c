/**
 * A bulk copy that is interrupted or fails midway: the writer is poisoned, nothing is promoted,
 * nothing is left behind, and the path can be taken again.
 */
import fs from "node:fs"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { afterEach, expect } from "vitest"
import { IoFailed, NoSpace } from "../../src/bytes/errors.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import type { SparseFileWriterService } from "../../src/file/SparseFileWriter.ts"
import { Io, type IoFile } from "../../src/io/Io.ts"
import { pattern } from "../../src/testing/ioLaw.ts"
import { patch, systemError } from "../io/faults.ts"
import { onDisk, onEachIo, openHandles } from "./eachIo.ts"
import { watchedIo } from "./watchedIo.ts"

let restore = () => {}
afterEach(() => restore())

const sourceBytes = pattern(40 << 20)
/** Ten slices of the copy, one run each extent, and together some 37 MB. */
const extents = Array.from({ length: 655 }, (_, i) => ({ offset: 7 + i * 64_000, length: 60_000 }))
const copiedBytes = 655 * 60_000

const makeSource = (directory: string) =>
  Effect.gen(function* () {
    const file = yield* (yield* Io).create(`${directory}/source`, { overwrite: false })
    yield* file.writeAt(0, sourceBytes)
    return file
  })

const isPoisoned = Effect.fnUntraced(function* (writer: SparseFileWriterService, source: IoFile) {
  const late: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
    writer.appendBytes(new Uint8Array(1)),
    writer.appendFrom(source, { offset: 0, length: 1, updateMap: false }),
    writer.appendExtents(source, [{ offset: 0, length: 1 }]),
    writer.mapAdd(0, 0, 1),
    writer.close,
    writer.close
  ]
  const end = writer.currentOffset()
  for (const call of late) {
    expect(yield* Effect.flip(call)).toMatchObject({ _tag: "Poisoned", path: writer.path })
  }
  expect(writer.currentOffset()).toBe(end)
})

/** Of a writer whose scope has ended nothing is left, under any name or none. */
const isGone = Effect.fnUntraced(function* (directory: string) {
  const io = yield* Io
  expect(yield* io.list(directory)).toEqual(["source"])
  expect(openHandles(directory).filter((name) => name !== "source")).toEqual([])
})

/** The path can be taken, and what is written there reads back right. It is removed afterwards. */
const canBeTaken = Effect.fnUntraced(function* (source: IoFile, path: string) {
  const io = yield* Io
  const write = Effect.gen(function* () {
    const writer = yield* SparseFile.create(path)
    expect(yield* writer.appendExtents(source, extents)).toEqual({ extents: 655, bytes: copiedBytes })
    yield* writer.close
  })
  yield* Effect.scoped(write)
  const read = Effect.gen(function* () {
    const reader = yield* SparseFile.open(path, { verifyReads: true })
    expect([...reader.extents()]).toEqual(extents)
    const buffer = new Uint8Array(60_000)
    const wrong: Array<number> = []
    for (const { offset, length } of extents) {
      reader.unsafe.read(offset, buffer)
      if (Buffer.compare(buffer, sourceBytes.subarray(offset, offset + length)) !== 0) wrong.push(offset)
    }
    expect(wrong).toEqual([])
  })
  yield* Effect.scoped(read)
  yield* io.remove(path)
  yield* io.remove(`${path}.map`)
})

const isInterruption = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)

/** Waits for some turns of the other fibers: in each, a slice is copied. */
const slices = (count: number) => Effect.forEach(Array.from({ length: count }), () => Effect.yieldNow)

onEachIo((test) => {
  test("interrupted between any two slices, a copy stops there and poisons its writer", (directory) =>
    Effect.gen(function* () {
      const source = yield* makeSource(directory)
      const ends: Array<number> = []
      for (let count = 0; count < 9; count++) {
        const attempt = Effect.gen(function* () {
          const writer = yield* SparseFile.create(`${directory}/x`)
          const append = writer.appendExtents(source, extents)
          const fiber = yield* Effect.forkChild(append, { startImmediately: true })
          yield* slices(count)
          yield* Fiber.interrupt(fiber)
          expect(isInterruption(yield* Fiber.await(fiber))).toBe(true)
          ends.push(writer.currentOffset())
          yield* isPoisoned(writer, source)
          yield* slices(3)
          expect(writer.currentOffset()).toBe(ends[count])
        })
        yield* Effect.scoped(attempt)
        yield* isGone(directory)
        if (count % 4 === 0) yield* canBeTaken(source, `${directory}/x`)
      }
      // None at the end. A slow machine copies less in a turn, so that they need not ascend.
      expect(Math.max(...ends)).toBeLessThan(copiedBytes)
      expect(Math.max(...ends)).toBeGreaterThan(0)
    }))

  test("a program interrupted while it copies leaves nothing behind", (directory) =>
    Effect.gen(function* () {
      const source = yield* makeSource(directory)
      for (const count of [0, 4, 8]) {
        const program = Effect.gen(function* () {
          const writer = yield* SparseFile.create(`${directory}/x`)
          yield* writer.appendExtents(source, extents)
          yield* writer.close
        })
        const fiber = yield* Effect.forkChild(Effect.scoped(program))
        let begun = false
        for (let turn = 0; turn < 1000 && !begun; turn++) {
          yield* Effect.yieldNow
          begun = (yield* (yield* Io).list(directory)).includes("x.map.tmp")
        }
        expect(begun).toBe(true)
        yield* slices(count)
        yield* Fiber.interrupt(fiber)
        expect(isInterruption(yield* Fiber.await(fiber))).toBe(true)
        yield* isGone(directory)
      }
      yield* canBeTaken(source, `${directory}/x`)
    }))

  test("a copy whose writer's scope ends meanwhile is Closed, and leaves nothing behind", (directory) =>
    Effect.gen(function* () {
      const source = yield* makeSource(directory)
      for (const count of [0, 5]) {
        const scope = yield* Scope.make()
        const writer = yield* SparseFile.create(`${directory}/x`).pipe(Scope.provide(scope))
        const append = writer.appendExtents(source, extents)
        const fiber = yield* Effect.forkChild(append, { startImmediately: true })
        yield* slices(count)
        yield* Scope.close(scope, Exit.void)
        yield* isGone(directory)
        expect(yield* Effect.flip(Fiber.join(fiber))).toMatchObject({ _tag: "Closed" })
        yield* isGone(directory)
      }
      yield* canBeTaken(source, `${directory}/x`)
    }))

  test("a copy that is done while its files are being removed is Closed all the same", (directory) =>
    Effect.gen(function* () {
      const source = yield* makeSource(directory)
      const io = yield* Io
      let copied = false
      const remove = (path: string) =>
        Effect.andThen(
          Effect.gen(function* () {
            for (let turn = 0; turn < 10_000 && !copied; turn++) yield* Effect.yieldNow
          }),
          io.remove(path)
        )
      const scope = yield* Scope.make()
      const writer = yield* SparseFile.create(`${directory}/x`).pipe(
        Scope.provide(scope),
        Effect.provideService(Io, { ...io, remove })
      )
      const append = Effect.onExit(writer.appendExtents(source, extents), () =>
        Effect.sync(() => (copied = true))
      )
      const fiber = yield* Effect.forkChild(append, { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      expect(yield* Effect.flip(Fiber.join(fiber))).toMatchObject({ _tag: "Closed", path: writer.path })
      expect(copied).toBe(true)
      yield* isGone(directory)
    }))

  test("a write that fails, whichever, comes out, is the last, and poisons the writer", (directory) =>
    Effect.gen(function* () {
      const source = yield* makeSource(directory)
      let writes = 0
      let failing = 0
      const io = watchedIo(yield* Io, {
        before: (operation, path) => {
          if (operation !== "writeAt" || ++writes !== failing) return
          throw failing % 2 === 0
            ? new NoSpace({ path, syscall: "write" })
            : new IoFailed({ path, syscall: "write", code: "EIO", cause: "made up" })
        }
      })
      /** Copies, and closes; gives where which of them failed. */
      const attempt = Effect.gen(function* () {
        writes = 0
        const writer = yield* SparseFile.create(`${directory}/x`)
        const appended = yield* Effect.exit(writer.appendExtents(source, extents))
        const inAppend = writes
        const closed = yield* Effect.exit(writer.close)
        if (failing > 0) {
          const failed: Exit.Exit<unknown, unknown> = Exit.isFailure(appended) ? appended : closed
          const _tag = failing % 2 === 0 ? "NoSpace" : "IoFailed"
          expect(Exit.isFailure(failed) && Cause.squash(failed.cause)).toMatchObject({ _tag })
          expect(writes).toBe(failing)
          yield* isPoisoned(writer, source)
          expect(writes).toBe(failing)
        }
        return { inAppend, appended, closed }
      }).pipe(Effect.scoped, Effect.provideService(Io, io))

      const { inAppend, closed } = yield* attempt
      expect(Exit.isSuccess(closed)).toBe(true)
      const all = writes
      yield* (yield* Io).remove(`${directory}/x`)
      yield* (yield* Io).remove(`${directory}/x.map`)
      expect(inAppend).toBe(Math.floor(copiedBytes / (256 << 10)))
      // The rest of the data; cells, index and header of the map; the sums of the blocks.
      expect(all).toBe(inAppend + 5)
      for (failing of [1, 2, 17, 80, inAppend - 1, inAppend]) {
        expect(Exit.isFailure((yield* attempt).appended), `write ${failing}`).toBe(true)
        yield* isGone(directory)
      }
      yield* canBeTaken(source, `${directory}/x`)
      for (failing = inAppend + 1; failing <= all; failing++) {
        expect(Exit.isSuccess((yield* attempt).appended), `write ${failing}`).toBe(true)
        yield* isGone(directory)
      }
      yield* canBeTaken(source, `${directory}/x`)
    }))

  test("a source that shrinks under a copy is ReadOutOfBounds, and poisons the writer", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const source = yield* makeSource(directory)
      const end = 1_000_000
      let reads = 0
      let shrinking = 0
      const watched = watchedIo(io, {
        before: (operation) => {
          if (operation === "readAt" && ++reads === shrinking) source.unsafe.truncate(end)
        }
      })
      const from = yield* watched.open(source.path, { readonly: true })
      // A slow source is read in 160 runs: at least so many reads are there.
      for (shrinking of [1, 30, 150]) {
        reads = 0
        const attempt = Effect.gen(function* () {
          const writer = yield* SparseFile.create(`${directory}/x`)
          const error = yield* Effect.flip(writer.appendExtents(from, extents))
          expect(error).toMatchObject({ _tag: "ReadOutOfBounds", path: source.path, end })
          yield* isPoisoned(writer, source)
        })
        yield* Effect.scoped(attempt)
        yield* isGone(directory)
        yield* source.writeAt(0, sourceBytes)
      }
      yield* canBeTaken(source, `${directory}/x`)
    }))
})

onDisk((test) => {
  test("a disk that fills up in the middle of a copy is NoSpace, until there is room", (directory) =>
    Effect.gen(function* () {
      const source = yield* makeSource(directory)
      const { writeSync } = fs
      for (const last of [1, 2, 100]) {
        let calls = 0
        restore = patch({
          writeSync: (fd: number, bytes: Uint8Array, start: number, length: number, at: number) => {
            calls++
            if (calls > last) throw systemError("ENOSPC", "write")
            return writeSync(fd, bytes, start, calls < last ? length : length >>> 1, at)
          }
        })
        const attempt = Effect.gen(function* () {
          const writer = yield* SparseFile.create(`${directory}/x`)
          const error = yield* Effect.flip(writer.appendExtents(source, extents))
          expect(error).toMatchObject({ _tag: "NoSpace", path: `${directory}/x.tmp` })
          restore()
          yield* isPoisoned(writer, source)
          expect(calls).toBe(last + 1)
        })
        yield* Effect.scoped(attempt)
        yield* isGone(directory)
      }
      yield* canBeTaken(source, `${directory}/x`)
    }))
})
