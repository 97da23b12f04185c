/**
 * Law: however many fibers read through one page cache, and whoever of them is interrupted, each reads
 * right, no page is asked for twice at once, and no call outlives those who wait for it.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { crowdOf, type Happening, type Reading } from "./pageCacheCrowd.ts"
import { afterTurns, type Answering } from "./pageCacheDevice.ts"
import { sameBytes } from "./pageCacheWatch.ts"
import { runProperty } from "./runs.ts"

const stories = fc.record({
  pagePower: fc.integer({ min: 2, max: 8 }),
  cachePower: fc.nat(5),
  readAhead: fc.nat(4),
  pages: fc.integer({ min: 1, max: 16 }),
  answering: fc.constantFrom<Answering>("after yields", "by a callback", "in every way"),
  waits: fc.array(fc.nat(6), { minLength: 1, maxLength: 6 }),
  readers: fc.array(
    fc.record({
      startsAfter: fc.nat(6),
      interruptedAfter: fc.option(fc.nat(12), { nil: undefined }),
      readings: fc.array(
        fc.record({
          at: fc.nat(1000),
          length: fc.oneof(fc.nat(9), fc.nat(900)),
          how: fc.constantFrom<Reading["how"]>("bytes", "bytes", "load", "now", "sequence")
        }),
        { minLength: 1, maxLength: 8 }
      )
    }),
    { minLength: 1, maxLength: 16, size: "max" }
  ),
  happenings: fc.array(
    fc.record({
      after: fc.nat(4),
      what: fc.constantFrom<Happening["what"]>("invalidate", "write", "write", "grow", "fault"),
      at: fc.nat(1000),
      length: fc.integer({ min: 1, max: 600 })
    }),
    { maxLength: 8 }
  )
})

/** Nothing here takes long, so that what hangs is found. */
const inTime = <A>(effect: Effect.Effect<A>): Promise<A> =>
  Effect.runPromise(Effect.orDie(Effect.timeout(effect, "30 seconds")))

describe("a page cache read by many fibers", () => {
  it("gives each of them what it asks for, whoever else is interrupted", async () => {
    await runProperty(
      fc.asyncProperty(stories, ({ cachePower, happenings, pagePower, pages, readers, ...options }) =>
        Effect.gen(function* () {
          const pageSize = 2 ** pagePower
          const size = pages * pageSize - (pageSize >> 1)
          const crowd = yield* crowdOf({ ...options, pageSize, cacheSize: 2 ** cachePower, size })
          const fibers = yield* Effect.forEach(readers, (reader) => Effect.forkChild(crowd.read(reader)))
          const happening = yield* Effect.forkChild(crowd.happen(happenings))
          yield* Effect.forEach(
            readers,
            ({ interruptedAfter }, i) =>
              interruptedAfter === undefined
                ? Effect.void
                : Effect.andThen(afterTurns(interruptedAfter), Fiber.interrupt(fibers[i])),
            { concurrency: "unbounded" }
          )
          yield* Fiber.join(happening)
          for (const [i, fiber] of fibers.entries()) {
            const exit = yield* Fiber.await(fiber)
            if (Exit.isSuccess(exit)) continue
            const wasInterrupted = readers[i].interruptedAfter !== undefined
            if (!wasInterrupted || !Cause.hasInterruptsOnly(exit.cause)) yield* exit
          }
          const { cache, device } = crowd
          assert.deepStrictEqual(device.pagesUnderWay(), [], "a call outlives those who waited for it")
          assert.isAtMost(device.calls.length, cache.cacheMiss(), "calls for pages that were not missed")
          yield* crowd.readAll()
        }).pipe(inTime)
      ),
      { runs: 300 }
    )
  })

  it("makes one call for all who wait, and gives it up with the last of them", async () => {
    const waiting = fc.record({
      answering: fc.constantFrom<Answering>("after yields", "by a callback"),
      pages: fc.array(fc.nat(4), { minLength: 1, maxLength: 12 }),
      interrupted: fc.array(fc.nat(11), { maxLength: 12 })
    })
    await runProperty(
      fc.asyncProperty(waiting, ({ answering, interrupted, pages }) =>
        Effect.gen(function* () {
          const pageSize = 16
          const sizes = { pageSize, cacheSize: 8, readAhead: 0, size: 5 * pageSize }
          const { cache, device, model } = yield* crowdOf({ ...sizes, answering, waits: [0] })
          const gate = yield* Deferred.make<void>()
          device.gate = Deferred.await(gate)
          const distinct = (numbers: Iterable<number>) => [...new Set(numbers)].sort((a, b) => a - b)
          const fibers = yield* Effect.forEach(pages, (page, i) =>
            Effect.forkChild(cache.getUint8(page * pageSize + i))
          )
          yield* afterTurns(2)
          assert.deepStrictEqual(device.pagesUnderWay(), distinct(pages), "one call for a page")
          const gone = new Set<number>()
          for (const i of interrupted.filter((i) => i < pages.length)) {
            yield* Fiber.interrupt(fibers[i])
            gone.add(i)
            const left = distinct(pages.filter((_, i) => !gone.has(i)))
            assert.deepStrictEqual(device.pagesUnderWay(), left, "calls that somebody waits for")
          }
          const left = distinct(pages.filter((_, i) => !gone.has(i)))
          assert.strictEqual(device.interrupted, distinct(pages).length - left.length, "interrupted calls")
          yield* Deferred.succeed(gate, undefined)
          for (const [i, fiber] of fibers.entries()) {
            const exit = yield* Fiber.await(fiber)
            if (gone.has(i)) assert.isTrue(Exit.hasInterrupts(exit), "who was interrupted")
            else assert.deepStrictEqual(exit, Exit.succeed(model.give(pages[i] * pageSize + i, 1)[0]))
          }
          assert.strictEqual(device.calls.length, distinct(pages).length, "one call for all who waited")
          for (const page of left) assert.isTrue(cache.isCached(page * pageSize))
          sameBytes(yield* cache.getBytes(0, model.size), model.give(0, model.size), "all of it")
        }).pipe(Effect.orDie, inTime)
      ),
      { runs: 300 }
    )
  })
})
