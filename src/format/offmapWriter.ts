/**
 * Writing an offmap's image in memory: ascending bindings go in one by one, cells come out.
 *
 * The buffer is the image in the making, 8 bytes a binding and nothing besides: what lies back to
 * back goes straight into a dense cell there. Bindings of which eight don't fit a dense cell wait
 * until there are eight to choose a kind for.
 *
 * The buffer grows sixteenfold, and twofold from 256 MiB on. What has not been written to is not
 * backed by memory, so that the growth costs address space, not memory.
 */
import { MemoryLimit } from "../bytes/errors.ts"
import {
  bindingAt,
  cellBytes,
  cellCount,
  cellViews,
  headWord,
  maxDenseEnd,
  maxRelativeEnd,
  startAt
} from "./offmapCell.ts"
import type { CellViews } from "./offmapCell.ts"
import { encodeCell, encodeSentinel } from "./offmapCellEncoding.ts"
import { SegmentWriter } from "./offmapIndex.ts"
import { encodeOffmapHeader, maxImageBytes, offmapHeaderBytes, offmapLayout } from "./offmapImage.ts"
import type { OffmapHeader } from "./offmapImage.ts"

const initialBytes = 1 << 16
/** A dense cell whose base and place are at most this can't reach beyond 2^53-1. */
const lastDenseBase = Number.MAX_SAFE_INTEGER - maxRelativeEnd
/** Where a binding may begin in its cell such that it ends within reach, however long it is. */
const lastDenseStart = maxRelativeEnd - maxDenseEnd
/** The index takes in so many cells at once, while they are in the processor's cache. */
const indexedCells = 64

/** An image, and the header that it begins with. Its checksums but the header's are unset. */
export interface OffmapImage {
  readonly image: Uint8Array
  readonly header: OffmapHeader
}

/** The size of a buffer of `had` bytes that is to hold `wanted`. Throws `MemoryLimit`. */
export const grownBytes = (had: number, wanted: number): number => {
  if (wanted > maxImageBytes) throw new MemoryLimit({ limit: maxImageBytes, wanted })
  let size = had
  while (size < wanted) size = size < 2 ** 28 ? size * 16 : size * 2
  return Math.min(size, maxImageBytes)
}

export class OffmapWriter implements CellViews {
  private bytes = new Uint8Array(initialBytes)
  // The cells so far.
  f64: Float64Array
  i32: Int32Array
  u16: Uint16Array
  /** The element of `i32` for the next start: one of a dense cell in the making, or of the next cell. */
  private at = headWord
  /** No dense cell begins here or beyond: there is no room, or bindings wait, or the buffer is shared. */
  private limit: number
  // The last dense cell. While bindings wait, `base` is where they end, and `nextStart` 0.
  private base = 0
  private place = 0
  /** Its bytes so far, and where the next binding may begin, from its base. */
  private placed = 0
  private nextStart = 0
  /** Bindings that no cell was chosen for, fewer than eight; none while a dense cell is in the making. */
  private readonly waiting = {
    virtual: new Float64Array(8),
    physical: new Float64Array(8),
    length: new Float64Array(8)
  }
  private waitingCount = 0
  /** How many bindings the complete cells hold. */
  private completeBindings = 0
  private segments = new SegmentWriter()
  private indexed = 0
  /** Whether an image was given out that is a part of the buffer. */
  private shared = false

  constructor() {
    const { f64, i32, u16 } = cellViews(this.bytes.subarray(offmapHeaderBytes))
    this.f64 = f64
    this.i32 = i32
    this.u16 = u16
    this.limit = this.room
  }

  /** The number of bindings added. */
  get size(): number {
    return this.completeBindings + (this.at & 7) + this.waitingCount
  }

  /** Where the last binding begins; there must be one. */
  get lastStart(): number {
    if (this.waitingCount > 0) return this.waiting.virtual[this.waitingCount - 1]
    if ((this.at & 7) !== 0) return this.base + this.i32[this.at - 1]
    const last = this.cells - 1
    return startAt(this, last, cellCount(this, last) - 1)
  }

  /** Where the next binding may begin: a point ends one past its offset. */
  get end(): number {
    return this.base + this.nextStart
  }

  /** How many cells are complete. */
  private get cells(): number {
    return (this.at - headWord) >> 4
  }

  /** The end of the buffer's room for cells, as an element of `i32`. */
  private get room(): number {
    return this.i32.length & ~15
  }

