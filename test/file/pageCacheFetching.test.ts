/**
 * What a page cache asks its device for, and what it remembers.
 */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import { bytesAt, differenceOf, run, TestDevice, thrownBy } from "./pageDevices.ts"

describe("a fetch", () => {
  it(
    "is of whole pages, and one for each run of missing ones",
    run(
      Effect.gen(function* () {
        const device = new TestDevice()
        const cache = yield* PageCache.make({ pageSize: 16, map: device.map })
        yield* cache.getBytes(17, 1)
        expect(device.takeCalls()).toEqual([[16, 16]])
        yield* cache.getBytes(50, 30)
        expect(device.takeCalls()).toEqual([[48, 32]])
        expect(yield* cache.getBytes(3, 120)).toEqual(bytesAt(3, 120))
        expect(device.takeCalls()).toEqual([
          [0, 16],
          [32, 16],
          [80, 48]
        ])
        expect(cache.unsafe.getBytes(3, 120)).toEqual(bytesAt(3, 120))
        expect(device.takeCalls()).toEqual([])
        cache.invalidate(40, 1)
        cache.unsafe.blit(0, new Uint8Array(100), 0, 100)
        expect(device.takeCalls()).toEqual([[32, 16]])
      })
    )
  )

  for (const pageSize of [1, 4096, 2 ** 20, 2 ** 21]) {
    it(
      `is at most a mebibyte, or a page: pages of ${pageSize}`,
      run(
        Effect.gen(function* () {
          const device = new TestDevice(3 * 2 ** 20 + 5)
          const cache = yield* PageCache.make({ pageSize, cacheSize: 4, map: device.map })
          const longest = Math.max(pageSize, 2 ** 20)
          const bytes = yield* cache.getBytes(7, 3 * 2 ** 20 - 7)
          expect(differenceOf(bytes, bytesAt(7, 3 * 2 ** 20 - 7))).toBe(-1)
          const calls = device.takeCalls()
          for (const [position, length] of calls) {
            expect(length).toBeLessThanOrEqual(longest)
            expect(position % pageSize).toBe(0)
            expect(length % pageSize).toBe(0)
          }
          // Once for the last byte, and then for all of it.
          expect(calls.length).toBeLessThanOrEqual(5)
        })
      )
    )
  }

  it(
    "goes on ahead of who reads sequentially, and of nobody else",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(200)
        const cache = yield* PageCache.make({ pageSize: 16, readAhead: 3, map: device.map })
        yield* cache.getUint8(40)
        expect(device.takeCalls()).toEqual([[32, 16]])
        yield* cache.getUint8(100)
        expect(device.takeCalls()).toEqual([[96, 16]])
        yield* cache.getUint8(112)
        expect(device.takeCalls()).toEqual([[112, 64]])
        yield* cache.getUint8(130)
        yield* cache.getUint8(175)
        expect(device.takeCalls()).toEqual([])
        yield* cache.getUint8(176)
        expect(device.takeCalls()).toEqual([[176, 64]])
        expect(cache.isCached(199)).toBe(true)
        expect(yield* cache.getUint8(199)).toBe(199)
        yield* cache.getUint8(0)
        expect(device.takeCalls()).toEqual([[0, 16]])
        yield* cache.getUint8(16)
        expect(device.takeCalls(), "no page twice").toEqual([[16, 16]])
      })
    )
  )

  it(
    "ahead is bounded by a mebibyte and by the cache, and never counted as looked for",
    run(
      Effect.gen(function* () {
        for (const [cacheSize, length] of [
          [2 ** 18, 2 ** 20],
          [128, 1024],
          [4, 64]
        ]) {
          const device = new TestDevice()
          const options = { pageSize: 64, cacheSize, readAhead: Number.MAX_SAFE_INTEGER, map: device.map }
          const cache = yield* PageCache.make(options)
          yield* cache.getUint8(0)
          yield* cache.getUint8(64)
          expect(device.takeCalls()).toEqual([
            [0, 64],
            [64, length]
          ])
          expect(cache.cacheMiss()).toBe(2)
          expect(yield* cache.getUint8(64 * 5)).toBe((64 * 5) % 251)
        }
      })
    )
  )

  it(
    "ahead of the last address ends",
    run(
      Effect.gen(function* () {
        for (const pageSize of [1, 2, 4096]) {
          const device = new TestDevice()
          const cache = yield* PageCache.make({ pageSize, readAhead: 100, map: device.map })
          const last = 2 ** 53 - 2
          for (let address = last - 3 * pageSize; address <= last; address += pageSize) {
            expect(yield* cache.getUint8(address)).toBe(address % 251)
          }
          for (const [position, length] of device.takeCalls()) {
            expect(position + length).toBeLessThanOrEqual(2 ** 53 - 1)
          }
        }
      })
    )
  )

  it(
    "of a length that nobody has memory for is refused, and costs no more calls than a bisection",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(100)
        const cache = yield* PageCache.make({ map: device.map })
        for (const length of [2 ** 20 + 1, 2 ** 31, 2 ** 32 + 1, 2 ** 40, 2 ** 53 - 1]) {
          const refused = { _tag: "ReadOutOfBounds", offset: 0, length }
          expect(yield* Effect.flip(cache.getBytes(0, length))).toMatchObject(refused)
          expect(thrownBy(() => cache.unsafe.getBytes(0, length))).toMatchObject(refused)
          expect(yield* Effect.flip(cache.getString(0, length))).toMatchObject(refused)
          expect(device.takeCalls().length).toBeLessThanOrEqual(3 * (3 + Math.log2(length / 4096)))
        }
        const endless = yield* PageCache.make({ map: new TestDevice().map })
        for (const length of [2 ** 46, 2 ** 53 - 1]) {
          const refused = { _tag: "InvalidArgument", operation: "getBytes" }
          expect(yield* Effect.flip(endless.getBytes(0, length))).toMatchObject(refused)
          expect(thrownBy(() => endless.unsafe.getBytes(0, length))).toMatchObject(refused)
        }
      })
    )
  )
})

