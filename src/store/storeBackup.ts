/**
 * Backing up a store while it runs: a copy of its committed state, in a directory of its own.
 *
 * The state is opened as a reader opens it, so its files stay readable however long the copy takes.
 * Everything that has checksums is verified as it is copied: what is damaged is not passed on. The
 * control file is made last, so that a copy that was interrupted is no store.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import {
  type Closed,
  type Corrupt,
  FileExists,
  InvalidArgument,
  type IoFailed,
  NotADirectory
} from "../bytes/errors.ts"
import { forEachPiece } from "../file/filePieces.ts"
import { loadSums, type OpenedSparseFile, openFinishedSparseFile } from "../file/sparseOpening.ts"
import { sparsePaths } from "../file/sparsePaths.ts"
import { controlChunks, controlEnd } from "../format/controlRecord.ts"
import { attempt } from "../io/attempt.ts"
import type { CreateError, IoFile, IoService } from "../io/Io.ts"
import { writeSums } from "./chunkSums.ts"
import { createControl } from "./controlFile.ts"
import { diskBytes } from "./generation.ts"
import { fileGone, nothingKnown } from "./storeOpening.ts"
import { parseStoreName, type StorePaths, storePaths } from "./storePaths.ts"
import { type Committed, openCommitted } from "./storeRefreshing.ts"
import type { StoreBackedUp, StoreBackupError, StoreScanOptions } from "./storeService.ts"
import type { StoreState } from "./storeState.ts"

/** How many collections may finish while the files of one state are being opened. */
const maxAttempts = 100

/** A committed state, and its prefix once more, for its checksums and the file of its map. */
interface Sources {
  readonly committed: Committed
  readonly prefix: OpenedSparseFile | undefined
}

/** One file to be copied: its first `length` bytes. */
interface Piece {
  readonly file: IoFile
  readonly length: number
  readonly to: string
  /** The checksums of its blocks, if it has any. */
  readonly sums: Uint32Array | undefined
}

interface BackupJob {
  readonly io: IoService
  readonly sources: Sources
  readonly target: StorePaths
  /** The paths of the files that were made. */
  readonly made: Array<string>
  readonly options: StoreScanOptions
}

export const backUp = (
  io: IoService,
  state: StoreState,
  directory: string,
  options: StoreScanOptions = {}
): Effect.Effect<StoreBackedUp, StoreBackupError> =>
  Effect.gen(function* () {
    yield* attempt<void, StoreBackupError>(() => {
      state.checkOpen("backup")
      if (directory === "")
        throw new InvalidArgument({ operation: "backup", reason: "the directory has no name" })
    })
    const target = storePaths(directory)
    const sources = yield* openSources(io, state.paths, maxAttempts)
    yield* makeEmpty(io, target)
    const made: Array<string> = []
    return yield* copyAll({ io, sources, made, target, options }).pipe(
      // What is there without control is no store, and would stand in the way of the next attempt.
      Effect.onError(() => Effect.forEach(made, (path) => Effect.ignore(io.remove(path)), { discard: true }))
    )
  }).pipe(
    Effect.scoped,
    Effect.withSpan("Store.backup", { attributes: { directory: state.directory, to: directory } })
  )

const openSources = (
  io: IoService,
  paths: StorePaths,
  attempts: number
): Effect.Effect<Sources, StoreBackupError, Scope.Scope> =>
  Effect.gen(function* () {
    const committed = yield* openCommitted({ io, paths, verifyReads: false }, () => nothingKnown)
    committed.files.settle()
    const { generation } = committed.record
    if (generation === 0) return { committed, prefix: undefined }
    return yield* openFinishedSparseFile(io, sparsePaths(paths.prefix(generation))).pipe(
      Effect.map((prefix) => ({ committed, prefix })),
      // A collection has finished in between: its generation is the one to be copied.
      Effect.catchTag("NoSuchFile", (missing) =>
        attempts > 0 ? openSources(io, paths, attempts - 1) : Effect.fail(fileGone(missing))
      )
    )
  })

