/**
 * Offmap: the sorted set of bindings of one sparse file, from virtual to physical offsets.
 *
 * Built in memory, written once, then read-only: searched in place in a mapping, or through a cache
 * of its pages where nothing can be mapped. Opening costs the checks of its header and index, whatever its
 * size. It is the OFFMAP of the sparse-file prototype, with extents and checksums.
 *
 * It does not know what the offsets are offsets of: the data file is SparseFile's business.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { crc32 } from "../bytes/crc32.ts"
import { Corrupt, type InvalidArgument, type MemoryLimit } from "../bytes/errors.ts"
import type { Binding } from "../bytes/extent.ts"
import { checkOffset } from "../bytes/offset.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import {
  decodeOffmapHeader,
  encodeOffmapHeader,
  offmapHeaderBytes,
  offmapLayout,
  pageBytes
} from "../format/offmapImage.ts"
import type { OffmapHeader } from "../format/offmapImage.ts"
import { attempt } from "../io/attempt.ts"
import { Io } from "../io/Io.ts"
import type { IoFile, OpenError, ReadError, WriteError } from "../io/Io.ts"
import { OffmapBuilder } from "./offmapBuilder.ts"
import { openOffmapPaged } from "./offmapPaged.ts"
import { OffmapSearch } from "./offmapSearch.ts"
import { OffmapTable } from "./offmapTable.ts"

/**
 * A built or opened offmap. Everything is synchronous. An argument that is no offset throws
 * `InvalidArgument`; a damaged page met on the way throws `Corrupt`, once the map's scope has ended
 * every lookup throws `Closed`, and where pages are read rather than mapped, `IoFailed` can occur.
 */
export interface OffmapService {
  /** The number of bindings. */
  readonly size: number
  /** The physical offset bound to exactly this virtual offset (the start of an extent, or a point). */
  find(virtual: VirtualOffset): PhysicalOffset | undefined
  /** The binding that covers this virtual offset, be it its start or its middle. */
  locate(virtual: VirtualOffset): Binding | undefined
  /**
   * The physical offset of the byte at this virtual offset, or -1 where nothing covers it. The hot
   * path: some 250 ns at random in a map of 30 million bindings, faster the smaller the map.
   */
  translate(virtual: VirtualOffset): number
  /**
   * `translate` of all `virtuals`, written to `out` (which may be longer): about twice as fast as one
   * by one, since the cache misses of neighbouring lookups overlap.
   */
  translateMany(virtuals: Float64Array, out: Float64Array): void
  /** The smallest readable offset at or after this one. Points are passed over, a cell of them at a time. */
  next(virtual: VirtualOffset): VirtualOffset | undefined
  /** All bindings in ascending virtual order. */
  entries(): IterableIterator<Binding>
}

export type OffmapWriteError = WriteError | ReadError | Corrupt | MemoryLimit
export type OffmapReadError = ReadError | Corrupt
export type OffmapOpenError = OpenError | Corrupt

export class Offmap extends Context.Service<Offmap, OffmapService>()("lacuna/Offmap") {
  /** A builder of a map in memory: `add` bindings in any order (ascending is fastest), then `build`. */
  static builder(): OffmapBuilder {
    return new OffmapBuilder()
  }

  /**
   * Writes the image of a map into `file` at `offset` and gives the number of bytes written. The
   * header goes last: an image that was not written to its end is none. (Over an older image, its
   * header stands until then: what is opened meanwhile is that one, as far as it is left, or `Corrupt`.)
   */
  static readonly write = (
    map: Offmap["Service"],
    file: IoFile,
    offset: number
  ): Effect.Effect<number, OffmapWriteError> => writeImage(map, file, offset)

  /** Reads the map whose image begins at `offset` of `file` into memory, and checks all of it. */
  static readonly read = (file: IoFile, offset: number): Effect.Effect<Offmap["Service"], OffmapReadError> =>
    readImage(file, offset)

  /**
   * The map whose image begins an open file, searched in place: mapped into memory where that is to
   * be had, else read by pages as they are needed, of which up to 32 MiB are kept. What follows the
   * image's `imageBytes` in the file is somebody else's.
   */
  static readonly over = (file: IoFile): Effect.Effect<OffmapSearch, OffmapReadError, Scope.Scope> =>
    openImage(file)

  /** Opens the map at `path` for as long as the scope lasts. */
  static readonly open = (
    path: string
  ): Effect.Effect<Offmap["Service"], OffmapOpenError, Io | Scope.Scope> => openPath(path)

  /** `open` as a layer. */
  static readonly layer = (path: string): Layer.Layer<Offmap, OffmapOpenError, Io> =>
    Layer.effect(Offmap, Offmap.open(path))
}

