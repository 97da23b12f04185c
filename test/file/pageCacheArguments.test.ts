/**
 * What no call of a page cache accepts: refused before the device is asked, and never a defect.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import type { PageCacheOptions, PageCacheService } from "../../src/file/pageCacheService.ts"
import { bytesAt, run, TestDevice, thrownBy } from "./pageDevices.ts"

const wrong = [-1, 0.5, 4095.5, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 1e300]
const slice = (offset: number) => ({ offset, length: 1, bytes: new Uint8Array(1) })

/** Every Effect that takes this number in the place of an address, an offset or a length. */
const effects = (
  cache: PageCacheService<never>,
  n: number
): Record<string, Effect.Effect<unknown, unknown>> => ({
  getInt8: cache.getInt8(n),
  getUint16LE: cache.getUint16LE(n),
  getUint64BE: cache.getUint64BE(n),
  getSafeUint64NE: cache.getSafeUint64NE(n),
  load: cache.load(n),
  "load, nothing": cache.load(n, { length: 0 }),
  "load, length": cache.load(0, { length: n }),
  next: cache.next(slice(n)),
  getBytes: cache.getBytes(n, 1),
  "getBytes, nothing": cache.getBytes(n, 0),
  "getBytes, length": cache.getBytes(0, n),
  getString: cache.getString(n, 1),
  "getString, length": cache.getString(0, n),
  blit: cache.blit(n, new Uint8Array(4), 0, 1),
  "blit, place": cache.blit(0, new Uint8Array(4), n, 1),
  "blit, length": cache.blit(0, new Uint8Array(4), 0, n),
  iterate: cache.iterate(n, { length: 1 }, () => {}),
  "iterate, to the end": cache.iterate(n, {}, () => {}),
  "iterate, length": cache.iterate(0, { length: n }, () => {}),
  sequence: Stream.runDrain(cache.sequence(n))
})

const calls = (cache: PageCacheService<never>, n: number): Record<string, () => unknown> => ({
  getInt8: () => cache.unsafe.getInt8(n),
  getUint16LE: () => cache.unsafe.getUint16LE(n),
  getUint64BE: () => cache.unsafe.getUint64BE(n),
  getBytes: () => cache.unsafe.getBytes(n, 1),
  "getBytes, length": () => cache.unsafe.getBytes(0, n),
  getString: () => cache.unsafe.getString(n, 1),
  blit: () => cache.unsafe.blit(n, new Uint8Array(4), 0, 1),
  "blit, place": () => cache.unsafe.blit(0, new Uint8Array(4), n, 1),
  "blit, length": () => cache.unsafe.blit(0, new Uint8Array(4), 0, n),
  invalidate: () => cache.invalidate(n, 1),
  "invalidate, length": () => cache.invalidate(0, n),
  isCached: () => cache.isCached(n),
  syscalls: () => cache.syscalls(n, 1),
  "syscalls, length": () => cache.syscalls(0, n)
})

