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
  indexOf,
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
  const from = Math.max(virtual, search.first)
  const begin = search.cellOf(from)
  for (let cell = begin; cell < search.cells; cell++) {
    const place = cell < begin + nearCells ? search.at(cell) : search.atAhead(cell)
    if ((search.i32[place * 16 + headWord] & 0xff) === cellKind.points) continue
    const count = cellCount(search, place)
    for (let index = cell === begin ? indexOf(search, place, from) : 0; index < count; index++) {
      const start = startAt(search, place, index)
      const length = lengthAt(search, place, index)
      if (length > 0 && virtual < start + length) return Math.max(virtual, start)
    }
  }
  return undefined
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
