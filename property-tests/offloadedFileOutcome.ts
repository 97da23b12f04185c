/**
 * What offloaded files and their models give, as it is compared.
 */
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { attempt } from "../src/io/attempt.ts"
import type { OffloadedFileModel, OffloadedModelOutcome } from "../src/testing/models/offloadedFile.ts"
import type { Place } from "./offloadedFileSteps.ts"

type Outcome<A> = OffloadedModelOutcome<A>

/** What an Effect gave, in the model's words. */
export const outcome = <A, R>(
  effect: Effect.Effect<A, { readonly _tag: string }, R>
): Effect.Effect<Outcome<A>, never, R> =>
  effect.pipe(
    Effect.map((value): Outcome<A> => ({ value })),
    Effect.catch(({ _tag }) => Effect.succeed({ failure: _tag }))
  )

export const now = <A>(body: () => A): Effect.Effect<A, { readonly _tag: string }> => attempt(body)

export const sameBytes = (real: Outcome<Uint8Array>, expected: Outcome<Uint8Array>, what: string): void => {
  if ("value" in real && "value" in expected) {
    assert.strictEqual(Buffer.compare(real.value, expected.value), 0, what)
  } else {
    assert.deepStrictEqual(real, expected, what)
  }
}

/** The offset that a place is now. */
export const offsetOf = (place: Place, { size }: OffloadedFileModel): number => {
  if ("exactly" in place) return place.exactly
  if ("behind" in place) return size + place.behind
  return Math.max(0, Math.floor((place.at * (size + 6)) / 1000) + place.plus)
}
