/**
 * The prediction: which cell the index of an offmap names for a virtual offset.
 *
 * The radix table names a segment or a few to look among, and the segment's line the cell. It is a
 * hint, to within a cell where the index is right; whatever a forged index says, the cell exists.
 */
import type { IndexViews } from "../format/offmapIndex.ts"

/** A bucket that leads to more segments than this is bisected. */
const walkSegments = 8

export interface PredictingIndex extends IndexViews {
  /** How many cells there are: at least one. */
  readonly cells: number
  /** Where the first bucket begins. */
  readonly first: number
  /** Buckets a byte. */
  readonly scale: number
}

/** The cell that the index names for `virtual`, which lies within the offsets that it is for. */
export const predictCell = (index: PredictingIndex, virtual: number): number => {
  const keys = index.keys
  const radix = index.radix
  const bucket = ((virtual - index.first) * index.scale) | 0
  let segment = radix[bucket]
  const lastSegment = radix[bucket + 1]
  if (lastSegment - segment > walkSegments) segment = bisectSegments(keys, segment, lastSegment, virtual)
  else while (segment < lastSegment && keys[segment * 2 + 2] <= virtual) segment++
  const firsts = index.firsts
  const limit = firsts[segment * 4 + 7] - 1
  const predicted = firsts[segment * 4 + 3] + (virtual - keys[segment * 2]) * index.slopes[segment * 4 + 2]
  const cell = predicted < limit ? predicted : limit
  return cell >= 0 && cell < index.cells ? cell | 0 : 0
}

const bisectSegments = (keys: Float64Array, low: number, end: number, virtual: number): number => {
  // A forged table may lead to 2^32-1, the middle of which is 0 again, and so on for ever.
  let high = Math.min(end, keys.length / 2 - 2)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (keys[middle * 2] <= virtual) low = middle
    else high = middle - 1
  }
  return low
}
