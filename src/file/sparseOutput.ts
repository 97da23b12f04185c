/**
 * The data of a sparse file while it is written: one growing file, with a CRC-32 for every block.
 *
 * Bytes gather in one buffer and leave it when it is full, so that the file sees few large writes
 * and every block is summed while it is still in the processor's cache. The buffer always begins at
 * a multiple of its own size, hence of the block size.
 *
 * Everything here is synchronous and throws. After a throw the file's content is unknown: whoever
 * writes must give up the whole file.
 */
import { crc32 } from "../bytes/crc32.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import type { IoFile } from "../io/Io.ts"

/** Larger writes were bimodal in measurements, smaller ones cost more calls. */
export const outputBufferBytes = 512 * 1024
/** A piece of a source: large enough to read fast, small enough to stay in the cache. */
export const stagingBytes = 256 * 1024

export class SparseOutput {
  // One piece of memory for both, since bytes move fastest within an array: no view is made.
  private readonly memory = new Uint8Array(outputBufferBytes + stagingBytes)
  /** The bytes from `written` on; `filled` of them count. */
  readonly buffer = this.memory.subarray(0, outputBufferBytes)
  /** Where a piece of a source may be read to, for `takeStaged`. */
  readonly staging = this.memory.subarray(outputBufferBytes)
  filled = 0
  private readonly file: IoFile
  private written = 0
  private sums = new Uint32Array(16)
  private sumCount = 0

  constructor(file: IoFile) {
    this.file = file
  }

  /** The physical offset of the next byte. */
  get end(): number {
    return this.written + this.filled
  }

  /** Room in the buffer, at least one byte: a full buffer is written first. */
  room(): number {
    if (this.filled === this.buffer.length) this.drain()
    return this.buffer.length - this.filled
  }

  /** Appends all of `bytes`. */
  append(bytes: Uint8Array): void {
    let done = 0
    while (done < bytes.length) {
      const count = Math.min(this.room(), bytes.length - done)
      this.buffer.set(bytes.subarray(done, done + count), this.filled)
      this.filled += count
      done += count
    }
  }

  /** Appends `length` bytes that lie at `at` in `staging`. */
  takeStaged(at: number, length: number): void {
    let from = outputBufferBytes + at
    for (let left = length; left > 0;) {
      const count = Math.min(this.room(), left)
      this.memory.copyWithin(this.filled, from, from + count)
      this.filled += count
      from += count
      left -= count
    }
  }

  /** Writes what is left and gives the sums of all blocks. Nothing can be appended afterwards. */
  finish(): Uint32Array {
    if (this.filled > 0) this.drain()
    return this.sums.slice(0, this.sumCount)
  }

  private drain(): void {
    const full = this.buffer.subarray(0, this.filled)
    for (let at = 0; at < full.length; at += blockSumsBlockBytes) {
      this.pushSum(crc32(full.subarray(at, at + blockSumsBlockBytes)))
    }
    this.file.unsafe.writeAt(this.written, full)
    this.written += full.length
    this.filled = 0
  }

  private pushSum(sum: number): void {
    if (this.sumCount === this.sums.length) {
      const grown = new Uint32Array(this.sums.length * 2)
      grown.set(this.sums)
      this.sums = grown
    }
    this.sums[this.sumCount++] = sum
  }
}
