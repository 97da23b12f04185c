/**
 * The extents of an offloaded file, and how they change.
 *
 * A change first makes room, which can fail and which nobody sees, and then does what can't fail: so
 * one that fails has changed nothing. Memory is reserved before it grows, and released when it has shrunk.
 */
import type { MemoryLimiter } from "../bytes/memoryLimiter.ts"
import { type Content, memoryAddress, zeros } from "./offloadedContent.ts"
import { type ExtentLeaf, leafBytes, leafEntries } from "./offloadedLeaf.ts"
import { LeafTable, type TakePart } from "./offloadedLeafTable.ts"

/** A write adds at most so many entries: zeros up to it, itself, and the rest of what it cuts in two. */
const entriesPerWrite = 3
/** More bytes than this come in leaves of their own. */
const largeBytes = leafBytes / 4
/** A leaf with fewer entries is united with a neighbour, where both have few bytes. */
const sparseEntries = leafEntries / 8

export class OffloadedExtents {
  /** How many bytes of the file are in memory. */
  memoryBytes = 0
  private readonly limiter: MemoryLimiter | undefined
  private readonly table: LeafTable

  /** Those of an empty file, or of `table`. */
  constructor(limiter: MemoryLimiter | undefined, table = LeafTable.empty()) {
    this.limiter = limiter
    this.table = table
  }

  /** Bytes. */
  get length(): number {
    return this.table.length
  }

  /** The same extents once more; either copies what it changes. Throws `MemoryLimit`. */
  share(limiter: MemoryLimiter | undefined): OffloadedExtents {
    const shared = new OffloadedExtents(limiter, this.table.copy())
    limiter?.reserve(this.memoryBytes)
    shared.memoryBytes = this.memoryBytes
    return shared
  }

  /** Calls `take` for each part of a range, which lies within the file, in order. */
  forEachPart(start: number, end: number, take: TakePart): void {
    this.table.forEachPart(start, end, take)
  }

  /** The first offset from `start` on that is not known to be 0; the length where there is none. */
  nextData(start: number): number {
    return this.table.nextData(start)
  }

  /** Writes bytes, which are copied; zeros fill a gap before them. Throws `MemoryLimit`. */
  writeBytes(start: number, bytes: Uint8Array): void {
    const end = start + bytes.length
    const former = this.memoryBytes === 0 ? 0 : this.table.memoryWithin(start, end)
    if (former === bytes.length && this.overwrite(start, bytes)) return
    // At most as much as is written: the rest replaces what is in memory already.
    const growth = bytes.length - former
    this.limiter?.reserve(growth)
    try {
      if (bytes.length > largeBytes) {
        this.putLeaves(start, end, this.leavesOf(start, bytes))
      } else {
        const index = this.prepare(start, end, bytes.length)
        this.put(index, start, end, this.table.leaves[index].add(bytes))
      }
    } catch (cause) {
      this.limiter?.release(growth)
      throw cause
    }
    this.memoryBytes += growth
    this.tidyAround(start, end)
  }

  /** Writes what takes no memory of its own; zeros fill a gap before it. */
  writeContent(start: number, end: number, content: Content): void {
    const former = this.memoryBytes === 0 ? 0 : this.table.memoryWithin(start, end)
    this.put(this.prepare(start, end, 0), start, end, content)
    this.releaseMemory(former)
    this.tidyAround(start, end)
  }

  /** Ends the file at `length`, which is less than now. */
  cut(length: number): void {
    const { table } = this
    const former = table.memoryWithin(length, table.length)
    if (length === 0) {
      table.replace(0, table.count, [table.makeLeaf(0)], [0])
    } else {
      const index = table.locate(length - 1)
      table.makeOwn(index)
      table.leaves[index].dropFrom(length, table.endOf(index))
      table.replace(index + 1, table.count, [], [])
    }
    table.length = length
    this.releaseMemory(former)
    this.tidyAround(length, length)
  }

  /** Writes over bytes that are all in memory. False where others share them. */
  private overwrite(start: number, bytes: Uint8Array): boolean {
    const { table } = this
    const end = start + bytes.length
    const last = table.locate(end - 1)
    for (let index = table.locate(start); index <= last; index++) {
      if (table.leaves[index].owner !== table.owner) return false
    }
    table.forEachPart(start, end, (content, from, to, block) => {
      const whole = from === start && to === end
      block.set(whole ? bytes : bytes.subarray(from - start, to - start), memoryAddress(content))
    })
    return true
  }

