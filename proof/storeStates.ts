/** What a store contains, in a string: of its model, and of an open one. */
import type { StoreService } from "../src/store/storeService.ts"
import type { StoreModelState } from "../src/testing/models/store.ts"
import { hex } from "./hex.ts"

const shown = (generation: number, end: number, runs: ReadonlyArray<string>): string =>
  `generation ${generation}, end ${end}: ${runs.join(" ")}`

export const stateOf = (state: StoreModelState): string =>
  shown(
    state.generation,
    state.end,
    state
      .extents()
      .map(({ length, offset }) => `${offset}:${hex(state.bytes.slice(offset, offset + length))}`)
  )

/** Extents that touch are one; every byte of each is read. */
export const foundIn = (store: StoreService): string => {
  const runs: Array<{ offset: number; length: number }> = []
  for (const { length, offset } of store.extents()) {
    const last = runs[runs.length - 1]
    if (last !== undefined && last.offset + last.length === offset) last.length += length
    else runs.push({ offset, length })
  }
  const texts = runs.map(({ length, offset }) => {
    const bytes = new Uint8Array(length)
    store.unsafe.readInto(offset, bytes)
    return `${offset}:${hex(bytes)}`
  })
  return shown(store.stats().generation, store.end(), texts)
}
