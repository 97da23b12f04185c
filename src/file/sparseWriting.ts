/**
 * The state of a sparse file under construction, and the operations on it.
 *
 * Invariants: one operation at a time; every binding in the builder is in the coverage and the other
 * way round; once `trouble` is set nothing more is appended, mapped or promoted.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { FileExists, InconsistentStore, IoFailed, NoSpace, NoSuchFile } from "../bytes/errors.ts"
import type { MemoryLimit, NotADirectory, NotAFile } from "../bytes/errors.ts"
import { Closed, DoubleClose, InvalidArgument, Poisoned, ReadOutOfBounds } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { ExtentList } from "../bytes/extentList.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { checkRange } from "../bytes/offset.ts"
import { encodeBlockSums } from "../format/blockSums.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile, IoService } from "../io/Io.ts"
import { Offmap } from "./Offmap.ts"
import type { SparseClaim } from "./sparseClaim.ts"
import { sparseCopy, type SparseCopyError, type SparseCopyOptions } from "./sparseCopy.ts"
import { SparseCoverage } from "./sparseCoverage.ts"
import { gatherExtents } from "./sparseGathering.ts"
import { longestRunBytes, SparseOutput } from "./sparseOutput.ts"
import type { SparsePaths } from "./sparsePaths.ts"
import { SparsePlan } from "./sparsePlan.ts"
import { promoteSparseFile } from "./sparsePromotion.ts"
import type { SparseSource } from "./sparseSource.ts"

export type SparseAppendError = Closed | IoFailed | NoSpace | Poisoned
export type SparseAppendFromError = SparseAppendError | InvalidArgument | MemoryLimit | ReadOutOfBounds
export type SparseMapAddError = Closed | InvalidArgument | MemoryLimit | Poisoned
export type SparseCloseError =
  | DoubleClose
  | FileExists
  | InconsistentStore
  | InvalidArgument
  | IoFailed
  | MemoryLimit
  | NoSpace
  | NoSuchFile
  | NotADirectory
  | NotAFile
  | Poisoned

/** What `appendExtents` has added. */
export interface AppendedExtents {
  /** Bindings added, after fusing. */
  readonly extents: number
  /** Bytes copied, gaps that were fused over included. */
  readonly bytes: number
}

export interface AppendExtentsOptions {
  /** Told after every slice of the copy, a few megabytes, how many bytes it has appended so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

export interface SparseWritingOptions {
  readonly io: IoService
  readonly paths: SparsePaths
  readonly claim: SparseClaim
  /** Holds the open files and the lock: closed by `close`. */
  readonly scope: Scope.Closeable
  readonly maxGap: number
}

export class SparseWriting {
  private readonly options: SparseWritingOptions
  private readonly turn = Semaphore.makeUnsafe(1)
  private readonly output: SparseOutput
  private readonly builder = Offmap.builder()
  private readonly coverage = new SparseCoverage(() => this.builder.build().entries())
  /** Why nothing more can be written, once an append or a close has failed. */
  private trouble: { readonly cause: unknown } | undefined
  private closed = false
  private promoting = false
  private bindingsEnd = 0

  constructor(options: SparseWritingOptions) {
    this.options = options
    this.output = new SparseOutput(options.claim.data)
  }

  currentOffset(): PhysicalOffset {
    return this.output.end
  }

  offmap(): Offmap["Service"] {
    return this.builder.build()
  }

  appendBytes(bytes: Uint8Array): Effect.Effect<void, SparseAppendError> {
    return this.appending("appendBytes", this.appendPieces(bytes))
  }

  appendFrom<SE>(
    source: SparseSource<SE>,
    options: { readonly offset: VirtualOffset; readonly length: number; readonly updateMap: boolean }
  ): Effect.Effect<void, SparseAppendFromError | SE> {
    const { length, offset, updateMap } = options
    const copy = Effect.gen({ self: this }, function* () {
      yield* attempt<void, InvalidArgument | MemoryLimit>(() => {
        checkRange("appendFrom", offset, length)
        if (updateMap) this.checkUnmapped("appendFrom", offset, length)
      })
      const end = yield* source.size
      if (offset + length > end) {
        return yield* new ReadOutOfBounds({ path: source.path, offset, length, end })
      }
      const physical = this.output.end
      const extents = new ExtentList()
      if (length > 0) extents.push(offset, length)
      yield* this.copy({ source, extents, output: this.output, copied: () => {} })
      if (updateMap) this.bind(offset, physical, length)
    })
    return this.appending("appendFrom", copy)
  }

