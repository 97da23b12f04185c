/**
 * Writing a map that is interrupted or fails midway. Pieces are written on the thread pool while the
 * next is summed: nobody may be left writing, and what was not written to its end is no map.
 */
import fs from "node:fs"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { afterEach, describe, expect } from "vitest"
import { IoFailed, NoSpace } from "../../src/bytes/errors.ts"
import { Offmap } from "../../src/file/Offmap.ts"
import { Io, type IoFile, type WriteError } from "../../src/io/Io.ts"
import { contentOf } from "../../src/testing/ioLaw.ts"
import { patch, systemError } from "../io/faults.ts"
import { onDisk, onEachIo, openHandles } from "./eachIo.ts"
import { hinderedWrites, type HinderedWrites } from "./hinderedWrites.ts"

let restore = () => {}
afterEach(() => restore())

const bindings = 1_000_000

/** A map of some 8 MB: several pieces. */
const mapOf = (shift: number) => {
  const builder = Offmap.builder()
  for (let i = 0; i < bindings; i++) builder.add(i * 10, i * 5 + shift, 5)
  return builder.build()
}
const map = mapOf(0)
/** The same offsets, bound to other places: only checksums tell the pages of the two apart. */
const otherMap = mapOf(3)

const newFile = (path: string) => Effect.flatMap(Io, (io) => io.create(path, { overwrite: true }))

/** Four pieces, the index and the header: as many writes as writing `map` takes. */
const writesOfMap = 6

const unhindered = () => Effect.void

const isNoMap = Effect.fnUntraced(function* (file: IoFile) {
  const expected = { _tag: "Corrupt", path: file.path }
  expect(yield* Effect.flip(Offmap.read(file, 0))).toMatchObject(expected)
  expect(yield* Effect.flip(Effect.scoped(Offmap.open(file.path)))).toMatchObject(expected)
})

const isWhole = Effect.fnUntraced(function* (file: IoFile) {
  const read = yield* Offmap.read(file, 0)
  expect(read.size).toBe(bindings)
  let wrong = 0
  for (let i = 0; i < bindings; i += 997) {
    if (read.translate(i * 10 + 4) !== i * 5 + 4 || read.translate(i * 10 + 5) !== -1) wrong++
  }
  expect(wrong).toBe(0)
})

/** Nobody writes any more, now or a while later. */
const standsStill = Effect.fnUntraced(function* (file: IoFile, writes: Omit<HinderedWrites, "file">) {
  expect(writes.underWay()).toBe(0)
  const begun = writes.begun()
  const content = yield* contentOf(file)
  yield* Effect.sleep(15)
  expect(writes.begun()).toBe(begun)
  expect(Buffer.compare(yield* contentOf(file), content)).toBe(0)
})

/** The file is as good as new: it takes the map, can be closed, and removed. */
const canBeUsedAgain = Effect.fnUntraced(function* (file: IoFile, directory: string) {
  const io = yield* Io
  yield* Offmap.write(map, file, 0)
  yield* isWhole(file)
  yield* file.close
  expect(openHandles(directory)).toEqual([])
  yield* io.remove(file.path)
  expect(yield* io.list(directory)).toEqual([])
})

