/**
 * The index of an offmap: where a virtual offset's cell must be, to within one.
 *
 * The cells' bases, drawn against their numbers, are covered by straight segments such that none is
 * more than `epsilon` cells off; a lookup computes one multiplication where a binary search would
 * touch twenty lines. A radix table over the virtual range names the segments to look among. The
 * number of segments follows the shape of the data: few for evenly spread extents, at worst one for
 * every two cells.
 *
 * The index is a hint: a lookup checks the cells that it leads to, and bisects when it is misled.
 */

/**
 * How many cells a segment's line may be off at a cell's base. More would send more lookups to a
 * neighbouring cell first; less makes more segments, which are slower to open and to keep in the
 * cache. Measured from 0.5 to 2.
 */
export const epsilonCells = 0.75

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

/**
 * Fits segments to the bases of cells, in one pass over them.
 *
 * The cone of slopes that keep every cell of a segment within epsilon of the line narrows with each
 * cell. When no slope is left, a new segment begins.
 */
export class SegmentWriter {
  #keys = new Float64Array(64)
  #slopes = new Float32Array(this.#keys.buffer)
  #firsts = new Uint32Array(this.#keys.buffer)
  #segments = 0
  #cells = 0
  // The segment in the making: where it begins, and the slopes that are left.
  #key = 0
  #first = 0
  #lowest = 0
  #highest = Infinity

  /**
   * The next cells are those from `from` to `to`, whose bases stand in every eighth element and
   * ascend. The state is kept in locals meanwhile: this runs once for every cell.
   */
  add(bases: Float64Array, from: number, to: number): void {
    let key = this.#key
    let lowest = this.#lowest
    let highest = this.#highest
    for (let cell = from; cell < to; cell++) {
      const base = bases[cell * 8]
      const rise = cell - this.#first
      const distance = base - key
      const steepest = (rise + epsilonCells) / distance
      const flattest = (rise - epsilonCells) / distance
      if (cell > 0 && steepest >= lowest && flattest <= highest) {
        if (steepest < highest) highest = steepest
        if (flattest > lowest) lowest = flattest
        continue
      }
      if (cell > 0) this.#end(key, lowest, highest)
      this.#first = cell
      key = base
      lowest = 0
      highest = Infinity
    }
    this.#cells = to
    this.#key = key
    this.#lowest = lowest
    this.#highest = highest
  }

  /** A writer in the same state, which goes its own way from here on. */
  fork(): SegmentWriter {
    const other = new SegmentWriter()
    other.#own(this.#keys.slice())
    other.#segments = this.#segments
    other.#cells = this.#cells
    other.#key = this.#key
    other.#first = this.#first
    other.#lowest = this.#lowest
    other.#highest = this.#highest
    return other
  }

  /** The index of all cells so far, which bind offsets from `first` to `last`, both included. */
  finish({ first, last }: { readonly first: number; readonly last: number }): OffmapIndex {
    if (this.#cells > 0) this.#end(this.#key, this.#lowest, this.#highest)
    this.#keys[this.#segments * 2] = Infinity
    this.#slopes[this.#segments * 4 + 2] = 0
    this.#firsts[this.#segments * 4 + 3] = this.#cells
    const segments = new Uint8Array(this.#keys.buffer, 0, (this.#segments + 1) * segmentBytes)
    const fitted = { segments, segmentCount: this.#segments }
    return { ...fitted, ...buildRadix(fitted, first, last) }
  }

  #end(key: number, lowest: number, highest: number): void {
    const at = this.#segments++
    if (this.#segments * 2 === this.#keys.length) {
      const grown = new Float64Array(this.#keys.length * 2)
      grown.set(this.#keys)
      this.#own(grown)
    }
    this.#keys[at * 2] = key
    this.#slopes[at * 4 + 2] = highest === Infinity ? 0 : (lowest + highest) / 2
    this.#firsts[at * 4 + 3] = this.#first
  }

  #own(keys: Float64Array<ArrayBuffer>): void {
    this.#keys = keys
    this.#slopes = new Float32Array(keys.buffer)
    this.#firsts = new Uint32Array(keys.buffer)
  }
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
