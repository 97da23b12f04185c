/**
 * Bytes in order: a stream that asks for chunks some way ahead of whoever takes them, in long requests, and
 * holds no more than those. Whoever stops taking stops the asking; whoever leaves leaves nothing under way.
 *
 * A chunk that failed ahead of whoever takes ends nothing: what is before it is given, and it is asked for once more, with all
 * that failed behind it, when its turn comes.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { ChunkDemand, ChunkTaker, ChunkFlights } from "./chunkFlights.ts"
import type { ChunkGrid, ChunkRange } from "./chunkGrid.ts"
import type { ChunkReading } from "./chunkReading.ts"

export interface ChunkStreamingOptions<E> {
  readonly grid: ChunkGrid
  readonly flights: ChunkFlights<E>
  readonly reading: ChunkReading<E>
  /** Chunks. */
  readonly ahead: number
}

/** The bytes from `from` to `to`, which lie within the object, in pieces of up to a chunk. */
export const streamOf = <E>(
  options: ChunkStreamingOptions<E>,
  from: number,
  to: number
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    if (from >= to) return Stream.empty
    const ahead = new ChunksAhead(options, from, to)
    return Stream.ensuring(Stream.fromPull(Effect.succeed(ahead.pull)), ahead.release)
  })

class ChunksAhead<E> {
  private readonly options: ChunkStreamingOptions<E>
  private readonly to: number
  /** Behind the last chunk. */
  private readonly end: number
  private position: number
  /** Behind the last chunk that was asked for. */
  private asked: number
  private readonly demands = new Set<ChunkDemand<E>>()
  /** Chunks that were asked for and neither came nor failed. */
  private readonly coming = new Set<number>()
  private readonly arrived = new Map<number, Uint8Array>()
  /** Chunks that were asked for ahead and failed. */
  private readonly lost = new Set<number>()
  /** The chunk that is waited for. */
  private waiting: { readonly index: number; readonly result: Deferred.Deferred<void, E> } | undefined

  constructor(options: ChunkStreamingOptions<E>, from: number, to: number) {
    this.options = options
    this.to = to
    this.end = options.grid.indexOf(to - 1) + 1
    this.position = from
    this.asked = options.grid.indexOf(from)
  }

  /** The next piece. */
  readonly pull: Effect.Effect<readonly [Uint8Array], E | Cause.Done<void>> = Effect.suspend(
    (): Effect.Effect<readonly [Uint8Array], E | Cause.Done<void>> => {
      const { grid } = this.options
      if (this.position >= this.to) return Cause.done()
      const index = grid.indexOf(this.position)
      this.askAgain(index)
      this.askAhead(index)
      return Effect.map(this.chunk(index), (bytes) => {
        const start = grid.startOf(index)
        const from = this.position - start
        const to = Math.min(bytes.length, this.to - start)
        this.position = start + to
        return [bytes.subarray(from, to)] as const
      })
    }
  )

  readonly release: Effect.Effect<void> = Effect.suspend(() => {
    const left = [...this.demands].map((demand) => this.options.flights.leave(demand))
    this.demands.clear()
    this.coming.clear()
    this.lost.clear()
    this.arrived.clear()
    return Effect.all(left, { concurrency: "unbounded", discard: true })
  })

  /** Asks for what failed, from the chunk on whose turn it is. */
  private askAgain(index: number): void {
    let last = index
    while (this.lost.delete(last)) last++
    if (last > index) this.ask({ first: index, last: last - 1 })
  }

  /** Asks for more, when half of what may be ahead has been taken. */
  private askAhead(index: number): void {
    const { ahead } = this.options
    const first = Math.max(this.asked, index)
    if (first - index > ahead / 2) return
    const last = Math.min(index + ahead, this.end - 1)
    if (first > last) return
    this.asked = last + 1
    this.ask({ first, last })
  }

  private ask(range: ChunkRange): void {
    for (let index = range.first; index <= range.last; index++) this.coming.add(index)
    const demand = this.options.flights.ask(range, this.takerOf(range), (kept) => this.coming.delete(kept))
    if (demand.pending > 0) this.demands.add(demand)
  }

  private takerOf({ first, last }: ChunkRange): ChunkTaker<E> {
    return {
      storedOnly: false,
      isAhead: true,
      take: (index, chunk) => {
        this.coming.delete(index)
        this.arrived.set(index, chunk.keep("stream"))
      },
      taken: (index) => {
        if (this.waiting?.index === index) this.wake(Exit.void)
      },
      finish: () => {
        for (const demand of this.demands) if (demand.pending === 0) this.demands.delete(demand)
      },
      fail: (cause) => {
        for (let index = first; index <= last; index++) this.lose(index, cause)
      },
      lose: (index, cause) => this.lose(index, cause)
    }
  }

  private lose(index: number, cause: Cause.Cause<E>): void {
    if (!this.coming.delete(index)) return
    this.lost.add(index)
    if (this.waiting?.index === index) this.wake(Exit.failCause(cause))
  }

  private wake(exit: Exit.Exit<void, E>): void {
    const { waiting } = this
    this.waiting = undefined
    if (waiting !== undefined) Deferred.doneUnsafe(waiting.result, exit)
  }

  private chunk(index: number): Effect.Effect<Uint8Array, E> {
    return Effect.suspend(() => {
      const bytes = this.arrived.get(index)
      if (bytes !== undefined) {
        this.arrived.delete(index)
        return Effect.succeed(bytes)
      }
      if (!this.coming.has(index)) return this.options.reading.chunk(index, "stream")
      this.options.flights.hasten(index)
      const result = Deferred.makeUnsafe<void, E>()
      this.waiting = { index, result }
      return Effect.andThen(Deferred.await(result), this.chunk(index))
    })
  }
}
