/**
 * An object behind HTTP, read by range requests and pinned to one version.
 *
 * The first use asks for byte 0, which tells the length, the validators, and whether there are ranges; it
 * works with URLs that are signed for GET alone. From then on every answer must be of that version: a
 * changed object is `SourceChanged`, never a mixture of two. What servers may answer is in httpAnswer.ts,
 * what is compared in httpVersion.ts, where headers go in httpSession.ts.
 *
 * It keeps nothing of the object, and asks for each range anew: `SparseIo` keeps.
 */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { InvalidArgument, type SourceFailed } from "../bytes/errors.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { ByteSource, SourceError } from "./ByteSource.ts"
import { addressOf, type HttpAddress } from "./httpAddress.ts"
import { checkFirstAnswer, type FirstAnswer } from "./httpAnswer.ts"
import { bodyOf } from "./httpBody.ts"
import { type HttpFault, refused } from "./httpFault.ts"
import { HttpRetries } from "./httpRetries.ts"
import { HttpSession } from "./httpSession.ts"
import { checkedSettings, type HttpSettings, type HttpSourceOptions } from "./httpSourceOptions.ts"
import { stallGuard } from "./httpStall.ts"
import { HttpTransfer } from "./httpTransfer.ts"
import { type HttpVersion, identityOf } from "./httpVersion.ts"
import { sharedLookup } from "./sharedLookup.ts"

/** Asks for byte 0, or without a range, and reads what has to be read of the answer. */
const firstAnswer = (session: HttpSession, headers: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const guard = yield* stallGuard(session.settings.timeout)
    const response = yield* session.ask(headers, guard)
    const first = yield* attempt<FirstAnswer | undefined, HttpFault>(() =>
      checkFirstAnswer(response, session.settings.length)
    )
    if (first?.body === undefined) return first
    const pull = yield* bodyOf(response, first.body, guard)
    yield* Pull.catchDone(Effect.forever(pull), () => Effect.void)
    return first
  }).pipe(Effect.scoped)

const lookUp = (session: HttpSession): Effect.Effect<HttpVersion, HttpFault> =>
  Effect.gen(function* () {
    const first = yield* firstAnswer(session, { range: "bytes=0-0" })
    // No byte 0: an empty object, if asking for all of it says so too.
    const all = first ?? (yield* firstAnswer(session, {}))
    if (all === undefined) return yield* Effect.fail(refused("the server finds no range in the object (416)"))
    return all.version
  })

const lookUpVersion = (session: HttpSession): Effect.Effect<HttpVersion, SourceFailed> =>
  Effect.suspend(() => {
    const retries = new HttpRetries(session.settings.schedule, session.address.name)
    const once: Effect.Effect<HttpVersion, SourceFailed> = Effect.catch(lookUp(session), (fault) =>
      Effect.andThen(retries.again(fault, 0), once)
    )
    return once
  })

/** Fills `buffer`, which ends within the object, from `offset`. */
const fill = (
  session: HttpSession,
  version: HttpVersion,
  offset: number,
  buffer: Uint8Array
): Effect.Effect<number, SourceError> =>
  Effect.gen(function* () {
    const transfer = yield* HttpTransfer.make(session, version, { offset, length: buffer.length })
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

const checkWithin = (offset: number, length: number, version: HttpVersion) =>
  attempt<void, InvalidArgument>(() => {
    checkRange("stream", offset, length)
    if (offset + length > version.length) {
      const reason = `the range of ${length} bytes at ${offset} ends beyond the object, at ${version.length}`
      throw new InvalidArgument({ operation: "stream", reason })
    }
  })

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
    const version = sharedLookup(lookUpVersion(session), yield* Effect.context<never>())

    const source: ByteSource<SourceError> = {
      name: address.name,
      length: Effect.map(version, ({ length }) => length),
      identity: Effect.map(version, identityOf),
      readAt: (offset, buffer) =>
        Effect.gen(function* () {
          yield* attempt<void, InvalidArgument>(() => checkOffset("readAt", "offset", offset))
          const known = yield* version
          const length = Math.min(buffer.length, known.length - offset)
          return length <= 0 ? 0 : yield* fill(session, known, offset, buffer.subarray(0, length))
        }),
      stream: (offset, length) =>
        Stream.unwrap(
          Effect.gen(function* () {
            const known = yield* version
            yield* checkWithin(offset, length, known)
            const transfer = yield* HttpTransfer.make(session, known, { offset, length })
            return Stream.fromPull(Effect.succeed(transfer.next))
          })
        )
    }
    return source
  })
