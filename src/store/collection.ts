/**
 * One collection of a store: keeping the live extents before an offset, and giving back the disk of
 * the rest.
 *
 * 1. Gather: the live extents are read, clipped, sorted and united, and every byte of them is found
 *    to be readable. A dry run ends here.
 * 2. Seal: the active chunk ends where the committed bytes end, so that what is copied stands still.
 * 3. Copy: the live bytes, verified, become the sparse file of the next generation.
 * 4. Promote: it is made durable, under its final names.
 * 5. Publish: the new generation goes into both slots of control; from then on it is the store.
 * 6. Remove: the former prefix, and the chunks that lie wholly before the offset.
 *
 * Up to step 5 nothing of the store has changed: a failure or an interruption removes what was made.
 * Everything that takes long is done in slices, between which others run.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { type Closed, InvalidArgument } from "../bytes/errors.ts"
import { checkOffset } from "../bytes/offset.ts"
import { SparseFile } from "../file/SparseFile.ts"
import { sparsePaths } from "../file/sparsePaths.ts"
import type { ControlRecord } from "../format/controlRecord.ts"
import { attempt } from "../io/attempt.ts"
import { Io, type IoService } from "../io/Io.ts"
import type { Chunk } from "./chunk.ts"
import { openCollectionSource } from "./collectionSource.ts"
import type { ControlFile } from "./controlFile.ts"
import { diskBytes, estimatedMapBytes, nextGeneration, sealedRecord } from "./generation.ts"
import { fusedCount, gatherLive, type LiveExtents } from "./liveExtents.ts"
import { closePrefix, type OpenPrefix, openPrefixAt } from "./prefix.ts"
import type { StoreCommitting } from "./storeCommitting.ts"
import {
  collectionMillisMetric,
  collectionsMetric,
  freedBytesMetric,
  keptBytesMetric
} from "./storeMetrics.ts"
import { fileGone } from "./storeOpening.ts"
import type { StoreReading } from "./storeReading.ts"
import type {
  StoreCollected,
  StoreCollectError,
  StoreCollectMillis,
  StoreCollectOptions
} from "./storeService.ts"
import type { RetiredFiles, StoreState } from "./storeState.ts"

/** What memory is held for each extent of a list, for each binding of a map, and for the copy. */
const extentBytes = 16
const bindingBytes = 8
const copyBufferBytes = 512 * 1024

type Step = Exclude<keyof StoreCollectMillis, "total">
type Millis = { -readonly [step in keyof StoreCollectMillis]: number }
type Outcome = Omit<StoreCollected, "millis">

interface Made {
  /** What control said before. */
  readonly before: ControlRecord
  /** In the new prefix. */
  readonly extents: number
  readonly mapBytes: number
}

export interface CollectionOptions {
  readonly state: StoreState
  readonly io: IoService
  readonly reading: StoreReading
  readonly committing: StoreCommitting
  readonly control: ControlFile
  /** Holds the store's files open. */
  readonly files: Scope.Scope
}

/** One run of the six steps. */
export class Collection<E, R> {
  private readonly options: CollectionOptions
  private readonly request: StoreCollectOptions<E, R>
  /** Fails when the store is being closed. */
  private readonly closing: Deferred.Deferred<never, Closed>
  private readonly millis: Millis = {
    gather: 0,
    seal: 0,
    copy: 0,
    promote: 0,
    publish: 0,
    remove: 0,
    total: 0
  }
  /** Set before control is written: from then on only control knows whose files are debris. */
  private publishing = false
  private retired: RetiredFiles | undefined
  private peakMemoryBytes = 0

  constructor(
    options: CollectionOptions,
    request: StoreCollectOptions<E, R>,
    closing: Deferred.Deferred<never, Closed>
  ) {
    this.options = options
    this.request = request
    this.closing = closing
  }

