/**
 * Walks: what goes through the cells of an offmap in their order, over as many pages as it takes.
 */
import type { Binding } from "../bytes/extent.ts"
import {
  bindingAt,
  cellBytes,
  cellCount,
  cellFault,
  cellKind,
  cellsPerPage,
  headWord,
  lengthAt,
  startAt
} from "../format/offmapCell.ts"
import { indexFault } from "../format/offmapIndex.ts"
import { cellEnd } from "../format/offmapPage.ts"
import type { OffmapSearch } from "./offmapSearch.ts"

/** A walk that has come so far goes on: what lies ahead will be wanted. */
const nearCells = 2 * cellsPerPage

/** All bindings, ascending. */
export function* bindingsOf(search: OffmapSearch): IterableIterator<Binding> {
  for (let cell = 0; cell < search.cells; cell++) {
    const count = cellCount(search, search.atAhead(cell))
    for (let index = 0; index < count; index++) {
      // Asked again each time: whoever has the binding before may have looked up others since.
      yield bindingAt(search, search.at(cell), index)
      search.checkOpen()
    }
  }
}

/** The smallest offset at or after `virtual`, which is not behind the last, that an extent covers. */
export const nextCovered = (search: OffmapSearch, virtual: number): number | undefined => {
  const begin = search.cellOf(Math.max(virtual, search.first))
  return nextCoveredIn(search, virtual, { begin, end: search.cells })
}

/** Cells from `begin` to before `end`. */
export interface CellRange {
  readonly begin: number
  readonly end: number
}

/** From a cell to the end of its page. */
export const pageOfCells = (begin: number, cells: number): CellRange => ({
  begin,
  end: Math.min(cells, (Math.floor(begin / cellsPerPage) + 1) * cellsPerPage)
})

/** As `nextCovered`, within cells of which the first is the last that begins at or before `virtual`, or lies behind it. */
export const nextCoveredIn = (
  search: OffmapSearch,
  virtual: number,
  { begin, end }: CellRange
): number | undefined => {
  for (let cell = begin; cell < end; cell++) {
    const place = cell < begin + nearCells ? search.at(cell) : search.atAhead(cell)
    if ((search.i32[place * 16 + headWord] & 0xff) === cellKind.points) continue
    const count = cellCount(search, place)
    for (let index = 0; index < count; index++) {
      const start = startAt(search, place, index)
      const length = lengthAt(search, place, index)
      if (length > 0 && virtual < start + length) return Math.max(virtual, start)
    }
  }
  return undefined
}

/** The bindings of some cells, ascending. */
export const bindingsIn = (search: OffmapSearch, { begin, end }: CellRange): Array<Binding> => {
  const bindings: Array<Binding> = []
  for (let cell = begin; cell < end; cell++) {
    const place = search.atAhead(cell)
    const count = cellCount(search, place)
    for (let index = 0; index < count; index++) bindings.push(bindingAt(search, place, index))
  }
  return bindings
}

/** Checks the index and every page, that bindings ascend across pages, and that the header counted right. */
export const verifyCells = (search: OffmapSearch): void => {
  const { header, layout } = search
  search.checkOpen()
  const fault = indexFault(search, header)
  if (fault !== undefined) throw search.corrupt(layout.segments, fault)
  let bindings = 0
  let end = 0
  for (let cell = 0; cell < search.cells; cell++) {
    const place = search.atAhead(cell)
    const fault = cellFault(search, place, end)
    if (fault !== undefined) throw search.corrupt(layout.cells + cell * cellBytes, fault)
    bindings += cellCount(search, place)
    end = cellEnd(search, place)
  }
  // The page of the sentinel may be one of its own.
  search.at(search.cells)
  if (bindings !== header.bindings)
    throw search.corrupt(24, `the cells hold ${bindings} bindings, not ${header.bindings} as the header says`)
}
