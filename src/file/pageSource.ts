/**
 * What lies behind a page cache: the device, as the cache asks it.
 *
 * The cache asks for pages around one address that is wanted. Most devices answer from the first of
 * them on; one with holes answers with the run that the address lies in. What a source gives at once may
 * be used again by its next answer: the cache is done with it by then. What an Effect gives is
 * the cache's own.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Unsupported } from "../bytes/errors.ts"
import type { RunRange } from "../bytes/readBuffer.ts"
import { attempt } from "../io/attempt.ts"
import { type IoFile, type ReadSomeError, synchronousTransferBytes } from "../io/Io.ts"
import type { PageMap } from "./pageCacheService.ts"

/** Whole pages, and the address among them for whose sake they are fetched. */
export interface PageRange {
  readonly position: number
  readonly length: number
  readonly wanted: number
}

/** Bytes of the device, contiguous, from `position` on, within the range asked for. */
export interface FetchedBytes {
  readonly position: number
  readonly bytes: Uint8Array
}

export interface PageSource<E> {
  /** What errors call the device. */
  readonly path: string
  /** The bytes around `wanted`, at once or as an Effect; fewer, or none, where the device ends before it. */
  readonly fetch: (range: PageRange) => FetchedBytes | Effect.Effect<FetchedBytes, E>
  /** `fetch`, at once. Throws the device's errors, or `Unsupported` where it can't be done at once. */
  readonly fetchNow: (range: PageRange) => FetchedBytes
  /** Where the device ends, if that can be told without reading. Throws the device's errors. */
  readonly end?: () => number
  /** Fails in the device's own words where `address`, of which nothing was there, is no end but a hole. */
  readonly refuse?: (address: number) => Effect.Effect<unknown, E>
}

const within = (bytes: Uint8Array, length: number): Uint8Array =>
  bytes.length <= length ? bytes : bytes.subarray(0, length)

/** Runs to its end an Effect that never waits; one that does is interrupted. */
export const runNow = <A, E>(effect: Effect.Effect<A, E>): A => {
  const exit = Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  const cause = Cause.squash(exit.cause)
  if (!Cause.isAsyncFiberError(cause)) throw cause
  cause.fiber.interruptUnsafe()
  const reason = "the page is not cached, and the device answers later: load it first"
  throw new Unsupported({ operation: "unsafe", reason })
}

/** The device that a caller's function reads. */
export const sourceOfMap = <E, R>(
  map: PageMap<E, R>,
  path: string,
  context: Context.Context<R>
): PageSource<E> => {
  const fetch = ({ length, position }: PageRange): FetchedBytes | Effect.Effect<FetchedBytes, E> => {
    const answer = map(position, length)
    if (!Effect.isEffect(answer)) return { position, bytes: within(answer, length) }
    return Effect.provideContext(
      // A copy, and made at once: the map's next answer may come before anybody sees this one.
      Effect.map(answer, (bytes) => ({ position, bytes: new Uint8Array(within(bytes, length)) })),
      context
    )
  }
  return {
    path,
    fetch,
    fetchNow: (range) => {
      const answer = fetch(range)
      return Effect.isEffect(answer) ? runNow(answer) : answer
    }
  }
}

/** An open file. */
export const sourceOfFile = (file: IoFile): PageSource<ReadSomeError> => {
  let memory = new Uint8Array(0)
  const fetchNow = ({ length, position }: PageRange): FetchedBytes => {
    if (memory.length !== length) memory = new Uint8Array(length)
    const count = file.unsafe.readSomeAt(position, memory)
    return { position, bytes: count === length ? memory : memory.subarray(0, count) }
  }
  const fetch = (range: PageRange): FetchedBytes | Effect.Effect<FetchedBytes, ReadSomeError> => {
    const { length, position } = range
    if (length <= synchronousTransferBytes) return fetchNow(range)
    return Effect.suspend(() => {
      const bytes = new Uint8Array(length)
      return Effect.map(file.readSomeAt(position, bytes), (count) => ({
        position,
        bytes: bytes.subarray(0, count)
      }))
    })
  }
  return { path: file.path, fetch, fetchNow, end: () => file.unsafe.size() }
}

/** What a page cache can read of any object by positions: a `ByteSource`, say. */
export interface PositionalSource<E> {
  /** Fills `buffer` from `offset` as far as the object goes, and gives the number of bytes. */
  readonly readAt: (offset: number, buffer: Uint8Array) => Effect.Effect<number, E>
}

/** The map that reads an object by positions. */
export const mapOfSource =
  <E>(source: PositionalSource<E>): PageMap<E> =>
  (position, length) =>
    Effect.suspend(() => {
      const bytes = new Uint8Array(length)
      return Effect.map(source.readAt(position, bytes), (count) => bytes.subarray(0, count))
    })

/** What a page cache can read at virtual offsets: a `SparseFileReader`, or a `Store`. */
export interface RunReader<E> {
  /**
   * The bytes from `offset` to the end of the run there, at most `maxLength`, in memory that nobody
   * writes to any more. Fails where none is readable.
   */
  readonly readRange: (offset: number, range: RunRange) => Effect.Effect<Uint8Array, E>
  /** The smallest readable offset at or after this one, or undefined. Throws errors of `E`. */
  readonly nextValidOffset: (offset: number) => number | undefined
}

/** A device with holes, of which no byte is ever given. */
export const sourceOfReader = <E>(reader: RunReader<E>, path: string): PageSource<E> => {
  const nextReadable = (offset: number) =>
    attempt<number | undefined, E>(() => reader.nextValidOffset(offset))
  const fetch = Effect.fnUntraced(function* ({ length, position, wanted }: PageRange) {
    // Runs are only known by where they begin: from the first on these pages to the one that is wanted.
    for (let at = position; ;) {
      const start = yield* nextReadable(at)
      if (start === undefined || start > wanted) return { position: wanted, bytes: new Uint8Array(0) }
      const bytes = yield* reader.readRange(start, { minLength: 0, maxLength: position + length - start })
      at = start + bytes.length
      if (at > wanted) return { position: start, bytes }
      if (bytes.length === 0) return { position: wanted, bytes }
    }
  })
  return {
    path,
    fetch,
    fetchNow: (range) => runNow(fetch(range)),
    refuse: (address) =>
      Effect.flatMap(nextReadable(address), (next) =>
        next === undefined ? Effect.void : reader.readRange(address, { minLength: 1, maxLength: 1 })
      )
  }
}
