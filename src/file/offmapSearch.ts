/**
 * The search: an offmap's index in memory, and lookups that go through it to the cells.
 *
 * A lookup goes from the cell that the index predicts to the right one of at most a few neighbours,
 * and has its answer from that one cache line. A lookup that the index misleads bisects, so that the
 * worst case is a binary search.
 *
 * Where cells are and how they come there is the business of subclasses: `at` says where in the views
 * a cell is, and has seen the checksum of its page match. What it said before may not hold any longer:
 * the page may have made room for the one just asked for. Nothing here waits; everything throws.
 */
import { crc32 } from "../bytes/crc32.ts"
import { Closed, Corrupt, InvalidArgument } from "../bytes/errors.ts"
import type { Binding } from "../bytes/extent.ts"
import { checkOffset } from "../bytes/offset.ts"
import {
  bindingAt,
  cellBytes,
  cellsPerPage,
  cellViews,
  covers,
  indexOf,
  physicalAt,
  startAt
} from "../format/offmapCell.ts"
import type { CellViews } from "../format/offmapCell.ts"
import { offmapLayout } from "../format/offmapImage.ts"
import type { OffmapHeader, OffmapLayout } from "../format/offmapImage.ts"
import { predictCell } from "./offmapPrediction.ts"
import { bindingsOf, nextCovered, verifyCells } from "./offmapWalks.ts"

/** How far from the predicted cell a lookup walks before it bisects. The index promises one. */
export const windowCells = 4

/** Where an image is, for errors. */
export interface OffmapOrigin {
  readonly path: string
  /** Where the image begins in its file, in bytes. */
  readonly offset: number
}

export interface OffmapSearchOptions {
  readonly header: OffmapHeader
  /** The image from its `pageSums` on, at a multiple of eight in its buffer. */
  readonly index: Uint8Array
  readonly origin: OffmapOrigin
  /** Through which cells are looked at. */
  readonly views: CellViews
  /** We have just made the image, or checked it. */
  readonly trusted: boolean
}

export abstract class OffmapSearch {
  readonly size: number
  /** The length of the image in bytes. */
  readonly imageBytes: number
  readonly header: OffmapHeader
  /** @internal */ readonly layout: OffmapLayout
  protected readonly origin: OffmapOrigin
  private closed = false
  // Plain properties, not private names: these are read on every lookup.
  /** @internal */ cells: number
  /** @internal */ first: number
  /** @internal */ last: number
  /** @internal */ scale: number
  /** @internal */ f64: Float64Array
  /** @internal */ i32: Int32Array
  /** @internal */ u16: Uint16Array
  /** @internal */ keys: Float64Array
  /** @internal */ slopes: Float32Array
  /** @internal */ firsts: Uint32Array
  /** @internal */ radix: Uint32Array
  /** @internal The image from its `pageSums` on, for writing it elsewhere. */ index: Uint8Array
  protected pageSums: Uint32Array

  /** Throws `Corrupt` when the index is damaged. */
  constructor({ header, index, origin, trusted, views }: OffmapSearchOptions) {
    const layout = offmapLayout(header)
    const at = (offset: number) => index.byteOffset + offset - layout.pageSums
    this.header = header
    this.size = header.bindings
    this.imageBytes = layout.imageBytes
    this.layout = layout
    this.origin = origin
    this.cells = header.cells
    this.first = header.cells === 0 ? Infinity : header.first
    this.last = header.last
    this.scale = 2 ** -header.bucketShift
    this.f64 = views.f64
    this.i32 = views.i32
    this.u16 = views.u16
    this.keys = new Float64Array(index.buffer, at(layout.segments), (header.segments + 1) * 2)
    this.slopes = new Float32Array(index.buffer, at(layout.segments), (header.segments + 1) * 4)
    this.firsts = new Uint32Array(index.buffer, at(layout.segments), (header.segments + 1) * 4)
    this.radix = new Uint32Array(index.buffer, at(layout.radix), header.buckets + 1)
    this.index = index
    this.pageSums = new Uint32Array(index.buffer, at(layout.pageSums), layout.pages)
    // Only the checksum: going through an index of a million entries would cost more than all the
    // rest of opening. Where it is wrong all the same, lookups bisect; `verifyAll` goes through it.
    if (!trusted && crc32(index) !== header.indexCrc) {
      throw this.corrupt(layout.pageSums, "the checksum of the offmap's index does not match")
    }
  }

  /**
   * Which cell of the views this one is: until the next call, its page is there and verified. Throws
   * `Corrupt`, `Closed` or `IoFailed`.
   */
  abstract at(cell: number): number

  /** `at`, for a walk that goes on: pages behind this cell's may be brought in as well. */
  abstract atAhead(cell: number): number

  /** The image's bytes from `from` to before `to`, which lie among its cells: a copy, or what won't change. */
  abstract imagePart(from: number, to: number): Uint8Array

  /** The checksum of a page of which `imagePart` has given something. */
  abstract sumOf(page: number): number

  /** The physical offset of the byte at `virtual`, or -1 where nothing covers it. */
  translate(virtual: number): number {
    checkOffset("Offmap.translate", "offset", virtual)
    return virtual >= this.first && virtual <= this.last ? this.translateWithin(virtual) : -1
  }

