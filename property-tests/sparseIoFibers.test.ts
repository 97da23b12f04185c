/**
 * Law: however many fibers read through one SparseIo, at whatever times, and whoever of them is interrupted:
 * each that is left reads right, nothing that somebody waits for already is asked for again, no request
 * outlives those who wait for it, no more are under way than may be, and nothing is left when all is over.
 *
 * Sources and stores take their time by a test clock, so that a thousand hours pass in a second.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { instanceOf, type Range, TestSource, TestStore } from "../test/fetch/sparseIoDoubles.ts"
import { deviceBytes } from "./pageCacheDevice.ts"
import { sameBytes } from "./pageCacheWatch.ts"
import { runProperty } from "./runs.ts"

type How = "read" | "chunk" | "stream" | "prefetch"

interface Reader {
  readonly startsAt: number
  readonly interruptedAt: number | undefined
  readonly readings: ReadonlyArray<{ readonly at: number; readonly length: number; readonly how: How }>
}

const readers: fc.Arbitrary<Reader> = fc.record({
  startsAt: fc.nat(30),
  interruptedAt: fc.option(fc.nat(60), { nil: undefined }),
  readings: fc.array(
    fc.record({
      at: fc.nat(1000),
      length: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 900 })),
      how: fc.constantFrom<How>("read", "read", "chunk", "stream", "prefetch")
    }),
    { minLength: 1, maxLength: 5 }
  )
})

const stories = fc.record({
  chunks: fc.integer({ min: 1, max: 30 }),
  lastChunk: fc.nat(1000),
  chunkSize: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 120 })),
  concurrency: fc.integer({ min: 1, max: 4 }),
  request: fc.integer({ min: 1, max: 10 }),
  readAheadBytes: fc.nat(300),
  budget: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 8 })),
  streams: fc.boolean(),
  most: fc.constantFrom(7, 40, Infinity),
  tells: fc.boolean(),
  answers: fc.boolean(),
  delays: fc.array(fc.nat(12), { minLength: 1, maxLength: 7 }),
  storeDelays: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
  abortDelays: fc.array(fc.nat(6), { minLength: 1, maxLength: 4 }),
  faults: fc.array(fc.option(fc.constantFrom("fails" as const, "short" as const), { nil: undefined }), {
    maxLength: 4
  }),
  readers: fc.array(readers, { minLength: 1, maxLength: 14, size: "max" }),
  seed: fc.nat(1000)
})

const meet = ([a, m]: Range, [b, n]: Range): boolean => a < b + n && b < a + m

/** The next of a list, over and over. */
const cycle = (values: ReadonlyArray<number>): (() => number) => {
  let i = 0
  return () => values[i++ % values.length]!
}

const steps = Effect.repeat(Effect.yieldNow, { times: 6 })

/** No story is longer than this, in milliseconds of the test clock: whatever is not over by then hangs. */
const forever = 20_000

