/** What a store has, as text: of the model, and of the store itself. */
import type { StoreService } from "../src/store/storeService.ts"
import type { StoreModelState } from "../src/testing/models/store.ts"
import { hex } from "./hex.ts"

export const stateOf = (state: StoreModelState): string => {
  const runs = state
    .extents()
    .map(({ length, offset }) => `${offset}:${hex(state.bytes.slice(offset, offset + length))}`)
  return `generation ${state.generation}, end ${state.end}: ${runs.join(" ")}`
}

/** Everything that is committed, read. */
export const foundIn = (store: StoreService): string => {
  const runs: Array<string> = []
  for (const { length, offset } of store.extents()) {
    const bytes = new Uint8Array(length)
    store.unsafe.readInto(offset, bytes)
    runs.push(`${offset}:${hex(bytes)}`)
  }
  return `generation ${store.stats().generation}, end ${store.committedEnd()}: ${runs.join(" ")}`
}