describe("an argument of a page cache", () => {
  for (const pageSize of [64, 4096]) {
    it(
      `is refused where it is no address, on pages of ${pageSize}`,
      run(
        Effect.gen(function* () {
          const device = new TestDevice(2 ** 20)
          const cache = yield* PageCache.make({ pageSize, map: device.map })
          for (const state of ["empty", "full"]) {
            for (const n of wrong) {
              for (const [name, effect] of Object.entries(effects(cache, n))) {
                const failure = yield* Effect.flip(effect)
                expect(failure, `${name} of ${n}, ${state}`).toMatchObject({
                  _tag: "InvalidArgument",
                  operation: expect.stringMatching(name.split(",")[0].replace("sequence", "load")) as string
                })
              }
              for (const [name, call] of Object.entries(calls(cache, n))) {
                expect(thrownBy(call), `${name} of ${n}, ${state}`).toMatchObject({
                  _tag: "InvalidArgument"
                })
              }
            }
            expect(device.takeCalls()).toEqual([])
            yield* cache.getBytes(0, 8192)
            expect(cache.isCached(4096)).toBe(true)
            device.takeCalls()
          }
        })
      )
    )
  }

  it(
    "is the first address where it is minus zero",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(100)
        const cache = yield* PageCache.make({ pageSize: 16, map: device.map })
        expect(yield* cache.getUint16BE(-0)).toBe(1)
        expect(cache.unsafe.getUint16BE(-0)).toBe(1)
        expect((yield* cache.load(-0))?.bytes).toEqual(bytesAt(0, 16))
        expect(cache.isCached(-0)).toBe(true)
        cache.invalidate(-0, 1)
        expect(cache.isCached(0)).toBe(false)
        expect(cache.unsafe.getBytes(-0, 4)).toEqual(bytesAt(0, 4))
        expect(device.takeCalls()).toHaveLength(2)
        expect(yield* cache.getBytes(0, -0)).toEqual(new Uint8Array(0))
      })
    )
  )

  it(
    "is refused where the range ends beyond 2^53-1",
    run(
      Effect.gen(function* () {
        const device = new TestDevice()
        const cache = yield* PageCache.make({ map: device.map })
        const last = Number.MAX_SAFE_INTEGER
        for (const effect of [
          cache.getBytes(last, 1),
          cache.getBytes(1, last),
          cache.getString(last - 1, 2),
          cache.blit(last, new Uint8Array(1), 0, 1),
          cache.iterate(2, { length: last - 1 }, () => {})
        ]) {
          expect(yield* Effect.flip(effect)).toMatchObject({ _tag: "InvalidArgument" })
        }
        expect(thrownBy(() => cache.invalidate(1, last))).toMatchObject({ _tag: "InvalidArgument" })
        expect(thrownBy(() => cache.syscalls(1, last))).toMatchObject({ _tag: "InvalidArgument" })
        expect(cache.isCached(last)).toBe(false)
        expect(device.takeCalls()).toEqual([])
      })
    )
  )

  it(
    "is refused where a destination is too small, and the destination stays as it was",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(100)
        const cache = yield* PageCache.make({ map: device.map })
        for (const [at, length] of [
          [0, 9],
          [8, 1],
          [9, 0],
          [5, 4],
          [Number.MAX_SAFE_INTEGER, 1]
        ]) {
          const out = new Uint8Array(8)
          const refused = { _tag: "InvalidArgument", operation: "blit" }
          expect(yield* Effect.flip(cache.blit(0, out, at, length))).toMatchObject(refused)
          expect(thrownBy(() => cache.unsafe.blit(0, out, at, length))).toMatchObject(refused)
          expect(out).toEqual(new Uint8Array(8))
        }
        expect(device.takeCalls()).toEqual([])
        yield* cache.blit(0, new Uint8Array(8), 8, 0)
      })
    )
  )

  it(
    "of load is at most a page",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ pageSize: 16, map: new TestDevice().map })
        expect(yield* Effect.flip(cache.load(0, { length: 17 }))).toMatchObject({
          message: "load: 17 bytes are more than a page, which has 16"
        })
        expect(yield* cache.load(0, { length: 16 })).toMatchObject({ offset: 0, length: 16 })
      })
    )
  )
})

describe("the sizes of a page cache", () => {
  const refused: ReadonlyArray<PageCacheOptions> = [
    ...[0, -4, 3, 4097, 0.5, 1.5, NaN, Infinity, 2 ** 53 - 1].flatMap((size) => [
      { pageSize: size },
      { cacheSize: size }
    ]),
    ...[-1, 0.5, NaN, Infinity].map((readAhead) => ({ readAhead })),
    { pageSize: 2 ** 31, cacheSize: 1 },
    { pageSize: 2 ** 21, cacheSize: 2 ** 10 },
    { pageSize: 1, cacheSize: 2 ** 52 }
  ]
  for (const options of refused) {
    it(
      `are refused: ${JSON.stringify(Object.entries(options).map(([name, size]) => `${name} ${size}`))}`,
      run(
        Effect.gen(function* () {
          const { map } = new TestDevice()
          expect(yield* Effect.flip(PageCache.make({ map, ...options }))).toMatchObject({
            _tag: "InvalidArgument",
            operation: "PageCache"
          })
        })
      )
    )
  }

  it(
    "can be told, and are 1024 pages of 4096 bytes by default",
    run(
      Effect.gen(function* () {
        const { map } = new TestDevice()
        expect(yield* PageCache.make({ map })).toMatchObject({ pageSize: 4096, cacheSize: 1024 })
        const least = yield* PageCache.make({ map, pageSize: 1, cacheSize: 1 })
        expect(least).toMatchObject({ pageSize: 1, cacheSize: 1 })
        expect(yield* least.getUint32BE(1)).toBe(0x01020304)
      })
    )
  )
})