const openPath = Effect.fn("Offmap.open")(function* (path: string) {
  const io = yield* Io
  const file = yield* io.open(path, { readonly: true })
  return yield* openImage(file).pipe(
    Effect.catchTag("ReadOutOfBounds", ({ end }) =>
      Effect.fail(new Corrupt({ path, offset: end, reason: "the file was truncated while it was opened" }))
    ),
    // A file opened by us is open, and its map begins at 0: these two would be bugs.
    Effect.catchTag(["Closed", "InvalidArgument"], Effect.die)
  )
})

const openImage = Effect.fnUntraced(function* (file: IoFile) {
  const { header, imageBytes } = yield* readHeader(file, 0)
  const mapped = yield* (
    file
      .map(0, imageBytes)
      // Whatever keeps a mapping from being made, reading will work or say what is wrong.
      .pipe(Effect.catch(() => Effect.succeed(undefined)))
  )
  if (mapped === undefined || mapped.byteOffset % 8 !== 0) return yield* openOffmapPaged({ file, header })
  const origin = { path: file.path, offset: 0 }
  const table = yield* attempt<OffmapTable, Corrupt>(() => new OffmapTable(mapped, header, origin, false))
  yield* Effect.addFinalizer(() => Effect.sync(() => table.close()))
  return table
})

const readImage = Effect.fnUntraced(function* (file: IoFile, offset: number) {
  const { header, imageBytes } = yield* readHeader(file, offset)
  const image = new Uint8Array(imageBytes)
  yield* file.readAt(offset, image)
  return yield* attempt<OffmapTable, OffmapReadError>(() => {
    const table = new OffmapTable(image, header, { path: file.path, offset }, false)
    table.verifyAll()
    return table
  })
})

const readHeader = Effect.fnUntraced(function* (file: IoFile, offset: number) {
  yield* attempt<void, InvalidArgument>(() => checkOffset("Offmap.read", "offset", offset))
  const available = Math.max(0, (yield* file.size) - offset)
  const bytes = new Uint8Array(offmapHeaderBytes)
  yield* file.readSomeAt(offset, bytes)
  const header = yield* attempt<OffmapHeader, Corrupt>(() =>
    decodeOffmapHeader(bytes, { path: file.path, origin: offset, available })
  )
  return { header, imageBytes: offmapLayout(header).imageBytes }
})

/**
 * Pages are written in pieces that end at multiples of this in the file, over the thread pool: the
 * next one is summed meanwhile. A file system caches such a piece as one large page where it can,
 * which makes writing several times as fast, and lookups in a mapping of it faster too.
 */
const pieceBytes = 512 * pageBytes

const writeImage = Effect.fnUntraced(function* (map: Offmap["Service"], file: IoFile, offset: number) {
  yield* attempt<void, InvalidArgument>(() => checkOffset("Offmap.write", "offset", offset))
  const search =
    map instanceof OffmapSearch ? map : yield* attempt<OffmapTable, OffmapWriteError>(() => copyOf(map))
  yield* attempt<void, OffmapReadError>(() => search.checkOpen())
  const { header, layout } = search
  // Not `slice`: where an Io maps into a Buffer, that would be a view of what can't be written.
  const index = new Uint8Array(search.index)
  const pageSums = new Uint32Array(index.buffer, 0, layout.pages)
  yield* Effect.scoped(
    Effect.gen(function* () {
      let writing: Fiber.Fiber<void, WriteError> | undefined
      let page = 0
      for (let at = layout.cells; at < layout.pageSums;) {
        const end = Math.min(at + pieceBytes - ((offset + at) % pieceBytes), layout.pageSums)
        const piece = yield* attempt<Uint8Array, OffmapReadError>(() => search.imagePart(at, end))
        // Pages begin behind the header, so that the last one of a piece may end in the next.
        const nextPage = Math.min(layout.pages, Math.ceil((end - layout.cells) / pageBytes))
        for (; page < nextPage; page++) pageSums[page] = search.sumOf(page)
        if (writing !== undefined) yield* Fiber.join(writing)
        writing = yield* Effect.forkScoped(file.writeAt(offset + at, piece), { startImmediately: true })
        at = end
        yield* Effect.yieldNow
      }
      if (writing !== undefined) yield* Fiber.join(writing)
    })
  )
  // A map whose scope has ended meanwhile has shown zeros: that is Closed, and no image.
  yield* attempt<void, OffmapReadError>(() => search.checkOpen())
  yield* file.writeAt(offset + layout.pageSums, index)
  yield* file.writeAt(offset, encodeOffmapHeader({ ...header, indexCrc: crc32(index) }))
  return layout.imageBytes
})

const copyOf = (map: OffmapService): OffmapTable => {
  const builder = new OffmapBuilder()
  for (const { length, physical, virtual } of map.entries()) builder.add(virtual, physical, length)
  return builder.build()
}
