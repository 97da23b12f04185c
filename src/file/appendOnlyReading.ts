/**
 * What both modes of an append-only file share: where it ends, and how it is read.
 *
 * Logical offsets begin behind the dead header, and every one is checked before the header is added:
 * a negative offset would else read the header. Bytes of the file beyond `persistedEnd` (the tail of
 * a crashed writer, a write that failed halfway) are never shown.
 */
import * as Effect from "effect/Effect"
import { Closed, InvalidArgument, ReadOutOfBounds } from "../bytes/errors.ts"
import { checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import { type IoFile, synchronousTransferBytes } from "../io/Io.ts"
import type { AppendBuffer } from "./appendBuffer.ts"
import type { AppendOnlyFileService, AppendOnlyReadError } from "./appendOnlyFileService.ts"

/** Throws `InvalidArgument` unless `offset`, with the dead header before it, stays within 2^53-1. */
export const checkBehindHeader = (operation: string, deadHeaderSize: number, offset: number): void => {
  if (!Number.isSafeInteger(deadHeaderSize + offset)) {
    const reason = `offset ${offset} behind a dead header of ${deadHeaderSize} bytes lies beyond 2^53-1`
    throw new InvalidArgument({ operation, reason })
  }
}

/** An open append-only file. */
export class AppendOnlyState {
  readonly file: IoFile
  readonly deadHeaderSize: number
  readonly pending: AppendBuffer
  readonly readsBuffer: boolean
  /** The logical end of what is in the file. */
  persistedEnd: number
  closed = false

  constructor(options: {
    readonly file: IoFile
    readonly deadHeaderSize: number
    readonly endPoff: number
    readonly pending: AppendBuffer
    readonly readsBuffer: boolean
  }) {
    this.file = options.file
    this.deadHeaderSize = options.deadHeaderSize
    this.persistedEnd = options.endPoff
    this.pending = options.pending
    this.readsBuffer = options.readsBuffer
  }

  get path(): string {
    return this.file.path
  }

  checkOpen(operation: string): void {
    if (this.closed) throw new Closed({ path: this.path, operation })
  }

  /** Checks a read, and gives how many of its bytes are in the file; the others are in the buffer. */
  checkRead(operation: string, offset: number, length: number): number {
    this.checkOpen(operation)
    checkRange(operation, offset, length)
    checkBehindHeader(operation, this.deadHeaderSize, offset + length)
    const end = this.readsBuffer ? this.persistedEnd + this.pending.length : this.persistedEnd
    if (offset + length > end) throw new ReadOutOfBounds({ path: this.path, offset, length, end })
    return Math.max(0, Math.min(length, this.persistedEnd - offset))
  }

  /**
   * Memory for a checked read, of which `persisted` bytes are in the file. The end of a reader is only
   * what it was told: before a large piece of memory is taken the file itself is asked.
   */
  bufferFor(offset: number, length: number, persisted: number): Uint8Array {
    if (length > synchronousTransferBytes) {
      const end = this.file.unsafe.size() - this.deadHeaderSize
      if (offset + persisted > end) {
        throw new ReadOutOfBounds({ path: this.path, offset, length, end: Math.max(0, end) })
      }
    }
    try {
      return new Uint8Array(length)
    } catch {
      const reason = `${length} bytes are more than one array can hold here: read them in pieces`
      throw new InvalidArgument({ operation: "read", reason })
    }
  }

  /** A failure of the file itself, in the caller's offsets. */
  readFailed(error: unknown, offset: number, length: number): unknown {
    if (!(error instanceof ReadOutOfBounds)) return error
    const end = Math.max(0, error.end - this.deadHeaderSize)
    return new ReadOutOfBounds({ path: this.path, offset, length, end })
  }
}

type Reading = Pick<AppendOnlyFileService, "read" | "readInto"> & {
  readonly unsafeReadInto: AppendOnlyFileService["unsafe"]["readInto"]
}

/** The reads of an open file. */
export const makeReading = (state: AppendOnlyState): Reading => {
  const { deadHeaderSize, file, pending } = state

  const copyPending = (offset: number, buffer: Uint8Array, persisted: number): void => {
    if (persisted < buffer.length) {
      pending.copyTo(buffer.subarray(persisted), offset + persisted - state.persistedEnd)
    }
  }

  const unsafeReadInto = (offset: number, buffer: Uint8Array): void => {
    const length = buffer.length
    const persisted = state.checkRead("readInto", offset, length)
    if (persisted > 0) {
      try {
        file.unsafe.readAt(
          deadHeaderSize + offset,
          persisted === length ? buffer : buffer.subarray(0, persisted)
        )
      } catch (error) {
        throw state.readFailed(error, offset, length)
      }
    }
    copyPending(offset, buffer, persisted)
  }

  const readIntoLater = (offset: number, buffer: Uint8Array): Effect.Effect<void, AppendOnlyReadError> =>
    Effect.flatMap(
      attempt<number, AppendOnlyReadError>(() => {
        const persisted = state.checkRead("readInto", offset, buffer.length)
        // Before waiting: a flush may move these bytes to the file meanwhile.
        copyPending(offset, buffer, persisted)
        return persisted
      }),
      (persisted) =>
        persisted === 0
          ? Effect.void
          : Effect.mapError(
              file.readAt(deadHeaderSize + offset, buffer.subarray(0, persisted)),
              (error) => state.readFailed(error, offset, buffer.length) as AppendOnlyReadError
            )
    )

  const readInto = (offset: number, buffer: Uint8Array): Effect.Effect<void, AppendOnlyReadError> =>
    buffer.length <= synchronousTransferBytes
      ? attempt(() => unsafeReadInto(offset, buffer))
      : readIntoLater(offset, buffer)

  return {
    unsafeReadInto,
    readInto,
    read: (offset, length) =>
      Effect.flatMap(
        // Checked first: nobody's wrong length makes memory be allocated.
        attempt<Uint8Array, AppendOnlyReadError>(() =>
          state.bufferFor(offset, length, state.checkRead("read", offset, length))
        ),
        (buffer) => Effect.as(readInto(offset, buffer), buffer)
      )
  }
}