/** Makes the directory, unless it is there and empty, and keeps others from making a store in it. */
const makeEmpty = (
  io: IoService,
  { directory, lock }: StorePaths
): Effect.Effect<void, StoreBackupError, Scope.Scope> =>
  Effect.gen(function* () {
    const found = yield* io.classify(directory)
    if (found === "none") yield* io.makeDirectory(directory)
    if (found === "file") return yield* new NotADirectory({ path: directory })
    const checkEmpty = Effect.flatMap(io.list(directory), (names) =>
      names.some((name) => parseStoreName(name)?.kind !== "lock")
        ? Effect.fail(new FileExists({ path: directory }))
        : Effect.void
    )
    // Looked at before the lock, which leaves a file, and again under it.
    yield* checkEmpty
    yield* io.lock(lock)
    yield* checkEmpty
  })

const copyAll = (job: BackupJob): Effect.Effect<StoreBackedUp, StoreBackupError> =>
  Effect.gen(function* () {
    const { io, made, options, sources, target } = job
    const { files, record } = sources.committed
    const pieces = [...(yield* prefixPieces(job)), ...chunkPieces(job)]
    const total = pieces.reduce((sum, { length }) => sum + length, 0)
    let bytes = 0
    const copied = (count: number): void => {
      bytes += count
      options.onProgress?.({ bytes, total })
    }
    for (const piece of pieces) yield* copyPiece(job, piece, copied)
    for (const [index, { length, number, sealed }] of controlChunks(record).entries()) {
      if (!sealed) continue
      made.push(target.sums(number))
      yield* writeSums(io, target.sums(number), length, files.chunks[index].sums!)
    }
    // fsync of the directory: the names of all files, before control names them.
    yield* io.syncDirectory(target.directory)
    yield* createControl(io, target, record)
    const { directory } = target
    const { generation } = record
    const committedEnd = controlEnd(record)
    return { directory, generation, committedEnd, files: made.length + 1, bytes: diskBytes(record) }
  })

const prefixPieces = ({
  sources,
  target
}: BackupJob): Effect.Effect<ReadonlyArray<Piece>, Corrupt | IoFailed> =>
  Effect.gen(function* () {
    const { committed, prefix } = sources
    if (prefix === undefined) return []
    const { data, dataLength, map, mapBytes, mapFile } = prefix
    // The map has checksums of its own kind.
    yield* attempt<void, Corrupt>(() => map.verifyAll())
    const sums = yield* loadSums(prefix)
    const to = target.prefix(committed.record.generation)
    return [
      { file: data, length: dataLength, to, sums },
      { file: mapFile, length: mapBytes, to: `${to}.map`, sums: undefined }
    ]
  })

const chunkPieces = ({ sources, target }: BackupJob): ReadonlyArray<Piece> => {
  const { files, record } = sources.committed
  return controlChunks(record).map(({ length, number }, index) => {
    const { file, sums } = files.chunks[index]
    return { file: file!, length, to: target.chunk(number), sums }
  })
}

/** Copies a file, verified, and makes the copy durable. */
const copyPiece = (
  { io, made }: BackupJob,
  piece: Piece,
  copied: (count: number) => void
): Effect.Effect<void, Closed | Corrupt | CreateError> =>
  Effect.gen(function* () {
    const copy = yield* io.create(piece.to, { overwrite: false })
    made.push(piece.to)
    yield* forEachPiece(piece.file, piece, (bytes, at) =>
      Effect.map(copy.writeAt(at, bytes), () => copied(bytes.length))
    )
    // fsync of the copy: its bytes, before control says that they are there.
    yield* copy.sync
    yield* copy.close
  }).pipe(
    Effect.scoped,
    // The copy is new, open for writing, and nobody else's.
    Effect.catchTag(["DoubleClose", "InvalidArgument", "Poisoned", "RoNotAllowed"], Effect.die)
  )
