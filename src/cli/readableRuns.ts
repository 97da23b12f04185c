/**
 * The runs of bytes that a sparse file or a store can give: where they end, and what they hold.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Extent } from "../bytes/extent.ts"
import type { Offmap } from "../file/Offmap.ts"
import { attempt } from "../io/attempt.ts"
import { openSparse } from "./sparseInput.ts"
import { openStore } from "./storeInput.ts"

/** What is read at once, at most. */
export const pieceBytes = 1 << 18

/** What goes wrong is told to whoever called the program, whatever it is. */
export interface ReadableRuns {
  /** What errors call it. */
  readonly name: string
  /** Where the run that covers `offset` ends, `limit` at most; `offset` where there is none. */
  readonly endOf: (offset: number, limit: number) => Effect.Effect<number, unknown>
  /** Fails where there is not so much at `offset`, and says what is there instead. */
  readonly check: (offset: number, bytes: 0 | 1) => Effect.Effect<unknown, unknown>
  /** The bytes from `offset` to before `end`, which lies behind it, or what is there instead, as an error. */
  readonly bytes: (offset: number, end: number) => Stream.Stream<Uint8Array, unknown>
}

/** Gives the `length` bytes at `offset`, all or none. */
type ReadPiece = (offset: number, length: number) => Effect.Effect<Uint8Array, unknown>

/** What reads pieces reads runs: so many at once. */
export const byPieces = (read: ReadPiece, concurrency: number): Pick<ReadableRuns, "bytes" | "check"> => ({
  check: read,
  bytes: (offset, end) =>
    Stream.range(0, Math.ceil((end - offset) / pieceBytes) - 1).pipe(
      Stream.map((piece) => offset + piece * pieceBytes),
      Stream.mapEffect((at) => read(at, Math.min(pieceBytes, end - at)), { concurrency })
    )
})

export const sparseRuns = (path: string) =>
  Effect.map(openSparse(path), (reader): ReadableRuns => ({
    name: path,
    endOf: (offset, limit) => attempt(() => endOfBindings(reader.offmap, offset, limit)),
    ...byPieces((offset, length) => reader.readRange(offset, { minLength: length, maxLength: length }), 1)
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
    name: directory,
    endOf: (offset, limit) => {
      // What one read gives is all there or none of it, and need not be looked for before.
      if (limit - offset <= pieceBytes) return Effect.succeed(limit)
      if (offset >= store.stats().suffixStart) {
        return Effect.succeed(Math.max(offset, Math.min(limit, store.committedEnd())))
      }
      return attempt(() => endOfExtents(store.extents(), offset, limit))
    },
    ...byPieces(store.read, 1)
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
