/**
 * How often, and when, an object is asked for again: by a Schedule that begins anew whenever bytes came.
 */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type { SourceFailed } from "../bytes/errors.ts"
import { failureOf, type HttpFault } from "./httpFault.ts"

type Step = (failure: SourceFailed) => Pull.Pull<unknown, never, unknown>

export class HttpRetries {
  private readonly schedule: Schedule.Schedule<unknown, SourceFailed>
  private readonly source: string
  private step: Step | undefined
  private offset = -1

  constructor(schedule: Schedule.Schedule<unknown, SourceFailed>, source: string) {
    this.schedule = schedule
    this.source = source
  }

  /** Waits until it is time to ask again for what comes from `offset` on, or fails with what was wrong. */
  again(fault: HttpFault, offset: number): Effect.Effect<void, SourceFailed> {
    const failure = failureOf(fault, this.source, offset)
    if (!fault.temporary) return Effect.fail(failure)
    return Effect.gen({ self: this }, function* () {
      if (offset !== this.offset) this.step = undefined
      this.offset = offset
      const step = (this.step ??= yield* Schedule.toStepWithSleep(this.schedule))
      yield* Pull.catchDone(step(failure), () => Effect.fail(failure))
      if (fault.retryAfterMillis !== undefined) yield* Effect.sleep(fault.retryAfterMillis)
    })
  }
}