  readonly run: Effect.Effect<StoreCollected, StoreCollectError | E, R> = Effect.gen(
    { self: this },
    function* () {
      const since = performance.now()
      yield* attempt<void, InvalidArgument>(() => this.checkUpTo())
      const live = yield* this.timed(
        "gather",
        this.unlessClosing(gatherLive(this.request, this.options.reading))
      )
      this.heldMemory(extentBytes * (live.given + live.count))
      const outcome = this.request.dryRun === true ? this.foresee(live) : yield* this.replacePrefix(live)
      this.millis.total = performance.now() - since
      const result: StoreCollected = { ...outcome, millis: this.millis }
      yield* report(result)
      return result
    }
  )

  private checkUpTo(): void {
    const { state } = this.options
    const { upTo } = this.request
    checkOffset("collect", "upTo", upTo)
    const refuse = (reason: string) => new InvalidArgument({ operation: "collect", reason })
    if (upTo > state.committedEnd) {
      throw refuse(`upTo ${upTo} is beyond ${state.committedEnd}, the end of what is committed`)
    }
    if (upTo < state.suffixStart) {
      throw refuse(`upTo ${upTo} is before ${state.suffixStart}, that of the last collection`)
    }
  }

  /** What a collection would do. */
  private foresee(live: LiveExtents): Outcome {
    const before = this.options.state.record
    const extents = fusedCount(live.extents)
    const mapBytes = estimatedMapBytes(extents, live.bytes)
    return this.outcome(live, { before, extents, mapBytes })
  }

  private replacePrefix(live: LiveExtents): Effect.Effect<Outcome, StoreCollectError> {
    return Effect.gen({ self: this }, function* () {
      const { committing, state } = this.options
      const before = state.record
      // 2.
      const takenBack = yield* this.timed("seal", committing.seal(this.request.upTo))
      this.heldMemory(extentBytes * live.count + takenBack)
      const path = state.paths.prefix(before.generation + 1)
      // What a collection that failed could not remove.
      yield* this.removeFiles(sparseNames(path))
      const extents = yield* this.unlessClosing(this.build(path, live)).pipe(
        Effect.tap(this.publish(path)),
        Effect.onError(() => (this.publishing ? Effect.void : this.removeFiles(sparseNames(path)))),
        Effect.ensuring(Effect.suspend(() => this.timed("remove", this.retire)))
      )
      return this.outcome(live, { before, extents, mapBytes: state.record.prefixMapBytes })
    })
  }

  /** Makes the sparse file of the next generation, and gives its number of extents. */
  private build(path: string, live: LiveExtents): Effect.Effect<number, StoreCollectError> {
    const { committing, io, state } = this.options
    const { onProgress, upTo } = this.request
    return Effect.gen({ self: this }, function* () {
      const source = yield* openCollectionSource(io, state, upTo).pipe(
        Effect.catchTag("NoSuchFile", (missing) => Effect.fail(fileGone(missing)))
      )
      const writer = yield* SparseFile.create(path, { maxGap: 0 })
      // 3.
      const copy = writer.appendExtents(source, live.extents, {
        onProgress: (bytes) => onProgress?.({ bytes, total: live.bytes })
      })
      const { extents } = yield* this.timed("copy", copy)
      this.heldMemory(extentBytes * live.count + bindingBytes * extents + copyBufferBytes)
      // 4.
      yield* this.timed("promote", writer.close)
      return extents
    }).pipe(
      Effect.scoped,
      // A failed fsync of the directory is everybody's: it may have been about the names of chunks.
      Effect.provideService(Io, {
        ...io,
        syncDirectory: (directory) => committing.poisoning(io.syncDirectory(directory))
      }),
      // The writer is nobody else's.
      Effect.catchTag("DoubleClose", Effect.die)
    )
  }

  // 5.
  private publish(path: string): Effect.Effect<void, StoreCollectError> {
    const { files, io, state } = this.options
    // Opened before it is anybody's turn: a large map takes a while.
    return Scope.provide(openPrefixAt(io, path, state.verifyReads), files).pipe(
      Effect.flatMap((prefix) =>
        Effect.onError(this.timed("publish", this.replace(prefix)), () => closePrefix(prefix))
      ),
      Effect.uninterruptible
    )
  }

