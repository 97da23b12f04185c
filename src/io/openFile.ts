/**
 * The semantics of an open file, over a platform's raw calls.
 *
 * - Arguments are checked before anything is done. Closed, read-only and poisoned files refuse.
 * - Short transfers are looped; a write that makes no progress is an error, not a loop.
 * - Large transfers, and all that may wait for a device, run on the thread pool. Mutations that have
 *   begun complete; a large read stops between two pieces, so nobody writes into its buffer after
 *   the interruption.
 * - The descriptor is closed once, when no call on the thread pool uses it any more: its number may
 *   at once belong to another file.
 * - A failed sync poisons: the system may have dropped the bytes it could not write.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import {
  Closed,
  DoubleClose,
  type IoFailed,
  type Poisoned,
  ReadOutOfBounds,
  type RoNotAllowed,
  Unsupported
} from "../bytes/errors.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { attempt } from "./attempt.ts"
import { FileState, pieceBytes } from "./fileState.ts"
import {
  type CloseError,
  type IoFile,
  type MapError,
  type PunchError,
  type ReadError,
  type ReadSomeError,
  type SyncError,
  synchronousTransferBytes,
  type WriteError
} from "./Io.ts"
import type { Mapping } from "./mapping.ts"
import type { Done, RawFile } from "./raw.ts"
import { ioFailed, punchFailed, writeFailed } from "./systemErrors.ts"
import { makeUnsafe } from "./unsafeFile.ts"

/** An open file, and what the end of its scope does. */
export interface OpenedFile {
  readonly file: IoFile
  /** Closes unless closed; a failure is logged, since a scope's end has no channel for it. */
  readonly closeAtScopeEnd: Effect.Effect<void>
}

/** Runs one call on the thread pool. */
const pooled = <E>(start: (done: Done) => void, failed: (cause: unknown) => E): Effect.Effect<number, E> =>
  Effect.callback<number, E>((resume) => {
    const done: Done = (failure, count) => {
      resume(failure === null ? Effect.succeed(count) : Effect.fail(failed(failure)))
    }
    try {
      start(done)
    } catch (cause) {
      done(cause, 0)
    }
  })

/** Keeps the descriptor open until `effect` is done, and makes interruption wait for that. */
const using = <A, E>(state: FileState, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    state.busy += 1
    return Effect.ensuring(
      effect,
      Effect.sync(() => state.leave())
    )
  }).pipe(Effect.uninterruptible)

const readLarge = Effect.fnUntraced(function* (
  state: FileState,
  operation: string,
  offset: number,
  buffer: Uint8Array
): Effect.fn.Return<number, ReadSomeError> {
  const { path, raw } = state
  const length = buffer.length
  yield* attempt<void, ReadSomeError>(() => checkRange(operation, offset, length))
  let done = 0
  while (done < length) {
    const size = Math.min(length - done, pieceBytes)
    const piece = Effect.suspend((): Effect.Effect<number, ReadSomeError> => {
      if (state.closed) return Effect.fail(new Closed({ path, operation }))
      return pooled(
        (next) => raw.readLater(buffer, done, size, offset + done, next),
        (cause) => ioFailed(cause, path, "read")
      )
    })
    const count = yield* using(state, piece)
    if (count === 0) break
    done += count
  }
  return done
})

/** A mutation on the thread pool: once begun, it completes, and the descriptor stays open for it. */
const mutation = <A, E>(
  state: FileState,
  operation: string,
  body: Effect.Effect<A, E>
): Effect.Effect<void, E | Closed | RoNotAllowed | Poisoned> =>
  using(
    state,
    attempt<void, Closed | RoNotAllowed | Poisoned>(() => state.checkWritable(operation)).pipe(
      Effect.andThen(body),
      Effect.asVoid
    )
  )

const writeLarge = Effect.fnUntraced(function* (
  state: FileState,
  offset: number,
  bytes: Uint8Array
): Effect.fn.Return<void, WriteError> {
  const { path, raw } = state
  const length = bytes.length
  let done = 0
  while (done < length) {
    const size = Math.min(length - done, pieceBytes)
    const count = yield* pooled(
      (next) => raw.writeLater(bytes, done, size, offset + done, next),
      (cause) => writeFailed(cause, path, "write")
    )
    if (count === 0) return yield* Effect.fail(state.wroteNothing(length))
    done += count
  }
})

