/**
 * Cells: the 64-byte lines that an offmap is made of, each a cache line that holds a whole answer.
 *
 * A cell binds up to eight extents, in ascending virtual order and free of overlaps. Its head says
 * which of six kinds it is: `dense`, the common one, fits eight short extents that lie back to back
 * in physical space, and the others take over where offsets are too far apart, extents too long or
 * physical order arbitrary. FORMAT.md has the diagrams. `encodeCell` takes whichever kind packs most.
 *
 * Relative virtual offsets stay below 2^31, so that comparing them is integer arithmetic.
 * A binding of length 0 is a point: it answers at its exact offset alone.
 */
import type { Binding } from "../bytes/extent.ts"

export const cellBytes = 64
/** Cells whose bytes share a checksum: a page of 4 KiB. */
export const cellsPerPage = 64

/** The kinds of cell, as the low byte of the head says. A dense cell's head is 0 altogether. */
export const cellKind = { dense: 0, long: 1, scattered: 2, far: 3, huge: 4, points: 5 } as const

/** How many bindings each kind holds at most, by its number. */
export const cellCapacity = [8, 6, 4, 3, 2, 6] as const

/** An unused start of a dense cell; starts in use are smaller. */
export const unusedStart = 0x7fffffff
/** Where the last extent of a cell may end, relative to the cell's base. */
export const maxRelativeEnd = 0x7ffffffe
/** How many bytes a dense cell's bindings may have together. */
export const maxDenseEnd = 0xffff

/** Typed views of the same cells; all offsets into them are in their own elements. */
export interface CellViews {
  readonly f64: Float64Array
  readonly i32: Int32Array
  readonly u16: Uint16Array
}

/** Views of `bytes`, which must start at a multiple of eight. */
export const cellViews = (bytes: Uint8Array): CellViews => ({
  f64: new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 3),
  i32: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2),
  u16: new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 1)
})

// Where the fields lie, in 32-bit words of a cell. Ends of a dense cell run backwards from the head
// and starts forwards, so that the element before the first of either is the head: zero.
export const headWord = 8
export const firstWords = 4

/** A word of the block of up to six 32-bit fields in kinds that have one: 4 to 7, then 14 and 15. */
export const fieldWord = (index: number): number => (index < 4 ? firstWords + index : 10 + index)

const kindOf = (cells: CellViews, cell: number): number => cells.i32[cell * 16 + headWord] & 0xff

/** How many bindings the cell holds. */
export const cellCount = (cells: CellViews, cell: number): number => {
  const word = cell * 16 + headWord
  if (cells.i32[word] !== 0) return cells.i32[word] >>> 8
  let count = 1
  while (count < 8 && cells.i32[word + count] !== unusedStart) count++
  return count
}

/** The virtual offset of the cell's binding `index`. */
export const startAt = (cells: CellViews, cell: number, index: number): number => {
  if (index === 0) return cells.f64[cell * 8]
  if (kindOf(cells, cell) === cellKind.huge) return cells.f64[cell * 8 + 5]
  return cells.f64[cell * 8] + cells.i32[cell * 16 + headWord + index]
}

/** The length of the cell's binding `index`, 0 for a point. */
export const lengthAt = (cells: CellViews, cell: number, index: number): number => {
  const word = cell * 16
  switch (kindOf(cells, cell)) {
    case cellKind.dense: {
      const end = cell * 32 + 15
      return cells.u16[end - index] - cells.u16[end + 1 - index]
    }
    case cellKind.long:
      return cells.i32[word + fieldWord(index)] - (index === 0 ? 0 : cells.i32[word + fieldWord(index - 1)])
    case cellKind.scattered:
    case cellKind.far:
      return cells.i32[word + firstWords + index]
    case cellKind.huge:
      return cells.f64[cell * 8 + (index === 0 ? 2 : 7)]
    default:
      return 0
  }
}

/** The physical offset of the cell's binding `index`. */
export const physicalAt = (cells: CellViews, cell: number, index: number): number => {
  const word = cell * 16
  const base = cells.f64[cell * 8 + 1]
  switch (kindOf(cells, cell)) {
    case cellKind.dense:
      return base + cells.u16[cell * 32 + 16 - index]
    case cellKind.long:
      return base + (index === 0 ? 0 : cells.i32[word + fieldWord(index - 1)])
    case cellKind.scattered:
      return base + (cells.i32[word + 12 + index] >>> 0)
    case cellKind.far:
      return index === 0 ? base : cells.f64[cell * 8 + 5 + index]
    case cellKind.huge:
      return index === 0 ? base : cells.f64[cell * 8 + 6]
    default:
      return base + (cells.i32[word + fieldWord(index)] >>> 0)
  }
}

/** The cell's binding `index`. */
export const bindingAt = (cells: CellViews, cell: number, index: number): Binding => ({
  virtual: startAt(cells, cell, index),
  physical: physicalAt(cells, cell, index),
  length: lengthAt(cells, cell, index)
})

/** The last binding of the cell that starts at or before `virtual`, which is at or after its base. */
export const indexOf = (cells: CellViews, cell: number, virtual: number): number => {
  let index = cellCount(cells, cell) - 1
  while (index > 0 && startAt(cells, cell, index) > virtual) index--
  return index
}

/** Whether binding `index` of the cell covers `virtual`. */
export const covers = (cells: CellViews, cell: number, index: number, virtual: number): boolean => {
  const distance = virtual - startAt(cells, cell, index)
  const length = lengthAt(cells, cell, index)
  return length === 0 ? distance === 0 : distance >= 0 && distance < length
}

/**
 * What is wrong with a cell, or undefined: its head names a kind and a count that fits, its bindings
 * ascend without overlap and stay within 2^53-1. `end` is where the binding before the cell ends.
 */
export const cellFault = (cells: CellViews, cell: number, end: number): string | undefined => {
  const head = cells.i32[cell * 16 + headWord]
  const kind = head & 0xff
  const count = cellCount(cells, cell)
  if (kind > cellKind.points || (kind === cellKind.dense && head !== 0)) return `unknown head ${head}`
  if (count < 1 || count > cellCapacity[kind]) return `${count} bindings in a cell of kind ${kind}`
  if (kind === cellKind.dense) {
    // A lookup counts starts wherever they stand.
    for (let index = count; index < 8; index++) {
      if (cells.i32[cell * 16 + headWord + index] !== unusedStart) return "a start behind an unused one"
    }
  }
  const base = cells.f64[cell * 8]
  for (let index = 0; index < count; index++) {
    const virtual = startAt(cells, cell, index)
    const length = lengthAt(cells, cell, index)
    const physical = physicalAt(cells, cell, index)
    if (!(virtual >= end)) return `the binding at ${virtual} overlaps the one before it`
    // The length itself too: a sum of large numbers rounds a fraction away.
    const whole = Number.isSafeInteger(length) && Number.isSafeInteger(virtual)
    if (!whole || length < 0 || !Number.isSafeInteger(virtual + length)) {
      return `a binding at ${virtual} of ${length} bytes`
    }
    if (kind !== cellKind.huge && virtual - base + length > maxRelativeEnd) {
      return `a binding that ends ${virtual - base + length} bytes from its cell's base`
    }
    if (!(physical >= 0) || !Number.isSafeInteger(physical + length) || !Number.isSafeInteger(physical)) {
      return `a binding to ${physical} of ${length} bytes`
    }
    end = Math.max(virtual + length, virtual + 1)
  }
  return undefined
}
