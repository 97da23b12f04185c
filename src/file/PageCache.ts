/**
 * PageCache: a device read in small typed pieces, a page at a time, each page fetched once.
 *
 * After the page cache Cachet, whose operations it has under the names of this platform. For what can't be
 * mapped into memory: a remote object, a device, a file on a machine without a provider of mappings. It
 * reads whole, aligned pages, runs of missing ones by one call; it keeps as many as it was
 * told to, and lets those go that were asked for once (`pageSlots.ts`).
 *
 * The device is taken not to change, except that it grows: a page that it ends on is fetched again when
 * more of it is asked for. Who changes it otherwise says so by `invalidate`. Nothing is ever written,
 * and nothing fetched before it is asked for, but for `readAhead`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidArgument } from "../bytes/errors.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import { Io, type IoFile, type OpenError } from "../io/Io.ts"
import {
  defaultCacheSize,
  defaultPageSize,
  type PageCacheIoError,
  type PageCacheMakeOptions,
  type PageCacheOptions,
  type PageCacheService
} from "./pageCacheService.ts"
import { PageFetching } from "./pageFetching.ts"
import { PageFrames } from "./pageFrames.ts"
import { effectIntegers, unsafeIntegers } from "./pageIntegers.ts"
import { PageReading } from "./pageReading.ts"
import { PageSlices } from "./pageSlices.ts"
import {
  mapOfSource,
  type PageSource,
  type PositionalSource,
  type RunReader,
  sourceOfFile,
  sourceOfMap,
  sourceOfReader
} from "./pageSource.ts"

export type * from "./pageCacheService.ts"
export type { PositionalSource, RunReader } from "./pageSource.ts"

/** Frames lie in one piece of memory, and places in it are 32-bit integers. */
const maxBytes = 2 ** 30
/** What a page takes beside its bytes, some 80 bytes, must not come to more. */
const maxPages = 2 ** 24
const unnamed = "the device"

/** A cache over something whose errors may need a name for it. */
export interface PageCacheNamedOptions extends PageCacheOptions {
  /** What errors call the device. Default: `"the device"`. */
  readonly path?: string | undefined
}

interface Sizes {
  readonly pageSize: number
  readonly cacheSize: number
  readonly readAhead: number
}

const checkPower = (name: string, value: number): void => {
  if (!(value >= 1 && Number.isInteger(Math.log2(value)))) {
    throw new InvalidArgument({
      operation: "PageCache",
      reason: `${name} must be a power of two, not ${value}`
    })
  }
}

const sizesOf = (options: PageCacheOptions): Sizes => {
  const { cacheSize = defaultCacheSize, pageSize = defaultPageSize, readAhead = 0 } = options
  checkPower("pageSize", pageSize)
  checkPower("cacheSize", cacheSize)
  checkOffset("PageCache", "readAhead", readAhead)
  if (cacheSize > maxPages) {
    throw new InvalidArgument({
      operation: "PageCache",
      reason: `cacheSize is at most 2^24, not ${cacheSize}`
    })
  }
  if (pageSize * cacheSize > maxBytes) {
    const reason = `${cacheSize} pages of ${pageSize} bytes are more than one cache can hold, 1 GiB`
    throw new InvalidArgument({ operation: "PageCache", reason })
  }
  return { pageSize, cacheSize, readAhead }
}

/** The memory of a new cache. */
const framesOf = (sizes: Sizes): PageFrames => {
  try {
    return new PageFrames(sizes)
  } catch {
    const reason = `there is no memory for ${sizes.cacheSize} pages of ${sizes.pageSize} bytes`
    throw new InvalidArgument({ operation: "PageCache", reason })
  }
}

const text = new TextDecoder("utf-8", { ignoreBOM: true })

const decode = (bytes: Uint8Array): string => {
  try {
    return text.decode(bytes)
  } catch {
    const reason = `${bytes.length} bytes are more than one string can hold here: read them in pieces`
    throw new InvalidArgument({ operation: "getString", reason })
  }
}

