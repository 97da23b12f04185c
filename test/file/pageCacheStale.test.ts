/**
 * A page that is invalidated while it is under way: who gets it, and that it is not kept.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import { run, start } from "./pageDevices.ts"

describe("a page invalidated under way", () => {
  /** A device whose bytes all are `fill`, which is read when a call begins. */
  const changing = Effect.gen(function* () {
    const state = { fill: 1, calls: 0 }
    const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const map = (_: number, length: number) =>
      Effect.suspend(() => {
        const bytes = new Uint8Array(length).fill(state.fill)
        const gate = gates[state.calls++]
        return gate === undefined ? Effect.succeed(bytes) : Effect.as(Deferred.await(gate), bytes)
      })
    const cache = yield* PageCache.make({ pageSize: 4, cacheSize: 8, map })
    return { cache, state, open: (call: number) => Deferred.succeed(gates[call], undefined) }
  })

  it(
    "comes to those who asked before, is not kept, and is asked for anew by who comes later",
    run(
      Effect.gen(function* () {
        const { cache, open, state } = yield* changing
        const before = yield* start(cache.getUint8(0))
        state.fill = 2
        cache.invalidate(0, 1)
        const after = yield* start(cache.getUint8(0))
        expect(state.calls).toBe(2)
        yield* open(0)
        expect(yield* Fiber.join(before)).toBe(1)
        expect(cache.isCached(0)).toBe(false)
        yield* open(1)
        expect(yield* Fiber.join(after)).toBe(2)
        expect(yield* cache.getUint8(0)).toBe(2)
        expect(state.calls).toBe(2)
      })
    )
  )

  it(
    "does not come in behind a newer one",
    run(
      Effect.gen(function* () {
        const { cache, open, state } = yield* changing
        const before = yield* start(cache.getUint8(0))
        state.fill = 2
        cache.invalidate(0, 2 ** 53 - 1)
        const after = yield* start(cache.getUint8(0))
        yield* open(1)
        expect(yield* Fiber.join(after)).toBe(2)
        yield* open(0)
        expect(yield* Fiber.join(before)).toBe(1)
        expect(yield* cache.getUint8(0)).toBe(2)
      })
    )
  )

  it(
    "takes no neighbour with it",
    run(
      Effect.gen(function* () {
        const { cache, open, state } = yield* changing
        const before = yield* start(cache.getBytes(0, 12))
        state.fill = 2
        cache.invalidate(4, 4)
        yield* open(0)
        expect([...(yield* Fiber.join(before))]).toEqual(Array<number>(12).fill(1))
        expect([0, 4, 8].map((address) => cache.isCached(address))).toEqual([true, false, true])
        yield* open(1)
        expect([...(yield* cache.getBytes(0, 12))]).toEqual([1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1])
      })
    )
  )

  it(
    "and left by all who asked for it is interrupted, and the newer call is not",
    run(
      Effect.gen(function* () {
        const { cache, open, state } = yield* changing
        const before = yield* start(cache.getUint8(0))
        state.fill = 2
        cache.invalidate(0, 1)
        const after = yield* start(cache.getUint8(0))
        yield* Fiber.interrupt(before)
        const third = yield* start(cache.getUint8(1))
        expect(state.calls).toBe(2)
        yield* open(1)
        expect([yield* Fiber.join(after), yield* Fiber.join(third)]).toEqual([2, 2])
      })
    )
  )
})
