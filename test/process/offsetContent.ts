/**
 * Content that follows from the offset alone, and a rule for what collections keep that follows from
 * it too: so any process can judge any byte of a store, in any of its states.
 */
import type { Extent } from "../../src/bytes/extent.ts"
import { mixed } from "../../src/testing/random.ts"

/** Collections keep or drop so many bytes at once; every commit ends at a multiple of it. */
export const blockBytes = 512

/** Fills `buffer` with what belongs at `offset`; with `doomed`, with what must never be read there. */
export const fill = (offset: number, buffer: Uint8Array, doomed = false): void => {
  const salt = doomed ? 0x5bd1e995 : 0
  for (let at = 0; at < buffer.length;) {
    const word = mixed(Math.floor((offset + at) / 4) ^ salt)
    for (let byte = (offset + at) % 4; byte < 4 && at < buffer.length; byte++) {
      buffer[at++] = word >>> (byte * 8)
    }
  }
}

export const contentAt = (offset: number, length: number): Uint8Array => {
  const buffer = new Uint8Array(length)
  fill(offset, buffer)
  return buffer
}

/** How many collections the bytes of a block survive: most none, some a dozen. */
const lifetimeOf = (block: number): number => {
  const bits = mixed(block + 77)
  return bits % 10 < 6 ? 0 : 1 + ((bits >>> 8) % 12)
}

export class Collections {
  /** The `upTo` of each collection; that of generation 1 first. Ascending. */
  readonly upTos: Array<number> = []

  /** The generation whose collection was the first to look at this byte. */
  private firstOf(offset: number): number {
    let low = 0
    let high = this.upTos.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.upTos[middle] > offset) high = middle
      else low = middle + 1
    }
    return low + 1
  }

  /** Whether the byte at `offset`, which was committed, can be read in this generation. */
  isLive(offset: number, generation: number): boolean {
    const collections = generation - this.firstOf(offset) + 1
    return collections <= 0 || collections <= lifetimeOf(Math.floor(offset / blockBytes))
  }

  /** Up to where bytes from `offset` on share its fate, for ever. */
  fateEnd(offset: number): number {
    const block = (Math.floor(offset / blockBytes) + 1) * blockBytes
    return Math.min(block, this.upTos[this.firstOf(offset) - 1] ?? block)
  }

  /** Where the run of readable bytes ends that begins at `offset`, or a limit before. */
  runEnd(offset: number, limit: number, generation: number): number {
    const suffixStart = generation === 0 ? 0 : this.upTos[generation - 1]
    let end = offset
    while (end < limit && end < suffixStart && this.isLive(end, generation)) end = this.fateEnd(end)
    return end >= suffixStart ? limit : Math.min(end, limit)
  }

  /** The pieces of `extents` that this generation keeps. */
  *kept(extents: Iterable<Extent>, generation: number): IterableIterator<Extent> {
    for (const { length, offset } of extents) {
      for (let from = offset; from < offset + length;) {
        const to = Math.min(this.fateEnd(from), offset + length)
        if (this.isLive(from, generation)) yield { offset: from, length: to - from }
        from = to
      }
    }
  }
}
