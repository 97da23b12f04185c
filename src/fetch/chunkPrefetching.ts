/**
 * Fetching for later: what is missing of a range, into the store, in as long requests as there may be.
 *
 * A few workers go through the range together, each waiting for one run of missing chunks at a time; so
 * what is kept in mind does not grow with the range. No bytes are held. What the store does not take is its failure,
 * whatever reads do about it: the point of it is that the bytes are there.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { ChunkFlights } from "./chunkFlights.ts"
import type { ChunkRange } from "./chunkGrid.ts"
import type { ChunkPresence } from "./chunkPresence.ts"
import { StoringTaker } from "./chunkTakers.ts"

export interface ChunkPrefetchingOptions<E> {
  readonly presence: ChunkPresence
  readonly flights: ChunkFlights<E>
  readonly workers: number
  /** The longest run, in chunks. */
  readonly longest: number
}

/** Chunks that one step passes that are there already. */
const stepChunks = 65_536

export const prefetchOf = <E>(
  { flights, longest, presence, workers }: ChunkPrefetchingOptions<E>,
  { first, last }: ChunkRange
): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    let next = first

    /** The next missing run; undefined where none was found in a step. */
    const missing = (): ChunkRange | undefined => {
      const limit = Math.min(last, next + stepChunks)
      while (next <= limit && presence.has(next)) next++
      if (next > limit) return undefined
      const start = next
      while (next <= last && next - start < longest && !presence.has(next)) next++
      return { first: start, last: next - 1 }
    }

    const work = Effect.gen(function* () {
      while (next <= last) {
        const run = missing()
        yield* run === undefined ? Effect.yieldNow : fetch(flights, run)
      }
    })
    const count = Math.min(workers, last - first + 1)
    if (count === 1) return work
    return Effect.all(
      Array.from({ length: count }, () => work),
      { concurrency: "unbounded", discard: true }
    )
  })

const fetch = <E>(flights: ChunkFlights<E>, run: ChunkRange): Effect.Effect<void, E> =>
  Effect.uninterruptibleMask((restore) => {
    const taker = new StoringTaker<E>()
    const demand = flights.ask(run, taker, () => {})
    return Effect.onExit(restore(Deferred.await(taker.result)), () => flights.leave(demand))
  })
