/**
 * A leaf: some hundred neighbouring extents of an offloaded file, and the bytes of those in memory.
 *
 * Its entries are sorted by their absolute starts, each ends where the next one begins, and the last one
 * where the leaf does, which only the table of leaves knows. Neighbours that could be one entry are one.
 * All bytes lie in one block, which new ones are added to at its end; what was overwritten stays in
 * it until the leaf is made anew, with its live bytes in file order and back to back.
 *
 * A leaf belongs to the table whose token it carries, and nobody else changes it. It checks nothing, and
 * trusts its table to have made room before.
 */
import { copyBytes, isWaste, roomy } from "./offloadedBlock.ts"
import { advance, type Content, isMemory, memoryAddress, memoryContent } from "./offloadedContent.ts"
import { pageNumbers } from "./offloadedPages.ts"

/** The most entries of a leaf: searching is fast, and so is moving half of them for a new one. */
export const leafEntries = pageNumbers / 2
/** The most bytes that a leaf holds in memory: what is copied where one is shared. */
export const leafBytes = 256 * 1024
/** Where so many entries could be joined to others, and are half of all, it is time to. */
const manyJoints = leafEntries / 8

/** A range of a leaf, with the end of the leaf, which it doesn't know. */
export interface LeafRange {
  readonly start: number
  readonly end: number
  readonly leafEnd: number
}

export class ExtentLeaf {
  readonly owner: object
  /** Start and content of each entry, in turn. */
  readonly entries: Float64Array
  count = 0
  block: Uint8Array
  /** Where the next bytes go in the block. */
  private used = 0
  /** How many bytes of the block an entry refers to. */
  live = 0
  /** How many entries in memory follow on one in memory: so many fewer it would be, made anew. */
  joints = 0

  constructor(owner: object, entries: Float64Array, blockBytes: number) {
    this.owner = owner
    this.entries = entries
    this.block = new Uint8Array(blockBytes)
  }

  startOf(index: number): number {
    return this.entries[2 * index]
  }

  contentOf(index: number): Content {
    return this.entries[2 * index + 1]
  }

  endOf(index: number, leafEnd: number): number {
    return index + 1 < this.count ? this.startOf(index + 1) : leafEnd
  }

  /** The content of an entry, seen from `offset` on. */
  contentAt(index: number, offset: number): Content {
    return advance(this.contentOf(index), offset - this.startOf(index))
  }

  private set(index: number, start: number, content: Content): void {
    this.entries[2 * index] = start
    this.entries[2 * index + 1] = content
  }

  /** Moves the entries from this one on to where that one is. */
  private move(index: number, to: number): void {
    const { count } = this
    if (index < count) this.entries.copyWithin(2 * to, 2 * index, 2 * count)
    this.count = count + to - index
  }

