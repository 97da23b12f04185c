/**
 * The bytes of a file that has checksums, read from front to back: what is given out are the very
 * bytes that were verified.
 *
 * One block of 64 KiB is held at a time. It is read, never mapped: a sector that can't be read any
 * more is an error then, where reading a mapping of it would kill the process.
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

export class VerifiedBlocks {
  readonly length: number
  private readonly file: IoFile
  private readonly sums: Uint32Array
  private readonly buffer: Uint8Array
  /** Which block the buffer holds, verified; -1 for none. */
  private block = -1

  constructor(options: VerifiedBlocksOptions) {
    this.file = options.file
    this.length = options.length
    this.sums = options.sums
    this.buffer = new Uint8Array(Math.min(blockSumsBlockBytes, options.length))
  }

  /** Copies `length` bytes at `position`, which are within the file's length, to `at` in `buffer`. */
  copy(position: number, buffer: Uint8Array, at: number, length: number): void {
    for (let done = 0; done < length;) {
      const block = Math.floor((position + done) / blockSumsBlockBytes)
      if (block !== this.block) this.load(block)
      const from = position + done - block * blockSumsBlockBytes
      const count = Math.min(length - done, blockSumsBlockBytes - from)
      buffer.set(new Uint8Array(this.buffer.buffer, from, count), at + done)
      done += count
    }
  }

  private load(block: number): void {
    const start = block * blockSumsBlockBytes
    const bytes = this.buffer.subarray(0, Math.min(blockSumsBlockBytes, this.length - start))
    this.block = -1
    try {
      this.file.unsafe.readAt(start, bytes)
    } catch (cause) {
      throw cause instanceof ReadOutOfBounds ? truncated(cause) : cause
    }
    if (crc32(bytes) !== this.sums[block]) throw blockDamaged(this.file.path, block)
    this.block = block
  }
}
