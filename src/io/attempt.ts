/**
 * The bridge from synchronous code that throws tagged errors to Effects that fail with them.
 */
import * as Effect from "effect/Effect"

/** The failure of type `E` that a thrown error with a `_tag` is; whatever carries no tag is a bug. */
export const thrown = <E>(cause: unknown): Effect.Effect<never, E> =>
  cause instanceof Error && "_tag" in cause ? Effect.fail(cause as E) : Effect.die(cause)

/**
 * Runs `body` when the Effect runs. The errors it throws that carry a `_tag` are failures of type
 * `E`, which the caller names; anything else is a bug and becomes a defect.
 */
export const attempt = <A, E>(body: () => A): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return thrown(cause)
    }
  })
