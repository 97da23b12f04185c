/**
 * The instance of an append-only file around an open `IoFile`, in both modes.
 *
 * Which operations a mode refuses is decided here, and what happens at the end of the scope.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DoubleClose, RoNotAllowed, RwNotAllowed } from "../bytes/errors.ts"
import { checkOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile, IoService } from "../io/Io.ts"
import { AppendBuffer } from "./appendBuffer.ts"
import {
  type AppendOnlyCloseError,
  type AppendOnlyFileService,
  type AppendOnlyOpenRoOptions,
  type AppendOnlyRefreshError,
  type AppendOnlyWriteOptions,
  defaultAutoFlushThreshold
} from "./appendOnlyFileService.ts"
import { AppendOnlyState, checkBehindHeader, makeReading } from "./appendOnlyReading.ts"
import { makeWriting } from "./appendOnlyWriting.ts"

/** What an instance that writes stands on. */
export interface WriterPlace {
  readonly io: IoService
  readonly file: IoFile
  readonly own: Scope.Closeable
  readonly endPoff: number
  readonly deadHeaderSize: number
}

/** The instance around a file that is open for writing and locked. */
export const makeWriter = <E>(
  { deadHeaderSize, endPoff, file, io, own }: WriterPlace,
  options: AppendOnlyWriteOptions<E>
): Effect.Effect<AppendOnlyFileService<E>> => {
  const autoFlushThreshold = options.autoFlushThreshold ?? defaultAutoFlushThreshold
  const pending = new AppendBuffer(autoFlushThreshold)
  const readsBuffer = options.readsBuffer ?? false
  const state = new AppendOnlyState({ file, deadHeaderSize, endPoff, pending, readsBuffer })
  const { path } = file
  const { unsafeReadInto, ...reading } = makeReading(state)
  const { unsafeAppend, ...writing } = makeWriting<E>({
    state,
    io,
    autoFlushThreshold,
    autoFlushProcedure: options.autoFlushProcedure ?? "internal",
    // While the procedure runs it isn't called again, so that its own appends can't fail as it does.
    self: () => instance as AppendOnlyFileService<never>,
    release: Scope.close(own, Exit.void)
  })
  const instance: AppendOnlyFileService<E> = {
    path,
    readonly: false,
    autoFlushThreshold,
    endPoff: () => state.persistedEnd + pending.length,
    emptyBuffer: () => pending.length === 0,
    ...reading,
    ...writing,
    refreshEndPoff: () =>
      attempt<never, AppendOnlyRefreshError>(() => {
        state.checkOpen("refreshEndPoff")
        throw new RwNotAllowed({ path, operation: "refreshEndPoff" })
      }),
    unsafe: { append: unsafeAppend, readInto: unsafeReadInto }
  }
  const flushOnce = Effect.catch(instance.flush, (error) =>
    Effect.logError(`${pending.length} bytes appended to ${path} are lost: its last flush failed`, error)
  )
  const atScopeEnd = Effect.suspend(() => {
    if (state.closed) return Effect.void
    const markClosed = Effect.sync(() => {
      state.closed = true
    })
    return Effect.andThen(pending.length > 0 ? flushOnce : Effect.void, markClosed)
  })
  return Effect.as(Scope.addFinalizer(own, atScopeEnd), instance)
}

/** The instance around a file that is open for reading. */
export const makeReader = (
  file: IoFile,
  own: Scope.Closeable,
  { deadHeaderSize, endPoff }: AppendOnlyOpenRoOptions
): AppendOnlyFileService<never> => {
  const { path } = file
  const pending = new AppendBuffer(0)
  const state = new AppendOnlyState({ file, deadHeaderSize, endPoff, pending, readsBuffer: false })
  const { unsafeReadInto, ...reading } = makeReading(state)
  const refuse = (operation: string): never => {
    state.checkOpen(operation)
    throw new RoNotAllowed({ path, operation })
  }
  return {
    path,
    readonly: true,
    autoFlushThreshold: undefined,
    endPoff: () => state.persistedEnd,
    emptyBuffer: () => true,
    ...reading,
    append: () => attempt(() => refuse("append")),
    appendAll: () => attempt(() => refuse("appendAll")),
    flush: attempt(() => refuse("flush")),
    fsync: attempt(() => refuse("fsync")),
    refreshEndPoff: (end) =>
      attempt<void, AppendOnlyRefreshError>(() => {
        state.checkOpen("refreshEndPoff")
        checkOffset("refreshEndPoff", "end", end)
        checkBehindHeader("refreshEndPoff", deadHeaderSize, end)
        state.persistedEnd = end
      }),
    close: Effect.suspend((): Effect.Effect<void, AppendOnlyCloseError> => {
      if (state.closed) return Effect.fail(new DoubleClose({ path }))
      state.closed = true
      return Effect.ensuring(file.close, Scope.close(own, Exit.void))
    }).pipe(Effect.uninterruptible, Effect.withSpan("AppendOnlyFile.close", { attributes: { path } })),
    unsafe: { append: () => refuse("append"), readInto: unsafeReadInto }
  }
}
