import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import { describe, expect, it } from "vitest"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Io } from "../../src/io/Io.ts"
import { contentOf, fileOf, inMemory, pattern, smallExtents, smallSparseFile } from "./sparseFileFiles.ts"
import { watchedIo } from "./watchedIo.ts"

describe("reading", () => {
  const open = Effect.andThen(smallSparseFile("/x"), SparseFile.open("/x"))

  it(
    "gives the bytes at their old offsets",
    inMemory(
      Effect.gen(function* () {
        const reader = yield* open
        for (const { length, offset } of smallExtents) {
          const buffer = new Uint8Array(length)
          yield* reader.read(offset, buffer)
          expect(buffer).toEqual(pattern(2000).slice(offset, offset + length))
        }
      })
    )
  )

  it(
    "tells where an offset lies that was not kept",
    inMemory(
      Effect.gen(function* () {
        const reader = yield* open
        const reason = (offset: number) => Effect.flip(reader.read(offset, new Uint8Array(1)))
        expect(yield* reason(99)).toMatchObject({ _tag: "InvalidSparseRead", path: "/x", reason: "before" })
        expect(yield* reason(150)).toMatchObject({ reason: "hole" })
        expect(yield* reason(500)).toMatchObject({ reason: "hole" })
        expect(yield* reason(1200)).toMatchObject({ reason: "after" })
        expect(yield* reason(2 ** 53 - 1)).toMatchObject({ reason: "after" })
      })
    )
  )

  it(
    "says after for every offset of an empty file",
    inMemory(
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.flatMap(SparseFile.create("/e"), (writer) => writer.close))
        const reader = yield* SparseFile.open("/e")
        expect(yield* Effect.flip(reader.read(0, new Uint8Array(1)))).toMatchObject({ reason: "after" })
        expect(reader.nextValidOffset(0)).toBeUndefined()
        expect([...reader.extents()]).toEqual([])
        yield* reader.read(0, new Uint8Array(0))
      })
    )
  )

  it(
    "reads nothing of a run that is too short, and tells its end",
    inMemory(
      Effect.gen(function* () {
        const reader = yield* open
        const buffer = new Uint8Array(8)
        const error = { _tag: "ReadOutOfBounds", path: "/x", offset: 300, length: 8, end: 307 }
        expect(yield* Effect.flip(reader.read(300, buffer))).toMatchObject(error)
        expect(() => reader.unsafe.read(300, buffer)).toThrow(expect.objectContaining(error))
        expect(buffer).toEqual(new Uint8Array(8))
        expect(yield* Effect.flip(reader.readRange(300, { minLength: 8, maxLength: 9 }))).toMatchObject(error)
        expect(yield* reader.readRange(300, { minLength: 7, maxLength: 2 ** 53 - 1 })).toHaveLength(7)
      })
    )
  )

  it(
    "reads through extents that touch in virtual space, wherever they lie",
    inMemory(
      Effect.gen(function* () {
        const source = yield* fileOf("/source", pattern(100))
        const writer = yield* SparseFile.create("/y")
        yield* writer.appendFrom(source, { offset: 20, length: 10, updateMap: true })
        yield* writer.appendBytes(pattern(9))
        yield* writer.appendFrom(source, { offset: 10, length: 10, updateMap: true })
        yield* writer.close
        const reader = yield* SparseFile.open("/y")
        const buffer = new Uint8Array(20)
        reader.unsafe.read(10, buffer)
        expect(buffer).toEqual(pattern(100).slice(10, 30))
      })
    )
  )

  it(
    "refuses what is no offset or no range",
    inMemory(
      Effect.gen(function* () {
        const reader = yield* open
        const invalid = expect.objectContaining({ _tag: "InvalidArgument" })
        for (const offset of [-1, 0.5, NaN, 2 ** 53]) {
          expect(yield* Effect.flip(reader.read(offset, new Uint8Array(1)))).toEqual(invalid)
          expect(yield* Effect.flip(reader.read(offset, new Uint8Array(2 << 20)))).toEqual(invalid)
          expect(yield* Effect.flip(reader.readPhysical(offset, new Uint8Array(1)))).toEqual(invalid)
          expect(() => reader.unsafe.read(offset, new Uint8Array(1))).toThrow(invalid)
          expect(() => reader.mapFind(offset)).toThrow(invalid)
          expect(() => reader.nextValidOffset(offset)).toThrow(invalid)
        }
        expect(yield* Effect.flip(reader.readRange(100, { minLength: 2, maxLength: 1 }))).toEqual(invalid)
        expect(yield* Effect.flip(reader.readRange(100, { minLength: -1, maxLength: 1 }))).toEqual(invalid)
        expect(yield* Effect.flip(reader.readMany([100], []))).toEqual(invalid)
      })
    )
  )

  it(
    "is over after close and at the end of the scope",
    inMemory(
      Effect.gen(function* () {
        yield* smallSparseFile("/x")
        const scope = yield* Scope.make()
        const closed = yield* SparseFile.open("/x")
        const ended = yield* SparseFile.open("/x").pipe(Scope.provide(scope))
        yield* closed.close
        yield* Scope.close(scope, Exit.void)
        expect(yield* Effect.flip(closed.close)).toMatchObject({ _tag: "DoubleClose", path: "/x" })
        for (const reader of [closed, ended]) {
          const error = expect.objectContaining({ _tag: "Closed", path: "/x" })
          expect(yield* Effect.flip(reader.read(100, new Uint8Array(1)))).toEqual(error)
          expect(yield* Effect.flip(reader.read(100, new Uint8Array(2 << 20)))).toEqual(error)
          expect(yield* Effect.flip(reader.readMany([100], [1]))).toEqual(error)
          expect(yield* Effect.flip(reader.readRange(100, { minLength: 0, maxLength: 1 }))).toEqual(error)
          expect(yield* Effect.flip(reader.readPhysical(0, new Uint8Array(1)))).toEqual(error)
          expect(() => reader.unsafe.read(100, new Uint8Array(1))).toThrow(error)
          expect(() => reader.mapFind(100)).toThrow(error)
          expect(() => reader.nextValidOffset(100)).toThrow(error)
          expect(() => [...reader.extents()]).toThrow(error)
        }
      })
    )
  )
})

