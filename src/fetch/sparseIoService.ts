/**
 * The interface of SparseIo: how it is made, its operations, and their errors.
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { InvalidArgument, ReadOutOfBounds, SourceChanged, SourceFailed } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { ExtentStore } from "../file/extentStore.ts"
import type { ByteSource } from "./ByteSource.ts"

export interface SparseIoOptions<ES, EX> {
  /**
   * What is read. Its length is asked for once.
   *
   * One that has no ranges (`hasRanges` is false) is fetched by one request for all of it, whatever `requestBytes` and
   * `concurrency` say: by `stream`, `prefetch` of everything, or a read of everything, after which any part can be
   * read; before that, parts that don't begin at 0 fail as the source says. A store that has only a part counts as empty. An
   * object of more than 16,384 chunks, or more than the budget, makes `make` fail with `SourceFailed`.
   */
  readonly source: ByteSource<ES>
  /** Where what was read is kept. It must be used by nobody else meanwhile. */
  readonly store: ExtentStore<EX>
  /** What is fetched and kept at a time, in bytes: from 1 to 2^30. Default 131072. */
  readonly chunkSize?: number | undefined
  /**
   * How many requests may be under way at once. Default 4. Where there may be several, what is fetched ahead of whoever
   * wants it leaves one of them free.
   */
  readonly concurrency?: number | undefined
  /**
   * The bytes that one request asks for at most: neighbouring missing chunks are fetched together up to
   * here. At least a chunk. Default 16 MiB.
   */
  readonly requestBytes?: number | undefined
  /** The bytes that `stream` fetches ahead of its reader. Default 4 MiB. */
  readonly readAheadBytes?: number | undefined
  /**
   * The bytes that the store may keep; chunks that were not used for long are deleted for others. At least a
   * chunk. Default: no limit. `make` deletes what exceeds it, and every extent that isn't a whole chunk of this
   * chunk size: another `chunkSize` than before begins anew. Of what a store without `extents()` had before,
   * only what is read counts, from then on.
   */
  readonly budgetBytes?: number | undefined
  /**
   * What a failure of the store does: `"readThrough"` (the default) serves what was fetched, and fetches
   * what can't be read, with a warning in the log; `"fail"` fails the read with it.
   * A tagged error that an operation of the store throws is such a failure too; defects are not.
   */
  readonly onStoreFailure?: "readThrough" | "fail" | undefined
  /**
   * What a store that was filled from another version of the object does to `make`, which fails with
   * `SourceChanged`, or clears it if it can be cleared. Default `"fail"`.
   */
  readonly onSourceChanged?: "fail" | "clear" | undefined
  /**
   * Whether to go on with a store that has something of the object where the source says that it is not
   * `isVersioned`: nothing but the length tells then that it is of this version. Default false: such a store is one of
   * another version, which does what `onSourceChanged` says, and what a store without `extents()` has is not
   * asked for. A source without `isVersioned` is believed: by its identity, or, where it has none, by its length.
   */
  readonly trustLength?: boolean | undefined
}

/** What reads of a `SparseIo` fail with, beside the errors of source and store. */
export type SparseIoError = InvalidArgument | SourceChanged | SourceFailed

/** What was counted since an instance was made. */
export interface SparseIoStats {
  /** Chunks that reads found in the store; a prefetch is none. */
  readonly hits: number
  /** Requests made of the source. */
  readonly fetches: number
  /** Reads that waited for a chunk that another had asked for; a prefetch is none. */
  readonly sharedWaits: number
  /** Bytes that came from the source. */
  readonly fetchedBytes: number
  /** Bytes deleted from the store for the sake of others. */
  readonly evictedBytes: number
  /** Failures of the store that a read was served in spite of. */
  readonly storeFailures: number
}

/** It is a `ByteSource` itself: what reads one reads it through the store. */
export interface SparseIoService<out E> extends ByteSource<E | SparseIoError> {
  /** The length of the object in bytes, as the source told it when this was made. */
  readonly length: Effect.Effect<number>
  readonly chunkSize: number
  /**
   * The chunk that `offset` lies in, whole: from the multiple of the chunk size at or below it, shorter
   * only at the end of the object. At or beyond the end: `ReadOutOfBounds`. The bytes are shared with whoever asked for
   * the chunk by `readChunk` at the same time: do not write to them. Nothing else would see it.
   */
  readonly readChunk: (offset: number) => Effect.Effect<Uint8Array, E | SparseIoError | ReadOutOfBounds>
  /** Fills `buffer` from `offset`, and gives the number of bytes: fewer only at the end of the object. */
  readonly read: (offset: number, buffer: Uint8Array) => Effect.Effect<number, E | SparseIoError>
  /** `read`, under the name that a `ByteSource` has for it. */
  readonly readAt: (offset: number, buffer: Uint8Array) => Effect.Effect<number, E | SparseIoError>
  /**
   * The bytes from `from` (default 0) to the end, or `length` of them, in pieces of up to a chunk: fetched some megabytes
   * ahead of whoever takes them, and no further. What failed ahead is asked for once more when its turn comes, and fails
   * the stream only then. Pieces are not to be written to.
   */
  readonly stream: (from?: number, length?: number) => Stream.Stream<Uint8Array, E | SparseIoError>
  /** The ranges that the store holds, ascending; none touches another. */
  readonly coverage: () => Effect.Effect<ReadonlyArray<Extent>>
  /**
   * Fetches what is missing of a range, in long requests; done when all of it is in the store, and fails where the
   * store does not take it, whatever `onStoreFailure` says. A range that fits the budget is all there then, in
   * place of what was there before; of what lies beyond the end, or exceeds the budget, nothing is left.
   */
  readonly prefetch: (range: Extent) => Effect.Effect<void, E | SparseIoError>
  /** A new cursor, at 0. */
  readonly viewer: () => SparseViewer<E>
  readonly stats: () => SparseIoStats
  /** Makes durable what the store holds, if it can. */
  readonly flush: Effect.Effect<void, E>
}

/** A cursor of its own over the object. */
export interface SparseViewer<out E> {
  readonly position: () => number
  /** Moves to `offset`, from 0 up to the length; beyond it is `InvalidArgument`, and nothing moves. Gives it back. */
  readonly seek: (offset: number) => Effect.Effect<number, InvalidArgument>
  /**
   * Reads from the position and moves behind what was read; after a failure the position is what it was. Reads of one
   * cursor come one after another, each where the one before it ended; who seeks during a read stays where it went.
   */
  readonly read: (buffer: Uint8Array) => Effect.Effect<number, E | SparseIoError>
}
