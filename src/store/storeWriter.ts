/**
 * The writing half of an open store: its parts put together, and how it is closed.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DoubleClose, PendingFlush, RwNotAllowed } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import type { IoService } from "../io/Io.ts"
import type { ControlFile } from "./controlFile.ts"
import { StoreAppending } from "./storeAppending.ts"
import { StoreCollecting } from "./storeCollecting.ts"
import { StoreCommitting } from "./storeCommitting.ts"
import { StoreFlushing } from "./storeFlushing.ts"
import type { StoreReading } from "./storeReading.ts"
import type { StoreCloseError, StoreService } from "./storeService.ts"
import type { StoreState } from "./storeState.ts"

export interface StoreWriterOptions {
  readonly io: IoService
  /** Ends with the store: closed by `close`. */
  readonly scope: Scope.Closeable
  /** Holds the lock and the store's files. */
  readonly files: Scope.Scope
  readonly state: StoreState
  readonly reading: StoreReading
  readonly control: ControlFile
  readonly chunkSize: number
  readonly autoFlushThreshold: number
}

/** What readers and writers do in ways of their own. */
export type StoreOperations = Pick<
  StoreService,
  "append" | "appendAll" | "close" | "collect" | "commit" | "refresh" | "rollback" | "split"
>

/** What only a writer does. */
export interface StoreWriter {
  readonly operations: StoreOperations
  /** The synchronous twins. */
  readonly unsafe: Pick<StoreService["unsafe"], "append" | "commit">
}

/** A writer, which the end of its scope closes without committing anything. */
export const makeWriter = (options: StoreWriterOptions): Effect.Effect<StoreWriter> =>
  Effect.gen(function* () {
    const { autoFlushThreshold, chunkSize, control, files, io, reading, scope, state } = options
    const flushing = new StoreFlushing({ io, files, state })
    const appending = new StoreAppending({ state, flushing, chunkSize, autoFlushThreshold })
    const committing = new StoreCommitting({ io, state, flushing, appending, control })
    const collecting = new StoreCollecting({ io, state, reading, committing, control, files })

    const markClosed = Effect.sync(() => {
      state.closed = true
    })
    // Whatever is under way is waited for: it uses the files.
    const settle = Effect.andThen(collecting.end, committing.last(flushing.alone(Effect.void)))
    yield* Scope.addFinalizer(
      scope,
      Effect.suspend(() => {
        // A close that is under way elsewhere is waited for, too: until then the lock is needed.
        const first = Effect.andThen(logUncommitted(state), committing.last(markClosed))
        return Effect.andThen(state.closed ? Effect.void : first, settle)
      })
    )
    const check = attempt<void, StoreCloseError>(() => {
      const { directory: path } = state
      if (state.closed) throw new DoubleClose({ path })
      const bytes = state.end - state.committedEnd
      // A poisoned store can neither commit nor roll back: it is closed as it is.
      if (bytes > 0 && state.poison === undefined) throw new PendingFlush({ path, bytes })
    })
    const close = committing
      .last(Effect.andThen(check, markClosed))
      .pipe(
        Effect.andThen(logUncommitted(state)),
        Effect.andThen(settle),
        Effect.andThen(Scope.close(scope, Exit.void)),
        Effect.uninterruptible,
        Effect.withSpan("Store.close", { attributes: { directory: state.directory } })
      )
    return {
      operations: {
        append: (bytes) => appending.append(bytes),
        appendAll: (records) => appending.appendAll(records),
        close,
        collect: (request) => collecting.collect(request),
        commit: committing.commit,
        refresh: attempt(() => {
          state.checkOpen("refresh")
          throw new RwNotAllowed({ path: state.directory, operation: "refresh" })
        }),
        rollback: committing.rollback,
        split: committing.split
      },
      unsafe: {
        append: (bytes) => appending.appendNow(bytes),
        commit: () => committing.commitAtOnce()
      }
    }
  })

const logUncommitted = (state: StoreState): Effect.Effect<void> =>
  Effect.suspend(() => {
    const bytes = state.end - state.committedEnd
    return bytes === 0
      ? Effect.void
      : Effect.logWarning(`${state.directory} was closed with ${bytes} bytes that were never committed`)
  })
