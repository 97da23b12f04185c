/**
 * The interface of a store: how it is opened, its operations, and the errors of each group of them.
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type {
  Closed,
  Corrupt,
  DoubleClose,
  FileExists,
  InconsistentStore,
  InvalidArgument,
  InvalidSparseRead,
  IoFailed,
  Locked,
  MemoryLimit,
  NoSpace,
  NoSuchFile,
  NotADirectory,
  NotAFile,
  PendingFlush,
  Poisoned,
  ReadOutOfBounds,
  RoNotAllowed,
  RwNotAllowed,
  Unsupported
} from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { VirtualOffset } from "../bytes/offset.ts"
import type { RunRange } from "../bytes/readBuffer.ts"
import type { OpenError } from "../io/Io.ts"
import type {
  StoreBackedUp,
  StoreChecked,
  StoreCollected,
  StoreProgress,
  StoreStats
} from "./storeReports.ts"

export type * from "./storeReports.ts"

/** What the system can say where files of the store are opened, made or renamed. */
type FileError = IoFailed | NoSpace | NoSuchFile | NotADirectory | NotAFile

/** `Unsupported`: files can't be locked here. */
export type StoreOpenError = Corrupt | FileExists | InvalidArgument | Locked | Unsupported | FileError
export type StoreReadError =
  Closed | Corrupt | InvalidArgument | InvalidSparseRead | IoFailed | ReadOutOfBounds
/** `FileError`, but for `NoSpace` and `IoFailed`, only where the append begins a new chunk. */
export type StoreAppendError =
  Closed | FileExists | InvalidArgument | MemoryLimit | Poisoned | RoNotAllowed | FileError
/** What `unsafe.commit` throws. */
export type StoreUnsafeCommitError = Closed | IoFailed | NoSpace | Poisoned | RoNotAllowed | Unsupported
/** What `unsafe.append` throws. */
export type StoreUnsafeAppendError =
  Closed | InvalidArgument | IoFailed | MemoryLimit | NoSpace | Poisoned | RoNotAllowed
/** `Corrupt`: a chunk to be sealed has become shorter. */
export type StoreCommitError = Closed | Corrupt | FileExists | Poisoned | RoNotAllowed | FileError
export type StoreRollbackError = Closed | Poisoned | RoNotAllowed
export type StoreRefreshError = Closed | Corrupt | RwNotAllowed | OpenError
export type StoreCollectError =
  | Closed
  | Corrupt
  | FileExists
  | InconsistentStore
  | InvalidArgument
  | InvalidSparseRead
  | Locked
  | MemoryLimit
  | Poisoned
  | ReadOutOfBounds
  | RoNotAllowed
  | Unsupported
  | FileError
/** What checking a directory fails with, open or not. */
export type StoreScanError = IoFailed | NoSuchFile | NotADirectory
export type StoreCheckError = Closed | StoreScanError
/** `Locked` and `Unsupported`: of the lock of the copy, which no one else may be making a store of. */
export type StoreBackupError =
  Closed | Corrupt | FileExists | InvalidArgument | Locked | Unsupported | FileError
export type StoreCloseError = DoubleClose | PendingFlush

/** The size from which on a chunk is followed by another, unless told otherwise: 64 MiB. */
export const defaultChunkSize = 64 * (1 << 20)

export interface StoreOptions {
  /** The directory that is the store. */
  readonly directory: string
  /** Opens for reading, beside any writer. Default: false. */
  readonly readonly?: boolean | undefined
  /**
   * Makes a new, empty store where there is none, and the directory with it (but not its parent).
   * Default: false.
   */
  readonly create?: boolean | undefined
  /**
   * Bytes, at least 1, default 64 MiB: an append that would make the active chunk longer begins a
   * new one. A record is never split, so a longer one has a chunk to itself. With hundreds of
   * chunks the size grows, so that appends alone never fill their list in the control file: it doubles
   * with every 256 of them.
   */
  readonly chunkSize?: number | undefined
  /** Bytes, default 1 MiB: with so many waiting in memory they are handed to the system. */
  readonly autoFlushThreshold?: number | undefined
  /** Verifies every block of 64 KiB of the prefix and of sealed chunks at its first touch. Default: false. */
  readonly verifyReads?: boolean | undefined
}

