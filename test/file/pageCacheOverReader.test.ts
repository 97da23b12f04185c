/**
 * Page caches at virtual offsets: what lies in a hole is refused, and no byte of one is ever given.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { InvalidSparseRead } from "../../src/bytes/errors.ts"
import { PageCache } from "../../src/file/PageCache.ts"
import type { RunReader } from "../../src/file/pageSource.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Io } from "../../src/io/Io.ts"
import { bytesAt, differenceOf, run, thrownBy } from "./pageDevices.ts"
import { fileOf, inMemory } from "./sparseFileFiles.ts"

const size = 300_000

/** The bytes of every extent, each where it was; touching ones lie apart in the file. */
const sparse = (extents: ReadonlyArray<readonly [offset: number, length: number]>) =>
  Effect.gen(function* () {
    const source = yield* fileOf("/source", bytesAt(0, size))
    const writer = yield* SparseFile.create("/x")
    for (const [offset, length] of [...extents].reverse()) {
      yield* writer.appendExtents(source, [{ offset, length }])
    }
    yield* writer.close
    return yield* SparseFile.open("/x")
  })

const extents = [
  [100, 50],
  [300, 7],
  [307, 93],
  [1000, 200]
] as const
const isKept = (address: number): boolean =>
  extents.some(([offset, length]) => offset <= address && address < offset + length)
/** The first address from here on that was not kept. */
const endOf = (address: number): number => (isKept(address) ? endOf(address + 1) : address)

describe("over a sparse file", () => {
  for (const pageSize of [1, 8, 64, 4096]) {
    for (const cacheSize of [1, 16]) {
      it(
        `every byte that was kept is given, and none other: ${cacheSize} pages of ${pageSize}`,
        inMemory(
          Effect.gen(function* () {
            const cache = yield* PageCache.overReader(yield* sparse(extents), {
              pageSize,
              cacheSize,
              path: "/x"
            })
            const addresses = Array.from({ length: 130 }, (_, i) => (i * 611) % 1300)
            for (const address of addresses) {
              if (isKept(address)) {
                expect(yield* cache.getUint8(address)).toBe(address % 251)
                const length = endOf(address) - address
                expect(yield* cache.getBytes(address, length)).toEqual(bytesAt(address, length))
                const beyond = { _tag: "ReadOutOfBounds", path: "/x", offset: address, end: address + length }
                expect(yield* Effect.flip(cache.getBytes(address, length + 1))).toMatchObject(beyond)
                expect(thrownBy(() => cache.unsafe.getBytes(address, length + 1))).toMatchObject(beyond)
                const slice = (yield* cache.load(address))!
                expect(slice.bytes).toEqual(bytesAt(slice.offset, slice.length))
              } else {
                const failure = yield* Effect.flip(cache.getUint8(address))
                const reason = address < 100 ? "before" : "hole"
                if (address < 1200) expect(failure).toMatchObject({ _tag: "InvalidSparseRead", reason })
                else expect(failure).toMatchObject({ _tag: "ReadOutOfBounds", offset: address })
                expect(thrownBy(() => cache.unsafe.getUint8(address))).toEqual(failure)
                expect(cache.isCached(address)).toBe(false)
              }
            }
          })
        )
      )
    }
  }

  it(
    "a byte-by-byte reading ends where the bytes do, and fails where a hole begins",
    inMemory(
      Effect.gen(function* () {
        // The first run ends with a whole number of what is read at a time.
        const reader = yield* sparse([
          [0, 2 ** 17],
          [2 ** 17 + 100, 50],
          [2 ** 18, 20]
        ])
        const cache = yield* PageCache.overReader(reader, { path: "/x" })
        for (const [from, end, hasMore] of [
          [0, 2 ** 17, true],
          [2 ** 17 + 110, 2 ** 17 + 150, true],
          [2 ** 18, 2 ** 18 + 20, false]
        ] as const) {
          const seen: Array<number> = []
          const read = (length?: number) => cache.iterate(from, { length }, (byte) => seen.push(byte))
          const hole = { _tag: "InvalidSparseRead", reason: "hole", offset: end }
          if (hasMore) expect(yield* Effect.flip(read())).toMatchObject(hole)
          else yield* read()
          expect(differenceOf(Uint8Array.from(seen), bytesAt(from, end - from))).toBe(-1)
          const slices = Stream.runDrain(cache.sequence(from))
          if (hasMore) expect(yield* Effect.flip(slices)).toMatchObject(hole)
          else yield* slices
          const beyond = { _tag: "ReadOutOfBounds", offset: from, length: end - from + 1, end }
          expect(yield* Effect.flip(read(end - from + 1))).toMatchObject(beyond)
        }
        const large = yield* Effect.flip(cache.getBytes(5, 2 ** 40))
        expect(large).toMatchObject({ _tag: "ReadOutOfBounds", offset: 5, length: 2 ** 40 })
        expect(thrownBy(() => cache.unsafe.getBytes(5, 2 ** 40))).toEqual(large)
        expect(yield* Effect.flip(cache.getBytes(2 ** 17, 2 ** 40))).toMatchObject({ reason: "hole" })
      })
    )
  )

  it(
    "a closed reader is Closed where it has to be asked",
    inMemory(
      Effect.gen(function* () {
        const reader = yield* sparse(extents)
        const cache = yield* PageCache.overReader(reader, { pageSize: 64 })
        yield* cache.getUint8(100)
        yield* reader.close
        expect(yield* cache.getUint8(101)).toBe(101)
        expect(yield* Effect.flip(cache.getUint8(1000))).toMatchObject({ _tag: "Closed" })
        expect(yield* Effect.flip(cache.load(200))).toMatchObject({ _tag: "Closed" })
        expect(thrownBy(() => cache.unsafe.getUint8(300))).toMatchObject({ _tag: "Closed" })
      })
    )
  )

  it(
    "a file without bytes has none",
    inMemory(
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.flatMap(SparseFile.create("/e"), (writer) => writer.close))
        const cache = yield* PageCache.overReader(yield* SparseFile.open("/e"))
        expect(yield* cache.load(0)).toBeUndefined()
        expect(yield* Effect.flip(cache.getUint8(5))).toMatchObject({ _tag: "ReadOutOfBounds" })
        expect(yield* Stream.runCollect(cache.sequence(0))).toEqual([])
        expect(yield* Effect.void.pipe(Effect.andThen(Effect.map(Io, () => 1)))).toBe(1)
      })
    )
  )
})

