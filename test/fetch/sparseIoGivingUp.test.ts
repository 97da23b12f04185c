/**
 * A request was asked for again by another while it was under way, and had not been given up, or so the property of
 * many fibers said. It had been: the reader it was for failed, by another request, and left in the very step in which
 * a chunk of it went into the store. What goes into the store is not interrupted, so the request ended when the store
 * had it, three milliseconds later; but the source of the tests knew interrupted requests only by what waited within
 * the source, and took this one for one that had ended well. It goes by how a request ends now.
 *
 * Here is what giving up means while the store is at it: nothing more is asked of the source, the chunk
 * that the store has begun counts, and who asks meanwhile asks anew.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { broken, instanceOf, TestSource, TestStore } from "./sparseIoDoubles.ts"

/** Lets what is asked for go out. */
const turn = Effect.repeat(Effect.yieldNow, { times: 10 })

/**
 * Requests of four chunks and two, of a source that gives three and a half chunks first. The store waits for `taken`
 * before it takes the second of them.
 */
const storing = Effect.gen(function* () {
  const source = new TestSource({ length: 96, streams: true, most: 56 })
  const store = new TestStore({ answers: false })
  const taken = yield* Deferred.make<void>()
  store.wait = (operation, offset) =>
    operation === "create" && offset === 16 ? Deferred.await(taken) : Effect.void
  const { isIdle, service: io } = yield* instanceOf(source, store, { concurrency: 2, requestBytes: 64 })
  const read = (offset: number, length: number): Effect.Effect<Uint8Array, unknown> =>
    Effect.suspend(() => {
      const buffer = new Uint8Array(length)
      return Effect.as(io.read(offset, buffer), buffer)
    })
  return { source, store, io, isIdle, read, take: Deferred.succeed(taken, undefined) }
})

const created = ({ calls }: TestStore): ReadonlyArray<number> =>
  calls.filter(([operation]) => operation === "create").map(([, offset]) => offset)

describe("a request that is given up while the store takes a chunk of it", () => {
  it.each(["its reader fails by another request", "its reader is interrupted"])("because %s", (why) =>
    run(
      Effect.gen(function* () {
        const { io, isIdle, read, source, store, take } = yield* storing
        const fails = yield* Deferred.make<void>()
        source.onCall = ([offset]) => {
          source.wait = offset === 64 ? Deferred.await(fails) : Effect.void
          source.faults.push(offset === 64 ? "fails" : undefined)
        }
        const gone = yield* start(read(0, 96))
        yield* turn
        expect(created(store)).toEqual([0, 16])
        const [request, other] = source.calls
        expect([request, other]).toEqual([
          [0, 64],
          [64, 32]
        ])
        if (why === "its reader is interrupted") yield* start(Fiber.interrupt(gone))
        else yield* Deferred.succeed(fails, undefined)
        yield* turn
        expect(source.underWay, "it ends when the store has the chunk").toEqual(new Set([request]))

        // Whoever asks meanwhile has what is in the store, and asks for the rest anew.
        source.takeCalls()
        const asking = yield* start(read(0, 64))
        yield* turn
        expect(source.takeCalls()).toEqual([[16, 48]])
        yield* take
        expect(yield* Fiber.join(asking)).toEqual(bytesAt(0, 64))
        const exit = yield* Fiber.await(gone)
        if (why === "its reader is interrupted") expect(Exit.hasInterrupts(exit)).toBe(true)
        else expect(exit).toEqual(Exit.fail(broken(64)))
        expect(source.givenUp.has(request!), "it was given up").toBe(true)
        expect([source.underWay.size, isIdle()]).toEqual([0, true])
        expect(created(store), "nothing more of it is stored").toEqual([0, 16, 16, 32, 48])
        expect(yield* io.coverage()).toEqual([{ offset: 0, length: 64 }])
      }).pipe(Effect.scoped)
    )()
  )

  it(
    "leaves that chunk in the store, and nothing behind it",
    run(
      Effect.gen(function* () {
        const { io, isIdle, read, source, take } = yield* storing
        const gone = yield* start(read(0, 64))
        yield* turn
        const leaving = yield* start(Fiber.interrupt(gone))
        yield* turn
        yield* take
        yield* Fiber.join(leaving)
        expect([source.underWay.size, isIdle()]).toEqual([0, true])
        expect(yield* io.coverage()).toEqual([{ offset: 0, length: 32 }])
        source.takeCalls()
        expect(yield* read(0, 64)).toEqual(bytesAt(0, 64))
        expect(source.takeCalls()).toEqual([[32, 32]])
      }).pipe(Effect.scoped)
    )
  )
})

describe("the source of these tests", () => {
  it.each([undefined, "short", "fails"] as const)(
    "calls no request given up that ends by itself (%s)",
    (fault) =>
      run(
        Effect.gen(function* () {
          const { read, source, take } = yield* storing
          source.faults.push(fault)
          yield* take
          const exit = yield* Effect.exit(read(0, 64))
          yield* turn
          expect(Exit.isSuccess(exit)).toBe(fault === undefined)
          expect([source.calls.length, source.underWay.size, source.givenUp.size]).toEqual([1, 0, 0])
        }).pipe(Effect.scoped)
      )()
  )
})
