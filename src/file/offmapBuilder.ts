/**
 * Building an offmap: bindings go in, in any order, and an image comes out.
 *
 * While bindings ascend they are encoded at once, eight to a cell, into a buffer that is the image in
 * the making: 8 bytes a binding and nothing besides. Those that come out of order wait in a pile of
 * 24 bytes each, and are sorted and merged in when the map is built.
 *
 * The buffer grows sixteenfold. What has not been written to is not backed by memory, so that the
 * growth costs address space, not memory.
 */
import { InvalidArgument, MemoryLimit } from "../bytes/errors.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { sortedOrder } from "../bytes/sortedOrder.ts"
import {
  bindingAt,
  cellBytes,
  cellCount,
  cellViews,
  encodeCell,
  encodeFullDense,
  encodeSentinel
} from "../format/offmapCell.ts"
import type { CellViews, PendingBindings } from "../format/offmapCell.ts"
import { SegmentWriter } from "../format/offmapIndex.ts"
import { encodeOffmapHeader, maxImageBytes, offmapHeaderBytes, offmapLayout } from "../format/offmapImage.ts"
import { OffmapTable } from "./offmapTable.ts"

const initialBytes = 1 << 16
/** Where a map that was built, and not read, says it comes from. */
export const builtPath = "(a map in memory)"

export class OffmapBuilder {
  #ascending = new CellWriter()
  #pile = new BindingPile()
  #size = 0

  /** The number of bindings added. */
  get size(): number {
    return this.#size
  }

  /**
   * Binds `length` bytes at `virtual` to the bytes at `physical`; without a length, the offset
   * itself alone (a point). Throws `InvalidArgument` on what is no offset, and on overlaps and
   * duplicates: of ascending bindings at once, of others when the map is built. `MemoryLimit` is
   * thrown beyond some 250 million bindings. Costs about 15 ns while bindings ascend.
   */
  add(virtual: VirtualOffset, physical: PhysicalOffset, length = 0): void {
    if (!isBinding(virtual, physical, length)) throw invalidBinding(virtual, physical, length)
    const ascending = this.#ascending
    if (virtual >= ascending.end) ascending.add(virtual, physical, length)
    else if (virtual >= ascending.lastStart) throw overlap(virtual, ascending.lastStart)
    else this.#pile.add(virtual, physical, length)
    this.#size++
  }

  /** The map of everything added so far. More can be added afterwards; the map does not change. */
  build(): OffmapTable {
    if (this.#pile.count > 0) {
      this.#ascending = merge(this.#ascending, this.#pile)
      this.#pile = new BindingPile()
    }
    return this.#ascending.build(this.#size)
  }
}

/** Bindings that are encoded at a time: the loop over them is where building spends its time. */
const pendingBindings = 512

