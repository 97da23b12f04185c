/**
 * Many who wait for one page: one call for all, and what becomes of it when they go.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import { bytesAt, run, start, TestDevice, thrownBy } from "./pageDevices.ts"

/** A device that answers once the gate is open, and a cache over it. */
const gated = Effect.gen(function* () {
  const device = new TestDevice(1000)
  const gate = yield* Deferred.make<void>()
  const map = device.mapAfter(Deferred.await(gate))
  const cache = yield* PageCache.make({ pageSize: 16, cacheSize: 8, map })
  return { device, cache, open: Deferred.succeed(gate, undefined) }
})

describe("a page under way", () => {
  it(
    "is asked for once, whoever asks meanwhile and in whatever way",
    run(
      Effect.gen(function* () {
        const { cache, device, open } = yield* gated
        const fibers = [
          yield* start(cache.getUint8(3)),
          yield* start(cache.getUint16BE(4)),
          yield* start(cache.getBytes(0, 16)),
          yield* start(cache.load(9)),
          yield* start(cache.iterate(1, { length: 2 }, () => {}))
        ]
        yield* start(cache.getBytes(10, 30))
        expect(device.calls).toEqual([[0, 16]])
        yield* open
        yield* Effect.sleep(5)
        const results = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber as Fiber.Fiber<unknown>))
        expect(results).toEqual([
          3,
          0x0405,
          bytesAt(0, 16),
          { offset: 0, length: 16, bytes: bytesAt(0, 16) },
          undefined
        ])
        expect(device.calls).toEqual([
          [0, 16],
          [16, 32]
        ])
        expect(device.underWay).toBe(0)
      })
    )
  )

  it(
    "gives each its own memory",
    run(
      Effect.gen(function* () {
        const { cache, open } = yield* gated
        const fibers = [yield* start(cache.load(0)), yield* start(cache.load(1))]
        yield* open
        const [first, second] = yield* Effect.forEach(fibers, Fiber.join)
        first!.bytes.fill(0xee)
        expect(second!.bytes).toEqual(bytesAt(0, 16))
        expect(yield* cache.getBytes(0, 16)).toEqual(bytesAt(0, 16))
      })
    )
  )

  it(
    "within a longer run is waited for, and its neighbours beside it are not",
    run(
      Effect.gen(function* () {
        const { cache, device, open } = yield* gated
        const long = yield* start(cache.getBytes(16, 48))
        const inside = yield* start(cache.getUint32BE(46))
        const over = yield* start(cache.getBytes(0, 100))
        expect(device.calls).toEqual([
          [16, 48],
          [0, 16]
        ])
        yield* open
        expect(yield* Fiber.join(long)).toEqual(bytesAt(16, 48))
        expect(yield* Fiber.join(inside)).toBe(0x2e2f3031)
        expect(yield* Fiber.join(over)).toEqual(bytesAt(0, 100))
        expect(device.calls.slice(2)).toEqual([[64, 48]])
      })
    )
  )

  it(
    "is not disturbed by those who are interrupted, the first of them included",
    run(
      Effect.gen(function* () {
        const { cache, device, open } = yield* gated
        const first = yield* start(cache.getUint8(3))
        const second = yield* start(cache.getUint8(4))
        const third = yield* start(cache.load(5))
        yield* Fiber.interrupt(first)
        yield* Fiber.interrupt(third)
        expect(device.underWay).toBe(1)
        yield* open
        expect(yield* Fiber.join(second)).toBe(4)
        expect(Exit.hasInterrupts(yield* Fiber.await(first))).toBe(true)
        expect(cache.isCached(3)).toBe(true)
        expect(device.calls).toHaveLength(1)
      })
    )
  )

  it(
    "is interrupted with the last of them, who waits for its end",
    run(
      Effect.gen(function* () {
        let isEnded = false
        const device = new TestDevice(1000)
        const map = device.mapAfter(
          Effect.never.pipe(
            Effect.onInterrupt(() =>
              Effect.andThen(
                Effect.sleep(20),
                Effect.sync(() => (isEnded = true))
              )
            )
          )
        )
        const cache = yield* PageCache.make({ pageSize: 16, map })
        const fibers = [yield* start(cache.getUint8(3)), yield* start(cache.getUint8(4))]
        yield* Fiber.interrupt(fibers[0])
        expect([isEnded, device.underWay]).toEqual([false, 1])
        yield* Fiber.interrupt(fibers[1])
        expect([isEnded, device.underWay]).toEqual([true, 0])
        expect(cache.isCached(3)).toBe(false)
      })
    )
  )

  it(
    "that is being interrupted is not joined: who asks then asks the device",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(1000)
        const slowly = Effect.never.pipe(Effect.onInterrupt(() => Effect.sleep(30)))
        const never = device.mapAfter(slowly)
        let calls = 0
        const cache = yield* PageCache.make({
          pageSize: 16,
          map: (position: number, length: number) =>
            calls++ === 0 ? never(position, length) : device.map(position, length)
        })
        const first = yield* start(cache.getUint8(3))
        const interrupting = yield* start(Fiber.interrupt(first))
        expect(device.underWay).toBe(1)
        expect(yield* cache.getUint8(3)).toBe(3)
        expect(device.underWay, "the first call is still ending").toBe(1)
        yield* Fiber.join(interrupting)
        expect([calls, device.underWay, cache.isCached(3)]).toEqual([2, 0, true])
      })
    )
  )

  it(
    "is waited for to its end by who can't be interrupted",
    run(
      Effect.gen(function* () {
        const { cache, device, open } = yield* gated
        const fiber = yield* start(Effect.uninterruptible(cache.getUint8(3)))
        const interrupting = yield* start(Fiber.interrupt(fiber))
        yield* Effect.sleep(5)
        expect(device.underWay).toBe(1)
        yield* open
        yield* Fiber.join(interrupting)
        expect([device.underWay, cache.isCached(3)]).toEqual([0, true])
      })
    )
  )

  it(
    "that takes too long ends with the timeout of its only reader",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(1000)
        const cache = yield* PageCache.make({ pageSize: 16, map: device.mapAfter(Effect.never) })
        for (let round = 1; round <= 3; round++) {
          const failure = yield* Effect.flip(Effect.timeout(cache.getBytes(3, 40), 5))
          expect(failure).toMatchObject({ _tag: "TimeoutError" })
          expect([device.underWay, device.calls.length]).toEqual([0, round])
        }
      })
    )
  )

  it(
    "can't be read at once, and nothing is left of the attempt",
    run(
      Effect.gen(function* () {
        const { cache, device, open } = yield* gated
        const refused = { _tag: "Unsupported", operation: "unsafe" }
        expect(thrownBy(() => cache.unsafe.getUint8(3))).toMatchObject(refused)
        yield* Effect.sleep(1)
        expect(device.underWay).toBe(0)
        const fiber = yield* start(cache.load(3))
        expect(thrownBy(() => cache.unsafe.getUint8(3))).toMatchObject(refused)
        expect(thrownBy(() => cache.unsafe.getBytes(20, 100))).toMatchObject(refused)
        yield* open
        yield* Fiber.join(fiber)
        expect(cache.unsafe.getUint8(3)).toBe(3)
      })
    )
  )
})
