/**
 * The interface of an extent file: how it is opened, its operations, and their errors.
 */
import type * as Effect from "effect/Effect"
import type {
  Closed,
  Corrupt,
  DoubleClose,
  FileExists,
  Incomplete,
  InvalidArgument,
  IoFailed,
  Locked,
  NoSpace,
  NoSuchFile,
  NotADirectory,
  NotAFile,
  Poisoned,
  SourceChanged,
  Unsupported
} from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { ExtentStore, SourcePin, UnsafeExtentStore } from "./extentStore.ts"

export type ExtentFileOpenError =
  | Corrupt
  | FileExists
  | Incomplete
  | IoFailed
  | Locked
  | NoSpace
  | NoSuchFile
  | NotADirectory
  | NotAFile
  | Unsupported
export type ExtentReadError = Closed | InvalidArgument | IoFailed
export type ExtentWriteError = ExtentReadError | NoSpace | Poisoned
export type ExtentFileError = ExtentWriteError

/** What an extent file holds and has met with. */
export interface ExtentFileStats {
  readonly extents: number
  /** The bytes that at least one extent holds. */
  readonly bytes: number
  /** Extents that were forgotten since the file was opened, at the opening or at a read, since their bytes could not be proved. */
  readonly forgotten: number
  /** Bytes written and not yet made durable. */
  readonly unflushedBytes: number
  /** Whether deleted bytes give back disk: `Unsupported`, with the reason, once it turned out that they can't. */
  readonly holes: "supported" | Unsupported
}

export interface ExtentFileService extends ExtentStore<ExtentFileError> {
  /** The path of the data. */
  readonly path: string
  /** Ascending by where they start; they may overlap. Synchronous; throws `Closed`. */
  readonly extents: () => ReadonlyArray<Extent>
  readonly pinned: () => SourcePin | undefined
  readonly pin: (pin: SourcePin, source: string) => Effect.Effect<void, ExtentWriteError | SourceChanged>
  readonly clear: Effect.Effect<void, ExtentWriteError>
  readonly readExtent: (offset: number) => Effect.Effect<Uint8Array, ExtentReadError>
  readonly flush: Effect.Effect<void, ExtentWriteError>
  readonly stats: () => ExtentFileStats
  /** `flush`, and closes the file before its scope ends. */
  readonly close: Effect.Effect<void, DoubleClose | Exclude<ExtentWriteError, Closed>>
  readonly unsafe: UnsafeExtentStore
}

/** What the record of an extent file says, read without opening it for writing. */
export interface ExtentFileReport {
  readonly path: string
  /** The size of the data file in bytes. */
  readonly size: number
  readonly pinned: SourcePin | undefined
  /** The ranges that are kept, united: ascending, and none touches another. */
  readonly coverage: ReadonlyArray<Extent>
  /** Whether it was closed or flushed last; else the newest extents are not proved yet. */
  readonly clean: boolean
}
