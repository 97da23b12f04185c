/**
 * The chunks that somebody waits for: who asks for one that is wanted already waits for the same bytes.
 *
 * A chunk is wanted from when it is first asked for until it has come, its request has failed, or nobody
 * waits for it any more. Wanted chunks queue; after a turn of the scheduler, in which others may
 * ask for their neighbours, runs of them go out as requests (*flights*), so many at a time; what somebody waits for goes
 * first, and what is only fetched ahead leaves one flight for it, if there may be more than one. A flight
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
import type { ArrivedChunk } from "./chunkArrival.ts"
import type { SparseIoCounters } from "./sparseIoCounters.ts"
import type { ChunkRange } from "./chunkGrid.ts"
import type { ChunkPresence } from "./chunkPresence.ts"
import { ChunkQueue } from "./chunkQueue.ts"

/** Who asks for chunks. What is called must neither throw nor wait. */
export interface ChunkTaker<E> {
  /**
   * One of the chunks has come, in no order of theirs: it is copied or kept. Nobody may go on in here, who could
   * write to what others have yet to take.
   */
  readonly take: (index: number, chunk: ArrivedChunk) => void
  /** All who waited for a chunk have taken it. */
  readonly taken: (index: number) => void
  /** All of them have come, or are lost. */
  readonly finish: () => void
  /** None of those that are still to come is taken. */
  readonly fail: (cause: Cause.Cause<E>) => void
  /** One of the chunks won't come. Who says nothing of that fails with it; others go on with the rest. */
  readonly lose?: (index: number, cause: Cause.Cause<E>) => void
  /** Whether chunks are only to be in the store, and not read: one that it does not take fails. */
  readonly storedOnly: boolean
  /** Whether nobody waits for their bytes yet: they leave one request free for those that somebody waits for. */
  readonly isAhead: boolean
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
  /** Whether nobody waited for its bytes when it went out. */
  readonly isAhead: boolean
  /** Undefined before its first step. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

export interface ChunkFlightsOptions<E> {
  readonly presence: ChunkPresence
  readonly counters: SparseIoCounters
  readonly concurrency: number
  /** Chunks. */
  readonly longest: number
  /** Fetches what a flight still wants, and settles it. */
  readonly fetch: (flight: ChunkFlight) => Effect.Effect<void, E>
  /** What it means to who waits that a flight was interrupted by others. */
  readonly interrupted: (flight: ChunkRange) => E
  /** What it means that everything has ended. */
  readonly closed: (asked: ChunkRange) => E
  readonly context: Context.Context<never>
}

export class ChunkFlights<E> {
  private readonly options: ChunkFlightsOptions<E>
  private readonly wanted = new Map<number, WantedChunk<E>>()
  /** Of those that are wanted, the ones without a flight: first go those whose bytes somebody waits for. */
  private readonly queue = new ChunkQueue()
  private readonly queueAhead = new ChunkQueue()
  private readonly flights = new Set<ChunkFlight>()
  private flightsAhead = 0
  private isScheduled = false
  private isDispatching = false
  private isClosed = false

  constructor(options: ChunkFlightsOptions<E>) {
    this.options = options
  }

