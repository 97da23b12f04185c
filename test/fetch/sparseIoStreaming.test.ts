/**
 * Streams of a SparseIo: in order, some way ahead of whoever takes, and no further.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import {
  broken,
  collect,
  instanceOf,
  quietly,
  type TestOptions,
  TestSource,
  TestStore
} from "./sparseIoDoubles.ts"

const length = 10_000

const made = (options: TestOptions = {}, streams = true) =>
  Effect.gen(function* () {
    const source = new TestSource({ length, streams })
    const store = new TestStore()
    const { isIdle, service } = yield* instanceOf(source, store, options)
    return { source, store, io: service, isIdle }
  })

describe("a stream", () => {
  it(
    "fetches ahead of its reader in long requests, and no further than it may",
    run(
      Effect.gen(function* () {
        const { io, isIdle, source } = yield* made({ readAheadBytes: 320 })
        let taken = 0
        let furthest = 0
        source.onCall = ([offset, bytes]) => void (furthest = Math.max(furthest, offset + bytes))
        yield* Stream.runForEach(io.stream(), (piece) =>
          Effect.gen(function* () {
            expect(piece).toEqual(bytesAt(taken, piece.length))
            yield* Effect.sleep(taken < 1000 ? 1 : 0)
            expect(furthest).toBeLessThanOrEqual(taken + 16 + 320)
            expect(furthest).toBeGreaterThanOrEqual(Math.min(length, taken + 160))
            taken += piece.length
          })
        )
        expect(taken).toBe(length)
        expect(source.calls.length).toBeLessThanOrEqual(Math.ceil(length / 160) + 1)
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "asks for nothing more while nobody takes, and ends its requests with whoever leaves",
    run(
      Effect.gen(function* () {
        const { io, isIdle, source } = yield* made({ readAheadBytes: 64 })
        const reader = yield* start(Stream.runForEach(io.stream(), () => Effect.never))
        yield* Effect.sleep(5)
        const calls = source.calls.length
        yield* Effect.sleep(5)
        expect(source.calls).toHaveLength(calls)
        expect(io.stats().fetchedBytes).toBeLessThanOrEqual(80)
        source.waitPiece = Effect.never
        const stuck = yield* start(Stream.runDrain(io.stream(5000)))
        const short = yield* start(Stream.runDrain(Stream.take(io.stream(0), 2)))
        yield* Effect.sleep(5)
        expect(source.underWay.size).toBe(1)
        yield* Fiber.join(short)
        yield* Fiber.interrupt(stuck)
        yield* Fiber.interrupt(reader)
        expect([source.underWay.size, isIdle()]).toEqual([0, true])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "gives what came before a failure, and begins again where it is run again",
    run(
      Effect.gen(function* () {
        const { io, isIdle, source } = yield* made({ readAheadBytes: 0 }, false)
        let calls = 0
        source.onCall = () => {
          if (++calls === 4) source.faults.push("fails")
        }
        const seen: Array<number> = []
        const stream = io.stream(8)
        const failure = yield* Effect.flip(
          Stream.runForEach(stream, (piece) => Effect.sync(() => void seen.push(...piece)))
        )
        expect(failure).toMatchObject({ _tag: "SourceFailed", offset: 48 })
        expect(Uint8Array.from(seen)).toEqual(bytesAt(8, 40))
        expect(yield* collect(stream)).toEqual(bytesAt(8, length - 8))
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is not ended by a failure ahead of it that is mended before it comes there",
    run(
      Effect.gen(function* () {
        const { io, source } = yield* made({ readAheadBytes: 64, requestBytes: 16, concurrency: 8 }, false)
        source.onCall = ([offset]) => {
          if (offset === 64 && source.calls.every(([other]) => other !== 64)) source.faults.push("fails")
        }
        let taken = 0
        yield* Stream.runForEach(io.stream(0, 500), (piece) =>
          Effect.andThen(
            Effect.sleep(1),
            Effect.sync(() => {
              expect(piece).toEqual(bytesAt(taken, piece.length))
              taken += piece.length
            })
          )
        )
        expect(taken).toBe(500)
        expect(source.calls.filter(([offset]) => offset === 64)).toHaveLength(2)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "gives all that is before a failure ahead of it, and ends there; other requests go on",
    run(
      Effect.gen(function* () {
        const options = { readAheadBytes: 160, requestBytes: 16, concurrency: 8 }
        const { io, isIdle, source } = yield* made(options, false)
        source.onCall = ([offset]) => {
          source.wait = offset === 64 ? Effect.void : Effect.sleep(3)
          if (offset === 64) source.faults.push("fails")
        }
        const seen: Array<number> = []
        const failure = yield* Effect.flip(
          Stream.runForEach(io.stream(), (piece) =>
            Effect.sync(() => {
              expect(source.givenUp.size).toBe(0)
              seen.push(...piece)
            })
          )
        )
        expect(failure).toMatchObject({ _tag: "SourceFailed", offset: 64 })
        expect(Uint8Array.from(seen)).toEqual(bytesAt(0, 64))
        expect(source.calls.filter(([offset]) => offset === 64)).toHaveLength(2)
        yield* Effect.yieldNow
        expect([source.underWay.size, isIdle()]).toEqual([0, true])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "goes on in long requests after a failure ahead of it",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 1024, streams: true, most: 16 })
        const { service: io } = yield* instanceOf(source, new TestStore(), { readAheadBytes: 512 })
        let pieces = 0
        source.waitPiece = Effect.suspend(() =>
          ++pieces === 3 ? Effect.andThen(Effect.sleep(1), Effect.fail(broken(32))) : Effect.void
        )
        let taken = 0
        yield* Stream.runForEach(io.stream(), (piece) =>
          Effect.andThen(
            Effect.sleep(3),
            Effect.sync(() => {
              expect(piece).toEqual(bytesAt(taken, piece.length))
              taken += piece.length
            })
          )
        )
        expect(taken).toBe(1024)
        expect(source.calls.length).toBeLessThanOrEqual(6)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "ends all of its requests at once when it is left",
    run(
      Effect.gen(function* () {
        const { io, source } = yield* made({ readAheadBytes: 64, requestBytes: 16, concurrency: 8 })
        const aborts: Array<number> = []
        // What is asked for at first is stuck in part, and what is asked for then altogether.
        source.onCall = ([offset]) => void (source.wait = offset < 64 ? Effect.void : Effect.never)
        source.abort = Effect.suspend(() => {
          aborts.push(performance.now())
          return Effect.sleep(200)
        })
        const reader = yield* start(Stream.runDrain(io.stream()))
        yield* Effect.sleep(20)
        expect(source.underWay.size).toBeGreaterThan(1)
        yield* Fiber.interrupt(reader)
        expect(Math.max(...aborts) - Math.min(...aborts)).toBeLessThan(150)
        expect(source.underWay.size).toBe(0)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "shares what is under way with readers and other streams",
    run(
      Effect.gen(function* () {
        const { io, source } = yield* made()
        source.waitPiece = Effect.sleep(1)
        const fibers = yield* Effect.forEach(Array.from({ length: 5 }), () => start(collect(io.stream())))
        const reader = yield* start(io.readChunk(700))
        for (const fiber of fibers) expect(yield* Fiber.join(fiber)).toEqual(bytesAt(0, length))
        expect(yield* Fiber.join(reader)).toEqual(bytesAt(688, 16))
        expect(io.stats().fetchedBytes).toBe(length)
      }).pipe(Effect.scoped)
    )
  )
})

describe("what is counted", () => {
  it(
    "comes to the metrics of the program",
    run(
      Effect.gen(function* () {
        const names = ["hits", "fetches", "shared_waits", "fetched_bytes", "evicted_bytes", "store_failures"]
        const all = Effect.map(Metric.snapshot, (snapshot) =>
          names.map((name) => {
            const found = snapshot.find(({ id }) => id === `lacuna_sparse_${name}`)
            return (found?.state as { readonly count: number } | undefined)?.count ?? 0
          })
        )
        const before = yield* all
        const stats = yield* Effect.scoped(
          Effect.gen(function* () {
            const { io, store } = yield* made({ budgetBytes: 1600 })
            yield* Effect.all([io.readChunk(0), io.readChunk(0)], { concurrency: 2 })
            for (let i = 0; i < 3000; i++) yield* io.readChunk(5)
            yield* collect(io.stream())
            store.failing.add("create")
            yield* collect(io.stream())
            return io.stats()
          })
        )
        const after = yield* all
        expect(after.map((value, i) => value - before[i]!)).toEqual([
          stats.hits,
          stats.fetches,
          stats.sharedWaits,
          stats.fetchedBytes,
          stats.evictedBytes,
          stats.storeFailures
        ])
        expect(stats.hits).toBeGreaterThanOrEqual(3000)
        expect(stats.sharedWaits).toBe(1)
        expect(stats.storeFailures).toBeGreaterThan(100)
      }).pipe(quietly)
    )
  )
})