  /**
   * Adds a binding if it is valid, ascends, and fits the dense cell in the making or a new one;
   * otherwise gives false, and nothing has happened. Where building spends its time: within a cell it
   * is enough to look at differences, which are small integers if all is well.
   */
  addDense(virtual: number, physical: number, length: number): boolean {
    const { at, placed } = this
    const index = at & 7
    if (index === 0) return this.beginDense(virtual, physical, length)
    const distance = virtual - this.base
    if (!(distance >= this.nextStart && distance <= lastDenseStart && physical - this.place === placed))
      return false
    const start = distance | 0
    const size = length | 0
    const end = placed + size
    if (start !== distance || size !== length || (size | end) >>> 16 !== 0) return false
    this.i32[at] = start
    this.u16[((at - index) << 1) - 1 - index] = end
    this.placed = end
    this.nextStart = start + size + (size === 0 ? 1 : 0)
    if (index < 7) {
      this.at = at + 1
    } else {
      this.at = at + 9
      this.completeBindings += 8
    }
    return true
  }

  private beginDense(virtual: number, physical: number, length: number): boolean {
    const { at } = this
    const size = length | 0
    if (at >= this.limit || size !== length || size >>> 16 !== 0) return false
    if (!(virtual >= this.end && virtual <= lastDenseBase && Math.floor(virtual) === virtual)) return false
    if (!(physical >= 0 && physical <= lastDenseBase && Math.floor(physical) === physical)) return false
    if ((at & (16 * indexedCells - 1)) === headWord) this.index()
    const double = (at - headWord) >> 1
    // 0 is added for the sake of -0, which is the same offset and must be the same bytes.
    this.f64[double] = virtual + 0
    this.f64[double + 1] = physical + 0
    this.i32[at] = 0
    this.u16[(at << 1) - 1] = size
    this.base = virtual
    this.place = physical
    this.placed = size
    this.nextStart = size === 0 ? 1 : size
    this.at = at + 1
    return true
  }

  /**
   * Adds bindings from position `from` of three arrays on, as whole dense cells and as long as that
   * works, and gives the position of the first that is left. The same checks as `addDense`, with the
   * state of eight at a time in locals, which takes a third less time.
   */
  addCells(
    virtuals: ArrayLike<number>,
    physicals: ArrayLike<number>,
    lengths: ArrayLike<number>,
    from: number
  ): number {
    if ((this.at & 7) !== 0) return from
    const { f64, i32, limit, u16 } = this
    const last = virtuals.length - 8
    for (; from <= last && this.at < limit; from += 8) {
      const { at } = this
      const base = virtuals[from]
      const place = physicals[from]
      if (!(base >= this.end && base <= lastDenseBase && Math.floor(base) === base)) break
      if (!(place >= 0 && place <= lastDenseBase && Math.floor(place) === place)) break
      let nextStart = 0
      let placed = 0
      let i = 0
      for (; i < 8; i++) {
        const distance = virtuals[from + i] - base
        const length = lengths[from + i]
        if (!(distance >= nextStart && distance <= lastDenseStart && physicals[from + i] - place === placed))
          break
        const start = distance | 0
        const size = length | 0
        const end = placed + size
        if (start !== distance || size !== length || (size | end) >>> 16 !== 0) break
        i32[at + i] = start
        u16[(at << 1) - 1 - i] = end
        placed = end
        nextStart = start + size + (size === 0 ? 1 : 0)
      }
      if (i < 8) break
      if ((at & (16 * indexedCells - 1)) === headWord) this.index()
      f64[(at - headWord) >> 1] = base + 0
      f64[((at - headWord) >> 1) + 1] = place + 0
      this.base = base
      this.nextStart = nextStart
      this.at = at + 16
      this.completeBindings += 8
    }
    return from
  }

  /** Adds a binding, which is valid and begins at `end` or behind. Throws `MemoryLimit`. */
  add(virtual: number, physical: number, length: number): void {
    // One cell that may become complete, and one that may begin: beyond here nothing fails halfway.
    this.reserve(offmapHeaderBytes + (this.cells + 3) * cellBytes)
    this.put(virtual, physical, length)
  }

  private put(virtual: number, physical: number, length: number): void {
    if (this.addDense(virtual, physical, length)) return
    if ((this.at & 7) !== 0) this.giveUpDense()
    const count = this.waitingCount++
    this.waiting.virtual[count] = virtual + 0
    this.waiting.physical[count] = physical + 0
    this.waiting.length[count] = length + 0
    this.base = virtual + (length === 0 ? 1 : length)
    this.nextStart = 0
    this.limit = 0
    if (count === 7) this.encodeEight()
  }

