/**
 * An object behind HTTP, read by range requests and pinned to one version.
 *
 * The first use asks for byte 0, which tells the length, the validators, and whether there are ranges; it
 * works with URLs that are signed for GET alone. From then on every answer must be of that version: a
 * changed object is `SourceChanged`, never a mixture of two. What servers may answer is in httpAnswer.ts,
 * what is compared in httpPin.ts, where headers go in httpSession.ts.
 *
 * It keeps nothing of the object, and asks for each range anew: `SparseIo` keeps.
 */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { InvalidArgument, SourceFailed } from "../bytes/errors.ts"
import { checkOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { ByteSource, SourceError } from "./ByteSource.ts"
import { addressOf, type HttpAddress } from "./httpAddress.ts"
import { checkFirstAnswer, type FirstAnswer } from "./httpAnswer.ts"
import { HttpExchange } from "./httpExchange.ts"
import { type HttpFault, refusedByStatus } from "./httpFault.ts"
import { HttpPin } from "./httpPin.ts"
import { HttpRetries } from "./httpRetries.ts"
import { HttpSession } from "./httpSession.ts"
import { checkedSettings, type HttpSettings, type HttpSourceOptions } from "./httpSourceOptions.ts"
import { HttpTransfer } from "./httpTransfer.ts"
import { checkObjectRange } from "./objectRange.ts"
import { sharedLookup } from "./sharedLookup.ts"

/** What is known of an object behind HTTP once it has answered. */
interface HttpObject {
  readonly pin: HttpPin
  readonly hasRanges: boolean
}

/** Asks for byte 0, or without a range, and reads what has to be read of the answer. */
const firstAnswer = (session: HttpSession, headers: Readonly<Record<string, string>>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new HttpExchange(session)),
    (exchange) =>
      Effect.gen(function* () {
        const answer = yield* exchange.ask(headers)
        const first = yield* attempt<FirstAnswer | undefined, HttpFault>(() =>
          checkFirstAnswer(answer.response, session.settings.length)
        )
        if (first?.body === undefined) return first
        const pull = yield* answer.body(first.body)
        yield* Pull.catchDone(Effect.forever(pull), () => Effect.void)
        return first
      }),
    (exchange) => exchange.end
  )

const lookUp = (session: HttpSession): Effect.Effect<HttpObject, HttpFault> =>
  Effect.gen(function* () {
    const first = yield* firstAnswer(session, { range: "bytes=0-0" })
    // No byte 0: an empty object, if asking for all of it says so too.
    const all = first ?? (yield* firstAnswer(session, {}))
    if (all === undefined) {
      return yield* Effect.fail(refusedByStatus(416, "the server finds no range in the object (416)"))
    }
    return { pin: new HttpPin(session.address.name, all.version), hasRanges: all.hasRanges }
  })

const lookUpObject = (session: HttpSession): Effect.Effect<HttpObject, SourceFailed> =>
  Effect.suspend(() => {
    const retries = new HttpRetries(session.settings.schedule, session.address.name)
    const once: Effect.Effect<HttpObject, SourceFailed> = Effect.catch(lookUp(session), (fault) =>
      Effect.andThen(retries.again(fault, 0), once)
    )
    return once
  })

/** Fills `buffer`, which ends within the object, from `offset`. */
const fill = (
  session: HttpSession,
  pin: HttpPin,
  offset: number,
  buffer: Uint8Array
): Effect.Effect<number, SourceError> =>
  Effect.gen(function* () {
    const transfer = yield* HttpTransfer.make(session, pin, { offset, length: buffer.length })
    let filled = 0
    const loop = Effect.whileLoop({
      while: () => true,
      body: () => transfer.next,
      step: (pieces) => {
        for (const piece of pieces) {
          buffer.set(piece, filled)
          filled += piece.length
        }
      }
    })
    yield* Pull.catchDone(loop, () => Effect.void)
    return filled
  }).pipe(Effect.scoped)

/** The source that `ByteSource.fromHttp` gives. */
export const makeHttpSource = (
  url: string | URL,
  options: HttpSourceOptions
): Effect.Effect<ByteSource<SourceError>, InvalidArgument> =>
  Effect.gen(function* () {
    const [address, settings] = yield* attempt<[HttpAddress, HttpSettings], InvalidArgument>(() => [
      addressOf(url),
      checkedSettings(options)
    ])
    const session = yield* HttpSession.make(address, settings)
    const object = sharedLookup(lookUpObject(session), yield* Effect.context<never>())

    const source: ByteSource<SourceError> = {
      name: address.name,
      length: Effect.map(object, ({ pin }) => pin.length),
      identity: Effect.map(object, ({ pin }) => pin.identity),
      isVersioned: Effect.map(object, ({ pin }) => pin.isVersioned),
      hasRanges: Effect.map(object, ({ hasRanges }) => hasRanges),
      readAt: (offset, buffer) =>
        Effect.gen(function* () {
          yield* attempt<void, InvalidArgument>(() => checkOffset("readAt", "offset", offset))
          const { pin } = yield* object
          const length = Math.min(buffer.length, pin.length - offset)
          return length <= 0 ? 0 : yield* fill(session, pin, offset, buffer.subarray(0, length))
        }),
      stream: (offset, length) =>
        Stream.unwrap(
          Effect.gen(function* () {
            const { pin } = yield* object
            yield* attempt<void, InvalidArgument>(() => checkObjectRange({ offset, length }, pin.length))
            const transfer = yield* HttpTransfer.make(session, pin, { offset, length })
            return Stream.fromPull(Effect.succeed(transfer.next))
          })
        )
    }
    return source
  })
