/**
 * Every way in which lacuna says no.
 *
 * All are tagged classes, so that `Effect.catchTag` finds them. Each one's `message` is a sentence
 * that a person can act on; each one that concerns a file carries its `path`. They stand on the
 * lowest floor because pure code throws some of them too; they need nothing of the Effect runtime.
 */
import * as Data from "effect/Data"

const holder = (value: string | undefined): string => (value === undefined ? "" : ` (${value})`)

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** What the system says of a failure in words: "permission denied" of Node's "EACCES: permission denied, open '/x'". */
const wordsOf = (cause: unknown): string | undefined => /^[A-Z0-9_]+: ([^,]+),/.exec(reasonOf(cause))?.[1]

/** The operating system refused a call for a reason that has no tag of its own. */
export class IoFailed extends Data.TaggedError("IoFailed")<{
  readonly syscall: string
  readonly path: string
  readonly code: string
  readonly cause: unknown
}> {
  override get message(): string {
    const words = wordsOf(this.cause)
    const reason = words === undefined ? this.code : `${words} (${this.code})`
    return `${this.syscall} failed on ${this.path}: ${reason}`
  }
}

/** The device or the quota is full. What was written before stays as it is. */
export class NoSpace extends Data.TaggedError("NoSpace")<{
  readonly path: string
  readonly syscall: string
}> {
  override get message(): string {
    return `no space left for ${this.path} (${this.syscall}): free some and try again`
  }
}

/** A file was to be created where something exists already. */
export class FileExists extends Data.TaggedError("FileExists")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path} exists already, and nothing existing is overwritten`
  }
}

/** There is no file at this path, or no directory that it could lie in. */
export class NoSuchFile extends Data.TaggedError("NoSuchFile")<{ readonly path: string }> {
  override get message(): string {
    return `there is no ${this.path}`
  }
}

/** A regular file was expected, and something else (a directory, a link, a device) was found. */
export class NotAFile extends Data.TaggedError("NotAFile")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path} is not a regular file`
  }
}

/** A directory was expected, and something else was found. */
export class NotADirectory extends Data.TaggedError("NotADirectory")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path} is not a directory, or lies in something that is none`
  }
}

/** A read reached past `end`, the first offset that can't be read. Nothing was read. */
export class ReadOutOfBounds extends Data.TaggedError("ReadOutOfBounds")<{
  readonly path: string
  readonly offset: number
  readonly length: number
  readonly end: number
}> {
  override get message(): string {
    return `${this.path} can't give ${this.length} bytes at ${this.offset}: what can be read there ends at ${this.end}`
  }
}

/** A read-only instance was asked to change something. */
export class RoNotAllowed extends Data.TaggedError("RoNotAllowed")<{
  readonly path: string
  readonly operation: string
}> {
  override get message(): string {
    return `${this.operation} is not for ${this.path}, which is open read-only`
  }
}

/** A writing instance was asked for what only readers may do. */
export class RwNotAllowed extends Data.TaggedError("RwNotAllowed")<{
  readonly path: string
  readonly operation: string
}> {
  override get message(): string {
    return `${this.operation} is not for ${this.path}, which is open for writing`
  }
}

/** The instance was closed before. */
export class Closed extends Data.TaggedError("Closed")<{
  readonly path: string
  readonly operation: string
}> {
  override get message(): string {
    return `${this.operation} came too late: ${this.path} is closed`
  }
}

/** The instance was closed twice. */
export class DoubleClose extends Data.TaggedError("DoubleClose")<{ readonly path: string }> {
  override get message(): string {
    return `${this.path} was closed already`
  }
}

/** Bytes wait to be flushed (of a file) or committed (of a store): do that first, or roll back. */
export class PendingFlush extends Data.TaggedError("PendingFlush")<{
  readonly path: string
  readonly bytes: number
}> {
  override get message(): string {
    return `${this.bytes} bytes appended to ${this.path} are not flushed or committed yet`
  }
}

/** A programmer's mistake that types could not prevent. Nothing was done. */
export class InvalidArgument extends Data.TaggedError("InvalidArgument")<{
  readonly operation: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.operation}: ${this.reason}`
  }
}

/**
 * A file is shorter than what is known to have been written to it. `size` is counted as `endPoff` is,
 * from behind a dead header: a file that ends within the header has a negative one.
 */
export class InconsistentStore extends Data.TaggedError("InconsistentStore")<{
  readonly path: string
  readonly endPoff: number
  readonly size: number
}> {
  override get message(): string {
    const found = this.size < 0 ? `ends ${-this.size} bytes before offset 0` : `has ${this.size} bytes`
    return `${this.path} should reach ${this.endPoff} and ${found}: some are lost`
  }
}

/** Bytes of a file are not what was written: a checksum or an invariant fails at `offset`. */
export class Corrupt extends Data.TaggedError("Corrupt")<{
  readonly path: string
  readonly offset: number
  readonly reason: string
}> {
  override get message(): string {
    return `${this.path} is damaged at ${this.offset}: ${this.reason}`
  }
}

/** Something that should have several files lacks one, so it was never finished. */
export class Incomplete extends Data.TaggedError("Incomplete")<{
  readonly path: string
  readonly missing: string
}> {
  override get message(): string {
    return `${this.path} was never finished: ${this.missing} is missing`
  }
}

/** Somebody else holds the lock. */
export class Locked extends Data.TaggedError("Locked")<{
  readonly path: string
  readonly holder?: string | undefined
}> {
  override get message(): string {
    return `${this.path} is in use by another writer${holder(this.holder)}`
  }
}

/** An earlier failure left the state unknown; only opening anew helps. */
export class Poisoned extends Data.TaggedError("Poisoned")<{
  readonly path: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `${this.path} can't be written any more after an earlier failure (${reasonOf(this.cause)}): open it anew`
  }
}

/** The offset is not in the sparse file: before its first extent, in a hole, or after its last. */
export class InvalidSparseRead extends Data.TaggedError("InvalidSparseRead")<{
  readonly path: string
  readonly offset: number
  readonly reason: "before" | "hole" | "after"
}> {
  override get message(): string {
    const where =
      this.reason === "hole"
        ? "in a hole between two extents"
        : this.reason === "before"
          ? "before the first extent"
          : "after the last extent"
    return `offset ${this.offset} of ${this.path} was not kept: it lies ${where}`
  }
}

/** A memory limit would have been exceeded. Nothing changed. */
export class MemoryLimit extends Data.TaggedError("MemoryLimit")<{
  readonly limit: number
  readonly wanted: number
}> {
  override get message(): string {
    return `${this.wanted} bytes of memory are wanted and ${this.limit} allowed`
  }
}

/** This machine, platform or configuration can't do it. */
export class Unsupported extends Data.TaggedError("Unsupported")<{
  readonly operation: string
  readonly reason: string
}> {
  override get message(): string {
    return `${this.operation} is not supported here: ${this.reason}`
  }
}

/** The source of a remote object failed where it was read, for `reason`. */
export class SourceFailed extends Data.TaggedError("SourceFailed")<{
  readonly source: string
  readonly offset: number
  readonly reason: string
  /** What an HTTP server answered, where that is what failed: 404, say. */
  readonly status?: number | undefined
}> {
  override get message(): string {
    return `${this.source} can't be read at ${this.offset}: ${this.reason}`
  }
}

/** A remote object is not the one that was fetched from before: its identity has changed. */
export class SourceChanged extends Data.TaggedError("SourceChanged")<{
  readonly source: string
  readonly expected: string
  readonly found: string
}> {
  override get message(): string {
    return `${this.source} has changed: it was ${this.expected} and is ${this.found}`
  }
}
