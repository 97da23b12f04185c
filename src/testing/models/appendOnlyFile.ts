/**
 * The reference model of an append-only file: a disk that is an array of bytes, a buffer that is
 * another, and a few flags. It is slow, and too simple to be wrong.
 *
 * Faults are part of it. The disk can be told to fail the n-th write from now, after having written
 * some of its bytes, or to fail the next sync: a harness tells the real disk the same.
 */

/** What an operation gave: a value, or the tag of its error. */
export type ModelOutcome<A> = { readonly value: A } | { readonly failure: string }

/** What the flush procedure of a model does when the threshold is reached. */
export type ModelProcedure = "internal" | "flushes" | "does nothing" | "fails"

/** The tag of the error with which a procedure that `"fails"` fails. */
export const procedureFailure = "ProcedureRefused"

/** A disk with one file on it. */
export class ModelDisk {
  bytes: Array<number> = []
  /** How many writes from now one fails: 1 is the next. 0 is none. */
  failingWrite = 0
  /** How many of its bytes the failing write has written before. */
  failingWriteBytes = 0
  failsNextSync = false

  write(offset: number, bytes: ReadonlyArray<number>): boolean {
    let count = bytes.length
    let succeeds = true
    if (this.failingWrite > 0) {
      this.failingWrite -= 1
      if (this.failingWrite === 0) {
        succeeds = false
        count = Math.min(count, this.failingWriteBytes)
      }
    }
    if (count > 0) {
      while (this.bytes.length < offset) this.bytes.push(0)
      for (let i = 0; i < count; i++) this.bytes[offset + i] = bytes[i]
    }
    return succeeds
  }

  sync(): boolean {
    const succeeds = !this.failsNextSync
    this.failsNextSync = false
    return succeeds
  }
}

export interface ModelOptions {
  readonly readonly: boolean
  readonly endPoff: number
  readonly deadHeaderSize: number
  readonly autoFlushThreshold: number
  readonly procedure: ModelProcedure
  readonly readsBuffer: boolean
}

const isOffset = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 2 ** 53 - 1

/** The tag of the error with which opening fails, or undefined. */
export const modelOpenFailure = (disk: ModelDisk, options: ModelOptions): string | undefined => {
  const { autoFlushThreshold, deadHeaderSize, endPoff, readonly } = options
  if (!isOffset(endPoff) || !isOffset(deadHeaderSize) || !isOffset(endPoff + deadHeaderSize)) {
    return "InvalidArgument"
  }
  if (!readonly && !isOffset(autoFlushThreshold)) return "InvalidArgument"
  return disk.bytes.length < endPoff + deadHeaderSize ? "InconsistentStore" : undefined
}

const failure = (tag: string): { readonly failure: string } => ({ failure: tag })
const done: { readonly value: undefined } = { value: undefined }

/** One open file, from opening to closing. */
export class AppendOnlyFileModel {
  readonly disk: ModelDisk
  readonly options: ModelOptions
  persistedEnd: number
  buffer: Array<number> = []
  closed = false
  poisoned = false
  /** Whether there may be something that no fsync has reached. */
  unsynced = true

  constructor(disk: ModelDisk, options: ModelOptions) {
    this.disk = disk
    this.options = options
    this.persistedEnd = options.endPoff
  }

  endPoff(): number {
    return this.persistedEnd + this.buffer.length
  }

  emptyBuffer(): boolean {
    return this.buffer.length === 0
  }

  append(bytes: ReadonlyArray<number>): ModelOutcome<number> {
    return this.appendAll([bytes])
  }

  /** With the `"internal"` procedure each record may flush; another is called behind the last. */
  appendAll(records: ReadonlyArray<ReadonlyArray<number>>): ModelOutcome<number> {
    const refused = this.refusesWriting()
    if (refused !== undefined) return failure(refused)
    const offset = this.endPoff()
    const internal = this.options.procedure === "internal"
    let failed: string | undefined
    for (const record of records) {
      this.buffer.push(...record)
      if (internal && failed === undefined) failed = this.flushWhenFull()
    }
    // Of no records too: a buffer that is above the threshold after a failure is tried again.
    if (failed === undefined && (!internal || records.length === 0)) failed = this.flushWhenFull()
    return failed === undefined ? { value: offset } : failure(failed)
  }

  unsafeAppend(bytes: ReadonlyArray<number>): ModelOutcome<number> {
    const refused = this.refusesWriting()
    if (refused !== undefined) return failure(refused)
    return this.options.procedure === "internal" ? this.append(bytes) : failure("Unsupported")
  }

  flush(): ModelOutcome<undefined> {
    const failed = this.refusesWriting() ?? this.flushNow()
    return failed === undefined ? done : failure(failed)
  }

  fsync(): ModelOutcome<undefined> {
    const refused = this.refusesWriting()
    if (refused !== undefined) return failure(refused)
    if (this.poisoned) return failure("Poisoned")
    if (this.unsynced && !this.disk.sync()) {
      this.poisoned = true
      return failure("IoFailed")
    }
    this.unsynced = false
    return done
  }

  read(offset: number, length: number): ModelOutcome<ReadonlyArray<number>> {
    const { deadHeaderSize, readsBuffer } = this.options
    if (this.closed) return failure("Closed")
    if (!isOffset(offset) || !isOffset(length) || !isOffset(deadHeaderSize + offset + length)) {
      return failure("InvalidArgument")
    }
    if (offset + length > (readsBuffer ? this.endPoff() : this.persistedEnd)) {
      return failure("ReadOutOfBounds")
    }
    const inFile = this.disk.bytes.slice(deadHeaderSize, deadHeaderSize + this.persistedEnd)
    const found = [...inFile, ...this.buffer].slice(offset, offset + length)
    // The end of a reader may have been set beyond the file.
    return found.length === length ? { value: found } : failure("ReadOutOfBounds")
  }

  refreshEndPoff(end: number): ModelOutcome<undefined> {
    if (this.closed) return failure("Closed")
    if (!this.options.readonly) return failure("RwNotAllowed")
    if (!isOffset(end) || !isOffset(end + this.options.deadHeaderSize)) return failure("InvalidArgument")
    this.persistedEnd = end
    return done
  }

  close(): ModelOutcome<undefined> {
    if (this.closed) return failure("DoubleClose")
    if (this.buffer.length > 0) return failure("PendingFlush")
    this.closed = true
    return done
  }

  /** The end of the scope: what is left is flushed once, and lost if that fails. */
  endScope(): void {
    if (this.closed) return
    if (this.buffer.length > 0) this.flushNow()
    this.closed = true
  }

  private refusesWriting(): string | undefined {
    if (this.closed) return "Closed"
    return this.options.readonly ? "RoNotAllowed" : undefined
  }

  private flushNow(): string | undefined {
    if (this.poisoned) return "Poisoned"
    if (this.buffer.length === 0) return undefined
    if (!this.disk.write(this.options.deadHeaderSize + this.persistedEnd, this.buffer)) return "NoSpace"
    this.persistedEnd += this.buffer.length
    this.buffer = []
    this.unsynced = true
    return undefined
  }

  private flushWhenFull(): string | undefined {
    if (this.buffer.length < this.options.autoFlushThreshold) return undefined
    switch (this.options.procedure) {
      case "internal":
      case "flushes":
        return this.flushNow()
      case "does nothing":
        return this.buffer.length > 0 ? "PendingFlush" : undefined
      case "fails":
        return procedureFailure
    }
  }
}