  /** The bindings of the dense cell in the making wait for a cell of another kind. */
  private giveUpDense(): void {
    const { base, i32, place, u16, waiting } = this
    const count = this.at & 7
    const first = this.at - count
    let placed = 0
    for (let i = 0; i < count; i++) {
      const end = u16[(first << 1) - 1 - i]
      waiting.virtual[i] = base + i32[first + i]
      waiting.physical[i] = place + placed
      waiting.length[i] = end - placed
      placed = end
    }
    this.waitingCount = count
    this.at = first
    this.base = this.end
    this.nextStart = 0
    this.limit = 0
  }

  /** Encodes a cell of the eight that wait; those it has no room for may begin a dense one. */
  private encodeEight(): void {
    const { length, physical, virtual } = this.waiting
    let from = encodeCell(this, this.cells, this.waiting, 0, 8)
    this.at += 16
    this.completeBindings += from
    this.index()
    this.waitingCount = 0
    this.limit = this.room
    if (from < 8) this.base = virtual[from]
    // Fewer wait than were taken out, so that none is overwritten before its turn.
    for (; from < 8; from++) this.put(virtual[from], physical[from], length[from])
  }

  private index(): void {
    this.segments.add(this.f64, this.indexed, this.cells)
    this.indexed = this.cells
  }

  private reserve(bytes: number): void {
    if (bytes <= this.bytes.length && !this.shared) return
    const grown = new Uint8Array(grownBytes(this.bytes.length, bytes))
    // The complete cells, and the one in the making.
    grown.set(this.bytes.subarray(0, offmapHeaderBytes + (this.cells + 1) * cellBytes))
    const { f64, i32, u16 } = cellViews(grown.subarray(offmapHeaderBytes))
    this.bytes = grown
    this.f64 = f64
    this.i32 = i32
    this.u16 = u16
    this.shared = false
    this.limit = this.waitingCount > 0 ? 0 : this.room
  }

  /** The image of everything added so far. More can be added afterwards; the image does not change. */
  finish(): OffmapImage {
    if ((this.at & 7) !== 0) this.giveUpDense()
    this.index()
    const complete = this.at
    const segments = this.segments.fork()
    try {
      this.reserve(offmapHeaderBytes + (this.cells + this.waitingCount + 1) * cellBytes)
      for (let from = 0; from < this.waitingCount; this.at += 16) {
        from += encodeCell(this, this.cells, this.waiting, from, this.waitingCount)
      }
      segments.add(this.f64, this.indexed, this.cells)
      const image = this.assemble(segments)
      this.shared = true
      return image
    } finally {
      // What waited goes on waiting, so that more can be added: also when the limit was met.
      this.at = complete
      this.limit = this.shared || this.waitingCount > 0 ? 0 : this.room
    }
  }

  private assemble(segments: SegmentWriter): OffmapImage {
    const { cells } = this
    const first = cells === 0 ? 0 : this.f64[0]
    const last = cells === 0 ? 0 : this.end - 1
    const index = segments.finish({ first, last })
    const header = {
      bindings: this.size,
      cells,
      segments: index.segmentCount,
      buckets: index.radix.length - 1,
      bucketShift: index.bucketShift,
      first,
      last,
      indexCrc: 0
    }
    const layout = offmapLayout(header)
    // What opens an image refuses one of the limit or more.
    if (layout.imageBytes >= maxImageBytes) {
      throw new MemoryLimit({ limit: maxImageBytes, wanted: layout.imageBytes })
    }
    this.reserve(layout.imageBytes)
    encodeSentinel(this, cells)
    const image = this.bytes.subarray(0, layout.imageBytes)
    image.set(encodeOffmapHeader(header))
    image.fill(0, layout.pageSums)
    image.set(index.segments, layout.segments)
    image.set(new Uint8Array(index.radix.buffer, 0, index.radix.byteLength), layout.radix)
    return { image, header }
  }

  /** Calls `f` with every binding, ascending. */
  forEach(f: (virtual: number, physical: number, length: number) => void): void {
    if ((this.at & 7) !== 0) this.giveUpDense()
    for (let cell = 0; cell < this.cells; cell++) {
      const count = cellCount(this, cell)
      for (let index = 0; index < count; index++) {
        const binding = bindingAt(this, cell, index)
        f(binding.virtual, binding.physical, binding.length)
      }
    }
    const { length, physical, virtual } = this.waiting
    for (let i = 0; i < this.waitingCount; i++) f(virtual[i], physical[i], length[i])
  }
}
