/**
 * The index of an offmap: where a virtual offset's cell must be, to within a cell or two.
 *
 * The cells' bases, drawn against their numbers, are covered by straight segments such that none is
 * more than `epsilon` cells off; a lookup computes one multiplication where a binary search would
 * touch twenty lines. A radix table over the virtual range names the segments to look among. The
 * number of segments follows the shape of the data: a handful for evenly spread extents, at worst one for
 * every two cells.
 *
 * The index is a hint: a lookup checks the cells that it leads to, and bisects when it is misled.
 */
import { cellBytes } from "./offmapCell.ts"

/** How many cells a segment's line may be off at a cell's base. */
export const epsilonCells = 1

export const segmentBytes = 16

export interface OffmapIndex {
  /**
   * Segment `i`: its first base (f64), cells per byte (f32), and its first cell (u32). One more than
   * `segmentCount` ends them: its base is infinity and its first cell the number of cells.
   */
  readonly segments: Uint8Array
  readonly segmentCount: number
  /**
   * Entry `b` is the last segment that starts at or before the virtual offset where bucket `b`
   * begins (or 0); one more entry than buckets ends the table.
   */
  readonly radix: Uint32Array
  /** A bucket spans 2^bucketShift bytes, counted from the first base. */
  readonly bucketShift: number
}

/** The index over the bases of `count` cells that cover `first` to `last`, both included. One pass. */
export const buildIndex = (
  bases: Float64Array,
  count: number,
  { first, last }: { readonly first: number; readonly last: number }
): OffmapIndex => {
  const segments = buildSegments(bases, count)
  return { ...segments, ...buildRadix(segments, first, last) }
}

const stride = cellBytes / 8

const buildSegments = (
  bases: Float64Array,
  count: number
): Pick<OffmapIndex, "segments" | "segmentCount"> => {
  let bytes = new ArrayBuffer(1 << 12)
  let keys = new Float64Array(bytes)
  let slopes = new Float32Array(bytes)
  let firsts = new Uint32Array(bytes)
  let segmentCount = 0
  let cell = 0
  while (cell < count) {
    if ((segmentCount + 2) * segmentBytes > bytes.byteLength) {
      const grown = new ArrayBuffer(bytes.byteLength * 2)
      new Uint8Array(grown).set(new Uint8Array(bytes))
      bytes = grown
      keys = new Float64Array(bytes)
      slopes = new Float32Array(bytes)
      firsts = new Uint32Array(bytes)
    }
    // The cone of slopes that keep every cell so far within epsilon of the line narrows with each
    // cell. When no slope is left, the segment ends.
    const first = cell
    const key = bases[first * stride]
    let low = 0
    let high = Infinity
    for (cell = first + 1; cell < count; cell++) {
      const distance = bases[cell * stride] - key
      const rise = cell - first
      const steepest = (rise + epsilonCells) / distance
      const flattest = (rise - epsilonCells) / distance
      if (steepest < low || flattest > high) break
      if (steepest < high) high = steepest
      if (flattest > low) low = flattest
    }
    keys[segmentCount * 2] = key
    slopes[segmentCount * 4 + 2] = high === Infinity ? 0 : (low + high) / 2
    firsts[segmentCount * 4 + 3] = first
    segmentCount++
  }
  keys[segmentCount * 2] = Infinity
  firsts[segmentCount * 4 + 3] = count
  return { segments: new Uint8Array(bytes, 0, (segmentCount + 1) * segmentBytes), segmentCount }
}

const buildRadix = (
  { segmentCount, segments }: Pick<OffmapIndex, "segments" | "segmentCount">,
  first: number,
  last: number
): Pick<OffmapIndex, "radix" | "bucketShift"> => {
  // Between one and two buckets a segment, each a power of two of bytes wide.
  let bucketShift = 0
  while ((last - first) / 2 ** bucketShift >= Math.max(1, 2 * segmentCount)) bucketShift++
  const width = 2 ** bucketShift
  const buckets = Math.floor((last - first) / width) + 1
  const keys = new Float64Array(segments.buffer, segments.byteOffset, segments.byteLength / 8)
  const radix = new Uint32Array(buckets + 1)
  let segment = 0
  for (let bucket = 0; bucket <= buckets; bucket++) {
    const start = first + bucket * width
    while (keys[(segment + 1) * 2] <= start) segment++
    radix[bucket] = segment
  }
  return { radix, bucketShift }
}

/** Typed views of an index; all offsets into them are in their own elements. */
export interface IndexViews {
  readonly keys: Float64Array
  readonly slopes: Float32Array
  readonly firsts: Uint32Array
  readonly radix: Uint32Array
}

/**
 * What is wrong with an index, or undefined: whatever it says must lead to a cell that exists, and
 * to a segment that begins at or before the offset that is looked for.
 */
export const indexFault = (
  { firsts, keys, radix, slopes }: IndexViews,
  {
    bucketShift,
    cells,
    first,
    segments
  }: {
    readonly bucketShift: number
    readonly cells: number
    readonly first: number
    readonly segments: number
  }
): string | undefined => {
  if (segments > 0 && keys[0] !== first) return `the index begins at ${keys[0]} and the bindings at ${first}`
  for (let segment = 0; segment < segments; segment++) {
    if (!(firsts[segment * 4 + 3] < firsts[segment * 4 + 7])) return `segment ${segment} has no cells`
    if (!(keys[segment * 2] < keys[segment * 2 + 2])) return `segment ${segment} is out of order`
    const slope = slopes[segment * 4 + 2]
    if (!(slope >= 0 && slope < Infinity)) return `segment ${segment} has a slope of ${slope}`
  }
  if (firsts[segments * 4 + 3] !== cells) return "the segments and the cells disagree"
  const width = 2 ** bucketShift
  for (let bucket = 0; bucket < radix.length; bucket++) {
    const segment = radix[bucket]
    if (segment > 0 && !(segment < segments)) return `bucket ${bucket} leads nowhere`
    if (segment > 0 && !(keys[segment * 2] <= first + bucket * width)) return `bucket ${bucket} leads too far`
    if (bucket > 0 && segment < radix[bucket - 1]) return `bucket ${bucket} leads backwards`
  }
  return undefined
}
