/**
 * Reading page by page: what a slice is, where a sequence ends, whose memory it is.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import type { PageSlice } from "../../src/file/pageCacheService.ts"
import { bytesAt, run, TestDevice } from "./pageDevices.ts"

const sliceAt = (offset: number, length: number): PageSlice => ({
  offset,
  length,
  bytes: bytesAt(offset, length)
})

describe("a slice", () => {
  it(
    "is the page of its address, shorter at the end of the device",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ pageSize: 16, map: new TestDevice(40).map })
        for (const state of ["empty", "full"]) {
          expect(yield* cache.load(0), state).toEqual(sliceAt(0, 16))
          expect(yield* cache.load(31), state).toEqual(sliceAt(16, 16))
          expect(yield* cache.load(39), state).toEqual(sliceAt(32, 8))
          expect(yield* cache.load(32, { length: 8 }), state).toEqual(sliceAt(32, 8))
          expect(yield* cache.load(32, { length: 9 }), state).toBeUndefined()
          expect(yield* cache.load(40), state).toBeUndefined()
          expect(yield* cache.load(1, { length: undefined }), state).toEqual(sliceAt(0, 16))
        }
      })
    )
  )

  it(
    "is nobody else's memory",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ pageSize: 16, map: new TestDevice(40).map })
        for (let round = 0; round < 3; round++) {
          const slice = yield* cache.load(20)
          const bytes = yield* cache.getBytes(16, 16)
          const [first] = yield* Stream.runCollect(Stream.take(cache.sequence(20), 1))
          expect([slice!.bytes, bytes, first.bytes]).toEqual([
            bytesAt(16, 16),
            bytesAt(16, 16),
            bytesAt(20, 12)
          ])
          for (const memory of [slice!.bytes, bytes, first.bytes]) {
            memory.fill(0xee)
            expect(memory.buffer.byteLength).toBeLessThanOrEqual(16)
          }
        }
        expect(yield* cache.load(20)).toEqual(sliceAt(16, 16))
      })
    )
  )

  it(
    "stays as it was when its page is invalidated, replaced, or read anew",
    run(
      Effect.gen(function* () {
        let fill = 1
        const map = (_: number, length: number) => new Uint8Array(length).fill(fill)
        const cache = yield* PageCache.make({ pageSize: 16, cacheSize: 1, map })
        const before = yield* cache.load(0)
        fill = 2
        cache.invalidate(0, 1)
        expect((yield* cache.load(0))!.bytes).toEqual(new Uint8Array(16).fill(2))
        yield* cache.load(16)
        expect(before!.bytes).toEqual(new Uint8Array(16).fill(1))
      })
    )
  )

  it(
    "is followed by the next page's, whichever its own length and place",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(40)
        const cache = yield* PageCache.make({ pageSize: 16, map: device.map })
        const first = yield* cache.load(5)
        const second = yield* cache.next(first!)
        expect(second).toEqual(sliceAt(16, 16))
        expect(yield* cache.next(second!)).toEqual(sliceAt(32, 8))
        expect(yield* cache.next(sliceAt(32, 8))).toBeUndefined()
        expect(yield* cache.next(sliceAt(7, 2))).toEqual(sliceAt(16, 16))
        expect(yield* cache.next({ offset: 31, length: 500, bytes: new Uint8Array(0) })).toEqual(
          sliceAt(32, 8)
        )
        expect(yield* cache.next((yield* cache.load(20, { length: 0 }))!)).toEqual(sliceAt(32, 8))
        expect(yield* cache.next(sliceAt(1000, 1))).toBeUndefined()
        device.size = 50
        expect(yield* cache.next(sliceAt(32, 8))).toEqual(sliceAt(48, 2))
      })
    )
  )

  it(
    "of the last address is followed by none",
    run(
      Effect.gen(function* () {
        for (const pageSize of [1, 2, 4096]) {
          const device = new TestDevice()
          const cache = yield* PageCache.make({ pageSize, map: device.map })
          const last = yield* cache.load(2 ** 53 - 2)
          expect(last!.offset + last!.length).toBe(2 ** 53 - 1)
          device.takeCalls()
          expect(yield* cache.next(last!)).toBeUndefined()
          expect(yield* cache.next(sliceAt(2 ** 53 - 1, 0))).toBeUndefined()
          expect(device.takeCalls()).toEqual([])
          const slices = yield* Stream.runCollect(cache.sequence(2 ** 53 - 4))
          expect(slices.reduce((length, slice) => length + slice.length, 0)).toBe(3)
        }
      })
    )
  )
})

describe("a sequence", () => {
  it(
    "begins at its address, and goes on page by page to the end",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(40)
        const cache = yield* PageCache.make({ pageSize: 16, cacheSize: 1, map: device.map })
        const from = (address: number) => Stream.runCollect(cache.sequence(address))
        expect(yield* from(0)).toEqual([sliceAt(0, 16), sliceAt(16, 16), sliceAt(32, 8)])
        expect(yield* from(15)).toEqual([sliceAt(15, 1), sliceAt(16, 16), sliceAt(32, 8)])
        expect(yield* from(39)).toEqual([sliceAt(39, 1)])
        expect(yield* from(40)).toEqual([])
        expect(yield* from(4000)).toEqual([])
        device.size = 32
        cache.invalidate(0, 100)
        expect(yield* from(16)).toEqual([sliceAt(16, 16)])
        device.size = 0
        cache.invalidate(0, 100)
        expect(yield* from(0)).toEqual([])
      })
    )
  )

  it(
    "reads no further than it is drawn",
    run(
      Effect.gen(function* () {
        const device = new TestDevice()
        const cache = yield* PageCache.make({ pageSize: 16, map: device.map })
        const slices = yield* Stream.runCollect(Stream.take(cache.sequence(3), 2))
        expect(slices).toEqual([sliceAt(3, 13), sliceAt(16, 16)])
        expect(device.takeCalls().length).toBeLessThanOrEqual(3)
      })
    )
  )

  it(
    "sees what the device has grown by when it comes there",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(20)
        const cache = yield* PageCache.make({ pageSize: 16, map: device.map })
        const lengths: Array<number> = []
        yield* Stream.runForEach(cache.sequence(0), (slice) =>
          Effect.sync(() => {
            lengths.push(slice.length)
            if (lengths.length === 2) device.size = 35
          })
        )
        expect(lengths).toEqual([16, 4, 12, 3])
      })
    )
  )
})
