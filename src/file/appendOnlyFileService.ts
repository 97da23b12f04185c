/**
 * The interface of an append-only file: how it is opened, its operations, and the errors of each group of them.
 */
import type * as Effect from "effect/Effect"
import type {
  Closed,
  DoubleClose,
  InconsistentStore,
  InvalidArgument,
  IoFailed,
  MemoryLimit,
  NoSpace,
  PendingFlush,
  Poisoned,
  ReadOutOfBounds,
  RoNotAllowed,
  RwNotAllowed,
  Unsupported
} from "../bytes/errors.ts"
import type { CreateError, DirectoryError, LockError, OpenError, SyncError, WriteError } from "../io/Io.ts"

export type AppendOnlyCreateError = CreateError | InvalidArgument | LockError
export type AppendOnlyOpenRwError = InconsistentStore | InvalidArgument | LockError | OpenError
export type AppendOnlyOpenRoError = InconsistentStore | InvalidArgument | OpenError
export type AppendOnlyReadError = Closed | InvalidArgument | IoFailed | ReadOutOfBounds
export type AppendOnlyFlushError = Closed | IoFailed | NoSpace | Poisoned | RoNotAllowed
export type AppendOnlyFsyncError = DirectoryError | SyncError
/** What an append fails with, whether or not an external procedure is called. */
export type AppendOnlyAppendError = AppendOnlyFlushError | InvalidArgument | MemoryLimit | PendingFlush
export type AppendOnlyRefreshError = Closed | InvalidArgument | RwNotAllowed
export type AppendOnlyCloseError = DoubleClose | IoFailed | PendingFlush
/** What `unsafe.append` throws. */
export type AppendOnlyUnsafeAppendError = AppendOnlyFlushError | InvalidArgument | MemoryLimit | Unsupported

/**
 * What the external procedure of a file that a layer provides may fail with: whatever Io says to a
 * write, a sync, or the sync of a directory. Constructors take any error of the caller's own.
 */
export type AppendOnlyExternalError = DirectoryError | SyncError | WriteError

/**
 * What happens when the flush threshold is reached: `"internal"` flushes, `external` is called to
 * flush and to do whatever else belongs to it (say, to record the new end). While it runs, appends
 * (its own ones too) only fill the buffer.
 */
export type AutoFlushProcedure<E = AppendOnlyExternalError> =
  "internal" | { readonly external: (file: AppendOnlyFileService<never>) => Effect.Effect<void, E> }

/** The number of buffered bytes from which on an append flushes, unless told otherwise: 1 MiB. */
export const defaultAutoFlushThreshold = 1 << 20

export interface AppendOnlyWriteOptions<E = AppendOnlyExternalError> {
  /** In bytes, default 1 MiB; 0 flushes every append. */
  readonly autoFlushThreshold?: number | undefined
  /** Default: `"internal"`. */
  readonly autoFlushProcedure?: AutoFlushProcedure<E> | undefined
  /** Makes unflushed bytes readable. Default: false. */
  readonly readsBuffer?: boolean | undefined
}

export interface AppendOnlyCreateOptions<E = AppendOnlyExternalError> extends AppendOnlyWriteOptions<E> {
  readonly path: string
  /** Replaces a file that exists already; otherwise that is `FileExists`. */
  readonly overwrite: boolean
}

export interface AppendOnlyOpenRoOptions {
  readonly path: string
  /** Where the file ends, as its owner recorded it; the dead header not counted. */
  readonly endPoff: number
  /** The number of bytes at the beginning of the file that are ignored, and never written. */
  readonly deadHeaderSize: number
}

export interface AppendOnlyOpenRwOptions<E = AppendOnlyExternalError>
  extends AppendOnlyWriteOptions<E>, AppendOnlyOpenRoOptions {}

/** The synchronous twins: same checks, same errors, thrown. They never wait. */
export interface UnsafeAppendOnlyFile {
  /**
   * As `append`, a flush of any size included. A file with an external procedure is `Unsupported`.
   * While another fiber's flush is on the thread pool the bytes stay in the buffer, above the
   * threshold too.
   */
  readonly append: (bytes: Uint8Array) => number
  readonly readInto: (offset: number, buffer: Uint8Array) => void
}

/**
 * An open append-only file. Offsets and lengths are bytes, integers from 0 to 2^53-1; offset 0 is
 * the first byte after the dead header. They are plain numbers: whether the file is a whole virtual
 * address space, whose offsets outlive its collection, or one piece of it, only its owner knows.
 * `E` is what the external flush procedure can fail with.
 */
export interface AppendOnlyFileService<E = AppendOnlyExternalError> {
  readonly path: string
  readonly readonly: boolean
  /** The number of buffered bytes from which on an append flushes; undefined in a read-only file. */
  readonly autoFlushThreshold: number | undefined
  /** Where the next append goes, unflushed bytes counted; read-only: as last told. No I/O. */
  readonly endPoff: () => number
  /** Whether nothing waits to be flushed. Read-only: true. */
  readonly emptyBuffer: () => boolean
  /**
   * The `length` bytes at `offset`. A read past the persisted end, or one that only reaches into
   * the append buffer, is `ReadOutOfBounds` as a whole, unless the file was opened with
   * `readsBuffer`. A read of 0 bytes succeeds everywhere up to the end.
   */
  readonly read: (offset: number, length: number) => Effect.Effect<Uint8Array, AppendOnlyReadError>
  /** As `read`, into a buffer of the caller's, all of which is filled. */
  readonly readInto: (offset: number, buffer: Uint8Array) => Effect.Effect<void, AppendOnlyReadError>
  /**
   * Copies `bytes` to the end and gives the offset of the first. When that many bytes wait that the
   * threshold is reached, it flushes them all; a record is never split between two flushes.
   *
   * Where the flush fails (or is interrupted, or an external procedure leaves bytes behind:
   * `PendingFlush`), the append fails with its error and has been made all the same: the bytes are
   * in the buffer, `endPoff` counts them, and the next append or flush tries again. After
   * `InvalidArgument`, `MemoryLimit`, `Closed` and `RoNotAllowed` nothing was appended.
   */
  readonly append: (bytes: Uint8Array) => Effect.Effect<number, AppendOnlyAppendError | E>
  /**
   * Appends many records back to back, with nobody else's between them, and gives the offset of the
   * first (of none: `endPoff`). All are appended or none; failures are as with `append`. An external
   * procedure is called once, behind the last record.
   */
  readonly appendAll: (records: Iterable<Uint8Array>) => Effect.Effect<number, AppendOnlyAppendError | E>
  /**
   * Hands what waits to the operating system. It does not sync. When it fails every byte stays in
   * the buffer, and a later flush writes from the same position.
   */
  readonly flush: Effect.Effect<void, AppendOnlyFlushError>
  /**
   * Makes what was flushed survive a power cut. It does not flush. The first one makes the name
   * survive too, which whoever made the file may have left undone. After a failure nothing is known of
   * what the device holds: it is never tried again, and every later flush and fsync fails with `Poisoned`.
   */
  readonly fsync: Effect.Effect<void, AppendOnlyFsyncError>
  /** Read-only: takes `end` for the new end of the file. No I/O, so it is not compared with the size. */
  readonly refreshEndPoff: (end: number) => Effect.Effect<void, AppendOnlyRefreshError>
  /** Closes and unlocks. With unflushed bytes it is `PendingFlush`, and the file stays open. */
  readonly close: Effect.Effect<void, AppendOnlyCloseError>
  readonly unsafe: UnsafeAppendOnlyFile
}
