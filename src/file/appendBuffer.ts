/**
 * The append buffer: bytes that were appended and are not in the file yet.
 *
 * One array, filled from the front. Whoever flushes writes a prefix of it and then drops that
 * prefix: until then no byte moves or changes, so that a write on the thread pool may read the
 * prefix while appends go on behind it, and a failed one has lost nothing. When the array is too
 * small a larger one takes its place; a running write keeps the old one, whose prefix is the same.
 *
 * It is allocated at the first append, so that a file that is only read costs nothing.
 */
import { MemoryLimit } from "../bytes/errors.ts"

/** Room above the threshold for the record that reaches it, which is never split. */
export const recordSlackBytes = 64 * 1024

/** The most that may wait, however long a disk refuses it. */
export const maxPendingBytes = 2 ** 31

/** Up to this size an emptied array is kept for the next records. */
const maxKeptBytes = 64 * (1 << 20)

const nothing = new Uint8Array(0)

export class AppendBuffer {
  /** The number of bytes that wait. */
  length = 0
  private bytes: Uint8Array = nothing
  private readonly keptBytes: number

  /** `thresholdBytes`: how many bytes are expected to wait at most, but for one record. */
  constructor(thresholdBytes: number) {
    this.keptBytes = Math.min(thresholdBytes, maxKeptBytes) + recordSlackBytes
  }

  /** Copies `record` behind what waits already. Throws `MemoryLimit`, and has then changed nothing. */
  push(record: Uint8Array): void {
    const end = this.length + record.length
    if (end > this.bytes.length) this.grow(end)
    this.bytes.set(record, this.length)
    this.length = end
  }

  /** Throws `MemoryLimit` unless `count` more bytes may wait. */
  checkRoom(count: number): void {
    const wanted = this.length + count
    if (wanted > maxPendingBytes) throw new MemoryLimit({ limit: maxPendingBytes, wanted })
  }

  /** Makes room for `count` more bytes, or throws `MemoryLimit`. */
  reserve(count: number): void {
    const end = this.length + count
    if (end > this.bytes.length) this.grow(end)
  }

  /** Room for `count` more bytes behind what waits, of which it is part at once: to be filled by the caller. */
  extend(count: number): Uint8Array {
    this.reserve(count)
    const start = this.length
    this.length += count
    return this.bytes.subarray(start, this.length)
  }

  /** The first `count` bytes that wait, not copied. They stay as they are until they are dropped. */
  first(count: number): Uint8Array {
    return this.bytes.subarray(0, count)
  }

  /** Forgets the first `count` bytes. Nobody may be writing them any more. */
  dropFirst(count: number): void {
    if (count < this.length) this.bytes.copyWithin(0, count, this.length)
    this.length -= count
    if (this.length === 0 && this.bytes.length > this.keptBytes) this.bytes = nothing
  }

  /** Fills `destination` with the bytes that wait from position `start` on. */
  copyTo(destination: Uint8Array, start: number): void {
    destination.set(this.bytes.subarray(start, start + destination.length))
  }

  private grow(wanted: number): void {
    this.checkRoom(wanted - this.length)
    const capacity = Math.min(maxPendingBytes, Math.max(this.keptBytes, this.bytes.length * 2, wanted))
    let larger: Uint8Array
    try {
      larger = new Uint8Array(capacity)
    } catch {
      // The machine has less to give than the limit.
      throw new MemoryLimit({ limit: this.bytes.length, wanted })
    }
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }
}
