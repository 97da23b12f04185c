/**
 * The memory of a page cache: frames of one page each, and what lies in them.
 *
 * Of a page a frame holds one window, `[from, until)`: all of it, but for the page that the device ends on
 * (which may have grown when it is next asked for) and for devices with holes. Everything is in one
 * piece of memory, so that a hit is a lookup, two comparisons and a load.
 */
import { PageSlots } from "./pageSlots.ts"
import type { FetchedBytes } from "./pageSource.ts"

/** What is read in pieces lands here: behind the frames, room for the largest integer. */
const scratchBytes = 8

export class PageFrames {
  readonly pageSize: number
  readonly cacheSize: number
  /** The frames, and behind them the scratch. */
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where the scratch is. */
  readonly scratchAt: number
  hits = 0
  misses = 0
  private readonly perByte: number
  private readonly slots: PageSlots
  /** Which page a frame holds; -1 for none. */
  private readonly pages: Float64Array
  private readonly from: Int32Array
  private readonly until: Int32Array

  constructor(options: { readonly pageSize: number; readonly cacheSize: number }) {
    const { cacheSize, pageSize } = options
    this.pageSize = pageSize
    this.cacheSize = cacheSize
    // Exact, the size being a power of two.
    this.perByte = 1 / pageSize
    this.scratchAt = pageSize * cacheSize
    this.bytes = new Uint8Array(this.scratchAt + scratchBytes)
    this.view = new DataView(this.bytes.buffer)
    this.slots = new PageSlots(cacheSize)
    this.pages = new Float64Array(cacheSize).fill(-1)
    this.from = new Int32Array(cacheSize)
    this.until = new Int32Array(cacheSize)
  }

  pageOf(address: number): number {
    return Math.floor(address * this.perByte)
  }

  /** As `locate`, which counts as a hit where it finds them. */
  place(address: number, size: number): number {
    const place = this.locate(address, size)
    if (place >= 0) this.hits++
    return place
  }

  /**
   * Where `size` bytes from `address` lie in `bytes`, all on one page, which counts as used; or -1, also for
   * what is no address.
   */
  locate(address: number, size: number): number {
    if (!(address >= 0)) return -1
    const page = Math.floor(address * this.perByte)
    const slot = this.slots.find(page)
    if (slot < 0) return -1
    const into = address - page * this.pageSize
    if (into < this.from[slot] || into + size > this.until[slot] || (into | 0) !== into) return -1
    return slot * this.pageSize + into
  }

  /** How many bytes from `address`, which is one, on are at `place(address, 1)`. Counts and marks nothing. */
  available(address: number): number {
    const page = this.pageOf(address)
    const slot = this.slots.peek(page)
    if (slot < 0) return 0
    const into = address - page * this.pageSize
    return into < this.from[slot] ? 0 : Math.max(0, this.until[slot] - into)
  }

  /** What is here of the page of `address`, of which something is. It shows the frame: copy it at once. */
  window(address: number): FetchedBytes {
    const page = this.pageOf(address)
    const slot = this.slots.peek(page)
    const [from, until] = [this.from[slot], this.until[slot]]
    const bytes = this.bytes.subarray(slot * this.pageSize + from, slot * this.pageSize + until)
    return { position: page * this.pageSize + from, bytes }
  }

  /** Whether anything of a page is here. */
  has(page: number): boolean {
    return this.slots.peek(page) >= 0
  }

  /** Copies to its frame what of `bytes`, which begin at `position` of the device, lies on `page`: something. */
  put(page: number, position: number, bytes: Uint8Array): void {
    const { pageSize } = this
    const start = page * pageSize
    const from = Math.max(position, start)
    const until = Math.min(position + bytes.length, start + pageSize)
    let slot = this.slots.peek(page)
    if (slot < 0) slot = this.slots.insert(page)
    this.pages[slot] = page
    this.from[slot] = from - start
    this.until[slot] = until - start
    const part = until - from === bytes.length ? bytes : bytes.subarray(from - position, until - position)
    // Only the difference is small: beyond 2^53 a sum would be rounded.
    this.bytes.set(part, slot * pageSize + (from - start))
  }

  /** Forgets the pages from `first` to `last`. */
  drop(first: number, last: number): void {
    if (last - first < this.cacheSize) {
      for (let page = first; page <= last; page++) this.dropPage(page)
      return
    }
    for (const page of this.pages) if (page >= first && page <= last) this.dropPage(page)
  }

  private dropPage(page: number): void {
    const slot = this.slots.peek(page)
    if (slot < 0) return
    this.slots.remove(page)
    this.pages[slot] = -1
  }
}
