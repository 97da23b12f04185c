/**
 * SparseFileReader: reads a finished sparse file at the offsets that its bytes always had.
 *
 * A read succeeds where every byte asked for was kept, whatever the extents it lies in: extents that
 * touch in virtual space are one run, wherever they lie physically. It never gives a byte of a gap.
 * A read of 0 bytes touches nothing and succeeds at every offset.
 *
 * The map is verified always; the data with `verifyReads`, each block of 64 KiB when it is touched
 * for the first time. What the read methods give is always a copy.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Corrupt, DoubleClose, IoFailed } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import type { RunRange } from "../bytes/readBuffer.ts"
import { Io } from "../io/Io.ts"
import type { IoFile } from "../io/Io.ts"
import type { Offmap } from "./Offmap.ts"
import { mapFixedData, FixedData } from "./fixedData.ts"
import { loadSums, type OpenedSparseFile, openSparseFile, type SparseOpenError } from "./sparseOpening.ts"
import { sparsePaths } from "./sparsePaths.ts"
import { SparseReading, type SparsePhysicalReadError, type SparseReadError } from "./sparseReading.ts"

export type { SparseOpenError } from "./sparseOpening.ts"
export type { SparsePhysicalReadError, SparseReadError } from "./sparseReading.ts"

export interface SparseFileReaderOptions {
  /** Verify every block of data when it is touched for the first time (default false). */
  readonly verifyReads?: boolean
}

export interface UnsafeSparseFileReader {
  /** `read` on the caller's thread, whatever its size; throws the same errors. */
  readonly read: (offset: VirtualOffset, buffer: Uint8Array) => void
}

export interface SparseFileReaderService {
  /** The path of the data. */
  readonly path: string
  /** The length of the data in bytes. */
  readonly dataLength: number
  /** The size of the map's file in bytes, checksums included. */
  readonly mapBytes: number
  /** The map, for lookups of any kind. Open as long as the reader is. */
  readonly offmap: Offmap["Service"]
  /** The data file, for reads of any kind at physical offsets. Open as long as the reader is. */
  readonly file: IoFile
  /**
   * The physical offset that is bound to exactly this offset (the start of an extent, or a point),
   * or undefined. Synchronous; throws `InvalidArgument`, `Closed`, `Corrupt`, and, where the map can't be mapped
   * into memory, `IoFailed`.
   */
  readonly mapFind: (offset: VirtualOffset) => PhysicalOffset | undefined
  /**
   * Fills `buffer` from `offset`. `InvalidSparseRead` when the first byte was not kept;
   * `ReadOutOfBounds`, with its end, when the run that begins there is shorter.
   */
  readonly read: (offset: VirtualOffset, buffer: Uint8Array) => Effect.Effect<void, SparseReadError>
  /** Reads many ranges at once, all or none: `lengths[i]` bytes at `offsets[i]`. */
  readonly readMany: (
    offsets: ArrayLike<VirtualOffset>,
    lengths: ArrayLike<number>
  ) => Effect.Effect<Array<Uint8Array>, SparseReadError>
  /** Reads from `offset` up to the end of the run there, at most `maxLength` bytes. */
  readonly readRange: (offset: VirtualOffset, range: RunRange) => Effect.Effect<Uint8Array, SparseReadError>
  /** Fills `buffer` from a physical offset. */
  readonly readPhysical: (
    physical: PhysicalOffset,
    buffer: Uint8Array
  ) => Effect.Effect<void, SparsePhysicalReadError>
  /** The smallest readable offset at or after this one, or undefined. Synchronous, as `mapFind`. */
  readonly nextValidOffset: (offset: VirtualOffset) => VirtualOffset | undefined
  /** The extents as they are bound, ascending. Points are passed over. Throws as `mapFind` does. */
  readonly extents: () => IterableIterator<Extent>
  /** Closes both files before the scope ends. */
  readonly close: Effect.Effect<void, DoubleClose>
  readonly unsafe: UnsafeSparseFileReader
}

export class SparseFileReader extends Context.Service<SparseFileReader, SparseFileReaderService>()(
  "lacuna/SparseFileReader"
) {
  /**
   * Opens the sparse file at `path`, finishing its promotion where that was interrupted after the
   * data got its name. `Incomplete` when it was never finished, `Corrupt` when the map is damaged or
   * the data has another length than the map says.
   */
  static readonly open = Effect.fn("SparseFile.open")(function* (
    path: string,
    options: SparseFileReaderOptions = {}
  ): Effect.fn.Return<SparseFileReaderService, SparseOpenError, Io | Scope.Scope> {
    const io = yield* Io
    // A scope of its own, so that close can release everything before the caller's ends.
    const scope = yield* Scope.fork(yield* Scope.Scope)
    return yield* openSparseFile(io, sparsePaths(path)).pipe(
      Effect.flatMap((opened) => readerOf(opened, { ...options, scope })),
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  }, Effect.uninterruptible)

  /** One reader for a program. */
  static readonly layer = (
    path: string,
    options: SparseFileReaderOptions = {}
  ): Layer.Layer<SparseFileReader, SparseOpenError, Io> =>
    Layer.effect(SparseFileReader, SparseFileReader.open(path, options))
}

interface ReaderOfOptions extends SparseFileReaderOptions {
  /** Holds the open files: closed by the reader's `close`. */
  readonly scope: Scope.Closeable
}

/** The reader of a pair that is open. */
export const readerOf = (
  opened: OpenedSparseFile,
  { scope, verifyReads = false }: ReaderOfOptions
): Effect.Effect<SparseFileReaderService, Corrupt | IoFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const sums = verifyReads ? yield* loadSums(opened) : undefined
    const windows = yield* mapFixedData(opened.data, opened.dataLength)
    const data = new FixedData({ file: opened.data, length: opened.dataLength, sums, windows })
    const { map, mapBytes, mapFile } = opened
    const reading = new SparseReading({ data, map, mapBytes, mapPath: mapFile.path, scope })
    yield* Scope.addFinalizer(
      scope,
      Effect.sync(() => reading.markClosed())
    )
    return SparseFileReader.of({
      path: data.file.path,
      dataLength: data.length,
      mapBytes,
      offmap: map,
      file: data.file,
      mapFind: (offset) => reading.mapFind(offset),
      read: (offset, buffer) => reading.read(offset, buffer),
      readMany: (offsets, lengths) => reading.readMany(offsets, lengths),
      readRange: (offset, range) => reading.readRange(offset, range),
      readPhysical: (physical, buffer) => reading.readPhysical(physical, buffer),
      nextValidOffset: (offset) => reading.nextValidOffset(offset),
      extents: () => reading.extents(),
      close: reading.close,
      unsafe: { read: (offset, buffer) => reading.readNow(offset, buffer) }
    })
  })
