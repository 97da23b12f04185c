/**
 * A sorted table of ranges, each known by where it starts: millions of them, in typed arrays.
 *
 * The entries lie in leaves of up to 256, so that to insert or remove one moves a few kilobytes, and a table
 * that is filled in order has full leaves: 12 bytes an entry, 17 with a checksum and flags. A *handle* says
 * where an entry lies; it holds until the next insertion or removal, and -1 stands for none.
 *
 * Ranges may overlap, but no two start at one offset. No I/O, no checks.
 */

const leafBits = 8
const leafEntries = 1 << leafBits
const leafMask = leafEntries - 1

class Leaf {
  readonly starts = new Float64Array(leafEntries)
  readonly lengths = new Uint32Array(leafEntries)
  readonly sums: Uint32Array
  readonly flags: Uint8Array
  count = 0
  /** No range of the leaf ends beyond it. */
  maxEnd = 0

  constructor(summed: boolean) {
    this.sums = new Uint32Array(summed ? leafEntries : 0)
    this.flags = new Uint8Array(summed ? leafEntries : 0)
  }

  /** The last entry that starts at or before `offset`, or -1. */
  floor(offset: number): number {
    const { starts } = this
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (starts[middle] <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Moves the entries from `from` on to `to`. */
  move(from: number, to: number): void {
    const { count } = this
    this.starts.copyWithin(to, from, count)
    this.lengths.copyWithin(to, from, count)
    if (this.flags.length > 0) {
      this.sums.copyWithin(to, from, count)
      this.flags.copyWithin(to, from, count)
    }
    this.count = count + to - from
  }

  /** Appends the entries of `other` from `from` on, which start behind all that are here. */
  append(other: Leaf, from: number): void {
    const { count } = this
    this.starts.set(other.starts.subarray(from, other.count), count)
    this.lengths.set(other.lengths.subarray(from, other.count), count)
    if (this.flags.length > 0) {
      this.sums.set(other.sums.subarray(from, other.count), count)
      this.flags.set(other.flags.subarray(from, other.count), count)
    }
    this.count = count + other.count - from
    this.maxEnd = Math.max(this.maxEnd, other.maxEnd)
  }
}

export class ExtentTable {
  private readonly summed: boolean
  private leaves: Array<Leaf> = []
  /** Where the first entry of each leaf starts. */
  private firsts: Array<number> = []
  private entries = 0
  /** No range is longer. */
  private maxLength = 0
  /** The leaves that may have entries without all flags of the last `setFlags`. */
  private unflagged = new Set<Leaf>()

  /** Sums and flags are kept only where it is `summed`. */
  constructor(summed: boolean) {
    this.summed = summed
  }

  get count(): number {
    return this.entries
  }

  start(handle: number): number {
    return this.leaves[handle >>> leafBits].starts[handle & leafMask]
  }

  length(handle: number): number {
    return this.leaves[handle >>> leafBits].lengths[handle & leafMask]
  }

  end(handle: number): number {
    const leaf = this.leaves[handle >>> leafBits]
    return leaf.starts[handle & leafMask] + leaf.lengths[handle & leafMask]
  }

  sum(handle: number): number {
    return this.leaves[handle >>> leafBits].sums[handle & leafMask]
  }

  flags(handle: number): number {
    return this.leaves[handle >>> leafBits].flags[handle & leafMask]
  }

  setFlags(handle: number, flags: number): void {
    this.leaves[handle >>> leafBits].flags[handle & leafMask] = flags
  }

  setSum(handle: number, sum: number): void {
    this.leaves[handle >>> leafBits].sums[handle & leafMask] = sum
  }

  /** Makes an entry another length. */
  setLength(handle: number, length: number): void {
    const leaf = this.leaves[handle >>> leafBits]
    leaf.lengths[handle & leafMask] = length
    leaf.maxEnd = Math.max(leaf.maxEnd, leaf.starts[handle & leafMask] + length)
    this.maxLength = Math.max(this.maxLength, length)
  }

  /** Sets these flags of every entry. What was not inserted since it was last done costs nothing. */
  setAllFlags(flags: number): void {
    for (const leaf of this.unflagged) {
      for (let i = 0; i < leaf.count; i++) leaf.flags[i] |= flags
    }
    this.unflagged.clear()
  }

  first(): number {
    return this.entries === 0 ? -1 : 0
  }

  next(handle: number): number {
    const leaf = handle >>> leafBits
    if ((handle & leafMask) + 1 < this.leaves[leaf].count) return handle + 1
    return leaf + 1 < this.leaves.length ? (leaf + 1) << leafBits : -1
  }

  /** The entry that starts at `offset`, or -1. */
  find(offset: number): number {
    const handle = this.floor(offset)
    return handle !== -1 && this.start(handle) === offset ? handle : -1
  }

  /** The last entry that starts at or before `offset`, or -1. */
  floor(offset: number): number {
    const leaf = this.leafOf(offset)
    return leaf === -1 ? -1 : (leaf << leafBits) | this.leaves[leaf].floor(offset)
  }

  /** The first entry that starts at or behind `offset`, or -1. */
  ceiling(offset: number): number {
    const handle = this.floor(offset)
    if (handle === -1) return this.first()
    return this.start(handle) === offset ? handle : this.next(handle)
  }

  /** Of ranges that don't overlap, the first one that ends behind `offset`, or -1. */
  firstBehind(offset: number): number {
    const handle = this.floor(offset)
    if (handle === -1) return this.first()
    return this.end(handle) > offset ? handle : this.next(handle)
  }

  /** Adds an entry where none starts. */
  insert(start: number, length: number, sum = 0, flags = 0): void {
    let at = Math.max(0, this.leafOf(start))
    if (this.leaves.length === 0) this.addLeaf(0, new Leaf(this.summed), start)
    else if (this.leaves[at].count === leafEntries) at = this.divide(at, start)
    const leaf = this.leaves[at]
    const slot = leaf.floor(start) + 1
    if (slot < leaf.count) leaf.move(slot, slot + 1)
    else leaf.count++
    leaf.starts[slot] = start
    leaf.lengths[slot] = length
    if (this.summed) {
      leaf.sums[slot] = sum
      leaf.flags[slot] = flags
      this.unflagged.add(leaf)
    }
    leaf.maxEnd = Math.max(leaf.maxEnd, start + length)
    if (length > this.maxLength) this.maxLength = length
    if (slot === 0) this.firsts[at] = start
    this.entries++
  }

  remove(handle: number): void {
    const at = handle >>> leafBits
    const slot = handle & leafMask
    const leaf = this.leaves[at]
    leaf.move(slot + 1, slot)
    this.entries--
    if (leaf.count === 0) this.dropLeaf(at)
    else {
      if (slot === 0) this.firsts[at] = leaf.starts[0]
      this.join(at)
    }
  }

  /** Calls `visit` for every range that overlaps `[from, to)`, ascending. It must not change the table. */
  overlapping(from: number, to: number, visit: (start: number, length: number) => void): void {
    const nearest = this.floor(from - this.maxLength)
    for (let at = Math.max(0, nearest) >>> leafBits; at < this.leaves.length; at++) {
      const leaf = this.leaves[at]
      if (this.firsts[at] >= to) return
      if (leaf.maxEnd <= from) continue
      const begin = nearest !== -1 && nearest >>> leafBits === at ? nearest & leafMask : 0
      for (let i = begin; i < leaf.count && leaf.starts[i] < to; i++) {
        if (leaf.starts[i] + leaf.lengths[i] > from) visit(leaf.starts[i], leaf.lengths[i])
      }
    }
  }

  /** The number of the last leaf that begins at or before `offset`, or -1. */
  private leafOf(offset: number): number {
    const { firsts } = this
    let low = 0
    let high = firsts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (firsts[middle] <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  private addLeaf(at: number, leaf: Leaf, first: number): void {
    this.leaves.splice(at, 0, leaf)
    this.firsts.splice(at, 0, first)
    this.unflagged.add(leaf)
  }

  private dropLeaf(at: number): void {
    this.unflagged.delete(this.leaves[at])
    this.leaves.splice(at, 1)
    this.firsts.splice(at, 1)
  }

  /** Makes room in a full leaf for an entry at `start`. Gives the number of the leaf that has it. */
  private divide(at: number, start: number): number {
    const leaf = this.leaves[at]
    const upper = new Leaf(this.summed)
    if (at === this.leaves.length - 1 && start > leaf.starts[leafEntries - 1]) {
      // Whoever fills a table in order leaves full leaves behind.
      this.addLeaf(at + 1, upper, start)
      return at + 1
    }
    const half = leafEntries / 2
    upper.append(leaf, half)
    leaf.count = half
    this.addLeaf(at + 1, upper, upper.starts[0])
    return start < upper.starts[0] ? at : at + 1
  }

  /** Joins a leaf with the one behind it where both are nearly empty. */
  private join(at: number): void {
    if (at + 1 >= this.leaves.length) return
    const leaf = this.leaves[at]
    const behind = this.leaves[at + 1]
    if (leaf.count + behind.count > leafEntries / 4) return
    leaf.append(behind, 0)
    this.unflagged.add(leaf)
    this.dropLeaf(at + 1)
  }
}
