/**
 * The writing half of an append-only file: appends, flushes and fsyncs of many fibers.
 *
 * What holds at every moment:
 * - The file holds the first `persistedEnd` bytes, the buffer the rest, in the order of the appends.
 * - A flush writes a prefix of the buffer at `persistedEnd`, and moves the border only once all of it
 *   is written. So one that failed, halfway or not, is repeated from the same position.
 * - Filling the buffer is synchronous, and so is a flush of up to 1 MiB and the record that crossed
 *   it: nobody can come between. A larger flush runs on the thread pool, one at a time, while appends
 *   fill the buffer behind the prefix that is being written; whoever reaches the threshold meanwhile
 *   waits for its turn.
 *
 * What may be interrupted is the waiting. A flush or an fsync that has begun completes.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { DoubleClose, InvalidArgument, PendingFlush, Unsupported } from "../bytes/errors.ts"
import { attempt, thrown } from "../io/attempt.ts"
import { type IoService, synchronousTransferBytes } from "../io/Io.ts"
import { recordSlackBytes } from "./appendBuffer.ts"
import { Durability, makeFsync } from "./appendOnlyDurability.ts"
import type {
  AppendOnlyAppendError,
  AppendOnlyCloseError,
  AppendOnlyFileService,
  AppendOnlyFlushError,
  AutoFlushProcedure
} from "./appendOnlyFileService.ts"
import type { AppendOnlyState } from "./appendOnlyReading.ts"

/** A flush of up to this many bytes is one synchronous write: 1 MiB, and the record that crossed it. */
const synchronousFlushBytes = synchronousTransferBytes + recordSlackBytes

export interface WritingOptions<E> {
  readonly state: AppendOnlyState
  readonly io: IoService
  readonly autoFlushThreshold: number
  readonly autoFlushProcedure: AutoFlushProcedure<E>
  /** The instance, for the external procedure. */
  readonly self: () => AppendOnlyFileService<never>
  /** Gives back the lock and the descriptor. */
  readonly release: Effect.Effect<void>
}

type Writing<E> = Pick<AppendOnlyFileService<E>, "append" | "appendAll" | "close" | "flush" | "fsync"> & {
  readonly unsafeAppend: AppendOnlyFileService["unsafe"]["append"]
}

