/**
 * What an offloaded file refers to: bytes in memory, or a file.
 *
 * It is never written and never mapped. Its size is asked for only when a range reaches beyond what is
 * known of it, so that one that grows is followed.
 */
import { Corrupt, InvalidArgument } from "../bytes/errors.ts"
import { checkRange } from "../bytes/offset.ts"
import type { IoFile } from "../io/Io.ts"
import type { BackingRange } from "./offloadedFileService.ts"

export class OffloadedBacking {
  readonly path: string
  /** The bytes, where it is no file. */
  readonly bytes: Uint8Array | undefined
  readonly file: IoFile | undefined
  /** The size it is known to have. */
  private size = 0

  constructor(backing: Uint8Array | IoFile) {
    this.bytes = backing instanceof Uint8Array ? backing : undefined
    this.file = backing instanceof Uint8Array ? undefined : backing
    this.path = this.file?.path ?? "an offloaded file"
  }

  /** Where the bytes lie in the backing, to be seen by their being the very same memory; -1 where not. */
  offsetOf(bytes: Uint8Array): number {
    const own = this.bytes
    if (own === undefined || own.buffer !== bytes.buffer) return -1
    const offset = bytes.byteOffset - own.byteOffset
    return offset >= 0 && offset + bytes.length <= own.length ? offset : -1
  }

  /** Throws `InvalidArgument` unless the backing has the range, which is not empty. */
  check(operation: string, { backingOffset, length }: BackingRange): void {
    checkRange(operation, backingOffset, length)
    const end = backingOffset + length
    // Memory can be asked each time, and may have been taken away.
    if (this.bytes === undefined && end <= this.size) return
    this.size = this.bytes === undefined ? this.file!.unsafe.size() : this.bytes.length
    if (end > this.size) {
      const reason = `the backing has ${this.size} bytes, and none up to ${end}`
      throw new InvalidArgument({ operation, reason })
    }
  }

  /** Copies bytes that are in memory. Throws `Corrupt` where they are no longer there. */
  copy(own: Uint8Array, offset: number, buffer: Uint8Array, at: number, length: number): void {
    if (offset + length > own.length) {
      const reason = "the memory was taken away after it was referred to"
      throw new Corrupt({ path: this.path, offset: own.length, reason })
    }
    // Faster than subarray, which asks for the constructor of what it makes.
    buffer.set(new Uint8Array(own.buffer, own.byteOffset + offset, length), at)
  }
}
