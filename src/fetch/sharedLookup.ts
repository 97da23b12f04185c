/**
 * Something that is looked up once, however many ask for it, and looked up again only after a failure.
 *
 * The lookup belongs to nobody of those who wait: interrupting one of them disturbs no other, and when none is left
 * it is interrupted.
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

interface Flight<A, E> {
  readonly result: Deferred.Deferred<A, E>
  waiters: number
  fiber: Fiber.Fiber<unknown> | undefined
}

/** `lookup`, shared; it runs in `context`. */
export const sharedLookup = <A, E>(
  lookup: Effect.Effect<A, E>,
  context: Context.Context<never>
): Effect.Effect<A, E> => {
  let known: Effect.Effect<A> | undefined
  let flight: Flight<A, E> | undefined

  const launch = (): Flight<A, E> => {
    const launched: Flight<A, E> = { result: Deferred.makeUnsafe<A, E>(), waiters: 0, fiber: undefined }
    flight = launched
    const landing = Effect.onExit(lookup, (exit) =>
      Effect.sync(() => {
        if (flight === launched) flight = undefined
        if (Exit.isSuccess(exit)) known = Effect.succeed(exit.value)
        Deferred.doneUnsafe(launched.result, exit)
      })
    )
    launched.fiber = Effect.runForkWith(context)(Effect.exit(landing))
    return launched
  }

  const leave = (left: Flight<A, E>): Effect.Effect<void> => {
    left.waiters--
    if (left.waiters > 0 || left.fiber === undefined || left.fiber.pollUnsafe() !== undefined)
      return Effect.void
    // Nobody can join any more: who asks now asks anew.
    if (flight === left) flight = undefined
    return Effect.asVoid(Fiber.interrupt(left.fiber))
  }

  return Effect.uninterruptibleMask((restore) => {
    if (known !== undefined) return known
    const joined = flight ?? launch()
    joined.waiters++
    return Effect.onExit(restore(Deferred.await(joined.result)), () => leave(joined))
  })
}
