/**
 * Claiming a path for a new sparse file: the `.tmp` files that become it, and the lock on them.
 *
 * The lock lies on `<path>.tmp`. Whoever holds it owns both `.tmp` names; without it nothing of
 * somebody else's is removed.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { FileExists, Locked, NotAFile } from "../bytes/errors.ts"
import type { CreateError, DirectoryError, IoFile, IoService, LockError, RemoveError } from "../io/Io.ts"
import type { SparsePaths } from "./sparsePaths.ts"

export type SparseClaimError = CreateError | DirectoryError | LockError | RemoveError

/** The open, empty and locked files of a sparse file under construction. */
export interface SparseClaim {
  readonly data: IoFile
  readonly map: IoFile
}

/**
 * Claims `paths`. `FileExists` when a finished or half-promoted sparse file is there; `Locked` when
 * another writer is at work; `NotAFile` when something else than a file has a `.tmp` name. Stale
 * `.tmp` files, which nobody locks, are replaced.
 */
export const claimSparseFile = (
  io: IoService,
  paths: SparsePaths
): Effect.Effect<SparseClaim, SparseClaimError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* refuseExisting(io, paths)
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* isStale(io, paths.dataTmp)
        yield* isStale(io, paths.mapTmp)
        // Holding the lock proves that no writer is left who could want the name. Where nothing can
        // be locked, this says so before anything has been made.
        yield* io.lock(paths.dataTmp)
        yield* io.remove(paths.dataTmp)
      })
    )
    const data = yield* createLocked(io, paths)
    return yield* claimMap(io, paths, data).pipe(
      // The lock is ours: so is the name.
      Effect.onError(() => Effect.ignore(io.remove(paths.dataTmp)))
    )
  })

/** Creates and locks the data file. What it could not lock may be another's, and stays. */
const createLocked = (io: IoService, paths: SparsePaths) =>
  io.create(paths.dataTmp, { overwrite: false }).pipe(
    // Between the look above and now, another writer has taken the name.
    Effect.catchTag("FileExists", () => Effect.fail(new Locked({ path: paths.dataTmp }))),
    Effect.tap(() => io.lock(paths.dataTmp))
  )

const claimMap = (io: IoService, paths: SparsePaths, data: IoFile) =>
  Effect.gen(function* () {
    // Another writer may have finished, and so freed the name of the lock, since the first look.
    yield* refuseExisting(io, paths)
    if (yield* isStale(io, paths.mapTmp)) yield* io.remove(paths.mapTmp)
    const map = yield* io.create(paths.mapTmp, { overwrite: false })
    return { data, map }
  })

const refuseExisting = (io: IoService, paths: SparsePaths) =>
  Effect.gen(function* () {
    for (const path of [paths.data, paths.map]) {
      if ((yield* io.classify(path)) !== "none") return yield* new FileExists({ path })
    }
  })

/** Whether a file has this `.tmp` name. Anything else there is not ours to remove. */
const isStale = (io: IoService, path: string) =>
  Effect.gen(function* () {
    const found = yield* io.classify(path)
    if (found === "directory" || found === "other") return yield* new NotAFile({ path })
    return found === "file"
  })
