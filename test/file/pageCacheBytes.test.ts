/**
 * Reading byte by byte and as text; and what a page cache tells of itself.
 */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import type { PageCacheService } from "../../src/file/pageCacheService.ts"
import { bytesAt, differenceOf, run, TestDevice } from "./pageDevices.ts"

describe("to iterate", () => {
  const seen = <E>(cache: PageCacheService<E>, address: number, length?: number) =>
    Effect.gen(function* () {
      const bytes: Array<number> = []
      const failure = yield* Effect.match(
        cache.iterate(address, { length }, (byte) => bytes.push(byte)),
        { onFailure: (error) => error, onSuccess: () => undefined }
      )
      return { bytes: Uint8Array.from(bytes), failure }
    })

  it(
    "shows every byte once and in order, to the end or so many",
    run(
      Effect.gen(function* () {
        for (const pageSize of [1, 64, 4096]) {
          const cache = yield* PageCache.make({ pageSize, cacheSize: 4, map: new TestDevice(70_000).map })
          for (const address of [0, 1, 63, 4097, 65_536, 69_999]) {
            for (const length of [undefined, 70_000 - address]) {
              const { bytes, failure } = yield* seen(cache, address, length)
              expect(failure).toBeUndefined()
              expect(differenceOf(bytes, bytesAt(address, 70_000 - address))).toBe(-1)
            }
          }
          expect(yield* seen(cache, 5, 9)).toEqual({ bytes: bytesAt(5, 9), failure: undefined })
          for (const address of [0, 70_000, 80_000]) {
            expect((yield* seen(cache, address, 0)).failure).toBeUndefined()
          }
          expect(yield* seen(cache, 70_000)).toEqual({ bytes: new Uint8Array(0), failure: undefined })
        }
      })
    )
  )

  it(
    "beyond the end fails for the range that was asked for, and has shown what there is",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ map: new TestDevice(70_000).map })
        for (const [address, length] of [
          [0, 70_001],
          [0, 2 ** 53 - 1],
          [4464, 65_537],
          [69_999, 2]
        ]) {
          const { bytes, failure } = yield* seen(cache, address, length)
          expect(differenceOf(bytes, bytesAt(address, 70_000 - address))).toBe(-1)
          expect(failure).toMatchObject({ _tag: "ReadOutOfBounds", offset: address, length, end: 70_000 })
        }
      })
    )
  )

  it(
    "may use the cache itself meanwhile, and invalidate it",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ pageSize: 16, cacheSize: 1, map: new TestDevice(100).map })
        const bytes: Array<number> = []
        yield* cache.iterate(0, {}, (byte) => {
          bytes.push(byte)
          cache.invalidate(0, 100)
          expect(cache.unsafe.getUint16BE(15)).toBe(0x0f10)
        })
        expect(Uint8Array.from(bytes)).toEqual(bytesAt(0, 100))
      })
    )
  )
})

describe("a string", () => {
  it(
    "is whole where its characters straddle pages, and marks what is none",
    run(
      Effect.gen(function* () {
        const text = "\uFEFFaé漢😀\0z"
        const encoded = new TextEncoder().encode(text)
        const device = Uint8Array.of(...encoded, 0xff, 0xc3)
        const map = (position: number, length: number) => device.slice(position, position + length)
        for (const pageSize of [1, 2, 8, 64]) {
          const cache = yield* PageCache.make({ pageSize, map })
          expect(yield* cache.getString(0, encoded.length)).toBe(text)
          expect(cache.unsafe.getString(0, encoded.length)).toBe(text)
          expect(yield* cache.getString(encoded.length - 1, 3)).toBe("z\uFFFD\uFFFD")
          expect(yield* cache.getString(4, 1)).toBe("\uFFFD")
          expect(cache.unsafe.getString(3, 0)).toBe("")
          expect(yield* Effect.flip(cache.getString(0, 100))).toMatchObject({ _tag: "ReadOutOfBounds" })
        }
      })
    )
  )
})

describe("a copy of a page cache", () => {
  it(
    "is empty, reads the same device, and counts for itself",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(100)
        const cache = yield* PageCache.make({ pageSize: 16, cacheSize: 2, map: device.map })
        yield* cache.getUint8(1)
        yield* cache.getUint8(2)
        const copy = cache.copy()
        expect(copy).toMatchObject({ pageSize: 16, cacheSize: 2 })
        expect([copy.isCached(1), copy.cacheHit(), copy.cacheMiss()]).toEqual([false, 0, 0])
        expect(yield* copy.getUint8(1)).toBe(1)
        expect(device.takeCalls()).toHaveLength(2)
        copy.invalidate(0, 100)
        expect([cache.isCached(1), cache.cacheHit(), cache.cacheMiss()]).toEqual([true, 1, 1])
      })
    )
  )

  it("tells how many pages a range touches", () => {
    const cache = Effect.runSync(PageCache.make({ map: new TestDevice().map }))
    const touched = (address: number, length: number) => cache.syscalls(address, length)
    expect([touched(0, 0), touched(0, 1), touched(0, 4096), touched(4095, 2)]).toEqual([0, 1, 1, 2])
    expect([touched(1, 4096), touched(2 ** 53 - 1, 0), touched(0, 2 ** 53 - 1)]).toEqual([2, 0, 2 ** 41])
  })
})