describe("a page that the device ends on", () => {
  it(
    "is read again when more of it is asked for, and from the cache until then",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(20)
        const cache = yield* PageCache.make({ pageSize: 16, map: device.map })
        expect(yield* Effect.flip(cache.getBytes(10, 20))).toMatchObject({ end: 20 })
        expect(device.takeCalls()).toEqual([[0, 32]])
        expect(yield* cache.getUint8(19)).toBe(19)
        expect(yield* cache.load(18, { length: 2 })).toMatchObject({ offset: 16, length: 4 })
        expect(device.takeCalls()).toEqual([])
        device.size = 31
        expect(cache.isCached(20)).toBe(false)
        expect(yield* cache.getUint16BE(19)).toBe(0x1314)
        expect(device.takeCalls()).toEqual([[16, 16]])
        expect(cache.unsafe.getUint8(30)).toBe(30)
        expect(device.takeCalls()).toEqual([])
        expect(thrownBy(() => cache.unsafe.getUint8(31))).toMatchObject({ end: 31 })
        device.size = 40
        expect(cache.unsafe.getBytes(28, 12)).toEqual(bytesAt(28, 12))
      })
    )
  )

  it(
    "is asked for as often as somebody asks beyond it, and what is behind is not remembered",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(16)
        const cache = yield* PageCache.make({ pageSize: 16, map: device.map })
        for (let round = 0; round < 3; round++) {
          expect(yield* Effect.flip(cache.getUint8(16))).toMatchObject({ end: 16 })
          expect(device.takeCalls()).toEqual([[16, 16]])
        }
        expect(cache.isCached(16)).toBe(false)
      })
    )
  )
})

describe("to invalidate", () => {
  it(
    "a range of any length takes no time",
    run(
      Effect.gen(function* () {
        for (const pageSize of [1, 4096]) {
          const cache = yield* PageCache.make({ pageSize, cacheSize: 16, map: new TestDevice().map })
          const began = performance.now()
          for (let round = 0; round < 100; round++) {
            yield* cache.getUint8(round)
            yield* cache.getUint8(2 ** 53 - 2)
            cache.invalidate(0, 2 ** 53 - 1)
            expect([cache.isCached(round), cache.isCached(2 ** 53 - 2)]).toEqual([false, false])
            yield* cache.getUint8(2 ** 52)
            cache.invalidate(2 ** 52 + pageSize, 2 ** 51)
            expect(cache.isCached(2 ** 52)).toBe(true)
          }
          expect(performance.now() - began).toBeLessThan(5000)
        }
      })
    )
  )

  it(
    "makes a changed device be read anew, and no more of it than was told",
    run(
      Effect.gen(function* () {
        let fill = 1
        const map = (_: number, length: number) => new Uint8Array(length).fill(fill)
        const cache = yield* PageCache.make({ pageSize: 4, cacheSize: 8, map })
        yield* cache.getBytes(0, 16)
        fill = 2
        cache.invalidate(5, 6)
        expect([...(yield* cache.getBytes(0, 16))]).toEqual([1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1])
      })
    )
  )
})
