/**
 * How a store is opened for writing: made when it is not there, put right when something was
 * interrupted, and refused when something is damaged.
 *
 * First everything that control names is found to be there and whole as far as control says. Only
 * then is anything changed: the chosen record goes into the other slot too, and what control does not
 * name is removed. So a store that is damaged stays as it was found.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Corrupt, NoSuchFile } from "../bytes/errors.ts"
import type { ControlRecord } from "../format/controlRecord.ts"
import type { DirectoryError, IoService } from "../io/Io.ts"
import { type ControlFile, createControl, openControl } from "./controlFile.ts"
import { fileGone, nothingKnown, openFiles, type OpenFiles } from "./storeOpening.ts"
import { debrisAmong, impliesControl, type StorePaths } from "./storePaths.ts"
import type { StoreOpenError, StoreRecovery } from "./storeService.ts"

export interface OpenForWritingOptions {
  readonly io: IoService
  readonly paths: StorePaths
  readonly create: boolean
  readonly verifyReads: boolean
}

export interface OpenedForWriting {
  readonly control: ControlFile
  readonly files: OpenFiles
  readonly recovery: StoreRecovery
}

/** A store in which nothing was appended yet. */
const emptyRecord: ControlRecord = {
  sequence: 1,
  generation: 0,
  suffixStart: 0,
  prefixDataBytes: 0,
  prefixMapBytes: 0,
  firstChunk: 0,
  firstChunkOffset: 0,
  chunkLengths: []
}

export const openForWriting = (
  options: OpenForWritingOptions
): Effect.Effect<OpenedForWriting, StoreOpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const { create, io, paths, verifyReads } = options
    if (create && (yield* io.classify(paths.directory)) === "none") {
      // Somebody else may be making the same store: the lock tells who does.
      yield* Effect.catchTag(io.makeDirectory(paths.directory), "FileExists", () => Effect.void)
    }
    // A directory that is no store is left as it is, without a lock file.
    const found = yield* findControl(io, paths, create)
    yield* io.lock(paths.lock)
    // Another writer may have made it since.
    const isNew = !found && !(yield* findControl(io, paths, create))
    if (isNew) yield* createControl(io, paths, emptyRecord)
    const control = yield* openControl(io, paths)
    const { record, slotsWhole } = control
    const files = yield* openFiles({
      io,
      paths,
      record,
      known: nothingKnown,
      writable: true,
      verifyReads
    }).pipe(Effect.catchTag("NoSuchFile", (missing) => Effect.fail(fileGone(missing))))
    yield* control.repair
    if (!isNew && record.sequence === emptyRecord.sequence) {
      // fsync of the directory: the name of control, before anybody is told that there is a store. Whoever
      // made it may have died before; from the first commit on, that has made it durable.
      yield* io.syncDirectory(paths.directory)
    }
    const removed = yield* removeDebris(io, paths, record)
    const { tornTailBytes } = files
    if (tornTailBytes > 0) {
      yield* Effect.logWarning(
        `${paths.directory} has ${tornTailBytes} bytes that no commit made part of it: they are ignored`
      )
    }
    return { control, files, recovery: { tornTailBytes, removed, controlRepaired: !slotsWhole } }
  })

/** Whether control is there. A directory without it is no store, or a damaged one. */
export const findControl = (
  io: IoService,
  paths: StorePaths,
  create: boolean
): Effect.Effect<boolean, Corrupt | DirectoryError> =>
  Effect.gen(function* () {
    if ((yield* io.classify(paths.control)) !== "none") return true
    const orphan = (yield* io.list(paths.directory)).find(impliesControl)
    if (orphan !== undefined) {
      // Another process may have made the store in between; files come after control.
      if ((yield* io.classify(paths.control)) !== "none") return true
      const reason = `control is gone, and ${orphan} is there: without control nobody knows what is in it`
      return yield* new Corrupt({ path: paths.control, offset: 0, reason })
    }
    return create ? false : yield* new NoSuchFile({ path: paths.control })
  })

/** Removes what an interrupted commit, rollback or collection left. Its absence need not be durable. */
const removeDebris = (io: IoService, paths: StorePaths, record: ControlRecord) =>
  Effect.gen(function* () {
    const removed = debrisAmong(yield* io.list(paths.directory), record)
    for (const name of removed) {
      // Somebody who removed it before us has done the same.
      yield* Effect.catchTag(io.remove(`${paths.directory}/${name}`), "NoSuchFile", () => Effect.void)
    }
    return removed
  })
