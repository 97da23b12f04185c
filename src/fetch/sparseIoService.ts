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
  /** What is read. Its length is asked for once. */
  readonly source: ByteSource<ES>
  /** Where what was read is kept. It must be used by nobody else meanwhile. */
  readonly store: ExtentStore<EX>
  /** What is fetched and kept at a time, in bytes: from 1 to 2^30. Default 131072. */
  readonly chunkSize?: number | undefined
  /** How many requests may be under way at once. Default 4. */
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
   * chunk. Default: no limit.
   */
  readonly budgetBytes?: number | undefined
  /**
   * What a failure of the store does: `"readThrough"` (the default) serves what was fetched, and fetches
   * what can't be read, with a warning in the log; `"fail"` fails the read with it.
   */
  readonly onStoreFailure?: "readThrough" | "fail" | undefined
  /** What a store that was filled from another version of the object does to `make`. Default `"fail"`. */
  readonly onSourceChanged?: "fail" | "clear" | undefined
}

/** What reads of a `SparseIo` fail with, beside the errors of source and store. */
export type SparseIoError = InvalidArgument | SourceChanged | SourceFailed

/** What was counted since an instance was made. */
export interface SparseIoStats {
  /** Chunks that reads found in the store. */
  readonly hits: number
  /** Requests made of the source. */
  readonly fetches: number
  /** Reads that waited for a chunk that another had asked for. */
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
   * only at the end of the object. At or beyond the end: `ReadOutOfBounds`.
   */
  readonly readChunk: (offset: number) => Effect.Effect<Uint8Array, E | SparseIoError | ReadOutOfBounds>
  /** Fills `buffer` from `offset`, and gives the number of bytes: fewer only at the end of the object. */
  readonly read: (offset: number, buffer: Uint8Array) => Effect.Effect<number, E | SparseIoError>
  /** `read`, under the name that a `ByteSource` has for it. */
  readonly readAt: (offset: number, buffer: Uint8Array) => Effect.Effect<number, E | SparseIoError>
  /**
   * The bytes from `from` (default 0) to the end, or `length` of them, in pieces of up to a chunk: fetched some megabytes
   * ahead of whoever takes them, and no further. Pieces are not to be written to.
   */
  readonly stream: (from?: number, length?: number) => Stream.Stream<Uint8Array, E | SparseIoError>
  /** The ranges that the store holds, ascending; none touches another. */
  readonly coverage: () => Effect.Effect<ReadonlyArray<Extent>>
  /**
   * Fetches what is missing of a range, in long requests; done when all of it is in the store, and fails where the
   * store does not take it, whatever `onStoreFailure` says. Of what lies beyond the end, or exceeds the budget,
   * nothing is left.
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
  /** Reads from the position and moves behind what was read; after a failure the position is what it was. */
  readonly read: (buffer: Uint8Array) => Effect.Effect<number, E | SparseIoError>
}
