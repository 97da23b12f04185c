import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { NoSpace } from "../../src/bytes/errors.ts"
import type { Extent } from "../../src/bytes/extent.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { SparseFileReader } from "../../src/file/SparseFileReader.ts"
import { SparseFileWriter } from "../../src/file/SparseFileWriter.ts"
import { Io } from "../../src/io/Io.ts"
import { fileOf, inMemory, pattern, smallSparseFile } from "./sparseFileFiles.ts"
import { watchedIo } from "./watchedIo.ts"

const source = Effect.suspend(() => fileOf("/source", pattern(300_000)))

describe("appending", () => {
  it(
    "fuses extents that touch or lie at most maxGap bytes apart, and makes the gap readable",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x", { maxGap: 10 })
        const extents = [
          { offset: 0, length: 5 },
          { offset: 5, length: 5 },
          { offset: 20, length: 5 },
          { offset: 36, length: 5 }
        ]
        expect(yield* writer.appendExtents(yield* source, extents)).toEqual({ extents: 2, bytes: 30 })
        yield* writer.close
        const reader = yield* SparseFile.open("/x")
        const buffer = new Uint8Array(25)
        yield* reader.read(0, buffer)
        expect(buffer).toEqual(pattern(25))
        expect([...reader.extents()]).toEqual([
          { offset: 0, length: 25 },
          { offset: 36, length: 5 }
        ])
      })
    )
  )

  it(
    "never fuses over something that is mapped already",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        yield* writer.mapAdd(12, 7)
        const extents = [
          { offset: 0, length: 10 },
          { offset: 15, length: 10 }
        ]
        expect(yield* writer.appendExtents(yield* source, extents)).toMatchObject({ extents: 2 })
        expect(writer.offmap().find(12)).toBe(7)
      })
    )
  )

  it(
    "fuses nothing but in appendExtents",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        yield* writer.appendFrom(yield* source, { offset: 0, length: 10, updateMap: true })
        yield* writer.appendFrom(yield* source, { offset: 10, length: 10, updateMap: true })
        yield* writer.appendFrom(yield* source, { offset: 40, length: 10, updateMap: false })
        expect([...writer.offmap().entries()]).toEqual([
          { virtual: 0, physical: 0, length: 10 },
          { virtual: 10, physical: 10, length: 10 }
        ])
        expect(writer.currentOffset()).toBe(30)
      })
    )
  )

  it.each([
    [100, 33],
    [2_999, 1_000],
    [5_000, 20_000],
    [70_001, 50],
    [300_000, 100_000]
  ])("copies extents of %i bytes that lie %i bytes apart", (length, gap) =>
    inMemory(
      Effect.gen(function* () {
        const bytes = pattern(1_500_000)
        const from = yield* fileOf("/source", bytes)
        const writer = yield* SparseFile.create("/x")
        const extents: Array<Extent> = []
        for (let offset = 7; offset + length <= bytes.length; offset += length + gap) {
          extents.push({ offset, length })
        }
        yield* writer.appendExtents(from, extents)
        yield* writer.close
        const reader = yield* SparseFile.open("/x", { verifyReads: true })
        expect([...reader.extents()]).toEqual(extents)
        const buffer = new Uint8Array(length)
        for (const { offset } of extents) {
          yield* reader.read(offset, buffer)
          expect(Buffer.compare(buffer, bytes.subarray(offset, offset + length)), `at ${offset}`).toBe(0)
        }
      })
    )()
  )

  it(
    "refuses overlaps, duplicates and what is no extent before a byte is written, and goes on",
    inMemory(
      Effect.gen(function* () {
        const from = yield* source
        const writer = yield* SparseFile.create("/x")
        yield* writer.appendExtents(from, [{ offset: 1000, length: 100 }])
        const bad = [
          [
            { offset: 0, length: 10 },
            { offset: 9, length: 5 }
          ],
          [
            { offset: 0, length: 10 },
            { offset: 0, length: 10 }
          ],
          [
            { offset: 0, length: 10 },
            { offset: 1099, length: 1 }
          ],
          [
            { offset: 0, length: 10 },
            { offset: 990, length: 11 }
          ],
          [{ offset: -1, length: 10 }],
          [{ offset: 0.5, length: 10 }],
          [{ offset: 0, length: 2 ** 53 }],
          [{ offset: 5, length: NaN }]
        ]
        for (const extents of bad) {
          const error = yield* Effect.flip(writer.appendExtents(from, extents))
          expect(error._tag).toBe("InvalidArgument")
        }
        const options = { offset: 1050, length: 1, updateMap: true }
        expect(yield* Effect.flip(writer.appendFrom(from, options))).toMatchObject({
          _tag: "InvalidArgument"
        })
        expect(yield* Effect.flip(writer.mapAdd(1000, 0))).toMatchObject({ _tag: "InvalidArgument" })
        expect(yield* Effect.flip(writer.mapAdd(-1, 0))).toMatchObject({ _tag: "InvalidArgument" })
        expect(yield* Effect.flip(writer.mapAdd(5, 2 ** 53 - 1, 2))).toMatchObject({
          _tag: "InvalidArgument"
        })
        expect(writer.currentOffset()).toBe(100)
        yield* writer.close
      })
    )
  )

  it(
    "refuses an extent beyond the end of the source, with the end, and is poisoned",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        const extents = [
          { offset: 0, length: 10 },
          { offset: 299_999, length: 2 }
        ]
        expect(yield* Effect.flip(writer.appendExtents(yield* source, extents))).toMatchObject({
          _tag: "ReadOutOfBounds",
          path: "/source",
          offset: 299_999,
          end: 300_000
        })
        expect(writer.currentOffset()).toBe(0)
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "Poisoned" })
      })
    )
  )

  it(
    "reports a source that shrinks while it is read, and promotes nothing",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const bytes = yield* source
        let reads = 0
        const shrinking = watchedIo(io, {
          before: (operation, path) => {
            if (operation === "readAt" && path === "/source" && ++reads === 2) bytes.unsafe.truncate(100_000)
          }
        })
        const from = yield* shrinking.open("/source", { readonly: true })
        const writer = yield* SparseFile.create("/x")
        const extents = Array.from({ length: 30 }, (_, i) => ({ offset: i * 10_000, length: 9_000 }))
        const error = yield* Effect.flip(writer.appendExtents(from, extents))
        expect(error).toMatchObject({ _tag: "ReadOutOfBounds", path: "/source", end: 100_000 })
        expect(yield* Effect.flip(writer.appendBytes(pattern(1)))).toMatchObject({ _tag: "Poisoned" })
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "Poisoned" })
        expect(yield* io.classify("/x")).toBe("none")
      })
    )
  )

  it(
    "takes streams, in any order",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        const extents = Stream.make({ offset: 50, length: 10 }, { offset: 0, length: 10 })
        expect(yield* writer.appendExtents(yield* source, extents)).toEqual({ extents: 2, bytes: 20 })
        yield* writer.close
      })
    )
  )

  it(
    "copies the bytes that it is given",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        const bytes = pattern(10)
        yield* writer.appendBytes(bytes)
        bytes.fill(0)
        yield* writer.mapAdd(0, 0, 10)
        yield* writer.close
        const buffer = new Uint8Array(10)
        yield* (yield* SparseFile.open("/x")).read(0, buffer)
        expect(buffer).toEqual(pattern(10))
      })
    )
  )

  it(
    "is poisoned by an interruption in the middle",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* fileOf("/source", pattern(20 << 20))
        const begun = yield* Deferred.make<void>()
        const slow = watchedIo(io, {
          before: (operation, path) => {
            if (operation === "readAt" && path === "/source") Deferred.doneUnsafe(begun, Effect.void)
          }
        })
        const from = yield* slow.open("/source", { readonly: true })
        const writer = yield* SparseFile.create("/x")
        const append = yield* Effect.forkChild(writer.appendExtents(from, [{ offset: 0, length: 20 << 20 }]))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(append)
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "Poisoned" })
      })
    )
  )

  it(
    "does operations of several fibers one after another",
    inMemory(
      Effect.gen(function* () {
        const from = yield* fileOf("/source", pattern(9 << 20))
        const writer = yield* SparseFile.create("/x")
        const third = 3 << 20
        const append = (i: number) => writer.appendExtents(from, [{ offset: i * third, length: third }])
        yield* Effect.all([append(2), append(0), append(1)], { concurrency: "unbounded" })
        yield* writer.close
        const reader = yield* SparseFile.open("/x")
        const buffer = new Uint8Array(9 << 20)
        yield* reader.read(0, buffer)
        expect(Buffer.compare(buffer, pattern(9 << 20))).toBe(0)
      })
    )
  )
})

