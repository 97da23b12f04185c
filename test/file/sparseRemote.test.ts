/** Sparse files read from afar: what is fetched of them, and what a source can do wrong. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { assert, describe, it, vi } from "vitest"
import { SourceFailed } from "../../src/bytes/errors.ts"
import { PageAway } from "../../src/file/offmapPaged.ts"
import { OffmapRemote } from "../../src/file/offmapRemote.ts"
import { bindingsIn } from "../../src/file/offmapWalks.ts"
import { RemoteData } from "../../src/file/remoteData.ts"
import { readRemoteGrowing } from "../../src/file/remoteFile.ts"
import { SparseRemote } from "../../src/file/sparseRemote.ts"
import { type RemoteFile, SparseFile } from "../../src/file/SparseFile.ts"
import { offmapHeaderBytes } from "../../src/format/offmapImage.ts"
import { Io } from "../../src/io/Io.ts"
import { imageOf, layoutOf, mapOf, sealHeader } from "./offmapImages.ts"
import { contentOf, inMemory, pattern, smallSparseFile } from "./sparseFileFiles.ts"

interface Request {
  readonly offset: number
  readonly length: number
}

/** Bytes that are read from afar: each read is noted, and answered later. */
const afar = (bytes: Uint8Array, name: string) => {
  const requests: Array<Request> = []
  let interrupted = 0
  const file: RemoteFile<SourceFailed> = {
    name,
    length: Effect.succeed(bytes.length),
    readAt: (offset, buffer) =>
      Effect.suspend(() => {
        requests.push({ offset, length: buffer.length })
        const part = bytes.subarray(offset, offset + buffer.length)
        return Effect.sleep("1 millis").pipe(
          Effect.map(() => (buffer.set(part), part.length)),
          Effect.onInterrupt(() => Effect.sync(() => void interrupted++))
        )
      })
  }
  return { bytes, file, interrupted: () => interrupted, requests }
}

/** The two files of a small sparse file, from afar. */
const smallPair = Effect.gen(function* () {
  yield* smallSparseFile("/sparse")
  const data = afar(yield* contentOf("/sparse"), "http://host/sparse")
  const map = afar(yield* contentOf("/sparse.map"), "http://host/sparse.map")
  return { data, map }
})

const failureOf = <A, E>(effect: Effect.Effect<A, E>) => Effect.flip(effect)

const reading = (
  reader: { read: (offset: number, buffer: Uint8Array) => Effect.Effect<void, unknown> },
  at: Request
) =>
  Effect.suspend(() => {
    const buffer = new Uint8Array(at.length)
    return Effect.as(reader.read(at.offset, buffer), buffer)
  })

/** A map of more pages than any cache of them holds: dense extents, and points over some pages. */
const manyBindings = function* (count: number) {
  for (let i = 0; i < count; i++) yield { virtual: 1000 + i * 50, physical: i * 9, length: 9 }
}