/** The synchronous twins: same checks, same errors, thrown. They never wait. */
export interface UnsafeStore {
  /**
   * As `append`, except that it never begins a new chunk, since files are made by Effects: until the
   * next `append`, `appendAll` or `commit` all goes to the active one, however long that gets.
   */
  readonly append: (bytes: Uint8Array) => VirtualOffset
  /**
   * As `commit`, with its fsyncs on the caller's thread: nothing else runs meanwhile, and two changes
   * of threads are saved, which on a fast device take as long as an fsync. `Unsupported` when a file
   * would have to be made (the first commit of a new store or chunk) or somebody waited for (another
   * commit, a flush, a collection that is being published): then it takes `commit`.
   */
  readonly commit: () => void
  /** As `readInto`, on the caller's thread, whatever its size. */
  readonly readInto: (offset: VirtualOffset, buffer: Uint8Array) => void
}

export interface StoreScanOptions {
  /** Told after every piece of a megabyte. */
  readonly onProgress?: ((progress: StoreProgress) => void) | undefined
}

export interface StoreCollectOptions<E = never, R = never> {
  /**
   * What to keep, in any order. Duplicates and overlaps are united; what lies at or beyond `upTo` is
   * passed over, and clipped off where an extent straddles it. Every byte named must be readable.
   */
  readonly live: Iterable<Extent> | Stream.Stream<Extent, E, R>
  /**
   * Everything before this offset that is not live is forgotten; everything from it on is kept. It
   * must be committed, and not before the last collection's.
   */
  readonly upTo: VirtualOffset
  /** Finds what is asked for to be readable and tells what would be freed, and changes nothing. Default: false. */
  readonly dryRun?: boolean | undefined
  /** Told after every slice of the copy, a megabyte or a millisecond. */
  readonly onProgress?: ((progress: StoreProgress) => void) | undefined
}

/**
 * An open store. Offsets and lengths are bytes, integers from 0 to 2^53-1. Operations of any number
 * of fibers may overlap.
 */
