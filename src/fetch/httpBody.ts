/**
 * The body of an answer: exactly as many bytes as were announced, taken piece by piece.
 *
 * Whatever a server sends, no more is held than the piece that arrived.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { cutShort, type ExpectedBody, tooLong } from "./httpAnswer.ts"
import { type HttpFault, transportFault } from "./httpFault.ts"
import type { Guard } from "./httpStall.ts"

type Pieces = readonly [Uint8Array, ...Array<Uint8Array>]

/** Gives the next pieces of a body; done when all that was expected has come. */
export type BodyPull = Pull.Pull<Pieces, HttpFault>

/** The `length` bytes behind the first `skip`, as far as they are there. */
const part = (pieces: Pieces, { length, skip }: Pick<ExpectedBody, "length" | "skip">): Array<Uint8Array> => {
  const kept: Array<Uint8Array> = []
  let at = -skip
  for (const piece of pieces) {
    const from = Math.max(0, -at)
    const end = Math.min(piece.length, length - at)
    if (from < end) kept.push(piece.subarray(from, end))
    at += piece.length
  }
  return kept
}

const isSome = (pieces: ReadonlyArray<Uint8Array>): pieces is Pieces => pieces.length > 0

const lengthOf = (pieces: ReadonlyArray<Uint8Array>): number =>
  pieces.reduce((sum, piece) => sum + piece.length, 0)

/** The bytes of `response` that are `expected`, until the scope ends. */
export const bodyOf = (
  response: HttpClientResponse.HttpClientResponse,
  expected: ExpectedBody,
  guard: Guard
): Effect.Effect<BodyPull, never, Scope.Scope> =>
  Effect.map(Stream.toPull(response.stream), (pull) => {
    let { length: missing, skip } = expected
    const guarded = guard(pull)
    const next: BodyPull = Effect.suspend(() => {
      if (missing === 0 && !expected.whole) return Cause.done()
      return Effect.matchEffect(guarded, {
        onSuccess: (pieces): BodyPull => {
          const length = lengthOf(pieces)
          if (length > skip + missing && expected.whole) {
            return Effect.fail(tooLong(expected.skip + expected.length))
          }
          const wanted = skip > 0 || length > missing ? part(pieces, { skip, length: missing }) : pieces
          skip = Math.max(0, skip - length)
          missing -= lengthOf(wanted)
          return isSome(wanted) ? Effect.succeed(wanted) : next
        },
        onFailure: (failure): BodyPull => {
          if (!Cause.isDone(failure)) {
            return Effect.fail(failure._tag === "HttpFault" ? failure : transportFault(failure))
          }
          return missing === 0 ? Cause.done() : Effect.fail(cutShort(skip + missing))
        }
      })
    })
    return next
  })
