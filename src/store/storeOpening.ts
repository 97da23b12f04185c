/**
 * Opening the files that a control record names, all of them or none.
 *
 * What control says is compared with what is there: a file that is missing or too short, checksums
 * that don't fit, a prefix of another length are `Corrupt`. What a chunk's file has beyond its
 * committed length is of no commit, and ignored.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Closed, IoFailed, NoSuchFile } from "../bytes/errors.ts"
import { Corrupt } from "../bytes/errors.ts"
import { type ControlledChunk, controlChunks, type ControlRecord } from "../format/controlRecord.ts"
import type { IoFile, IoService, OpenError } from "../io/Io.ts"
import { Chunk, type ChunkFile } from "./chunk.ts"
import { readSums } from "./chunkSums.ts"
import { closePrefix, openPrefix, type OpenPrefix } from "./prefix.ts"
import type { StorePaths } from "./storePaths.ts"

/** `NoSuchFile`: a file that control names is not there. */
export type OpenFilesError = Corrupt | OpenError

/** What is open already and still good. */
export interface KnownFiles {
  readonly prefix: OpenPrefix | undefined
  /** By number. */
  readonly chunks: ReadonlyMap<number, Chunk>
}

export const nothingKnown: KnownFiles = { prefix: undefined, chunks: new Map() }

export interface OpenFilesOptions {
  readonly io: IoService
  readonly paths: StorePaths
  readonly record: ControlRecord
  readonly known: KnownFiles
  /** Whether the active chunk is opened for writing. */
  readonly writable: boolean
  readonly verifyReads: boolean
}

export interface OpenFiles {
  readonly prefix: OpenPrefix | undefined
  /** What control lists. */
  readonly chunks: Array<Chunk>
  /** Bytes of the active chunk's file beyond its committed length. */
  readonly tornTailBytes: number
  /** Takes over what the record says of each chunk: its committed length and its checksums. */
  readonly settle: () => void
}

/** Opens what is not known yet, each file in a scope of its own within the caller's. */
export const openFiles = (options: OpenFilesOptions): Effect.Effect<OpenFiles, OpenFilesError, Scope.Scope> =>
  Effect.suspend(() => {
    const { known, record } = options
    const opened: Array<Effect.Effect<void>> = []
    return Effect.gen(function* () {
      const prefix = known.prefix ?? (yield* openPrefix(options))
      if (prefix !== known.prefix) opened.push(closePrefix(prefix))
      const chunks: Array<Chunk> = []
      const settlements: Array<() => void> = []
      let tornTailBytes = 0
      for (const listed of controlChunks(record)) {
        const former = known.chunks.get(listed.number)
        const chunk = former ?? (yield* openChunk(options, listed))
        if (former === undefined) opened.push(chunk.close)
        const size = yield* checkSize(chunk.file!, listed)
        if (!listed.sealed) tornTailBytes = size - listed.length
        settlements.push(yield* settlement(options, listed, chunk))
        chunks.push(chunk)
      }
      const settle = (): void => {
        for (const one of settlements) one()
      }
      return { prefix, chunks, tornTailBytes, settle }
    }).pipe(
      Effect.onError(() => Effect.all(opened, { discard: true })),
      // Files opened by us are open, at offsets of our own: a bug.
      Effect.catchTag("Closed", Effect.die)
    )
  })

/** The error of a file that control names and that is not there. */
export const fileGone = ({ path }: NoSuchFile): Corrupt =>
  new Corrupt({ path, offset: 0, reason: "control names this file, and it is gone" })

const openChunk = ({ io, paths, writable }: OpenFilesOptions, listed: ControlledChunk) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const file = yield* io.open(paths.chunk(listed.number), { readonly: !writable || listed.sealed }).pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
    const opened: ChunkFile = { file, scope }
    return new Chunk(listed.offset, listed.length, opened)
  })

const checkSize = (
  file: IoFile,
  { length }: ControlledChunk
): Effect.Effect<number, Closed | Corrupt | IoFailed> =>
  Effect.flatMap(file.size, (size) => {
    if (size >= length) return Effect.succeed(size)
    const reason = `the file ends here, and ${length} bytes were committed`
    return Effect.fail(new Corrupt({ path: file.path, offset: size, reason }))
  })

const settlement = ({ io, paths }: OpenFilesOptions, listed: ControlledChunk, chunk: Chunk) => {
  const settle = (sums: Uint32Array | undefined) => (): void => {
    chunk.length = listed.length
    chunk.sums = sums
  }
  return listed.sealed && chunk.sums === undefined
    ? Effect.map(readSums(io, paths.sums(listed.number), listed.length), settle)
    : Effect.succeed(settle(chunk.sums))
}
