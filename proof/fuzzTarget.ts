/**
 * A decoder that is fuzzed: how inputs for it look, and the laws that it is held to.
 */
import { LawBroken } from "../src/testing/law.ts"
import type { Random } from "./fuzzMutation.ts"

export interface FuzzTarget {
  readonly name: string
  /** An input that is all right, more or less. */
  readonly generate: (random: Random) => Uint8Array
  /** Puts checksums right, in place, and lengths where there is only one: so that what lies behind them is reached. */
  readonly repair?: ((bytes: Uint8Array, random: Random) => void) | undefined
  /**
   * Decodes, and demands that what is accepted, encoded again, is the same value. Throws what the decoder throws;
   * `LawBroken` where a law is.
   */
  readonly run: (bytes: Uint8Array) => void
  /** Whether an error is one of those that a decoder may throw. */
  readonly isRefusal: (error: unknown) => boolean
  readonly dictionary: ReadonlyArray<Uint8Array>
  /** Longer inputs are cut off. */
  readonly maxBytes: number
  readonly align: number
}

export const fuzzPath = "/fuzzed"

/** `Corrupt`, with the path and an offset within the file. */
export const isCorrupt =
  (limit: (bytes: number) => number = (bytes) => bytes) =>
  (error: unknown, bytes = Infinity): boolean =>
    typeof error === "object" &&
    error !== null &&
    "_tag" in error &&
    error._tag === "Corrupt" &&
    "path" in error &&
    error.path === fuzzPath &&
    "offset" in error &&
    Number.isSafeInteger(error.offset) &&
    (error.offset as number) >= 0 &&
    (error.offset as number) <= limit(bytes)

export const demand = (condition: boolean, what: string): void => {
  if (!condition) throw new LawBroken(what)
}
