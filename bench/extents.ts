/**
 * The data sets: ascending extents of 32 to 4,096 bytes, back to back in physical space, of which
 * about 30 % of virtual space is made, with holes of three kinds between them.
 *
 * They come as a stream, so that a process whose memory is measured never holds them, and as
 * arrays for those that need random access.
 */
import { makeRandom } from "./random.ts"

export type Gaps = "uniform" | "log-normal" | "clustered"
export const allGaps: ReadonlyArray<Gaps> = ["uniform", "log-normal", "clustered"]

export const shortestBytes = 32
export const longestBytes = 4096
const meanLengthBytes = (shortestBytes + longestBytes) / 2
const liveShare = 0.3
const meanGapBytes = (meanLengthBytes * (1 - liveShare)) / liveShare
const spread = 2
const meanClusterExtents = 2000
const clusterGapBytes = 64

/** Moves over ascending extents: the fields are those of the current one. */
export interface ExtentStream {
  virtual: number
  physical: number
  length: number
  readonly advance: () => void
}

/** Draws the hole behind an extent, at least one byte. */
const gapSource = (gaps: Gaps, seed: number): (() => number) => {
  const random = makeRandom(seed)
  const logNormal = (mean: number): number =>
    1 + Math.floor(mean * Math.exp(spread * random.normal() - (spread * spread) / 2))
  switch (gaps) {
    case "uniform":
      return () => 1 + random.below(2 * meanGapBytes)
    case "log-normal":
      return () => logNormal(meanGapBytes)
    case "clustered": {
      let left = 0
      return () => {
        if (left-- > 0) return 1 + random.below(clusterGapBytes)
        left = Math.floor(random.exponential(meanClusterExtents))
        return logNormal(meanClusterExtents * meanGapBytes)
      }
    }
  }
}

export const extentStream = (gaps: Gaps, seed = 1): ExtentStream => {
  const gap = gapSource(gaps, seed)
  const random = makeRandom(seed + 1)
  const lengthBytes = (): number => shortestBytes + random.below(longestBytes - shortestBytes + 1)
  const stream: ExtentStream = {
    virtual: gap(),
    physical: 0,
    length: lengthBytes(),
    advance: () => {
      stream.virtual += stream.length + gap()
      stream.physical += stream.length
      stream.length = lengthBytes()
    }
  }
  return stream
}

export interface ExtentArrays {
  readonly count: number
  readonly virtuals: Float64Array
  readonly lengths: Uint32Array
}

export const extentArrays = (gaps: Gaps, count: number, seed = 1): ExtentArrays => {
  const virtuals = new Float64Array(count)
  const lengths = new Uint32Array(count)
  const stream = extentStream(gaps, seed)
  for (let i = 0; i < count; i++, stream.advance()) {
    virtuals[i] = stream.virtual
    lengths[i] = stream.length
  }
  return { count, virtuals, lengths }
}

/** Random keys: bytes of random extents, and one in ten a byte of the hole behind one. */
export const randomKeys = (extents: ExtentArrays, count: number, seed = 7): Float64Array => {
  const random = makeRandom(seed)
  const keys = new Float64Array(count)
  for (let k = 0; k < count; k++) {
    const i = random.below(extents.count)
    const start = extents.virtuals[i]
    const end = start + extents.lengths[i]
    const gap = i + 1 < extents.count ? extents.virtuals[i + 1] - end : 0
    const inHole = gap > 0 && random.unit() < 0.1
    keys[k] = inHole ? end + random.below(gap) : start + random.below(end - start)
  }
  return keys
}

/** Objects back to back in a source of this size, of which a random 30 % are live: a collection's input. */
export const liveObjects = (
  sourceBytes: number,
  seed = 11
): ReadonlyArray<{ readonly offset: number; readonly length: number }> => {
  const random = makeRandom(seed)
  const live: Array<{ offset: number; length: number }> = []
  let offset = 0
  for (;;) {
    const length = shortestBytes + random.below(longestBytes - shortestBytes + 1)
    if (offset + length > sourceBytes) return live
    if (random.unit() < liveShare) live.push({ offset, length })
    offset += length
  }
}
