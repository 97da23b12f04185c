/**
 * How much a store may keep: which chunks have a place in it, and which one makes room for another.
 *
 * A chunk that is being stored has a place already. One whose storing failed keeps its place, since nobody
 * knows what is there: it is deleted like any other when its turn comes. What was chosen for
 * deletion is remembered until it is deleted, and as long as it isn't, nothing else is stored: the budget
 * holds also for a store that can't delete.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { PageSlots } from "../file/pageSlots.ts"
import type { ChunkRange } from "./chunkGrid.ts"

/** So that a large budget takes no memory before it is used. */
const firstCapacity = 64
/** What is kept in mind, some 60 bytes a chunk, must stay within what an array can hold. */
const mostChunks = 2 ** 26
/** The chunks that one step passes: some milliseconds' work at most. */
const stepChunks = 65_536

export class ChunkBudget {
  /** One at a time makes room and stores, so that nothing is chosen while it is being stored. */
  readonly turn = Semaphore.makeUnsafe(1)
  /** Extents to delete: their lengths, by where they start. */
  readonly doomed = new Map<number, number>()
  private readonly limit: number
  private capacity: number
  private slots: PageSlots

  /** At least a chunk. */
  constructor(chunks: number) {
    this.limit = Math.min(chunks, mostChunks)
    this.capacity = Math.min(this.limit, firstCapacity)
    this.slots = new PageSlots(this.capacity)
  }

  /** Whether a chunk has a place. It counts as used. */
  use(index: number): boolean {
    return this.slots.find(index) !== -1
  }

  /** Gives a place to a chunk that has none. Gives the chunk that lost its own for it, or -1. */
  enter(index: number): number {
    this.grow()
    this.slots.insert(index)
    return this.slots.evicted
  }

  /** `enter` of a chunk that all those make room for that were there before it, if need be. */
  enterKept(index: number): number {
    this.grow()
    this.slots.insertKept(index)
    return this.slots.evicted
  }

  /** Whether all chunks of a range have room at once. */
  fits({ first, last }: ChunkRange): boolean {
    return last - first < this.limit
  }

  /** Makes those chunks of a range that have a place ones that have just entered to be kept. */
  keep({ first, last }: ChunkRange): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (let index = first; index <= last;) {
        const stop = Math.min(last + 1, index + stepChunks)
        while (index < stop) this.slots.keep(index++)
        if (index <= last) yield* Effect.yieldNow
      }
    })
  }

  /** Takes back the place of a chunk. */
  leave(index: number): void {
    this.slots.remove(index)
  }

  private grow(): void {
    if (this.slots.size < this.capacity || this.capacity === this.limit) return
    this.capacity = Math.min(this.limit, 2 * this.capacity)
    this.slots = this.slots.grown(this.capacity)
  }
}