describe("a sparse file from afar", () => {
  it(
    "is opened by the header and the index of its map, and the header of its sums",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        const reader = yield* SparseFile.openRemote(data.file, map.file)
        assert.strictEqual(reader.path, "http://host/sparse")
        assert.strictEqual(reader.dataLength, data.bytes.length)
        assert.strictEqual(reader.mapBytes, map.bytes.length)
        assert.strictEqual(reader.size, 4)
        assert.deepStrictEqual(data.requests, [])
        const { imageBytes, pageSums } = layoutOf(map.bytes)
        assert.deepStrictEqual(map.requests, [
          { offset: 0, length: offmapHeaderBytes },
          { offset: pageSums, length: imageBytes - pageSums },
          { offset: imageBytes, length: 40 }
        ])
      })
    )
  )

  it(
    "fetches a page of the map for a lookup, once, and of the data what is asked for",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        const reader = yield* SparseFile.openRemote(data.file, map.file)
        map.requests.length = 0
        const bytes = yield* reading(reader, { offset: 1010, length: 20 })
        assert.deepStrictEqual(bytes, pattern(2000).subarray(1010, 1030))
        yield* reading(reader, { offset: 110, length: 5 })
        assert.strictEqual(map.requests.length, 1)
        assert.deepStrictEqual(
          data.requests.map(({ length }) => length),
          [20, 5]
        )
      })
    )
  )

  it(
    "says what is not there in the words of a local one",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        const reader = yield* SparseFile.openRemote(data.file, map.file)
        const refusal = (offset: number, length: number) => failureOf(reading(reader, { offset, length }))
        for (const [offset, reason] of [
          [0, "before"],
          [160, "hole"],
          [500, "hole"],
          [1200, "after"]
        ] as const) {
          const error = yield* refusal(offset, 1)
          assert.include(error, { _tag: "InvalidSparseRead", path: "http://host/sparse", offset, reason })
        }
        assert.include(yield* refusal(140, 11), { _tag: "ReadOutOfBounds", end: 150 })
        assert.include(yield* refusal(-1, 1), { _tag: "InvalidArgument" })
        assert.include(yield* failureOf(reader.mapFind(0.5)), { _tag: "InvalidArgument" })
        assert.include(yield* failureOf(reader.readPhysical(250, new Uint8Array(8))), {
          _tag: "ReadOutOfBounds",
          end: data.bytes.length
        })
        assert.include(yield* failureOf(reader.readMany([100], [1, 2])), { _tag: "InvalidArgument" })
        assert.include(yield* failureOf(reader.readRange(100, { minLength: 2, maxLength: 1 })), {
          _tag: "InvalidArgument"
        })
        assert.deepStrictEqual(yield* reader.locate(301), { virtual: 300, physical: 50, length: 7 })
        assert.isUndefined(yield* reader.locate(50))
      })
    )
  )

  it(
    "is Corrupt where the map or, when reads are verified, the data is damaged, and gives no byte of it",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        for (const [at, where] of [
          [5, "at opening"],
          [layoutOf(map.bytes).pageSums, "at opening"],
          [layoutOf(map.bytes).imageBytes + 16, "at opening"],
          [offmapHeaderBytes + 9, "at the first lookup"]
        ] as const) {
          const damaged = map.bytes.slice()
          damaged[at] ^= 4
          const opened = yield* Effect.exit(
            Effect.flatMap(SparseFile.openRemote(data.file, afar(damaged, "map").file), (reader) =>
              where === "at opening" ? Effect.void : reading(reader, { offset: 100, length: 1 })
            )
          )
          assert.include(String(opened), "Corrupt", `byte ${at}, ${where}`)
        }
        const damaged = data.bytes.slice()
        damaged[60] ^= 1
        const bad = afar(damaged, "data").file
        const verifying = yield* SparseFile.openRemote(bad, map.file, { verifyReads: true })
        assert.include(yield* failureOf(reading(verifying, { offset: 100, length: 1 })), { _tag: "Corrupt" })
        const whole = yield* SparseFile.openRemote(data.file, map.file, { verifyReads: true })
        assert.deepStrictEqual(
          yield* reading(whole, { offset: 100, length: 50 }),
          pattern(2000).subarray(100, 150)
        )
      })
    )
  )

  it(
    "is Corrupt when the data has another length than the map says",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        const shorter = afar(data.bytes.subarray(1), "data").file
        const error = yield* failureOf(SparseFile.openRemote(shorter, map.file))
        assert.include(error, { _tag: "Corrupt", path: "data" })
      })
    )
  )

  it(
    "is SourceFailed when a source ends before its length does, or counts what can't be",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        for (const count of [0, -1, 1e9, 0.5, Number.NaN]) {
          const liar = { ...map.file, readAt: () => Effect.succeed(count) }
          const error = yield* failureOf(SparseFile.openRemote(data.file, liar))
          assert.include(
            error,
            { _tag: "SourceFailed", source: "http://host/sparse.map" },
            `a count of ${count}`
          )
        }
        for (const length of [-1, 0.5, Number.NaN, 2 ** 60]) {
          const liar = { ...map.file, length: Effect.succeed(length) }
          assert.include(yield* failureOf(SparseFile.openRemote(data.file, liar)), { _tag: "SourceFailed" })
        }
      })
    )
  )

  it(
    "asks for no memory by what a map claims before so many bytes have come",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        // A header, checksum and all, whose index would take a gigabyte.
        const forged = map.bytes.slice(0, offmapHeaderBytes)
        const view = new DataView(forged.buffer)
        const buckets = 2 ** 28
        view.setBigUint64(48, BigInt(buckets), true)
        view.setBigUint64(64, view.getBigUint64(56, true) + BigInt(buckets) - 1n, true)
        view.setUint32(72, 0, true)
        view.setBigUint64(16, BigInt(layoutOf(forged).imageBytes), true)
        sealHeader(forged)
        let largest = 0
        const liar: RemoteFile<never> = {
          length: Effect.succeed(2 ** 40),
          readAt: (offset, buffer) =>
            Effect.sync(() => {
              largest = Math.max(largest, buffer.length)
              if (offset > 0) return 0
              buffer.set(forged.subarray(0, buffer.length))
              return Math.min(buffer.length, forged.length)
            })
        }
        assert.include(yield* failureOf(SparseFile.openRemote(data.file, liar)), { _tag: "SourceFailed" })
        assert.isAtMost(largest, 1 << 20)
      })
    )
  )

  it(
    "fetches a page once for all who wait for it, and not any more when nobody does",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        const reader = yield* SparseFile.openRemote(data.file, map.file)
        map.requests.length = 0
        const lookups = Array.from({ length: 100 }, () => reader.mapFind(300))
        assert.deepStrictEqual(
          yield* Effect.all(lookups, { concurrency: "unbounded" }),
          new Array(100).fill(50)
        )
        assert.strictEqual(map.requests.length, 1)
        const other = yield* SparseFile.openRemote(data.file, map.file)
        const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(other.mapFind(300)))
        yield* Effect.yieldNow
        yield* Fiber.interrupt(fibers[0])
        assert.strictEqual(map.interrupted(), 0)
        yield* Fiber.interrupt(fibers[1])
        yield* Fiber.interrupt(fibers[2])
        assert.strictEqual(map.interrupted(), 1)
        assert.strictEqual(yield* other.mapFind(300), 50)
      })
    )
  )

  it(
    "looks many ranges up at once, and asks nothing of a batch that makes no sense",
    inMemory(
      Effect.gen(function* () {
        const bindings = Array.from(manyBindings(20_000))
        const image = imageOf(mapOf(bindings))
        let [atOnce, most] = [0, 0]
        const file: RemoteFile<never> = {
          length: Effect.succeed(image.length),
          readAt: (offset, buffer) =>
            Effect.gen(function* () {
              most = Math.max(most, ++atOnce)
              yield* Effect.sleep("2 millis")
              atOnce--
              const part = image.subarray(offset, offset + buffer.length)
              buffer.set(part)
              return part.length
            })
        }
        const map = yield* OffmapRemote.open(file, { name: "map", fileBytes: image.length })
        const data = new RemoteData({ file, name: "data", length: 200_000, sums: undefined })
        const reader = new SparseRemote({ data, map, mapBytes: image.length })
        most = 0
        const offsets = Array.from({ length: 30 }, (_, i) => 1000 + i * 600 * 50)
        const found = yield* reader.readMany(offsets, new Array<number>(30).fill(9))
        found.forEach((bytes, i) => {
          assert.deepStrictEqual(bytes, image.slice(i * 600 * 9, i * 600 * 9 + 9))
        })
        assert.isAbove(most, 4)
        most = 0
        const refused = yield* failureOf(reader.readMany([1000, 5000], [9]))
        assert.include(refused, { _tag: "InvalidArgument" })
        assert.strictEqual(most, 0)
      })
    )
  )

  it(
    "answers from a whole page that was fetched together with a damaged one",
    inMemory(
      Effect.gen(function* () {
        const image = imageOf(mapOf(manyBindings(40_000))).slice()
        // In the fourth page of the walk.
        image[layoutOf(image).cells + 3 * 4096 + 9] ^= 1
        const { file } = afar(image, "map")
        const map = yield* OffmapRemote.open(file, { name: "map", fileBytes: image.length })
        const walking = yield* Effect.forkChild(
          map.ask((search) => bindingsIn(search, { begin: 0, end: 1000 }))
        )
        yield* Effect.yieldNow
        const third = 1000 + 2.5 * 512 * 50
        assert.strictEqual(yield* map.ask((search) => search.translate(third)), 2.5 * 512 * 9)
        const fifth = 1000 + 4.5 * 512 * 50
        assert.strictEqual(yield* map.ask((search) => search.translate(fifth)), 4.5 * 512 * 9)
        assert.include(yield* failureOf(Fiber.join(walking)), { _tag: "Corrupt" })
      })
    )
  )

  it(
    "fails with what its sources fail with, and works when they do again",
    inMemory(
      Effect.gen(function* () {
        const { data, map } = yield* smallPair
        let down = false
        const gone = new SourceFailed({ source: "host", offset: 0, reason: "it is down" })
        const flaky: RemoteFile<SourceFailed> = {
          ...map.file,
          readAt: (offset, buffer) => (down ? Effect.fail(gone) : map.file.readAt(offset, buffer))
        }
        const reader = yield* SparseFile.openRemote(data.file, flaky)
        down = true
        assert.strictEqual(yield* failureOf(reader.mapFind(300)), gone)
        down = false
        assert.strictEqual(yield* reader.mapFind(300), 50)
      })
    )
  )
})