  mapAdd(
    virtual: VirtualOffset,
    physical: PhysicalOffset,
    length = 0
  ): Effect.Effect<void, SparseMapAddError> {
    const add = attempt<void, InvalidArgument | MemoryLimit>(() => {
      checkRange("mapAdd", virtual, length)
      checkRange("mapAdd", physical, length)
      this.checkUnmapped("mapAdd", virtual, length)
      this.bind(virtual, physical, length)
    })
    return this.appending("mapAdd", add)
  }

  /** An `ExtentList` is taken over: sorted and fused in place, and nobody else's from then on. */
  appendExtents<E, R, SE>(
    source: SparseSource<SE>,
    extents: Iterable<Extent> | Stream.Stream<Extent, E, R>,
    options: AppendExtentsOptions = {}
  ): Effect.Effect<AppendedExtents, SparseAppendFromError | E | SE, R> {
    // Gathered before it is this operation's turn: a stream may use this very writer.
    const gathered = this.guarded("appendExtents", gatherExtents(extents))
    return Effect.flatMap(gathered, (all) =>
      this.appending("appendExtents", this.copyExtents(source, all, options))
    )
  }

  /** Promotes; in success the files are closed and the lock is free. Can't be interrupted. */
  readonly close: Effect.Effect<void, SparseCloseError> = Effect.suspend(() =>
    this.turn.withPermits(1)(Effect.uninterruptible(Effect.suspend(() => this.closeNow())))
  )

  /** What the end of the scope does: away with files that nobody will finish. */
  readonly discard: Effect.Effect<void> = Effect.suspend(() => {
    if (this.closed) return Effect.void
    this.closed = true
    const remove = Effect.ignore(this.removeTmp())
    // A close of another fiber that has begun completes, with its files still open and in place.
    return this.promoting ? this.turn.withPermits(1)(remove) : remove
  })