const makeSync = (state: FileState): Effect.Effect<void, SyncError> => {
  const body = Effect.suspend(() => {
    state.syncing = true
    return pooled(
      // fsync: everything written to this file so far, before whatever the caller does next
      (next) => state.raw.syncLater(next),
      (cause) => state.syncFailed(cause)
    )
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        state.syncing = false
      })
    )
  )
  // One at a time: the system reports a failure once, and the other of two would look successful.
  return Semaphore.makeUnsafe(1).withPermit(mutation(state, "sync", body))
}

const map = (
  state: FileState,
  offset: number,
  length: number
): Effect.Effect<Uint8Array, MapError, Scope.Scope> =>
  attempt<Mapping, MapError>(() => {
    checkRange("map", offset, length)
    state.checkOpen("map")
    const { path, raw } = state
    const size = state.size()
    if (offset + length > size) {
      throw new ReadOutOfBounds({ path, offset, length, end: size })
    }
    try {
      return raw.map(offset, length)
    } catch (cause) {
      throw cause instanceof Unsupported ? cause : ioFailed(cause, path, "mmap")
    }
  }).pipe(
    (acquire) => Effect.acquireRelease(acquire, (mapping) => Effect.sync(mapping.release)),
    Effect.map((mapping) => mapping.bytes)
  )

const makeClose = (state: FileState): Effect.Effect<void, CloseError> => {
  const { path, raw } = state
  const closeNow = attempt<void, IoFailed>(() => {
    try {
      raw.close()
    } catch (cause) {
      // The descriptor is gone all the same, so there is no trying again.
      throw ioFailed(cause, path, "close")
    }
  })
  const idle = Effect.callback<void>((resume) => {
    state.whenIdle = () => resume(Effect.void)
  })
  return Effect.suspend((): Effect.Effect<void, CloseError> => {
    if (state.closed) return Effect.fail(new DoubleClose({ path }))
    state.closed = true
    return state.busy === 0 ? closeNow : Effect.andThen(idle, closeNow)
  }).pipe(Effect.uninterruptible)
}

/** Gives a platform's open file the semantics of an `IoFile`. */
export const openFile = (raw: RawFile, path: string, readonly: boolean): OpenedFile => {
  const state = new FileState(raw, path, readonly)
  const unsafe = makeUnsafe(state)
  const close = makeClose(state)
  const file: IoFile = {
    path,
    readonly,
    unsafe,
    close,
    readAt: (offset, buffer) =>
      buffer.length <= synchronousTransferBytes
        ? attempt<void, ReadError>(() => unsafe.readAt(offset, buffer))
        : Effect.flatMap(readLarge(state, "readAt", offset, buffer), (done) =>
            done === buffer.length
              ? Effect.void
              : attempt<never, ReadError>(() => {
                  state.checkOpen("readAt") // else the descriptor may be another file's by now
                  throw state.outOfBounds(offset, buffer.length, done)
                })
          ),
    readSomeAt: (offset, buffer) =>
      buffer.length <= synchronousTransferBytes
        ? attempt<number, ReadSomeError>(() => unsafe.readSomeAt(offset, buffer))
        : readLarge(state, "readSomeAt", offset, buffer),
    writeAt: (offset, bytes) =>
      bytes.length <= synchronousTransferBytes
        ? attempt<void, WriteError>(() => unsafe.writeAt(offset, bytes))
        : Effect.andThen(
            attempt<void, WriteError>(() => checkRange("writeAt", offset, bytes.length)),
            mutation(state, "writeAt", writeLarge(state, offset, bytes))
          ),
    size: attempt(() => unsafe.size()),
    truncate: (size) =>
      Effect.andThen(
        attempt<void, WriteError>(() => checkOffset("truncate", "size", size)),
        mutation(
          state,
          "truncate",
          pooled(
            (next) => raw.truncateLater(size, next),
            (cause) => writeFailed(cause, path, "ftruncate")
          )
        )
      ),
    sync: makeSync(state),
    punchHole: (offset, length) =>
      Effect.andThen(
        attempt<void, PunchError>(() => checkRange("punchHole", offset, length)),
        mutation<unknown, PunchError>(
          state,
          "punchHole",
          pooled(
            (next) => {
              const within = state.lengthWithin(offset, length)
              if (within > 0) raw.punchLater(offset, within, next)
              else next(null, 0)
            },
            (cause) => punchFailed(cause, path)
          )
        )
      ),
    map: (offset, length) => map(state, offset, length)
  }
  const closeAtScopeEnd = Effect.suspend(() =>
    state.closed
      ? Effect.void
      : Effect.catch(close, (error) => Effect.logError(`${path} was not closed properly`, error))
  )
  return { file, closeAtScopeEnd }
}
