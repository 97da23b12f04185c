/**
 * Choosing and writing cells: as many waiting bindings as the best kind for them can hold.
 */
import {
  cellCapacity,
  cellKind,
  fieldWord,
  firstWords,
  headWord,
  maxDenseEnd,
  maxRelativeEnd,
  unusedStart
} from "./offmapCell.ts"
import type { CellViews } from "./offmapCell.ts"

/** Writes the line that ends the cells: its base, infinity, is after every offset. */
export const encodeSentinel = (cells: CellViews, cell: number): void => {
  cells.f64.fill(0, cell * 8, cell * 8 + 8)
  cells.f64[cell * 8] = Number.POSITIVE_INFINITY
}

/** Bindings that wait for a cell, in three parallel arrays. */
export interface PendingBindings {
  readonly virtual: Float64Array
  readonly physical: Float64Array
  readonly length: Float64Array
}

/**
 * Encodes as many of the pending bindings from `from` to `to` as one cell can hold, and gives that
 * number. They ascend and don't overlap; there is at least one.
 */
export const encodeCell = (
  cells: CellViews,
  cell: number,
  pending: PendingBindings,
  from: number,
  to: number
): number => {
  const count = Math.min(8, to - from)
  const dense = encodeDense(cells, cell, pending, from, count)
  return dense === count ? dense : encodeOther(cells, cell, pending, from, count, dense)
}

/** Writes a dense cell of the bindings up to the first that does not fit, and gives their number. */
const encodeDense = (
  cells: CellViews,
  cell: number,
  pending: PendingBindings,
  from: number,
  count: number
): number => {
  const { length, physical, virtual } = pending
  const { f64, i32, u16 } = cells
  const base = virtual[from]
  const place = physical[from]
  const head = cell * 16 + headWord
  const ends = cell * 32 + 15
  let end = 0
  let fits = 0
  for (; fits < count; fits++) {
    const size = length[from + fits]
    const start = virtual[from + fits] - base
    if (physical[from + fits] - place !== end) break
    if (end + size > maxDenseEnd || start + size > maxRelativeEnd) break
    end += size
    u16[ends - fits] = end
    i32[head + fits] = start
  }
  for (let unused = fits; unused < 8; unused++) {
    u16[ends - unused] = 0
    i32[head + unused] = unusedStart
  }
  i32[head] = 0
  f64[cell * 8] = base
  f64[cell * 8 + 1] = place
  return fits
}

/** Takes another kind where that holds more than the `dense` that are encoded. */
const encodeOther = (
  cells: CellViews,
  cell: number,
  all: PendingBindings,
  from: number,
  count: number,
  dense: number
): number => {
  const pending = {
    virtual: all.virtual.subarray(from, from + count),
    physical: all.physical.subarray(from, from + count),
    length: all.length.subarray(from, from + count)
  }
  let best = dense
  let kind: number = cellKind.dense
  for (const other of [cellKind.long, cellKind.points, cellKind.scattered, cellKind.far, cellKind.huge]) {
    const fits = countFitting(other, pending, Math.min(count, cellCapacity[other]))
    if (fits > best) {
      best = fits
      kind = other
    }
  }
  if (kind !== cellKind.dense) encodeAs(kind, cells, cell, pending, best)
  return best
}

const countFitting = (kind: number, pending: PendingBindings, count: number): number => {
  const { length, physical, virtual } = pending
  const base = virtual[0]
  let lowest = Infinity
  let highest = 0
  let end = 0
  for (let i = 0; i < count; i++) {
    lowest = Math.min(lowest, physical[i])
    highest = Math.max(highest, physical[i])
    const relativeEnd = virtual[i] - base + length[i]
    switch (kind) {
      case cellKind.long:
        if (physical[i] - physical[0] !== end || relativeEnd > maxRelativeEnd) return i
        end += length[i] // at most relativeEnd, since nothing overlaps
        break
      case cellKind.points:
        if (length[i] !== 0 || relativeEnd > maxRelativeEnd || highest - lowest > 0xffffffff) return i
        break
      case cellKind.scattered:
        if (relativeEnd > maxRelativeEnd || highest - lowest > 0xffffffff) return i
        break
      case cellKind.far:
        if (relativeEnd > maxRelativeEnd) return i
        break
    }
  }
  return count
}

const encodeAs = (
  kind: number,
  cells: CellViews,
  cell: number,
  pending: PendingBindings,
  count: number
): void => {
  const { length, physical, virtual } = pending
  const { f64, i32 } = cells
  const word = cell * 16
  const double = cell * 8
  const base = virtual[0]
  f64.fill(0, double, double + 8)
  f64[double] = base
  f64[double + 1] = physical[0]
  i32[word + headWord] = kind | (count << 8)
  if (kind !== cellKind.huge) {
    for (let i = 1; i < count; i++) i32[word + headWord + i] = virtual[i] - base
  }
  if (kind === cellKind.scattered || kind === cellKind.points) {
    f64[double + 1] = Math.min(...physical.subarray(0, count))
  }
  const place = f64[double + 1]
  for (let i = 0; i < count; i++) {
    switch (kind) {
      case cellKind.long:
        i32[word + fieldWord(i)] = physical[i] + length[i] - place
        break
      case cellKind.points:
        i32[word + fieldWord(i)] = physical[i] - place
        break
      case cellKind.scattered:
        i32[word + firstWords + i] = length[i]
        i32[word + 12 + i] = physical[i] - place
        break
      case cellKind.far:
        i32[word + firstWords + i] = length[i]
        if (i > 0) f64[double + 5 + i] = physical[i]
        break
      default:
        if (i > 0) {
          f64[double + 5] = virtual[i]
          f64[double + 6] = physical[i]
        }
        f64[double + (i === 0 ? 2 : 7)] = length[i]
    }
  }
}
