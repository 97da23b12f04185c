/**
 * Bytes in order: a stream that asks for chunks some way ahead of whoever takes them, in long requests, and
 * holds no more than those. Whoever stops taking stops the asking; whoever leaves leaves nothing under way.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { ChunkDemand, ChunkTaker, SparseFlights } from "./sparseFlights.ts"
import type { ChunkGrid, ChunkRange } from "./sparseGrid.ts"
import type { SparseReading } from "./sparseReading.ts"

export interface SparseStreamingOptions<E> {
  readonly grid: ChunkGrid
  readonly flights: SparseFlights<E>
  readonly reading: SparseReading<E>
  /** Chunks. */
  readonly ahead: number
}

/** The bytes from `from` to `to`, which lie within the object, in pieces of up to a chunk. */
export const streamOf = <E>(
  options: SparseStreamingOptions<E>,
  from: number,
  to: number
): Stream.Stream<Uint8Array, E> =>
  Stream.suspend(() => {
    if (from >= to) return Stream.empty
    const ahead = new SparseAhead(options, from, to)
    return Stream.ensuring(Stream.fromPull(Effect.succeed(ahead.pull)), ahead.release)
  })

class SparseAhead<E> {
  private readonly options: SparseStreamingOptions<E>
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
  private hasFailed = false
  /** The chunk that is waited for. */
  private waiting: { readonly index: number; readonly result: Deferred.Deferred<void, E> } | undefined

  constructor(options: SparseStreamingOptions<E>, from: number, to: number) {
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
      this.askAhead(index)
      const piece = Effect.map(this.chunk(index), (bytes) => {
        const start = grid.startOf(index)
        const from = this.position - start
        const to = Math.min(bytes.length, this.to - start)
        this.position = start + to
        return [bytes.subarray(from, to)] as const
      })
      return this.hasFailed ? Effect.andThen(this.leaveFailed, piece) : piece
    }
  )

  readonly release: Effect.Effect<void> = Effect.suspend(() => {
    const left = [...this.demands].map((demand) => this.options.flights.leave(demand))
    this.demands.clear()
    this.coming.clear()
    this.arrived.clear()
    return Effect.all(left, { discard: true })
  })

  /** What one of the demands that failed still waits for is of no use. */
  private readonly leaveFailed: Effect.Effect<void> = Effect.suspend(() => {
    this.hasFailed = false
    const failed = [...this.demands].filter(({ isOver }) => isOver)
    for (const demand of failed) this.demands.delete(demand)
    return Effect.all(
      failed.map((demand) => this.options.flights.leave(demand)),
      { discard: true }
    )
  })

  /** Asks for more, when half of what may be ahead has been taken. */
  private askAhead(index: number): void {
    const { ahead, flights } = this.options
    const first = Math.max(this.asked, index)
    if (first - index > ahead / 2) return
    const last = Math.min(index + ahead, this.end - 1)
    if (first > last) return
    this.asked = last + 1
    for (let i = first; i <= last; i++) this.coming.add(i)
    const range = { first, last }
    const demand = flights.ask(range, this.takerOf(range), (kept) => this.coming.delete(kept))
    if (demand.pending > 0) this.demands.add(demand)
  }

  private takerOf({ first, last }: ChunkRange): ChunkTaker<E> {
    return {
      storedOnly: false,
      take: (index, chunk) => {
        this.coming.delete(index)
        this.arrived.set(index, chunk.keep())
        if (this.waiting?.index === index) this.wake(Exit.void)
      },
      finish: () => {
        for (const demand of this.demands) if (demand.pending === 0) this.demands.delete(demand)
      },
      fail: (cause) => {
        // What was asked for ahead is asked for again when its turn comes.
        for (let index = first; index <= last; index++) this.coming.delete(index)
        this.hasFailed = true
        const { waiting } = this
        if (waiting !== undefined && waiting.index >= first && waiting.index <= last) {
          this.wake(Exit.failCause(cause))
        }
      }
    }
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
      if (!this.coming.has(index)) return this.options.reading.chunk(index)
      const result = Deferred.makeUnsafe<void, E>()
      this.waiting = { index, result }
      return Effect.andThen(Deferred.await(result), this.chunk(index))
    })
  }
}
