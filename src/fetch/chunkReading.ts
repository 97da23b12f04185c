/**
 * Reads of any range: what the store has from there, at once where it answers at once, and what is missing
 * by flights, straight to where it is wanted.
 *
 * A long read goes in windows: of each, all that is missing is asked for together. Nothing is held but what is read to.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import { InvalidArgument, ReadOutOfBounds } from "../bytes/errors.ts"
import { isOffset } from "../bytes/offset.ts"
import { synchronousTransferBytes } from "../io/Io.ts"
import type { ChunkKeeper } from "./chunkArrival.ts"
import type { SparseIoCounters } from "./sparseIoCounters.ts"
import type { ChunkFlights } from "./chunkFlights.ts"
import type { ChunkGrid, ChunkRange } from "./chunkGrid.ts"
import type { ChunkKeeping } from "./chunkKeeping.ts"
import { CopyingTaker, KeepingTaker } from "./chunkTakers.ts"

/** However small chunks are, what is kept in mind for a read must stay small. */
const maxWindowChunks = 16_384

export interface ChunkReadingOptions<E> {
  readonly keeping: ChunkKeeping<E>
  readonly flights: ChunkFlights<E>
  readonly counters: SparseIoCounters
  /** The chunks of a request at most. */
  readonly longest: number
  /** How many requests one read may occupy. */
  readonly workers: number
  /** What errors call the object. */
  readonly name: string
}

export class ChunkReading<E> {
  private readonly keeping: ChunkKeeping<E>
  private readonly flights: ChunkFlights<E>
  private readonly counters: SparseIoCounters
  private readonly grid: ChunkGrid
  /** The chunks that are asked for at once. */
  private readonly windowChunks: number
  private readonly name: string

  constructor({ counters, flights, keeping, longest, name, workers }: ChunkReadingOptions<E>) {
    this.keeping = keeping
    this.flights = flights
    this.counters = counters
    this.grid = keeping.grid
    this.windowChunks = Math.max(longest, Math.min(longest * workers, maxWindowChunks))
    this.name = name
  }

  readonly read = (offset: number, buffer: Uint8Array): Effect.Effect<number, E | InvalidArgument> =>
    new ChunkRead(this, offset, buffer)

  readonly readChunk = (offset: number): Effect.Effect<Uint8Array, E | InvalidArgument | ReadOutOfBounds> =>
    Effect.suspend((): Effect.Effect<Uint8Array, E | InvalidArgument | ReadOutOfBounds> => {
      const { length } = this.grid
      if (!isOffset(offset)) return Effect.fail(noOffset("readChunk", offset))
      if (offset < length) return this.chunk(this.grid.indexOf(offset), "caller")
      return Effect.fail(
        new ReadOutOfBounds({ path: this.name, offset, length: this.grid.chunkSize, end: length })
      )
    })

  /** A read, as soon as it runs: done in this very step if the store has all of it and answers at once. */
  begin(offset: number, buffer: Uint8Array): Effect.Effect<number, E | InvalidArgument> {
    if (!isOffset(offset)) return Effect.fail(noOffset("read", offset))
    const length = Math.min(buffer.length, this.grid.length - offset)
    if (length <= 0) return Effect.succeed(0)
    return this.give(offset, length === buffer.length ? buffer : buffer.subarray(0, length), length)
  }

  /** A whole chunk, in memory that is shared with those who waited for it to the same end. */
  chunk(index: number, keeper: ChunkKeeper): Effect.Effect<Uint8Array, E> {
    const { flights, grid, keeping } = this
    return Effect.suspend(() => {
      if (keeping.presence.has(index)) {
        const bytes = new Uint8Array(grid.lengthOf(index))
        return this.give(grid.startOf(index), bytes, bytes)
      }
      return Effect.uninterruptibleMask((restore) => {
        const taker = new KeepingTaker<E>(keeper)
        const demand = flights.ask({ first: index, last: index }, taker, () => {})
        const taken = Effect.suspend(() =>
          // Between two steps it may have come into the store.
          taker.bytes === undefined ? this.chunk(index, keeper) : Effect.succeed(taker.bytes)
        )
        return Effect.onExit(restore(Effect.andThen(Deferred.await(taker.result), taken)), () =>
          flights.leave(demand)
        )
      })
    })
  }

  /** Fills `buffer`, which lies within the object and is not empty, and gives `result`. */
  private give<A>(offset: number, buffer: Uint8Array, result: A): Effect.Effect<A, E> {
    if (buffer.length <= synchronousTransferBytes) {
      const chunks = this.keeping.readNow(offset, buffer)
      if (chunks > 0) {
        this.counters.hit(chunks)
        return Effect.succeed(result)
      }
    }
    return Effect.as(this.fill(offset, buffer), result)
  }