describe("opening", () => {
  it.each([
    [["/x.tmp"], "Incomplete"],
    [["/x.tmp", "/x.map.tmp"], "Incomplete"],
    [["/x.map.tmp"], "Incomplete"],
    [["/x.map"], "Incomplete"],
    [["/x"], "Incomplete"],
    [["/x", "/x.tmp"], "Incomplete"],
    [[], "NoSuchFile"]
  ])("where only %j exist is %s", (names, tag) =>
    inMemory(
      Effect.gen(function* () {
        for (const name of names) yield* fileOf(name, pattern(300))
        expect(yield* Effect.flip(SparseFile.open("/x"))).toMatchObject({ _tag: tag, path: "/x" })
        expect(yield* Effect.flip(SparseFile.verify("/x"))).toMatchObject({ _tag: tag, path: "/x" })
      })
    )()
  )

  it(
    "is Incomplete while a writer is at work",
    inMemory(
      Effect.gen(function* () {
        yield* SparseFile.create("/x")
        expect(yield* Effect.flip(SparseFile.open("/x"))).toMatchObject({ _tag: "Incomplete", missing: "/x" })
      })
    )
  )

  it.each(["/x", "/x.map", "/x.map.tmp"])("refuses a directory that is called %s", (path) =>
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* smallSparseFile("/x")
        if (path === "/x.map.tmp") yield* io.remove("/x.map")
        else yield* io.remove(path)
        yield* io.makeDirectory(path)
        expect(yield* Effect.flip(SparseFile.open("/x"))).toMatchObject({ _tag: "NotAFile", path })
      })
    )()
  )

  it(
    "finishes a promotion that stopped after the data had its name",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* smallSparseFile("/x")
        yield* io.rename("/x.map", "/x.map.tmp")
        yield* SparseFile.open("/x")
        expect(yield* io.list("/")).toEqual(["x", "x.map", "x.source"])
      })
    )
  )

  it.each([
    ["classify", "/x.map.tmp"],
    ["open", "/x.map.tmp"],
    ["rename", "/x.map.tmp"]
  ])("goes on when somebody else finishes the promotion just before its %s of %s", (at, name) =>
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* smallSparseFile("/x")
        yield* io.rename("/x.map", "/x.map.tmp")
        let done = false
        const raced = watchedIo(io, {
          before: (operation, path) => {
            if (done || operation !== at || path !== name) return
            done = true
            Effect.runSync(io.rename("/x.map.tmp", "/x.map"))
          }
        })
        const reader = yield* SparseFile.open("/x").pipe(Effect.provideService(Io, raced))
        yield* reader.read(100, new Uint8Array(50))
        expect(done).toBe(true)
      })
    )()
  )

  it(
    "gives no map its final name that is damaged, or made for other data",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* smallSparseFile("/x")
        yield* io.rename("/x.map", "/x.map.tmp")
        const whole = yield* contentOf("/x.map.tmp")
        for (const at of [0, 130, whole.length - 1]) {
          const bytes = whole.slice()
          bytes[at] ^= 1
          yield* fileOf("/x.map.tmp", bytes)
          expect(yield* Effect.flip(SparseFile.open("/x"))).toMatchObject({
            _tag: "Corrupt",
            path: "/x.map.tmp"
          })
        }
        yield* fileOf("/x.map.tmp", whole)
        yield* fileOf("/x", pattern(258))
        expect(yield* Effect.flip(SparseFile.open("/x"))).toMatchObject({
          _tag: "Corrupt",
          path: "/x",
          offset: 257
        })
        expect(yield* io.classify("/x.map")).toBe("none")
      })
    )
  )

  it.each([0, 1, 256, 258, 100_000])("refuses data of another length: %i bytes", (length) =>
    inMemory(
      Effect.gen(function* () {
        yield* smallSparseFile("/x")
        yield* fileOf("/x", pattern(length))
        const error = { _tag: "Corrupt", path: "/x", offset: Math.min(length, 257) }
        expect(yield* Effect.flip(SparseFile.open("/x"))).toMatchObject(error)
      })
    )()
  )

  it(
    "refuses a map that is truncated anywhere, or goes on",
    inMemory(
      Effect.gen(function* () {
        yield* smallSparseFile("/x")
        const whole = yield* contentOf("/x.map")
        for (let length = 0; length < whole.length; length++) {
          yield* Effect.scoped(fileOf("/x.map", whole.slice(0, length)))
          expect(yield* Effect.flip(Effect.scoped(SparseFile.open("/x")))).toMatchObject({
            _tag: "Corrupt",
            path: "/x.map"
          })
        }
        const longer = new Uint8Array(whole.length + 1)
        longer.set(whole)
        yield* fileOf("/x.map", longer)
        expect(yield* Effect.flip(SparseFile.open("/x"))).toMatchObject({
          _tag: "Corrupt",
          offset: whole.length
        })
      })
    )
  )

  it(
    "refuses a map with any bit of it flipped, at the latest when that part is used",
    inMemory(
      Effect.gen(function* () {
        yield* smallSparseFile("/x")
        const whole = yield* contentOf("/x.map")
        for (let bit = 0; bit < whole.length * 8; bit++) {
          const bytes = whole.slice()
          bytes[bit >> 3] ^= 1 << (bit & 7)
          yield* Effect.scoped(fileOf("/x.map", bytes))
          const use = Effect.scoped(
            Effect.flatMap(SparseFile.open("/x"), (reader) => reader.read(100, new Uint8Array(50)))
          )
          expect(yield* Effect.flip(use), `bit ${bit}`).toMatchObject({ _tag: "Corrupt", path: "/x.map" })
          const error = yield* Effect.flip(SparseFile.verify("/x"))
          expect(error, `bit ${bit}`).toMatchObject({ _tag: "Corrupt", path: "/x.map" })
        }
      })
    )
  )

  it(
    "reads without a mapping where none is to be had, with the same results",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        yield* smallSparseFile("/x")
        let reads = 0
        const unmapped = watchedIo(io, {
          before: (operation, path) => {
            if (path === "/x" && operation === "readAt") reads++
          }
        })
        const reader = yield* SparseFile.open("/x").pipe(Effect.provideService(Io, unmapped))
        const buffer = new Uint8Array(10)
        yield* reader.read(1000, buffer)
        expect(buffer).toEqual(pattern(2000).slice(1000, 1010))
        const file = yield* io.open("/x", { readonly: true })
        const mappable = yield* Effect.exit(file.map(0, 1))
        expect(reads).toBe(Exit.isSuccess(mappable) ? 0 : 1)
      })
    )
  )
})

