/**
 * Applies the entries of a record, after checking that each one fits those before it. A checksum has vouched for
 * them, so one that doesn't fit was written wrong: `Corrupt`.
 */
import { Corrupt } from "../bytes/errors.ts"
import type { ExtentEntries } from "../format/extentRecord.ts"
import type { ExtentIndex } from "./extentIndex.ts"

export class ExtentReplay implements ExtentEntries {
  /** Whether the last entry that says anything was a mark. */
  marked = false
  /** Whether nothing has happened since the file was closed. */
  tidy = false
  /** Where the frame is that entries are taken from: for errors. */
  private frameAt = 0
  private readonly index: ExtentIndex
  private readonly path: string

  constructor(index: ExtentIndex, path: string) {
    this.index = index
    this.path = path
  }

  create(offset: number, length: number, sum: number): void {
    this.checkEdges(offset, length)
    this.index.create(offset, length, sum)
    this.changed()
  }

  piece(offset: number, length: number, sum: number): void {
    this.checkEdges(offset, length)
    this.index.piece(offset, length, sum)
    this.changed()
  }

  extent(offset: number, length: number): void {
    this.index.extent(offset, length)
    this.changed()
  }

  split(at: number, leftSum: number, rightSum: number): void {
    if (!this.isInside(at)) throw this.misfit(`a piece is split at ${at}, where none is`)
    this.index.split(at, leftSum, rightSum)
    this.changed()
  }

  void(offset: number, length: number): void {
    this.checkEdges(offset, length)
    this.index.void(offset, length)
    this.changed()
  }

  forget(offset: number): void {
    this.index.forget(offset)
    this.changed()
  }

  pin(length: number, identity: string): void {
    this.index.pin(length, identity)
    this.changed()
  }

  clear(): void {
    this.index.clear()
    this.changed()
  }

  mark(tidy: boolean): void {
    this.index.mark()
    this.marked = true
    this.tidy = tidy
  }

  /** The beginning of a frame, which may be empty. */
  begin(frameAt: number): void {
    this.frameAt = frameAt
    this.tidy = false
  }

  unsure(): void {
    this.index.unsure()
    this.changed()
  }

  private changed(): void {
    this.marked = false
    this.tidy = false
  }

  /** Demands that no piece reaches over an edge of the range. */
  private checkEdges(offset: number, length: number): void {
    if (this.index.isFree(offset, offset + length)) return
    if (this.isInside(offset) || this.isInside(offset + length)) {
      throw this.misfit(`a piece lies only in part within the ${length} bytes at ${offset}`)
    }
  }

  private isInside(at: number): boolean {
    const { pieces } = this.index
    const found = pieces.floor(at)
    return found !== -1 && pieces.start(found) < at && pieces.end(found) > at
  }

  private misfit(reason: string): Corrupt {
    return new Corrupt({ path: this.path, offset: this.frameAt, reason })
  }
}
