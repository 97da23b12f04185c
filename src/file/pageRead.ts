/**
 * The way of one read through a page cache: from page to page, to memory of the reader's.
 *
 * What is in the frames is copied at once, so that no page has to stay until the next one has come;
 * what is missing is copied from what was fetched. It never fetches itself: both forms of reading, at
 * once and as an Effect, follow it.
 */
import type { PageFrames } from "./pageFrames.ts"
import type { FetchedBytes } from "./pageSource.ts"

export interface PageReadTarget {
  readonly address: number
  readonly length: number
  /** Where the bytes go: to `out`, from `at` on. */
  readonly out: Uint8Array
  readonly at: number
}

export class PageRead {
  readonly target: PageReadTarget
  /** Where the next byte is read from. */
  position: number
  /** Where the device was found to end before the read does; undefined until then. */
  deviceEnd: number | undefined
  private readonly frames: PageFrames
  private readonly end: number

  constructor(frames: PageFrames, target: PageReadTarget) {
    this.frames = frames
    this.target = target
    this.position = target.address
    this.end = target.address + target.length
  }

  /** The address of the last byte. */
  get last(): number {
    return this.end - 1
  }

  /** How many bytes have been read. */
  get done(): number {
    return this.position - this.target.address
  }

  /** Whether all has been read, or all that there is. */
  get over(): boolean {
    return this.position >= this.end || this.deviceEnd !== undefined
  }

  /** Copies on from the frames, up to `limit` at most. False where it comes to what they don't have. */
  advance(limit: number): boolean {
    const { frames } = this
    const end = Math.min(this.end, limit)
    while (this.position < end) {
      const available = frames.available(this.position)
      if (available === 0) return false
      const length = Math.min(available, end - this.position)
      this.copy(frames.bytes, frames.place(this.position, length), length)
    }
    return true
  }

  /** Copies on from what was fetched for the sake of `position`. */
  take({ bytes, position }: FetchedBytes): void {
    const fetchedEnd = position + bytes.length
    const from = this.position - position
    const length = Math.min(fetchedEnd, this.end) - this.position
    if (length > 0) this.copy(bytes, from, length)
    // What ends within a page ends the device, for now; and so does nothing at all.
    const isShort = length <= 0 || fetchedEnd % this.frames.pageSize > 0
    if (isShort && this.position < this.end) this.deviceEnd = fetchedEnd
  }

  private copy(bytes: Uint8Array, from: number, length: number): void {
    const part = new Uint8Array(bytes.buffer, bytes.byteOffset + from, length)
    this.target.out.set(part, this.target.at + this.done)
    this.position += length
  }
}