describe("creating", () => {
  it.each(["/x", "/x.map"])("refuses a path where %s exists, whatever it is", (existing) =>
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* fileOf(existing, pattern(3))
        expect(yield* Effect.flip(SparseFile.create("/x"))).toMatchObject({
          _tag: "FileExists",
          path: existing
        })
        yield* io.remove(existing)
        yield* io.makeDirectory(existing)
        expect(yield* Effect.flip(SparseFile.create("/x"))).toMatchObject({
          _tag: "FileExists",
          path: existing
        })
        expect(yield* io.list("/")).toEqual([existing.slice(1)])
      })
    )()
  )

  it.each(["/x.tmp", "/x.map.tmp"])("refuses a directory that is called %s", (path) =>
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* io.makeDirectory(path)
        expect(yield* Effect.flip(SparseFile.create("/x"))).toMatchObject({ _tag: "NotAFile", path })
        expect(yield* io.list("/")).toEqual([path.slice(1)])
      })
    )()
  )

  it(
    "replaces .tmp files that nobody locks",
    inMemory(
      Effect.gen(function* () {
        yield* Effect.scoped(fileOf("/x.tmp", pattern(100_000)))
        yield* Effect.scoped(fileOf("/x.map.tmp", pattern(100_000)))
        yield* smallSparseFile("/x")
        expect(yield* SparseFile.verify("/x")).toEqual({ extents: 3, bytes: 257, blocks: 1 })
      })
    )
  )

  it(
    "is Locked while another writer is at it, whose files stay",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const writer = yield* SparseFile.create("/x")
        expect(yield* Effect.flip(SparseFile.create("/x"))).toMatchObject({ _tag: "Locked", path: "/x.tmp" })
        yield* writer.appendBytes(pattern(10))
        yield* writer.close
        expect(yield* io.list("/")).toEqual(["x", "x.map"])
      })
    )
  )

  it(
    "refuses a maxGap that is no length",
    inMemory(
      Effect.gen(function* () {
        for (const maxGap of [-1, 0.5, NaN, 2 ** 53]) {
          const error = yield* Effect.flip(SparseFile.create("/x", { maxGap }))
          expect(error._tag).toBe("InvalidArgument")
        }
      })
    )
  )

  it(
    "leaves nothing behind when the scope ends before close",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* Effect.scoped(Effect.flatMap(SparseFile.create("/x"), (w) => w.appendBytes(pattern(9))))
        expect(yield* io.list("/")).toEqual([])
      })
    )
  )

  it(
    "is closed once its scope has ended: nothing is taken that would be lost",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* Effect.scoped(SparseFile.create("/x"))
        for (const late of [
          writer.appendBytes(pattern(9)),
          writer.mapAdd(1, 0, 1),
          writer.appendExtents(yield* source, [{ offset: 0, length: 1 }])
        ]) {
          expect(yield* Effect.flip(late)).toMatchObject({ _tag: "Closed", path: "/x" })
        }
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "DoubleClose" })
      })
    )
  )

  it(
    "lets a close that another fiber has begun complete when its scope ends",
    inMemory(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const writer = yield* SparseFile.create("/x").pipe(Scope.provide(scope))
        yield* writer.appendBytes(pattern(30))
        yield* writer.mapAdd(100, 0, 30)
        const closing = yield* Effect.forkChild(writer.close, { startImmediately: true })
        yield* Scope.close(scope, Exit.void)
        yield* Fiber.join(closing)
        expect(yield* SparseFile.verify("/x")).toMatchObject({ extents: 1, bytes: 30 })
      })
    )
  )

  it(
    "says NoSpace when the disk is full, and leaves nothing behind",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const full = watchedIo(io, {
          before: (operation, path) => {
            if (operation === "writeAt") throw new NoSpace({ path, syscall: "write" })
          }
        })
        const writing = Effect.gen(function* () {
          const writer = yield* SparseFile.create("/x")
          yield* writer.appendBytes(pattern(100))
          return yield* Effect.flip(writer.close)
        }).pipe(Effect.scoped, Effect.provideService(Io, full))
        expect(yield* writing).toMatchObject({ _tag: "NoSpace", path: "/x.tmp" })
        expect(yield* io.list("/")).toEqual([])
      })
    )
  )
})

