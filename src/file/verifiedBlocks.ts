/**
 * The bytes of a file that has checksums, read from front to back: what is given out are the very
 * bytes that were verified.
 *
 * A few blocks of 64 KiB are held at a time, and of those only the ones that are touched are verified.
 * They are read, never mapped: a sector that can't be read any more is an error then, where reading a
 * mapping of it would kill the process.
 *
 * Everything is synchronous and throws.
 */
import { crc32 } from "../bytes/crc32.ts"
import { ReadOutOfBounds } from "../bytes/errors.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import type { IoFile } from "../io/Io.ts"
import { blockDamaged, truncated } from "./fixedData.ts"

export interface VerifiedBlocksOptions {
  readonly file: IoFile
  /** How much of the file the checksums are for, in bytes. */
  readonly length: number
  readonly sums: Uint32Array
}

/** So many blocks are read at once where they are asked for one after the other. */
const blocksAhead = 4

export class VerifiedBlocks {
  readonly length: number
  private readonly file: IoFile
  private readonly sums: Uint32Array
  private readonly buffer: Uint8Array
  /** The blocks in the buffer: from `first` to before `last`. */
  private first = 0
  private last = 0
  /** Which of them are verified, a bit each. */
  private verified = 0

  constructor(options: VerifiedBlocksOptions) {
    this.file = options.file
    this.length = options.length
    this.sums = options.sums
    this.buffer = new Uint8Array(Math.min(blocksAhead * blockSumsBlockBytes, options.length))
  }

  /** Copies `length` bytes at `position`, which are within the file's length, to `at` in `buffer`. */
  copy(position: number, buffer: Uint8Array, at: number, length: number): void {
    for (let done = 0; done < length;) {
      const block = Math.floor((position + done) / blockSumsBlockBytes)
      if (block < this.first || block >= this.last) this.read(block)
      if ((this.verified & (1 << (block - this.first))) === 0) this.verify(block)
      const into = position + done - block * blockSumsBlockBytes
      const count = Math.min(length - done, blockSumsBlockBytes - into)
      const from = (block - this.first) * blockSumsBlockBytes + into
      buffer.set(new Uint8Array(this.buffer.buffer, from, count), at + done)
      done += count
    }
  }

  /** Reads a block, and some behind it; where those can't be read, the block alone. */
  private read(block: number): void {
    const left = this.sums.length - block
    const count = block === this.last ? Math.min(blocksAhead, left) : 1
    try {
      this.readBlocks(block, count)
    } catch (cause) {
      if (count === 1) throw cause
      this.readBlocks(block, 1)
    }
  }

  private readBlocks(block: number, count: number): void {
    const start = block * blockSumsBlockBytes
    const length = Math.min(count * blockSumsBlockBytes, this.length - start)
    this.first = block
    this.last = block
    this.verified = 0
    try {
      this.file.unsafe.readAt(start, this.buffer.subarray(0, length))
    } catch (cause) {
      throw cause instanceof ReadOutOfBounds ? truncated(cause) : cause
    }
    this.last = block + Math.ceil(length / blockSumsBlockBytes)
  }

  private verify(block: number): void {
    const index = block - this.first
    const start = index * blockSumsBlockBytes
    const length = Math.min(blockSumsBlockBytes, this.length - block * blockSumsBlockBytes)
    const bytes = this.buffer.subarray(start, start + length)
    if (crc32(bytes) !== this.sums[block]) throw blockDamaged(this.file.path, block)
    this.verified |= 1 << index
  }
}
