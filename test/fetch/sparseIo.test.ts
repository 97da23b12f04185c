/**
 * What a SparseIo reads: the bytes of its source, in whatever way they are asked for.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { SparseIo } from "../../src/fetch/SparseIo.ts"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { collect, instanceOf, type TestOptions, TestSource, TestStore } from "./sparseIoDoubles.ts"

const length = 100

/** An object of 100 bytes in chunks of 16, the last of which has 4. */
const made = (options: TestOptions = {}) =>
  Effect.gen(function* () {
    const source = new TestSource({ length })
    const store = new TestStore()
    const { service } = yield* instanceOf(source, store, options)
    return { source, store, io: service }
  })

const ranges: ReadonlyArray<readonly [offset: number, length: number]> = [
  [0, 1],
  [0, 16],
  [15, 1],
  [15, 2],
  [16, 16],
  [17, 30],
  [0, 100],
  [90, 10],
  [96, 4],
  [99, 1]
]

const ways = [
  ["a source of ranges", false, true, true],
  ["a source of streams", true, true, true],
  ["a store that tells nothing", false, false, true],
  ["a store that only waits", true, true, false],
  ["a store of three operations", true, false, false]
] as const

describe.each(ways)("a SparseIo over %s", (_, streams, tells, answers) => {
  it.each([1, 7, 16, 64, 100, 1000])("in chunks of %d reads what is there", (chunkSize) =>
    run(
      Effect.gen(function* () {
        for (const most of [1, 5, 16, 1000]) {
          const source = new TestSource({ length, streams, most })
          const store = new TestStore({ tells, answers })
          const { isIdle, service: io } = yield* instanceOf(source, store, { chunkSize })
          for (const [offset, bytes] of ranges) {
            const buffer = new Uint8Array(bytes)
            expect(yield* io.read(offset, buffer)).toBe(bytes)
            expect(buffer).toEqual(bytesAt(offset, bytes))
          }
          // Who waited goes on before the request has quite ended.
          yield* Effect.yieldNow
          expect(isIdle()).toBe(true)
        }
      }).pipe(Effect.scoped)
    )()
  )

  it(
    "reads the same by chunk, by viewer and as a stream",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams })
        const { service: io } = yield* instanceOf(source, new TestStore({ tells, answers }))
        const all = bytesAt(0, length)
        for (let round = 0; round < 2; round++) {
          for (let offset = 0; offset < length; offset += 5) {
            const start = offset - (offset % 16)
            expect(yield* io.readChunk(offset)).toEqual(all.slice(start, start + 16))
          }
          const viewer = io.viewer()
          const seen: Array<number> = []
          for (const buffer = new Uint8Array(7); ;) {
            const count = yield* viewer.read(buffer)
            if (count === 0) break
            seen.push(...buffer.subarray(0, count))
          }
          expect(Uint8Array.from(seen)).toEqual(all)
          expect(viewer.position()).toBe(length)
          expect(yield* collect(io.stream())).toEqual(all)
          expect(yield* collect(io.stream(37))).toEqual(all.slice(37))
          expect(yield* collect(io.stream(37, 30))).toEqual(all.slice(37, 67))
        }
        expect(source.calls.reduce((sum, [, bytes]) => sum + bytes, 0)).toBe(length)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "fetches every chunk once, and reads it again from the store alone",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams })
        const { service: io } = yield* instanceOf(source, new TestStore({ tells, answers }))
        const buffer = new Uint8Array(10)
        yield* io.read(20, buffer)
        expect(source.takeCalls()).toEqual([[16, 16]])
        yield* io.read(18, buffer)
        yield* io.readChunk(31)
        expect(source.calls).toEqual([])
        yield* io.read(28, buffer)
        expect(source.takeCalls()).toEqual([[32, 16]])
        expect(io.stats()).toMatchObject({ hits: 3, fetches: 2, fetchedBytes: 32, storeFailures: 0 })
        expect(yield* io.coverage()).toEqual([{ offset: 16, length: 32 }])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "goes on from a store that was filled before",
    run(
      Effect.gen(function* () {
        const store = new TestStore({ tells, answers })
        const first = new TestSource({ length, streams })
        yield* Effect.scoped(
          Effect.flatMap(instanceOf(first, store), ({ service }) =>
            service.prefetch({ offset: 30, length: 40 })
          )
        )
        const second = new TestSource({ length, streams })
        const { service: io } = yield* instanceOf(second, store)
        const buffer = new Uint8Array(60)
        yield* io.read(20, buffer)
        expect(buffer).toEqual(bytesAt(20, 60))
        expect(second.calls).toEqual([])
        yield* io.read(0, buffer)
        expect(second.calls).toEqual([[0, 16]])
      }).pipe(Effect.scoped)
    )
  )
})