  /**
   * Makes the leaves that a write of the range changes our own, with room for its entries and so many
   * bytes. Gives the index of the one that it goes to.
   */
  private prepare(start: number, end: number, bytes: number): number {
    const { table } = this
    const offset = Math.min(start, table.length)
    let index = table.locate(offset)
    while (!hasRoom(table.leaves[index], bytes)) {
      this.makeRoom(index, start, bytes)
      index = table.locate(offset)
    }
    const leaf = table.leaves[index]
    if (leaf.owner !== table.owner) table.remake(index, bytes)
    else if (!leaf.hasRoomFor(bytes)) {
      // Much that is dead is dropped; a little of it is moved along, which is faster.
      if (leaf.worthRemaking) table.remake(index, bytes)
      else leaf.grow(bytes)
    }
    if (end > table.endOf(index) && end < table.length) table.makeOwn(table.locate(end))
    return index
  }

  /** Splits a leaf, or joins entries of it, or begins a new one at the end of the file. */
  private makeRoom(index: number, start: number, bytes: number): void {
    const { table } = this
    const leaf = table.leaves[index]
    if (start >= table.length) {
      table.replace(table.count, table.count, [table.makeLeaf(bytes)], [table.length])
    } else if (leaf.count + entriesPerWrite <= leafEntries) {
      table.split(index, leaf.middleOfMemory(table.endOf(index)), 1)
    } else if (4 * leaf.joints >= leaf.count) {
      table.remake(index, bytes)
    } else {
      table.split(index, leaf.startOf(leaf.count >>> 1), Math.min(bytes, 1))
    }
  }

  /** Puts one entry in the place of a range, for which the leaf was prepared. */
  private put(index: number, start: number, end: number, content: Content): void {
    const { table } = this
    const { length } = table
    const leaf = table.leaves[index]
    if (start > length) leaf.splice(zeros, { start: length, end: start, leafEnd: length })
    const leafEnd = Math.max(start, table.endOf(index))
    leaf.splice(content, { start, end, leafEnd })
    if (end > leafEnd) this.dropBetween(index + 1, end)
    if (end > length) table.length = end
  }

  /** Drops the leaves from this one on that end before `end`, and what the next one has before it. */
  private dropBetween(index: number, end: number): void {
    const { table } = this
    if (end >= table.length) return table.replace(index, table.count, [], [])
    const last = table.locate(end)
    if (table.firsts[last] < end) {
      table.leaves[last].dropBefore(end, table.endOf(last))
      table.firsts[last] = end
    }
    table.replace(index, last, [], [])
  }

  /** New leaves of these bytes. */
  private leavesOf(start: number, bytes: Uint8Array): ReadonlyArray<ExtentLeaf> {
    const leaves: Array<ExtentLeaf> = []
    for (let at = 0; at < bytes.length; at += leafBytes) {
      const piece = bytes.subarray(at, at + leafBytes)
      const from = start + at
      const leaf = this.table.makeLeaf(piece.length)
      leaf.splice(leaf.add(piece), { start: from, end: from + piece.length, leafEnd: from })
      leaves.push(leaf)
    }
    return leaves
  }

  /** Puts leaves in the place of a range. */
  private putLeaves(start: number, end: number, leaves: ReadonlyArray<ExtentLeaf>): void {
    const { table } = this
    const { length } = table
    table.reserve(leaves.length + 3)
    if (start > length) {
      // Behind the end there is nothing to be split: nothing fails once the gap is filled.
      this.put(this.prepare(length, start, 0), length, start, zeros)
    }
    // The leaf of an empty file makes way.
    const from = table.length === 0 ? 0 : table.boundary(start)
    const to = table.boundary(end)
    table.replace(
      from,
      to,
      leaves,
      leaves.map((leaf) => leaf.startOf(0))
    )
    if (end > length) table.length = end
  }

  private releaseMemory(bytes: number): void {
    this.memoryBytes -= bytes
    if (bytes > 0) this.limiter?.release(bytes)
  }

  /** Gives waste back, and unites what has become sparse, where a range was changed. */
  private tidyAround(start: number, end: number): void {
    const { table } = this
    const first = table.locate(Math.max(0, start - 1))
    for (let index = table.locate(end); index >= first; index--) this.tidy(index)
  }

  private tidy(index: number): void {
    const { table } = this
    const leaf = table.leaves[index]
    try {
      if ((leaf.wasteful || leaf.scattered) && leaf.owner === table.owner) table.remake(index, 0)
      if (leaf.count < sparseEntries && table.count > 1) {
        table.unite(index)
        table.unite(index - 1)
      }
    } catch (cause) {
      // Where there is no memory to save memory, it is saved another time.
      if (!isOutOfMemory(cause)) throw cause
    }
  }
}

const hasRoom = (leaf: ExtentLeaf, bytes: number): boolean =>
  leaf.count + entriesPerWrite <= leafEntries && leaf.live + bytes <= leafBytes

/** Whether the system has no memory to give. Such a change has changed nothing. */
export const isOutOfMemory = (cause: unknown): boolean =>
  cause instanceof RangeError && cause.message.includes("allocation")
