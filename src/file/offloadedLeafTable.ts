/**
 * The leaves of an offloaded file, in order: where each begins, and what holds them together.
 *
 * They tile the file from 0 to its length, each from an offset of its own to where the next one begins.
 * There is always one, and none is empty but the one of an empty file. Everything here leaves the file
 * as it is, except `replace`; what makes a leaf anew makes it our own, so that it may be changed.
 */
import { type Content, zeros } from "./offloadedContent.ts"
import { roomy } from "./offloadedBlock.ts"
import { ExtentLeaf, leafBytes, leafEntries, type LeafRange } from "./offloadedLeaf.ts"
import { EntryPages } from "./offloadedPages.ts"

/** Takes a part of the file: its content, where it begins and ends, and the block of bytes in memory. */
export type TakePart = (content: Content, start: number, end: number, block: Uint8Array) => void

export class LeafTable {
  /** The length of the file. */
  length = 0
  /** The token that leaves carry which nobody else holds. */
  owner: object = {}
  readonly leaves: Array<ExtentLeaf> = []
  /** The offsets at which they begin; there is room for more. */
  firsts = new Float64Array(8)
  private readonly pages = new EntryPages()
  /** Where something was found last: the next thing is often near. */
  private hint = 0

  /** One empty leaf. */
  static empty(): LeafTable {
    const table = new LeafTable()
    table.leaves.push(table.makeLeaf(0))
    return table
  }

  /** The same leaves once more. Whoever wants to change one, makes it his own before. */
  copy(): LeafTable {
    const table = new LeafTable()
    for (const leaf of this.leaves) table.leaves.push(leaf)
    table.firsts = this.firsts.slice()
    table.length = this.length
    this.owner = {}
    return table
  }

  get count(): number {
    return this.leaves.length
  }

  /** Index of the leaf that covers `offset`, or of the last one. */
  locate(offset: number): number {
    const { firsts, hint } = this
    const { length } = this.leaves
    if (hint < length && firsts[hint] <= offset && (hint + 1 === length || offset < firsts[hint + 1])) {
      return hint
    }
    let low = 0
    let high = length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (firsts[middle] <= offset) low = middle + 1
      else high = middle
    }
    this.hint = low - 1
    return low - 1
  }

  endOf(index: number): number {
    return index + 1 < this.leaves.length ? this.firsts[index + 1] : this.length
  }

  /** How many bytes of a range are in memory. */
  memoryWithin(start: number, end: number): number {
    if (start >= this.length) return 0
    const { firsts, leaves } = this
    let bytes = 0
    for (let index = this.locate(start); index < leaves.length && firsts[index] < end; index++) {
      const leafEnd = this.endOf(index)
      const whole = firsts[index] >= start && leafEnd <= end
      bytes += whole ? leaves[index].live : leaves[index].memoryWithin({ start, end, leafEnd })
    }
    return bytes
  }

  /** Calls `take` for each entry's part of a range, which lies within the file, in order. */
  forEachPart(start: number, end: number, take: TakePart): void {
    let at = start
    for (let index = this.locate(start); at < end; index++) {
      const leaf = this.leaves[index]
      const leafEnd = this.endOf(index)
      for (let entry = leaf.covering(at); entry < leaf.count && at < end; entry++) {
        const partEnd = Math.min(end, leaf.endOf(entry, leafEnd))
        take(leaf.contentAt(entry, at), at, partEnd, leaf.block)
        at = partEnd
      }
    }
  }

  /** The first offset from `start` on that is not known to be 0; the length where there is none. */
  nextData(start: number): number {
    for (let index = this.locate(start); start < this.length && index < this.leaves.length; index++) {
      const leaf = this.leaves[index]
      for (let entry = Math.max(0, leaf.covering(start)); entry < leaf.count; entry++) {
        if (leaf.contentOf(entry) !== zeros) return Math.max(start, leaf.startOf(entry))
      }
    }
    return this.length
  }

  /** Makes sure that so many more leaves don't need memory. */
  reserve(more: number): void {
    const wanted = this.leaves.length + more
    if (wanted <= this.firsts.length) return
    const firsts = new Float64Array(wanted + (wanted >>> 1))
    firsts.set(this.firsts)
    this.firsts = firsts
  }

  /** Puts leaves, which begin where they say, in the place of those from `from` up to `to`. */
  replace(from: number, to: number, leaves: ReadonlyArray<ExtentLeaf>, firsts: ReadonlyArray<number>): void {
    if (from === to && leaves.length === 0) return
    this.reserve(leaves.length - (to - from))
    this.firsts.copyWithin(from + leaves.length, to, this.leaves.length)
    this.firsts.set(firsts, from)
    for (const leaf of this.leaves.splice(from, to - from, ...leaves)) this.release(leaf)
  }

  private rangeOf(index: number): LeafRange {
    const leafEnd = this.endOf(index)
    return { start: this.firsts[index], end: leafEnd, leafEnd }
  }

  /** An empty leaf of our own, which is not in the table yet. */
  makeLeaf(blockBytes: number): ExtentLeaf {
    return new ExtentLeaf(this.owner, this.pages.take(), blockBytes)
  }

  /** What a leaf has that is no longer in the table. One that was shared may still be another's. */
  private release(leaf: ExtentLeaf): void {
    if (leaf.owner === this.owner) this.pages.give(leaf.entries, this.leaves.length)
  }

  /** A leaf of a range of another, its live bytes in order, with room for so many more. */
  private remade(leaf: ExtentLeaf, range: LeafRange, moreBytes: number): ExtentLeaf {
    const bytes = leaf.memoryWithin(range)
    const made = this.makeLeaf(moreBytes === 0 ? bytes : roomy(bytes + moreBytes))
    made.take(leaf, range)
    return made
  }

  /** Makes a leaf anew, without what is dead in it, and with room for so many bytes more. */
  remake(index: number, moreBytes: number): void {
    const leaf = this.leaves[index]
    this.leaves[index] = this.remade(leaf, this.rangeOf(index), moreBytes)
    this.release(leaf)
  }

  makeOwn(index: number): void {
    if (this.leaves[index].owner !== this.owner) this.remake(index, 0)
  }

  /** Makes two leaves of one, the second one from `at` on, each with room for so many bytes more. */
  split(index: number, at: number, moreBytes: number): void {
    const { end, leafEnd, start } = this.rangeOf(index)
    const leaf = this.leaves[index]
    const left = this.remade(leaf, { start, end: at, leafEnd }, moreBytes)
    const right = this.remade(leaf, { start: at, end, leafEnd }, moreBytes)
    this.replace(index, index + 1, [left, right], [start, at])
  }

  /** Makes a leaf begin at `offset`, which lies within the file or at its end, and gives its index. */
  boundary(offset: number): number {
    if (offset >= this.length) return this.leaves.length
    const index = this.locate(offset)
    if (this.firsts[index] === offset) return index
    this.split(index, offset, 0)
    return index + 1
  }

  /** Makes one leaf of this one and the next, if that leaves room in it. */
  unite(index: number): void {
    if (index < 0 || index + 1 >= this.leaves.length) return
    const left = this.leaves[index]
    const right = this.leaves[index + 1]
    const bytes = left.live + right.live
    if (left.count + right.count > leafEntries / 2 || bytes > leafBytes / 4) return
    const leaf = this.makeLeaf(bytes)
    leaf.take(left, this.rangeOf(index))
    leaf.take(right, this.rangeOf(index + 1))
    this.replace(index, index + 2, [leaf], [this.firsts[index]])
  }
}
