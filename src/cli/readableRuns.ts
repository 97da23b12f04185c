/**
 * The runs of bytes that a sparse file or a store can give: where they end, and what they hold.
 */
import * as Effect from "effect/Effect"
import type { Extent } from "../bytes/extent.ts"
import type { Offmap } from "../file/Offmap.ts"
import { attempt } from "../io/attempt.ts"
import { openSparse } from "./sparseInput.ts"
import { openStore } from "./storeInput.ts"

/** What is read at once, at most. */
export const pieceBytes = 1 << 18

/** What goes wrong is told to whoever called the program, whatever it is. */
export interface ReadableRuns {
  /** Where the run that covers `offset` ends, `limit` at most; `offset` where there is none. */
  readonly endOf: (offset: number, limit: number) => Effect.Effect<number, unknown>
  /** The `length` bytes at `offset`, or what is there instead, as an error. */
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array, unknown>
}

export const sparseRuns = (path: string) =>
  Effect.map(openSparse(path), (reader): ReadableRuns => ({
    endOf: (offset, limit) => attempt(() => endOfBindings(reader.offmap, offset, limit)),
    read: (offset, length) => reader.readRange(offset, { minLength: length, maxLength: length })
  }))

/** Extents that touch are one run. */
const endOfBindings = (offmap: Offmap["Service"], offset: number, limit: number): number => {
  let end = offset
  while (end < limit) {
    const binding = offmap.locate(end)
    if (binding === undefined || binding.length === 0) break
    end = binding.virtual + binding.length
  }
  return Math.min(end, limit)
}

export const storeRuns = (directory: string) =>
  Effect.map(openStore(directory, { readonly: true }), (store): ReadableRuns => ({
    endOf: (offset, limit) => {
      // What one read gives is all there or none of it, and need not be looked for before.
      if (limit - offset <= pieceBytes) return Effect.succeed(limit)
      if (offset >= store.stats().suffixStart) {
        return Effect.succeed(Math.max(offset, Math.min(limit, store.committedEnd())))
      }
      return attempt(() => endOfExtents(store.extents(), offset, limit))
    },
    read: store.read
  }))

/** As `endOfBindings`, of ascending extents. */
const endOfExtents = (extents: Iterable<Extent>, offset: number, limit: number): number => {
  let end = offset
  for (const extent of extents) {
    if (end >= limit || extent.offset > end) break
    end = Math.max(end, extent.offset + extent.length)
  }
  return Math.min(end, limit)
}
