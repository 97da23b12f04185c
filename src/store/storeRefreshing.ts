/**
 * Reading a store beside its writer: opening a committed state, keeping it, and moving forward.
 *
 * A reader takes no lock. It holds every file of its state open, so that a collection which removes
 * them takes nothing from under a read. Between reading control and opening the last file a
 * collection may finish: where a file has just gone, control is read again.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ControlRecord } from "../format/controlRecord.ts"
import { controlChunks } from "../format/controlRecord.ts"
import type { IoService } from "../io/Io.ts"
import type { Chunk } from "./chunk.ts"
import { readControl } from "./controlFile.ts"
import { closePrefix } from "./prefix.ts"
import { fileGone, type KnownFiles, nothingKnown, openFiles, type OpenFiles } from "./storeOpening.ts"
import type { StorePaths } from "./storePaths.ts"
import { findControl } from "./storeRecovery.ts"
import type { StoreOpenError, StoreRefreshError } from "./storeService.ts"
import type { StoreState } from "./storeState.ts"

/** How many collections may finish while one state is being opened. */
const maxAttempts = 100

export interface OpenCommittedOptions {
  readonly io: IoService
  readonly paths: StorePaths
  readonly verifyReads: boolean
}

/** A committed state, with all its files open. */
export interface Committed {
  readonly record: ControlRecord
  readonly files: OpenFiles
}

export const openForReading = (
  options: OpenCommittedOptions
): Effect.Effect<Committed, StoreOpenError, Scope.Scope> =>
  Effect.andThen(
    findControl(options.io, options.paths, false),
    openCommitted(options, () => nothingKnown)
  )

/** Opens the newest committed state; `known` tells what of a record's files is open already. */
export const openCommitted = (
  { io, paths, verifyReads }: OpenCommittedOptions,
  known: (record: ControlRecord) => KnownFiles
) =>
  Effect.flatMap(readControl(io, paths), ({ record }) =>
    openNewest({ io, paths, verifyReads }, record, known)
  )

/** Opens the state of a record, or of a newer one where files of it have gone. */
const openNewest = (
  { io, paths, verifyReads }: OpenCommittedOptions,
  seen: ControlRecord,
  known: (record: ControlRecord) => KnownFiles
) =>
  Effect.gen(function* () {
    let record = seen
    for (let attempts = 1; ; attempts++) {
      const opened = yield* openFiles({
        io,
        paths,
        record,
        known: known(record),
        writable: false,
        verifyReads
      }).pipe(
        Effect.map((files) => ({ files })),
        Effect.catchTag("NoSuchFile", (missing) => Effect.succeed({ missing }))
      )
      if ("files" in opened) return { record, files: opened.files }
      const { record: newer } = yield* readControl(io, paths)
      if (newer.sequence === record.sequence || attempts === maxAttempts) {
        return yield* fileGone(opened.missing)
      }
      // An older one is what a read that straddles two commits sees: never backwards.
      if (newer.sequence > record.sequence) record = newer
    }
  })

/** Takes a reader's state forward to what is committed now, with files in the given scope. */
export const refreshState = (
  options: OpenCommittedOptions,
  state: StoreState
): Effect.Effect<void, StoreRefreshError, Scope.Scope> =>
  Effect.gen(function* () {
    const { record: newest } = yield* readControl(options.io, options.paths)
    if (newest.sequence <= state.record.sequence) return
    const { files, record } = yield* openNewest(options, newest, (record) => knownTo(state, record))
    const dropped = state.advance(record, files)
    for (const chunk of dropped.chunks.values()) yield* chunk.close
    yield* closePrefix(dropped.prefix)
    yield* state.fix(0)
  }).pipe(Effect.uninterruptible)

/** What is open of the files of a record. */
const knownTo = (state: StoreState, record: ControlRecord): KnownFiles => {
  const chunks = new Map<number, Chunk>()
  for (const [index, { number }] of controlChunks(state.record).entries()) {
    chunks.set(number, state.chunks[index])
  }
  return {
    prefix: record.generation === state.record.generation ? state.prefix : undefined,
    chunks
  }
}