onEachIo((test) => {
  test("a map of this size is written in four pieces, an index and a header", (directory) =>
    Effect.gen(function* () {
      const file = yield* newFile(`${directory}/map`)
      const writes = hinderedWrites(file, unhindered)
      expect(yield* Offmap.write(map, writes.file, 0)).toBe(yield* file.size)
      expect(writes.begun()).toBe(writesOfMap)
      yield* isWhole(file)
    }))

  describe.each(["at once", "a while later"])("interrupted %s", (when) => {
    for (let last = 1; last <= writesOfMap; last++) {
      test(`in write ${last}, it waits for that one and begins no other`, (directory) =>
        Effect.gen(function* () {
          const file = yield* newFile(`${directory}/map`)
          const interrupt = Effect.suspend(() => {
            fiber.interruptUnsafe()
            return Effect.sleep(5)
          })
          const writes = hinderedWrites(file, (write) => {
            if (write !== last) return Effect.void
            return when === "at once" ? interrupt : Effect.andThen(Effect.sleep(3), interrupt)
          })
          let underWay = -1
          const writing = Effect.onExit(Offmap.write(map, writes.file, 0), () =>
            Effect.sync(() => (underWay = writes.underWay()))
          )
          const fiber: Fiber.Fiber<unknown, unknown> = yield* Effect.forkChild(writing)
          const exit = yield* Fiber.await(fiber)
          // What follows in the same fiber may close the file, or remove it.
          expect(underWay).toBe(0)
          expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
          expect(writes.begun()).toBe(last)
          yield* standsStill(file, writes)
          // The header makes the map; its write, once begun, completes.
          if (last < writesOfMap) yield* isNoMap(file)
          else yield* isWhole(file)
          yield* canBeUsedAgain(file, directory)
        }))
    }
  })

  describe("failing", () => {
    for (let last = 1; last <= writesOfMap; last++) {
      test(`in write ${last}, it gives that error and begins no other write`, (directory) =>
        Effect.gen(function* () {
          const file = yield* newFile(`${directory}/map`)
          for (const error of [
            new NoSpace({ path: file.path, syscall: "write" }),
            new IoFailed({ path: file.path, syscall: "write", code: "EIO", cause: "made up" })
          ]) {
            // Also after everything else that could be done meanwhile has been done.
            const pause = Effect.sleep(error._tag === "NoSpace" ? 0 : 5)
            const writes = hinderedWrites(file, (write) =>
              write === last ? Effect.andThen(pause, Effect.fail<WriteError>(error)) : Effect.void
            )
            expect(yield* Effect.flip(Offmap.write(map, writes.file, 0))).toBe(error)
            expect(writes.begun()).toBe(last)
            yield* standsStill(file, writes)
            yield* isNoMap(file)
          }
          yield* canBeUsedAgain(file, directory)
        }))
    }
  })

  test("interrupted over an older map, it never answers with a mixture of both", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/map`
      for (let last = 1; last < writesOfMap; last++) {
        const file = yield* newFile(path)
        yield* Offmap.write(otherMap, file, 0)
        const writes = hinderedWrites(file, (write) =>
          Effect.sync(() => {
            if (write === last) fiber.interruptUnsafe()
          })
        )
        const fiber: Fiber.Fiber<unknown, unknown> = yield* Effect.forkChild(
          Offmap.write(map, writes.file, 0)
        )
        yield* Fiber.await(fiber)
        expect(writes.begun()).toBe(last)
        expect(yield* Effect.flip(Offmap.read(file, 0))).toMatchObject({ _tag: "Corrupt", path })
        // The older header is still there, so that the map may open; its pages tell.
        const answers = yield* Effect.scoped(Effect.map(Offmap.open(path), answersOf)).pipe(
          Effect.catchTag("Corrupt", () => Effect.succeed(["Corrupt"]))
        )
        expect(answers).toContain("Corrupt")
        expect(answers).not.toContain("new")
        expect(answers).not.toContain("wrong")
        yield* file.close
      }
    }))
})

/** The kinds of answers that a map gives. */
const answersOf = (opened: Offmap["Service"]): ReadonlyArray<string> => {
  const kinds = new Set<string>()
  for (let i = 0; i < bindings; i += 500) {
    try {
      const physical = opened.translate(i * 10)
      kinds.add(physical === i * 5 ? "new" : physical === i * 5 + 3 ? "old" : "wrong")
    } catch (error) {
      kinds.add((error as { readonly _tag: string })._tag)
    }
  }
  return [...kinds]
}

type Callback = (failure: unknown, count: number) => void
type Write = (
  fd: number,
  bytes: Uint8Array,
  start: number,
  length: number,
  at: number,
  done: Callback
) => void

onDisk((test) => {
  test("interrupted at any moment, it leaves no write on the thread pool", (directory) =>
    Effect.gen(function* () {
      const write = fs.write as unknown as Write
      let begun = 0
      let ended = 0
      restore = patch({
        write: (...[fd, bytes, start, length, at, done]: Parameters<Write>) => {
          begun++
          write(fd, bytes, start, length, at, (failure, count) => {
            ended++
            done(failure, count)
          })
        }
      })
      let interrupted = 0
      // Ever more turns of the event loop, until there are enough of them for all.
      for (let turns = 0, more = 1; turns < 3_000; [turns, more] = [turns + more, turns + 1]) {
        begun = 0
        ended = 0
        const file = yield* newFile(`${directory}/map`)
        const fiber = yield* Effect.forkChild(Offmap.write(map, file, 0), { startImmediately: true })
        expect(begun).toBe(1)
        for (let i = 0; i < turns; i++) yield* Effect.promise(() => new Promise(setImmediate))
        yield* Fiber.interrupt(fiber)
        yield* standsStill(file, { begun: () => begun, underWay: () => begun - ended })
        const exit = yield* Fiber.await(fiber)
        if (Exit.isSuccess(exit)) {
          yield* isWhole(file)
          break
        }
        interrupted++
        yield* isNoMap(file)
        yield* canBeUsedAgain(file, directory)
      }
      expect(interrupted).toBeGreaterThan(0)
    }))

  test("a disk that fills up in the middle of any write is NoSpace", (directory) =>
    Effect.gen(function* () {
      const { write, writeSync } = fs
      for (let last = 1; last <= writesOfMap; last++) {
        const file = yield* newFile(`${directory}/map`)
        let calls = 0
        restore = patch({
          write: (...[fd, bytes, start, length, at, done]: Parameters<Write>) => {
            calls++
            if (calls > last) setImmediate(() => done(systemError("ENOSPC", "write"), 0))
            else write(fd, bytes, start, calls < last ? length : length >>> 1, at, done)
          },
          writeSync: (fd: number, bytes: Uint8Array, start: number, length: number, at: number) => {
            calls++
            if (calls > last) throw systemError("ENOSPC", "write")
            return writeSync(fd, bytes, start, calls < last ? length : length >>> 1, at)
          }
        })
        const error = yield* Effect.flip(Offmap.write(map, file, 0))
        restore()
        expect(error).toMatchObject({ _tag: "NoSpace", path: file.path, syscall: "write" })
        expect(calls).toBe(last + 1)
        yield* standsStill(file, { begun: () => calls, underWay: () => 0 })
        yield* isNoMap(file)
        yield* canBeUsedAgain(file, directory)
      }
    }))
})
