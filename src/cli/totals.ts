/**
 * What a sparse file or a store holds, in figures: one pass over its extents.
 */
import * as Effect from "effect/Effect"
import type { Closed, Corrupt } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { attempt } from "../io/attempt.ts"
import { count, exactSize } from "./figures.ts"

export interface Totals {
  readonly extents: number
  /** The bytes that the extents cover. */
  readonly bytes: number
  /** Where the virtual span ends, which begins at 0. */
  readonly end: number
  /** The largest ranges that nothing covers, the largest first. */
  readonly holes: ReadonlyArray<Extent>
}

/** How many of the largest holes are told. */
const tellHoles = 5

/**
 * Of extents that are ascending, as they can be iterated. The virtual span ends at `spanEnd`, or where
 * nobody knows how far it reached, with the last extent.
 */
export const totalsOf = (
  source: { readonly extents: () => Iterable<Extent> },
  spanEnd = 0
): Effect.Effect<Totals, Closed | Corrupt> =>
  attempt(() => {
    let extents = 0
    let bytes = 0
    let end = 0
    const holes: Array<Extent> = []
    for (const { length, offset } of source.extents()) {
      if (offset > end) keepLargest(holes, { offset: end, length: offset - end })
      extents++
      bytes += length
      end = offset + length
    }
    if (spanEnd > end) {
      keepLargest(holes, { offset: end, length: spanEnd - end })
      end = spanEnd
    }
    return { extents, bytes, end, holes }
  })

/** The largest holes, as rows of a name and a value. */
export const holeRows = ({ holes }: Totals): ReadonlyArray<readonly [string, string]> =>
  holes.map(({ length, offset }, i) => [
    i === 0 ? "largest holes" : "",
    `${exactSize(length)} at ${count(offset)}`
  ])

/** Inserts `hole` into the sorted list where it is among the largest; the earlier of equals comes first. */
const keepLargest = (holes: Array<Extent>, hole: Extent): void => {
  if (holes.length === tellHoles && hole.length <= holes[tellHoles - 1].length) return
  const at = holes.findIndex((other) => other.length < hole.length)
  holes.splice(at === -1 ? holes.length : at, 0, hole)
  if (holes.length > tellHoles) holes.pop()
}
