/**
 * What an open file is at a moment: open or closed, writable or not, poisoned, in use on the thread
 * pool. The checks that every operation begins with are here, and the errors that need the state.
 */
import {
  Closed,
  type IoFailed,
  type NoSpace,
  Poisoned,
  ReadOutOfBounds,
  RoNotAllowed
} from "../bytes/errors.ts"
import type { RawFile } from "./raw.ts"
import { ioFailed, SystemError, writeFailed } from "./systemErrors.ts"

/** The most that one system call is asked to move: Node refuses 2^31, and between two one may stop. */
export const pieceBytes = 8 * (1 << 20)

export class FileState {
  readonly raw: RawFile
  readonly path: string
  readonly readonly: boolean
  closed = false
  /** Set by the first sync that fails. */
  poison: { readonly cause: unknown } | undefined
  /** A sync is under way on the thread pool. */
  syncing = false
  /** Uses of the descriptor under way on the thread pool. */
  busy = 0
  /** What a close waits with. */
  whenIdle: (() => void) | undefined

  constructor(raw: RawFile, path: string, readonly: boolean) {
    this.raw = raw
    this.path = path
    this.readonly = readonly
  }

  checkOpen(operation: string): void {
    if (this.closed) throw new Closed({ path: this.path, operation })
  }

  checkWritable(operation: string): void {
    this.checkOpen(operation)
    if (this.readonly) throw new RoNotAllowed({ path: this.path, operation })
    if (this.poison !== undefined) throw new Poisoned({ path: this.path, cause: this.poison.cause })
  }

  /** One use of the descriptor is over. */
  leave(): void {
    this.busy -= 1
    if (this.busy === 0 && this.whenIdle !== undefined) this.whenIdle()
  }

  size(): number {
    try {
      return this.raw.size()
    } catch (cause) {
      throw ioFailed(cause, this.path, "fstat")
    }
  }

  /** How much of a range lies within the file: beyond its end there is nothing to free. */
  lengthWithin(offset: number, length: number): number {
    return Math.min(length, this.raw.size() - offset)
  }

  /** The error of a read that found only `done` bytes. */
  outOfBounds(offset: number, length: number, done: number): ReadOutOfBounds {
    // Where not even the first byte was there, the end may lie far before the offset.
    const end = done > 0 ? offset + done : Math.min(offset, this.size())
    return new ReadOutOfBounds({ path: this.path, offset, length, end })
  }

  /** The error of a write that got nowhere: to try again might go on for ever. */
  wroteNothing(length: number): IoFailed {
    const cause = new SystemError("ZERO_WRITE", "write", `the system wrote none of ${length} bytes`)
    return ioFailed(cause, this.path, "write")
  }

  /** Poisons, and gives the error of the sync that failed. */
  syncFailed(cause: unknown): IoFailed | NoSpace {
    this.poison = { cause }
    return writeFailed(cause, this.path, "fsync")
  }
}
