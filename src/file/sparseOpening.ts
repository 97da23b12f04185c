/**
 * Opening a sparse file: finding its two files, finishing an interrupted promotion, and checking
 * that they belong together before a byte is served.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { IoFailed, NoSpace, NotADirectory } from "../bytes/errors.ts"
import { Corrupt, Incomplete, type NoSuchFile, type NotAFile } from "../bytes/errors.ts"
import type { BlockSumsHeader } from "../format/blockSums.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile, IoService, OpenError } from "../io/Io.ts"
import { checkBlockSumsTable, readBlockSumsHeader, readBlockSumsTable } from "./blockSumsReading.ts"
import { Offmap } from "./Offmap.ts"
import type { OffmapSearch } from "./offmapSearch.ts"
import type { SparsePaths } from "./sparsePaths.ts"
import { classifySparseFile, finishSparsePromotion } from "./sparsePromotion.ts"

export type SparseOpenError =
  Corrupt | Incomplete | IoFailed | NoSpace | NoSuchFile | NotADirectory | NotAFile

/** The two files of a whole sparse file, open and checked against each other. */
export interface OpenedSparseFile {
  readonly data: IoFile
  readonly dataLength: number
  readonly map: OffmapSearch
  readonly mapFile: IoFile
  /** The size of the map's file. */
  readonly mapBytes: number
  readonly sums: BlockSumsHeader
}

/** A directory in which nothing may be renamed: the pair is served as it lies. */
const readonlyCodes = new Set(["EACCES", "EPERM", "EROFS"])

export const openSparseFile = (
  io: IoService,
  paths: SparsePaths
): Effect.Effect<OpenedSparseFile, SparseOpenError, Scope.Scope> =>
  Effect.flatMap(settleNames(io, paths), (mapPath) => openPair(io, paths, mapPath)).pipe(
    // Another opener may rename the map between our look at it and our use of its name.
    Effect.retry({ times: 2, while: (error) => error._tag === "NoSuchFile" && error.path !== paths.data }),
    Effect.catchTag("NoSuchFile", (missing): Effect.Effect<never, NoSuchFile | Incomplete> =>
      missing.path === paths.data
        ? Effect.fail(missing)
        : Effect.fail(new Incomplete({ path: paths.data, missing: paths.map }))
    ),
    // Files opened by us are open, at offsets of our own: these two would be bugs.
    Effect.catchTag(["Closed", "InvalidArgument"], Effect.die)
  )

/** Opens a pair that has its final names, and changes nothing: `NoSuchFile` when one of them is missing. */
export const openFinishedSparseFile = (
  io: IoService,
  paths: SparsePaths
): Effect.Effect<OpenedSparseFile, Corrupt | OpenError, Scope.Scope> =>
  Effect.catchTag(openPair(io, paths, paths.map), ["Closed", "InvalidArgument"], Effect.die)

/** The path of the map, after finishing a promotion where one was interrupted. */
const settleNames = (io: IoService, paths: SparsePaths) =>
  Effect.gen(function* () {
    const { state } = yield* classifySparseFile(io, paths)
    if (state === "finished") return paths.map
    // Nothing gets a final name before all of it has been checked.
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { map } = yield* openPair(io, paths, paths.mapTmp)
        yield* attempt<void, Corrupt>(() => map.verifyAll())
      })
    )
    return yield* finishSparsePromotion(io, paths).pipe(
      Effect.as(paths.map),
      Effect.catchTag("IoFailed", (failed) =>
        readonlyCodes.has(failed.code) ? Effect.succeed(paths.mapTmp) : Effect.fail(failed)
      ),
      // Both names of the map exist now: whoever made the second one finished before us.
      Effect.catchTag("FileExists", () => Effect.succeed(paths.map))
    )
  })

const openPair = (io: IoService, paths: SparsePaths, mapPath: string) =>
  Effect.gen(function* () {
    const data = yield* io.open(paths.data, { readonly: true })
    const mapFile = yield* io.open(mapPath, { readonly: true })
    const map = yield* Offmap.over(mapFile)
    const mapBytes = yield* mapFile.size
    const sums = yield* readBlockSumsHeader(mapFile, map.imageBytes, mapBytes)
    yield* checkBlockSumsTable(mapFile, map.imageBytes, sums)
    const dataLength = yield* data.size
    if (dataLength !== sums.dataLength) {
      const reason = `the file has ${dataLength} bytes, and its map was written for ${sums.dataLength}`
      return yield* new Corrupt({ path: paths.data, offset: Math.min(dataLength, sums.dataLength), reason })
    }
    return { data, dataLength, map, mapBytes, mapFile, sums }
  }).pipe(
    // A file that ends too early ends where it should go on.
    Effect.catchTag("ReadOutOfBounds", ({ end, path }) =>
      Effect.fail(new Corrupt({ path, offset: end, reason: "the file ends too early" }))
    )
  )

/** All sums, in memory: four bytes for every 64 KiB of data. */
export const loadSums = ({
  map,
  mapFile,
  sums
}: OpenedSparseFile): Effect.Effect<Uint32Array, Corrupt | IoFailed> =>
  readBlockSumsTable(mapFile, map.imageBytes, sums).pipe(
    Effect.catchTag("ReadOutOfBounds", ({ end, path }) =>
      Effect.fail(new Corrupt({ path, offset: end, reason: "the file ends too early" }))
    ),
    Effect.catchTag(["Closed", "InvalidArgument"], Effect.die)
  )
