/**
 * Pages of an offmap: what of one can be checked without its neighbours.
 *
 * A page is cells that share a checksum. The views that it is looked at through hold all cells, or
 * some pages of them: `at` is where they hold the page's first.
 */
import { cellBytes, cellCount, cellFault, cellsPerPage, lengthAt, startAt } from "./offmapCell.ts"
import type { CellViews } from "./offmapCell.ts"
import { offmapHeaderBytes } from "./offmapImage.ts"
import type { OffmapHeader } from "./offmapImage.ts"

export interface PageFault {
  /** In the image, in bytes. */
  readonly position: number
  readonly reason: string
}

/** Where a cell's last binding ends; a point takes up its offset. */
export const cellEnd = (cells: CellViews, cell: number): number => {
  const index = cellCount(cells, cell) - 1
  return startAt(cells, cell, index) + Math.max(1, lengthAt(cells, cell, index))
}

/**
 * What is wrong with a page whose checksum is right, or undefined: its cells are cells, its bindings
 * ascend, and the first and the last of all, and the sentinel, are what the header says.
 */
export const pageFault = (
  views: CellViews,
  { at, header, page }: { readonly at: number; readonly header: OffmapHeader; readonly page: number }
): PageFault | undefined => {
  const { cells, first, last } = header
  const fault = (cell: number, reason: string): PageFault => ({
    position: offmapHeaderBytes + cell * cellBytes,
    reason
  })
  const begin = page * cellsPerPage
  const limit = Math.min(begin + cellsPerPage, cells)
  // From a cell's number to its place in the views.
  const shift = at - begin
  let end = 0
  for (let cell = begin; cell < limit; cell++) {
    const reason = cellFault(views, cell + shift, end)
    if (reason !== undefined) return fault(cell, reason)
    end = cellEnd(views, cell + shift)
  }
  if (page === 0 && cells > 0 && views.f64[at * 8] !== first)
    return fault(0, `the bindings begin at ${views.f64[at * 8]}, not at ${first}`)
  if (end > 0 && limit === cells && end - 1 !== last)
    return fault(cells - 1, `the bindings don't end at ${last}`)
  if (begin <= cells && cells < begin + cellsPerPage && views.f64[(cells + shift) * 8] !== Infinity)
    return fault(cells, "the cells have no end")
  return undefined
}
