/**
 * The store of a SparseIo: which chunks it has, what it gives of them, what it takes, and what its
 * failures do.
 *
 * A chunk counts as there only from when the store has taken all of it until it is deleted, or the store gives
 * something else than its bytes. What was read while a chunk was deleted is not served: nobody demands of
 * a store that the two exclude each other.
 *
 * It never asks the source.
 */
import * as Effect from "effect/Effect"
import type { Extent } from "../bytes/extent.ts"
import type { ExtentStore, UnsafeExtentStore } from "../file/extentStore.ts"
import { attempt, thrown } from "../io/attempt.ts"
import type { ChunkBudget } from "./chunkBudget.ts"
import type { SparseIoCounters } from "./sparseIoCounters.ts"
import type { ChunkGrid, ChunkRange } from "./chunkGrid.ts"
import { ChunkPresence } from "./chunkPresence.ts"

/** Reads of a chunk that are under way. */
interface Readings {
  count: number
  /** Whether the chunk was deleted or replaced meanwhile. */
  stale: boolean
}

type Failing = "read" | "keep" | "delete"

const consequences: { readonly [F in Failing]: string } = {
  read: "what it can't give is fetched again",
  keep: "what it can't keep is served all the same, and fetched again",
  delete: "nothing more is kept until it can"
}

/** A store may make them share what they cost: an fsync, say. */
const deletionsAtOnce = 128
const together = { concurrency: "unbounded", discard: true } as const

export interface ChunkKeepingOptions<EX> {
  readonly store: ExtentStore<EX>
  readonly grid: ChunkGrid
  readonly counters: SparseIoCounters
  readonly budget: ChunkBudget | undefined
  readonly onStoreFailure: "readThrough" | "fail"
  /** Whether a store that can't tell what it had before is asked for it. */
  readonly asks: boolean
  /** What warnings call the object. */
  readonly source: string
}

export class ChunkKeeping<EX> {
  readonly grid: ChunkGrid
  readonly presence = new ChunkPresence()
  /** Whether the store answers at once, and so gives parts of a chunk as fast as it can. */
  readonly answersAtOnce: boolean
  /** Whether only asking for it tells whether a chunk is there. */
  readonly mustBeAsked: boolean
  private readonly options: ChunkKeepingOptions<EX>
  private readonly unsafe: UnsafeExtentStore | undefined
  private readonly budget: ChunkBudget | undefined
  private readonly readings = new Map<number, Readings>()
  private readonly warned = new Set<Failing>()
  /** The ranges that are fetched for later now. */
  private readonly favoured = new Set<ChunkRange>()
  private isSealed = false

  constructor(options: ChunkKeepingOptions<EX>) {
    this.options = options
    this.grid = options.grid
    this.unsafe = options.store.unsafe
    this.budget = options.budget
    this.answersAtOnce = this.unsafe !== undefined
    this.mustBeAsked = options.store.extents === undefined && options.asks
  }

  /** Nothing is stored from now on. */
  seal(): void {
    this.isSealed = true
  }

  /**
   * Reads at once, if all of it is there; `buffer` is in any state where it isn't. Gives the number of chunks
   * that it came from, or 0.
   */
  readNow(offset: number, buffer: Uint8Array): number {
    const { grid, presence, unsafe } = this
    if (unsafe === undefined) return 0
    const first = grid.indexOf(offset)
    const last = grid.indexOf(offset + buffer.length - 1)
    if (!presence.hasAll(first, last)) return 0
    try {
      if (!unsafe.read(offset, buffer)) return 0
    } catch (cause) {
      // Whoever goes on chunk by chunk meets it again, and where.
      if (cause instanceof Error && "_tag" in cause) return 0
      throw cause
    }
    this.use(first, last)
    return last - first + 1
  }

  /** Reads within one chunk. False, with `buffer` in any state, where the chunk is not there, or not any more. */
  readPart(index: number, offset: number, buffer: Uint8Array): Effect.Effect<boolean, EX> {
    return Effect.suspend(() => {
      if (!this.presence.has(index)) return Effect.succeed(false)
      const { unsafe } = this
      if (unsafe === undefined) return this.readExtents(index, offset, buffer)
      try {
        return Effect.succeed(this.judge(index, unsafe.read(offset, buffer)))
      } catch (cause) {
        return Effect.catch(thrown<EX>(cause), (error) => this.unreadable(index, error))
      }
    })
  }

