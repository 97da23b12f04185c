/**
 * Io: dead simple, positional, and the whole of what the rest of lacuna may know of an operating
 * system.
 *
 * Every failure of the outside world is in an error channel. Transfers of up to 1 MiB are one
 * synchronous loop of system calls; larger ones, and everything that may wait for a device, run on
 * the thread pool. Waiting can be interrupted; a mutation that has begun completes.
 *
 * What it deliberately does not have: a cursor, buffering, encodings, permissions, watching.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type {
  Closed,
  DoubleClose,
  FileExists,
  InvalidArgument,
  IoFailed,
  Locked,
  NoSpace,
  NoSuchFile,
  NotADirectory,
  NotAFile,
  Poisoned,
  ReadOutOfBounds,
  RoNotAllowed,
  Unsupported
} from "../bytes/errors.ts"

/** Transfers up to this many bytes are made at once, on the caller's thread. */
export const synchronousTransferBytes = 1 << 20

export type ReadSomeError = Closed | InvalidArgument | IoFailed
export type ReadError = ReadSomeError | ReadOutOfBounds
export type WriteError = Closed | InvalidArgument | IoFailed | NoSpace | Poisoned | RoNotAllowed
export type SyncError = Closed | IoFailed | NoSpace | Poisoned | RoNotAllowed
export type PunchError = WriteError | Unsupported
export type MapError = Closed | InvalidArgument | IoFailed | ReadOutOfBounds | Unsupported
export type CloseError = DoubleClose | IoFailed
export type OpenError = IoFailed | NoSuchFile | NotADirectory | NotAFile
export type CreateError = FileExists | IoFailed | NoSpace | NoSuchFile | NotADirectory | NotAFile
export type LockError = IoFailed | Locked | NoSpace | NoSuchFile | NotADirectory | NotAFile | Unsupported
export type DirectoryError = IoFailed | NoSuchFile | NotADirectory
export type MakeDirectoryError = FileExists | IoFailed | NoSpace | NoSuchFile | NotADirectory
export type RenameError = IoFailed | NoSpace | NoSuchFile | NotADirectory | NotAFile
export type RemoveError = IoFailed | NoSuchFile | NotADirectory | NotAFile

/** What a name in a directory stands for. Symbolic links are not followed: they are `"other"`. */
export type PathClass = "file" | "directory" | "other" | "none"

/**
 * The synchronous twins of an `IoFile`'s methods: same checks, same errors, thrown. They do the
 * whole transfer on the caller's thread, whatever its size.
 */
export interface UnsafeIoFile {
  readonly readAt: (offset: number, buffer: Uint8Array) => void
  readonly readSomeAt: (offset: number, buffer: Uint8Array) => number
  readonly writeAt: (offset: number, bytes: Uint8Array) => void
  readonly size: () => number
  readonly truncate: (size: number) => void
  /** While another sync is under way it fails with `IoFailed` (`EBUSY`), and poisons nothing. */
  readonly sync: () => void
  readonly punchHole: (offset: number, length: number) => void
}

/** An open file. Offsets and lengths are bytes, integers from 0 to 2^53-1. */
export interface IoFile {
  /** The path as it was given. */
  readonly path: string
  readonly readonly: boolean
  /** Fills `buffer` from `offset`, or fails with `ReadOutOfBounds`. */
  readonly readAt: (offset: number, buffer: Uint8Array) => Effect.Effect<void, ReadError>
  /** Fills `buffer` from `offset` as far as the file goes, and gives the number of bytes read. */
  readonly readSomeAt: (offset: number, buffer: Uint8Array) => Effect.Effect<number, ReadSomeError>
  /**
   * Writes all of `bytes` at `offset`; a write beyond the end leaves zeros between. The bytes must
   * not change meanwhile. After a failure a part of them may have been written.
   */
  readonly writeAt: (offset: number, bytes: Uint8Array) => Effect.Effect<void, WriteError>
  /** The size of the file now, in bytes. */
  readonly size: Effect.Effect<number, Closed | IoFailed>
  /** Shortens the file, or extends it with zeros, to `size` bytes. */
  readonly truncate: (size: number) => Effect.Effect<void, WriteError>
  /**
   * fsync: everything written before survives a power cut. A failure poisons the file: every later
   * write or sync fails with `Poisoned`, since the system may have dropped the bytes it could not
   * write and would report success the next time.
   */
  readonly sync: Effect.Effect<void, SyncError>
  /** Frees the whole blocks within the range and zeroes the rest of it; the size stays. */
  readonly punchHole: (offset: number, length: number) => Effect.Effect<void, PunchError>
  /**
   * A read-only view of the range, which must lie within the file and must not be truncated by
   * anybody while it is mapped. To write to it kills the process; its buffer must not be transferred.
   * At the end of the scope the view turns into zeros, or, through mmap-io, goes on showing the file
   * until the garbage collector finds it: looking too late does no harm.
   */
  readonly map: (offset: number, length: number) => Effect.Effect<Uint8Array, MapError, Scope.Scope>
  /** Closes the file before its scope ends. */
  readonly close: Effect.Effect<void, CloseError>
  readonly unsafe: UnsafeIoFile
}

export interface IoService {
  /**
   * Creates a file for reading and writing. Something that exists at `path` is `FileExists`; with
   * `overwrite`, a file (or a symbolic link, never its target) is removed and a new one created.
   */
  readonly create: (
    path: string,
    options: { readonly overwrite: boolean }
  ) => Effect.Effect<IoFile, CreateError, Scope.Scope>
  /** Opens an existing regular file, following symbolic links. */
  readonly open: (
    path: string,
    options: { readonly readonly: boolean }
  ) => Effect.Effect<IoFile, OpenError, Scope.Scope>
  /** The size in bytes of the regular file at `path`. */
  readonly sizeOf: (path: string) => Effect.Effect<number, OpenError>
  readonly classify: (path: string) => Effect.Effect<PathClass, IoFailed>
  /** The names in a directory, sorted. */
  readonly list: (directory: string) => Effect.Effect<ReadonlyArray<string>, DirectoryError>
  /** Makes one directory; its parent must exist. */
  readonly makeDirectory: (path: string) => Effect.Effect<void, MakeDirectoryError>
  /** Renames atomically; a file at `to` is replaced. Durable once the directory is synced. */
  readonly rename: (from: string, to: string) => Effect.Effect<void, RenameError>
  /** Removes the name of a file (a symbolic link itself, not its target). */
  readonly remove: (path: string) => Effect.Effect<void, RemoveError>
  /** Makes the names in a directory durable. */
  readonly syncDirectory: (path: string) => Effect.Effect<void, DirectoryError>
  /**
   * Takes the exclusive lock on the file at `path`, creating it when missing, until the scope ends
   * or the process dies. Whoever asks meanwhile, in this process or another, gets `Locked`. The
   * lock is certain to be on the file that has the name when it is taken. Symbolic links are
   * `NotAFile`.
   */
  readonly lock: (path: string) => Effect.Effect<void, LockError, Scope.Scope>
}

export class Io extends Context.Service<Io, IoService>()("lacuna/Io") {}
