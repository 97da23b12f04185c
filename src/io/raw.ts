/**
 * What a platform must bring: system calls, and nothing decided about them.
 *
 * All of it throws (or reports to `done`) errors that carry a `code`, in the words of the operating
 * system (`ENOENT`), or a tagged error where only the platform knows better. Transfers may be
 * short. Whatever has a meaning (arguments, closing, poison, loops, tags) stands above, in
 * openFile.ts and service.ts, so that every platform behaves alike.
 */
import type { PathClass } from "./Io.ts"
import type { Mapping } from "./mapping.ts"

/** Called once: with `null` and a count (0 where there is nothing to count), or with the failure. */
export type Done = (failure: unknown, count: number) => void

/** One open file. The `...Later` twins do the same on the thread pool. */
export interface RawFile {
  readonly read: (buffer: Uint8Array, start: number, length: number, offset: number) => number
  readonly write: (bytes: Uint8Array, start: number, length: number, offset: number) => number
  readonly size: () => number
  readonly truncate: (size: number) => void
  readonly sync: () => void
  /** The length is above 0. */
  readonly punch: (offset: number, length: number) => void
  readonly close: () => void
  readonly readLater: (buffer: Uint8Array, start: number, length: number, offset: number, done: Done) => void
  readonly writeLater: (bytes: Uint8Array, start: number, length: number, offset: number, done: Done) => void
  readonly truncateLater: (size: number, done: Done) => void
  readonly syncLater: (done: Done) => void
  readonly punchLater: (offset: number, length: number, done: Done) => void
  /** The range lies within the file. A length of 0 is asked for too: it may be `Unsupported`. */
  readonly map: (offset: number, length: number) => Mapping
}

/** Everything that concerns names. */
export interface RawSystem {
  /** Fails with `EEXIST` if the name is taken, by whatever. */
  readonly createNew: (path: string) => RawFile
  /** Fails with `EISDIR` for everything that is no regular file. */
  readonly openExisting: (path: string, readonly: boolean) => RawFile
  readonly sizeOf: (path: string) => number
  readonly classify: (path: string) => PathClass
  readonly list: (directory: string) => ReadonlyArray<string>
  readonly makeDirectory: (path: string) => void
  readonly rename: (from: string, to: string) => void
  /** Fails with `EISDIR` for everything that is neither a regular file nor a symbolic link. */
  readonly removeLater: (path: string, done: Done) => void
  readonly syncDirectoryLater: (path: string, done: Done) => void
  /** Takes the lock and gives what releases it; throws `Locked` or `Unsupported` themselves. */
  readonly lock: (path: string) => () => void
}
