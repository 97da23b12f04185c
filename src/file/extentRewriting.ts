/**
 * Making what the record says durable, and writing it anew when most of it is past.
 *
 * The new record is whole and durable before it gets the name, and the name is durable before anything more
 * is written or destroyed: whichever of the two is found after a crash, it is right.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type Closed, IoFailed, type NoSpace, Poisoned } from "../bytes/errors.ts"
import { extentEntryBytes } from "../format/extentRecord.ts"
import { attempt } from "../io/attempt.ts"
import { directoryOf } from "../io/directoryOf.ts"
import type { IoFile, IoService } from "../io/Io.ts"
import { durable, type ExtentIndex } from "./extentIndex.ts"
import { type JournalEnd, type RecordSteps, writeRecord } from "./extentJournal.ts"
import type { ExtentPaths } from "./extentPaths.ts"
import type { ExtentState } from "./extentState.ts"

export type ExtentSyncError = Closed | IoFailed | NoSpace | Poisoned

/** A record below this size is never written anew for being large. */
const smallRecordBytes = 1 << 20
/** How many times as large as it need be a record may become. */
const maxGrowth = 3

/** fsync of the record: what it says, before what it speaks of is destroyed or acknowledged. */
export const syncRecord = (state: ExtentState): Effect.Effect<void, ExtentSyncError> =>
  state.journal.sync.pipe(
    Effect.tapError((cause) => Effect.sync(() => state.setPoison(cause))),
    Effect.catchTag("RoNotAllowed", Effect.die)
  )

/** `syncRecord`, of a record that has more than a tidy mark: the data may be changed from here on. */
export const syncChanges = (state: ExtentState): Effect.Effect<void, ExtentSyncError> =>
  Effect.map(syncRecord(state), () => {
    state.recordReady = true
  })

/**
 * Comes before every change that is made in turn: a record that lacks something, or is large, is written anew.
 *
 * Before the first change since an opening, the record says that the file is in use. As long as it isn't
 * `recordReady` whoever changes the data makes that durable first: so whoever opens it after a crash knows to look
 * for bytes that the record doesn't tell of. What was given up as damaged is made durable with it: its bytes look
 * free, and the durable record would still vouch for them.
 */
export const beginChanges = (state: ExtentState): Effect.Effect<void, ExtentSyncError> =>
  Effect.gen(function* () {
    if (state.recordBehind) yield* rewrite(state)
    else yield* compactWhenLarge(state)
    if (state.recordReady) return
    // An empty frame will do.
    yield* attempt<void, ExtentSyncError>(() => state.journal.commit())
  })

/** Whether most of the record is past. */
export const isLarge = ({ index, journal }: ExtentState): boolean =>
  journal.end > smallRecordBytes &&
  journal.end > maxGrowth * extentEntryBytes * (index.extents.count + index.pieces.count) &&
  journal.end > 2 * journal.failedAt

/** What a record says that has nothing but the present. */
const present = (index: ExtentIndex): RecordSteps =>
  function* (frame) {
    if (index.pinned !== undefined) {
      frame.pin(index.pinned.length, index.pinned.identity)
      yield "frame"
    }
    yield* presentPieces(index, true, frame)
    yield* presentExtents(index, frame)
    // Only durable pieces so far. It is written for a file that is in use, so it is not tidy.
    frame.mark(false)
    yield "entry"
    yield* presentPieces(index, false, frame)
  }

function* presentPieces(
  { extents, pieces }: ExtentIndex,
  areDurable: boolean,
  frame: Parameters<RecordSteps>[0]
): ReturnType<RecordSteps> {
  for (let at = pieces.first(); at !== -1; at = pieces.next(at)) {
    if (((pieces.flags(at) & durable) !== 0) !== areDurable) continue
    const start = pieces.start(at)
    const length = pieces.length(at)
    const extent = extents.find(start)
    const isExtent = extent !== -1 && extents.length(extent) === length
    if (isExtent) frame.create(start, length, pieces.sum(at))
    else frame.piece(start, length, pieces.sum(at))
    yield "entry"
  }
}

/** The extents that are not one piece. */
function* presentExtents(
  { extents, pieces }: ExtentIndex,
  frame: Parameters<RecordSteps>[0]
): ReturnType<RecordSteps> {
  for (let at = extents.first(); at !== -1; at = extents.next(at)) {
    const start = extents.start(at)
    const length = extents.length(at)
    const piece = pieces.find(start)
    if (piece !== -1 && pieces.length(piece) === length) continue
    frame.extent(start, length)
    yield "entry"
  }
}

/** Makes the record of what `index` has, without the name that makes it count. */
export const makeRecord = (io: IoService, paths: ExtentPaths, index: ExtentIndex, generation: number) =>
  writeRecord(io, paths.recordTmp, generation, present(index))

/** Gives a record that was made its name, durably, and opens it. */
export const adoptRecord = (io: IoService, paths: ExtentPaths) =>
  Effect.gen(function* () {
    yield* io.rename(paths.recordTmp, paths.record)
    // fsync of the directory: from here on nothing brings the older record back.
    yield* io.syncDirectory(directoryOf(paths.record))
    return yield* io.open(paths.record, { readonly: false })
  })

/**
 * Writes the record anew. Where it fails before the new one has the name, nothing has changed; after that
 * nobody knows which one would be found, and nothing more is written.
 */
export const rewrite = (state: ExtentState): Effect.Effect<void, ExtentSyncError> =>
  Effect.gen(function* () {
    const { index, io, journal, paths } = state
    const generation = journal.generation + 1
    const made = yield* makeRecord(io, paths, index, generation).pipe(
      Effect.onError(() => Effect.ignore(io.remove(paths.recordTmp)))
    )
    yield* Effect.onError(moveTo(state, made), (cause) =>
      Effect.sync(() => state.setPoison(Cause.squash(cause)))
    )
    state.recordBehind = false
  }).pipe(Effect.mapError((error) => asSyncError(state, error)))

const moveTo = Effect.fnUntraced(function* (state: ExtentState, made: JournalEnd) {
  const { io, journal, paths } = state
  const own = yield* Scope.fork(state.records)
  const file: IoFile = yield* Scope.provide(adoptRecord(io, paths), own)
  journal.moveTo(file, made)
  state.recordReady = true
  yield* Scope.close(state.recordScope, Exit.void)
  state.recordScope = own
})

/** Errors about the names of our own files have no tags of their own here. */
const asSyncError = (
  { paths }: ExtentState,
  error: { readonly _tag: string } | ExtentSyncError
): ExtentSyncError => {
  switch (error._tag) {
    case "Closed":
    case "IoFailed":
    case "NoSpace":
    case "Poisoned":
      return error as ExtentSyncError
    default:
      return new IoFailed({ syscall: "rename", path: paths.record, code: error._tag, cause: error })
  }
}

/** Writes the record anew where most of it is past. To be without is no failure, unless it may have its name. */
export const compactWhenLarge = (state: ExtentState): Effect.Effect<void, ExtentSyncError> =>
  Effect.suspend(() => {
    if (state.closed || state.poisoned || !isLarge(state)) return Effect.void
    return Effect.catch(rewrite(state), (cause): Effect.Effect<void, ExtentSyncError> => {
      if (state.poisoned) return Effect.fail(new Poisoned({ path: state.paths.data, cause }))
      // It is tried again when the record has doubled.
      state.journal.failedAt = state.journal.end
      return Effect.void
    })
  })
