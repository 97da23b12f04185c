/**
 * One SparseIo: its parts, put together over a source and a store that agree on a version of the object.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { InvalidArgument, SourceChanged, SourceFailed } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { checkRange, isOffset } from "../bytes/offset.ts"
import type { ExtentStore, SourcePin } from "../file/extentStore.ts"
import { attempt } from "../io/attempt.ts"
import type { ByteSource } from "./ByteSource.ts"
import { ChunkBudget } from "./chunkBudget.ts"
import { SparseIoCounters } from "./sparseIoCounters.ts"
import { type FetchError, ChunkFetching } from "./chunkFetching.ts"
import { ChunkFlights } from "./chunkFlights.ts"
import { ChunkGrid, type ChunkRange } from "./chunkGrid.ts"
import type { SparseIoError, SparseIoOptions, SparseIoService } from "./sparseIoService.ts"
import { ChunkKeeping } from "./chunkKeeping.ts"
import { fillFromStore } from "./sparseIoOpening.ts"
import { maxRunChunks, type SparseIoSizes, sizesOf } from "./sparseIoOptions.ts"
import { prefetchOf } from "./chunkPrefetching.ts"
import { ChunkReading } from "./chunkReading.ts"
import { streamOf } from "./chunkStreaming.ts"
import { makeViewer } from "./sparseViewer.ts"

const unnamed = "the source"
/** However many requests there may be: what one read, or one prefetch, keeps in mind must stay small. */
const maxWorkers = 256

export interface SparseIoInstance<E> {
  readonly service: SparseIoService<E>
  /** Whether nobody waits and nothing is under way. */
  readonly isIdle: () => boolean
}

export const makeInstance = <ES, EX>(
  options: SparseIoOptions<ES, EX>
): Effect.Effect<SparseIoInstance<ES | EX>, ES | EX | SparseIoError, Scope.Scope> =>
  Effect.gen(function* () {
    const { onSourceChanged = "fail", onStoreFailure = "readThrough", source, store } = options
    const { trustLength = false } = options
    const sizes = yield* attempt<ReturnType<typeof sizesOf>, InvalidArgument>(() => sizesOf(options))
    const name = source.name ?? unnamed
    const pin = yield* pinOf(source, name)
    const isVersioned = yield* source.isVersioned ?? Effect.succeed(true)
    const isTrusted = isVersioned || trustLength
    yield* takeStore(store, pin, name, { clears: onSourceChanged === "clear", isTrusted })

    // Requests outlive the span of whoever makes this.
    const context = Context.omit(Tracer.ParentSpan)(yield* Effect.context<never>())
    const grid = new ChunkGrid(pin.length, sizes.chunkSize)
    const hasRanges = yield* source.hasRanges ?? Effect.succeed(true)
    if (!hasRanges) yield* mustFitOneRequest(grid, sizes, name)
    const counters = new SparseIoCounters(context)
    const budget = sizes.budgetChunks === Infinity ? undefined : new ChunkBudget(sizes.budgetChunks)
    const keeping = new ChunkKeeping({
      store,
      grid,
      counters,
      budget,
      onStoreFailure,
      // Where nothing can be fetched but everything, parts are of no use.
      asks: isTrusted && hasRanges,
      source: name
    })
    yield* fillFromStore(store, keeping, budget)

    const { identity } = pin
    const fetching = new ChunkFetching({ source, name, identity, keeping, counters })
    const interrupted = ({ first }: ChunkRange): SourceFailed =>
      new SourceFailed({ source: name, offset: grid.startOf(first), reason: "the request was interrupted" })
    const closed = ({ first }: ChunkRange): SourceFailed =>
      new SourceFailed({ source: name, offset: grid.startOf(first), reason: "the SparseIo is closed" })
    const { presence } = keeping
    const last = grid.count - 1
    if (!hasRanges && !presence.hasAll(0, last)) presence.clear()
    const concurrency = hasRanges ? sizes.concurrency : 1
    const longest = hasRanges ? sizes.runChunks : Math.max(1, grid.count)
    const flights: ChunkFlights<FetchError<ES, EX>> = new ChunkFlights({
      presence,
      counters,
      concurrency,
      longest,
      fetch: (flight) => fetching.fetch(flight, flights),
      interrupted,
      closed,
      context
    })
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        flights.close,
        Effect.sync(() => counters.tell())
      )
    )
    const workers = Math.min(concurrency, maxWorkers)
    const reading = new ChunkReading<FetchError<ES, EX>>({
      keeping,
      flights,
      counters,
      longest,
      workers,
      name
    })
    const fetchAhead = (chunks: ChunkRange) =>
      keeping.favour(chunks, prefetchOf({ presence, flights, workers, longest }, chunks))
    const all = Effect.suspend(() => fetchAhead({ first: 0, last }))
    const service: SparseIoService<ES | EX> = {
      name,
      identity: source.identity === undefined ? undefined : Effect.succeed(identity),
      isVersioned: Effect.succeed(isVersioned),
      hasRanges: Effect.succeed(hasRanges),
      length: Effect.succeed(pin.length),
      chunkSize: sizes.chunkSize,
      readChunk: reading.readChunk,
      read: reading.read,
      readAt: reading.read,
      stream: (from = 0, length) =>
        Stream.unwrap(
          attempt<Stream.Stream<Uint8Array, FetchError<ES, EX> | InvalidArgument>, InvalidArgument>(() => {
            checkRange("stream", from, length ?? 0)
            const to = length === undefined ? grid.length : Math.min(grid.length, from + length)
            const pieces = streamOf({ grid, flights, reading, ahead: sizes.aheadChunks }, from, to)
            return hasRanges || from >= to ? pieces : Stream.unwrap(Effect.as(all, pieces))
          })
        ),
      coverage: keeping.coverage,
      prefetch: (range) =>
        Effect.flatMap(
          attempt<ChunkRange | undefined, InvalidArgument>(() => chunksOf(grid, range)),
          (chunks) => (chunks === undefined ? Effect.void : fetchAhead(chunks))
        ),
      viewer: () => makeViewer(reading.read, grid.length),
      stats: () => counters.stats(),
      flush: store.flush ?? Effect.void
    }
    return { service, isIdle: () => flights.isIdle }
  })

