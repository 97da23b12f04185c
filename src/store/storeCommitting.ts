/**
 * Making what was appended durable, or forgetting it: commit, split, rollback, and the sealing that
 * a collection begins with.
 *
 * One of them runs at a time, and none is interrupted once it runs. A commit takes everything that
 * was appended when its turn came; so of many that wait, the first does the work of all.
 *
 * The order, which FORMAT.md argues: the bytes of every chunk; the checksums of chunks that were
 * sealed; the names of new files; and only then the record in control that speaks of them. Once an
 * fsync has failed nobody knows what the device holds, and nothing is written any more.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Semaphore from "effect/Semaphore"
import { InvalidArgument, Unsupported } from "../bytes/errors.ts"
import type { VirtualOffset } from "../bytes/offset.ts"
import { maxChunks, type ControlRecord } from "../format/controlRecord.ts"
import { attempt } from "../io/attempt.ts"
import type { IoService } from "../io/Io.ts"
import { Chunk } from "./chunk.ts"
import { sumChunk, writeSums } from "./chunkSums.ts"
import type { ControlFile } from "./controlFile.ts"
import type { StoreAppending } from "./storeAppending.ts"
import type { ChunkReadError, StoreFlushing } from "./storeFlushing.ts"
import { commitsMetric, committedBytesMetric } from "./storeMetrics.ts"
import type { StoreCommitError, StoreRollbackError } from "./storeService.ts"
import type { StoreState } from "./storeState.ts"

export type StoreSealError = StoreCommitError | ChunkReadError

export interface StoreCommittingOptions {
  readonly state: StoreState
  readonly io: IoService
  readonly flushing: StoreFlushing
  readonly appending: StoreAppending
  readonly control: ControlFile
}

export class StoreCommitting {
  private readonly options: StoreCommittingOptions
  private readonly turn = Semaphore.makeUnsafe(1)
  /** Whether somebody has the turn: who can't wait must know. */
  private busy = false

  constructor(options: StoreCommittingOptions) {
    this.options = options
  }

  readonly commit: Effect.Effect<void, StoreCommitError> = Effect.suspend(() => {
    const { state } = this.options
    const target = state.end
    return this.inTurn("commit", () => {
      // A commit may have taken it meanwhile, or a rollback.
      const done = state.committedEnd >= Math.min(target, state.end)
      return done ? Effect.void : this.commitNow(false)
    })
  })

  readonly split: Effect.Effect<void, StoreCommitError> = Effect.suspend(() =>
    this.inTurn("split", () => {
      const { appending, state } = this.options
      const seals = state.active.length > 0 && appending.hasRoom
      return seals || state.end > state.committedEnd ? this.commitNow(seals) : Effect.void
    })
  ).pipe(Effect.withSpan("Store.split"))

  readonly rollback: Effect.Effect<void, StoreRollbackError> = Effect.suspend(() =>
    this.inTurn("rollback", () =>
      this.options.state.end === this.options.state.committedEnd ? Effect.void : this.rewind
    )
  ).pipe(Effect.withSpan("Store.rollback"))

  /**
   * Seals the active chunk at its committed end, without committing: what was appended since goes to
   * the chunk behind it, and what of it was flushed is taken back into memory: so many bytes. Nothing
   * to do when no committed byte is in the active chunk. Where the list of chunks is full, it stays
   * active, as long as a collection up to `upTo` need not copy from it.
   */
  seal(upTo: VirtualOffset): Effect.Effect<number, StoreSealError> {
    return this.inTurn("collect", () => {
      const { state } = this.options
      const lengths = state.record.chunkLengths
      if (lengths.length === 0 || lengths[lengths.length - 1] === 0) return Effect.succeed(0)
      const { offset } = state.chunks[lengths.length - 1]
      if (state.chunks.length < maxChunks) return this.sealNow
      return upTo <= offset ? Effect.succeed(0) : Effect.fail(noRoom(offset))
    })
  }

  /**
   * `commit` on the caller's thread: for what went to the active chunk, once that is in control.
   * Whatever needs a file to be made, or another operation to be waited for, is `Unsupported`.
   */
  commitAtOnce(): void {
    const { control, flushing, state } = this.options
    state.checkWritable("commit")
    const { active, end, record } = state
    const bytes = end - state.committedEnd
    if (bytes === 0) return
    const refuse = (reason: string) => new Unsupported({ operation: "unsafe.commit", reason })
    if (this.busy) throw refuse("another commit or collection of this store is being made durable")
    if (record.chunkLengths.length !== state.chunks.length || active.file === undefined) {
      throw refuse("a file must be made first, which takes an Effect: commit once")
    }
    flushing.flushNow()
    if (state.flushedEnd < end) throw refuse("a flush of another fiber is under way")
    const chunkLengths = [...record.chunkLengths]
    chunkLengths[chunkLengths.length - 1] = active.length
    const next: ControlRecord = { ...record, sequence: record.sequence + 1, chunkLengths }
    try {
      active.dirty = false
      // fsync of the chunk: its bytes, before control says that they are there.
      active.file.unsafe.sync()
      control.writeNow(next)
    } catch (cause) {
      state.poison ??= { cause }
      throw cause
    }
    state.setRecord(next)
    commitsMetric.updateUnsafe(1, Context.empty())
    committedBytesMetric.updateUnsafe(bytes, Context.empty())
  }

  /** Runs one at a time, checked again when its turn has come, and not interrupted any more. */
  inTurn<A, E, R>(operation: string, body: () => Effect.Effect<A, E, R>) {
    const { state } = this.options
    const check = attempt<void, StoreRollbackError>(() => state.checkWritable(operation))
    return Effect.andThen(
      check,
      this.turn.withPermit(Effect.uninterruptible(Effect.andThen(check, this.whileBusy(body))))
    )
  }

  private whileBusy<A, E, R>(body: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      this.busy = true
      return Effect.ensuring(
        body(),
        Effect.sync(() => {
          this.busy = false
        })
      )
    })
  }

  /** Runs when whatever is under way is done; whoever waits then finds the store as `body` left it. */
  last<A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.turn.withPermit(Effect.uninterruptible(body))
  }

  /** Once `effect` has failed nobody knows what the device holds. */
  poisoning<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const { state } = this.options
    return Effect.tapError(effect, (cause) =>
      Effect.sync(() => {
        state.poison ??= { cause }
      })
    )
  }

  /** Commits all; with `seals`, what is appended from now on goes to a new chunk. */
  private commitNow(seals: boolean): Effect.Effect<void, StoreCommitError> {
    const { flushing, state } = this.options
    const commit = Effect.gen({ self: this }, function* () {
      const target = state.end
      const bytes = target - state.committedEnd
      if (seals) state.beginChunk()
      yield* flushing.flushTo(target)
      yield* this.record(target, seals ? state.chunkIndexAt(target) + 1 : 0)
      yield* Metric.update(commitsMetric, 1)
      yield* Metric.update(committedBytesMetric, bytes)
    })
    return Effect.withSpan(commit, "Store.commit", { attributes: { directory: state.directory } })
  }

  private readonly sealNow: Effect.Effect<number, StoreSealError> = Effect.gen({ self: this }, function* () {
    const { flushing, state } = this.options
    const listed = state.record.chunkLengths.length
    const start = state.committedEnd
    const divided = state.chunks.length > listed && state.chunks[listed - 1].end === start
    const takenBack = divided ? 0 : yield* flushing.paused(this.divide(listed))
    yield* this.record(start, listed + 1)
    return takenBack
  })

  /** While flushes are paused: ends the last listed chunk where the committed bytes end. */
  private divide(listed: number): Effect.Effect<number, ChunkReadError> {
    const { flushing, state } = this.options
    return Effect.gen({ self: this }, function* () {
      const start = state.committedEnd
      const takenBack = state.flushedEnd > start ? yield* flushing.unflush(start) : 0
      const former = state.chunks.slice(listed)
      const chunk = state.chunks[listed - 1]
      state.chunks.splice(listed, 0, new Chunk(start, chunk.end - start))
      chunk.shorten(start - chunk.offset)
      yield* this.dropFiles(former, listed)
      return takenBack
    })
  }

  /**
   * Records that everything before `target`, which is flushed, is committed, and at least so many
   * chunks. Something lies before it.
   */
  private record(target: VirtualOffset, leastChunks: number): Effect.Effect<void, StoreCommitError> {
    return Effect.gen({ self: this }, function* () {
      const { control, flushing, io, state } = this.options
      const { record } = state
      const used = state.chunkIndexAt(target - 1) + 1
      const listed = record.chunkLengths.length
      const chunks = state.chunks.slice(0, Math.max(used, leastChunks, listed))
      // Those before the one that was active are as control says already.
      const first = Math.max(0, listed - 1)
      for (let index = first; index < chunks.length; index++) {
        const chunk = chunks[index]
        if (chunk.file === undefined) yield* flushing.ensureFile(chunk)
        if (!chunk.dirty) continue
        chunk.dirty = false
        // fsync of a chunk: its bytes, and that there is such a file, before control says that they are there.
        yield* this.poisoning(chunk.file!.sync)
      }
      for (let index = first; index < chunks.length - 1; index++) {
        if (chunks[index].sums === undefined) yield* this.sum(chunks[index], index)
      }
      if (flushing.unsyncedNames) {
        flushing.unsyncedNames = false
        // fsync of the directory: the names of new chunks and checksums, before control names them.
        yield* this.poisoning(io.syncDirectory(state.directory))
      }
      const next: ControlRecord = {
        ...record,
        sequence: record.sequence + 1,
        chunkLengths: chunks.map((chunk) => Math.min(chunk.end, target) - chunk.offset)
      }
      yield* this.poisoning(control.write(next))
      state.setRecord(next)
      yield* state.fix(first)
    })
  }

  /** Writes the checksums of a chunk that is sealed from now on. */
  private sum(chunk: Chunk, index: number): Effect.Effect<void, StoreCommitError> {
    const { flushing, io, state } = this.options
    return Effect.gen(function* () {
      const sums = yield* sumChunk(chunk.file!, chunk.length)
      yield* writeSums(io, state.paths.sums(state.chunkNumber(index)), chunk.length, sums)
      flushing.unsyncedNames = true
      chunk.sums = sums
    })
  }

  /** Back to the last commit. */
  private readonly rewind: Effect.Effect<void> = Effect.suspend(() => {
    const { flushing, state } = this.options
    const listed = state.record.chunkLengths.length
    return flushing.alone(
      Effect.suspend(() => {
        const former = state.chunks.splice(listed)
        state.pending.dropFirst(state.pending.length)
        state.flushedEnd = Math.min(state.flushedEnd, state.committedEnd)
        if (listed === 0) state.chunks.push(new Chunk(state.flushedEnd, 0))
        state.active.shorten(state.committedEnd - state.active.offset)
        state.rewinds += 1
        return this.dropFiles(former, listed)
      })
    )
  })

  /** Closes and removes the files of chunks that no commit has, the first of which has this index. */
  private dropFiles(former: ReadonlyArray<Chunk>, first: number): Effect.Effect<void> {
    const { io, state } = this.options
    return Effect.gen(function* () {
      for (const [index, chunk] of former.entries()) {
        const path = chunk.file?.path
        yield* chunk.close
        // What can't be removed now is debris, which the next writer removes.
        if (path !== undefined) yield* Effect.ignore(io.remove(path))
        if (chunk.sums === undefined) continue
        chunk.sums = undefined
        yield* Effect.ignore(io.remove(state.paths.sums(state.chunkNumber(first + index))))
      }
    })
  }
}

const noRoom = (offset: VirtualOffset): InvalidArgument =>
  new InvalidArgument({
    operation: "collect",
    reason: `control has no room for more than ${maxChunks} chunks: collect up to ${offset} first`
  })
