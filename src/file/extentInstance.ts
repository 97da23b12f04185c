/**
 * The instance of an extent file around its state: its operations under their names, and its end.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DoubleClose, type SourceChanged } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { attempt } from "../io/attempt.ts"
import { createExtent } from "./extentCreating.ts"
import { deleteExtent } from "./extentDeleting.ts"
import type { ExtentFileService, ExtentWriteError } from "./extentFileService.ts"
import { clearInTurn, flushInTurn, pinInTurn } from "./extentFlushing.ts"
import { readExtent, readUnion } from "./extentReading.ts"
import type { ExtentState } from "./extentState.ts"

/** The errors of closing: what a flush fails with, but that the file is closed. */
type CloseError = DoubleClose | Exclude<ExtentWriteError, { readonly _tag: "Closed" }>

export const makeInstance = (state: ExtentState): Effect.Effect<ExtentFileService> => {
  const { path } = state.data
  const writable = <A, E>(operation: string, body: Effect.Effect<A, E>) =>
    Effect.andThen(
      attempt<void, ExtentWriteError>(() => state.checkWritable(operation)),
      state.exclusive(body)
    )
  const instance: ExtentFileService = {
    path,
    createExtent: (offset, bytes) => createExtent(state, offset, bytes),
    readExtent: (offset) => readExtent(state, offset),
    deleteExtent: (offset) => deleteExtent(state, offset),
    extents: () => listExtents(state),
    pinned: () => {
      state.checkOpen("pinned")
      return state.index.pinned
    },
    pin: (pin, source): Effect.Effect<void, ExtentWriteError | SourceChanged> =>
      writable("pin", pinInTurn(state, pin, source)),
    clear: writable("clear", clearInTurn(state)),
    flush: writable("flush", flushInTurn(state, false)).pipe(
      Effect.withSpan("ExtentFile.flush", { attributes: { path } })
    ),
    stats: () => {
      state.checkOpen("stats")
      const { forgotten, holes, index, unflushedBytes } = state
      return { extents: index.extents.count, bytes: index.bytes, forgotten, unflushedBytes, holes }
    },
    close: closeChecked(state).pipe(Effect.withSpan("ExtentFile.close", { attributes: { path } })),
    unsafe: { read: (offset, buffer) => readUnion(state, offset, buffer) }
  }
  return Effect.as(Scope.addFinalizer(state.scope, closeAtScopeEnd(state)), instance)
}

const listExtents = (state: ExtentState): Array<Extent> => {
  state.checkOpen("extents")
  const { extents } = state.index
  const list: Array<Extent> = []
  for (let at = extents.first(); at !== -1; at = extents.next(at)) {
    list.push({ offset: extents.start(at), length: extents.length(at) })
  }
  return list
}

/** Flushes, and lets nobody in any more. */
const finish = (state: ExtentState): Effect.Effect<void, ExtentWriteError> =>
  Effect.ensuring(
    flushInTurn(state, true),
    Effect.sync(() => {
      state.closed = true
    })
  )

const closeChecked = (state: ExtentState): Effect.Effect<void, CloseError> =>
  state.exclusive(
    Effect.suspend((): Effect.Effect<void, CloseError> => {
      if (state.closed) return Effect.fail(new DoubleClose({ path: state.paths.data }))
      return Effect.ensuring(finish(state), Scope.close(state.scope, Exit.void)).pipe(
        // It was open when its turn began.
        Effect.catchTag("Closed", Effect.die)
      )
    })
  )

/** The end of the scope has no channel for a failure: it is logged. */
const closeAtScopeEnd = (state: ExtentState): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (state.closed) return Effect.void
    const { paths } = state
    return Effect.catch(state.exclusive(finish(state)), (error) =>
      Effect.logError(
        `${state.unflushedBytes} bytes of ${paths.data} are not flushed: its last flush failed`,
        error
      )
    )
  })
