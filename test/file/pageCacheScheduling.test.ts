/**
 * Between any two steps of a fiber others may run. These tests let them, far more often than happens.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { MixedScheduler, Scheduler } from "effect/Scheduler"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import type { PageCacheService } from "../../src/file/pageCacheService.ts"
import { bytesAt, run, TestDevice } from "./pageDevices.ts"
import { fileOf, inMemory } from "./sparseFileFiles.ts"

/** Takes the turn from a fiber at every third step or so, differently for each seed. */
class RestlessScheduler extends MixedScheduler {
  private state: number

  constructor(seed: number) {
    super()
    this.state = seed
  }

  override shouldYield(): boolean {
    this.state = (Math.imul(this.state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (this.state >>> 16) % 3 === 0
  }
}

const restless = <A, E, R>(seed: number, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Scheduler, new RestlessScheduler(seed))

const seeds = Array.from({ length: 8 }, (_, seed) => seed)

/** Several at once, all over a device of 4096 bytes; each looks at what it gets. */
const readAround = <E>(cache: PageCacheService<E>) =>
  Effect.forEach(
    [0, 1, 2, 3, 4, 5],
    (reader) =>
      Effect.gen(function* () {
        for (let i = 0; i < 12; i++) {
          const address = (reader * 512 + i * 13) % 4000
          expect(yield* cache.getBytes(address, 40)).toEqual(bytesAt(address, 40))
          expect((yield* cache.load(address))!.bytes).toEqual(bytesAt(address & ~15, 16))
          expect(yield* cache.getUint8(address + 60)).toBe((address + 60) % 251)
        }
      }),
    { concurrency: "unbounded" }
  )

describe("with many fibers that take turns", () => {
  it(
    "a file is read as it is, although all its reads share one memory",
    inMemory(
      Effect.gen(function* () {
        const file = yield* fileOf("/x", bytesAt(0, 4096))
        for (const seed of seeds) {
          const cache = yield* PageCache.overFile(file, { pageSize: 16, cacheSize: 1 })
          yield* restless(seed, readAround(cache))
        }
      })
    )
  )

  for (const [way, answer] of [
    ["at once", (fill: () => Uint8Array) => fill()],
    ["by an Effect", (fill: () => Uint8Array) => Effect.sync(fill)]
  ] as const) {
    it(
      `a map that answers ${way} may use its memory again`,
      run(
        Effect.gen(function* () {
          for (const seed of seeds) {
            const memory = new Uint8Array(64)
            const map = (position: number, length: number) =>
              answer(() => {
                memory.set(bytesAt(position, length))
                return memory.subarray(0, length)
              })
            // The device's calls take turns too.
            const made = PageCache.make({ pageSize: 16, cacheSize: 1, map })
            yield* restless(seed, Effect.flatMap(made, readAround))
          }
        })
      )
    )
  }

  it(
    "nobody is interrupted by the interruption of another, and no call outlives who waits",
    run(
      Effect.gen(function* () {
        for (const seed of seeds) {
          const device = new TestDevice(4096)
          const map = device.mapAfter(Effect.sleep(1))
          const cache = yield* PageCache.make({ pageSize: 16, cacheSize: 4, map })
          const test = Effect.gen(function* () {
            for (let round = 0; round < 4; round++) {
              const fibers: Array<Fiber.Fiber<number, unknown>> = []
              for (let i = 0; i < 8; i++) fibers.push(yield* Effect.forkChild(cache.getUint8(round * 16 + i)))
              for (let i = 0; i < 8; i += 2) yield* Effect.forkChild(Fiber.interrupt(fibers[i]))
              for (let i = 1; i < 8; i += 2) {
                const exit = yield* Fiber.await(fibers[i])
                expect(exit).toEqual(Exit.succeed(round * 16 + i))
              }
              for (const fiber of fibers) yield* Fiber.await(fiber)
              expect(device.underWay).toBe(0)
            }
          })
          yield* restless(seed, test)
        }
      })
    )
  )
})

describe("an interruption at any step", () => {
  it(
    "leaves no call behind",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(4096)
        const cache = yield* PageCache.make({
          pageSize: 16,
          cacheSize: 4,
          map: device.mapAfter(Effect.sleep(20))
        })
        for (let steps = 1; steps < 60; steps++) {
          const fiber = yield* Effect.forkChild(restless(steps, cache.getBytes(steps, 40)))
          for (let i = 0; i < steps % 12; i++) yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
          expect(device.underWay, `after ${steps}`).toBe(0)
        }
        expect(yield* cache.getBytes(3, 40)).toEqual(bytesAt(3, 40))
      })
    )
  )

  it(
    "of many over one page leaves the others their bytes",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(4096)
        const cache = yield* PageCache.make({
          pageSize: 16,
          cacheSize: 1,
          map: device.mapAfter(Effect.sleep(1))
        })
        const readers = Array.from({ length: 60 }, (_, i) => {
          const address = (i * 37) % 4000
          const read = Effect.map(cache.getBytes(address, 50), (bytes) =>
            expect(bytes).toEqual(bytesAt(address, 50))
          )
          return i % 3 === 0 ? Effect.timeoutOption(read, i % 7) : read
        })
        yield* Effect.all(readers, { concurrency: "unbounded" })
        expect(device.underWay).toBe(0)
      })
    )
  )
})
