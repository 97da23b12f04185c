/**
 * A long list of extents: 16 bytes each, in pages, so that tens of millions of them neither need one
 * huge array nor a copy of all when it grows.
 *
 * It holds what it is given: nothing is checked, joined or left out. An index must be below `count`;
 * the list looks no further than its pages.
 */
import type { Extent } from "./extent.ts"
import { sortedOrder } from "./sortedOrder.ts"

const pageBits = 15
const pageMask = (1 << pageBits) - 1

/** The extents of a page. A list of no more is sorted without copying its offsets. */
export const pageExtents = 1 << pageBits

/** The extents of a page that is the first one: small lists stay small. */
const firstExtents = 1 << 8

export class ExtentList implements Iterable<Extent> {
  private offsetPages: Array<Float64Array> = []
  private lengthPages: Array<Float64Array> = []
  private used = 0
  private capacity = 0
  /** Whether the extents are known to ascend, so that nobody has to look at all of them to find out. */
  private ascending = true
  private lastOffset = 0

  /** The number of extents in the list. */
  get count(): number {
    return this.used
  }

  offset(index: number): number {
    return this.offsetPages[index >>> pageBits][index & pageMask]
  }

  length(index: number): number {
    return this.lengthPages[index >>> pageBits][index & pageMask]
  }

  /** Adds an extent at the end. */
  push(offset: number, length: number): void {
    if (this.used === this.capacity) this.grow()
    if (offset < this.lastOffset) this.ascending = false
    this.lastOffset = offset
    this.put(this.used++, offset, length)
  }

  /** Overwrites one extent. */
  set(index: number, offset: number, length: number): void {
    if (offset !== this.offset(index)) this.ascending = false
    this.put(index, offset, length)
  }

  private put(index: number, offset: number, length: number): void {
    this.offsetPages[index >>> pageBits][index & pageMask] = offset
    this.lengthPages[index >>> pageBits][index & pageMask] = length
  }

  /** Drops all extents from index `count` on; their room is kept. */
  truncate(count: number): void {
    this.used = count
  }

  /** Sorts by offset. Extents at the same offset keep their order. Costs nothing where they were pushed in order. */
  sort(): void {
    if (this.ascends()) return
    const offsets = this.allOffsets()
    const lengths = this.lengthPages
    const order = sortedOrder(offsets)
    this.offsetPages = []
    this.lengthPages = []
    this.used = 0
    this.capacity = 0
    this.ascending = true
    this.lastOffset = 0
    for (let i = 0; i < order.length; i++) {
      const from = order[i]
      this.push(offsets[from], lengths[from >>> pageBits][from & pageMask])
    }
  }

  *[Symbol.iterator](): Iterator<Extent> {
    for (let i = 0; i < this.used; i++) yield { offset: this.offset(i), length: this.length(i) }
  }

  private ascends(): boolean {
    if (this.ascending) return true
    let before = 0
    for (let i = 0; i < this.used; i++) {
      const offset = this.offset(i)
      if (offset < before) return false
      before = offset
    }
    return true
  }

  /** The offsets in one array, a copy only where they fill more than a page. */
  private allOffsets(): Float64Array {
    if (this.used <= pageExtents) return this.offsetPages[0].subarray(0, this.used)
    const all = new Float64Array(this.used)
    for (let at = 0; at < this.used; at += pageExtents) {
      all.set(this.offsetPages[at >>> pageBits].subarray(0, this.used - at), at)
    }
    return all
  }

  /** Makes room: a small first page, then a whole one in its place, then whole ones behind it. */
  private grow(): void {
    const { capacity, lengthPages, offsetPages } = this
    const size = capacity === 0 ? firstExtents : pageExtents
    const offsets = new Float64Array(size)
    const lengths = new Float64Array(size)
    if (capacity === firstExtents) {
      offsets.set(offsetPages[0])
      lengths.set(lengthPages[0])
    }
    const page = capacity === firstExtents ? 0 : offsetPages.length
    offsetPages[page] = offsets
    lengthPages[page] = lengths
    this.capacity = page * pageExtents + size
  }
}
