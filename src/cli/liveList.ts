/**
 * A live list read from a file, a pipe or standard input: what of a source is to be kept.
 *
 * Duplicates and overlaps are what collectors emit: they are united and counted. Zero-length
 * extents keep nothing: they are dropped and counted. Anything else that is not an extent of the
 * source ends the reading with the number of its line.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Extent } from "../bytes/extent.ts"
import { extentRuns, type UnitedExtents } from "../bytes/extentRuns.ts"
import { attempt } from "../io/attempt.ts"
import type { BadLiveList } from "./errors.ts"
import { type InputError, openInput } from "./input.ts"
import { liveListParser } from "./liveListParser.ts"

export interface LiveList {
  /** Lines that hold an extent, those of no bytes included. */
  readonly given: number
  /** Extents of no bytes. */
  readonly empty: number
  readonly extents: UnitedExtents
}

export interface LiveListStream {
  /** As the lines come, for whoever unites them; to be run once. */
  readonly extents: Stream.Stream<Extent, LiveListError>
  /** As `LiveList` has it, of the lines read so far. */
  readonly given: () => number
  readonly empty: () => number
}

export type LiveListError = BadLiveList | InputError

/**
 * Reads the live list at `path` (`-` is standard input) for a source of `sourceBytes`. Memory is 16
 * bytes a line, and the same again for each united extent.
 */
export const readLiveList = (path: string, sourceBytes: number): Effect.Effect<LiveList, LiveListError> =>
  Effect.gen(function* () {
    const runs = extentRuns()
    const list = yield* openList(path, { source: "source", sourceBytes, onExtent: runs.add })
    while (yield* list.advance);
    return { given: list.given(), empty: list.empty(), extents: runs.unite() }
  }).pipe(Effect.scoped)

/** The live list at `path` for a store that ends at `storeEnd`, a piece of it in memory at a time. */
export const streamLiveList = (
  path: string,
  storeEnd: number
): Effect.Effect<LiveListStream, InputError, Scope.Scope> =>
  Effect.gen(function* () {
    let parsed: Array<Extent> = []
    const onExtent = (offset: number, length: number): void => void parsed.push({ offset, length })
    const list = yield* openList(path, { source: "store", sourceBytes: storeEnd, onExtent })
    const extents = Stream.paginate(undefined, () =>
      Effect.map(list.advance, (more) => {
        const page = parsed
        parsed = []
        return [page, more ? Option.some(undefined) : Option.none()] as const
      })
    )
    return { extents, given: list.given, empty: list.empty }
  })

interface OpenList {
  /** Parses the next piece, and says whether there was one. */
  readonly advance: Effect.Effect<boolean, LiveListError>
  readonly given: () => number
  readonly empty: () => number
}

const openList = (
  path: string,
  options: {
    readonly source: string
    readonly sourceBytes: number
    readonly onExtent: (offset: number, length: number) => void
  }
): Effect.Effect<OpenList, InputError, Scope.Scope> =>
  Effect.map(openInput(path), ({ name, next }) => {
    let given = 0
    let empty = 0
    const parser = liveListParser({
      ...options,
      name,
      onExtent: (offset, length) => {
        given++
        if (length === 0) empty++
        else options.onExtent(offset, length)
      }
    })
    const parse = (piece: Uint8Array | undefined): boolean => {
      if (piece === undefined) parser.end()
      else parser.push(piece)
      return piece !== undefined
    }
    const advance = Effect.flatMap(next, (piece) => attempt<boolean, BadLiveList>(() => parse(piece)))
    return { advance, given: () => given, empty: () => empty }
  })
