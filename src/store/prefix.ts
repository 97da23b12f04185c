/**
 * The prefix of a store: the sparse file that the last collection made, at its final names.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Corrupt } from "../bytes/errors.ts"
import { readerOf, type SparseFileReaderService } from "../file/SparseFileReader.ts"
import { openFinishedSparseFile } from "../file/sparseOpening.ts"
import { sparsePaths } from "../file/sparsePaths.ts"
import type { ControlRecord } from "../format/controlRecord.ts"
import type { IoService, OpenError } from "../io/Io.ts"
import type { StorePaths } from "./storePaths.ts"

/** `NoSuchFile`: it is not there. */
export type PrefixOpenError = Corrupt | OpenError

export interface OpenPrefix {
  readonly reader: SparseFileReaderService
  /** Holds it open. */
  readonly scope: Scope.Closeable
}

export interface OpenPrefixOptions {
  readonly io: IoService
  readonly paths: StorePaths
  readonly record: ControlRecord
  readonly verifyReads: boolean
}

/**
 * Opens the prefix that a record names, in a scope of its own within the caller's; undefined before
 * the first collection. `NoSuchFile` where a file of it is gone, `Corrupt` where one is not what the record
 * says.
 */
export const openPrefix = (
  options: OpenPrefixOptions
): Effect.Effect<OpenPrefix | undefined, PrefixOpenError, Scope.Scope> =>
  Effect.suspend(() => {
    const { io, paths, record, verifyReads } = options
    if (record.generation === 0) return Effect.succeed(undefined)
    return openPrefixAt(io, paths.prefix(record.generation), verifyReads).pipe(
      Effect.tap((prefix) => Effect.onError(checkLengths(prefix.reader, record), () => closePrefix(prefix)))
    )
  })

/** Opens a sparse file in a scope of its own within the caller's. */
export const openPrefixAt = (
  io: IoService,
  path: string,
  verifyReads: boolean
): Effect.Effect<OpenPrefix, PrefixOpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const reader = yield* openFinishedSparseFile(io, sparsePaths(path)).pipe(
      Effect.flatMap((opened) => readerOf(opened, { scope, verifyReads })),
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
    return { reader, scope }
  })

export const closePrefix = (prefix: OpenPrefix | undefined): Effect.Effect<void> =>
  prefix === undefined ? Effect.void : Scope.close(prefix.scope, Exit.void)

const checkLengths = (
  reader: SparseFileReaderService,
  record: ControlRecord
): Effect.Effect<void, Corrupt> => {
  const { dataLength, mapBytes, path } = reader
  if (dataLength !== record.prefixDataBytes) {
    return Effect.fail(wrongLength(path, dataLength, record.prefixDataBytes))
  }
  return mapBytes === record.prefixMapBytes
    ? Effect.void
    : Effect.fail(wrongLength(`${path}.map`, mapBytes, record.prefixMapBytes))
}

const wrongLength = (path: string, found: number, expected: number): Corrupt =>
  new Corrupt({
    path,
    offset: Math.min(found, expected),
    reason: `the file has ${found} bytes, and control says ${expected}`
  })
