/**
 * Chunks that queue for requests of a SparseIo: how many there may be, and who comes first.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { describe, expect, it } from "vitest"
import { ArrivedChunk } from "../../src/fetch/chunkArrival.ts"
import { SparseIo } from "../../src/fetch/SparseIo.ts"
import { SparseIoCounters } from "../../src/fetch/sparseIoCounters.ts"
import { ChunkFlights } from "../../src/fetch/chunkFlights.ts"
import { ChunkPresence } from "../../src/fetch/chunkPresence.ts"
import { ChunkQueue } from "../../src/fetch/chunkQueue.ts"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { instanceOf, TestSource, TestStore } from "./sparseIoDoubles.ts"

describe("a queue of chunks", () => {
  it("gives the eldest of those that have not left", () => {
    const queue = new ChunkQueue()
    expect(queue.eldest()).toBe(undefined)
    for (const index of [5, 3, 9, 3, 7]) queue.add(index)
    expect([queue.size, queue.eldest()]).toEqual([4, 5])
    expect([queue.delete(5), queue.delete(5), queue.delete(9)]).toEqual([true, false, true])
    expect([queue.eldest(), queue.has(9), queue.all()]).toEqual([3, false, [3, 7]])
    queue.delete(3)
    queue.delete(7)
    expect([queue.eldest(), queue.size]).toEqual([undefined, 0])
  })

  it("keeps in order through any number that come and go", () => {
    const queue = new ChunkQueue()
    for (let index = 0; index < 10_000; index++) {
      queue.add(index)
      if (index % 100 !== 0) queue.delete(index)
      if (index >= 1000 && index % 100 === 0) queue.delete(index - 1000)
    }
    expect(queue.eldest()).toBe(9000)
    expect(queue.all()).toEqual([9000, 9100, 9200, 9300, 9400, 9500, 9600, 9700, 9800, 9900])
  })
})

describe("requests", () => {
  it(
    "of a prefetch leave one free for who waits",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 1600 })
        source.wait = Effect.never
        const options = { concurrency: 3, requestBytes: 32 }
        const { isIdle, service: io } = yield* instanceOf(source, new TestStore(), options)
        const prefetch = yield* start(io.prefetch({ offset: 0, length: 1600 }))
        yield* Effect.repeat(Effect.yieldNow, { times: 10 })
        expect(source.underWay.size).toBe(2)
        source.wait = Effect.void
        expect(yield* io.readChunk(1584)).toEqual(bytesAt(1584, 16))
        expect(source.calls).toHaveLength(3)
        yield* Fiber.interrupt(prefetch)
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "go out first for who waits, also for what a prefetch waits for already",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 1600 })
        const gate = yield* Deferred.make<void>()
        source.wait = Deferred.await(gate)
        const { service: io } = yield* instanceOf(source, new TestStore(), {
          concurrency: 1,
          requestBytes: 32
        })
        const first = yield* start(io.readChunk(0))
        const prefetch = yield* start(io.prefetch({ offset: 320, length: 640 }))
        const other = yield* start(io.prefetch({ offset: 1024, length: 32 }))
        yield* Effect.repeat(Effect.yieldNow, { times: 10 })
        const readers = [yield* start(io.readChunk(1040)), yield* start(io.readChunk(1584))]
        yield* Effect.repeat(Effect.yieldNow, { times: 10 })
        expect(source.calls).toEqual([[0, 16]])
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.joinAll([first, prefetch, other, ...readers])
        expect(source.calls.slice(1, 4)).toEqual([
          [1040, 16],
          [1584, 16],
          [320, 32]
        ])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "are not part of the span of whoever made the SparseIo, which has ended",
    run(
      Effect.gen(function* () {
        const parents: Array<string | undefined> = []
        const store = new TestStore()
        const source = {
          length: Effect.succeed(1000),
          readAt: (_: number, buffer: Uint8Array) =>
            Effect.map(Effect.option(Effect.currentSpan), (span) => {
              parents.push(Option.getOrUndefined(span)?.name)
              return buffer.length
            })
        }
        const io = yield* SparseIo.make({ source, store }).pipe(Effect.withSpan("outer"))
        yield* Effect.withSpan(io.read(0, new Uint8Array(3)), "the reader")
        expect(parents).toEqual([undefined])
      }).pipe(Effect.scoped)
    )
  )
})

describe("what is counted", () => {
  it(
    "is what reads do: prefetches find nothing and wait for nobody",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 1600 })
        const { service: io } = yield* instanceOf(source, new TestStore())
        const range = { offset: 0, length: 1600 }
        yield* Effect.all([io.prefetch(range), io.prefetch(range)], { concurrency: 2 })
        expect(io.stats()).toMatchObject({ hits: 0, sharedWaits: 0, fetchedBytes: 1600 })
        yield* io.prefetch(range)
        expect(io.stats()).toMatchObject({ hits: 0, sharedWaits: 0 })
      }).pipe(Effect.scoped)
    )
  )

  it(
    "over a store that tells nothing is the same",
    run(
      Effect.gen(function* () {
        const store = new TestStore({ tells: false, answers: false })
        for (let i = 0; i < 20; i++) store.kept.set(i * 16, bytesAt(i * 16, 16))
        const source = new TestSource({ length: 320 })
        const prefetching = yield* instanceOf(source, store)
        yield* prefetching.service.prefetch({ offset: 0, length: 320 })
        expect(prefetching.service.stats()).toMatchObject({ hits: 0, fetches: 0 })
        const { service: io } = yield* instanceOf(source, store)
        const read = Effect.suspend(() => io.read(0, new Uint8Array(20)))
        yield* Effect.all([read, read, io.readChunk(0)], { concurrency: 3 })
        expect(io.stats()).toMatchObject({ hits: 5, fetches: 0, sharedWaits: 2 })
      }).pipe(Effect.scoped)
    )
  )
})

describe("two hundred thousand chunks far from each other", () => {
  it(
    "go out one by one, soon",
    run(
      Effect.gen(function* () {
        const count = 200_000
        const context = yield* Effect.context<never>()
        const done = yield* Deferred.make<void>()
        const one = new Uint8Array(1)
        let left = count
        const flights: ChunkFlights<Error> = new ChunkFlights<Error>({
          presence: new ChunkPresence(),
          counters: new SparseIoCounters(context),
          concurrency: 4,
          longest: 128,
          fetch: (flight) =>
            Effect.sync(() => flights.settle(flight, flight.first, new ArrivedChunk(one, false))),
          interrupted: () => new Error("interrupted"),
          closed: () => new Error("closed"),
          context
        })
        const taker = {
          storedOnly: false,
          isAhead: false,
          take: () => {},
          taken: () => {},
          fail: () => {},
          finish: () => {
            if (--left === 0) Deferred.doneUnsafe(done, Effect.void)
          }
        }
        for (let i = 0; i < count; i++) flights.ask({ first: 2 * i, last: 2 * i }, taker, () => {})
        const begun = performance.now()
        yield* Deferred.await(done)
        // One second on a machine that does nothing else.
        expect(performance.now() - begun).toBeLessThan(4000)
        yield* Effect.repeat(Effect.yieldNow, { times: 10 })
        expect(flights.isIdle).toBe(true)
      })
    )
  )
})
