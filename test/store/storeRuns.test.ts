/**
 * Runs of a store: how far can be read from an offset, where the next readable byte is, and both
 * through a page cache.
 */
import * as Effect from "effect/Effect"
import { expect } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import { joined, openOn, record } from "./storeHarness.ts"

const bytes = joined(...Array.from({ length: 10 }, (_, i) => record(100, i)))

/** Readable are [100, 200) and [250, 1000), 300 being the end of the prefix and 900 what is committed. */
const holed = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory, { chunkSize: 200 })
    for (let i = 0; i < 9; i++) yield* store.append(bytes.subarray(i * 100, i * 100 + 100))
    yield* store.commit
    const live = [
      { offset: 100, length: 100 },
      { offset: 250, length: 50 }
    ]
    yield* store.collect({ live, upTo: 300 })
    yield* store.append(bytes.subarray(900))
    return store
  })

onEachIo((test) => {
  test("readRange gives what is there without a break, over prefix, chunks and memory", (directory) =>
    Effect.gen(function* () {
      const store = yield* holed(yield* Io, directory)
      const all = { minLength: 0, maxLength: 5000 }
      expect(yield* store.readRange(100, all)).toEqual(bytes.subarray(100, 200))
      expect(yield* store.readRange(150, { minLength: 10, maxLength: 20 })).toEqual(bytes.subarray(150, 170))
      expect(yield* store.readRange(260, all)).toEqual(bytes.subarray(260))
      expect(yield* store.readRange(1000, all)).toEqual(new Uint8Array(0))
      const short = yield* Effect.flip(store.readRange(150, { minLength: 51, maxLength: 60 }))
      expect(short).toMatchObject({ _tag: "ReadOutOfBounds", offset: 150, length: 51, end: 200 })
      const hole = yield* Effect.flip(store.readRange(220, all))
      expect(hole).toMatchObject({ _tag: "InvalidSparseRead", path: directory, offset: 220, reason: "hole" })
      const beyond = yield* Effect.flip(store.readRange(1001, { minLength: 1, maxLength: 1 }))
      expect(beyond).toMatchObject({ _tag: "ReadOutOfBounds", offset: 1001, length: 1 })
      const wrong = yield* Effect.flip(store.readRange(100, { minLength: 2, maxLength: 1 }))
      expect(wrong._tag).toBe("InvalidArgument")
    }))

  test("nextValidOffset passes over what was collected, and ends with the store", (directory) =>
    Effect.gen(function* () {
      const store = yield* holed(yield* Io, directory)
      const next = [0, 100, 199, 200, 249, 250, 300, 999, 1000, 5000].map(store.nextValidOffset)
      expect(next).toEqual([100, 100, 199, 250, 250, 250, 300, 999, undefined, undefined])
      expect(() => store.nextValidOffset(-1)).toThrow(expect.objectContaining({ _tag: "InvalidArgument" }))
    }))

  test("a page cache reads a store at its offsets, and never a byte of a hole", (directory) =>
    Effect.gen(function* () {
      const store = yield* holed(yield* Io, directory)
      const cache = yield* PageCache.overReader(store, { pageSize: 64, cacheSize: 4, path: directory })
      expect(yield* cache.getBytes(100, 100)).toEqual(bytes.subarray(100, 200))
      expect(yield* cache.getBytes(250, 750)).toEqual(bytes.subarray(250))
      for (const offset of [260, 300, 700, 996]) {
        const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 4)
        expect(yield* cache.getUint32LE(offset)).toBe(view.getUint32(0, true))
        expect(cache.unsafe.getUint32BE(offset)).toBe(view.getUint32(0, false))
      }
      const hole = yield* Effect.flip(cache.getUint8(249))
      expect(hole).toMatchObject({ _tag: "InvalidSparseRead", offset: 249, reason: "hole" })
      const into = yield* Effect.flip(cache.getBytes(190, 11))
      expect(into).toMatchObject({ _tag: "ReadOutOfBounds", path: directory, offset: 190, end: 200 })
      const beyond = yield* Effect.flip(cache.getUint32LE(998))
      expect(beyond).toMatchObject({ _tag: "ReadOutOfBounds", offset: 998, length: 4, end: 1000 })
      // What is appended later is there when it is asked for.
      yield* store.append(bytes.subarray(0, 100))
      expect(yield* cache.getBytes(990, 110)).toEqual(joined(bytes.subarray(990), bytes.subarray(0, 100)))
    }))
})
