/**
 * The table: an offmap whose image is all in memory, or mapped, and searched in place.
 *
 * Nothing of a page is believed before `touch` has seen its checksum match. The hot methods keep to
 * numbers and local variables: a result of `number | undefined` would cost a third of their speed.
 * They look at neighbouring cells without asking where they are, which is why they stand here.
 */
import { crc32 } from "../bytes/crc32.ts"
import { InvalidArgument } from "../bytes/errors.ts"
import {
  cellsPerPage,
  cellViews,
  covers,
  headWord,
  indexOf,
  maxRelativeEnd,
  physicalAt,
  startAt
} from "../format/offmapCell.ts"
import { offmapLayout, pageBytes } from "../format/offmapImage.ts"
import type { OffmapHeader } from "../format/offmapImage.ts"
import { pageFault } from "../format/offmapPage.ts"
import { predictCell } from "./offmapPrediction.ts"
import { type OffmapOrigin, OffmapSearch, windowCells } from "./offmapSearch.ts"

/** Lookups of a batch: enough misses under way at once, few enough that what they bring stays. */
const batch = 256

export class OffmapTable extends OffmapSearch {
  private image: Uint8Array
  /** @internal */ verified: Uint8Array
  private readonly predicted = new Int32Array(batch)
  /** @internal What a batch loaded ahead: kept, so that the loads are made. */ loaded = 0

  /**
   * A table over `image`, whose header was decoded. With `trusted` its pages need no check: we have
   * just made or checked them. Throws `Corrupt` when the index is damaged.
   */
  constructor(image: Uint8Array, header: OffmapHeader, origin: OffmapOrigin, trusted: boolean) {
    const { cells, imageBytes, pages, pageSums } = offmapLayout(header)
    const views = cellViews(image.subarray(cells, pageSums))
    super({ header, index: image.subarray(pageSums, imageBytes), origin, trusted, views })
    this.image = image
    this.verified = new Uint8Array(pages)
    if (trusted) this.verified.fill(1)
  }

  override at(cell: number): number {
    if (this.verified[cell >> 6] === 0) this.touch(cell >> 6)
    return cell
  }

  override atAhead(cell: number): number {
    return this.at(cell)
  }

  override translate(virtual: number): number {
    if (!(virtual >= 0 && virtual <= Number.MAX_SAFE_INTEGER) || Math.floor(virtual) !== virtual) {
      throw invalidOffset("Offmap.translate", virtual)
    }
    if (!(virtual >= this.first && virtual <= this.last)) return -1
    return this.translateNear(predictCell(this, virtual), virtual)
  }

  /** `translate`, given a cell that is about right. */
  private translateNear(predicted: number, virtual: number): number {
    const low = predicted < windowCells ? 0 : predicted - windowCells
    const high = predicted + windowCells > this.cells ? this.cells : predicted + windowCells
    const verified = this.verified
    if (verified[low >> 6] === 0) this.touch(low >> 6)
    if (verified[high >> 6] === 0) this.touch(high >> 6)
    const f64 = this.f64
    let cell = predicted
    while (virtual < f64[cell * 8]) {
      if (cell === low) return this.translateOther(this.bisectCells(virtual), virtual)
      cell--
    }
    const i32 = this.i32
    const u16 = this.u16
    for (;;) {
      const word = cell * 16 + headWord
      if (i32[word] !== 0) return this.translateOther(this.cellFrom(cell, virtual), virtual)
      const distance = virtual - f64[cell * 8]
      if (distance <= maxRelativeEnd) {
        const d = distance | 0
        // Starts at or before d have a negative difference: their sign bits count them.
        const before = d + 1
        const index = -(
          ((i32[word + 1] - before) >> 31) +
          ((i32[word + 2] - before) >> 31) +
          ((i32[word + 3] - before) >> 31) +
          ((i32[word + 4] - before) >> 31) +
          ((i32[word + 5] - before) >> 31) +
          ((i32[word + 6] - before) >> 31) +
          ((i32[word + 7] - before) >> 31)
        )
        const end = cell * 32 + 15 - index
        const place = u16[end + 1]
        const length = u16[end] - place
        const offset = d - i32[word + index]
        if (offset < length || (length === 0 && offset === 0)) return f64[cell * 8 + 1] + place + offset
      }
      // Not in this cell: in the next, if that begins at or before the offset, or in none.
      if (virtual < f64[cell * 8 + 8]) return -1
      cell++
      if (cell >= high) return this.translateOther(this.bisectCells(virtual), virtual)
    }
  }

