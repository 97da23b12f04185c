/**
 * A new file that gets its name only when it is whole and durable.
 *
 * Until then it is `<path>.tmp`, which its writer holds the lock of. What nobody locks was left by one
 * that died, and is replaced. What exists at `path` is not overwritten: it is looked for at the beginning
 * and again right before the rename. Against those who ask for no lock there is no more than that, and where
 * nothing is locked two writers of one path must not meet.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Closed, DoubleClose, InvalidArgument, RoNotAllowed } from "../bytes/errors.ts"
import { FileExists, Locked, NotAFile } from "../bytes/errors.ts"
import { directoryOf } from "../io/directoryOf.ts"
import type {
  CreateError,
  DirectoryError,
  IoFile,
  IoService,
  LockError,
  OpenError,
  RemoveError,
  RenameError,
  SyncError
} from "../io/Io.ts"

/** The file is open for writing, locked, and nobody else's: these would be bugs. */
type Impossible = Closed | DoubleClose | InvalidArgument | RoNotAllowed

export type TemporaryFileError = CreateError | LockError | OpenError | RemoveError
export type TemporaryPromoteError = FileExists | DirectoryError | RenameError | Exclude<SyncError, Impossible>

export interface TemporaryFile {
  /** Empty and open for writing. */
  readonly file: IoFile
  /**
   * Makes the file durable, closes it and gives it its name, durably too. Where something has taken the
   * name meanwhile it is `FileExists`. Once; nothing of it remains where it fails.
   */
  readonly promote: Effect.Effect<void, TemporaryPromoteError>
}

/**
 * Begins a file that is to be at `path`. `FileExists` where something is there, `Locked` where another
 * writer is at work, `NotAFile` where something else than a file is at `<path>.tmp`. The temporary file
 * is removed with the scope, unless it was promoted before.
 */
export const claimTemporaryFile = (
  io: IoService,
  path: string
): Effect.Effect<TemporaryFile, TemporaryFileError, Scope.Scope> => {
  const temporary = `${path}.tmp`
  return Effect.gen(function* () {
    yield* refuseExisting(io, path)
    yield* Effect.scoped(removeStale(io, temporary))
    // The lock is on the file that has the name, made for it where there was none, and who holds it owns
    // the name: nobody else removes the file or renames it.
    yield* io.lock(temporary)
    let ours = true
    yield* Effect.addFinalizer(() => (ours ? Effect.ignore(io.remove(temporary)) : Effect.void))
    const file = yield* io.open(temporary, { readonly: false }).pipe(
      // Where there are no locks, none has made the file.
      Effect.catchTag("NoSuchFile", () => io.create(temporary, { overwrite: false }))
    )
    // Somebody who has begun and died since then had it.
    if ((yield* file.size) > 0) return yield* new Locked({ path: temporary })
    const rename = Effect.gen(function* () {
      yield* io.rename(temporary, path)
      ours = false
      // fsync of the directory: the name, before anybody is told of success.
      yield* io.syncDirectory(directoryOf(path)).pipe(Effect.onError(() => Effect.ignore(io.remove(path))))
    })
    const promote = Effect.gen(function* () {
      // fsync of the file: all of it, before it has a name by which it is taken for whole.
      yield* file.sync
      yield* file.close
      yield* refuseExisting(io, path)
      yield* Effect.uninterruptible(rename)
    }).pipe(orDie)
    return { file, promote }
  }).pipe(orDie, Effect.uninterruptible)
}

/**
 * Removes what a writer that died has left. It is not emptied instead: whoever has it open, or has it
 * by another name too, keeps what is his.
 */
const removeStale = (io: IoService, temporary: string) =>
  Effect.gen(function* () {
    const found = yield* io.classify(temporary)
    if (found === "none") return
    if (found !== "file") return yield* new NotAFile({ path: temporary })
    // Nobody is at work on it.
    yield* io.lock(temporary)
    yield* io.remove(temporary)
  })

const orDie = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, Impossible>, R> =>
  Effect.catchIf(effect, isImpossible, Effect.die) as Effect.Effect<A, Exclude<E, Impossible>, R>

const impossible = ["Closed", "DoubleClose", "InvalidArgument", "RoNotAllowed"]

const isImpossible = (error: unknown): error is Impossible =>
  error instanceof Error && "_tag" in error && impossible.includes(String(error._tag))

const refuseExisting = (io: IoService, path: string) =>
  Effect.gen(function* () {
    if ((yield* io.classify(path)) !== "none") return yield* new FileExists({ path })
  })
