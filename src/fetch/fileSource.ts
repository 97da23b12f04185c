/**
 * A file as a `ByteSource`: one that stays as it is.
 *
 * It has the size that it had when it was opened; every read looks whether it still does, so a file that
 * grew or was cut is `SourceChanged`. One that was rewritten in place with the same size is noticed only by
 * the next opening, and only if its first or last 64 KiB changed: anything more would mean to read all of it.
 *
 * It has no `stream`: who reads it through memory of his own, again and again the same, has it faster.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { crc32 } from "../bytes/crc32.ts"
import { type Closed, type InvalidArgument, type IoFailed, SourceChanged } from "../bytes/errors.ts"
import { checkOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import { Io, type IoFile, type OpenError, type ReadSomeError } from "../io/Io.ts"
import type { ByteSource } from "./ByteSource.ts"

/** What reads of a file fail with. */
export type FileSourceError = ReadSomeError | SourceChanged

/** What is read at either end of a file to tell it from others. */
const sampleBytes = 1 << 16

/** What a file was when it was opened. */
interface FileState {
  /** In bytes. */
  readonly size: number
  /** The CRC-32 of both its ends. */
  readonly sum: number
}

const described = ({ size, sum }: FileState): string =>
  `crc32 of both ends ${sum.toString(16).padStart(8, "0")}, length ${size}`

class FileSource implements ByteSource<FileSourceError> {
  readonly name: string
  readonly length: Effect.Effect<number>
  readonly identity: Effect.Effect<string, FileSourceError>
  readonly isVersioned: Effect.Effect<boolean> = Effect.succeed(true)
  private readonly file: IoFile
  private readonly size: number

  constructor(file: IoFile, state: FileState) {
    const { size } = state
    this.file = file
    this.size = size
    this.name = file.path
    this.length = Effect.succeed(size)
    const identity = described(state)
    this.identity = Effect.as(this.checkSize, identity)
  }

  private readonly checkSize: Effect.Effect<void, Closed | IoFailed | SourceChanged> = Effect.suspend(() =>
    Effect.flatMap(this.file.size, (size) =>
      size === this.size ? Effect.void : Effect.fail(this.changed(size))
    )
  )

  private changed(size: number): SourceChanged {
    return new SourceChanged({ source: this.name, expected: `length ${this.size}`, found: `length ${size}` })
  }

  readonly readAt = (offset: number, buffer: Uint8Array): Effect.Effect<number, FileSourceError> =>
    Effect.flatMap(
      attempt<Uint8Array, InvalidArgument>(() => {
        checkOffset("readAt", "offset", offset)
        const within = Math.max(0, Math.min(buffer.length, this.size - offset))
        return buffer.subarray(0, within)
      }),
      (part) =>
        Effect.flatMap(this.file.readSomeAt(offset, part), (count) =>
          // Behind the read, so that what was cut off while it went on is noticed.
          count === part.length ? Effect.as(this.checkSize, count) : Effect.fail(this.changed(offset + count))
        )
    )
}

/** The CRC-32 of the first and the last 64 KiB. */
const sumOfEnds = (file: IoFile, size: number): Effect.Effect<number, ReadSomeError> =>
  Effect.gen(function* () {
    const sample = new Uint8Array(Math.min(sampleBytes, size))
    const head = yield* file.readSomeAt(0, sample)
    const sum = crc32(sample.subarray(0, head))
    const tail = yield* file.readSomeAt(size - sample.length, sample)
    return crc32(sample.subarray(0, tail), sum)
  })

/** The source that `ByteSource.fromFile` gives. */
export const makeFileSource = (
  path: string
): Effect.Effect<ByteSource<FileSourceError>, OpenError | ReadSomeError, Io | Scope.Scope> =>
  Effect.gen(function* () {
    const file = yield* (yield* Io).open(path, { readonly: true })
    const size = yield* file.size
    return new FileSource(file, { size, sum: yield* sumOfEnds(file, size) })
  })
