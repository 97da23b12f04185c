/**
 * SparseFileWriter: builds a sparse file, once, from the live parts of another.
 *
 * Data goes to the end of `<path>.tmp` and bindings to a map in memory; `close` makes both durable
 * and gives them their names. Operations of several fibers happen one after another. An append that
 * failed or was interrupted poisons the writer, since what its data file holds is then unknown;
 * `InvalidArgument` does not, since it is found before anything is done.
 *
 * What it deliberately doesn't do: change a finished file, or fuse anything but in `appendExtents`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { InvalidArgument } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { checkOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import { Io } from "../io/Io.ts"
import type { Offmap } from "./Offmap.ts"
import { claimSparseFile, type SparseClaimError } from "./sparseClaim.ts"
import { sparsePaths } from "./sparsePaths.ts"
import type { SparseSource } from "./sparseSource.ts"
import type {
  AppendedExtents,
  AppendExtentsOptions,
  SparseAppendError,
  SparseAppendFromError,
  SparseCloseError,
  SparseMapAddError
} from "./sparseWriting.ts"
import { SparseWriting } from "./sparseWriting.ts"

export interface SparseFileWriterOptions {
  /**
   * `appendExtents` makes one extent of two that lie at most so many bytes apart (default 32): the
   * bytes between them are copied and become readable, and a binding is saved. 0 fuses only extents
   * that touch.
   */
  readonly maxGap?: number
}

export type { SparseSource } from "./sparseSource.ts"
export type {
  AppendedExtents,
  AppendExtentsOptions,
  SparseAppendError,
  SparseAppendFromError,
  SparseCloseError,
  SparseMapAddError
} from "./sparseWriting.ts"

export type SparseCreateError = SparseClaimError | InvalidArgument
export interface SparseFileWriterService {
  /** The final path of the data. */
  readonly path: string
  /** The physical offset that the next byte appended will have. */
  readonly currentOffset: () => PhysicalOffset
  /** Appends bytes without a binding. They are copied before it returns. */
  readonly appendBytes: (bytes: Uint8Array) => Effect.Effect<void, SparseAppendError>
  /**
   * Appends `length` bytes at `offset` of `source`, an open file for one; with `updateMap`, binds
   * exactly that extent to them. `ReadOutOfBounds` when the source doesn't reach so far.
   */
  readonly appendFrom: <SE = never>(
    source: SparseSource<SE>,
    options: { readonly offset: VirtualOffset; readonly length: number; readonly updateMap: boolean }
  ) => Effect.Effect<void, SparseAppendFromError | SE>
  /**
   * Adds one binding: of `length` bytes, or a point when there is none. The physical range may be
   * written later, before `close`. A point is only an entry for `mapFind`: it makes nothing readable,
   * and its physical offset is not checked.
   */
  readonly mapAdd: (
    virtual: VirtualOffset,
    physical: PhysicalOffset,
    length?: number
  ) => Effect.Effect<void, SparseMapAddError>
  /**
   * Appends many extents of `source`, given in any order, and binds each; those at most `maxGap`
   * bytes apart are fused. All are gathered and checked first: `InvalidArgument` when two overlap or
   * one overlaps what is mapped, `ReadOutOfBounds` when the source doesn't reach so far, and no byte
   * is written. A stream that fails passes its error on and poisons the writer, since extents would be
   * missing. Extents of length 0 are passed over. Takes 16 bytes of memory an extent, 32 when
   * they don't ascend.
   */
  readonly appendExtents: <E = never, R = never, SE = never>(
    source: SparseSource<SE>,
    extents: Iterable<Extent> | Stream.Stream<Extent, E, R>,
    options?: AppendExtentsOptions
  ) => Effect.Effect<AppendedExtents, SparseAppendFromError | E | SE, R>
  /** The map so far, in memory. */
  readonly offmap: () => Offmap["Service"]
  /**
   * Makes data and map durable and gives them their final names. `InvalidArgument`, with the writer
   * still open, when a binding reaches beyond the data; `Poisoned` after a failed append or close.
   */
  readonly close: Effect.Effect<void, SparseCloseError>
}

export class SparseFileWriter extends Context.Service<SparseFileWriter, SparseFileWriterService>()(
  "lacuna/SparseFileWriter"
) {
  /**
   * Begins a sparse file at `path`. `FileExists` when `<path>` or `<path>.map` exists; `Locked` when
   * another writer is at it; `NotAFile` when something that is no file has one of the `.tmp` names.
   * When the scope ends before `close`, the `.tmp` files are deleted.
   */
  static readonly create = Effect.fn("SparseFile.create")(function* (
    path: string,
    options: SparseFileWriterOptions = {}
  ): Effect.fn.Return<SparseFileWriterService, SparseCreateError, Io | Scope.Scope> {
    const io = yield* Io
    const maxGap = yield* checkMaxGap(options.maxGap ?? 32)
    const paths = sparsePaths(path)
    // A scope of its own, so that close can release the lock and the files before the caller's ends.
    const scope = yield* Scope.fork(yield* Scope.Scope)
    const claim = yield* claimSparseFile(io, paths).pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
    const writing = new SparseWriting({ claim, io, maxGap, paths, scope })
    yield* Scope.addFinalizer(scope, writing.discard)
    return SparseFileWriter.of({
      path,
      currentOffset: () => writing.currentOffset(),
      appendBytes: (bytes) => writing.appendBytes(bytes),
      appendFrom: (source, options) => writing.appendFrom(source, options),
      mapAdd: (virtual, physical, length) => writing.mapAdd(virtual, physical, length),
      appendExtents: (source, extents, options) => writing.appendExtents(source, extents, options),
      offmap: () => writing.offmap(),
      close: writing.close
    })
  }, Effect.uninterruptible)

  /**
   * One writer for a program. It is closed, and so promoted, only when the program succeeded; a
   * failure of that close is logged as an error. Meant for `Effect.provide`: a `ManagedRuntime` always
   * ends with success, whatever its programs did.
   */
  static readonly layer = (
    path: string,
    options: SparseFileWriterOptions = {}
  ): Layer.Layer<SparseFileWriter, SparseCreateError, Io> =>
    Layer.effect(
      SparseFileWriter,
      Effect.tap(SparseFileWriter.create(path, options), (writer) =>
        Effect.addFinalizer((exit) => (Exit.isSuccess(exit) ? closeOrLog(writer) : Effect.void))
      )
    )
}

const closeOrLog = (writer: SparseFileWriterService): Effect.Effect<void> =>
  writer.close.pipe(
    Effect.catchTag("DoubleClose", () => Effect.void),
    Effect.catch((error) => Effect.logError(`${writer.path} was not finished: ${error.message}`))
  )

/** The maxGap given, when it can be one. */
const checkMaxGap = (maxGap: number): Effect.Effect<number, InvalidArgument> =>
  attempt(() => {
    checkOffset("SparseFile.create", "maxGap", maxGap)
    return maxGap
  })