describe("over a reader that takes its time", () => {
  const runs = [
    [0, 20],
    [30, 40],
    [50, 100]
  ] as const
  const runOf = (offset: number) => runs.find(([from, to]) => from <= offset && offset < to)

  const slowReader = (): RunReader<InvalidSparseRead> & { calls: number } => ({
    calls: 0,
    nextValidOffset: (offset) => {
      const found = runs.find(([, to]) => offset < to)
      return found === undefined ? undefined : Math.max(offset, found[0])
    },
    readRange(offset, { maxLength }) {
      return Effect.andThen(
        Effect.sleep(1),
        Effect.suspend(() => {
          this.calls++
          const found = runOf(offset)
          if (found === undefined) {
            return Effect.fail(new InvalidSparseRead({ path: "/slow", offset, reason: "hole" }))
          }
          return Effect.succeed(bytesAt(offset, Math.min(maxLength, found[1] - offset)))
        })
      )
    }
  })

  for (const pageSize of [8, 64, 128]) {
    it(
      `those who wait for different runs of one page each get their own: pages of ${pageSize}`,
      run(
        Effect.gen(function* () {
          for (let rotation = 0; rotation < 9; rotation++) {
            const cache = yield* PageCache.overReader(slowReader(), { pageSize })
            const addresses = [55, 5, 35, 0, 99, 30, 51, 39, 19]
            const rotated = [...addresses.slice(rotation), ...addresses.slice(0, rotation)]
            const bytes = yield* Effect.forEach(rotated, (address) => cache.getUint8(address), {
              concurrency: "unbounded"
            })
            expect(bytes).toEqual(rotated)
            const slices = yield* Effect.forEach(rotated, (address) => cache.load(address), {
              concurrency: "unbounded"
            })
            for (const slice of slices) expect(slice!.bytes).toEqual(bytesAt(slice!.offset, slice!.length))
          }
        })
      )
    )
  }

  it(
    "a hole is refused to each, in the reader's words",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.overReader(slowReader(), { pageSize: 64 })
        const failures = yield* Effect.forEach(
          [25, 45, 25, 44],
          (address) => Effect.flip(cache.getUint8(address)),
          {
            concurrency: "unbounded"
          }
        )
        for (const failure of failures)
          expect(failure).toMatchObject({ _tag: "InvalidSparseRead", reason: "hole" })
      })
    )
  )

  it(
    "one that says there is something and gives nothing makes nobody wait for ever",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.overReader({
          nextValidOffset: (offset) => offset,
          readRange: () => Effect.succeed(new Uint8Array(0))
        })
        expect(yield* Effect.flip(cache.getUint8(5))).toMatchObject({ _tag: "ReadOutOfBounds" })
      })
    )
  )
})
