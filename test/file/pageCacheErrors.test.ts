/**
 * How a device fails, and that its failures are told to who asked and forgotten.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Stream from "effect/Stream"
import { describe, expect, expectTypeOf, it } from "vitest"
import type { InvalidArgument, ReadOutOfBounds } from "../../src/bytes/errors.ts"
import { PageCache } from "../../src/file/PageCache.ts"
import type {
  PageCacheIoError,
  PageCacheService,
  PageReadError,
  PageSlice
} from "../../src/file/pageCacheService.ts"
import { bytesAt, run, TestDevice, thrownBy } from "./pageDevices.ts"

class Unplugged extends Data.TaggedError("Unplugged")<{ readonly port: number }> {}
const unplugged = new Unplugged({ port: 7 })

/** Every way to read the byte at 20. */
const readsOf = <E>(cache: PageCacheService<E>): ReadonlyArray<Effect.Effect<unknown, PageReadError<E>>> => [
  cache.getUint8(20),
  cache.getUint64LE(13),
  cache.getBytes(18, 20),
  cache.getString(20, 1),
  cache.load(20),
  cache.next({ offset: 3, length: 1, bytes: new Uint8Array(1) }),
  cache.blit(20, new Uint8Array(1), 0, 1),
  cache.iterate(20, {}, () => {})
]

describe("a device's failure", () => {
  for (const [way, fail] of [
    ["of an Effect", () => Effect.fail(unplugged)],
    ["of an Effect, later", () => Effect.andThen(Effect.sleep(1), Effect.fail(unplugged))],
    [
      "thrown",
      () => {
        throw unplugged
      }
    ],
    [
      "thrown by an Effect's maker",
      (): Effect.Effect<Uint8Array, Unplugged> => {
        throw unplugged
      }
    ]
  ] as const) {
    it(
      `${way} is the read's, and nothing of it is remembered`,
      run(
        Effect.gen(function* () {
          const device = new TestDevice(100)
          let isPlugged = false
          const map = (position: number, length: number) => {
            const bytes = device.map(position, length)
            return isPlugged ? bytes : (fail() as Effect.Effect<Uint8Array, Unplugged>)
          }
          const cache = yield* PageCache.make({ pageSize: 16, map })
          for (const read of readsOf(cache)) {
            isPlugged = false
            expect(yield* Effect.flip(read)).toBe(unplugged)
            expect(device.takeCalls()).toHaveLength(1)
            expect(cache.isCached(20)).toBe(false)
            isPlugged = true
            yield* read
            expect(device.takeCalls().length).toBeGreaterThan(0)
            cache.invalidate(0, 100)
          }
        })
      )
    )
  }

  it(
    "comes to all who wait, and the next one asks again",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(100)
        let failures = 1
        const map = device.mapAfter(
          Effect.andThen(
            Effect.sleep(2),
            Effect.suspend(() => (failures-- > 0 ? Effect.fail(unplugged) : Effect.void))
          )
        )
        const cache = yield* PageCache.make({ pageSize: 16, map })
        const results = yield* Effect.forEach([1, 2, 3], (address) => Effect.flip(cache.getUint8(address)), {
          concurrency: "unbounded"
        })
        expect(results).toEqual([unplugged, unplugged, unplugged])
        expect(device.takeCalls()).toHaveLength(1)
        expect(yield* cache.getUint8(3)).toBe(3)
        expect(device.underWay).toBe(0)
      })
    )
  )

  it(
    "behind pages that were read leaves those cached",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(100)
        let isBroken = true
        const map = (position: number, length: number) => {
          if (isBroken && position >= 32) throw unplugged
          return device.map(position, length)
        }
        const cache = yield* PageCache.make<Unplugged>({ pageSize: 16, map })
        yield* cache.getUint8(50).pipe(Effect.flip)
        yield* cache.getBytes(0, 32)
        expect(yield* Effect.flip(cache.getBytes(0, 60))).toBe(unplugged)
        expect(cache.isCached(31)).toBe(true)
        isBroken = false
        expect(yield* cache.getBytes(0, 60)).toEqual(bytesAt(0, 60))
      })
    )
  )

  it(
    "is thrown by what reads at once",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ map: () => Effect.fail(unplugged) })
        const throwing = yield* PageCache.make({
          map: () => {
            throw unplugged
          }
        })
        for (const { unsafe } of [cache, throwing]) {
          expect(thrownBy(() => unsafe.getUint8(0))).toBe(unplugged)
          expect(thrownBy(() => unsafe.getBytes(0, 100))).toBe(unplugged)
          expect(thrownBy(() => unsafe.blit(0, new Uint8Array(8), 0, 8))).toBe(unplugged)
        }
      })
    )
  )
})

