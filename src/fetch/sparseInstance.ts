/**
 * One SparseIo: its parts, put together over a source and a store that agree on a version of the object.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { InvalidArgument, SourceChanged, SourceFailed } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { checkRange, isOffset } from "../bytes/offset.ts"
import type { ExtentStore, SourcePin } from "../file/extentStore.ts"
import { attempt } from "../io/attempt.ts"
import type { ByteSource } from "./ByteSource.ts"
import { SparseBudget } from "./sparseBudget.ts"
import { SparseCounters } from "./sparseCounters.ts"
import { type FetchError, SparseFetching } from "./sparseFetching.ts"
import { SparseFlights } from "./sparseFlights.ts"
import { ChunkGrid, type ChunkRange } from "./sparseGrid.ts"
import type { SparseIoError, SparseIoOptions, SparseIoService } from "./sparseIoService.ts"
import { SparseKeeping } from "./sparseKeeping.ts"
import { fillFromStore } from "./sparseOpening.ts"
import { sizesOf } from "./sparseOptions.ts"
import { prefetchOf } from "./sparsePrefetching.ts"
import { SparseReading } from "./sparseReading.ts"
import { streamOf } from "./sparseStreaming.ts"
import { makeViewer } from "./sparseViewer.ts"

const unnamed = "the source"
/** However many requests there may be: what one read, or one prefetch, keeps in mind must stay small. */
const maxWorkers = 256

export interface SparseInstance<E> {
  readonly service: SparseIoService<E>
  /** Whether nobody waits and nothing is under way. */
  readonly isIdle: () => boolean
}

export const makeInstance = <ES, EX>(
  options: SparseIoOptions<ES, EX>
): Effect.Effect<SparseInstance<ES | EX>, ES | EX | SparseIoError, Scope.Scope> =>
  Effect.gen(function* () {
    const { onSourceChanged = "fail", onStoreFailure = "readThrough", source, store } = options
    const sizes = yield* attempt<ReturnType<typeof sizesOf>, InvalidArgument>(() => sizesOf(options))
    const name = source.name ?? unnamed
    const pin = yield* pinOf(source, name)
    yield* pinStore(store, pin, name, onSourceChanged === "clear")

    const context = yield* Effect.context<never>()
    const grid = new ChunkGrid(pin.length, sizes.chunkSize)
    const counters = new SparseCounters(context)
    const budget = sizes.budgetChunks === Infinity ? undefined : new SparseBudget(sizes.budgetChunks)
    const keeping = new SparseKeeping({ store, grid, counters, budget, onStoreFailure, source: name })
    yield* fillFromStore(store, keeping, budget)

    const { identity } = pin
    const fetching = new SparseFetching({ source, name, identity, keeping, counters })
    const interrupted = ({ first }: ChunkRange): SourceFailed =>
      new SourceFailed({ source: name, offset: grid.startOf(first), reason: "the request was interrupted" })
    const { concurrency, runChunks: longest } = sizes
    const { presence } = keeping
    const flights: SparseFlights<FetchError<ES, EX>> = new SparseFlights({
      presence,
      counters,
      concurrency,
      longest,
      fetch: (flight) => fetching.fetch(flight, flights),
      interrupted,
      context
    })
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        flights.close,
        Effect.sync(() => counters.tell())
      )
    )
    const workers = Math.min(concurrency, maxWorkers)
    const reading = new SparseReading<FetchError<ES, EX>>({
      keeping,
      flights,
      counters,
      longest,
      workers,
      name
    })
    const service: SparseIoService<ES | EX> = {
      name,
      identity: source.identity === undefined ? undefined : Effect.succeed(identity),
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
            return streamOf({ grid, flights, reading, ahead: sizes.aheadChunks }, from, to)
          })
        ),
      coverage: keeping.coverage,
      prefetch: (range) =>
        Effect.flatMap(
          attempt<ChunkRange | undefined, InvalidArgument>(() => chunksOf(grid, range)),
          (chunks) =>
            chunks === undefined ? Effect.void : prefetchOf({ presence, flights, workers, longest }, chunks)
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

const pinStore = <E>(
  { clear, pin }: ExtentStore<E>,
  version: SourcePin,
  source: string,
  clears: boolean
): Effect.Effect<void, E | SourceChanged> => {
  if (pin === undefined) return Effect.void
  const pinned = pin(version, source)
  if (!clears || clear === undefined) return pinned
  return Effect.catchIf(
    pinned,
    (error): error is SourceChanged => error instanceof SourceChanged,
    () =>
      Effect.andThen(
        clear,
        Effect.suspend(() => pin(version, source))
      )
  )
}

/** The chunks that a range touches, as far as the object goes. Throws `InvalidArgument`. */
const chunksOf = (grid: ChunkGrid, { length, offset }: Extent): ChunkRange | undefined => {
  checkRange("prefetch", offset, length)
  const end = Math.min(offset + length, grid.length)
  return offset < end ? { first: grid.indexOf(offset), last: grid.indexOf(end - 1) } : undefined
}
