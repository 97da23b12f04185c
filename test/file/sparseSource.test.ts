/** Sparse files made from something that is no file, and what a bulk append tells on the way. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Closed, Corrupt, InvalidArgument, InvalidSparseRead } from "../../src/bytes/errors.ts"
import type { Extent } from "../../src/bytes/extent.ts"
import { ExtentList } from "../../src/bytes/extentList.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import type { SparseSource } from "../../src/file/SparseFileWriter.ts"
import { contentOf, fileOf, inMemory, pattern } from "./sparseFileFiles.ts"

const bytes = pattern(300_000)

interface Reads {
  readonly asked: Array<Extent>
}

/** A source that keeps nothing but `kept`, and leaves other bytes of a buffer as they are. */
const sourceOf = (
  kept: ReadonlyArray<Extent>,
  gapBytes: number | undefined
): SparseSource<InvalidSparseRead> & Reads => {
  const asked: Array<Extent> = []
  const readAt = (at: number, buffer: Uint8Array): void => {
    asked.push({ offset: at, length: buffer.length })
    for (const { length, offset } of kept) {
      const from = Math.max(at, offset)
      const to = Math.min(at + buffer.length, offset + length)
      if (to > from) buffer.set(bytes.subarray(from, to), from - at)
    }
  }
  return { path: "snapshot", size: Effect.succeed(bytes.length), unsafe: { readAt }, gapBytes, asked }
}

const concat = (extents: ReadonlyArray<Extent>): Uint8Array =>
  Uint8Array.from(extents.flatMap(({ length, offset }) => [...bytes.subarray(offset, offset + length)]))

const extents: ReadonlyArray<Extent> = [
  { offset: 10, length: 20 },
  { offset: 31, length: 9 },
  { offset: 100, length: 1000 },
  { offset: 6000, length: 5 },
  { offset: 80_000, length: 5 }
]

describe("a source that is no file", () => {
  const asked = (gapBytes: number | undefined) =>
    Effect.gen(function* () {
      const source = sourceOf(extents, gapBytes)
      const writer = yield* SparseFile.create(`/${gapBytes}`, { maxGap: 0 })
      const appended = yield* writer.appendExtents(source, extents)
      expect(appended).toEqual({ extents: 5, bytes: 1039 })
      yield* writer.close
      expect(yield* contentOf(`/${gapBytes}`)).toEqual(concat(extents))
      return source.asked.map(({ length, offset }) => [offset, length])
    })

  it(
    "is asked for nothing but the extents when its gaps are not to be read over",
    inMemory(
      Effect.gen(function* () {
        const each = extents.map(({ length, offset }) => [offset, length])
        expect(yield* asked(0)).toEqual(each)
      })
    )
  )

  it(
    "is read over gaps as long as it says, and what it leaves in them is never used",
    inMemory(
      Effect.gen(function* () {
        expect(yield* asked(1)).toEqual([
          [10, 30],
          [100, 1000],
          [6000, 5],
          [80_000, 5]
        ])
        expect(yield* asked(100_000)).toEqual([[10, 79_995]])
        // As a file is, unless it says something.
        expect(yield* asked(undefined)).toEqual([
          [10, 1090],
          [6000, 5],
          [80_000, 5]
        ])
      })
    )
  )

  it(
    "is asked for touching extents at once, a quarter of a megabyte at most",
    inMemory(
      Effect.gen(function* () {
        const touching = [
          { offset: 0, length: 200_000 },
          { offset: 200_000, length: 100_000 }
        ]
        const source = sourceOf(touching, 0)
        const writer = yield* SparseFile.create("/x", { maxGap: 0 })
        yield* writer.appendExtents(source, touching)
        expect(source.asked).toEqual([
          { offset: 0, length: 262_144 },
          { offset: 262_144, length: 37_856 }
        ])
      })
    )
  )

  it.each([
    new Corrupt({ path: "snapshot", offset: 7, reason: "made up" }),
    new InvalidSparseRead({ path: "snapshot", offset: 7, reason: "hole" }),
    new Closed({ path: "snapshot", operation: "read" }),
    // Of an append's own checks it would do no harm; from the middle of a copy it does.
    new InvalidArgument({ operation: "read", reason: "made up" })
  ])("passes its own errors on, and poisons the writer: $_tag", (thrown) =>
    inMemory(
      Effect.gen(function* () {
        const { path, size } = sourceOf([], 0)
        let reads = 0
        const readAt = (): void => {
          if (++reads === 2) throw thrown
        }
        const source: SparseSource<typeof thrown> = { path, size, unsafe: { readAt }, gapBytes: 0 }
        const writer = yield* SparseFile.create("/x", { maxGap: 0 })
        expect(yield* Effect.flip(writer.appendExtents(source, extents))).toBe(thrown)
        expect(reads).toBe(2)
        const poisoned = { _tag: "Poisoned", path: "/x", cause: thrown }
        expect(yield* Effect.flip(writer.appendBytes(bytes))).toMatchObject(poisoned)
        expect(yield* Effect.flip(writer.close)).toMatchObject(poisoned)
        reads = 1
        const other = yield* SparseFile.create("/y")
        const one = { offset: 0, length: 1, updateMap: true }
        expect(yield* Effect.flip(other.appendFrom(source, one))).toBe(thrown)
        expect(yield* Effect.flip(other.close)).toMatchObject({ ...poisoned, path: "/y" })
      })
    )()
  )
})