  private replace(prefix: OpenPrefix): Effect.Effect<void, StoreCollectError> {
    const { committing, control, state } = this.options
    return committing.inTurn("collect", () => {
      const { dataLength: dataBytes, mapBytes } = prefix.reader
      const next = nextGeneration(state.record, { upTo: this.request.upTo, dataBytes, mapBytes })
      this.publishing = true
      // Whatever is removed is removed behind this: both slots, each synced, name the new files only.
      return Effect.map(committing.poisoning(control.writeBoth(next)), () => {
        this.retired = state.replace(next, prefix)
      })
    })
  }

  // 6.
  private readonly retire: Effect.Effect<void> = Effect.suspend(() => {
    const { retired } = this
    if (retired === undefined) return Effect.void
    // To unmap a file takes a while: others run in between.
    const close = (chunk: Chunk) => Effect.andThen(chunk.close, Effect.yieldNow)
    return closePrefix(retired.prefix).pipe(
      Effect.andThen(Effect.forEach(retired.chunks, close, { discard: true })),
      Effect.andThen(this.removeFiles(retired.paths))
    )
  })

  /** What can't be removed now is debris, which the next writer removes. */
  private removeFiles(paths: ReadonlyArray<string>): Effect.Effect<void> {
    const { io } = this.options
    const remove = (path: string) =>
      io.remove(path).pipe(
        Effect.catchTag("NoSuchFile", () => Effect.void),
        Effect.catch((error) =>
          Effect.logWarning(`${path} is of no use any more, and stays: ${error.message}`)
        )
      )
    return Effect.forEach(paths, remove, { discard: true })
  }

  private outcome(live: LiveExtents, made: Made): Outcome {
    const { dryRun = false, upTo } = this.request
    const { before, extents, mapBytes } = made
    // As if nobody had committed meanwhile.
    const after = nextGeneration(sealedRecord(before), { upTo, dataBytes: live.bytes, mapBytes })
    const readable = before.prefixDataBytes + upTo - before.suffixStart
    return {
      dryRun,
      generation: after.generation,
      upTo,
      extentsGiven: live.given,
      extents,
      bytesKept: live.bytes,
      bytesFreed: readable - live.bytes,
      chunksRemoved: after.firstChunk - before.firstChunk,
      diskBytesBefore: diskBytes(before),
      diskBytesAfter: diskBytes(after),
      peakMemoryBytes: this.peakMemoryBytes
    }
  }

  /** Ends when the store is closed: a close need not wait for what takes long and has changed nothing. */
  private unlessClosing<A, E1, R1>(effect: Effect.Effect<A, E1, R1>): Effect.Effect<A, E1 | Closed, R1> {
    return Effect.raceFirst(effect, Deferred.await(this.closing))
  }

  private heldMemory(bytes: number): void {
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, bytes)
  }

  private timed<A, E1, R1>(step: Step, effect: Effect.Effect<A, E1, R1>): Effect.Effect<A, E1, R1> {
    return Effect.suspend(() => {
      const since = performance.now()
      return Effect.ensuring(
        effect,
        Effect.sync(() => {
          this.millis[step] = performance.now() - since
        })
      )
    }).pipe(Effect.withSpan(`Store.collect.${step}`))
  }
}

/** Every name that the sparse file at a path may have had while it was made. */
const sparseNames = (path: string): ReadonlyArray<string> => {
  const { data, dataTmp, map, mapTmp } = sparsePaths(path)
  return [dataTmp, mapTmp, map, data]
}

const report = (collected: StoreCollected): Effect.Effect<void> => {
  const { bytesFreed, bytesKept, dryRun, extents, millis } = collected
  const annotated = Effect.annotateCurrentSpan({ bytesFreed, bytesKept, dryRun, extents })
  if (dryRun) return annotated
  return Effect.all(
    [
      annotated,
      Metric.update(collectionsMetric, 1),
      Metric.update(keptBytesMetric, bytesKept),
      Metric.update(freedBytesMetric, bytesFreed),
      Metric.update(collectionMillisMetric, millis.total)
    ],
    { discard: true }
  )
}