const serviceOf = <E>(
  source: PageSource<E>,
  sizes: Sizes,
  context: Context.Context<never>
): PageCacheService<E> => {
  const frames = framesOf(sizes)
  const fetching = new PageFetching({ frames, source, readAhead: sizes.readAhead, context })
  const reading = new PageReading(frames, fetching)
  const slices = new PageSlices(frames, fetching)
  const integers = unsafeIntegers(frames, reading)
  return {
    ...effectIntegers(frames, reading),
    pageSize: sizes.pageSize,
    cacheSize: sizes.cacheSize,
    load: (address, options) => slices.load(address, options?.length),
    next: (slice) => slices.next(slice),
    getBytes: (address, length) => reading.getBytes("getBytes", address, length),
    getString: (address, length) =>
      Effect.flatMap(reading.getBytes("getString", address, length), (bytes) =>
        attempt<string, InvalidArgument>(() => decode(bytes))
      ),
    blit: (address, out, at, length) => reading.blit({ address, out, at, length }),
    iterate: (address, options, f) => reading.iterate(address, options.length, f),
    sequence: (address) => slices.sequence(address),
    invalidate: (offset, length) => {
      checkRange("invalidate", offset, length)
      if (length > 0) fetching.invalidate(frames.pageOf(offset), frames.pageOf(offset + length - 1))
    },
    isCached: (address) => {
      checkOffset("isCached", "address", address)
      return frames.available(address) > 0
    },
    cacheHit: () => frames.hits,
    cacheMiss: () => frames.misses,
    syscalls: (address, length) => {
      checkRange("syscalls", address, length)
      return length === 0 ? 0 : frames.pageOf(address + length - 1) - frames.pageOf(address) + 1
    },
    copy: () => serviceOf(source, sizes, context),
    unsafe: {
      ...integers,
      getBytes: (address, length) => reading.getBytesNow("getBytes", address, length),
      getString: (address, length) => decode(reading.getBytesNow("getString", address, length)),
      blit: (address, out, at, length) => reading.blitNow({ address, out, at, length })
    }
  }
}

/** A cache of these sizes over the source that the context of the caller makes. */
const makeOver = <E, R>(
  options: PageCacheOptions,
  sourceIn: (context: Context.Context<R>) => PageSource<E>
): Effect.Effect<PageCacheService<E>, InvalidArgument, R> =>
  Effect.flatMap(Effect.context<R>(), (context) =>
    attempt<PageCacheService<E>, InvalidArgument>(() =>
      serviceOf(sourceIn(context), sizesOf(options), context as Context.Context<never>)
    )
  )

const make = <E = never, R = never>(
  options: PageCacheMakeOptions<E, R>
): Effect.Effect<PageCacheService<E>, InvalidArgument, R> =>
  makeOver(options, (context: Context.Context<R>) =>
    sourceOfMap(options.map, options.path ?? unnamed, context)
  )

const overFile = (
  file: IoFile,
  options: PageCacheOptions = {}
): Effect.Effect<PageCacheService<PageCacheIoError>, InvalidArgument> =>
  makeOver(options, () => sourceOfFile(file))

/**
 * A page cache: the tag of the one a program works with, and the way to make any number.
 *
 * ```ts
 * const file = yield* io.open("archive.zip", { readonly: true })
 * const cache = yield* PageCache.overFile(file, { cacheSize: 256 })
 * const signature = yield* cache.getUint32LE(0)
 * ```
 *
 * Sizes that are no powers of two, or above 1 GiB together, are `InvalidArgument`. A cache holds nothing
 * but memory, so it needs no scope; over a closed file it fails with `Closed` where it has to read.
 */
export class PageCache extends Context.Service<PageCache, PageCacheService>()("lacuna/PageCache") {
  /** A cache over whatever `map` reads. An Effect's error stays in the channel of every read. */
  static readonly make = make

  /** A cache over an open file. What changes of it other than its size must be invalidated. */
  static readonly overFile = overFile

  /** A cache over an object that is read by positions: a `ByteSource`, say. */
  static readonly overSource = <E>(
    source: PositionalSource<E>,
    options: PageCacheNamedOptions = {}
  ): Effect.Effect<PageCacheService<E>, InvalidArgument> => make({ ...options, map: mapOfSource(source) })

  /**
   * A cache at virtual offsets: over a `SparseFileReader`, or a `Store`. A hole is refused in the reader's
   * own words (`InvalidSparseRead`), and no byte of one is ever given; a read that runs into one is
   * `ReadOutOfBounds`, and what goes on to the end, a `sequence` say, is refused where the hole begins.
   * Of a store, what a rollback takes back must be invalidated, and what a collection frees stays readable
   * for as long as it is cached.
   */
  static readonly overReader = <E>(
    reader: RunReader<E>,
    options: PageCacheNamedOptions = {}
  ): Effect.Effect<PageCacheService<E>, InvalidArgument> =>
    makeOver(options, () => sourceOfReader(reader, options.path ?? unnamed))

  /** One cache for a program, by `make`. */
  static readonly layer = <R = never>(
    options: PageCacheMakeOptions<PageCacheIoError, R>
  ): Layer.Layer<PageCache, InvalidArgument, R> => Layer.effect(PageCache, make(options))

  /** One cache for a program, over the file at `path`, opened for reading. */
  static readonly layerOverFile = (
    path: string,
    options: PageCacheOptions = {}
  ): Layer.Layer<PageCache, InvalidArgument | OpenError, Io> =>
    Layer.effect(
      PageCache,
      Effect.gen(function* () {
        const io = yield* Io
        return yield* overFile(yield* io.open(path, { readonly: true }), options)
      })
    )
}