export interface StoreService {
  readonly directory: string
  readonly readonly: boolean
  /** Where the next append goes; read-only: as `committedEnd`. No I/O. */
  readonly end: () => VirtualOffset
  /** The end of what survives a power cut, as far as this instance knows. No I/O. */
  readonly committedEnd: () => VirtualOffset
  /**
   * Copies `bytes` to the end and gives the offset of the first, for ever. It is readable here at
   * once, elsewhere and after a crash once it is committed. An append that fails has appended
   * nothing.
   */
  readonly append: (bytes: Uint8Array) => Effect.Effect<VirtualOffset, StoreAppendError>
  /**
   * Appends many records back to back and gives the offset of the first (of none: the end). All are
   * appended or none.
   */
  readonly appendAll: (records: Iterable<Uint8Array>) => Effect.Effect<VirtualOffset, StoreAppendError>
  /**
   * The `length` bytes at `offset`, from the prefix, the chunks and what is not flushed yet. Where
   * the first byte was collected it is `InvalidSparseRead`; where the run that begins there is
   * shorter, or the store ends, `ReadOutOfBounds` with its end. A read of 0 bytes succeeds
   * everywhere up to the end.
   */
  readonly read: (offset: VirtualOffset, length: number) => Effect.Effect<Uint8Array, StoreReadError>
  /** As `read`, into a buffer of the caller's, all of which is filled. */
  readonly readInto: (offset: VirtualOffset, buffer: Uint8Array) => Effect.Effect<void, StoreReadError>
  /**
   * From `offset` up to the end of what can be read without a break, at most `maxLength` bytes; fewer than
   * `minLength` are `ReadOutOfBounds`. In a hole it is `InvalidSparseRead`.
   */
  readonly readRange: (offset: VirtualOffset, range: RunRange) => Effect.Effect<Uint8Array, StoreReadError>
  /**
   * The smallest readable offset at or after this one, or undefined. Synchronous; throws `InvalidArgument`,
   * `Closed`, `Corrupt`, and, where the prefix's map can't be mapped, `IoFailed`.
   */
  readonly nextValidOffset: (offset: VirtualOffset) => VirtualOffset | undefined
  /** Reads many ranges at once, all or none: `lengths[i]` bytes at `offsets[i]`. */
  readonly readMany: (
    offsets: ArrayLike<VirtualOffset>,
    lengths: ArrayLike<number>
  ) => Effect.Effect<Array<Uint8Array>, StoreReadError>
  /**
   * Makes everything appended before it survive a power cut. Fibers that commit at the same time
   * share the fsyncs; interrupting one that waits disturbs no other. After a failed fsync of what was
   * appended, of the directory or of control the store is `Poisoned`: what the device holds is
   * unknown, and only opening anew tells.
   */
  readonly commit: Effect.Effect<void, StoreCommitError>
  /** Forgets what was appended since the last commit. */
  readonly rollback: Effect.Effect<void, StoreRollbackError>
  /** Read-only: moves forward to what is committed now. Never backwards. */
  readonly refresh: Effect.Effect<void, StoreRefreshError>
  /**
   * Commits, and begins a new chunk unless the active one is empty. A list of 8,181 chunks is full: then
   * it only commits, until a collection has made room.
   */
  readonly split: Effect.Effect<void, StoreCommitError>
  /**
   * Keeps the live extents before `upTo`, forgets everything else there, and frees the disk of every
   * chunk that lies wholly before it. Appends, commits and reads go on meanwhile; a second one at
   * the same time is `Locked`. Interrupted or failed, it leaves the store as it was, except that the
   * active chunk may have been sealed; from the moment that it writes control it completes, and
   * `stats().generation` tells. What it copies is verified against its checksums: `Corrupt`.
   * Takes 16 bytes of memory an extent given, and 8 an extent kept; and what was flushed since the last
   * commit is taken back into memory first, 2 GiB at most (`MemoryLimit`).
   */
  readonly collect: <E = never, R = never>(
    options: StoreCollectOptions<E, R>
  ) => Effect.Effect<StoreCollected, StoreCollectError | E, R>
  /**
   * What can be read, ascending: the extents of the prefix as they are bound, then the suffix as
   * one. Each step looks at the store as it is then. Synchronous; throws `Closed`, `Corrupt`, and, where the
   * prefix's map can't be mapped, `IoFailed`.
   */
  readonly extents: () => IterableIterator<Extent>
  /** No I/O. */
  readonly stats: () => StoreStats
  /** Verifies every checksum and invariant of what is committed now, refreshed or not. Reads all of it. */
  readonly check: (options?: StoreScanOptions) => Effect.Effect<StoreChecked, StoreCheckError>
  /**
   * Writes a copy of what is committed now, refreshed or not, into `directory`, which must be missing
   * or empty, verified on the way. It opens as a store of its own.
   */
  readonly backup: (
    directory: string,
    options?: StoreScanOptions
  ) => Effect.Effect<StoreBackedUp, StoreBackupError>
  /**
   * Closes and unlocks, ending a collection that is under way (`Closed`). With uncommitted bytes it
   * is `PendingFlush`, and the store stays open: commit or roll back first. A poisoned store, which can
   * do neither, is closed, and what stayed uncommitted is logged.
   */
  readonly close: Effect.Effect<void, StoreCloseError>
  readonly unsafe: UnsafeStore
}