describe("reading much", () => {
  const large = Effect.gen(function* () {
    const source = yield* fileOf("/source", pattern(6 << 20))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/x")
        yield* writer.appendExtents(source, [{ offset: 0, length: 6 << 20 }])
        yield* writer.close
      })
    )
    return pattern(6 << 20)
  })

  it(
    "in many small ranges takes turns with others, and what is not there costs no memory",
    inMemory(
      Effect.gen(function* () {
        const bytes = yield* large
        const reader = yield* SparseFile.open("/x")
        const offsets = Array.from({ length: 10_000 }, (_, i) => i * 600)
        let turns = 0
        const counting = yield* Effect.forkChild(
          Effect.forever(
            Effect.andThen(
              Effect.sync(() => turns++),
              Effect.yieldNow
            )
          ),
          { startImmediately: true }
        )
        const found = yield* reader.readMany(
          offsets,
          offsets.map(() => 7)
        )
        yield* Fiber.interrupt(counting)
        expect(turns).toBeGreaterThanOrEqual(2)
        for (const [i, offset] of offsets.entries()) {
          if (Buffer.compare(found[i], bytes.subarray(offset, offset + 7)) !== 0) expect.fail(`at ${offset}`)
        }
        const missing = reader.readMany([0, 1, 6 << 20], [10, 6 << 20, 2 ** 40])
        expect(yield* Effect.flip(missing)).toMatchObject({
          _tag: "ReadOutOfBounds",
          offset: 1,
          end: 6 << 20
        })
      })
    )
  )

  it(
    "at physical offsets gives many bytes as it gives few",
    inMemory(
      Effect.gen(function* () {
        const bytes = yield* large
        const reader = yield* SparseFile.open("/x")
        for (const [at, length] of [
          [5, 10],
          [7, 5 << 20],
          [0, 6 << 20]
        ]) {
          const buffer = new Uint8Array(length)
          yield* reader.readPhysical(at, buffer)
          expect(Buffer.compare(buffer, bytes.subarray(at, at + length))).toBe(0)
        }
        const beyond = reader.readPhysical(8, new Uint8Array(6 << 20))
        expect(yield* Effect.flip(beyond)).toMatchObject({ _tag: "ReadOutOfBounds", offset: 8, end: 6 << 20 })
      })
    )
  )

  it(
    "of data that were cut off after it was opened is Corrupt where they end",
    inMemory(
      Effect.gen(function* () {
        yield* large
        const reader = yield* SparseFile.open("/x")
        const file = yield* (yield* Io).open("/x", { readonly: false })
        yield* file.truncate(5 << 20)
        for (const read of [
          reader.read(7, new Uint8Array((6 << 20) - 7)),
          reader.readPhysical(7, new Uint8Array((6 << 20) - 7))
        ]) {
          expect(yield* Effect.flip(read)).toMatchObject({ _tag: "Corrupt", path: "/x", offset: 5 << 20 })
        }
      })
    )
  )
})

