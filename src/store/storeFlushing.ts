/**
 * From memory to files: what was appended to a store, handed to the system chunk by chunk.
 *
 * Up to 1 MiB, and the record that crossed it, is one synchronous write: nobody can come between.
 * More is written on the thread pool, while appends go on behind it. A flush that fails has lost
 * nothing: what was not written stays in memory, and the next one goes on from there.
 *
 * A chunk's file is made when its first byte is flushed. Making one takes an Effect; a synchronous
 * flush stops where a file is missing.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Closed, Corrupt, FileExists, InvalidArgument, IoFailed, MemoryLimit } from "../bytes/errors.ts"
import type { NoSpace, NoSuchFile, NotADirectory, NotAFile, Poisoned, RoNotAllowed } from "../bytes/errors.ts"
import type { VirtualOffset } from "../bytes/offset.ts"
import { maxPendingBytes, recordSlackBytes } from "../file/appendBuffer.ts"
import { attempt } from "../io/attempt.ts"
import { type IoService, synchronousTransferBytes } from "../io/Io.ts"
import type { Chunk } from "./chunk.ts"
import type { StoreState } from "./storeState.ts"

const synchronousFlushBytes = synchronousTransferBytes + recordSlackBytes

/** What taking bytes back fails with. */
export type ChunkReadError = Closed | Corrupt | InvalidArgument | IoFailed | MemoryLimit
/** What a single write of a chunk fails with. */
export type ChunkWriteError = Closed | IoFailed | NoSpace | Poisoned | RoNotAllowed
export type StoreFlushError = ChunkWriteError | FileExists | NoSuchFile | NotADirectory | NotAFile

export interface StoreFlushingOptions {
  readonly state: StoreState
  readonly io: IoService
  /** Holds the store's files open. */
  readonly files: Scope.Scope
}

export class StoreFlushing {
  /** Whether files were made whose names no fsync of the directory has made durable. */
  unsyncedNames = false
  private readonly options: StoreFlushingOptions
  private readonly turn = Semaphore.makeUnsafe(1)
  /** Whether bytes are being written on the thread pool: nobody else may write then. */
  private inFlight = false

  constructor(options: StoreFlushingOptions) {
    this.options = options
  }

  /** Writes what can be written at once: all, unless a file is missing or a flush is under way. */
  flushNow(): void {
    const { state } = this.options
    while (!this.inFlight && state.pending.length > 0) {
      const { chunk, count } = this.next()
      if (chunk.file === undefined) return
      chunk.file.unsafe.writeAt(state.flushedEnd - chunk.offset, state.pending.first(count))
      this.flushed(chunk, count)
    }
  }

  /** Whether `flushNow` would write all that waits, without keeping others waiting for long. */
  get canFlushNow(): boolean {
    const { chunk, count } = this.next()
    return !this.inFlight && chunk.file !== undefined && count <= synchronousFlushBytes
  }

  /** Flushes everything before `target`; mostly more. Can't be interrupted once it has begun. */
  flushTo(target: VirtualOffset): Effect.Effect<void, StoreFlushError> {
    return Effect.suspend(() => {
      // Mostly it is little, and nobody is in the way.
      const little = this.canFlushNow ? attempt<void, ChunkWriteError>(() => this.flushNow()) : Effect.void
      return Effect.flatMap(little, () =>
        this.options.state.flushedEnd < target ? this.flushAlone(target) : Effect.void
      )
    })
  }

  private flushAlone(target: VirtualOffset): Effect.Effect<void, StoreFlushError> {
    const { state } = this.options
    return this.alone(
      Effect.gen({ self: this }, function* () {
        // What a rollback took away while this waited for its turn needs no flush.
        while (state.flushedEnd < target && state.pending.length > 0) {
          const { chunk } = this.next()
          if (chunk.file === undefined) yield* this.makeFile(chunk)
          yield* this.flushPiece
        }
      })
    )
  }

