/**
 * The figures of a store, for people and for programs.
 */
import type { StoreStats } from "../store/storeService.ts"
import { count, counted, exactSize, savings, size } from "./figures.ts"

/** How many chunks are told one by one: the last, since the others look the same. */
const tellChunks = 12

/** The figures, as rows of a name and a value. */
export const statsRows = (stats: StoreStats): ReadonlyArray<readonly [string, string]> => {
  const { chunks, committedEnd, diskBytes, generation, prefix, suffixStart } = stats
  const rows: Array<readonly [string, string]> = [
    ["generation", count(generation) + (generation === 0 ? ": nothing was collected yet" : "")],
    ["committed end", exactSize(committedEnd)]
  ]
  if (prefix !== undefined) {
    const { dataBytes, extents, mapBytes } = prefix
    rows.push([
      "prefix",
      `${counted(extents, "extent")}, ${exactSize(dataBytes)} before ${count(suffixStart)}; map ${size(mapBytes)}`
    ])
  }
  rows.push(["suffix", `${exactSize(committedEnd - suffixStart)} from ${count(suffixStart)} on`])
  const untold = Math.max(0, chunks.length - tellChunks)
  if (untold > 0) rows.push(["chunks", `${counted(untold, "chunk")} before these`])
  chunks.slice(untold).forEach(({ length, number, offset, sealed }, i) => {
    const state = sealed ? "" : ", active"
    rows.push([
      i === 0 && untold === 0 ? "chunks" : "",
      `${number}: ${exactSize(length)} from ${count(offset)} on${state}`
    ])
  })
  rows.push(["disk", exactSize(diskBytes)], ["saved", savings(savedBytes(stats), committedEnd)])
  return rows
}

/** What the store takes less than a file that reaches as far. */
export const savedBytes = ({ committedEnd, diskBytes }: StoreStats): number => committedEnd - diskBytes

/** The figures as JSON has them. */
export const statsJson = ({ prefix, readonly: _readonly, recovery: _recovery, ...figures }: StoreStats) => ({
  ...figures,
  prefix: prefix ?? null
})