/** The version and the length that a source has now, both of the same moment. */
const pinOf = <E>(
  { identity, length }: ByteSource<E>,
  source: string
): Effect.Effect<SourcePin, E | SourceChanged | SourceFailed> =>
  Effect.gen(function* () {
    const expected = identity === undefined ? "" : yield* identity
    const bytes = yield* length
    if (!isOffset(bytes)) {
      const reason = `it says that it is ${bytes} bytes long, which must be an integer from 0 to 2^53-1`
      return yield* new SourceFailed({ source, offset: 0, reason })
    }
    const found = identity === undefined ? "" : yield* identity
    if (found !== expected) return yield* new SourceChanged({ source, expected, found })
    return { identity: expected, length: bytes }
  })

/** What comes only from its beginning on has to come by one request, or it would come many times. */
const mustFitOneRequest = (
  { chunkSize, count, length }: ChunkGrid,
  { budgetChunks }: SparseIoSizes,
  source: string
): Effect.Effect<void, SourceFailed> => {
  if (count <= Math.min(maxRunChunks, budgetChunks)) return Effect.void
  const least = Math.ceil(length / maxRunChunks)
  const need =
    count <= maxRunChunks ? `a budgetBytes of ${count * chunkSize}` : `a chunkSize of ${least} or more`
  const reason = `it gives no parts of its ${length} bytes, and to fetch and keep them all takes ${need}`
  return Effect.fail(new SourceFailed({ source, offset: 0, reason }))
}

interface StoreTaking {
  /** Whether a store of another version is cleared. */
  readonly clears: boolean
  /** Whether a store that has something of this version and length is believed to have it of this object. */
  readonly isTrusted: boolean
}

/** Makes a store one of this version, if what it has is. */
const takeStore = <E>(
  store: ExtentStore<E>,
  version: SourcePin,
  source: string,
  { clears, isTrusted }: StoreTaking
): Effect.Effect<void, E | SourceChanged> => {
  const { clear, pin } = store
  const pinned =
    pin === undefined ? Effect.void : Effect.flatten(attempt<Pinning<E>, E>(() => pin(version, source)))
  const taken = isTrusted ? pinned : Effect.andThen(pinned, mustBeEmpty(store, version, source))
  if (!clears || clear === undefined) return taken
  return Effect.catchIf(
    taken,
    (error): error is SourceChanged => error instanceof SourceChanged,
    () => Effect.andThen(clear, pinned)
  )
}

type Pinning<E> = Effect.Effect<void, E | SourceChanged>

/** What was kept of an object whose version only its length tells may be of another version. */
const mustBeEmpty = <E>(
  { extents }: ExtentStore<E>,
  { length }: SourcePin,
  source: string
): Effect.Effect<void, E | SourceChanged> =>
  Effect.gen(function* () {
    const isEmpty = yield* attempt<boolean, E>(() => {
      for (const _ of extents?.() ?? []) return false
      return true
    })
    if (isEmpty) return
    const expected = `of a version that nothing but its length of ${length} bytes tells`
    const found = "of one that has the same length, and may be another"
    return yield* new SourceChanged({ source, expected, found })
  })

/** The chunks that a range touches, as far as the object goes. Throws `InvalidArgument`. */
const chunksOf = (grid: ChunkGrid, { length, offset }: Extent): ChunkRange | undefined => {
  checkRange("prefetch", offset, length)
  const end = Math.min(offset + length, grid.length)
  return offset < end ? { first: grid.indexOf(offset), last: grid.indexOf(end - 1) } : undefined
}