describe("a stream of extents that does not end well", () => {
  const some = Stream.make({ offset: 0, length: 10 })

  it(
    "poisons the writer when it fails: what it would have given is missing",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        const failing = Stream.concat(some, Stream.fail("no more" as const))
        expect(yield* Effect.flip(writer.appendExtents(yield* source, failing))).toBe("no more")
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "Poisoned" })
      })
    )
  )

  it(
    "poisons the writer when it is interrupted",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        const waiting = writer.appendExtents(yield* source, Stream.concat(some, Stream.never))
        const fiber = yield* Effect.forkChild(waiting, { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "Poisoned" })
      })
    )
  )
})

describe("closing", () => {
  /** Writes a small file through `io`; gives what close gave. */
  const closeThrough = (before: (operation: string, path: string) => void) =>
    Effect.gen(function* () {
      const io = watchedIo(yield* Io, { before })
      return yield* Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        yield* writer.appendBytes(pattern(30))
        yield* writer.mapAdd(100, 0, 30)
        return yield* Effect.exit(writer.close)
      }).pipe(Effect.scoped, Effect.provideService(Io, io))
    })

  it(
    "makes data, map and their first names durable before the data's name, and that before the map's",
    inMemory(
      Effect.gen(function* () {
        const calls: Array<string> = []
        yield* closeThrough((operation, path) => {
          if (["sync", "rename", "syncDirectory"].includes(operation)) calls.push(`${operation} ${path}`)
        })
        expect(calls).toEqual([
          "sync /x.tmp",
          "sync /x.map.tmp",
          "syncDirectory /",
          "rename /x.tmp",
          "syncDirectory /",
          "rename /x.map.tmp",
          "syncDirectory /"
        ])
      })
    )
  )

  it(
    "has removed a map that was left behind durably before the data gets its name",
    inMemory(
      Effect.gen(function* () {
        yield* fileOf("/x.map.tmp", pattern(9))
        const calls: Array<string> = []
        yield* closeThrough((operation, path) => {
          if (["remove", "rename", "syncDirectory"].includes(operation)) calls.push(`${operation} ${path}`)
        })
        const removed = calls.indexOf("remove /x.map.tmp")
        expect(calls.slice(removed, removed + 3)).toEqual([
          "remove /x.map.tmp",
          "syncDirectory /",
          "rename /x.tmp"
        ])
      })
    )
  )

  it(
    "keeps what an open needs when it fails after the data has its name",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const closed = yield* closeThrough((operation, path) => {
          if (operation === "rename" && path === "/x.map.tmp") throw new NoSpace({ path, syscall: "rename" })
        })
        expect(Exit.isFailure(closed)).toBe(true)
        expect(yield* io.list("/")).toEqual(["x", "x.map.tmp"])
        expect(yield* SparseFile.verify("/x")).toEqual({ extents: 1, bytes: 30, blocks: 1 })
      })
    )
  )

  it(
    "succeeds when an opener has renamed the map just before",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const closed = yield* closeThrough((operation, path) => {
          if (operation === "rename" && path === "/x.map.tmp") Effect.runSync(io.rename(path, "/x.map"))
        })
        expect(Exit.isSuccess(closed)).toBe(true)
        expect(yield* io.list("/")).toEqual(["x", "x.map"])
      })
    )
  )

  it(
    "refuses a second time, and everything after it",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        yield* writer.close
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "DoubleClose", path: "/x" })
        expect(yield* Effect.flip(writer.appendBytes(pattern(1)))).toMatchObject({ _tag: "Closed" })
        expect(yield* Effect.flip(writer.mapAdd(1, 1))).toMatchObject({ _tag: "Closed" })
      })
    )
  )

  it(
    "refuses bindings beyond the data, and succeeds once the data is there",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const writer = yield* SparseFile.create("/x")
        yield* writer.mapAdd(0, 5, 10)
        yield* writer.appendBytes(pattern(14))
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "InvalidArgument" })
        expect(yield* io.classify("/x")).toBe("none")
        yield* writer.appendBytes(pattern(1))
        yield* writer.close
      })
    )
  )

  it(
    "takes point bindings to any physical offset",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        yield* writer.mapAdd(7, 123_456)
        yield* writer.close
        expect((yield* SparseFile.open("/x")).mapFind(7)).toBe(123_456)
      })
    )
  )

  it.each(["/x", "/x.map"])("overwrites nothing: %s, made meanwhile, stays", (path) =>
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        const other = yield* fileOf(path, pattern(3))
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "FileExists", path })
        expect(yield* other.size).toBe(3)
      })
    )()
  )

  it.each(["/x.tmp", "/x.map.tmp"])("notices that %s is not the file it wrote", (path) =>
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const writer = yield* SparseFile.create("/x")
        yield* writer.appendBytes(pattern(30))
        yield* fileOf(path, pattern(3))
        expect(yield* Effect.flip(writer.close)).toMatchObject({ _tag: "InconsistentStore", path, size: 3 })
        expect(yield* io.classify("/x")).toBe("none")
      })
    )()
  )

  it(
    "frees the lock and the files before the scope ends",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const writer = yield* SparseFile.create("/x")
        yield* writer.close
        yield* io.lock("/x")
      })
    )
  )
})

