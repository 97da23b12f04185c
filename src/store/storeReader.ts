/**
 * The reading half of a read-only store: moving forward, closing, and refusing to change anything.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type Closed, DoubleClose, RoNotAllowed } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import type { IoService } from "../io/Io.ts"
import { refreshState } from "./storeRefreshing.ts"
import type { StoreCloseError, StoreService } from "./storeService.ts"
import type { StoreState } from "./storeState.ts"
import type { StoreOperations } from "./storeWriter.ts"

export interface StoreReaderOptions {
  readonly io: IoService
  /** Ends with the store: closed by `close`. */
  readonly scope: Scope.Closeable
  /** Holds the store's files open. */
  readonly files: Scope.Scope
  readonly state: StoreState
}

export interface StoreReader {
  readonly operations: StoreOperations
  readonly unsafe: Pick<StoreService["unsafe"], "append" | "commit">
}

export const makeReader = ({ files, io, scope, state }: StoreReaderOptions): Effect.Effect<StoreReader> =>
  Effect.gen(function* () {
    const turn = Semaphore.makeUnsafe(1)
    const { directory, paths, verifyReads } = state
    const check = attempt<void, Closed>(() => state.checkOpen("refresh"))
    const refresh = turn.withPermit(
      Effect.andThen(check, Scope.provide(refreshState({ io, paths, verifyReads }, state), files))
    )
    const markClosed = Effect.sync(() => {
      state.closed = true
    })
    yield* Scope.addFinalizer(scope, turn.withPermit(markClosed))
    const close = turn
      .withPermit(
        Effect.andThen(
          attempt<void, StoreCloseError>(() => {
            if (state.closed) throw new DoubleClose({ path: directory })
          }),
          markClosed
        )
      )
      .pipe(Effect.andThen(Scope.close(scope, Exit.void)), Effect.uninterruptible)

    const refuse = (operation: string): never => {
      state.checkOpen(operation)
      throw new RoNotAllowed({ path: directory, operation })
    }
    const refused = (operation: string) => attempt<never, Closed | RoNotAllowed>(() => refuse(operation))
    return {
      operations: {
        append: () => refused("append"),
        appendAll: () => refused("appendAll"),
        close,
        collect: () => refused("collect"),
        commit: refused("commit"),
        refresh: Effect.withSpan(refresh, "Store.refresh", { attributes: { directory } }),
        rollback: refused("rollback"),
        split: refused("split")
      },
      unsafe: { append: () => refuse("append"), commit: () => refuse("commit") }
    }
  })
