/**
 * The interface of an offloaded file: how it is made, its operations, and their errors.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type {
  Closed,
  Corrupt,
  FileExists,
  InvalidArgument,
  IoFailed,
  Locked,
  MemoryLimit,
  NoSpace,
  NoSuchFile,
  NotADirectory,
  NotAFile,
  Poisoned,
  Unsupported
} from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { MemoryLimiter } from "../bytes/memoryLimiter.ts"
import type { Io, IoFile } from "../io/Io.ts"

export interface OffloadedFileOptions {
  /**
   * What is referred to and never written: bytes, which must not change from now on, or a file, which
   * may grow but must keep the bytes it has.
   */
  readonly backing: Uint8Array | IoFile
  /**
   * How many bytes may be held in memory: a number for this file alone, or a limiter shared by many.
   * Default: no limit. What is counted are the bytes of `"memory"` extents. On top come the slack of their
   * blocks, at most about as much again, and the bookkeeping: some 24 bytes an extent, 4 KiB at least.
   * While it is materialised, what is changed meanwhile is held twice.
   */
  readonly memoryLimit?: number | MemoryLimiter | undefined
}

/** A range of the backing, which is referred to and not copied. */
export interface BackingRange {
  readonly backingOffset: number
  readonly length: number
}

/** What to write: bytes, or a range of the backing. */
export type OffloadedData = Uint8Array | BackingRange

/** What a part of the file consists of. */
export type OffloadedExtent =
  | {
      readonly kind: "backing"
      readonly offset: number
      readonly length: number
      readonly backingOffset: number
    }
  | { readonly kind: "repeat"; readonly offset: number; readonly length: number; readonly value: number }
  | { readonly kind: "memory"; readonly offset: number; readonly length: number }

/** `Corrupt`: the backing has become shorter than it was when it was referred to. */
export type OffloadedReadError = Closed | Corrupt | InvalidArgument | IoFailed
/** `IoFailed`, and `Closed` of the backing, where its size has to be asked for. */
export type OffloadedWriteError = Closed | InvalidArgument | IoFailed | MemoryLimit
export type OffloadedResizeError = Closed | InvalidArgument
export type OffloadedMaterialiseError =
  | Closed
  | Corrupt
  | FileExists
  | InvalidArgument
  | IoFailed
  | Locked
  | NoSpace
  | NoSuchFile
  | NotADirectory
  | NotAFile
  | Poisoned
  | Unsupported

/** A position to seek to: `offset` bytes from the start, the end, or where the cursor stands. */
export interface SeekTarget {
  readonly from: "start" | "end" | "current"
  /** Bytes, negative towards the start. */
  readonly offset: number
}

export interface OffloadedCursorOptions {
  /**
   * Seeking beyond the end goes to the end, as the original does, where POSIX goes where it is told
   * and a write there leaves zeros before it. Default: false.
   */
  readonly clamp?: boolean | undefined
}

/** A position in the file that moves with what is read and written. For one fiber at a time. */
export interface OffloadedCursor {
  /** No I/O. */
  readonly position: () => number
  /** Moves the cursor and gives its new position. Before byte 0 is `InvalidArgument`, and it stays. */
  readonly seek: (target: SeekTarget) => Effect.Effect<number, Closed | InvalidArgument>
  /** Reads to `buffer` as `readAt` does, and moves behind what it gave; where it fails, not at all. */
  readonly read: (buffer: Uint8Array) => Effect.Effect<number, OffloadedReadError>
  /** Writes all as `writeAt` does, moves behind it, and gives its length; where it fails, it stays. */
  readonly write: (data: OffloadedData) => Effect.Effect<number, OffloadedWriteError>
}

/** The synchronous twins: same checks, same errors, thrown. They never wait. */
export interface UnsafeOffloadedFile {
  readonly readAt: (offset: number, buffer: Uint8Array) => number
  readonly writeAt: (offset: number, data: OffloadedData) => void
}

/**
 * An offloaded file. Offsets and lengths are bytes, integers from 0 to 2^53-1; others are
 * `InvalidArgument`. A change is made as a whole or not at all, at once: what a read that waits for
 * the backing gives is the file as it was when the read began.
 */
export interface OffloadedFileService {
  /** What errors call the file: the path of its backing, or `"an offloaded file"`. */
  readonly path: string
  /** Bytes. No I/O. */
  readonly length: () => number
  /** The bytes held in memory, which the limit is for. */
  readonly memoryBytes: () => number
  /** Fills `buffer` from `offset` as far as the file goes, and gives the number of bytes. */
  readonly readAt: (offset: number, buffer: Uint8Array) => Effect.Effect<number, OffloadedReadError>
  /**
   * Writes all of `data` at `offset`. Behind the end, zeros fill the gap. Bytes are copied, unless they
   * lie in the memory that is the backing: then, as with a range, only the place is noted. A range that
   * the backing does not have is `InvalidArgument`; more in memory than allowed is `MemoryLimit`; then
   * nothing has changed. No bytes change nothing, anywhere.
   */
  readonly writeAt: (offset: number, data: OffloadedData) => Effect.Effect<void, OffloadedWriteError>
  /** Cuts the file off at `length`, or extends it with bytes of the value `fill` (0 to 255, default 0). */
  readonly resize: (length: number, fill?: number) => Effect.Effect<void, OffloadedResizeError>
  /** Empties the file. */
  readonly truncate: Effect.Effect<void, Closed>
  /** Nothing to do: there is nothing to hand over. */
  readonly flush: Effect.Effect<void, Closed>
  /**
   * Writes the file, as it is now, to a new file at `path`, durable when it returns. Blocks of zeros
   * become holes. It is made as `<path>.tmp`, under a lock; what exists at `path` is `FileExists`. Where it
   * fails or is interrupted nothing is left.
   */
  readonly materialise: (path: string) => Effect.Effect<void, OffloadedMaterialiseError, Io>
  /**
   * What the file consists of, ascending, contiguous and none empty: neighbours that could be one are
   * one. A snapshot. Synchronous; throws `Closed`.
   */
  readonly extents: () => ReadonlyArray<OffloadedExtent>
  /** The ranges that are known to be zeros without being stored: repeats of 0. Synchronous; throws `Closed`. */
  readonly holes: () => ReadonlyArray<Extent>
  /** A new cursor at 0. Synchronous. */
  readonly cursor: (options?: OffloadedCursorOptions) => OffloadedCursor
  /**
   * A file of its own that begins as this one is now. What both hold in memory is shared until one of
   * them changes it, so that this takes microseconds; it counts towards the limit for both, since it may
   * come to be held twice: `MemoryLimit`.
   */
  readonly clone: Effect.Effect<OffloadedFileService, Closed | MemoryLimit, Scope.Scope>
  readonly unsafe: UnsafeOffloadedFile
}
