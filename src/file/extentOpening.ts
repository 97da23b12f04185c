/**
 * Opening an extent file for writing.
 *
 * Whoever opens holds the lock of the data from before he looks at anything. The record and its name are
 * durable before the first byte of data is written: so data without a record was not written here, and
 * isn't touched.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { Incomplete, NotAFile } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import { directoryOf } from "../io/directoryOf.ts"
import type { IoFile, IoService, WriteError } from "../io/Io.ts"
import type { ExtentFileOpenError } from "./extentFileService.ts"
import { proved, ExtentIndex } from "./extentIndex.ts"
import { ExtentJournal, type JournalEnd } from "./extentJournal.ts"
import { loadRecord } from "./extentLoading.ts"
import { type ExtentPaths, extentPaths } from "./extentPaths.ts"
import { dropBeyond, forgetUncovered, proveFresh } from "./extentRecovery.ts"
import { adoptRecord, makeRecord } from "./extentRewriting.ts"
import { ExtentState } from "./extentState.ts"
import { sweep } from "./extentSweeping.ts"

/** Opens the extent file at `path`, in the scope `own`. */
export const openState = (
  io: IoService,
  path: string,
  own: Scope.Closeable
): Effect.Effect<ExtentState, ExtentFileOpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const paths = extentPaths(path)
    const data = yield* openData(io, paths)
    // Before the finalizer that flushes is added: the record is closed after it, however often it was written anew.
    const records = yield* Scope.fork(own)
    const recordScope = yield* Scope.fork(records)
    const found = yield* io.classify(paths.record)
    if (found !== "file" && found !== "none") return yield* new NotAFile({ path: paths.record })
    if (found === "none" && (yield* data.size) > 0) {
      return yield* new Incomplete({ path, missing: paths.record })
    }
    yield* removeTemporary(io, paths)
    const opened = yield* Scope.provide(
      found === "none" ? createRecord(io, paths) : openRecord(io, paths, data),
      recordScope
    )
    const { forgotten, index, journal, recordReady, tidy } = opened
    const state = new ExtentState({ io, paths, data, index, journal, scope: own, records, recordScope })
    index.newFlags = proved
    state.forgotten = forgotten
    state.recordReady = recordReady
    if (!tidy) yield* sweep(state)
    return state
  }).pipe(
    // The files are ours, and open for writing: these would be bugs.
    Effect.catchTag(["Closed", "InvalidArgument", "Poisoned", "RoNotAllowed"], Effect.die)
  )

const openData = (io: IoService, { data }: ExtentPaths) =>
  Effect.gen(function* () {
    // The lock is on the file that has the name, which it makes where there is none.
    yield* io.lock(data)
    return yield* io.open(data, { readonly: false }).pipe(
      // Where there are no locks, none has made the file.
      Effect.catchTag("NoSuchFile", () => io.create(data, { overwrite: false }))
    )
  })

/** What was left by one that died while it wrote the record anew. */
const removeTemporary = (io: IoService, { recordTmp }: ExtentPaths) =>
  Effect.gen(function* () {
    if ((yield* io.classify(recordTmp)) === "file") {
      yield* Effect.catchTag(io.remove(recordTmp), "NoSuchFile", () => Effect.void)
    }
  })

interface OpenedRecord {
  readonly index: ExtentIndex
  readonly journal: ExtentJournal
  readonly forgotten: number
  /** Whether the record says durably that the file is in use. */
  readonly recordReady: boolean
  /** Whether no byte that nobody holds is in the data. */
  readonly tidy: boolean
}

const createRecord = (io: IoService, paths: ExtentPaths) =>
  Effect.gen(function* () {
    const index = new ExtentIndex()
    const made = yield* makeRecord(io, paths, index, 0)
    // Its name is durable, and that of the data in the same directory, before anything is written there.
    const file = yield* adoptRecord(io, paths)
    const journal = new ExtentJournal(file, made)
    const opened: OpenedRecord = { index, journal, forgotten: 0, recordReady: true, tidy: true }
    return opened
  })

const openRecord = (io: IoService, paths: ExtentPaths, data: IoFile) =>
  Effect.gen(function* () {
    const file = yield* io.open(paths.record, { readonly: false })
    const { end, index, marked, syncedEnd, tidy } = yield* loadRecord(file)
    const short = dropBeyond(index, yield* data.size)
    if (marked && !short) {
      const journal = new ExtentJournal(file, end)
      // fsync of the directory: whoever gave the record its name may have died before, and without the name, or with
      // that of an older record, nothing that is said in this one counts.
      yield* io.syncDirectory(directoryOf(paths.record))
      // No fsync: what says that durable bytes are gone was synced before it was followed by a mark, and all else
      // that comes back or is lost is proved by its checksums. The next flush finds that the record is not synced.
      yield* writeBack(journal, syncedEnd, end)
      journal.changed = !tidy
      const opened: OpenedRecord = { index, journal, forgotten: 0, recordReady: !tidy, tidy }
      return opened
    }
    yield* proveFresh(index, data)
    const forgotten = yield* forgetUncovered(index, data)
    // What is known now gets a record of its own, before the bytes of what was forgotten are punched.
    const generation = end.generation + 1
    const made = yield* makeRecord(io, paths, index, generation)
    const renewed = yield* adoptRecord(io, paths)
    yield* file.close.pipe(Effect.ignore)
    const journal = new ExtentJournal(renewed, made)
    journal.changed = true
    const opened: OpenedRecord = { index, journal, forgotten, recordReady: true, tidy: false }
    return opened
  })

const copyBytes = 1 << 20

/**
 * Writes the frames that are not known to be durable once more. The process that wrote them may have died before
 * it synced them, or its sync may have failed, after which the system shows what the device doesn't have,
 * and calls a sync of it a success.
 */
const writeBack = (journal: ExtentJournal, from: number, { end }: JournalEnd) =>
  Effect.gen(function* () {
    if (from === end) return
    journal.unsynced = true
    const buffer = new Uint8Array(Math.min(copyBytes, end - from))
    for (let at = from; at < end; at += copyBytes) {
      const piece = buffer.subarray(0, Math.min(copyBytes, end - at))
      yield* attempt<number, WriteError>(() => {
        const count = journal.file.unsafe.readSomeAt(at, piece)
        journal.file.unsafe.writeAt(at, piece.subarray(0, count))
        return count
      })
      yield* Effect.yieldNow
    }
  })
