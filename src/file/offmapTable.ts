/**
 * The search: an offmap's cells and index in memory, mapped, or read page by page as they are needed.
 *
 * A lookup finds its segment through the radix table, predicts the cell from the segment's line,
 * walks to the right one of at most a few neighbours, and reads the answer from that one cache line.
 * A lookup that the index misleads bisects, so that the worst case is a binary search.
 *
 * Nothing of a page is believed before `touch` has seen its checksum match. The hot methods keep to
 * numbers and local variables: a result of `number | undefined` would cost a third of their speed.
 */
import { crc32 } from "../bytes/crc32.ts"
import { Closed, Corrupt, InvalidArgument } from "../bytes/errors.ts"
import type { Binding } from "../bytes/extent.ts"
import { checkOffset } from "../bytes/offset.ts"
import {
  bindingAt,
  cellBytes,
  cellCount,
  cellFault,
  cellKind,
  cellsPerPage,
  cellViews,
  covers,
  headWord,
  indexOf,
  lengthAt,
  maxRelativeEnd,
  physicalAt,
  startAt
} from "../format/offmapCell.ts"
import type { CellViews } from "../format/offmapCell.ts"
import { indexFault } from "../format/offmapIndex.ts"
import { offmapLayout, pageBytes } from "../format/offmapImage.ts"
import type { OffmapHeader, OffmapLayout } from "../format/offmapImage.ts"

/** How far from the predicted cell a lookup walks before it bisects. The index promises one. */
const windowCells = 4
/** A bucket that leads to more segments than this is bisected. */
const walkSegments = 8
/** Lookups of a batch: enough misses under way at once, few enough that what they bring stays. */
const batch = 256

/** Where an image comes from, for errors and for bringing in pages that are not there yet. */
export interface OffmapOrigin {
  readonly path: string
  /** Where the image begins in its file, in bytes. */
  readonly offset: number
  /** Fills `bytes` (a part of the image) from `position` in the image; absent when all is there. */
  readonly load?: (position: number, bytes: Uint8Array) => void
}

export class OffmapTable {
  readonly size: number
  /** The length of the image in bytes. */
  readonly imageBytes: number
  readonly header: OffmapHeader
  readonly #layout: OffmapLayout
  readonly #origin: OffmapOrigin
  #closed = false
  #bytes: Uint8Array
  #pageSums: Uint32Array
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
  /** @internal */ verified: Uint8Array
  readonly #predicted = new Int32Array(batch)
  /** @internal What a batch loaded ahead: kept, so that the loads are made. */ loaded = 0

  /**
   * A table over `image`, whose header was decoded and whose index is present. With `trusted` its
   * pages need no check: we have just made or checked them. Throws `Corrupt` when the index is damaged.
   */
  constructor(image: Uint8Array, header: OffmapHeader, origin: OffmapOrigin, trusted: boolean) {
    const layout = offmapLayout(header)
    const at = (offset: number) => image.byteOffset + offset
    this.header = header
    this.size = header.bindings
    this.imageBytes = layout.imageBytes
    this.#layout = layout
    this.#origin = origin
    this.#bytes = image
    this.#pageSums = new Uint32Array(image.buffer, at(layout.pageSums), layout.pages)
    const views = cellViews(image.subarray(layout.cells, layout.pageSums))
    this.cells = header.cells
    this.first = header.cells === 0 ? Infinity : header.first
    this.last = header.last
    this.scale = 2 ** -header.bucketShift
    this.f64 = views.f64
    this.i32 = views.i32
    this.u16 = views.u16
    this.keys = new Float64Array(image.buffer, at(layout.segments), (header.segments + 1) * 2)
    this.slopes = new Float32Array(image.buffer, at(layout.segments), (header.segments + 1) * 4)
    this.firsts = new Uint32Array(image.buffer, at(layout.segments), (header.segments + 1) * 4)
    this.radix = new Uint32Array(image.buffer, at(layout.radix), header.buckets + 1)
    this.verified = new Uint8Array(layout.pages)
    if (trusted) {
      this.verified.fill(1)
    } else {
      // Only the checksum: going through an index of a million entries would cost more than all the
      // rest of opening. Where it is wrong all the same, lookups bisect; `verifyAll` goes through it.
      if (crc32(image.subarray(layout.pageSums, layout.imageBytes)) !== header.indexCrc) {
        throw this.#corrupt(layout.pageSums, "the checksum of the offmap's index does not match")
      }
    }
  }