describe("a device's defect", () => {
  const bug = new Error("a bug")
  for (const [way, map] of [
    [
      "thrown",
      () => {
        throw bug
      }
    ],
    ["of an Effect", () => Effect.die(bug)],
    ["of an Effect, later", () => Effect.andThen(Effect.sleep(1), Effect.die(bug))]
  ] as const) {
    it(
      `${way} is the read's, and nothing of it is remembered`,
      run(
        Effect.gen(function* () {
          let calls = 0
          const counted = (): Uint8Array | Effect.Effect<Uint8Array> => {
            calls++
            return map()
          }
          const cache = yield* PageCache.make({ pageSize: 16, map: counted })
          for (const read of readsOf(cache)) {
            calls = 0
            expect(yield* Effect.exit(read)).toEqual(Exit.die(bug))
            expect(calls).toBe(1)
          }
        })
      )
    )
  }

  it(
    "that interrupts itself interrupts who waits, and the next one asks again",
    run(
      Effect.gen(function* () {
        let calls = 0
        const map = () =>
          Effect.suspend(() => (calls++ === 0 ? Effect.interrupt : Effect.succeed(bytesAt(0, 16))))
        const cache = yield* PageCache.make({ pageSize: 16, map })
        expect(Exit.hasInterrupts(yield* Effect.exit(Effect.scoped(cache.getUint8(1))))).toBe(true)
        expect(yield* cache.getUint8(1)).toBe(1)
        expect(calls).toBe(2)
      })
    )
  )
})

class Port extends Context.Service<Port, { readonly read: (length: number) => Uint8Array }>()("test/Port") {}

describe("what a map needs", () => {
  it(
    "is taken where the cache is made",
    run(
      Effect.gen(function* () {
        const made = PageCache.make({
          pageSize: 16,
          map: (_, length) =>
            Effect.andThen(
              Effect.yieldNow,
              Effect.map(Port, (port) => port.read(length))
            )
        })
        expectTypeOf(made).toEqualTypeOf<Effect.Effect<PageCacheService<never>, InvalidArgument, Port>>()
        const cache = yield* Effect.provideService(made, Port, {
          read: (length) => new Uint8Array(length).fill(9)
        })
        const read = cache.getUint16LE(15)
        expectTypeOf(read).toEqualTypeOf<Effect.Effect<number, PageReadError<never>>>()
        expect(yield* read).toBe(0x0909)
        const elsewhere = { read: (length: number) => new Uint8Array(length) }
        expect(yield* Effect.provideService(cache.getUint8(40), Port, elsewhere)).toBe(9)
        expect(yield* cache.copy().getUint8(40)).toBe(9)
      })
    )
  )
})

describe("the error channel of a page cache", () => {
  it("holds its device's own errors, and the cache's", () => {
    type Cache = PageCacheService<Unplugged>
    type ReadFailure = Unplugged | InvalidArgument | ReadOutOfBounds
    type PageFailure = Unplugged | InvalidArgument
    expectTypeOf<Cache["getUint8"]>().returns.toEqualTypeOf<Effect.Effect<number, ReadFailure>>()
    expectTypeOf<Cache["getUint64BE"]>().returns.toEqualTypeOf<Effect.Effect<bigint, ReadFailure>>()
    expectTypeOf<Cache["getSafeInt64NE"]>().returns.toEqualTypeOf<Effect.Effect<number, ReadFailure>>()
    expectTypeOf<Cache["load"]>().returns.toEqualTypeOf<Effect.Effect<PageSlice | undefined, PageFailure>>()
    expectTypeOf<Cache["sequence"]>().returns.toEqualTypeOf<Stream.Stream<PageSlice, PageFailure>>()
    const make = (fails: boolean) =>
      PageCache.make({ map: () => (fails ? Effect.fail(unplugged) : Effect.succeed(new Uint8Array(1))) })
    expectTypeOf(make).returns.toEqualTypeOf<Effect.Effect<Cache, InvalidArgument>>()
    const atOnce = () => PageCache.make({ map: () => new Uint8Array(1) })
    expectTypeOf(atOnce).returns.toEqualTypeOf<Effect.Effect<PageCacheService<never>, InvalidArgument>>()
    expectTypeOf<ReturnType<typeof PageCache.overFile>>().toEqualTypeOf<
      Effect.Effect<PageCacheService<PageCacheIoError>, InvalidArgument>
    >()
  })
})