  /**
   * What the store has of a chunk that is not known to be there: all of it, or undefined. It is known from
   * then on.
   */
  probe(index: number): Effect.Effect<Uint8Array | undefined, EX> {
    const { grid } = this
    return this.readExtent(grid.startOf(index)).pipe(
      Effect.matchEffect({
        onFailure: (error) => Effect.as(this.unreadable(index, error), undefined),
        onSuccess: (bytes) =>
          bytes.length === grid.lengthOf(index) ? Effect.as(this.find(index), bytes) : Effect.undefined
      })
    )
  }

  /** Stores a chunk. Gives the failure that it was survived by, if there was one. */
  keep(index: number, bytes: Uint8Array): Effect.Effect<{ readonly failure: EX } | undefined, EX> {
    const { budget } = this
    const kept = budget === undefined ? this.create(index, bytes) : this.keepWithin(budget, index, bytes)
    return Effect.matchEffect(kept, {
      onFailure: (failure) => Effect.as(this.survive("keep", failure), { failure }),
      onSuccess: () => Effect.undefined
    })
  }

  readonly coverage = (): Effect.Effect<ReadonlyArray<Extent>> =>
    Effect.sync(() => {
      const { grid } = this
      const extents: Array<Extent> = []
      for (const { first, last } of this.presence.runs()) {
        const offset = grid.startOf(first)
        extents.push({ offset, length: grid.endOf(last) - offset })
      }
      return extents
    })

  /** A chunk is not there, or not any more. */
  forget(index: number): void {
    this.presence.delete(index)
    const readings = this.readings.get(index)
    if (readings === undefined) return
    readings.stale = true
    this.readings.delete(index)
  }