  private translateWithin(virtual: number): number {
    const place = this.at(this.cellOf(virtual))
    const index = indexOf(this, place, virtual)
    if (!covers(this, place, index, virtual)) return -1
    return physicalAt(this, place, index) + (virtual - startAt(this, place, index))
  }

  /** Writes the physical offsets of all `virtuals` to `out`, -1 where nothing covers one. */
  translateMany(virtuals: Float64Array, out: Float64Array): void {
    this.checkRoom(virtuals, out)
    for (let i = 0; i < virtuals.length; i++) {
      const virtual = virtuals[i]
      checkOffset("Offmap.translateMany", "offset", virtual)
      out[i] = virtual >= this.first && virtual <= this.last ? this.translateWithin(virtual) : -1
    }
  }

  protected checkRoom(virtuals: Float64Array, out: Float64Array): void {
    if (out.length >= virtuals.length) return
    throw new InvalidArgument({
      operation: "Offmap.translateMany",
      reason: `${virtuals.length} offsets don't fit into ${out.length} results`
    })
  }

  /** The last cell whose base is at or before `virtual`, which lies within `first` to `last`. */
  cellOf(virtual: number): number {
    return this.cellFrom(predictCell(this, virtual), virtual)
  }

  /** `cellOf`, given a cell that is about right. */
  protected cellFrom(predicted: number, virtual: number): number {
    let cell = predicted
    const low = cell < windowCells ? 0 : cell - windowCells
    const high = cell + windowCells > this.cells ? this.cells : cell + windowCells
    if (virtual < this.f64[this.at(cell) * 8]) {
      do {
        if (cell === low) return this.bisectCells(virtual)
        cell--
      } while (virtual < this.f64[this.at(cell) * 8])
      return cell
    }
    while (virtual >= this.f64[this.at(cell + 1) * 8]) {
      cell++
      if (cell >= high) return this.bisectCells(virtual)
    }
    return cell
  }

  protected bisectCells(virtual: number): number {
    let low = 0
    let high = this.cells - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.f64[this.at(middle) * 8] <= virtual) low = middle
      else high = middle - 1
    }
    return low
  }

  private cellAt(virtual: number): number {
    return virtual >= this.first && virtual <= this.last ? this.cellOf(virtual) : -1
  }

  /** The physical offset bound to exactly this virtual offset, or undefined. */
  find(virtual: number): number | undefined {
    checkOffset("Offmap.find", "offset", virtual)
    const cell = this.cellAt(virtual)
    if (cell < 0) return undefined
    const place = this.at(cell)
    const index = indexOf(this, place, virtual)
    return startAt(this, place, index) === virtual ? physicalAt(this, place, index) : undefined
  }

  /** The binding that covers `virtual`, or undefined. */
  locate(virtual: number): Binding | undefined {
    checkOffset("Offmap.locate", "offset", virtual)
    const cell = this.cellAt(virtual)
    if (cell < 0) return undefined
    const place = this.at(cell)
    const index = indexOf(this, place, virtual)
    return covers(this, place, index, virtual) ? bindingAt(this, place, index) : undefined
  }

  /** The smallest offset at or after `virtual` that an extent covers, or undefined. */
  next(virtual: number): number | undefined {
    checkOffset("Offmap.next", "offset", virtual)
    return this.cells === 0 || virtual > this.last ? undefined : nextCovered(this, virtual)
  }

  /** All bindings, ascending. */
  entries(): IterableIterator<Binding> {
    return bindingsOf(this)
  }

  /** Checks the index and every page, that bindings ascend across pages, and that the header counted right. */
  verifyAll(): void {
    verifyCells(this)
  }

  /** Throws `Closed`. */
  checkOpen(): void {
    if (this.closed) throw new Closed({ path: this.origin.path, operation: "Offmap lookup" })
  }

  /** From now on every lookup throws `Closed`; the image is let go. */
  close(): void {
    const views: CellViews = cellViews(new Uint8Array(2 * cellBytes))
    this.closed = true
    this.index = new Uint8Array(0)
    this.pageSums = new Uint32Array(0)
    this.cells = 1
    this.first = 0
    this.last = Number.MAX_SAFE_INTEGER
    this.scale = 0
    this.f64 = views.f64
    this.i32 = views.i32
    this.u16 = views.u16
    this.keys = new Float64Array(4)
    this.slopes = new Float32Array(8)
    // One segment of one cell, so that every lookup comes to ask for that cell.
    this.firsts = Uint32Array.of(0, 0, 0, 0, 0, 0, 0, 1)
    this.radix = new Uint32Array(2)
  }

  /** `at` is a position in the image, in bytes. */
  corrupt(at: number, reason: string): Corrupt {
    return new Corrupt({ path: this.origin.path, offset: this.origin.offset + at, reason })
  }

  protected wrongSum(page: number): Corrupt {
    const at = this.layout.cells + page * cellsPerPage * cellBytes
    return this.corrupt(at, `the checksum of page ${page} of the offmap does not match`)
  }
}