describe("the map of a sparse file from afar", () => {
  it("answers many at once over more pages than are ever here", { timeout: 60_000 }, async () => {
    const count = 5_000_000
    const map = mapOf(manyBindings(count))
    const image = imageOf(map)
    const file: RemoteFile<never> = {
      length: Effect.succeed(image.length),
      readAt: (offset, buffer) =>
        Effect.map(Effect.yieldNow, () => {
          const part = image.subarray(offset, offset + buffer.length)
          buffer.set(part)
          return part.length
        })
    }
    const ask = Effect.gen(function* () {
      const remote = yield* OffmapRemote.open(file, { name: "map", fileBytes: image.length })
      let state = 1
      const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
      const offsets = Array.from({ length: 30_000 }, () => Math.floor(random() * (count * 50 + 2000)))
      const found = yield* Effect.forEach(offsets, (offset) => remote.ask((map) => map.translate(offset)), {
        concurrency: 5000
      })
      found.forEach((physical, i) => assert.strictEqual(physical, map.translate(offsets[i])))
    })
    await Effect.runPromise(ask)
  })

  it(
    "walks over points, however many pages of them, and gives all extents",
    inMemory(
      Effect.gen(function* () {
        const points = Array.from({ length: 60_000 }, (_, i) => ({
          virtual: 100 + i * 3,
          physical: i,
          length: 0
        }))
        const far = { virtual: 10_000_000, physical: 0, length: 5 }
        const io = yield* Io
        const writer = yield* SparseFile.create("/points")
        yield* writer.appendBytes(new Uint8Array(60_000))
        for (const { length, physical, virtual } of [...points, far])
          yield* writer.mapAdd(virtual, physical, length)
        yield* writer.close
        const data = afar(yield* contentOf("/points"), "data").file
        const map = afar(yield* contentOf("/points.map"), "map")
        assert.isAbove(layoutOf(map.bytes).pages, 50)
        const reader = yield* SparseFile.openRemote(data, map.file)
        assert.strictEqual(yield* reader.nextValidOffset(0), 10_000_000)
        assert.strictEqual(yield* reader.nextValidOffset(10_000_003), 10_000_003)
        assert.isUndefined(yield* reader.nextValidOffset(10_000_005))
        assert.deepStrictEqual(yield* Stream.runCollect(reader.extents()), [
          { offset: 10_000_000, length: 5 }
        ])
        assert.strictEqual(yield* io.sizeOf("/points"), 60_000)
      })
    )
  )

  it(
    "of nothing has nothing",
    inMemory(
      Effect.gen(function* () {
        const writer = yield* SparseFile.create("/empty")
        yield* writer.close
        const data = afar(yield* contentOf("/empty"), "data").file
        const reader = yield* SparseFile.openRemote(data, afar(yield* contentOf("/empty.map"), "map").file)
        assert.isUndefined(yield* reader.nextValidOffset(0))
        assert.deepStrictEqual(yield* Stream.runCollect(reader.extents()), [])
        const exit = yield* Effect.exit(reading(reader, { offset: 0, length: 1 }))
        assert.isTrue(Exit.isFailure(exit))
        assert.strictEqual(reader.size, 0)
      })
    )
  )
})