describe("a SparseIo read by many fibers", () => {
  it("gives each of them what it asks for, whoever else is interrupted", async () => {
    await runProperty(
      fc.asyncProperty(stories, ({ chunks, lastChunk, ...rest }) =>
        Effect.gen(function* () {
          const length = chunks * rest.chunkSize - (lastChunk % rest.chunkSize)
          const story = { ...rest, length }
          const bytes = deviceBytes(story.length, story.seed)
          const source = new TestSource({ ...story, identity: "one" })
          const store = new TestStore(story)
          const calm = Effect.sync(() => {
            source.faults.length = 0
            source.wait = source.waitPiece = source.abort = Effect.void
            store.wait = () => Effect.void
          })
          source.bytesAt = (offset, length) => bytes.slice(offset, offset + length)
          const delay = cycle(story.delays)
          const storeDelay = cycle(story.storeDelays)
          const abortDelay = cycle(story.abortDelays)
          /** Requests for what another one under way brings: that one must be given up. */
          const again: Array<readonly [earlier: Range, later: Range]> = []
          source.faults.push(...story.faults)
          /** How many operations the store had seen when each request began. */
          const begun = new Map<Range, number>()
          source.onCall = (call) => {
            begun.set(call, store.calls.length)
            for (const other of source.underWay) {
              // What the other has brought may have made room since.
              const brought = store.calls
                .slice(begun.get(other))
                .filter(([operation]) => operation === "create")
              const isBrought = (chunk: number) => brought.some(([, offset]) => offset === chunk)
              for (let chunk = call[0]; chunk < call[0] + call[1]; chunk += story.chunkSize) {
                if (meet([chunk, 1], other) && !isBrought(chunk)) again.push([other, call])
              }
            }
          }
          source.wait = Effect.suspend(() => Effect.sleep(delay()))
          source.abort = Effect.suspend(() => Effect.sleep(abortDelay()))
          source.waitPiece = Effect.suspend(() => Effect.sleep(delay() >> 2))
          const { isIdle, service: io } = yield* instanceOf(source, store, {
            chunkSize: story.chunkSize,
            concurrency: story.concurrency,
            requestBytes: story.request * story.chunkSize,
            readAheadBytes: story.readAheadBytes,
            ...(story.budget === 0 ? {} : { budgetBytes: story.budget * story.chunkSize })
          })

          // Where a law is broken, what is under way must end without anybody who moves the clock.
          yield* Effect.addFinalizer(() => Effect.andThen(calm, TestClock.adjust("1 hour")))
          store.wait = () => Effect.suspend(() => Effect.sleep(storeDelay()))

          /** What readers that are at it may be waiting for, from the first byte to behind the last. */
          const wanting = new Map<object, Range>()
          const readOnce = (how: How, at: number, length: number): Effect.Effect<void, unknown> => {
            switch (how) {
              case "read": {
                const buffer = new Uint8Array(length)
                return Effect.map(io.read(at, buffer), (count) =>
                  sameBytes(buffer.subarray(0, count), bytes.slice(at, at + length), how)
                )
              }
              case "chunk": {
                const start = at - (at % story.chunkSize)
                return Effect.map(io.readChunk(at), (chunk) =>
                  sameBytes(chunk, bytes.slice(start, start + story.chunkSize), how)
                )
              }
              case "stream":
                return Effect.map(Stream.runCollect(io.stream(at, length)), (pieces) =>
                  sameBytes(Buffer.concat([...pieces]), bytes.slice(at, at + length), how)
                )
              case "prefetch":
                return io.prefetch({ offset: at, length })
            }
          }
          const readAll = (reader: Reader): Effect.Effect<void, unknown> =>
            Effect.gen(function* () {
              yield* Effect.sleep(reader.startsAt)
              for (const { at, how, length } of reader.readings) {
                const offset = Math.floor((at * story.length) / 1001)
                const start = offset - (offset % story.chunkSize)
                const ahead = how === "stream" ? story.readAheadBytes : 0
                wanting.set(reader, [start, offset - start + length + ahead + 2 * story.chunkSize])
                const read = readOnce(how, offset, length)
                yield* Effect.catch(read, (error) => {
                  const isFault = (error as { readonly _tag?: string })._tag === "SourceFailed"
                  return isFault && story.faults.length > 0 ? Effect.void : Effect.fail(error)
                })
              }
            }).pipe(Effect.ensuring(Effect.sync(() => void wanting.delete(reader))))

          const fibers = yield* Effect.forEach(story.readers, (reader) => Effect.forkChild(readAll(reader)))
          const interrupted = new Set<Fiber.Fiber<void, unknown>>()
          for (let now = 0; wanting.size > 0 || now <= 60; now++) {
            assert.isBelow(now, forever, "it hangs")
            for (const [i, { interruptedAt }] of story.readers.entries()) {
              if (interruptedAt !== now) continue
              interrupted.add(fibers[i]!)
              yield* Effect.forkChild(Fiber.interrupt(fibers[i]!))
            }
            yield* TestClock.adjust(1)
            yield* steps
            assert.isAtMost(source.underWay.size, story.concurrency, "requests under way")
            for (const call of source.underWay) {
              const isWanted = [...wanting.values()].some((range) => meet(call, range))
              assert.isTrue(isWanted, "a request outlives those who waited for it")
            }
          }
          for (const fiber of fibers) {
            const exit = yield* Fiber.await(fiber)
            if (Exit.isSuccess(exit)) continue
            if (!interrupted.has(fiber) || !Cause.hasInterruptsOnly(exit.cause)) yield* exit
          }
          assert.strictEqual(source.underWay.size, 0, "a request outlives those who waited for it")
          assert.isTrue(isIdle(), "something is left in the tables")
          assert.isAtMost(source.mostUnderWay, story.concurrency, "requests under way")
          if (story.budget > 0) assert.isAtMost(store.bytes, story.budget * story.chunkSize, "the budget")
          for (const [earlier, later] of again) {
            const what = `${earlier.join("+")} is asked for again by ${later.join("+")}`
            assert.isTrue(source.givenUp.has(earlier), what)
          }

          // All of it, by one who is alone.
          yield* calm
          const all = new Uint8Array(story.length)
          yield* io.read(0, all)
          sameBytes(all, bytes, "all of it")
        }).pipe(
          Effect.scoped,
          Effect.provide(TestClock.layer()),
          Effect.provide(Logger.layer([])),
          Effect.runPromise
        )
      ),
      { runs: 150 }
    )
  })
})
