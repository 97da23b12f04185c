/**
 * How often, and when, an object is asked for again: by a Schedule that begins anew whenever a good deal of
 * bytes came.
 */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type { SourceFailed } from "../bytes/errors.ts"
import { failureOf, type HttpFault } from "./httpFault.ts"

type Step = (failure: SourceFailed) => Pull.Pull<unknown, never, unknown>

/** By less than this, in bytes, a server that gives a byte a connection would be followed without end. */
const progressBytes = 1 << 16

export class HttpRetries {
  private readonly schedule: Schedule.Schedule<unknown, SourceFailed>
  private readonly source: string
  private step: Step | undefined
  /** The offset at which the schedule began. */
  private begunAt = 0

  constructor(schedule: Schedule.Schedule<unknown, SourceFailed>, source: string) {
    this.schedule = schedule
    this.source = source
  }

  /** Waits until it is time to ask again for what comes from `offset` on, or fails with what was wrong. */
  again(fault: HttpFault, offset: number): Effect.Effect<void, SourceFailed> {
    const failure = failureOf(fault, this.source, offset)
    if (!fault.temporary) return Effect.fail(failure)
    return Effect.gen({ self: this }, function* () {
      if (this.step === undefined || offset - this.begunAt >= progressBytes) {
        this.step = yield* Schedule.toStepWithSleep(this.schedule)
        this.begunAt = offset
      }
      yield* Pull.catchDone(this.step(failure), () => Effect.fail(failure))
      if (fault.retryAfterMillis !== undefined) yield* Effect.sleep(fault.retryAfterMillis)
    })
  }
}
