/**
 * The runs of bytes behind a URL: of an object as it is, or, where a map lies beside it, of a sparse file at
 * its virtual offsets. Both are read through a cache on disk.
 */
import * as Effect from "effect/Effect"
import { ReadOutOfBounds, SourceFailed } from "../bytes/errors.ts"
import type { SourceError } from "../fetch/ByteSource.ts"
import { SparseIo } from "../fetch/SparseIo.ts"
import type { SparseIoService } from "../fetch/sparseIoService.ts"
import { ExtentFile } from "../file/ExtentFile.ts"
import type { ExtentFileError } from "../file/extentFileService.ts"
import type { ExtentStore } from "../file/extentStore.ts"
import { SparseFile, type SparseRemoteReader } from "../file/SparseFile.ts"
import { offmapMagic } from "../format/offmapImage.ts"
import type { ReadableRuns } from "./readableRuns.ts"
import { cachePath, type Headers, makeCacheDirectory, openUrl } from "./remoteInput.ts"

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
  const map = place.plain ? undefined : yield* openMap(place)
  const data = yield* openCached(place.url, place)
  return map === undefined ? objectRuns(data) : sparseRemoteRuns(yield* SparseFile.openRemote(data, map))
})

type CachedObject = SparseIoService<SourceError | ExtentFileError>

/** The map beside an object, or undefined where there is none. */
const openMap = Effect.fnUntraced(function* (place: RemotePlace) {
  if (place.map !== undefined) return yield* openCached(place.map, place)
  const url = new URL(place.url)
  url.pathname += ".map"
  const source = yield* openUrl(url.href, place.headers)
  const magic = new Uint8Array(offmapMagic.length)
  const isMap = yield* source.readAt(0, magic).pipe(
    Effect.map((count) => count === magic.length && new TextDecoder().decode(magic) === offmapMagic),
    // Only a server that says it has none: one that is down may have one, and other offsets are meant then.
    Effect.catchTag("SourceFailed", (failed) =>
      saysThereIsNone(failed) ? Effect.succeed(false) : Effect.fail(failed)
    )
  )
  return isMap ? yield* openCached(url.href, place) : undefined
})

/** Object stores answer 403 to who may not know what there is. */
const saysThereIsNone = ({ status }: SourceFailed): boolean =>
  status === 403 || status === 404 || status === 410

/** Keeps nothing. */
const noStore: ExtentStore<never> = {
  createExtent: () => Effect.void,
  readExtent: () => Effect.succeed(new Uint8Array(0)),
  deleteExtent: () => Effect.void
}

/** The object behind a URL, read through the cache. */
const openCached = Effect.fnUntraced(function* (url: string, { cache, headers }: RemotePlace) {
  const source = yield* openUrl(url, headers)
  // A URL that leads nowhere leaves nothing in the cache.
  yield* source.length
  yield* makeCacheDirectory(cache)
  const store: ExtentStore<ExtentFileError> = yield* ExtentFile.open(cachePath(cache, url)).pipe(
    // Another process reads the same object: this one reads past the cache.
    Effect.catchTag("Locked", () => Effect.succeed(noStore))
  )
  return yield* SparseIo.make({ source, store, onSourceChanged: "clear" })
})

const objectRuns = (object: CachedObject): ReadableRuns => ({
  endOf: (offset, limit) => Effect.map(object.length, (length) => Math.max(offset, Math.min(limit, length))),
  read: (offset, length) =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(length)
      const count = yield* object.read(offset, bytes)
      if (count === length) return bytes
      const end = yield* object.length
      return yield* new ReadOutOfBounds({ path: object.name ?? "the object", offset, length, end })
    })
})

const sparseRemoteRuns = <E>(reader: SparseRemoteReader<E>): ReadableRuns => ({
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
  read: (offset, length) => reader.readRange(offset, { minLength: length, maxLength: length })
})
