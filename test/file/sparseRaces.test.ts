/** Others at the files of a sparse file while it is made, promoted or opened: a name taken, gone, or cut short. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { describe, expect, it } from "vitest"
import { Offmap } from "../../src/file/Offmap.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { SparseFileWriter } from "../../src/file/SparseFileWriter.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { withoutMapping } from "./offmapImages.ts"
import { contentOf, fileOf, inMemory, pattern, smallExtents, smallSparseFile } from "./sparseFileFiles.ts"
import { watchedIo } from "./watchedIo.ts"

/** What somebody else does right before a call, which is told as `rename /x.tmp`. The files are in memory. */
const racing = (
  io: IoService,
  before: (call: string, number: number) => Effect.Effect<unknown, unknown> | undefined
) => {
  let number = 0
  return watchedIo(io, {
    before: (operation, path) => {
      const doing = before(`${operation} ${path}`, ++number)
      if (doing !== undefined) Effect.runSync(doing)
    }
  })
}

const empty = (io: IoService, path: string) => Effect.scoped(io.create(path, { overwrite: false }))

const truncate = (io: IoService, path: string, size: number) =>
  Effect.scoped(Effect.flatMap(io.open(path, { readonly: false }), (file) => file.truncate(size)))

/** As a crash leaves a file between the two renames of its promotion. */
const halfPromoted = Effect.gen(function* () {
  yield* smallSparseFile("/x")
  yield* (yield* Io).rename("/x.map", "/x.map.tmp")
})

const isWhole = Effect.gen(function* () {
  const reader = yield* SparseFile.open("/x")
  const buffer = new Uint8Array(smallExtents[0].length)
  yield* reader.read(smallExtents[0].offset, buffer)
  expect(buffer).toEqual(pattern(2000).slice(100, 150))
})

describe("a sparse file whose making", () => {
  it(
    "loses the race for its temporary name is Locked, and leaves the other's file alone",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const others = racing(io, (call) => (call === "create /x.tmp" ? empty(io, "/x.tmp") : undefined))
        const error = yield* Effect.flip(SparseFile.create("/x").pipe(Effect.provideService(Io, others)))
        expect(error).toMatchObject({ _tag: "Locked", path: "/x.tmp" })
        expect(yield* io.list("/")).toEqual(["x.tmp"])
      })
    )
  )

  it(
    "finds its data gone when it is to be promoted is InconsistentStore",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const writer = yield* SparseFile.create("/x")
        yield* writer.appendBytes(pattern(10))
        yield* writer.mapAdd(5, 0, 10)
        yield* io.remove("/x.tmp")
        expect(yield* Effect.flip(writer.close)).toMatchObject({
          _tag: "InconsistentStore",
          path: "/x.tmp",
          size: 0
        })
      })
    )
  )

  it(
    "can't be finished by the end of its layer is told in the log",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push(String(message)))
        yield* SparseFileWriter.pipe(
          Effect.flatMap((writer) => Effect.andThen(writer.appendBytes(pattern(10)), io.remove("/x.tmp"))),
          Effect.provide(SparseFileWriter.layer("/x").pipe(Layer.provideMerge(Logger.layer([logger]))))
        )
        expect(lines.length).toBe(1)
        expect(lines[0]).toContain("/x was not finished")
      })
    )
  )

  it(
    "asks for bytes behind the end of its source is out of bounds, and ends there",
    inMemory(
      Effect.gen(function* () {
        const source = yield* fileOf("/source", pattern(100))
        const writer = yield* SparseFile.create("/x")
        const copy = (offset: number, length: number) =>
          writer.appendFrom(source, { offset, length, updateMap: true })
        yield* copy(0, 10)
        expect(yield* Effect.flip(copy(95, 10))).toMatchObject({
          _tag: "ReadOutOfBounds",
          ...{ path: "/source", offset: 95, length: 10, end: 100 }
        })
        expect(yield* Effect.flip(copy(20, 10))).toMatchObject({ _tag: "Poisoned", path: "/x" })
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "Poisoned", path: "/x" })
      })
    )
  )
})