describe("verifying", () => {
  const damaged = (at: number) =>
    Effect.gen(function* () {
      const io = yield* Io
      const source = yield* fileOf("/source", pattern(200_000))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* SparseFile.create("/x")
          yield* writer.appendExtents(source, [{ offset: 0, length: 200_000 }])
          yield* writer.close
        })
      )
      const file = yield* io.open("/x", { readonly: false })
      yield* file.writeAt(at, Uint8Array.of(pattern(200_000)[at] ^ 1))
    })

  it.each([0, 65_535, 65_536, 199_999])("finds a flipped bit of data at %i, in its block", (at) =>
    inMemory(
      Effect.gen(function* () {
        yield* damaged(at)
        const error = { _tag: "Corrupt", path: "/x", offset: Math.floor(at / 65_536) * 65_536 }
        expect(yield* Effect.flip(SparseFile.verify("/x"))).toMatchObject(error)
        const reader = yield* SparseFile.open("/x", { verifyReads: true })
        expect(yield* Effect.flip(reader.read(at, new Uint8Array(1)))).toMatchObject(error)
        expect(yield* Effect.flip(reader.readPhysical(at, new Uint8Array(1)))).toMatchObject(error)
        const trusting = yield* SparseFile.open("/x")
        yield* trusting.read(at, new Uint8Array(1))
      })
    )()
  )

  it(
    "verifies, with verifyReads, only the blocks that a read touches",
    inMemory(
      Effect.gen(function* () {
        yield* damaged(100_000)
        const reader = yield* SparseFile.open("/x", { verifyReads: true })
        yield* reader.read(0, new Uint8Array(65_536))
        yield* reader.read(131_072, new Uint8Array(68_928))
        const error = { _tag: "Corrupt", path: "/x", offset: 65_536 }
        expect(yield* Effect.flip(reader.read(65_535, new Uint8Array(2)))).toMatchObject(error)
      })
    )
  )

  it(
    "tells how far it is, and what it found",
    inMemory(
      Effect.gen(function* () {
        const total = 5 << 20
        const source = yield* fileOf("/source", pattern(total))
        const writer = yield* SparseFile.create("/x", { maxGap: 0 })
        yield* writer.appendExtents(source, [
          { offset: 0, length: 1 << 20 },
          { offset: (1 << 20) + 1, length: (4 << 20) - 1 }
        ])
        yield* writer.close
        const told: Array<number> = []
        const onProgress = (progress: { bytes: number; total: number }) => {
          expect(progress.total).toBe(total - 1)
          told.push(progress.bytes)
        }
        const verified = yield* SparseFile.verify("/x", { onProgress })
        expect(verified).toEqual({ extents: 2, bytes: total - 1, blocks: 80 })
        expect(told.at(-1)).toBe(total - 1)
        expect(told).toEqual([...told].sort((a, b) => a - b))
      })
    )
  )
})