/** Encodes ascending bindings into cells, behind room for a header. */
class CellWriter {
  /** Where the last binding begins, and where the next one may: a point ends one past its offset. */
  lastStart = -1
  end = 0
  #bytes = new Uint8Array(initialBytes)
  #views: CellViews = cellViews(this.#bytes.subarray(offmapHeaderBytes))
  #cells = 0
  #segments = new SegmentWriter()
  readonly #virtual = new Float64Array(pendingBindings)
  readonly #physical = new Float64Array(pendingBindings)
  readonly #length = new Float64Array(pendingBindings)
  readonly #pending: PendingBindings = {
    virtual: this.#virtual,
    physical: this.#physical,
    length: this.#length
  }
  #pendingCount = 0
  /** Whether a map was built over the buffer, whose tail it now owns. */
  #shared = false

  add(virtual: number, physical: number, length: number): void {
    if (this.#pendingCount === pendingBindings) this.#encodeFull()
    const at = this.#pendingCount++
    this.#virtual[at] = virtual
    this.#physical[at] = physical
    this.#length[at] = length
    this.lastStart = virtual
    this.end = virtual + (length === 0 ? 1 : length)
  }

  /** Encodes what waits, but for fewer than eight that the next ones may share a cell with. */
  #encodeFull(): void {
    const encoded = this.#encode(this.#segments, 8)
    this.#virtual.copyWithin(0, encoded, this.#pendingCount)
    this.#physical.copyWithin(0, encoded, this.#pendingCount)
    this.#length.copyWithin(0, encoded, this.#pendingCount)
    this.#pendingCount -= encoded
  }

  /** Encodes while at least `atLeast` bindings wait, and gives the number of those encoded. */
  #encode(segments: SegmentWriter, atLeast: number): number {
    const count = this.#pendingCount
    this.#reserve(offmapHeaderBytes + (this.#cells + count) * cellBytes)
    const views = this.#views
    const firstCell = this.#cells
    let cell = firstCell
    let from = 0
    while (count - from >= atLeast) {
      const left = encodeFullDense(views, cell, this.#pending, from, count)
      cell += (left - from) / 8
      from = left
      if (count - from >= atLeast) from += encodeCell(views, cell++, this.#pending, from, count)
    }
    segments.add(views.f64, firstCell, cell)
    this.#cells = cell
    return from
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length && !this.#shared) return
    if (bytes > maxImageBytes) throw new MemoryLimit({ limit: maxImageBytes, wanted: bytes })
    let size = this.#bytes.length
    while (size < bytes) size = size < 2 ** 28 ? size * 16 : size * 2
    const grown = new Uint8Array(Math.min(size, maxImageBytes))
    grown.set(this.#bytes.subarray(0, offmapHeaderBytes + this.#cells * cellBytes))
    this.#bytes = grown
    this.#views = cellViews(grown.subarray(offmapHeaderBytes))
    this.#shared = false
  }

  /** What waits is encoded for the map, and goes on waiting, so that more can be added. */
  build(bindings: number): OffmapTable {
    const full = this.#cells
    const segments = this.#segments.fork()
    try {
      this.#encode(segments, 1)
      return this.#finish(bindings, segments)
    } finally {
      // Also when the limit was met: what waits would be encoded twice.
      this.#cells = full
      this.#shared = true
    }
  }

  #finish(bindings: number, segments: SegmentWriter): OffmapTable {
    const cells = this.#cells
    const first = cells === 0 ? 0 : this.#views.f64[0]
    const last = cells === 0 ? 0 : this.end - 1
    const index = segments.finish({ first, last })
    const header = {
      bindings,
      cells,
      segments: index.segmentCount,
      buckets: index.radix.length - 1,
      bucketShift: index.bucketShift,
      first,
      last,
      indexCrc: 0
    }
    const layout = offmapLayout(header)
    this.#reserve(layout.imageBytes)
    encodeSentinel(this.#views, cells)
    const image = this.#bytes.subarray(0, layout.imageBytes)
    image.set(encodeOffmapHeader(header))
    image.fill(0, layout.pageSums)
    image.set(index.segments, layout.segments)
    image.set(new Uint8Array(index.radix.buffer, 0, index.radix.byteLength), layout.radix)
    return new OffmapTable(image, header, { path: builtPath, offset: 0 }, true)
  }

  /** Calls `f` with every binding, ascending. */
  forEach(f: (virtual: number, physical: number, length: number) => void): void {
    for (let cell = 0; cell < this.#cells; cell++) {
      const count = cellCount(this.#views, cell)
      for (let index = 0; index < count; index++) {
        const binding = bindingAt(this.#views, cell, index)
        f(binding.virtual, binding.physical, binding.length)
      }
    }
    for (let i = 0; i < this.#pendingCount; i++) {
      f(this.#virtual[i], this.#physical[i], this.#length[i])
    }
  }
}

/** Bindings in the order in which they came. */
class BindingPile {
  count = 0
  #columns = [new Float64Array(64), new Float64Array(64), new Float64Array(64)]

  add(virtual: number, physical: number, length: number): void {
    if (this.count === this.#columns[0].length) {
      this.#columns = this.#columns.map((column) => {
        const grown = new Float64Array(column.length * 2)
        grown.set(column)
        return grown
      })
    }
    this.#columns[0][this.count] = virtual
    this.#columns[1][this.count] = physical
    this.#columns[2][this.count] = length
    this.count++
  }

  /** The three columns, ordered by virtual offset through `order`. */
  sorted(): { order: Uint32Array; virtual: Float64Array; physical: Float64Array; length: Float64Array } {
    const [virtual, physical, length] = this.#columns
    return { order: sortedOrder(virtual.subarray(0, this.count)), virtual, physical, length }
  }
}

const merge = (ascending: CellWriter, pile: BindingPile): CellWriter => {
  const merged = new CellWriter()
  const add = (virtual: number, physical: number, length: number) => {
    if (virtual < merged.end) throw overlap(virtual, merged.lastStart)
    merged.add(virtual, physical, length)
  }
  const { length, order, physical, virtual } = pile.sorted()
  let next = 0
  const addPileBelow = (limit: number) => {
    for (; next < order.length && virtual[order[next]] < limit; next++) {
      add(virtual[order[next]], physical[order[next]], length[order[next]])
    }
  }
  ascending.forEach((v, p, l) => {
    addPileBelow(v)
    add(v, p, l)
  })
  addPileBelow(Infinity)
  return merged
}

/** Whether both ranges are integers and end at most at 2^53-1. Written out: it runs for every binding. */
const isBinding = (virtual: number, physical: number, length: number): boolean =>
  virtual >= 0 &&
  physical >= 0 &&
  length >= 0 &&
  virtual + length <= Number.MAX_SAFE_INTEGER &&
  physical + length <= Number.MAX_SAFE_INTEGER &&
  Math.floor(virtual) === virtual &&
  Math.floor(physical) === physical &&
  Math.floor(length) === length

const invalidBinding = (virtual: number, physical: number, length: number): InvalidArgument =>
  new InvalidArgument({
    operation: "Offmap.add",
    reason: `can't bind ${length} bytes at ${virtual} to ${physical}: offsets and lengths are integers, and ends at most 2^53-1`
  })

const overlap = (virtual: number, other: number): InvalidArgument =>
  new InvalidArgument({
    operation: "Offmap.add",
    reason: `the binding at ${virtual} overlaps the one at ${other}`
  })
