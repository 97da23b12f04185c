/**
 * The cache on disk through which commands read what lies behind URLs.
 *
 * A file an object, whose name tells nothing of its URL. The cache is there to be thrown away: what is damaged is
 * begun anew, and what can't be used is done without, with a warning.
 */
import fs from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { IoFailed } from "../bytes/errors.ts"
import { SparseIo } from "../fetch/SparseIo.ts"
import { ExtentFile } from "../file/ExtentFile.ts"
import type { ExtentFileError } from "../file/extentFileService.ts"
import type { ExtentStore } from "../file/extentStore.ts"
import { hashOf, type Headers, objectName, openUrl } from "./remoteInput.ts"

/** What is kept of one object: what was not read for longest goes first. */
const budgetBytes = 4 * 2 ** 30

/** Where what was read of URLs is kept, unless a command is told otherwise. */
export const defaultCacheDirectory = (): string => {
  const base = process.env["XDG_CACHE_HOME"]
  return join(base !== undefined && base.startsWith("/") ? base : join(homedir(), ".cache"), "lacuna")
}

/** The object behind a URL, read through the cache in `directory`. */
export const openCached = Effect.fnUntraced(function* (place: {
  readonly url: string
  readonly headers: Headers
  readonly directory: string
}) {
  const source = yield* openUrl(place.url, place.headers)
  // A URL that leads nowhere leaves nothing in the cache.
  yield* source.length
  // What can't be told from another version isn't kept.
  const isVersioned = yield* source.isVersioned ?? Effect.succeed(true)
  const store = isVersioned ? yield* openStore(place.directory, place.url) : noStore
  return yield* SparseIo.make({ source, store, budgetBytes, onSourceChanged: "clear" })
})

/** Keeps nothing. */
const noStore: ExtentStore<never> = {
  createExtent: () => Effect.void,
  readExtent: () => Effect.succeed(new Uint8Array(0)),
  deleteExtent: () => Effect.void
}

const openStore = (directory: string, url: string) => {
  const path = join(directory, hashOf(objectName(url)).slice(0, 32))
  const anew = Effect.andThen(
    Effect.sync(() => {
      for (const name of [path, `${path}.extents`]) fs.rmSync(name, { force: true })
    }),
    ExtentFile.open(path)
  )
  return makeDirectory(directory).pipe(
    Effect.andThen(ExtentFile.open(path)),
    Effect.catchTag(["Corrupt", "Incomplete"], () => anew),
    Effect.map((file): ExtentStore<ExtentFileError> => file),
    Effect.catch((error): Effect.Effect<ExtentStore<ExtentFileError>> =>
      // Another process that reads the same object is no reason for a warning.
      Effect.as(
        error._tag === "Locked" ? Effect.void : Effect.logWarning(`nothing is cached: ${error.message}`),
        noStore
      )
    )
  )
}

/** Makes a directory for one's own use, and those that it lies in. */
const makeDirectory = (directory: string): Effect.Effect<void, IoFailed> =>
  Effect.try({
    try: () => void fs.mkdirSync(directory, { recursive: true, mode: 0o700 }),
    catch: (cause) => {
      const { code = "UNKNOWN", syscall = "mkdir" } = cause as NodeJS.ErrnoException
      return new IoFailed({ syscall, path: directory, code, cause })
    }
  })