  /** The physical offset of the byte at `virtual`, or -1 where nothing covers it. */
  translate(virtual: number): number {
    if (!(virtual >= 0 && virtual <= Number.MAX_SAFE_INTEGER) || Math.floor(virtual) !== virtual) {
      throw invalidOffset("Offmap.translate", virtual)
    }
    if (!(virtual >= this.first && virtual <= this.last)) return -1
    return this.translateNear(this.predict(virtual), virtual)
  }

  /** The cell that the index names for `virtual`, which lies within `first` to `last`. */
  predict(virtual: number): number {
    const keys = this.keys
    const radix = this.radix
    const bucket = ((virtual - this.first) * this.scale) | 0
    let segment = radix[bucket]
    const lastSegment = radix[bucket + 1]
    if (lastSegment - segment > walkSegments) segment = this.#bisectSegments(segment, lastSegment, virtual)
    else while (segment < lastSegment && keys[segment * 2 + 2] <= virtual) segment++
    const firsts = this.firsts
    const limit = firsts[segment * 4 + 7] - 1
    const predicted = firsts[segment * 4 + 3] + (virtual - keys[segment * 2]) * this.slopes[segment * 4 + 2]
    const cell = predicted < limit ? predicted : limit
    // Whatever a forged index says, it leads to a cell that exists.
    return cell >= 0 && cell < this.cells ? cell | 0 : 0
  }

  /** `translate`, given a cell that is about right. */
  translateNear(predicted: number, virtual: number): number {
    const low = predicted < windowCells ? 0 : predicted - windowCells
    const high = predicted + windowCells > this.cells ? this.cells : predicted + windowCells
    const verified = this.verified
    if (verified[low >> 6] === 0) this.touch(low >> 6)
    if (verified[high >> 6] === 0) this.touch(high >> 6)
    const f64 = this.f64
    let cell = predicted
    while (virtual < f64[cell * 8]) {
      if (cell === low) return this.#translateOther(this.#bisectCells(virtual), virtual)
      cell--
    }
    const i32 = this.i32
    const u16 = this.u16
    for (;;) {
      const word = cell * 16 + headWord
      if (i32[word] !== 0) return this.#translateOther(this.walk(cell, virtual), virtual)
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
      if (cell >= high) return this.#translateOther(this.#bisectCells(virtual), virtual)
    }
  }

