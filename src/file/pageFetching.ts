/**
 * What is not in a page cache, and how it comes in: in runs, by one call each, and once.
 *
 * A call that takes time is a *flight*: whoever asks for one of its pages meanwhile waits for it too.
 * It belongs to the cache, not to who asked first: interrupting one of those who wait disturbs no
 * other, and when none is left it is interrupted. What was invalidated while it was under way
 * is not kept, and whoever asks from then on asks the device anew.
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Unsupported } from "../bytes/errors.ts"
import { thrown } from "../io/attempt.ts"
import { synchronousTransferBytes } from "../io/Io.ts"
import type { PageFrames } from "./pageFrames.ts"
import type { FetchedBytes, PageRange, PageSource } from "./pageSource.ts"

/** A call under way. */
interface Flight<E> {
  readonly first: number
  readonly last: number
  /** For whose sake it is made. */
  readonly wanted: number
  readonly result: Deferred.Deferred<FetchedBytes, E>
  waiters: number
  /** Undefined while the call makes its first steps, in which others may join already. */
  fiber: Fiber.Fiber<unknown> | undefined
}

/** From an address that is wanted to the last one that is wanted with it. */
export interface PageSpan {
  readonly wanted: number
  readonly last: number
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Where the last byte can be that a range up to 2^53-1 holds. */
const lastAddress = Number.MAX_SAFE_INTEGER - 1

/** What comes ahead must still be there when it is asked for: this much of a cache is for new pages. */
const aheadShare = 1 / 8

export interface PageFetchingOptions<E> {
  readonly frames: PageFrames
  readonly source: PageSource<E>
  /** Pages. */
  readonly readAhead: number
  /** What calls under way run in. */
  readonly context: Context.Context<never>
}

export class PageFetching<E> {
  readonly frames: PageFrames
  readonly source: PageSource<E>
  private readonly readAhead: number
  private readonly context: Context.Context<never>
  /** The calls under way, by each page of theirs that is still wanted. */
  private readonly flights = new Map<number, Flight<E>>()
  /** The longest run, in pages. */
  private readonly longest: number
  /** The page behind the last run: to go on there is to read sequentially. */
  private expected = -1

  constructor({ context, frames, readAhead, source }: PageFetchingOptions<E>) {
    this.frames = frames
    this.source = source
    this.readAhead = Math.max(0, Math.min(readAhead, frames.cacheSize * aheadShare - 1))
    this.context = context
    this.longest = Math.max(1, Math.floor(synchronousTransferBytes / frames.pageSize))
  }

  /**
   * Hands to `take` the bytes around `wanted`, which was not in the frames, and, if they are missing
   * too, of the pages behind it up to that of `last`. They are in the frames then, unless others
   * needed the room. What comes at once is handed over in the same step, since the next answer may
   * overwrite it, and between two steps of one fiber others run.
   */
  fetch<A>(span: PageSpan, take: (fetched: FetchedBytes) => A): Effect.Effect<A, E> {
    return this.ask(span, take, false)
  }

  /** Joins the call that is under way, or makes one; `again` where one that was joined did not do. */
  private ask<A>(span: PageSpan, take: (fetched: FetchedBytes) => A, again: boolean): Effect.Effect<A, E> {
    const { frames } = this
    // A flight that was found is one that is waited for: no interruption may come between.
    return Effect.uninterruptibleMask((restore) => {
      // Somebody may have brought it since it was missed: all that is wanted of this page, that is.
      const { last, wanted } = span
      const pageEnd = (frames.pageOf(wanted) + 1) * frames.pageSize
      if (frames.place(wanted, Math.min(last + 1, pageEnd) - wanted) >= 0) {
        return Effect.succeed(take(frames.window(wanted)))
      }
      const flight = this.flights.get(frames.pageOf(span.wanted))
      if (flight !== undefined) {
        frames.misses++
        const listed = this.listed(flight, span)
        return Effect.flatMap(this.join(flight, restore), (fetched) =>
          this.serves(fetched, flight, listed, again)
            ? Effect.succeed(take(this.upTo(fetched, listed)))
            : restore(this.ask(span, take, true))
        )
      }
      const range = this.nextRun(span.wanted, span.last)
      let answer: FetchedBytes | Effect.Effect<FetchedBytes, E>
      try {
        answer = this.source.fetch(range)
      } catch (cause) {
        return thrown<E>(cause)
      }
      if (Effect.isEffect(answer)) return Effect.map(this.join(this.launch(range, answer), restore), take)
      this.keep(answer, undefined)
      return Effect.succeed(take(answer))
    })
  }

  /** The part of a span that a flight is still to bring: what was invalidated meanwhile is asked for anew. */
  private listed(flight: Flight<E>, { last, wanted }: PageSpan): PageSpan {
    const { frames } = this
    let page = frames.pageOf(wanted) + 1
    while (page <= frames.pageOf(last) && this.flights.get(page) === flight) page++
    return { wanted, last: Math.min(last, page * frames.pageSize - 1) }
  }