  /**
   * Runs what fetches a range for later: its chunks that come meanwhile, or are there, don't make room for one
   * another. A range that the budget has no room for goes by like any other.
   */
  favour<A, E>(range: ChunkRange, fetch: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const { budget, favoured } = this
    if (budget === undefined || !budget.fits(range)) return fetch
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        const own = { ...range }
        favoured.add(own)
        return own
      }),
      () => Effect.andThen(budget.keep(range), fetch),
      (own) => Effect.sync(() => favoured.delete(own))
    )
  }

  /** Gives a place to a chunk; the one that loses its own is gone from here on, and to be deleted. */
  give(budget: ChunkBudget, index: number): void {
    const { grid } = this
    const evicted = this.isFavoured(index) ? budget.enterKept(index) : budget.enter(index)
    if (evicted === -1) return
    this.forget(evicted)
    budget.doomed.set(grid.startOf(evicted), grid.lengthOf(evicted))
  }

  /** Deletes what is doomed, but for what begins at `except`. */
  deleteDoomed(budget: ChunkBudget, except?: number): Effect.Effect<void, EX> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const batch: Array<number> = []
        for (const offset of budget.doomed.keys()) {
          if (offset !== except) batch.push(offset)
          if (batch.length === deletionsAtOnce) break
        }
        if (batch.length === 0) return
        yield* Effect.forEach(batch, (offset) => this.delete(budget, offset), together)
      }
    })
  }

  /** What a failure of the store comes to: it is counted, and said once of each kind, or it fails. */
  survive(failing: Failing, error: EX): Effect.Effect<void, EX> {
    const { counters, onStoreFailure, source } = this.options
    if (onStoreFailure === "fail") return Effect.fail(error)
    counters.add("storeFailures", 1)
    if (this.warned.has(failing)) return Effect.void
    this.warned.add(failing)
    const reason = error instanceof Error ? error.message : String(error)
    return Effect.logWarning(
      `the store of what is fetched from ${source} can't ${failing} (${reason}): ${consequences[failing]}`
    )
  }

  private delete(budget: ChunkBudget, offset: number): Effect.Effect<void, EX> {
    const { counters, store } = this.options
    return Effect.map(
      performed(() => store.deleteExtent(offset)),
      () => {
        counters.add("evictedBytes", budget.doomed.get(offset) ?? 0)
        budget.doomed.delete(offset)
      }
    )
  }

  private isFavoured(index: number): boolean {
    for (const { first, last } of this.favoured) if (first <= index && index <= last) return true
    return false
  }

  private use(first: number, last: number): void {
    const { budget } = this
    if (budget === undefined) return
    for (let index = first; index <= last; index++) budget.use(index)
  }

  /** A chunk turned out to be there; what it has no room beside is deleted. */
  private find(index: number): Effect.Effect<void, EX> {
    const { budget, presence } = this
    if (budget === undefined) return Effect.sync(() => presence.add(index))
    const add = Effect.suspend(() => {
      presence.add(index)
      if (budget.use(index)) return Effect.void
      this.give(budget, index)
      return Effect.catch(this.deleteDoomed(budget), (error) => this.survive("delete", error))
    })
    return budget.turn.withPermit(add)
  }

  /** Whether the store gave what was there. */
  private judge(index: number, given: boolean): boolean {
    if (given) this.use(index, index)
    else this.forget(index)
    return given
  }

  private unreadable(index: number, error: EX): Effect.Effect<boolean, EX> {
    return Effect.as(
      Effect.andThen(
        this.survive("read", error),
        Effect.sync(() => this.forget(index))
      ),
      false
    )
  }

  /** Reads within one chunk from a store that gives extents whole. */
  private readExtents(index: number, offset: number, buffer: Uint8Array): Effect.Effect<boolean, EX> {
    const readings = this.readings.get(index) ?? { count: 0, stale: false }
    this.readings.set(index, readings)
    readings.count++
    return this.gather(index).pipe(
      Effect.map((bytes) => {
        if (readings.stale) return false
        const from = offset - this.grid.startOf(index)
        if (bytes !== undefined) buffer.set(bytes.subarray(from, from + buffer.length))
        return this.judge(index, bytes !== undefined)
      }),
      Effect.catch((error) => (readings.stale ? Effect.succeed(false) : this.unreadable(index, error))),
      Effect.ensuring(
        Effect.sync(() => {
          if (--readings.count === 0 && this.readings.get(index) === readings) this.readings.delete(index)
        })
      )
    )
  }

  private readExtent(start: number): Effect.Effect<Uint8Array, EX> {
    return performed(() => this.options.store.readExtent(start))
  }

  /** All bytes of a chunk: an extent, or several in a row, of another chunk size. */
  private gather(index: number): Effect.Effect<Uint8Array | undefined, EX> {
    const { grid, options } = this
    const start = grid.startOf(index)
    const length = grid.lengthOf(index)
    return Effect.gen({ self: this }, function* () {
      const first = yield* this.readExtent(start)
      if (first.length >= length) return first
      if (first.length === 0 || options.store.extents === undefined) return undefined
      const bytes = new Uint8Array(length)
      bytes.set(first)
      for (let done = first.length; done < length;) {
        const next = yield* this.readExtent(start + done)
        if (next.length === 0) return undefined
        bytes.set(next.subarray(0, length - done), done)
        done += next.length
      }
      return bytes
    })
  }

  /** What the store has taken is known to be there, even if nobody waits for it any more. */
  private create(index: number, bytes: Uint8Array): Effect.Effect<void, EX> {
    return Effect.suspend(() => {
      if (this.isSealed) return Effect.void
      const created = performed(() => this.options.store.createExtent(this.grid.startOf(index), bytes))
      return Effect.uninterruptible(Effect.map(created, () => this.presence.add(index)))
    })
  }

  private keepWithin(budget: ChunkBudget, index: number, bytes: Uint8Array): Effect.Effect<void, EX> {
    const start = this.grid.startOf(index)
    const room = Effect.suspend(() => {
      if (budget.use(index)) return Effect.void
      this.give(budget, index)
      // Without room nothing is stored, and so nothing of it needs a place.
      return Effect.onError(this.deleteDoomed(budget, start), () => Effect.sync(() => budget.leave(index)))
    })
    const create = Effect.suspend(() => {
      budget.doomed.delete(start) // it is replaced
      return this.create(index, bytes)
    })
    // What is doomed already goes first: as long as that fails, nothing else is given up for nothing.
    const deleted = Effect.suspend(() => this.deleteDoomed(budget, start))
    return budget.turn.withPermit(Effect.andThen(Effect.andThen(deleted, room), create))
  }
}

/** An operation of the store: what it throws at once, with a tag, is its failure. */
const performed = <A, E>(operation: () => Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatten(attempt<Effect.Effect<A, E>, E>(operation))
