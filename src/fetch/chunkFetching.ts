/**
 * How flights bring their chunks: from the store, where only asking tells whether it has them, and
 * else from the source; each into the store before it goes to those who wait.
 *
 * All is of one version of the object. Where the source tells its version, it is asked again after the last byte of
 * a chunk has come and before the chunk is stored: what is stored was read while the source was what it was. Once it has
 * changed nothing is fetched or stored any more, since it could not be told apart.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { SourceChanged, SourceFailed } from "../bytes/errors.ts"
import type { ByteSource } from "./ByteSource.ts"
import { ArrivedChunk } from "./chunkArrival.ts"
import type { SparseIoCounters } from "./sparseIoCounters.ts"
import type { ChunkFlight, ChunkFlights } from "./chunkFlights.ts"
import type { ChunkRange } from "./chunkGrid.ts"
import type { ChunkKeeping } from "./chunkKeeping.ts"
import { ChunkPresence } from "./chunkPresence.ts"
import { ChunkRequest } from "./chunkRequest.ts"

export type FetchError<ES, EX> = ES | EX | SourceChanged | SourceFailed

export interface ChunkFetchingOptions<ES, EX> {
  readonly source: ByteSource<ES>
  readonly name: string
  /** The version of the object, or "" where the source tells none. */
  readonly identity: string
  readonly keeping: ChunkKeeping<EX>
  readonly counters: SparseIoCounters
}

export class ChunkFetching<ES, EX> {
  private readonly options: ChunkFetchingOptions<ES, EX>
  /** Chunks that the store was asked for, where only asking tells. */
  private readonly probed = new ChunkPresence()
  /** Set once the source is known to be another. */
  private changed: SourceChanged | undefined
  private readonly verify: Effect.Effect<void, ES | SourceChanged>

  constructor(options: ChunkFetchingOptions<ES, EX>) {
    const { identity: expected, name, source } = options
    this.options = options
    this.verify =
      source.identity === undefined
        ? Effect.void
        : Effect.flatMap(source.identity, (found) =>
            found === expected
              ? Effect.void
              : Effect.fail(new SourceChanged({ source: name, expected, found }))
          )
  }

  /** Brings what a flight still wants. */
  fetch(
    flight: ChunkFlight,
    flights: ChunkFlights<FetchError<ES, EX>>
  ): Effect.Effect<void, FetchError<ES, EX>> {
    const { counters, keeping } = this.options
    return Effect.suspend(() => {
      if (this.changed !== undefined) return Effect.fail(this.changed)
      const requests = this.requestAll(flight, flights)
      return keeping.mustBeAsked ? Effect.andThen(this.probeAll(flight, flights), requests) : requests
    }).pipe(
      Effect.tapError((error) =>
        Effect.sync(() => {
          if (error instanceof SourceChanged) this.change(error)
        })
      ),
      Effect.ensuring(Effect.sync(() => counters.tell()))
    )
  }

  private change(error: SourceChanged): void {
    this.changed ??= error
    this.options.keeping.seal()
  }

  /** Settles what the store turns out to have. */
  private probeAll(flight: ChunkFlight, flights: ChunkFlights<FetchError<ES, EX>>): Effect.Effect<void, EX> {
    const { counters, keeping } = this.options
    return Effect.gen({ self: this }, function* () {
      for (let index = flight.first; index <= flight.last && !flight.isOver; index++) {
        if (this.probed.has(index)) continue
        const bytes = yield* keeping.probe(index)
        this.probed.add(index)
        if (bytes === undefined) continue
        counters.hit(flights.readersOf(index))
        flights.settle(flight, index, new ArrivedChunk(bytes, false))
      }
    })
  }

  /** One request for every run of what is still to come. */
  private requestAll(
    flight: ChunkFlight,
    flights: ChunkFlights<FetchError<ES, EX>>
  ): Effect.Effect<void, FetchError<ES, EX>> {
    return Effect.gen({ self: this }, function* () {
      for (let first = flight.first; first <= flight.last && !flight.isOver;) {
        let last = first
        while (last <= flight.last && flights.isOpen(flight, last)) last++
        if (last > first) yield* this.request(flight, { first, last: last - 1 }, flights)
        first = last + 1
      }
    })
  }

  private request(
    flight: ChunkFlight,
    range: ChunkRange,
    flights: ChunkFlights<FetchError<ES, EX>>
  ): Effect.Effect<void, FetchError<ES, EX>> {
    const { counters, keeping, name, source } = this.options
    const deliver = (index: number, chunk: ArrivedChunk): Effect.Effect<void, EX | SourceChanged> =>
      Effect.flatMap(keeping.keep(index, chunk.bytes), (lost) => {
        // Another flight found out while this one stored: nobody knows whether it was.
        if (this.changed !== undefined) return Effect.fail(this.changed)
        flights.settle(flight, index, chunk, lost === undefined ? undefined : Cause.fail(lost.failure))
        return Effect.void
      })
    return new ChunkRequest<ES, ES | EX | SourceChanged>({
      source,
      name,
      grid: keeping.grid,
      counters,
      range,
      verify: this.verify,
      deliver,
      isOver: () => flight.isOver
    }).run()
  }
}