  /**
   * Whether a flight that was joined answers for a span. It began before it was asked to, so what it did not
   * find may be there by now: that is asked for again. Another one joined then has begun since.
   * Around holes an answer may also lie elsewhere.
   */
  private serves(
    { bytes, position }: FetchedBytes,
    flight: Flight<E>,
    { last, wanted }: PageSpan,
    again: boolean
  ): boolean {
    if (position <= wanted && last < position + bytes.length) return true
    return again && (this.source.refuse === undefined || flight.wanted === wanted)
  }

  /** What was fetched, up to the end of the page of a span's last byte. */
  private upTo({ bytes, position }: FetchedBytes, { last }: PageSpan): FetchedBytes {
    const end = (this.frames.pageOf(last) + 1) * this.frames.pageSize
    return { position, bytes: bytes.subarray(0, Math.max(0, end - position)) }
  }

  /** `fetch`, at once. Throws the device's errors, or `Unsupported`. */
  fetchNow({ last, wanted }: PageSpan): FetchedBytes {
    if (this.flights.has(this.frames.pageOf(wanted))) {
      const reason = `the page at ${wanted} is being fetched: wait for it by load`
      throw new Unsupported({ operation: "unsafe", reason })
    }
    const fetched = this.source.fetchNow(this.nextRun(wanted, last))
    this.keep(fetched, undefined)
    return fetched
  }

  /** Forgets the pages from `first` to `last`, also those under way. */
  invalidate(first: number, last: number): void {
    this.frames.drop(first, last)
    for (const page of this.flights.keys()) {
      if (page >= first && page <= last) this.flights.delete(page)
    }
  }

  /** The missing pages from that of `wanted` on to that of `last`, and ahead of a sequential reader. */
  private nextRun(wanted: number, last: number): PageRange {
    const { frames } = this
    const first = frames.pageOf(wanted)
    const needed = Math.min(frames.pageOf(last), first + this.longest - 1)
    const ahead = first === this.expected ? this.readAhead : 0
    const limit = Math.min(needed + ahead, first + this.longest - 1, frames.pageOf(lastAddress))
    let end = first + 1
    while (end <= limit && !frames.has(end) && !this.flights.has(end)) end++
    frames.misses += Math.min(end, needed + 1) - first
    this.expected = end
    const position = first * frames.pageSize
    const length = Math.min((end - first) * frames.pageSize, Number.MAX_SAFE_INTEGER - position)
    return { position, length, wanted }
  }

  private launch(range: PageRange, answer: Effect.Effect<FetchedBytes, E>): Flight<E> {
    const { frames } = this
    const first = frames.pageOf(range.position)
    const last = frames.pageOf(range.position + range.length - 1)
    const result = Deferred.makeUnsafe<FetchedBytes, E>()
    const flight: Flight<E> = { first, last, wanted: range.wanted, result, waiters: 0, fiber: undefined }
    for (let page = first; page <= last; page++) this.flights.set(page, flight)
    const call = Effect.onExit(answer, (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) this.keep(exit.value, flight)
        this.land(flight)
        Deferred.doneUnsafe(result, exit)
      })
    )
    flight.fiber = Effect.runForkWith(this.context)(Effect.exit(call))
    return flight
  }

  /** Waits for a flight, in `restore` only. */
  private join(flight: Flight<E>, restore: Restore): Effect.Effect<FetchedBytes, E> {
    flight.waiters++
    return Effect.onExit(restore(Deferred.await(flight.result)), () => this.leave(flight))
  }

  /** One of those who wait has what it waited for, or has been interrupted. */
  private leave(flight: Flight<E>): Effect.Effect<void> {
    flight.waiters--
    const { fiber } = flight
    // Without a fiber it is being launched, and whoever does so is about to wait for it.
    if (flight.waiters > 0 || fiber === undefined || fiber.pollUnsafe() !== undefined) return Effect.void
    // Nobody can join any more: who asks now asks anew.
    this.land(flight)
    return Effect.asVoid(Fiber.interrupt(fiber))
  }

  private land(flight: Flight<E>): void {
    for (let page = flight.first; page <= flight.last; page++) {
      if (this.flights.get(page) === flight) this.flights.delete(page)
    }
  }

  /** Puts what was fetched into frames; of more pages than there are frames, the last. */
  private keep({ bytes, position }: FetchedBytes, flight: Flight<E> | undefined): void {
    if (bytes.length === 0) return
    const { frames } = this
    const last = frames.pageOf(position + bytes.length - 1)
    const first = Math.max(frames.pageOf(position), last - frames.cacheSize + 1)
    for (let page = first; page <= last; page++) {
      // Of a flight, what was not invalidated meanwhile.
      const isWanted = flight === undefined || this.flights.get(page) === flight
      if (isWanted) frames.put(page, position, bytes)
    }
  }
}