  /** Index of the entry that covers `offset`; -1 where there is none. */
  covering(offset: number): number {
    const { entries } = this
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (entries[2 * middle] <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** How many bytes of a range are in memory. */
  memoryWithin(range: LeafRange): number {
    const first = Math.max(0, this.covering(range.start))
    let behind = first
    while (behind < this.count && this.startOf(behind) < range.end) behind++
    return this.memoryAmong(first, behind, range)
  }

  /** The same, by those of its entries. */
  private memoryAmong(first: number, behind: number, { end, leafEnd, start }: LeafRange): number {
    let bytes = 0
    for (let index = first; index < behind; index++) {
      if (isMemory(this.contentOf(index))) {
        bytes += Math.min(end, this.endOf(index, leafEnd)) - Math.max(start, this.startOf(index))
      }
    }
    return bytes
  }

  /**
   * Puts one entry in the place of a range that may reach beyond the leaf. What is left of the entries
   * at its edges stays: at most two entries are added. Bytes must be in the block already.
   */
  splice(content: Content, range: LeafRange): void {
    const { end, leafEnd, start } = range
    const { count } = this
    const cover = this.covering(start)
    const from = cover >= 0 && this.startOf(cover) === start ? cover : cover + 1
    let to = from
    while (to < count && this.startOf(to) < end) to++
    this.live -= this.memoryAmong(Math.max(0, cover), to, range)
    if (isMemory(content)) this.live += end - start

    const behind = advance(content, end - start)
    let right = behind
    if (to < count && this.startOf(to) === end) {
      if (this.contentOf(to) === behind) to++
    } else if (end < leafEnd) {
      right = this.contentAt(to - 1, end)
    }
    const addsRight = right !== behind
    const addsContent = from === 0 || this.contentAt(from - 1, start) !== content
    const next = from + (addsContent ? 1 : 0) + (addsRight ? 1 : 0)
    this.joints -= this.jointsAmong(from - 1, to)
    if (next !== to) this.move(to, next)
    if (addsContent) this.set(from, start, content)
    if (addsRight) this.set(next - 1, end, right)
    this.joints += this.jointsAmong(from - 1, next)
  }

  /** Makes the leaf begin at `offset`, within it. */
  dropBefore(offset: number, leafEnd: number): void {
    this.live -= this.memoryWithin({ start: this.startOf(0), end: offset, leafEnd })
    const index = this.covering(offset)
    const content = this.contentAt(index, offset)
    this.move(index, 0)
    this.set(0, offset, content)
    this.joints = this.jointsAmong(0, this.count)
  }

  /** Makes the leaf end at `offset`, within it. */
  dropFrom(offset: number, leafEnd: number): void {
    this.live -= this.memoryWithin({ start: offset, end: leafEnd, leafEnd })
    const index = this.covering(offset)
    this.count = this.startOf(index) === offset ? index : index + 1
    this.joints = this.jointsAmong(0, this.count)
  }

  hasRoomFor(bytes: number): boolean {
    return this.used + bytes <= this.block.length
  }

  /** Whether so much of the block is dead that to make the leaf anew is better than to move all. */
  get worthRemaking(): boolean {
    return this.used > this.live + (this.live >>> 2)
  }

  /** Adds bytes to the block, which has room for them, and gives the content that they are. */
  add(bytes: Uint8Array): Content {
    const address = this.used
    this.block.set(bytes, address)
    this.used = address + bytes.length
    return memoryContent(address)
  }

  /** Moves all, as it is, to a block with room for so many bytes more. */
  grow(moreBytes: number): void {
    const block = new Uint8Array(roomy(this.used + moreBytes))
    copyBytes({ from: this.block, at: 0, length: this.used }, block, 0)
    this.block = block
  }

  /** Whether too much of the block is dead or was never used: more than is live. */
  get wasteful(): boolean {
    return isWaste(this.block.length, this.live)
  }

  /** Appends a range of another leaf, which begins where this one ends; there is room for all of it. */
  take(other: ExtentLeaf, { end, leafEnd, start }: LeafRange): void {
    for (let index = Math.max(0, other.covering(start)); index < other.count; index++) {
      const from = Math.max(start, other.startOf(index))
      if (from >= end) break
      const content = other.contentAt(index, from)
      const length = Math.min(end, other.endOf(index, leafEnd)) - from
      this.append(from, isMemory(content) ? this.takeBytes(other, memoryAddress(content), length) : content)
    }
  }

  private append(start: number, content: Content): void {
    const { count } = this
    if (count > 0 && this.contentAt(count - 1, start) === content) return
    this.set(count, start, content)
    this.count = count + 1
  }

  private takeBytes(other: ExtentLeaf, address: number, length: number): Content {
    const { used } = this
    copyBytes({ from: other.block, at: address, length }, this.block, used)
    this.used = used + length
    this.live += length
    return memoryContent(used)
  }

  /** The joints between the entries from this one to that one. */
  private jointsAmong(first: number, last: number): number {
    const end = Math.min(last, this.count - 1)
    let joints = 0
    for (let index = Math.max(0, first); index < end; index++) {
      if (isMemory(this.contentOf(index)) && isMemory(this.contentOf(index + 1))) joints++
    }
    return joints
  }

  /** Whether so many entries could be joined that the leaf is better made anew. */
  get scattered(): boolean {
    return this.joints >= manyJoints && 2 * this.joints >= this.count
  }

  /** The offset behind which half of the bytes in memory lie; it lies within an entry in memory. */
  middleOfMemory(leafEnd: number): number {
    let left = this.live >>> 1
    for (let index = 0; ; index++) {
      if (!isMemory(this.contentOf(index))) continue
      const length = this.endOf(index, leafEnd) - this.startOf(index)
      if (length > left) return this.startOf(index) + left
      left -= length
    }
  }
}