  #translateOther(cell: number, virtual: number): number {
    const index = indexOf(this, cell, virtual)
    if (!covers(this, cell, index, virtual)) return -1
    return physicalAt(this, cell, index) + (virtual - startAt(this, cell, index))
  }

  /**
   * From a cell that is about right to the last one whose base is at or before `virtual`. The pages
   * of all cells that were looked at are verified.
   */
  walk(predicted: number, virtual: number): number {
    let cell = predicted
    const low = cell < windowCells ? 0 : cell - windowCells
    const high = cell + windowCells > this.cells ? this.cells : cell + windowCells
    const verified = this.verified
    if (verified[low >> 6] === 0) this.touch(low >> 6)
    if (verified[high >> 6] === 0) this.touch(high >> 6)
    const f64 = this.f64
    if (virtual < f64[cell * 8]) {
      do {
        if (cell === low) return this.#bisectCells(virtual)
        cell--
      } while (virtual < f64[cell * 8])
      return cell
    }
    while (virtual >= f64[cell * 8 + 8]) {
      cell++
      if (cell >= high) return this.#bisectCells(virtual)
    }
    return cell
  }

  /** The last cell whose base is at or before `virtual`, which lies within `first` to `last`. */
  cellOf(virtual: number): number {
    return this.walk(this.predict(virtual), virtual)
  }

  #bisectSegments(low: number, end: number, virtual: number): number {
    const keys = this.keys
    // A forged table may lead to 2^32-1, the middle of which is 0 again, and so on for ever.
    let high = Math.min(end, this.header.segments - 1)
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (keys[middle * 2] <= virtual) low = middle
      else high = middle - 1
    }
    return low
  }

  #bisectCells(virtual: number): number {
    let low = 0
    let high = this.cells - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.verified[middle >> 6] === 0) this.touch(middle >> 6)
      if (this.f64[middle * 8] <= virtual) low = middle
      else high = middle - 1
    }
    if (this.verified[low >> 6] === 0) this.touch(low >> 6)
    return low
  }

  /** Brings in a page of cells where needed and checks it. Throws `Corrupt`, or `Closed`. */
  touch(page: number): void {
    if (this.#closed) throw new Closed({ path: this.#origin.path, operation: "Offmap lookup" })
    const { cells: begin, pageSums } = this.#layout
    const from = begin + page * pageBytes
    const to = Math.min(from + pageBytes, pageSums)
    const bytes = this.#bytes.subarray(from, to)
    this.#origin.load?.(from, bytes)
    if (crc32(bytes) !== this.#pageSums[page]) {
      throw this.#corrupt(from, `the checksum of page ${page} of the offmap does not match`)
    }
    const { cells, f64, header } = this
    const last = Math.min((page + 1) * cellsPerPage, cells)
    let end = 0
    for (let cell = page * cellsPerPage; cell < last; cell++) {
      const fault = cellFault(this, cell, end)
      if (fault !== undefined) throw this.#corrupt(begin + cell * cellBytes, fault)
      const index = cellCount(this, cell) - 1
      end = startAt(this, cell, index) + Math.max(1, lengthAt(this, cell, index))
    }
    if (page === 0 && cells > 0 && f64[0] !== header.first)
      throw this.#corrupt(begin, `the bindings begin at ${f64[0]}, not at ${header.first}`)
    if (end > 0 && last === cells && end - 1 !== header.last)
      throw this.#corrupt(begin + (cells - 1) * cellBytes, `the bindings don't end at ${header.last}`)
    if (page === cells >> 6 && f64[cells * 8] !== Infinity)
      throw this.#corrupt(begin + cells * cellBytes, "the cells have no end")
    this.verified[page] = 1
  }

  /** Checks the index and every page, that bindings ascend across pages, and that the header counted right. */
  verifyAll(): void {
    const fault = indexFault(this, this.header)
    if (fault !== undefined) throw this.#corrupt(this.#layout.segments, fault)
    let bindings = 0
    let end = 0
    for (let cell = 0; cell < this.cells; cell++) {
      if (cell % cellsPerPage === 0 && this.verified[cell / cellsPerPage] === 0)
        this.touch(cell / cellsPerPage)
      const fault = cellFault(this, cell, end)
      if (fault !== undefined) throw this.#corrupt(this.#layout.cells + cell * cellBytes, fault)
      const index = cellCount(this, cell) - 1
      bindings += index + 1
      end = startAt(this, cell, index) + Math.max(1, lengthAt(this, cell, index))
    }
    const sentinel = this.cells >> 6
    if (this.verified[sentinel] === 0) this.touch(sentinel)
    if (bindings !== this.size)
      throw this.#corrupt(24, `the cells hold ${bindings} bindings, not ${this.size} as the header says`)
  }

  /**
   * Writes the physical offsets of all `virtuals` to `out`, -1 where nothing covers one. Lookups go
   * in lockstep, so that their cache misses overlap: about half the time of one by one.
   */
  translateMany(virtuals: Float64Array, out: Float64Array): void {
    if (out.length < virtuals.length) {
      throw new InvalidArgument({
        operation: "Offmap.translateMany",
        reason: `${virtuals.length} offsets don't fit into ${out.length} results`
      })
    }
    for (let from = 0; from < virtuals.length; from += batch) {
      this.#translateBatch(virtuals, out, from, Math.min(virtuals.length, from + batch))
    }
  }

  #translateBatch(virtuals: Float64Array, out: Float64Array, from: number, to: number): void {
    const cells = this.#predicted
    const { first, i32, last } = this
    for (let i = from; i < to; i++) {
      const virtual = virtuals[i]
      if (!(virtual >= 0 && virtual <= Number.MAX_SAFE_INTEGER) || Math.floor(virtual) !== virtual) {
        throw invalidOffset("Offmap.translateMany", virtual)
      }
      cells[i - from] = virtual >= first && virtual <= last ? this.predict(virtual) : 0
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

  /** The physical offset bound to exactly this virtual offset, or undefined. */
  find(virtual: number): number | undefined {
    checkOffset("Offmap.find", "offset", virtual)
    const cell = this.#cellAt(virtual)
    if (cell < 0) return undefined
    const index = indexOf(this, cell, virtual)
    return startAt(this, cell, index) === virtual ? physicalAt(this, cell, index) : undefined
  }

  /** The binding that covers `virtual`, or undefined. */
  locate(virtual: number): Binding | undefined {
    checkOffset("Offmap.locate", "offset", virtual)
    const cell = this.#cellAt(virtual)
    if (cell < 0) return undefined
    const index = indexOf(this, cell, virtual)
    return covers(this, cell, index, virtual) ? bindingAt(this, cell, index) : undefined
  }

  /** The smallest offset at or after `virtual` that an extent covers, or undefined. */
  next(virtual: number): number | undefined {
    checkOffset("Offmap.next", "offset", virtual)
    if (this.cells === 0 || virtual > this.last) return undefined
    const from = Math.max(virtual, this.first)
    let cell = this.cellOf(from)
    let index = indexOf(this, cell, from)
    for (; cell < this.cells; cell++, index = 0) {
      if (this.verified[cell >> 6] === 0) this.touch(cell >> 6)
      if ((this.i32[cell * 16 + headWord] & 0xff) === cellKind.points) continue
      const count = cellCount(this, cell)
      for (; index < count; index++) {
        const start = startAt(this, cell, index)
        const length = lengthAt(this, cell, index)
        if (length > 0 && virtual < start + length) return Math.max(virtual, start)
      }
    }
    return undefined
  }

  /** All bindings, ascending. */
  entries(): IterableIterator<Binding> {
    return this.#entriesFrom(this.first)
  }

  *#entriesFrom(virtual: number): IterableIterator<Binding> {
    if (this.cells === 0) return
    let cell = this.cellOf(virtual)
    let index = indexOf(this, cell, virtual)
    for (; cell < this.cells; cell++) {
      if (this.verified[cell >> 6] === 0) this.touch(cell >> 6)
      const count = cellCount(this, cell)
      for (; index < count; index++) {
        yield bindingAt(this, cell, index)
        // The scope may have ended since; what the views show then is nothing.
        if (this.#closed) this.touch(0)
      }
      index = 0
    }
  }

  #cellAt(virtual: number): number {
    return virtual >= this.first && virtual <= this.last ? this.cellOf(virtual) : -1
  }

  /** The image, for writing it elsewhere; each page counts once it is verified. Its checksums may be unset. */
  get image(): Uint8Array {
    return this.#bytes
  }

  /** Brings in and checks the pages from `from` to before `to`. Throws `Corrupt`, or `Closed`. */
  verifyPages(from: number, to: number): void {
    if (this.#closed) this.touch(from)
    for (let page = from; page < to; page++) if (this.verified[page] === 0) this.touch(page)
  }

  /** From now on every lookup throws `Closed`; the image is let go. */
  close(): void {
    const nothing = new ArrayBuffer(2 * cellBytes)
    const views: CellViews = cellViews(new Uint8Array(nothing))
    this.#closed = true
    this.#bytes = new Uint8Array(0)
    this.#pageSums = new Uint32Array(0)
    this.cells = 1
    this.first = 0
    this.last = Number.MAX_SAFE_INTEGER
    this.scale = 0
    this.f64 = views.f64
    this.i32 = views.i32
    this.u16 = views.u16
    this.keys = new Float64Array(4)
    this.slopes = new Float32Array(8)
    // One segment of one cell, so that every lookup comes to touch that cell's page.
    this.firsts = Uint32Array.of(0, 0, 0, 0, 0, 0, 0, 1)
    this.radix = new Uint32Array(2)
    this.verified = new Uint8Array(1)
  }

  #corrupt(at: number, reason: string): Corrupt {
    return new Corrupt({ path: this.#origin.path, offset: this.#origin.offset + at, reason })
  }
}

const invalidOffset = (operation: string, value: number): InvalidArgument =>
  new InvalidArgument({ operation, reason: `an offset must be an integer from 0 to 2^53-1, not ${value}` })