describe("a sparse file that is half promoted", () => {
  it(
    "and gets the map's name from somebody else, who leaves the old one, too, is open all the same",
    inMemory(
      Effect.gen(function* () {
        yield* halfPromoted
        const io = yield* Io
        const map = yield* contentOf("/x.map.tmp")
        let made = false
        const others = racing(io, (call) => {
          if (made || !call.startsWith("syncDirectory")) return undefined
          made = true
          return Effect.scoped(fileOf("/x.map", map)).pipe(Effect.provideService(Io, io))
        })
        yield* isWhole.pipe(Effect.provideService(Io, others))
        expect(made).toBe(true)
      })
    )
  )

  it(
    "and loses its map meanwhile is Incomplete",
    inMemory(
      Effect.gen(function* () {
        yield* halfPromoted
        const io = yield* Io
        const others = racing(io, (call) => (call.startsWith("rename") ? io.remove("/x.map.tmp") : undefined))
        const error = yield* Effect.flip(SparseFile.open("/x").pipe(Effect.provideService(Io, others)))
        expect(error).toMatchObject({ _tag: "Incomplete", path: "/x", missing: "/x.map" })
      })
    )
  )
})

describe("a map that vanishes, or shrinks, while it is opened", () => {
  it(
    "and is there again whenever somebody looks is Incomplete after some attempts",
    inMemory(
      Effect.gen(function* () {
        yield* smallSparseFile("/x")
        const io = yield* Io
        let opened = 0
        const others = racing(io, (call) => {
          if (call === "open /x.map") {
            opened++
            return io.rename("/x.map", "/away")
          }
          return call === "classify /x" && opened > 0 ? io.rename("/away", "/x.map") : undefined
        })
        const error = yield* Effect.flip(SparseFile.open("/x").pipe(Effect.provideService(Io, others)))
        expect(error).toMatchObject({ _tag: "Incomplete", path: "/x", missing: "/x.map" })
        expect(opened).toBe(3)
      })
    )
  )

  /** Opens as `open` does, the map being cut to `size` before one of its calls after the other. */
  const cutAtEachCall = (
    open: Effect.Effect<unknown, unknown, Io | Scope.Scope>,
    path: string,
    size: number
  ) =>
    Effect.gen(function* () {
      const io = withoutMapping(yield* Io)
      const whole = yield* contentOf(path)
      const found: Array<unknown> = []
      for (let at = 1; ; at++) {
        yield* Effect.scoped(fileOf(path, whole))
        let calls = 0
        const others = racing(io, (_, number) => {
          calls = number
          return number === at ? truncate(io, path, size) : undefined
        })
        const exit = yield* Effect.result(Effect.scoped(open).pipe(Effect.provideService(Io, others)))
        if (calls < at) return found
        if (exit._tag === "Failure") found.push(exit.failure)
      }
    })

  it(
    "is Corrupt, wherever it ends and whenever that happens",
    inMemory(
      Effect.gen(function* () {
        yield* smallSparseFile("/x")
        const { length } = yield* contentOf("/x.map")
        for (const verifyReads of [false, true]) {
          for (const size of [0, 100, length - 8, length - 44]) {
            const errors = yield* cutAtEachCall(SparseFile.open("/x", { verifyReads }), "/x.map", size)
            expect(errors.length, `${size} bytes`).toBeGreaterThan(2)
            for (const error of errors) expect(error).toMatchObject({ _tag: "Corrupt", path: "/x.map" })
          }
        }
      })
    )
  )

  it(
    "is Corrupt as a map of its own, too",
    inMemory(
      Effect.gen(function* () {
        yield* smallSparseFile("/x")
        for (const size of [0, 100, 150]) {
          const errors = yield* cutAtEachCall(Offmap.open("/x.map"), "/x.map", size)
          expect(errors.length, `${size} bytes`).toBeGreaterThan(1)
          for (const error of errors) expect(error).toMatchObject({ _tag: "Corrupt", path: "/x.map" })
        }
      })
    )
  )
})