describe("appending extents", () => {
  it(
    "takes over a list of extents, in any order, as it takes any iterable",
    inMemory(
      Effect.gen(function* () {
        const source = yield* fileOf("/source", bytes)
        for (const order of [extents, extents.toReversed()]) {
          const list = new ExtentList()
          for (const { length, offset } of order) list.push(offset, length)
          const writer = yield* SparseFile.create(`/${order[0].offset}`, { maxGap: 1 })
          expect(yield* writer.appendExtents(source, list)).toEqual({ extents: 4, bytes: 1040 })
          yield* writer.close
          const reader = yield* SparseFile.open(writer.path)
          expect([...reader.extents()]).toEqual([{ offset: 10, length: 30 }, ...extents.slice(2)])
          // It was fused in place: no second list was made.
          expect([...list]).toEqual([{ offset: 10, length: 30 }, ...extents.slice(2)])
        }
      })
    )
  )

  it(
    "refuses a list with an overlap before a byte is written",
    inMemory(
      Effect.gen(function* () {
        const list = new ExtentList()
        list.push(10, 5)
        list.push(14, 5)
        const writer = yield* SparseFile.create("/x")
        const error = yield* Effect.flip(writer.appendExtents(sourceOf([], 0), list))
        expect(error).toMatchObject({ _tag: "InvalidArgument" })
        expect(writer.currentOffset()).toBe(0)
        yield* writer.close
      })
    )
  )

  it(
    "tells after every slice how far it is, counting its own bytes alone",
    inMemory(
      Effect.gen(function* () {
        const total = 20 << 20
        const source = yield* fileOf("/source", new Uint8Array(total))
        const writer = yield* SparseFile.create("/x")
        yield* writer.appendBytes(new Uint8Array(1000))
        const told: Array<number> = []
        const onProgress = (done: number) => {
          told.push(done)
          expect(writer.currentOffset()).toBe(1000 + done)
        }
        yield* writer.appendExtents(source, [{ offset: 0, length: total }], { onProgress })
        expect(told.length).toBeGreaterThanOrEqual(5)
        expect(told.at(-1)).toBe(total)
        for (let i = 1; i < told.length; i++) expect(told[i]).toBeGreaterThan(told[i - 1])
        yield* writer.appendExtents(source, [], { onProgress: () => expect.unreachable() })
      })
    )
  )
})
