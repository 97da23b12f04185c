/**
 * How long an answer may stall: one watch for all that is waited for within one request.
 *
 * A timeout around each wait would start two fibers and a timer for every piece of a body. Here one fiber
 * sleeps for the whole request, and looks whether what is waited for has been waited for too long. The time
 * in which nobody waits, since whoever takes the bytes is slower than they come, doesn't count.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type HttpFault, passing } from "./httpFault.ts"

interface Wait {
  readonly sinceMillis: number
  readonly giveUp: () => void
}

/** Lets an Effect fail with an `HttpFault` when it takes longer than is waited for. */
export type Guard = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | HttpFault>

/** A guard that watches until its scope ends. One thing is waited for at a time. */
export const stallGuard = (timeout: Duration.Duration): Effect.Effect<Guard, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const context = yield* Effect.context<never>()
    const timeoutMillis = Duration.toMillis(timeout)
    const stalled = passing(`nothing came for ${Duration.format(timeout)}`)
    let wait: Wait | undefined

    const watch = Effect.suspend(() => {
      const waitedMillis = wait === undefined ? 0 : clock.currentTimeMillisUnsafe() - wait.sinceMillis
      // Whole milliseconds: what rounding leaves of one would let no time pass, again and again.
      if (waitedMillis < timeoutMillis) return Effect.sleep(Math.ceil(timeoutMillis - waitedMillis))
      wait?.giveUp()
      return Effect.sleep(timeout)
    })
    yield* Effect.forkScoped(Effect.forever(watch))

    return <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.callback<A, E | HttpFault>((resume) => {
        const fiber = Effect.runForkWith(context)(effect)
        const giveUp = () => {
          wait = undefined
          // First, since the fiber's end resumes too; and that is not waited for: what stalls may not heed it.
          resume(Effect.fail(stalled))
          fiber.interruptUnsafe()
        }
        wait = { sinceMillis: clock.currentTimeMillisUnsafe(), giveUp }
        fiber.addObserver((exit) => {
          wait = undefined
          resume(exit)
        })
        return Effect.sync(() => {
          wait = undefined
          // Not waited for either.
          fiber.interruptUnsafe()
        })
      })
  })