describe("a read of a SparseIo", () => {
  it(
    "ends where the object ends, and leaves the rest of the buffer alone",
    run(
      Effect.gen(function* () {
        const { io, source } = yield* made()
        for (const [offset, count] of [
          [90, 10],
          [99, 1],
          [100, 0],
          [5000, 0],
          [2 ** 53 - 1, 0]
        ] as const) {
          const buffer = new Uint8Array(32).fill(0xee)
          expect(yield* io.read(offset, buffer)).toBe(count)
          expect(buffer.subarray(0, count)).toEqual(bytesAt(offset, count))
          expect(buffer.subarray(count).every((byte) => byte === 0xee)).toBe(true)
        }
        expect(yield* io.read(3, new Uint8Array(0))).toBe(0)
        expect(source.takeCalls()).toEqual([[80, 20]])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "of a chunk at or beyond the end is out of bounds",
    run(
      Effect.gen(function* () {
        const { io, source } = yield* made()
        for (const offset of [100, 112, 2 ** 53 - 1]) {
          const failure = yield* Effect.flip(io.readChunk(offset))
          expect(failure).toMatchObject({ _tag: "ReadOutOfBounds", offset, end: 100 })
        }
        expect(source.calls).toEqual([])
      }).pipe(Effect.scoped)
    )
  )

  it.each([-1, 0.5, Number.NaN, 2 ** 53, Infinity])("at %d is refused", (offset) =>
    run(
      Effect.gen(function* () {
        const { io } = yield* made()
        const refused = { _tag: "InvalidArgument" }
        expect(yield* Effect.flip(io.read(offset, new Uint8Array(1)))).toMatchObject(refused)
        expect(yield* Effect.flip(io.readChunk(offset))).toMatchObject(refused)
        expect(yield* Effect.flip(io.prefetch({ offset, length: 1 }))).toMatchObject(refused)
        expect(yield* Effect.flip(io.prefetch({ offset: 0, length: offset }))).toMatchObject(refused)
        expect(yield* Effect.flip(Stream.runDrain(io.stream(offset)))).toMatchObject(refused)
        expect(yield* Effect.flip(io.viewer().seek(offset))).toMatchObject(refused)
      }).pipe(Effect.scoped)
    )()
  )

  it(
    "of an empty object gives nothing",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 0, streams: true })
        const { service: io } = yield* instanceOf(source, new TestStore())
        expect(yield* io.length).toBe(0)
        expect(yield* io.read(0, new Uint8Array(9))).toBe(0)
        expect(yield* collect(io.stream())).toEqual(new Uint8Array(0))
        yield* io.prefetch({ offset: 0, length: 1000 })
        expect(yield* Effect.flip(io.readChunk(0))).toMatchObject({ _tag: "ReadOutOfBounds" })
        expect(yield* io.coverage()).toEqual([])
        expect(source.calls).toEqual([])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "needs no memory for the length that a peer claims",
    run(
      Effect.gen(function* () {
        const claimed = 2 ** 53 - 1
        const before = process.memoryUsage()
        for (const chunkSize of [1, 131_072]) {
          const source = new TestSource({ length: claimed })
          const budgetBytes = 2 ** 52
          const { service: io } = yield* instanceOf(source, new TestStore(), { chunkSize, budgetBytes })
          const buffer = new Uint8Array(5)
          expect(yield* io.read(claimed - 3, buffer)).toBe(3)
          expect(buffer.subarray(0, 3)).toEqual(bytesAt(claimed - 3, 3))
          expect((yield* io.readChunk(2 ** 52 + 1))[0]).toBe(
            bytesAt(Math.floor((2 ** 52 + 1) / chunkSize) * chunkSize, 1)[0]
          )
          const [first, last] = yield* io.coverage()
          expect(last!.offset + last!.length).toBe(claimed)
          expect(first!.length).toBe(chunkSize)
        }
        const after = process.memoryUsage()
        expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(
          2 ** 24
        )
      }).pipe(Effect.scoped)
    )
  )
})

describe("a viewer", () => {
  it(
    "has a position of its own, which a seek beyond the end does not move",
    run(
      Effect.gen(function* () {
        const { io } = yield* made()
        const [one, other] = [io.viewer(), io.viewer()]
        const buffer = new Uint8Array(10)
        yield* one.read(buffer)
        expect([one.position(), other.position()]).toEqual([10, 0])
        expect(yield* one.seek(100)).toBe(100)
        expect(yield* one.read(buffer)).toBe(0)
        expect(yield* Effect.flip(one.seek(101))).toMatchObject({ _tag: "InvalidArgument" })
        expect(one.position()).toBe(100)
        yield* one.seek(95)
        expect(yield* one.read(buffer)).toBe(5)
        expect(one.position()).toBe(100)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "reads in turn, and stays where it was moved during a read",
    run(
      Effect.gen(function* () {
        const { io, source } = yield* made()
        source.wait = Effect.sleep(2)
        const viewer = io.viewer()
        const buffers = [new Uint8Array(10), new Uint8Array(30), new Uint8Array(20)]
        const reads = yield* Effect.forEach(buffers, (buffer) => start(viewer.read(buffer)))
        yield* Fiber.joinAll(reads)
        expect(buffers).toEqual([bytesAt(0, 10), bytesAt(10, 30), bytesAt(40, 20)])
        expect(viewer.position()).toBe(60)
        const buffer = new Uint8Array(30)
        const last = yield* start(viewer.read(buffer))
        expect(yield* viewer.seek(3)).toBe(3)
        yield* Fiber.join(last)
        expect(buffer).toEqual(bytesAt(60, 30))
        expect(viewer.position()).toBe(3)
        const left = yield* start(viewer.read(new Uint8Array(97)))
        yield* Fiber.interrupt(left)
        expect(yield* viewer.read(buffer)).toBe(30)
        expect(viewer.position()).toBe(33)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "stays where it was when a read fails",
    run(
      Effect.gen(function* () {
        const { io, source } = yield* made()
        const viewer = io.viewer()
        yield* viewer.seek(40)
        source.faults.push("fails")
        expect(yield* Effect.flip(viewer.read(new Uint8Array(10)))).toMatchObject({ _tag: "SourceFailed" })
        expect(viewer.position()).toBe(40)
        expect(yield* viewer.read(new Uint8Array(10))).toBe(10)
        expect(viewer.position()).toBe(50)
      }).pipe(Effect.scoped)
    )
  )
})

describe("a SparseIo is made", () => {
  it.each([
    { chunkSize: 0 },
    { chunkSize: -16 },
    { chunkSize: 0.5 },
    { chunkSize: 2 ** 30 + 1 },
    { chunkSize: Number.NaN },
    { concurrency: 0 },
    { concurrency: Infinity },
    { requestBytes: 15 },
    { readAheadBytes: -1 },
    { budgetBytes: 15 },
    { budgetBytes: Number.NaN }
  ])("of sizes that make sense, and not of %o", (options) =>
    run(
      Effect.gen(function* () {
        expect(yield* Effect.flip(made(options))).toMatchObject({ _tag: "InvalidArgument" })
      }).pipe(Effect.scoped)
    )()
  )

  it.each([-1, 0.5, Number.NaN, 2 ** 53, Infinity])(
    "over a source that tells its length, and not one that says %d",
    (length) =>
      run(
        Effect.gen(function* () {
          const source = new TestSource({ length })
          const failure = yield* Effect.flip(instanceOf(source, new TestStore()))
          expect(failure).toMatchObject({ _tag: "SourceFailed", source: "the object", offset: 0 })
        }).pipe(Effect.scoped)
      )()
  )

  it(
    "as a layer, and is a source itself",
    run(
      Effect.gen(function* () {
        const far = new TestSource({ length, identity: "one" })
        const middle = new TestStore()
        const near = new TestStore()
        const { service: distant } = yield* instanceOf(far, middle)
        const { service: io } = yield* instanceOf(distant as never, near)
        expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
        expect([far.currentIdentity, middle.pin_?.identity, near.pin_?.identity]).toEqual([
          "one",
          "one",
          "one"
        ])
        const { createExtent, deleteExtent, readExtent } = new TestStore() as never as Record<string, never>
        const layer = SparseIo.layer({
          source: new TestSource({ length }),
          store: { createExtent: createExtent!, deleteExtent: deleteExtent!, readExtent: readExtent! }
        })
        const chunkSize = yield* Effect.map(SparseIo, (service) => service.chunkSize).pipe(
          Effect.provide(Layer.fresh(layer))
        )
        expect(chunkSize).toBe(131_072)
      }).pipe(Effect.scoped)
    )
  )
})