  /** Runs one operation when its turn comes. */
  private appending<A, E, R>(
    operation: string,
    body: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Closed | Poisoned, R> {
    return this.turn.withPermits(1)(this.guarded(operation, body))
  }

  /**
   * Runs an operation, or a part of one, unless the writer is closed or poisoned. Any failure but
   * `InvalidArgument`, and an interruption in the middle, poisons it.
   */
  private guarded<A, E, R>(
    operation: string,
    body: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Closed | Poisoned, R> {
    return Effect.suspend((): Effect.Effect<A, E | Closed | Poisoned, R> => {
      const { path } = this
      if (this.closed) return Effect.fail(new Closed({ path, operation }))
      if (this.trouble !== undefined) return Effect.fail(new Poisoned({ path, cause: this.trouble.cause }))
      return body.pipe(
        // The scope may have ended meanwhile: the files are on their way out, whatever went well.
        Effect.tap(() => (this.closed ? Effect.fail(new Closed({ path, operation })) : Effect.void)),
        Effect.onExit((exit) => Effect.sync(() => this.poisonAfter(operation, exit)))
      )
    })
  }

  private get path(): string {
    return this.options.paths.data
  }

  private poisonAfter(operation: string, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) return
    const cause = Cause.hasInterruptsOnly(exit.cause)
      ? new Error(`${operation} was interrupted`)
      : Cause.squash(exit.cause)
    if (!(cause instanceof InvalidArgument)) this.trouble ??= { cause }
  }

  private appendPieces(bytes: Uint8Array): Effect.Effect<void, SparseAppendError> {
    const append = (at: number) =>
      attempt<void, SparseAppendError>(() => this.output.append(bytes.subarray(at, at + longestRunBytes)))
    if (bytes.length <= longestRunBytes) return append(0)
    return Effect.gen(function* () {
      for (let at = 0; at < bytes.length; at += longestRunBytes) {
        yield* append(at)
        yield* Effect.yieldNow
      }
    })
  }

  private copyExtents<SE>(
    source: SparseSource<SE>,
    extents: ExtentList,
    { onProgress }: AppendExtentsOptions
  ): Effect.Effect<AppendedExtents, SparseAppendFromError | SE> {
    return Effect.gen({ self: this }, function* () {
      const { coverage, options, output } = this
      const sourceSize = yield* source.size
      const plan = new SparsePlan(extents, { source, sourceSize, coverage, maxGap: options.maxGap })
      while (yield* attempt<boolean, InvalidArgument | MemoryLimit | ReadOutOfBounds>(() => plan.step())) {
        yield* Effect.yieldNow
      }
      const before = output.end
      yield* this.copy({
        source,
        extents,
        output,
        copied: (offset, physical, length) => this.bind(offset, physical, length),
        onProgress
      })
      return { extents: extents.count, bytes: output.end - before }
    })
  }

  /** Copies. After that whatever fails poisons, an `InvalidArgument` of the source's own too. */
  private copy<SE>(options: SparseCopyOptions<SE>): Effect.Effect<void, SparseCopyError | SE> {
    return Effect.onError(sparseCopy(options), (cause) =>
      Effect.sync(() => {
        if (!Cause.hasInterruptsOnly(cause)) this.trouble = { cause: Cause.squash(cause) }
      })
    )
  }

  private checkUnmapped(operation: string, offset: number, length: number): void {
    if (this.coverage.overlaps(offset, length)) {
      throw new InvalidArgument({
        operation,
        reason: `the ${length} bytes at ${offset} overlap what is mapped already`
      })
    }
  }

  private bind(virtual: VirtualOffset, physical: PhysicalOffset, length: number): void {
    this.builder.add(virtual, physical, length)
    this.coverage.add(virtual, length)
    if (length > 0 && physical + length > this.bindingsEnd) this.bindingsEnd = physical + length
  }

  private closeNow(): Effect.Effect<void, SparseCloseError> {
    const { claim, io, paths, scope } = this.options
    if (this.closed) return Effect.fail(new DoubleClose({ path: this.path }))
    if (this.trouble !== undefined) {
      return Effect.fail(new Poisoned({ path: this.path, cause: this.trouble.cause }))
    }
    if (this.bindingsEnd > this.output.end) {
      const reason = `a binding reaches to ${this.bindingsEnd}, and ${this.output.end} bytes were written`
      return Effect.fail(new InvalidArgument({ operation: "close", reason }))
    }
    this.promoting = true
    const promote = Effect.gen({ self: this }, function* () {
      const sums = yield* attempt<Uint32Array, SparseAppendError>(() => this.output.finish())
      const dataLength = this.output.end
      const section = encodeBlockSums(dataLength, sums)
      const map = yield* attempt<Offmap["Service"], MemoryLimit>(() => this.builder.build())
      const writeMap = (file: IoFile) =>
        Effect.flatMap(Offmap.write(map, file, 0), (bytes) =>
          Effect.as(file.writeAt(bytes, section), bytes + section.length)
        )
      yield* promoteSparseFile({ io, paths, claim, dataLength, writeMap })
      this.closed = true
      yield* Scope.close(scope, Exit.void)
    })
    return promote.pipe(
      Effect.onExit((exit) => Effect.sync(() => this.poisonAfter("close", exit))),
      // The files are the writer's own, open for writing; the map is in memory and trusted.
      Effect.catchTag(["Closed", "Corrupt", "ReadOutOfBounds", "RoNotAllowed"], Effect.die)
    )
  }

  /**
   * Removes the `.tmp` files, unless a failed close may have renamed the data: then the map's is
   * what an open needs to finish the promotion.
   */
  private removeTmp() {
    const { io, paths } = this.options
    return Effect.gen({ self: this }, function* () {
      if (this.promoting && (yield* io.classify(paths.dataTmp)) === "none") return
      yield* Effect.ignore(io.remove(paths.mapTmp))
      yield* io.remove(paths.dataTmp)
    })
  }
}
