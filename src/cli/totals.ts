/**
 * What a sparse file holds, in figures: one pass over its extents.
 */
import * as Effect from "effect/Effect"
import type { Corrupt } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { SparseFileReader } from "../file/SparseFileReader.ts"
import { attempt } from "../io/attempt.ts"

export interface Totals {
  readonly extents: number
  /** The bytes that the extents cover. */
  readonly bytes: number
  /** Where the last extent ends: the virtual span begins at 0. */
  readonly end: number
  /** The largest ranges that nothing covers, the largest first. */
  readonly holes: ReadonlyArray<Extent>
}

/** How many of the largest holes are told. */
const tellHoles = 5

export const totalsOf = (reader: SparseFileReader["Service"]): Effect.Effect<Totals, Corrupt> =>
  attempt(() => {
    let extents = 0
    let bytes = 0
    let end = 0
    const holes: Array<Extent> = []
    for (const { length, offset } of reader.extents()) {
      if (offset > end) keepLargest(holes, { offset: end, length: offset - end })
      extents++
      bytes += length
      end = offset + length
    }
    return { extents, bytes, end, holes }
  })

/** Inserts `hole` into the sorted list where it is among the largest; the earlier of equals comes first. */
const keepLargest = (holes: Array<Extent>, hole: Extent): void => {
  if (holes.length === tellHoles && hole.length <= holes[tellHoles - 1].length) return
  const at = holes.findIndex((other) => other.length < hole.length)
  holes.splice(at === -1 ? holes.length : at, 0, hole)
  if (holes.length > tellHoles) holes.pop()
}