/** The writing operations of an open file. */
export const makeWriting = <E>(options: WritingOptions<E>): Writing<E> => {
  const { autoFlushProcedure, autoFlushThreshold, state } = options
  const { deadHeaderSize, file, path, pending } = state
  const lastOffset = Number.MAX_SAFE_INTEGER - deadHeaderSize
  const durability = new Durability(path)
  const flushing = Semaphore.makeUnsafe(1)
  /** Whether a prefix of the buffer is being written on the thread pool. */
  let prefixInFlight = false

  const persisted = (count: number): void => {
    state.persistedEnd += count
    pending.dropFirst(count)
    durability.writes += 1
  }

  /** Only while no prefix is in flight. */
  const flushNow = (): void => {
    durability.check()
    const count = pending.length
    if (count === 0) return
    file.unsafe.writeAt(deadHeaderSize + state.persistedEnd, pending.first(count))
    persisted(count)
  }

  const flushSynchronously = attempt<void, AppendOnlyFlushError>(flushNow)

  const flushLater = Effect.suspend((): Effect.Effect<void, AppendOnlyFlushError> => {
    const count = pending.length
    // Whoever waited for another's flush mostly finds little left to do, or nothing.
    if (count <= synchronousFlushBytes || durability.poison !== undefined) return flushSynchronously
    prefixInFlight = true
    return file.writeAt(deadHeaderSize + state.persistedEnd, pending.first(count)).pipe(
      Effect.catchTag("InvalidArgument", Effect.die), // every append has checked where it ends
      Effect.tap(() => Effect.sync(() => persisted(count))),
      Effect.ensuring(
        Effect.sync(() => {
          prefixInFlight = false
        })
      )
    )
  }).pipe(Effect.uninterruptible, flushing.withPermit)

  // A prefix in flight is longer than that, and so is the buffer then.
  const flushUnchecked = Effect.suspend(() =>
    pending.length > synchronousFlushBytes ? flushLater : flushSynchronously
  )

  const flush = Effect.andThen(
    attempt<void, AppendOnlyFlushError>(() => state.checkOpen("flush")),
    flushUnchecked
  )

  const checkEnd = (operation: string, count: number): number => {
    state.checkOpen(operation)
    const offset = state.persistedEnd + pending.length
    if (offset + count > lastOffset) {
      const reason = `the file would end beyond 2^53-1 with ${count} bytes at ${offset}`
      throw new InvalidArgument({ operation, reason })
    }
    return offset
  }

  const add = (bytes: Uint8Array): number => {
    const offset = checkEnd("append", bytes.length)
    pending.push(bytes)
    return offset
  }

  const external = autoFlushProcedure === "internal" ? undefined : autoFlushProcedure.external
  let externalRunning = false

  const flushExternally = (procedure: NonNullable<typeof external>) =>
    Effect.suspend((): Effect.Effect<void, E | PendingFlush> => {
      if (externalRunning) return Effect.void
      externalRunning = true
      const end = state.persistedEnd + pending.length
      return Effect.suspend(() => procedure(options.self())).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            externalRunning = false
          })
        ),
        // What others appended while it ran was not its business.
        Effect.andThen(
          Effect.suspend(() =>
            state.persistedEnd < end
              ? Effect.fail(new PendingFlush({ path, bytes: pending.length }))
              : Effect.void
          )
        )
      )
    })

  const autoFlush: Effect.Effect<void, AppendOnlyFlushError | PendingFlush | E> =
    external === undefined ? flushUnchecked : flushExternally(external)

  const append = (bytes: Uint8Array): Effect.Effect<number, AppendOnlyAppendError | E> =>
    Effect.suspend((): Effect.Effect<number, AppendOnlyAppendError | E> => {
      let offset: number
      try {
        offset = add(bytes)
      } catch (error) {
        return thrown(error)
      }
      return pending.length < autoFlushThreshold ? Effect.succeed(offset) : Effect.as(autoFlush, offset)
    })

  /**
   * Without a pause, so that the records stay together. Once a flush has failed no other is tried,
   * and the rest goes to the buffer: the failure, which is given back, then means the same as with
   * a single record.
   */
  const addAll = (records: ReadonlyArray<Uint8Array>): { offset: number; failure: unknown } => {
    let total = 0
    for (const record of records) total += record.length
    const offset = checkEnd("appendAll", total)
    const flushesBetween = external === undefined && !prefixInFlight
    pending.checkRoom(total)
    if (!flushesBetween) pending.reserve(total)
    let failure: unknown
    for (const record of records) {
      pending.push(record)
      total -= record.length
      if (pending.length >= autoFlushThreshold && flushesBetween && failure === undefined) {
        if (pending.length > synchronousFlushBytes) continue
        try {
          flushNow()
        } catch (error) {
          failure = error
          pending.reserve(total)
        }
      }
    }
    return { offset, failure }
  }

  const appendAll = (records: Iterable<Uint8Array>): Effect.Effect<number, AppendOnlyAppendError | E> =>
    Effect.suspend((): Effect.Effect<number, AppendOnlyAppendError | E> => {
      let added: { offset: number; failure: unknown }
      try {
        // They are looked at twice, and some iterables can be only once.
        added = addAll(Array.isArray(records) ? records : [...records])
      } catch (error) {
        return thrown(error)
      }
      if (added.failure !== undefined) return thrown(added.failure)
      const { offset } = added
      return pending.length < autoFlushThreshold ? Effect.succeed(offset) : Effect.as(autoFlush, offset)
    })

  const unsafeAppend = (bytes: Uint8Array): number => {
    if (external !== undefined) {
      state.checkOpen("append")
      throw new Unsupported({
        operation: "unsafe.append",
        reason: `the flush procedure of ${path} is an Effect, which synchronous code can't run`
      })
    }
    const offset = add(bytes)
    if (pending.length >= autoFlushThreshold && !prefixInFlight) flushNow()
    return offset
  }

  const { fsync, syncing } = makeFsync(state, options.io, durability)

  const closeNow = Effect.suspend((): Effect.Effect<void, AppendOnlyCloseError> => {
    if (state.closed) return Effect.fail(new DoubleClose({ path }))
    if (pending.length > 0) return Effect.fail(new PendingFlush({ path, bytes: pending.length }))
    state.closed = true
    return Effect.ensuring(file.close, options.release)
  }).pipe(Effect.uninterruptible)

  return {
    append,
    appendAll,
    flush,
    fsync,
    unsafeAppend,
    // Whatever is under way on the thread pool is waited for: it uses the descriptor.
    close: closeNow.pipe(
      flushing.withPermit,
      syncing.withPermit,
      Effect.withSpan("AppendOnlyFile.close", { attributes: { path } })
    )
  }
}
