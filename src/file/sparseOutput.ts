/**
 * The data of a sparse file while it is written: one growing file, with a CRC-32 for every block.
 *
 * Bytes gather in a buffer that stays in the processor's cache, are summed there by the block, and
 * leave it a few blocks at a time. Behind what is filled there is always room for a run, so that
 * bytes can be read straight to where they belong.
 *
 * Everything is synchronous and throws what `IoFile.unsafe.writeAt` throws: whoever writes much lets
 * others run in between. Writing behind, on the thread pool, was measured in several sizes and lost
 * to this. After a failure the file's content is unknown: whoever writes must give up the whole file.
 */
import { crc32 } from "../bytes/crc32.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import type { IoFile } from "../io/Io.ts"

/** What is written at once. */
const writeBytes = 4 * blockSumsBlockBytes
/** The most that can be read behind the output at once. */
export const longestRunBytes = 256 * 1024

export class SparseOutput {
  private readonly file: IoFile
  /** The bytes from `written` on; `filled` of them count, always fewer than are written at once. */
  private readonly buffer = new Uint8Array(writeBytes + longestRunBytes)
  private filled = 0
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

  /** Room for `length` bytes, at most `longestRunBytes`, behind the output; `take` makes them part of it. */
  tail(length: number): Uint8Array {
    return new Uint8Array(this.buffer.buffer, this.filled, length)
  }

  /** Moves `length` bytes of the tail from position `from` up to position `to`. */
  moveUp(to: number, from: number, length: number): void {
    if (to === from) return
    const { filled } = this
    this.buffer.copyWithin(filled + to, filled + from, filled + from + length)
  }

  /** Makes the first `length` bytes of the tail part of the output, and writes what is full. */
  take(length: number): void {
    const filled = this.filled + length
    let done = 0
    for (; filled - done >= writeBytes; done += writeBytes) this.write(done, done + writeBytes)
    if (done > 0) this.buffer.copyWithin(0, done, filled)
    this.filled = filled - done
  }

  /** Appends at most `longestRunBytes`. */
  append(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.filled)
    this.take(bytes.length)
  }

  /** Writes what is left and gives the sums of all blocks. Nothing can be appended afterwards. */
  finish(): Uint32Array {
    if (this.filled > 0) this.write(0, this.filled)
    this.filled = 0
    return this.sums.slice(0, this.sumCount)
  }

  /** Sums and writes the bytes from `from` to `to` of the buffer, which come next in the file. */
  private write(from: number, to: number): void {
    for (let at = from; at < to; at += blockSumsBlockBytes) {
      this.pushSum(crc32(this.buffer.subarray(at, Math.min(to, at + blockSumsBlockBytes))))
    }
    this.file.unsafe.writeAt(this.written, this.buffer.subarray(from, to))
    this.written += to - from
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