  private translateOther(cell: number, virtual: number): number {
    const index = indexOf(this, cell, virtual)
    if (!covers(this, cell, index, virtual)) return -1
    return physicalAt(this, cell, index) + (virtual - startAt(this, cell, index))
  }

  /**
   * Lookups go in lockstep, so that their cache misses overlap: about half the time of one by one.
   */
  override translateMany(virtuals: Float64Array, out: Float64Array): void {
    this.checkRoom(virtuals, out)
    for (let from = 0; from < virtuals.length; from += batch) {
      this.translateBatch(virtuals, out, from, Math.min(virtuals.length, from + batch))
    }
  }

  private translateBatch(virtuals: Float64Array, out: Float64Array, from: number, to: number): void {
    const cells = this.predicted
    const { first, i32, last } = this
    for (let i = from; i < to; i++) {
      const virtual = virtuals[i]
      if (!(virtual >= 0 && virtual <= Number.MAX_SAFE_INTEGER) || Math.floor(virtual) !== virtual) {
        throw invalidOffset("Offmap.translateMany", virtual)
      }
      cells[i - from] = virtual >= first && virtual <= last ? predictCell(this, virtual) : 0
    }
    // Nothing depends on what is loaded here, so that all the misses are under way at once. Half the
    // answers are in a neighbour of the cell that the index names.
    let loaded = 0
    for (let i = 0; i < to - from; i++) {
      const word = cells[i] * 16 + headWord
      loaded ^= i32[word < 16 ? word : word - 16] ^ i32[word] ^ i32[word + 16]
    }
    this.loaded = loaded
    for (let i = from; i < to; i++) {
      const virtual = virtuals[i]
      out[i] = virtual >= first && virtual <= last ? this.translateNear(cells[i - from], virtual) : -1
    }
  }

  override imagePart(from: number, to: number): Uint8Array {
    const { cells } = this.layout
    this.checkOpen()
    const lastPage = Math.ceil((to - cells) / pageBytes) - 1
    for (let page = Math.floor((from - cells) / pageBytes); page <= lastPage; page++) {
      if (this.verified[page] === 0) this.touch(page)
    }
    return this.image.subarray(from, to)
  }

  /** Of an image that was just made, the sums are unset. */
  override sumOf(page: number): number {
    return crc32(this.pageOf(page))
  }

  private pageOf(page: number): Uint8Array {
    const from = this.layout.cells + page * pageBytes
    return this.image.subarray(from, Math.min(from + pageBytes, this.layout.pageSums))
  }

  /** Checks a page of cells. */
  private touch(page: number): void {
    this.checkOpen()
    if (crc32(this.pageOf(page)) !== this.pageSums[page]) throw this.wrongSum(page)
    const fault = pageFault(this, { at: page * cellsPerPage, header: this.header, page })
    if (fault !== undefined) throw this.corrupt(fault.position, fault.reason)
    this.verified[page] = 1
  }

  override close(): void {
    super.close()
    this.image = new Uint8Array(0)
    this.verified = new Uint8Array(1)
  }
}

const invalidOffset = (operation: string, value: number): InvalidArgument =>
  new InvalidArgument({ operation, reason: `an offset must be an integer from 0 to 2^53-1, not ${value}` })
