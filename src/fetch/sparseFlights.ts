/**
 * The chunks that somebody waits for: who asks for one that is wanted already waits for the same bytes.
 *
 * A chunk is wanted from when it is first asked for until it has come, its request has failed, or nobody
 * waits for it any more. Wanted chunks queue; after a turn of the scheduler, in which others may
 * ask for their neighbours, runs of them go out as requests (*flights*), so many at a time. A flight
 * belongs to all who wait for one of its chunks: interrupting one of them disturbs no other. With the last of them it is
 * interrupted, and what is left of it is wanted by nobody from that very step on, so that who asks then asks anew.
 *
 * Everything here happens in single steps; only the flights themselves take time. Invariants: `wanted`
 * has each chunk of a flight that has neither come nor been given up, and each that queues; a chunk that
 * queues is waited for; a flight that is not over has at least one chunk that is waited for.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ArrivedChunk } from "./sparseArrival.ts"
import type { SparseCounters } from "./sparseCounters.ts"
import type { ChunkRange } from "./sparseGrid.ts"
import type { SparsePresence } from "./sparsePresence.ts"

/** Who asks for chunks. What is called must neither throw nor wait. */
export interface ChunkTaker<E> {
  /** One of the chunks has come, in no order of theirs. */
  readonly take: (index: number, chunk: ArrivedChunk) => void
  /** All of them have come. */
  readonly finish: () => void
  /** One of them won't come; nothing more is taken. */
  readonly fail: (cause: Cause.Cause<E>) => void
  /** Whether chunks are to be in the store: one that it does not take fails. */
  readonly storedOnly: boolean
}

/** What somebody waits for. */
export interface ChunkDemand<E> extends ChunkRange {
  readonly taker: ChunkTaker<E>
  /** How many of its chunks are still to come. */
  pending: number
  isOver: boolean
}

interface WantedChunk<E> {
  readonly demands: Set<ChunkDemand<E>>
  flight: ChunkFlight | undefined
}

/** A request under way. */
export interface ChunkFlight extends ChunkRange {
  /** How many of its chunks somebody waits for. At 0 it is over. */
  awaited: number
  /** Whether nobody waits for what is left of it: it is to end. */
  isOver: boolean
  /** Undefined before its first step. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

export interface SparseFlightsOptions<E> {
  readonly presence: SparsePresence
  readonly counters: SparseCounters
  readonly concurrency: number
  /** Chunks. */
  readonly longest: number
  /** Fetches what a flight still wants, and settles it. */
  readonly fetch: (flight: ChunkFlight) => Effect.Effect<void, E>
  /** What it means to who waits that a flight was interrupted by others. */
  readonly interrupted: (flight: ChunkRange) => E
  readonly context: Context.Context<never>
}

export class SparseFlights<E> {
  private readonly options: SparseFlightsOptions<E>
  private readonly wanted = new Map<number, WantedChunk<E>>()
  /** Of those that are wanted, the ones without a flight, in the order in which they were asked for. */
  private readonly queue = new Map<number, WantedChunk<E>>()
  private readonly flights = new Set<ChunkFlight>()
  private isScheduled = false
  private isDispatching = false
  private isClosed = false

  constructor(options: SparseFlightsOptions<E>) {
    this.options = options
  }

  /** Whether nobody waits and nothing is under way. */
  get isIdle(): boolean {
    return this.wanted.size + this.queue.size + this.flights.size === 0
  }

  /**
   * Asks for the chunks of a range that are not in the store; `skip` is told of those that are. Who asks
   * must come to `leave`, whatever happens: no interruption may come between.
   */
  ask(range: ChunkRange, taker: ChunkTaker<E>, skip: (index: number) => void): ChunkDemand<E> {
    const { counters, presence } = this.options
    const demand: ChunkDemand<E> = { ...range, taker, pending: 0, isOver: false }
    let shared = false
    for (let index = range.first; index <= range.last; index++) {
      if (presence.has(index)) skip(index)
      else if (this.want(index, demand)) shared = true
    }
    if (shared) counters.add("sharedWaits", 1)
    if (demand.pending === 0) this.end(demand)
    else if (this.isClosed) this.fail(demand, Cause.fail(this.options.interrupted(range)))
    else this.schedule()
    return demand
  }

  /** Somebody waits no longer. The Effect ends with the flights that were interrupted for it. */
  leave(demand: ChunkDemand<E>): Effect.Effect<void> {
    demand.isOver = true
    if (demand.pending === 0) return Effect.void
    const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
    for (let index = demand.first; index <= demand.last; index++) {
      const chunk = this.wanted.get(index)
      if (chunk === undefined || !chunk.demands.delete(demand) || chunk.demands.size > 0) continue
      const { flight } = chunk
      if (flight === undefined) {
        this.queue.delete(index)
        this.wanted.delete(index)
      } else if (--flight.awaited === 0) {
        this.giveUp(flight)
        if (flight.fiber !== undefined) fibers.push(flight.fiber)
      }
    }
    demand.pending = 0
    return fibers.length === 0 ? Effect.void : Fiber.interruptAll(fibers)
  }

  /** Whether a chunk is still to come by a flight. */
  isOpen(flight: ChunkFlight, index: number): boolean {
    return this.wanted.get(index)?.flight === flight
  }