describe("as a layer", () => {
  const program = Effect.gen(function* () {
    const writer = yield* SparseFileWriter
    yield* writer.appendFrom(yield* source, { offset: 10, length: 10, updateMap: true })
  })

  it(
    "is promoted when the program succeeds",
    inMemory(
      Effect.gen(function* () {
        yield* program.pipe(Effect.provide(SparseFileWriter.layer("/x")))
        const read = Effect.gen(function* () {
          return [...(yield* SparseFileReader).extents()]
        })
        expect(yield* read.pipe(Effect.provide(SparseFileReader.layer("/x")))).toEqual([
          { offset: 10, length: 10 }
        ])
      })
    )
  )

  it(
    "is not promoted when the program fails",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const failing = Effect.andThen(program, Effect.fail("no"))
        const layer = Layer.fresh(SparseFileWriter.layer("/x"))
        expect(Exit.isFailure(yield* Effect.exit(Effect.scoped(failing.pipe(Effect.provide(layer)))))).toBe(
          true
        )
        expect(yield* io.list("/")).toEqual(["source"])
      })
    )
  )

  it(
    "may be closed by the program",
    inMemory(
      Effect.gen(function* () {
        const closing = Effect.gen(function* () {
          yield* (yield* SparseFileWriter).close
        })
        yield* closing.pipe(Effect.provide(SparseFileWriter.layer("/x")))
        expect(yield* SparseFile.verify("/x")).toEqual({ extents: 0, bytes: 0, blocks: 0 })
      })
    )
  )
})
