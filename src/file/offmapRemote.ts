/**
 * The remote map: an offmap whose image lies elsewhere, of which the index is fetched once, and pages
 * of cells as lookups come to them.
 *
 * A lookup is a synchronous function over the pages that are here. Where it comes to one that isn't, it is given
 * up, the page is waited for, and it begins again: it finds what it has waited for, whatever others have
 * looked up meanwhile. Whoever needs a page that is under way waits for it too.
 */
import * as Effect from "effect/Effect"
import type { Corrupt, SourceFailed } from "../bytes/errors.ts"
import { decodeOffmapHeader, offmapHeaderBytes, offmapLayout, pageBytes } from "../format/offmapImage.ts"
import type { OffmapHeader } from "../format/offmapImage.ts"
import { attempt, thrown } from "../io/attempt.ts"
import { type CellSource, OffmapPaged, PageAway } from "./offmapPaged.ts"
import type { FetchedBytes } from "./pageSource.ts"
import { readRemote, readRemoteGrowing, type RemoteFile } from "./remoteFile.ts"

/** More pages than any lookup goes through that isn't a walk, and few enough to stay in the frames. */
const maxWaits = 256

export interface RemoteImage {
  readonly name: string
  /** Of the whole file that the image begins. */
  readonly fileBytes: number
}

export class OffmapRemote<E> {
  /** What errors call the map. */
  readonly name: string
  readonly map: OffmapPaged<E>

  private constructor(name: string, map: OffmapPaged<E>) {
    this.name = name
    this.map = map
  }

  /** Fetches the header and the index of the image that begins `file`, and checks them. */
  static open<E>(
    file: RemoteFile<E>,
    { fileBytes, name }: RemoteImage
  ): Effect.Effect<OffmapRemote<E | SourceFailed>, E | Corrupt | SourceFailed> {
    return Effect.gen(function* () {
      const bytes = new Uint8Array(Math.min(fileBytes, offmapHeaderBytes))
      yield* readRemote(file, { name, offset: 0, buffer: bytes })
      const header = yield* attempt<OffmapHeader, Corrupt>(() =>
        decodeOffmapHeader(bytes, { path: name, origin: 0, available: fileBytes })
      )
      const { imageBytes, pageSums } = offmapLayout(header)
      const index = yield* readRemoteGrowing(file, { name, offset: pageSums, length: imageBytes - pageSums })
      const context = yield* Effect.context<never>()
      const cells = cellsOf(file, name, offmapLayout(header).cells)
      return yield* attempt<OffmapRemote<E | SourceFailed>, Corrupt>(
        () => new OffmapRemote(name, new OffmapPaged({ cells, context, header, index }))
      )
    })
  }

  /** What a lookup gives, once every page that it needs is here. It is run again and again until then. */
  ask<A>(lookup: (map: OffmapPaged<E>) => A): Effect.Effect<A, E | Corrupt> {
    return Effect.suspend(() => {
      const waitedFor = new Map<number, Uint8Array>()
      const go = (): Effect.Effect<A, E | Corrupt> => {
        try {
          this.map.resume(waitedFor)
          return Effect.succeed(lookup(this.map))
        } catch (cause) {
          return cause instanceof PageAway ? Effect.flatMap(this.load(cause, waitedFor), go) : thrown(cause)
        }
      }
      return go()
    })
  }

  /** Waits for the pages that a lookup was given up for. */
  private load({ span }: PageAway, waitedFor: Map<number, Uint8Array>): Effect.Effect<void, E | Corrupt> {
    const page = Math.floor(span.wanted / pageBytes)
    if (waitedFor.has(page) || waitedFor.size >= maxWaits) {
      return Effect.die(new Error(`a lookup that never ends waits for page ${page} of an offmap`))
    }
    const take = ({ bytes, position }: FetchedBytes): void => {
      const at = page * pageBytes - position
      waitedFor.set(page, bytes.slice(at, at + pageBytes))
    }
    return Effect.catchTag(this.map.load(span, take), "Corrupt", () =>
      // The damage may be in another page of those that came together.
      this.map.load({ wanted: span.wanted, last: span.wanted }, take)
    )
  }
}

/** The cells of an image, of which the first lies at `start`. None of them is here. */
const cellsOf = <E>(file: RemoteFile<E>, name: string, start: number): CellSource<E | SourceFailed> => ({
  path: name,
  fetch: ({ length, position }) =>
    Effect.suspend(() => {
      const bytes = new Uint8Array(length)
      const read = readRemote(file, { name, offset: start + position, buffer: bytes })
      return Effect.as(read, { position, bytes })
    }),
  fetchNow: undefined
})
