/**
 * The runs of bytes behind a URL: of an object as it is, or, where a map lies beside it, of a sparse file at
 * its virtual offsets. Both are read through the cache.
 */
import * as Effect from "effect/Effect"
import { ReadOutOfBounds, type SourceFailed } from "../bytes/errors.ts"
import type { SourceError } from "../fetch/ByteSource.ts"
import type { SparseIoService } from "../fetch/sparseIoService.ts"
import type { ExtentFileError } from "../file/extentFileService.ts"
import { SparseFile, type SparseRemoteReader } from "../file/SparseFile.ts"
import { offmapMagic } from "../format/offmapImage.ts"
import { MapUnclear } from "./errors.ts"
import { byPieces, type ReadableRuns } from "./readableRuns.ts"
import { openCached } from "./remoteCache.ts"
import { type Headers, objectName, openUrl } from "./remoteInput.ts"

export interface RemotePlace {
  readonly url: string
  readonly headers: Headers
  /** The directory of the cache. */
  readonly cache: string
  /** The URL of the map, where that is known. */
  readonly map: string | undefined
  /** Whether to take the object as it is, whatever lies beside it. */
  readonly plain: boolean
}

export const remoteRuns = Effect.fnUntraced(function* (place: RemotePlace) {
  const map = place.plain ? undefined : (place.map ?? (yield* mapBeside(place)))
  const data = yield* openIn(place, place.url)
  if (map === undefined) return objectRuns(data)
  return sparseRemoteRuns(yield* SparseFile.openRemote(data, yield* openIn(place, map)))
})

const openIn = ({ cache, headers }: RemotePlace, url: string) =>
  openCached({ url, headers, directory: cache })

type CachedObject = SparseIoService<SourceError | ExtentFileError>

/** The URL of the map beside an object, or undefined where there is none. */
const mapBeside = Effect.fnUntraced(function* (place: RemotePlace) {
  const url = new URL(place.url)
  url.pathname += ".map"
  const source = yield* openUrl(url.href, place.headers)
  const magic = new Uint8Array(offmapMagic.length)
  return yield* source.readAt(0, magic).pipe(
    Effect.map((count) => count === magic.length && new TextDecoder().decode(magic) === offmapMagic),
    Effect.map((isMap) => (isMap ? url.href : undefined)),
    // Only where it is certain that there is none: else offsets would be taken for what they are not.
    Effect.catchTag("SourceFailed", (failed) =>
      saysThereIsNone(failed, place)
        ? Effect.undefined
        : Effect.fail(new MapUnclear({ source: objectName(place.url), reason: failed.message }))
    )
  )
})

/**
 * Object stores answer 403 to who may not know what there is; but a signature, or credentials, may also be good
 * for the object alone.
 */
const saysThereIsNone = ({ status }: SourceFailed, { headers, url }: RemotePlace): boolean => {
  if (status === 404 || status === 410) return true
  const { search, username } = new URL(url)
  return status === 403 && search === "" && username === "" && headers.length === 0
}

const objectRuns = (object: CachedObject): ReadableRuns => {
  const name = object.name ?? "the object"
  return {
    name,
    endOf: (offset, limit) =>
      Effect.map(object.length, (length) => Math.max(offset, Math.min(limit, length))),
    bytes: (offset, end) => object.stream(offset, end - offset),
    check: (offset, bytes) =>
      Effect.flatMap(object.length, (end) =>
        offset + bytes <= end
          ? Effect.void
          : Effect.fail(new ReadOutOfBounds({ path: name, offset, length: bytes, end }))
      )
  }
}

/** Pieces that are read at once: each may take a request's time. */
const piecesAtOnce = 4

const sparseRemoteRuns = <E>(reader: SparseRemoteReader<E>): ReadableRuns => ({
  name: reader.path,
  endOf: (offset, limit) =>
    Effect.gen(function* () {
      let end = offset
      while (end < limit) {
        const binding = yield* reader.locate(end)
        if (binding === undefined || binding.length === 0) break
        end = binding.virtual + binding.length
      }
      return Math.min(end, limit)
    }),
  ...byPieces(
    (offset, length) => reader.readRange(offset, { minLength: length, maxLength: length }),
    piecesAtOnce
  )
})
