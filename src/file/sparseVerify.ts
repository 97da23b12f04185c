/**
 * Verifying a sparse file: the whole map, and every block of data against its checksum.
 */
import * as Effect from "effect/Effect"
import { Corrupt } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import { Io } from "../io/Io.ts"
import type { OffmapSearch } from "./offmapSearch.ts"
import { forEachPiece } from "./filePieces.ts"
import { loadSums, type OpenedSparseFile, openSparseFile, type SparseOpenError } from "./sparseOpening.ts"
import { sparsePaths } from "./sparsePaths.ts"

export interface SparseVerifyProgress {
  /** Bytes of data verified so far. */
  readonly bytes: number
  /** Bytes of data in all. */
  readonly total: number
}

export interface SparseVerifyOptions {
  /** Told after every piece of some megabytes. */
  readonly onProgress?: (progress: SparseVerifyProgress) => void
}

/** What was found whole. */
export interface SparseVerified {
  /** Extents in the map, points not counted. */
  readonly extents: number
  /** Bytes of data. */
  readonly bytes: number
  /** Blocks of data. */
  readonly blocks: number
}

/**
 * Checks all of the sparse file at `path`: every page of the map, that every extent lies within the
 * data, and every block of data. Fails with the first `Corrupt` it meets.
 */
export const verifySparseFile = Effect.fn("SparseFile.verify")(function* (
  path: string,
  options: SparseVerifyOptions = {}
): Effect.fn.Return<SparseVerified, SparseOpenError, Io> {
  const io = yield* Io
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* openSparseFile(io, sparsePaths(path))
      const extents = yield* attempt<number, Corrupt>(() => checkMap(opened))
      yield* checkBlocks(opened, options.onProgress)
      return { extents, bytes: opened.dataLength, blocks: opened.sums.blocks }
    })
  )
})

/** Verifies all pages of the map, and that every extent lies within the data; gives their number. Throws. */
export const checkMap = ({ dataLength, map, mapFile }: OpenedSparseFile): number => {
  map.verifyAll()
  return countExtents(map, dataLength, mapFile.path)
}

const countExtents = (map: OffmapSearch, dataLength: number, path: string): number => {
  let extents = 0
  for (const { length, physical, virtual } of map.entries()) {
    if (length === 0) continue
    extents++
    if (physical + length > dataLength) {
      const reason = `the binding of ${length} bytes at ${virtual} reaches beyond the data`
      throw new Corrupt({ path, offset: 0, reason })
    }
  }
  return extents
}

const checkBlocks = (opened: OpenedSparseFile, onProgress: SparseVerifyOptions["onProgress"]) =>
  Effect.gen(function* () {
    const { data, dataLength: total } = opened
    const sums = yield* loadSums(opened)
    yield* forEachPiece(data, { length: total, sums }, (piece, at) =>
      Effect.sync(() => onProgress?.({ bytes: at + piece.length, total }))
    )
  }).pipe(Effect.catchTag("Closed", Effect.die))
