/**
 * One range of an object on its way: by one request, and, where it breaks off, by others for what is left.
 *
 * It is pulled: nothing is asked for before somebody wants bytes, and a slow taker slows the server down. The end of its
 * scope, and so an interruption, aborts the request that is under way.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import type { SourceFailed } from "../bytes/errors.ts"
import { SourceChanged } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { attempt } from "../io/attempt.ts"
import { type AskedRange, checkRangeAnswer, type ExpectedBody } from "./httpAnswer.ts"
import type { BodyPull } from "./httpBody.ts"
import { HttpExchange } from "./httpExchange.ts"
import type { HttpFault } from "./httpFault.ts"
import type { HttpPin } from "./httpPin.ts"
import { HttpRetries } from "./httpRetries.ts"
import type { HttpSession } from "./httpSession.ts"

/** Gives the next pieces of a range; done at its end. */
export type TransferPull = Pull.Pull<
  readonly [Uint8Array, ...Array<Uint8Array>],
  SourceFailed | SourceChanged
>

export class HttpTransfer {
  private readonly session: HttpSession
  private readonly pin: HttpPin
  private readonly retries: HttpRetries
  private readonly start: number
  /** What is missing yet. */
  private at: number
  private readonly end: number
  /** The request under way, and what of its body has come. */
  private exchange: HttpExchange | undefined
  private body: BodyPull | undefined

  private constructor(session: HttpSession, pin: HttpPin, range: Extent) {
    this.session = session
    this.pin = pin
    this.retries = new HttpRetries(session.settings.schedule, session.address.name)
    this.start = range.offset
    this.at = range.offset
    this.end = range.offset + range.length
  }

  /** A transfer of a range that lies within the object, until the scope ends. */
  static readonly make = (
    session: HttpSession,
    pin: HttpPin,
    range: Extent
  ): Effect.Effect<HttpTransfer, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => new HttpTransfer(session, pin, range)),
      (transfer) => transfer.letGo
    )

  readonly next: TransferPull = Effect.suspend((): TransferPull => {
    if (this.body !== undefined) return this.read(this.body)
    // What stalled or broke off behind the last byte has done what it should.
    if (this.at === this.end) return Cause.done()
    return Effect.matchEffect(this.open, {
      onSuccess: () => this.next,
      onFailure: (error) => this.failed(error)
    })
  })

  private read(body: BodyPull): TransferPull {
    return Effect.matchEffect(body, {
      onSuccess: (pieces) => {
        for (const piece of pieces) this.at += piece.length
        return Effect.succeed(pieces)
      },
      onFailure: (error): TransferPull =>
        Cause.isDone(error) ? Effect.andThen(this.letGo, Cause.done()) : this.failed(error)
    })
  }

  private failed(error: HttpFault | SourceChanged): TransferPull {
    if (error instanceof SourceChanged) return Effect.fail(error)
    return this.letGo.pipe(
      Effect.andThen(
        this.at === this.end && error.temporary ? Effect.void : this.retries.again(error, this.at)
      ),
      Effect.andThen(this.next)
    )
  }

  private readonly open: Effect.Effect<void, HttpFault | SourceChanged> = Effect.suspend(() => {
    const exchange = new HttpExchange(this.session)
    this.exchange = exchange
    return Effect.gen({ self: this }, function* () {
      const { condition } = this.pin
      const asked: AskedRange = {
        offset: this.at,
        length: this.end - this.at,
        isConditional: "if-range" in condition,
        // To go on with what only comes from its beginning, it is sent once more.
        maySkip: this.start === 0
      }
      const answer = yield* exchange.ask({ range: `bytes=${this.at}-${this.end - 1}`, ...condition })
      const expected = yield* attempt<ExpectedBody, HttpFault | SourceChanged>(() =>
        checkRangeAnswer(answer.response, asked, this.pin)
      )
      this.body = yield* answer.body(expected)
    })
  })

  /** Ends the request under way: whatever of it has not come is not read. */
  private readonly letGo: Effect.Effect<void> = Effect.suspend(() => {
    const { exchange } = this
    this.exchange = undefined
    this.body = undefined
    return exchange === undefined ? Effect.void : exchange.end
  }).pipe(Effect.uninterruptible)
}