  /** A chunk has come by a flight: whoever waits takes it. `failure` says that it is not in the store. */
  settle(flight: ChunkFlight, index: number, chunk: ArrivedChunk, failure?: Cause.Cause<E>): void {
    const { wanted } = this
    const settled = wanted.get(index)
    if (settled?.flight !== flight) return
    wanted.delete(index)
    if (settled.demands.size > 0 && --flight.awaited === 0) this.giveUp(flight)
    for (const demand of settled.demands) demand.pending--
    // From here on those who waited go on, in this very step, and may do anything.
    for (const demand of settled.demands) {
      if (demand.isOver) continue
      if (failure !== undefined && demand.taker.storedOnly) this.fail(demand, failure)
      else this.hand(demand, index, chunk)
    }
  }

  /** Ends everything that is under way; whoever waits, and whoever asks from now on, fails. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    const flights = [...this.flights]
    for (const [index] of this.queue) {
      const range = { first: index, last: index }
      this.refuse(range, undefined, Cause.fail(this.options.interrupted(range)))
    }
    return Fiber.interruptAll(flights.flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber])))
  })

  /** Whether it was wanted already. */
  private want(index: number, demand: ChunkDemand<E>): boolean {
    const { queue, wanted } = this
    demand.pending++
    const chunk = wanted.get(index)
    if (chunk === undefined) {
      const asked: WantedChunk<E> = { demands: new Set([demand]), flight: undefined }
      wanted.set(index, asked)
      queue.set(index, asked)
      return false
    }
    if (chunk.demands.size === 0) chunk.flight!.awaited++
    chunk.demands.add(demand)
    return true
  }

  private hand(demand: ChunkDemand<E>, index: number, chunk: ArrivedChunk): void {
    try {
      demand.taker.take(index, chunk)
    } catch (cause) {
      // A buffer that was transferred, say: the others' are not.
      this.fail(demand, Cause.die(cause))
    }
    if (demand.pending === 0 && !demand.isOver) this.end(demand)
  }

  private end(demand: ChunkDemand<E>): void {
    demand.isOver = true
    demand.taker.finish()
  }

  private fail(demand: ChunkDemand<E>, cause: Cause.Cause<E>): void {
    if (demand.isOver) return
    demand.isOver = true
    demand.taker.fail(cause)
  }

  /** Lets others ask before anything is fetched, so that neighbours go out together. */
  private schedule(): void {
    const { concurrency, context } = this.options
    if (this.isScheduled || this.flights.size >= concurrency) return
    this.isScheduled = true
    const dispatch = Effect.sync(() => {
      this.isScheduled = false
      this.dispatch()
    })
    Effect.runForkWith(context)(Effect.andThen(Effect.yieldNow, dispatch))
  }

  private dispatch(): void {
    // A flight that ends in its first steps would come here from within.
    if (this.isDispatching || this.isClosed) return
    this.isDispatching = true
    try {
      while (this.queue.size > 0 && this.flights.size < this.options.concurrency) {
        this.launch(this.nextRange())
      }
    } finally {
      this.isDispatching = false
    }
  }

  /** The chunk that has queued longest, and its neighbours that queue: those behind it first. */
  private nextRange(): ChunkRange {
    const { queue } = this
    const { longest } = this.options
    const [eldest] = queue.keys()
    let first = eldest
    let last = eldest
    while (last - first + 1 < longest && queue.has(last + 1)) last++
    while (last - first + 1 < longest && queue.has(first - 1)) first--
    return { first, last }
  }

  private launch({ first, last }: ChunkRange): void {
    const { context, fetch, interrupted } = this.options
    const flight: ChunkFlight = { first, last, awaited: last - first + 1, isOver: false, fiber: undefined }
    for (let index = first; index <= last; index++) {
      this.queue.get(index)!.flight = flight
      this.queue.delete(index)
    }
    this.flights.add(flight)
    // In its first steps already others go on, who may be the last to leave it.
    const run = Effect.withFiber((fiber) => {
      flight.fiber = fiber
      return this.isClosed ? Effect.fail(interrupted(flight)) : fetch(flight)
    })
    Effect.runForkWith(context)(
      Effect.exit(Effect.onExit(run, (exit) => Effect.sync(() => this.land(flight, exit))))
    )
  }

  /** A flight has ended: what it did not bring won't come. */
  private land(flight: ChunkFlight, exit: Exit.Exit<void, E>): void {
    const { interrupted } = this.options
    const cause =
      Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
        ? exit.cause
        : Cause.fail(interrupted(flight))
    flight.isOver = true
    this.flights.delete(flight)
    this.refuse(flight, flight, cause)
    this.dispatch()
  }

  /** Nobody waits for what is left of a flight: it is wanted no more. */
  private giveUp(flight: ChunkFlight): void {
    flight.isOver = true
    for (let index = flight.first; index <= flight.last; index++) {
      if (this.isOpen(flight, index)) this.wanted.delete(index)
    }
  }

  /** Those chunks of a range that are wanted of a flight, or of the queue, won't come. */
  private refuse({ first, last }: ChunkRange, flight: ChunkFlight | undefined, cause: Cause.Cause<E>): void {
    const { queue, wanted } = this
    const refused: Array<ChunkDemand<E>> = []
    for (let index = first; index <= last; index++) {
      const chunk = wanted.get(index)
      if (chunk === undefined || chunk.flight !== flight) continue
      wanted.delete(index)
      queue.delete(index)
      for (const demand of chunk.demands) {
        demand.pending--
        refused.push(demand)
      }
    }
    // Those who waited go on in this very step.
    for (const demand of refused) this.fail(demand, cause)
  }
}
