/**
 * One request for an object, and the answer to it, until it is ended.
 *
 * The end is an abortion, and nobody waits for more than that: what else a client or a body does in its end
 * may take for ever.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Scope from "effect/Scope"
import type { ExpectedBody } from "./httpAnswer.ts"
import { type BodyPull, bodyOf } from "./httpBody.ts"
import type { HttpFault } from "./httpFault.ts"
import type { HttpSession } from "./httpSession.ts"
import { stallGuard } from "./httpStall.ts"

export interface HttpAnswer {
  readonly response: HttpClientResponse.HttpClientResponse
  /** What `expected` says of the body, to be asked for once. */
  readonly body: (expected: ExpectedBody) => Effect.Effect<BodyPull>
}

export class HttpExchange {
  private readonly session: HttpSession
  /** Its end aborts the request, and ends the watch over it. */
  private readonly asking = Scope.makeUnsafe()
  /** What reads the body. Its end may wait for the body to be cancelled. */
  private readonly reading = Scope.makeUnsafe()

  constructor(session: HttpSession) {
    this.session = session
  }

  ask(headers: Readonly<Record<string, string>>): Effect.Effect<HttpAnswer, HttpFault> {
    return Effect.gen({ self: this }, function* () {
      const guard = yield* stallGuard(this.session.settings.timeout)
      const response = yield* this.session.ask(headers, guard)
      const body = (expected: ExpectedBody) => Scope.provide(bodyOf(response, expected, guard), this.reading)
      return { response, body }
    }).pipe(Scope.provide(this.asking))
  }

  /** Whatever has not come is not read. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    const closing = Effect.andThen(Scope.close(this.asking, Exit.void), Scope.close(this.reading, Exit.void))
    // At once, as far as nothing is waited for: the request is aborted when this is over.
    return Effect.forkDetach(Effect.exit(closing), { startImmediately: true, uninterruptible: true })
  }).pipe(Effect.asVoid, Effect.uninterruptible)
}
