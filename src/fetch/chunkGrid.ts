/**
 * The chunks of an object: byte ranges of one size from 0 on, the last one shorter.
 *
 * Chunks are known by number. All sums stay exact up to 2^53-1.
 */
export class ChunkGrid {
  /** Of the object, in bytes. */
  readonly length: number
  readonly chunkSize: number
  readonly count: number

  constructor(length: number, chunkSize: number) {
    this.length = length
    this.chunkSize = chunkSize
    this.count = length === 0 ? 0 : this.indexOf(length - 1) + 1
  }

  /** The chunk that the byte at `offset` lies in. */
  indexOf(offset: number): number {
    const index = Math.floor(offset / this.chunkSize)
    // Above 2^52 the quotient of the last byte of a chunk is rounded up to the next one.
    return index * this.chunkSize > offset ? index - 1 : index
  }

  startOf(index: number): number {
    return index * this.chunkSize
  }

  /** Behind the last byte of a chunk. */
  endOf(index: number): number {
    return Math.min(index * this.chunkSize + this.chunkSize, this.length)
  }

  lengthOf(index: number): number {
    return this.endOf(index) - this.startOf(index)
  }
}

/** Chunks in a row, both ends included. */
export interface ChunkRange {
  readonly first: number
  readonly last: number
}
