/**
 * Where in virtual space the live bytes lie, on one screen.
 *
 * A grid of characters, left to right and top to bottom, each the same share of virtual space, as
 * dark as its share of live bytes. Cells and rows are powers of two bytes, so that the offsets
 * along the side are round. Only a cell without any live byte is blank, and only one without any
 * dead byte is full.
 */
import type { Extent } from "../bytes/extent.ts"
import { size } from "./figures.ts"

const maxRows = 16
const shades = ["░", "▒", "▓"]
const blank = " "
const full = "█"

export interface PictureOptions {
  /** The end of virtual space: of the last extent, or of the source. */
  readonly span: number
  /** The terminal's columns. */
  readonly width: number
  readonly marks?: Marks
}

/** Cells that are shown by a character of their own. */
export interface Marks {
  /** The character of the cell from `offset` to `end`; undefined: its shade. */
  readonly of: (offset: number, end: number) => string | undefined
  /** What the characters mean. */
  readonly legend: string
}

/** The lines of the picture of `extents`, which must be ascending, disjoint and end within `span`. */
export const picture = (
  extents: Iterable<Extent>,
  { marks, span, width }: PictureOptions
): ReadonlyArray<string> => {
  if (span === 0) return ["(nothing was kept)"]
  const columns = columnsFor(width)
  const cellBytes = 2 ** Math.max(0, Math.ceil(Math.log2(span / (columns * maxRows))))
  const live = liveBytesOfCells(extents, Math.ceil(span / cellBytes), cellBytes)
  const cells = Array.from(live, (bytes, i) => {
    const offset = i * cellBytes
    const end = Math.min(span, offset + cellBytes)
    return marks?.of(offset, end) ?? shade(bytes, end - offset)
  })
  const labels: Array<string> = []
  for (let cell = 0; cell < cells.length; cell += columns) labels.push(size(cell * cellBytes))
  const labelWidth = Math.max(...labels.map((label) => label.length), size(span).length)
  const rows = labels.map((label, row) => {
    const shown = cells.slice(row * columns, (row + 1) * columns).join("")
    return `${label.padStart(labelWidth)} │${shown.padEnd(columns)}│`
  })
  const edge = `${size(span).padStart(labelWidth)} ╵`
  return [
    ...rows,
    edge,
    `each cell ${size(cellBytes)}: blank nothing kept, ${shades.join("")} some, ${full} all`,
    ...(marks === undefined ? [] : [marks.legend])
  ]
}

/** As many columns, a power of two, as fit beside the labels. */
const columnsFor = (width: number): number =>
  Math.min(128, Math.max(16, 2 ** Math.floor(Math.log2(Math.max(16, width - 14)))))

const liveBytesOfCells = (extents: Iterable<Extent>, cells: number, cellBytes: number): Float64Array => {
  const live = new Float64Array(cells)
  for (const { length, offset } of extents) {
    const end = offset + length
    for (let at = offset; at < end;) {
      const cell = Math.floor(at / cellBytes)
      const next = Math.min(end, (cell + 1) * cellBytes)
      live[cell] += next - at
      at = next
    }
  }
  return live
}

const shade = (live: number, whole: number): string => {
  if (live === 0) return blank
  return live === whole
    ? full
    : shades[Math.min(shades.length - 1, Math.floor((shades.length * live) / whole))]
}