describe("what is read from afar", () => {
  it(
    "goes on over any number of extents that touch, in as few requests as they lie apart",
    inMemory(
      Effect.gen(function* () {
        const bytes = pattern(2000)
        const writer = yield* SparseFile.create("/touching")
        yield* writer.appendBytes(bytes)
        // The second half of the data comes first, and each half is a hundred extents.
        const physical = (i: number) => (i < 100 ? 1000 + i * 10 : (i - 100) * 10)
        for (let i = 0; i < 200; i++) yield* writer.mapAdd(5000 + i * 10, physical(i), 10)
        yield* writer.close
        const data = afar(yield* contentOf("/touching"), "data")
        const map = afar(yield* contentOf("/touching.map"), "map")
        const reader = yield* SparseFile.openRemote(data.file, map.file)
        assert.deepStrictEqual(
          yield* reading(reader, { offset: 5003, length: 1990 }),
          Uint8Array.from([...bytes.subarray(1003), ...bytes.subarray(0, 993)])
        )
        assert.isAtMost(data.requests.length, 2)
        const beyond = yield* failureOf(reader.read(5003, new Uint8Array(1998)))
        assert.deepInclude(beyond, {
          _tag: "ReadOutOfBounds",
          path: "data",
          offset: 5003,
          length: 1998,
          end: 7000
        })
        const range = yield* reader.readRange(5003, { minLength: 1, maxLength: 1_000_000 })
        assert.strictEqual(range.length, 1997)
      })
    )
  )

  it(
    "in many ranges may be megabytes, and costs no memory where one of them is not there",
    inMemory(
      Effect.gen(function* () {
        const bytes = pattern(3_000_000)
        const writer = yield* SparseFile.create("/large")
        yield* writer.appendBytes(bytes)
        yield* writer.mapAdd(1000, 0, bytes.length)
        yield* writer.close
        const data = afar(yield* contentOf("/large"), "data")
        const map = afar(yield* contentOf("/large.map"), "map")
        const reader = yield* SparseFile.openRemote(data.file, map.file)
        const ranges = [
          [1000, 2_000_000],
          [2000, 7],
          [1_001_000, 2_000_000]
        ] as const
        const ask = (more: ReadonlyArray<readonly [number, number]>) =>
          reader.readMany(
            [...ranges, ...more].map(([offset]) => offset),
            [...ranges, ...more].map(([, length]) => length)
          )
        const found = yield* ask([])
        for (const [i, [offset, length]] of ranges.entries()) {
          assert.strictEqual(
            Buffer.compare(found[i], bytes.subarray(offset - 1000, offset - 1000 + length)),
            0
          )
        }
        data.requests.length = 0
        const error = yield* failureOf(ask([[5000, 2 ** 50]]))
        assert.deepInclude(error, { _tag: "ReadOutOfBounds", offset: 5000, length: 2 ** 50, end: 3_001_000 })
        assert.deepStrictEqual(data.requests, [])
      })
    )
  )

  it("and is long is asked for piece by piece, and memory with it", async () => {
    const bytes = pattern(5_000_001)
    const { file, requests } = afar(bytes, "index")
    const read = readRemoteGrowing(file, { name: "index", offset: 1, length: 5_000_000 })
    assert.strictEqual(Buffer.compare(await Effect.runPromise(read), bytes.subarray(1)), 0)
    const MiB = 1 << 20
    assert.deepStrictEqual(requests, [
      { offset: 1, length: MiB },
      { offset: 1 + MiB, length: MiB },
      { offset: 1 + 2 * MiB, length: 2 * MiB },
      { offset: 1 + 4 * MiB, length: 5_000_000 - 4 * MiB }
    ])
  })

  it("and is longer than memory is SourceFailed, not a defect", async () => {
    const { file } = afar(pattern(5_000_000), "index")
    const construct = (target: typeof Uint8Array, args: ReadonlyArray<unknown>): object => {
      if (typeof args[0] === "number" && args[0] > 1 << 20)
        throw new RangeError("Array buffer allocation failed")
      return Reflect.construct(target, args) as object
    }
    vi.stubGlobal("Uint8Array", new Proxy(Uint8Array, { construct }))
    try {
      const read = readRemoteGrowing(file, { name: "index", offset: 0, length: 5_000_000 })
      const error = await Effect.runPromise(Effect.flip(read))
      assert.deepInclude(error, { _tag: "SourceFailed", source: "index" })
    } finally {
      vi.unstubAllGlobals()
    }
  })

  it(
    "by a lookup that asks for its page again and again is a defect, not a loop",
    inMemory(
      Effect.gen(function* () {
        const image = imageOf(mapOf(manyBindings(5000)))
        const { file, requests } = afar(image, "map")
        const map = yield* OffmapRemote.open(file, { name: "map", fileBytes: image.length })
        const before = requests.length
        const lost = map.ask(() => {
          throw new PageAway({ wanted: 0, last: 0 })
        })
        const exit = yield* Effect.exit(lost)
        assert.include(
          String(Exit.isFailure(exit) && Cause.squash(exit.cause)),
          "never ends waits for page 0"
        )
        assert.strictEqual(requests.length, before + 1)
      })
    )
  )
})
