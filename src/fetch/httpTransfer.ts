/**
 * One range of an object on its way: by one request, and, where it breaks off, by others for what is left.
 *
 * It is pulled: nothing is asked for before somebody wants bytes, and a slow taker slows the server down. The end of its
 * scope, and so an interruption, aborts the request that is under way.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import type { SourceFailed } from "../bytes/errors.ts"
import { SourceChanged } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { attempt } from "../io/attempt.ts"
import { checkRangeAnswer, type ExpectedBody } from "./httpAnswer.ts"
import { type BodyPull, bodyOf } from "./httpBody.ts"
import type { HttpFault } from "./httpFault.ts"
import { HttpRetries } from "./httpRetries.ts"
import type { HttpSession } from "./httpSession.ts"
import { stallGuard } from "./httpStall.ts"
import { conditionOf, type HttpVersion } from "./httpVersion.ts"

/** Gives the next pieces of a range; done at its end. */
export type TransferPull = Pull.Pull<
  readonly [Uint8Array, ...Array<Uint8Array>],
  SourceFailed | SourceChanged
>

export class HttpTransfer {
  private readonly session: HttpSession
  private readonly version: HttpVersion
  private readonly retries: HttpRetries
  /** What is missing yet. */
  private at: number
  private readonly end: number
  /** The request under way, and what of its body has come. */
  private scope: Scope.Closeable | undefined
  private body: BodyPull | undefined

  private constructor(session: HttpSession, version: HttpVersion, range: Extent) {
    this.session = session
    this.version = version
    this.retries = new HttpRetries(session.settings.schedule, session.address.name)
    this.at = range.offset
    this.end = range.offset + range.length
  }

  /** A transfer of a range that lies within the object, until the scope ends. */
  static readonly make = (
    session: HttpSession,
    version: HttpVersion,
    range: Extent
  ): Effect.Effect<HttpTransfer, never, Scope.Scope> =>
    Effect.acquireRelease(
      Effect.sync(() => new HttpTransfer(session, version, range)),
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
    const scope = Scope.makeUnsafe()
    this.scope = scope
    const range = { offset: this.at, length: this.end - this.at }
    return Effect.gen({ self: this }, function* () {
      const guard = yield* stallGuard(this.session.settings.timeout)
      const headers = { range: `bytes=${this.at}-${this.end - 1}`, ...conditionOf(this.version) }
      const response = yield* this.session.ask(headers, guard)
      const expected = yield* attempt<ExpectedBody, HttpFault | SourceChanged>(() =>
        checkRangeAnswer(this.session.address.name, response, range, this.version)
      )
      this.body = yield* bodyOf(response, expected, guard)
    }).pipe(Scope.provide(scope))
  })

  /** Ends the request under way: whatever of it has not come is not read. */
  private readonly letGo: Effect.Effect<void> = Effect.suspend(() => {
    const { scope } = this
    this.scope = undefined
    this.body = undefined
    return scope === undefined ? Effect.void : Effect.uninterruptible(Scope.close(scope, Exit.void))
  })
}