  /** Whether nobody waits and nothing is under way. */
  get isIdle(): boolean {
    return this.wanted.size + this.queue.size + this.queueAhead.size + this.flights.size === 0
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
    if (shared && !taker.storedOnly) counters.add("sharedWaits", 1)
    if (demand.pending === 0) this.end(demand)
    else if (this.isClosed) this.fail(demand, Cause.fail(this.options.closed(range)))
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
        this.unqueue(index)
        this.wanted.delete(index)
      } else if (--flight.awaited === 0) {
        this.giveUp(flight)
        if (flight.fiber !== undefined) fibers.push(flight.fiber)
      }
    }
    demand.pending = 0
    return fibers.length === 0 ? Effect.void : Fiber.interruptAll(fibers)
  }

  /** Somebody now waits for a chunk that was asked for ahead. */
  hasten(index: number): void {
    if (!this.queueAhead.delete(index)) return
    this.queue.add(index)
    this.schedule()
  }

  /** How many reads wait for a chunk. */
  readersOf(index: number): number {
    let readers = 0
    for (const { isOver, taker } of this.wanted.get(index)?.demands ?? []) {
      if (!isOver && !taker.storedOnly) readers++
    }
    return readers
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
    let refused: Map<ChunkDemand<E>, Cause.Cause<E>> | undefined
    for (const demand of settled.demands) {
      if (demand.isOver) continue
      const cause = failure !== undefined && demand.taker.storedOnly ? failure : take(demand, index, chunk)
      if (cause !== undefined) (refused ??= new Map()).set(demand, cause)
    }
    // From here on those who waited go on, in this very step, and may do anything: write to what they got, too.
    for (const demand of settled.demands) {
      if (demand.isOver) continue
      const cause = refused?.get(demand)
      if (cause === undefined) this.proceed(demand, index)
      else this.fail(demand, cause)
    }
  }

  /** Ends everything that is under way; whoever waits, and whoever asks from now on, fails. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    const flights = [...this.flights]
    for (const index of [...this.queue.all(), ...this.queueAhead.all()]) {
      const range = { first: index, last: index }
      this.refuse(range, undefined, () => Cause.fail(this.options.closed(range)))
    }
    return Fiber.interruptAll(flights.flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber])))
  })

  /** Whether it was wanted already. */
  private want(index: number, demand: ChunkDemand<E>): boolean {
    const { queue, queueAhead, wanted } = this
    const { isAhead } = demand.taker
    demand.pending++
    const chunk = wanted.get(index)
    if (chunk === undefined) {
      wanted.set(index, { demands: new Set([demand]), flight: undefined })
      if (isAhead) queueAhead.add(index)
      else queue.add(index)
      return false
    }
    if (!isAhead && queueAhead.delete(index)) queue.add(index)
    if (chunk.demands.size === 0) chunk.flight!.awaited++
    chunk.demands.add(demand)
    return true
  }

  private unqueue(index: number): void {
    if (!this.queue.delete(index)) this.queueAhead.delete(index)
  }

  private proceed(demand: ChunkDemand<E>, index: number): void {
    demand.taker.taken(index)
    if (demand.pending === 0 && !demand.isOver) this.end(demand)
  }

  private end(demand: ChunkDemand<E>): void {
    demand.isOver = true
    demand.taker.finish()
  }

  /** A chunk that is wanted no more won't come. */
  private lose(demand: ChunkDemand<E>, index: number, cause: Cause.Cause<E>): void {
    if (demand.isOver) return
    demand.pending--
    const { taker } = demand
    if (taker.lose === undefined) return this.fail(demand, cause)
    taker.lose(index, cause)
    if (demand.pending === 0 && !demand.isOver) this.end(demand)
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
      while (this.flights.size < this.options.concurrency) {
        const eldest = this.queue.eldest()
        if (eldest !== undefined) this.launch(this.nextRange(eldest, this.queue), false)
        else if (!this.launchAhead()) return
      }
    } finally {
      this.isDispatching = false
    }
  }

  /** Whether there is something that may go out ahead, and did. */
  private launchAhead(): boolean {
    const { queueAhead } = this
    const eldest = queueAhead.eldest()
    if (eldest === undefined) return false
    if (this.flightsAhead >= Math.max(1, this.options.concurrency - 1)) return false
    this.launch(this.nextRange(eldest, queueAhead), true)
    return true
  }

  /** A chunk, and its neighbours that queue: first those behind it, and then those of its own queue before it. */
  private nextRange(eldest: number, own: ChunkQueue): ChunkRange {
    const { queue, queueAhead } = this
    const { longest } = this.options
    let first = eldest
    let last = eldest
    while (last - first + 1 < longest && (queue.has(last + 1) || queueAhead.has(last + 1))) last++
    while (last - first + 1 < longest && own.has(first - 1)) first--
    return { first, last }
  }

  private launch({ first, last }: ChunkRange, isAhead: boolean): void {
    const { closed, context, fetch } = this.options
    const flight: ChunkFlight = {
      first,
      last,
      awaited: last - first + 1,
      isOver: false,
      isAhead,
      fiber: undefined
    }
    for (let index = first; index <= last; index++) {
      this.wanted.get(index)!.flight = flight
      this.unqueue(index)
    }
    this.flights.add(flight)
    if (isAhead) this.flightsAhead++
    // In its first steps already others go on, who may be the last to leave it.
    const run = Effect.withFiber((fiber) => {
      flight.fiber = fiber
      return this.isClosed ? Effect.fail(closed(flight)) : fetch(flight)
    })
    Effect.runForkWith(context)(
      Effect.exit(Effect.onExit(run, (exit) => Effect.sync(() => this.land(flight, exit))))
    )
  }

  /** A flight has ended: what it did not bring won't come. */
  private land(flight: ChunkFlight, exit: Exit.Exit<void, E>): void {
    const { closed, interrupted } = this.options
    flight.isOver = true
    this.flights.delete(flight)
    if (flight.isAhead) this.flightsAhead--
    this.refuse(flight, flight, () =>
      Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)
        ? exit.cause
        : Cause.fail(this.isClosed ? closed(flight) : interrupted(flight))
    )
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
  private refuse(
    { first, last }: ChunkRange,
    flight: ChunkFlight | undefined,
    why: () => Cause.Cause<E>
  ): void {
    const { wanted } = this
    const refused: Array<readonly [demand: ChunkDemand<E>, index: number]> = []
    for (let index = first; index <= last; index++) {
      const chunk = wanted.get(index)
      if (chunk === undefined || chunk.flight !== flight) continue
      wanted.delete(index)
      this.unqueue(index)
      for (const demand of chunk.demands) refused.push([demand, index])
    }
    if (refused.length === 0) return
    const cause = why()
    // Those who waited go on in this very step.
    for (const [demand, index] of refused) this.lose(demand, index, cause)
  }
}

/** Gives why a chunk could not be taken, if it could not. */
const take = <E>(
  { taker }: ChunkDemand<E>,
  index: number,
  chunk: ArrivedChunk
): Cause.Cause<never> | undefined => {
  try {
    taker.take(index, chunk)
    return undefined
  } catch (cause) {
    // A buffer that was transferred, say: the others' are not.
    return Cause.die(cause)
  }
}