  /** Fills `buffer`, which lies within the object and is not empty. */
  private fill(offset: number, buffer: Uint8Array): Effect.Effect<void, E> {
    const { grid, windowChunks } = this
    const end = offset + buffer.length
    const last = (at: number): number => grid.indexOf(at) + windowChunks - 1
    if (end <= grid.endOf(last(offset))) return this.fillWindow(offset, buffer)
    return Effect.gen({ self: this }, function* () {
      for (let at = offset; at < end;) {
        const stop = Math.min(end, grid.endOf(last(at)))
        yield* this.fillWindow(at, buffer.subarray(at - offset, stop - offset))
        at = stop
      }
    })
  }

  private fillWindow(offset: number, buffer: Uint8Array): Effect.Effect<void, E> {
    const { flights, grid } = this
    return Effect.uninterruptibleMask((restore) => {
      const taker = new CopyingTaker<E>(grid, offset, buffer)
      const range = { first: grid.indexOf(offset), last: grid.indexOf(offset + buffer.length - 1) }
      const kept: Array<ChunkRange> = []
      const demand = flights.ask(range, taker, (index) => join(kept, index))
      const rest = kept.length === 0 ? Effect.void : this.fillKept(kept, offset, buffer)
      return Effect.onExit(restore(Effect.andThen(rest, Deferred.await(taker.result))), () =>
        flights.leave(demand)
      )
    })
  }

  /** What the store has of a window; what turns out not to be there is fetched. */
  private fillKept(
    kept: ReadonlyArray<ChunkRange>,
    offset: number,
    buffer: Uint8Array
  ): Effect.Effect<void, E> {
    const { grid } = this
    const end = offset + buffer.length
    const part = (from: number, to: number): Uint8Array => buffer.subarray(from - offset, to - offset)
    return Effect.gen({ self: this }, function* () {
      const lost: Array<ChunkRange> = []
      for (const { first, last } of kept) {
        const from = Math.max(offset, grid.startOf(first))
        const to = Math.min(end, grid.endOf(last))
        yield* this.fillRun(from, part(from, to), lost)
      }
      for (const { first, last } of lost) {
        const from = Math.max(offset, grid.startOf(first))
        const to = Math.min(end, grid.endOf(last))
        yield* this.fillWindow(from, part(from, to))
      }
    })
  }

  /** Reads chunks in a row from the store, a mebibyte at a time; `lost` is added what it does not give. */
  private fillRun(offset: number, buffer: Uint8Array, lost: Array<ChunkRange>): Effect.Effect<void, E> {
    const { counters, grid, keeping } = this
    const end = offset + buffer.length
    return Effect.gen({ self: this }, function* () {
      for (let at = offset; at < end;) {
        // A chunk that is read in several pieces is one hit.
        const again = at > offset && at !== grid.startOf(grid.indexOf(at)) ? 1 : 0
        if (keeping.answersAtOnce) {
          const stop = Math.min(end, at + synchronousTransferBytes)
          const chunks = keeping.readNow(at, buffer.subarray(at - offset, stop - offset))
          if (chunks > 0) {
            counters.hit(chunks - again)
            at = stop
            if (at < end) yield* Effect.yieldNow
            continue
          }
        }
        const index = grid.indexOf(at)
        const most = keeping.answersAtOnce ? synchronousTransferBytes : Infinity
        const stop = Math.min(end, grid.endOf(index), at + most)
        const isThere = yield* keeping.readPart(index, at, buffer.subarray(at - offset, stop - offset))
        if (isThere) counters.hit(1 - again)
        else join(lost, index)
        at = stop
      }
    })
  }
}

/** A read that has not begun. A class of its own is evaluated in fewer steps than a closure that is suspended. */
class ChunkRead<E> extends Effectable.Class<number, E | InvalidArgument> {
  private readonly reading: ChunkReading<E>
  private readonly offset: number
  private readonly buffer: Uint8Array

  constructor(reading: ChunkReading<E>, offset: number, buffer: Uint8Array) {
    super()
    this.reading = reading
    this.offset = offset
    this.buffer = buffer
  }

  override asEffect(): Effect.Effect<number, E | InvalidArgument> {
    return this.reading.begin(this.offset, this.buffer)
  }
}

/** Adds a chunk that is not before those of `runs`. */
const join = (runs: Array<ChunkRange>, index: number): void => {
  const before = runs.at(-1)
  if (before === undefined || index > before.last + 1) runs.push({ first: index, last: index })
  else if (index > before.last) runs[runs.length - 1] = { first: before.first, last: index }
}

const noOffset = (operation: string, offset: number): InvalidArgument =>
  new InvalidArgument({ operation, reason: `offset must be an integer from 0 to 2^53-1, not ${offset}` })
