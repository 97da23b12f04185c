/**
 * What a workload was refused. It goes on behind a refusal, since what a program sees after an error is as
 * much a promise as what it sees without one, and fails in the end with the first.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

export class Refusals {
  private first: { readonly error: unknown } | undefined

  /** How a step has gone. Only a defect ends the workload. */
  attempted<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> {
    return Effect.matchEffect(effect, {
      onSuccess: (value) => Effect.succeed(Exit.succeed(value)),
      onFailure: (error) =>
        Effect.sync(() => {
          this.first ??= { error }
          return Exit.fail(error)
        })
    })
  }

  /** Fails with what was refused first. */
  readonly end: Effect.Effect<void, unknown> = Effect.suspend(() =>
    this.first === undefined ? Effect.void : Effect.fail(this.first.error)
  )
}
