/**
 * What the record of an extent file says, in memory: which extents there are, and of which pieces of the data
 * a checksum is known.
 *
 * - Pieces don't overlap, and each is at most 1 MiB; extents may overlap.
 * - Between two operations the pieces cover exactly what the extents hold. While one is under way, and in a
 *   record that ends in its midst, they may cover less, or more.
 * - The entries of a record are applied by the very methods that the operations call, so that what is read
 *   back is what was in memory. They trust their arguments; extentReplay.ts checks what a record says.
 */
import type { ExtentEntries } from "../format/extentRecord.ts"
import { ExtentTable } from "./extentTable.ts"
import type { SourcePin } from "./extentStore.ts"

/** The bytes were compared with the sum since the file was opened, or written since. */
export const proved = 1
/** The bytes survive a power cut: before they are destroyed, the record must durably say so. */
export const durable = 2
/** The bytes are not what the sum says, and the piece is to be dropped. */
export const bad = 4

export class ExtentIndex implements ExtentEntries {
  extents = new ExtentTable(false)
  pieces = new ExtentTable(true)
  pinned: SourcePin | undefined
  /** The bytes of all pieces. */
  bytes = 0
  /** The bytes of pieces that are not durable. */
  freshBytes = 0
  /** The flags of a piece that is new. */
  newFlags = 0

  create(offset: number, length: number, sum: number): void {
    this.piece(offset, length, sum)
    this.extent(offset, length)
  }

  piece(offset: number, length: number, sum: number): void {
    this.void(offset, length)
    this.pieces.insert(offset, length, sum, this.newFlags)
    this.bytes += length
    this.freshBytes += length
  }

  extent(offset: number, length: number): void {
    const found = this.extents.find(offset)
    if (found === -1) this.extents.insert(offset, length)
    else this.extents.setLength(found, length)
  }

  split(at: number, leftSum: number, rightSum: number): void {
    const { pieces } = this
    const left = pieces.floor(at)
    const end = pieces.end(left)
    const flags = pieces.flags(left)
    pieces.setLength(left, at - pieces.start(left))
    pieces.setSum(left, leftSum)
    pieces.insert(at, end - at, rightSum, flags)
  }

  void(offset: number, length: number): void {
    const end = offset + length
    if (this.isFree(offset, end)) return
    const { pieces } = this
    for (let at = pieces.ceiling(offset); at !== -1 && pieces.start(at) < end; at = pieces.ceiling(offset)) {
      this.dropPiece(at)
    }
  }

  forget(offset: number): void {
    const found = this.extents.find(offset)
    if (found !== -1) this.extents.remove(found)
  }

  pin(length: number, identity: string): void {
    this.pinned = { identity, length }
  }

  clear(): void {
    this.extents = new ExtentTable(false)
    this.pieces = new ExtentTable(true)
    this.pinned = undefined
    this.bytes = 0
    this.freshBytes = 0
  }

  mark(): void {
    this.pieces.setAllFlags(durable)
    this.freshBytes = 0
  }

  unsure(): void {
    const { pieces } = this
    let behind = 0
    for (let at = pieces.first(); at !== -1; at = pieces.ceiling(behind)) {
      behind = pieces.end(at)
      if ((pieces.flags(at) & durable) === 0) this.dropPiece(at)
    }
  }

  /** Whether no piece has a byte of the range. */
  isFree(from: number, to: number): boolean {
    const last = this.pieces.floor(to - 1)
    return last === -1 || this.pieces.end(last) <= from
  }

  dropPiece(handle: number): void {
    const { pieces } = this
    const length = pieces.length(handle)
    this.bytes -= length
    if ((pieces.flags(handle) & durable) === 0) this.freshBytes -= length
    pieces.remove(handle)
  }

  /** The parts of `[from, to)` that no extent holds, the one at `except` not counted: starts and ends in turn. */
  gaps(from: number, to: number, except = -1): Array<number> {
    const gaps: Array<number> = []
    let covered = from
    this.extents.overlapping(from, to, (start, length) => {
      if (start === except) return
      if (start > covered) gaps.push(covered, start)
      covered = Math.max(covered, start + length)
    })
    if (covered < to) gaps.push(covered, to)
    return gaps
  }

  /** Where the extents that overlap a range start. */
  holders(from: number, to: number): Array<number> {
    const starts: Array<number> = []
    this.extents.overlapping(from, to, (start) => void starts.push(start))
    return starts
  }

  /** Whether pieces cover all of a range. None of them may be known to be damaged. */
  covers(from: number, to: number): boolean {
    const { pieces } = this
    let at = from
    for (let piece = pieces.floor(from); at < to; piece = pieces.next(piece)) {
      if (piece === -1 || pieces.start(piece) > at || pieces.end(piece) <= at) return false
      at = pieces.end(piece)
    }
    return true
  }

  /** Whether a part of the ranges, which are starts and ends in turn, is durable. */
  holdsDurable(ranges: ReadonlyArray<number>): boolean {
    for (let i = 0; i < ranges.length; i += 2) {
      if (this.isDurableIn(ranges[i], ranges[i + 1])) return true
    }
    return false
  }

  private isDurableIn(from: number, to: number): boolean {
    const { pieces } = this
    for (let at = pieces.firstBehind(from); at !== -1 && pieces.start(at) < to; at = pieces.next(at)) {
      if ((pieces.flags(at) & durable) !== 0) return true
    }
    return false
  }
}