  /** Runs `body` while nothing is written and nobody else is between two writes. */
  alone<A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.turn.withPermit(Effect.uninterruptible(body))
  }

  /** Gives a chunk its file, if it has none, while nobody else may be making it. */
  ensureFile(chunk: Chunk): Effect.Effect<void, StoreFlushError> {
    return this.alone(Effect.suspend(() => (chunk.file === undefined ? this.makeFile(chunk) : Effect.void)))
  }

  /** Makes the file of a chunk. What has the name is of no commit. */
  private makeFile(chunk: Chunk): Effect.Effect<void, StoreFlushError> {
    const { files, io, state } = this.options
    return Effect.gen({ self: this }, function* () {
      const path = state.paths.chunk(state.chunkNumber(state.chunks.indexOf(chunk)))
      const scope = yield* Scope.fork(files)
      const file = yield* io.create(path, { overwrite: true }).pipe(
        Scope.provide(scope),
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
      chunk.attach({ file, scope })
      // Without a byte too: an fsync of the directory makes the name durable, not the file that it stands for.
      chunk.dirty = true
      this.unsyncedNames = true
    }).pipe(Effect.uninterruptible)
  }

  /** As `alone`, and synchronous flushes wait too: everything that is appended stays in memory. */
  paused<A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.alone(
      Effect.suspend(() => {
        this.inFlight = true
        return Effect.ensuring(
          body,
          Effect.sync(() => {
            this.inFlight = false
          })
        )
      })
    )
  }

  /**
   * While paused: takes everything from `start` on, which no commit has, back into memory, a slice at
   * a time, and gives the number of bytes that it read.
   */
  unflush(start: VirtualOffset): Effect.Effect<number, ChunkReadError> {
    const { state } = this.options
    return Effect.gen(function* () {
      const end = state.flushedEnd
      const taken = state.emptyBuffer()
      const bytes = yield* attempt<Uint8Array, MemoryLimit>(() => {
        // With room for what waits already, and for what others append meanwhile.
        taken.reserve(Math.min(maxPendingBytes, end - start + state.pending.length + synchronousFlushBytes))
        return taken.extend(end - start)
      })
      for (let at = start; at < end;) {
        const chunk = state.chunks[state.chunkIndexAt(at)]
        const count = Math.min(synchronousTransferBytes, chunk.end - at, end - at)
        yield* attempt<void, ChunkReadError>(() => chunk.copy(at - chunk.offset, bytes, at - start, count))
        at += count
        yield* Effect.yieldNow
      }
      yield* attempt<void, MemoryLimit>(() => taken.push(state.pending.first(state.pending.length)))
      state.pending = taken
      state.flushedEnd = start
      return end - start
    })
  }

  /** The chunk that the first byte to be flushed belongs to, and how many bytes of it wait. */
  private next(): { readonly chunk: Chunk; readonly count: number } {
    const { state } = this.options
    const { flushedEnd, pending } = state
    // Sealed chunks that are flushed already end here: the one that begins here is meant.
    const chunk = state.chunks[state.chunkIndexAt(flushedEnd)]
    return { chunk, count: Math.min(pending.length, chunk.end - flushedEnd) }
  }

  private flushed(chunk: Chunk, count: number): void {
    const { state } = this.options
    // Now, since an fsync may have begun and ended while the write was under way.
    chunk.dirty = true
    state.flushedEnd += count
    state.pending.dropFirst(count)
  }

  private readonly flushPiece = Effect.suspend((): Effect.Effect<void, StoreFlushError> => {
    const { state } = this.options
    const { chunk, count } = this.next()
    if (count <= synchronousFlushBytes) return attempt(() => this.flushNow())
    this.inFlight = true
    return chunk.file!.writeAt(state.flushedEnd - chunk.offset, state.pending.first(count)).pipe(
      Effect.catchTag("InvalidArgument", Effect.die), // every append has checked where it ends
      Effect.tap(() => Effect.sync(() => this.flushed(chunk, count))),
      Effect.ensuring(
        Effect.sync(() => {
          this.inFlight = false
        })
      )
    )
  })
}
