/**
 * Promotion: how two `.tmp` files become a sparse file, and how an interrupted promotion ends.
 *
 * 1. fsync the data.
 * 2. Write the map and the block sums, and fsync them.
 * 3. fsync the directory.
 * 4. Rename the data to its final name.
 * 5. fsync the directory.
 * 6. Rename the map to its final name.
 * 7. fsync the directory.
 *
 * A crash before step 4 leaves two `.tmp` files: never finished. A crash after it leaves the data
 * under its final name and the map, complete and checksummed, under one of its two names: whoever
 * opens the pair does steps 5 to 7 again. The map never has its final name before the data has, so
 * a pair of final names is always whole.
 */
import * as Effect from "effect/Effect"
import type { IoFailed } from "../bytes/errors.ts"
import { FileExists, InconsistentStore, Incomplete, NoSuchFile, NotAFile } from "../bytes/errors.ts"
import { directoryOf } from "../io/directoryOf.ts"
import type { DirectoryError, IoFile, IoService, OpenError, RenameError, SyncError } from "../io/Io.ts"
import type { OffmapWriteError } from "./Offmap.ts"
import type { SparseClaim } from "./sparseClaim.ts"
import type { SparsePaths } from "./sparsePaths.ts"

export type PromoteError =
  SyncError | OffmapWriteError | OpenError | DirectoryError | RenameError | FileExists | InconsistentStore

export interface Promotion {
  readonly io: IoService
  readonly paths: SparsePaths
  readonly claim: SparseClaim
  readonly dataLength: number
  /** Writes the whole map file, and gives its length. */
  readonly writeMap: (file: IoFile) => Effect.Effect<number, OffmapWriteError>
}

/** Promotes files that were claimed and written. */
export const promoteSparseFile = (promotion: Promotion): Effect.Effect<void, PromoteError> =>
  Effect.gen(function* () {
    const { claim, dataLength, io, paths } = promotion
    // 1. The data is durable before any map that speaks of it, under any name.
    yield* claim.data.sync
    // 2. The map is durable before the data gets the name that makes the pair count.
    const mapLength = yield* promotion.writeMap(claim.map)
    yield* claim.map.sync
    // 3. The `.tmp` names are durable, and whatever else stood under them is gone for good, before the
    // data has the name that makes the map beside it count: it might be one of an earlier attempt.
    yield* io.syncDirectory(directoryOf(paths.data))
    // 4. The names must still stand for what was written, and replace nothing.
    yield* checkName(io, paths.dataTmp, dataLength)
    yield* checkName(io, paths.mapTmp, mapLength)
    yield* checkFree(io, paths.data)
    yield* checkFree(io, paths.map)
    yield* io.rename(paths.dataTmp, paths.data)
    yield* finishSparsePromotion(io, paths)
  })

/**
 * Steps 5 to 7, which may be done any number of times and by several at once: a rename that somebody
 * else has done already is a success.
 */
export const finishSparsePromotion = (
  io: IoService,
  paths: SparsePaths
): Effect.Effect<void, DirectoryError | RenameError | FileExists> =>
  Effect.gen(function* () {
    // 5. The data's name is durable before the map's: no crash leaves a finished map without data.
    yield* io.syncDirectory(directoryOf(paths.data))
    // 6. From here on the pair is open to everybody.
    yield* renameMap(io, paths)
    // 7. The map's name is durable before anybody is told that the file is finished.
    yield* io.syncDirectory(directoryOf(paths.data))
  })

const renameMap = (io: IoService, paths: SparsePaths) =>
  Effect.gen(function* () {
    if ((yield* io.classify(paths.map)) === "none") {
      return yield* io
        .rename(paths.mapTmp, paths.map)
        .pipe(Effect.catchTag("NoSuchFile", (missing) => unlessFinished(io, paths, missing)))
    }
    if ((yield* io.classify(paths.mapTmp)) !== "none") return yield* new FileExists({ path: paths.map })
  })

const unlessFinished = (io: IoService, paths: SparsePaths, missing: NoSuchFile) =>
  Effect.gen(function* () {
    if ((yield* io.classify(paths.map)) === "none") return yield* missing
  })

const checkName = (io: IoService, path: string, endPoff: number) =>
  Effect.gen(function* () {
    const found = yield* io.classify(path)
    if (found === "directory" || found === "other") return yield* new NotAFile({ path })
    const size = found === "none" ? 0 : yield* io.sizeOf(path)
    if (found === "none" || size !== endPoff) return yield* new InconsistentStore({ path, endPoff, size })
  })

const checkFree = (io: IoService, path: string) =>
  Effect.gen(function* () {
    if ((yield* io.classify(path)) !== "none") return yield* new FileExists({ path })
  })

/** What is at a path, as far as names tell. */
export type SparseState =
  | { readonly state: "finished" }
  /** The data has its final name and the map hasn't: a promotion to be finished. */
  | { readonly state: "half" }

/** Looks at the names. `Incomplete` when what they stand for was never finished. */
export const classifySparseFile = (
  io: IoService,
  paths: SparsePaths
): Effect.Effect<SparseState, IoFailed | Incomplete | NoSuchFile | NotAFile> =>
  Effect.gen(function* () {
    const data = yield* io.classify(paths.data)
    if (data === "directory") return yield* new NotAFile({ path: paths.data })
    if (data === "none") return yield* whyNoData(io, paths)
    if ((yield* io.classify(paths.map)) !== "none") return { state: "finished" }
    const mapTmp = yield* io.classify(paths.mapTmp)
    if (mapTmp === "file") return { state: "half" }
    if (mapTmp !== "none") return yield* new NotAFile({ path: paths.mapTmp })
    // Both names were missing, one after the other: somebody may have renamed in between.
    if ((yield* io.classify(paths.map)) !== "none") return { state: "finished" }
    return yield* new Incomplete({ path: paths.data, missing: paths.map })
  })

const whyNoData = (io: IoService, paths: SparsePaths) =>
  Effect.gen(function* () {
    for (const path of [paths.map, paths.dataTmp, paths.mapTmp]) {
      if ((yield* io.classify(path)) !== "none") {
        return yield* new Incomplete({ path: paths.data, missing: paths.data })
      }
    }
    return yield* new NoSuchFile({ path: paths.data })
  })
