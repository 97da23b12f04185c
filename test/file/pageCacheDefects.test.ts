/**
 * Defects of the cache that this one follows. None may come back.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import { bytesAt, run, TestDevice, thrownBy } from "./pageDevices.ts"

const pageSize = 4096

describe("the original's defect", () => {
  it(
    "an offset within a page of 23 bits: addresses behind the end are out of bounds, and no wrong argument",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(5000)
        const cache = yield* PageCache.make({ map: device.map })
        for (const address of [5000, 5001, 8191, 8192, 9000, 2 ** 23, 2 ** 23 + 5000, 2 ** 32 + 5000]) {
          const refused = { _tag: "ReadOutOfBounds", offset: address, length: 1 }
          expect(yield* Effect.flip(cache.getUint8(address))).toMatchObject(refused)
          expect(thrownBy(() => cache.unsafe.getUint8(address))).toMatchObject(refused)
          expect(yield* cache.load(address)).toBeUndefined()
        }
        expect(yield* Effect.flip(cache.getUint16LE(4999))).toMatchObject({
          _tag: "ReadOutOfBounds",
          offset: 4999,
          length: 2,
          end: 5000
        })
        expect(yield* cache.getUint8(4999)).toBe(4999 % 251)
      })
    )
  )

  it(
    "a load of two bytes of which one is left on the page gave a slice",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ map: new TestDevice(2 * pageSize).map })
        for (const state of ["empty", "full"]) {
          expect(yield* cache.load(4095, { length: 2 }), state).toBeUndefined()
          expect(yield* cache.load(4094, { length: 2 }), state).toMatchObject({ offset: 0, length: pageSize })
          expect(yield* cache.load(8191, { length: 2 }), state).toBeUndefined()
        }
      })
    )
  )

  it(
    "a place within a slice of 23 bits, and slices that began before their address",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ map: new TestDevice(3 * pageSize).map })
        const slice = yield* cache.load(4196)
        expect(slice).toMatchObject({ offset: 4096, length: pageSize })
        expect(slice!.bytes.subarray(4196 - slice!.offset)).toEqual(bytesAt(4196, 3996))
        const slices = yield* Stream.runCollect(cache.sequence(4196))
        expect(slices.map(({ length, offset }) => [offset, length])).toEqual([
          [4196, 3996],
          [8192, pageSize]
        ])
        for (const { bytes, length, offset } of slices) expect(bytes).toEqual(bytesAt(offset, length))
      })
    )
  )

  it(
    "a load of no bytes gave the page",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(100)
        const cache = yield* PageCache.make({ map: device.map })
        for (const address of [0, 50, 99, 100, 5000, Number.MAX_SAFE_INTEGER]) {
          const empty = { offset: address, length: 0, bytes: new Uint8Array(0) }
          expect(yield* cache.load(address, { length: 0 })).toEqual(empty)
        }
        expect(device.takeCalls()).toEqual([])
      })
    )
  )

  it(
    "to invalidate a page took the next one too",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ map: new TestDevice().map })
        const cached = () => [0, 1, 2, 3].filter((page) => cache.isCached(page * pageSize))
        for (const [offset, length, kept] of [
          [0, 4096, [1, 2, 3]],
          [4096, 4096, [0, 2, 3]],
          [4095, 1, [1, 2, 3]],
          [4095, 2, [2, 3]],
          [4096, 4097, [0, 3]],
          [4096, 0, [0, 1, 2, 3]],
          [0, 0, [0, 1, 2, 3]],
          [1, 16382, []],
          [16384, 4096, [0, 1, 2, 3]]
        ] as const) {
          yield* cache.getBytes(0, 4 * pageSize)
          expect(cached()).toEqual([0, 1, 2, 3])
          cache.invalidate(offset, length)
          expect(cached(), `${offset}, ${length}`).toEqual(kept)
        }
      })
    )
  )

  it(
    "pages without bytes were cached, and hid what came later",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(0)
        const cache = yield* PageCache.make({ map: device.map })
        expect(yield* cache.load(0)).toBeUndefined()
        expect(yield* Effect.flip(cache.getUint8(5000))).toMatchObject({ _tag: "ReadOutOfBounds" })
        expect([cache.isCached(0), cache.isCached(5000)]).toEqual([false, false])
        device.size = 5001
        expect(yield* cache.getUint8(5000)).toBe(5000 % 251)
        expect(cache.isCached(5000)).toBe(true)
        expect(cache.isCached(5001)).toBe(false)
        device.size = 6000
        expect(yield* cache.getUint32BE(4998)).toBe(new DataView(bytesAt(4998, 4).buffer).getUint32(0))
        expect(cache.isCached(5999)).toBe(true)
        expect(yield* cache.load(5999)).toMatchObject({ offset: 4096, length: 1904 })
      })
    )
  )

  it(
    "a map that gave more than asked, or less, was taken at its word or filled up with zeros",
    run(
      Effect.gen(function* () {
        const more = (position: number, length: number) => bytesAt(position, length + 100)
        const generous = yield* PageCache.make({ pageSize: 64, cacheSize: 4, map: more })
        expect(yield* generous.getBytes(10, 300)).toEqual(bytesAt(10, 300))
        expect(yield* generous.load(70)).toMatchObject({ offset: 64, length: 64, bytes: bytesAt(64, 64) })
        expect(generous.isCached(320)).toBe(false)
        const short = yield* PageCache.make({ pageSize: 64, map: new TestDevice(70).map })
        expect(yield* short.load(64)).toEqual({ offset: 64, length: 6, bytes: bytesAt(64, 6) })
        expect(yield* Effect.flip(short.getBytes(0, 71))).toMatchObject({ offset: 0, length: 71, end: 70 })
      })
    )
  )

  it(
    "a blit within one page forgot where to",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ map: new TestDevice(2 * pageSize).map })
        const expected = new Uint8Array(16)
        expected.set(bytesAt(20, 8), 5)
        for (const state of ["empty", "full"]) {
          const out = new Uint8Array(16)
          yield* cache.blit(20, out, 5, 8)
          expect(out, state).toEqual(expected)
          const now = new Uint8Array(16)
          cache.unsafe.blit(20, now, 5, 8)
          expect(now, state).toEqual(expected)
          // A destination that is itself a part of something.
          const whole = new Uint8Array(32)
          yield* cache.blit(4092, whole.subarray(8, 24), 4, 8)
          expect(whole.subarray(12, 20)).toEqual(bytesAt(4092, 8))
          expect(whole.subarray(0, 12)).toEqual(new Uint8Array(12))
        }
      })
    )
  )

  it(
    "reads of several bytes went through the cache byte by byte, and were counted so",
    run(
      Effect.gen(function* () {
        const device = new TestDevice()
        const cache = yield* PageCache.make({ map: device.map })
        yield* cache.getUint64LE(4093)
        expect([cache.cacheHit(), cache.cacheMiss(), device.takeCalls()]).toEqual([0, 2, [[0, 2 * pageSize]]])
        yield* cache.getUint64LE(4093)
        expect([cache.cacheHit(), cache.cacheMiss()]).toEqual([2, 2])
        cache.unsafe.getUint32LE(4093)
        yield* cache.getUint32LE(1)
        cache.unsafe.getUint32LE(3)
        yield* cache.load(1)
        expect([cache.cacheHit(), cache.cacheMiss()]).toEqual([7, 2])
        yield* cache.getBytes(0, 3 * pageSize)
        expect([cache.cacheHit(), cache.cacheMiss(), device.takeCalls()]).toEqual([9, 3, [[8192, pageSize]]])
      })
    )
  )
})
