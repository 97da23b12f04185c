/** Random control records: every one that can be, with the extremes more often than their share. */
import * as fc from "fast-check"
import type { ControlRecord } from "../src/format/controlRecord.ts"

const largest = Number.MAX_SAFE_INTEGER

/** An integer from `min` to `max`, often one of the two. */
const within = (min: number, max: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.maxSafeNat().map((value) => Math.min(max, min + (value % (max - min + 1 || 1)))),
    fc.constantFrom(min, max)
  )

/**
 * Cuts of `[from, end]` make the chunks; the suffix starts within the first of them, and the part of
 * virtual space before it has been collected.
 */
export const someControlRecord: fc.Arbitrary<ControlRecord> = fc
  .record({
    sequence: within(0, largest),
    collected: fc.boolean(),
    generation: within(1, largest),
    firstChunk: within(0, largest - 50),
    cuts: fc.array(fc.oneof(fc.maxSafeNat(), fc.nat({ max: 1000 })), { maxLength: 40 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    kept: fc.double({ min: 0, max: 1, noNaN: true }),
    prefixMapBytes: within(1, largest),
    activeIsEmpty: fc.boolean()
  })
  .map((parts) => {
    const { collected, cuts, generation, prefixMapBytes } = parts
    const ends = [...new Set(cuts)].sort((a, b) => a - b)
    const firstChunkOffset = collected ? (ends.shift() ?? 0) : 0
    const chunkLengths = ends.map((end, i) => end - (i === 0 ? firstChunkOffset : ends[i - 1]))
    if (chunkLengths[0] === 0) chunkLengths.shift()
    const first = chunkLengths[0] ?? 0
    // Reaching the end of the first chunk is for a chunk that is not sealed.
    const most = chunkLengths.length > 1 || (first > 0 && parts.activeIsEmpty) ? first - 1 : first
    const suffixStart = collected ? firstChunkOffset + Math.floor(parts.share * most) : 0
    if (parts.activeIsEmpty) chunkLengths.push(0)
    return {
      sequence: parts.sequence,
      generation: collected ? generation : 0,
      suffixStart,
      prefixDataBytes: collected ? Math.floor(parts.kept * suffixStart) : 0,
      prefixMapBytes: collected ? prefixMapBytes : 0,
      firstChunk: parts.firstChunk,
      firstChunkOffset,
      chunkLengths
    }
  })
