/**
 * Many who wait for chunks of a SparseIo: one request for all of them, and what becomes of it when they go.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { describe, expect, it } from "vitest"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { broken, instanceOf, type TestOptions, TestSource, TestStore } from "./sparseIoDoubles.ts"

const length = 1000

/** A source that answers once the gate is open. */
const gated = (options: TestOptions = {}, streams = false) =>
  Effect.gen(function* () {
    const source = new TestSource({ length, streams })
    const store = new TestStore()
    const gate = yield* Deferred.make<void>()
    source.wait = Deferred.await(gate)
    const { isIdle, service } = yield* instanceOf(source, store, options)
    return { source, store, io: service, isIdle, open: Deferred.succeed(gate, undefined) }
  })

const read = (io: {
  readonly read: (offset: number, buffer: Uint8Array) => Effect.Effect<number, unknown>
}) => {
  return (offset: number, bytes: number): Effect.Effect<Uint8Array, unknown> =>
    Effect.suspend(() => {
      const buffer = new Uint8Array(bytes)
      return Effect.map(io.read(offset, buffer), (count) => buffer.subarray(0, count))
    })
}

/** Lets what is asked for go out. */
const turn = Effect.repeat(Effect.yieldNow, { times: 10 })

describe("a chunk that is wanted", () => {
  it(
    "is fetched once for ten thousand readers, soon",
    run(
      Effect.gen(function* () {
        const { io, isIdle, open, source } = yield* gated({ chunkSize: 131_072 })
        const begun = performance.now()
        const fibers = yield* Effect.forEach(Array.from({ length: 10_000 }), (_, i) =>
          Effect.forkChild(i % 2 === 0 ? read(io)(i % 900, 16) : io.readChunk(i % 900))
        )
        yield* turn
        expect(source.calls).toHaveLength(1)
        yield* open
        for (const [i, fiber] of fibers.entries()) {
          const bytes = yield* Fiber.join(fiber)
          expect(bytes[0]).toBe(i % 2 === 0 ? (i % 900) % 251 : 0)
        }
        expect(performance.now() - begun).toBeLessThan(2000)
        expect(source.calls).toHaveLength(1)
        expect(io.stats()).toMatchObject({ fetches: 1, sharedWaits: 9_999, fetchedBytes: length })
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is fetched once, in whatever way it is asked for meanwhile",
    run(
      Effect.gen(function* () {
        const { io, open, source } = yield* gated()
        const fibers = [
          yield* start(read(io)(3, 5)),
          yield* start(io.readChunk(9)),
          yield* start(read(io)(10, 30)),
          yield* start(Effect.as(io.prefetch({ offset: 0, length: 16 }), new Uint8Array(0)))
        ]
        yield* turn
        expect(source.calls).toEqual([[0, 48]])
        fibers.push(yield* start(read(io)(30, 9)))
        yield* turn
        expect(source.calls).toHaveLength(1)
        yield* open
        const seen = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
        expect(seen).toEqual([
          bytesAt(3, 5),
          bytesAt(0, 16),
          bytesAt(10, 30),
          new Uint8Array(0),
          bytesAt(30, 9)
        ])
        expect(source.calls).toHaveLength(1)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is not disturbed by readers that are interrupted, the first of them included",
    run(
      Effect.gen(function* () {
        const { io, open, source } = yield* gated()
        const [first, second, third] = [
          yield* start(read(io)(3, 5)),
          yield* start(read(io)(4, 5)),
          yield* start(io.readChunk(5))
        ]
        yield* turn
        yield* Fiber.interrupt(first)
        yield* Fiber.interrupt(third)
        expect(source.underWay.size).toBe(1)
        yield* open
        expect(yield* Fiber.join(second)).toEqual(bytesAt(4, 5))
        expect(Exit.hasInterrupts(yield* Fiber.await(first))).toBe(true)
        expect(source.givenUp.size).toBe(0)
      }).pipe(Effect.scoped)
    )
  )

  it.each([false, true])(
    "is given up with the last reader, who waits for the end of it (streams: %s)",
    (streams) =>
      run(
        Effect.gen(function* () {
          let isEnded = false
          const { io, isIdle, source } = yield* gated({}, streams)
          source.wait = Effect.onInterrupt(Effect.never, () =>
            Effect.andThen(
              Effect.sleep(20),
              Effect.sync(() => void (isEnded = true))
            )
          )
          const fibers = [yield* start(read(io)(3, 5)), yield* start(read(io)(14, 5))]
          yield* turn
          yield* Fiber.interrupt(fibers[1])
          expect([isEnded, source.underWay.size]).toEqual([false, 1])
          yield* Fiber.interrupt(fibers[0])
          expect([isEnded, source.underWay.size, isIdle()]).toEqual([true, 0, true])
          expect(yield* io.coverage()).toEqual([])
        }).pipe(Effect.scoped)
      )()
  )

  it(
    "while its request is being given up is asked for anew",
    run(
      Effect.gen(function* () {
        const { io, isIdle, source } = yield* gated()
        source.wait = Effect.onInterrupt(Effect.never, () => Effect.sleep(30))
        const first = yield* start(read(io)(3, 5))
        yield* turn
        const interrupting = yield* start(Fiber.interrupt(first))
        source.wait = Effect.void
        expect(yield* read(io)(3, 5)).toEqual(bytesAt(3, 5))
        expect(source.underWay.size, "the first request is still ending").toBe(1)
        yield* Fiber.join(interrupting)
        expect([source.calls.length, source.underWay.size, isIdle()]).toEqual([2, 0, true])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "and has not gone out is forgotten with its last reader",
    run(
      Effect.gen(function* () {
        const { io, isIdle, open, source } = yield* gated({ concurrency: 1 })
        const first = yield* start(read(io)(3, 5))
        yield* turn
        const second = yield* start(read(io)(500, 5))
        yield* turn
        expect(source.calls).toHaveLength(1)
        yield* Fiber.interrupt(second)
        yield* open
        yield* Fiber.join(first)
        yield* turn
        expect([source.calls, isIdle()]).toEqual([[[0, 16]], true])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "leaves the buffer of a reader that was interrupted alone",
    run(
      Effect.gen(function* () {
        const { io, open } = yield* gated()
        const gone = new Uint8Array(16)
        const first = yield* start(io.read(0, gone))
        const second = yield* start(read(io)(0, 16))
        yield* turn
        yield* Fiber.interrupt(first)
        yield* open
        yield* Fiber.join(second)
        expect(gone).toEqual(new Uint8Array(16))
      }).pipe(Effect.scoped)
    )
  )

  it(
    "ends with the timeout of its only reader, however often",
    run(
      Effect.gen(function* () {
        const { io, isIdle, source } = yield* gated()
        source.wait = Effect.never
        for (let round = 1; round <= 3; round++) {
          const failure = yield* Effect.flip(Effect.timeout(read(io)(3, 40), 5))
          expect(failure).toMatchObject({ _tag: "TimeoutError" })
          expect([source.underWay.size, source.calls.length, isIdle()]).toEqual([0, round, true])
        }
      }).pipe(Effect.scoped)
    )
  )

  it(
    "fails for all who wait, and is fetched again for who asks then",
    run(
      Effect.gen(function* () {
        const { io, open, source } = yield* gated()
        source.faults.push("fails")
        const fibers = [yield* start(read(io)(3, 5)), yield* start(read(io)(7, 50))]
        yield* turn
        yield* open
        for (const fiber of fibers) {
          expect(yield* Effect.flip(Fiber.join(fiber))).toEqual(broken(0))
        }
        expect(yield* io.coverage()).toEqual([])
        expect(yield* read(io)(3, 5)).toEqual(bytesAt(3, 5))
        expect(source.calls).toHaveLength(2)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is retried by a reader in the very step in which it fails",
    run(
      Effect.gen(function* () {
        const { io, isIdle, open, source } = yield* gated()
        source.faults.push("fails", "fails")
        const fibers = yield* Effect.forEach([1, 2, 3], () =>
          start(Effect.retry(read(io)(3, 5), { times: 3 }))
        )
        yield* turn
        yield* open
        for (const fiber of fibers) expect(yield* Fiber.join(fiber)).toEqual(bytesAt(3, 5))
        yield* Effect.yieldNow
        expect([source.calls.length, isIdle()]).toEqual([3, true])
      }).pipe(Effect.scoped)
    )
  )
})

describe("neighbouring chunks", () => {
  it(
    "that are asked for together are fetched by one request, however many ask",
    run(
      Effect.gen(function* () {
        const { io, open, source } = yield* gated()
        const offsets = [64, 16, 0, 48, 32, 500]
        const fibers = yield* Effect.forEach(offsets, (offset) => Effect.forkChild(read(io)(offset, 8)))
        yield* turn
        expect(source.calls).toEqual([
          [0, 80],
          [496, 16]
        ])
        yield* open
        for (const [i, fiber] of fibers.entries()) {
          expect(yield* Fiber.join(fiber)).toEqual(bytesAt(offsets[i]!, 8))
        }
      }).pipe(Effect.scoped)
    )
  )

  it(
    "go out in requests of so many bytes at most, so many at a time",
    run(
      Effect.gen(function* () {
        const { io, isIdle, open, source } = yield* gated({ concurrency: 3, requestBytes: 50 })
        const fiber = yield* start(read(io)(0, length))
        yield* turn
        expect(source.calls).toEqual([
          [0, 48],
          [48, 48],
          [96, 48]
        ])
        yield* open
        expect(yield* Fiber.join(fiber)).toEqual(bytesAt(0, length))
        expect(source.mostUnderWay).toBe(3)
        expect(source.calls).toHaveLength(21)
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that the store has are not fetched again",
    run(
      Effect.gen(function* () {
        const { io, open, source } = yield* gated()
        yield* open
        yield* io.readChunk(40)
        yield* io.readChunk(100)
        source.takeCalls()
        expect(yield* read(io)(0, 150)).toEqual(bytesAt(0, 150))
        expect(source.takeCalls()).toEqual([
          [0, 32],
          [48, 48],
          [112, 48]
        ])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "come to their readers as they arrive, not at the end of the request",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams: true, most: 16 })
        const { service: io } = yield* instanceOf(source, new TestStore())
        let pieces = 0
        source.waitPiece = Effect.suspend(() => (pieces++ < 2 ? Effect.void : Effect.never))
        const fibers = yield* Effect.forEach([0, 20, 40], (offset) => start(read(io)(offset, 4)))
        expect(yield* Fiber.join(fibers[0]!)).toEqual(bytesAt(0, 4))
        expect(yield* Fiber.join(fibers[1]!)).toEqual(bytesAt(20, 4))
        expect(source.calls).toEqual([[0, 48]])
        yield* Fiber.interrupt(fibers[2]!)
        expect(source.underWay.size).toBe(0)
        expect(yield* io.coverage()).toEqual([{ offset: 0, length: 32 }])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that nobody waits for any more are not fetched to their end",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams: true, most: 16 })
        const { isIdle, service: io } = yield* instanceOf(source, new TestStore())
        source.waitPiece = Effect.sleep(1)
        const short = yield* start(read(io)(0, 4))
        const long = yield* start(read(io)(16, 900))
        yield* Effect.yieldNow
        yield* Effect.yieldNow
        yield* Fiber.interrupt(long)
        yield* Fiber.join(short)
        yield* Effect.sleep(5)
        expect([source.underWay.size, isIdle()]).toEqual([0, true])
        expect(io.stats().fetchedBytes).toBeLessThan(100)
      }).pipe(Effect.scoped)
    )
  )
})

describe("the end of a scope", () => {
  it(
    "ends what is under way: who waits fails, and so does who asks then; the store goes on",
    run(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { io, isIdle, open, source } = yield* Scope.provide(gated({ concurrency: 1 }), scope)
        const first = yield* start(read(io)(3, 5))
        yield* turn
        yield* open
        yield* Fiber.join(first)
        source.wait = Effect.never
        const waiting = [yield* start(read(io)(200, 5)), yield* start(read(io)(500, 5))]
        yield* turn
        yield* Scope.close(scope, Exit.void)
        for (const fiber of waiting) {
          const failure = yield* Effect.flip(Fiber.join(fiber))
          expect(failure).toMatchObject({ _tag: "SourceFailed", reason: "the SparseIo is closed" })
        }
        expect(yield* Effect.flip(read(io)(300, 5))).toMatchObject({
          _tag: "SourceFailed",
          offset: 288,
          reason: "the SparseIo is closed"
        })
        expect(yield* read(io)(3, 5)).toEqual(bytesAt(3, 5))
        expect([source.underWay.size, isIdle()]).toEqual([0, true])
      })
    )
  )
})
