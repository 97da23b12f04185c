/**
 * What a store has when a SparseIo is made over it.
 *
 * A chunk is there when the extents that the store tells of cover it together, whatever chunk size they were made
 * with. Under a budget only extents that are a chunk of this size can be counted and given up one by
 * one: others are deleted, and so is what the budget has no room for.
 */
import * as Effect from "effect/Effect"
import type { Extent } from "../bytes/extent.ts"
import { isOffset } from "../bytes/offset.ts"
import type { ExtentStore } from "../file/extentStore.ts"
import { attempt } from "../io/attempt.ts"
import type { ChunkBudget } from "./chunkBudget.ts"
import type { ChunkGrid } from "./chunkGrid.ts"
import type { ChunkKeeping } from "./chunkKeeping.ts"

/** The extents that one step passes: less than a millisecond's work. */
const stepExtents = 8_192

export const fillFromStore = <E>(
  store: ExtentStore<E>,
  keeping: ChunkKeeping<E>,
  budget: ChunkBudget | undefined
): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    if (store.extents === undefined) return
    const { extents } = store
    const listed = yield* attempt<Iterator<Extent>, E>(() => extents()[Symbol.iterator]())
    const add = budget === undefined ? unite(keeping) : count(keeping, budget)
    while (yield* attempt<boolean, E>(() => addSome(listed, add))) yield* Effect.yieldNow
    add(Infinity, Infinity)
    if (budget === undefined) return
    yield* Effect.catch(keeping.deleteDoomed(budget), (error) => keeping.survive("delete", error))
  })

/** Passes some extents. Whether there may be more. */
const addSome = (extents: Iterator<Extent>, add: Add): boolean => {
  for (let passed = 0; passed < stepExtents; passed++) {
    const next = extents.next()
    if (next.done === true) return false
    const { length, offset } = next.value
    // What makes no sense is no extent of this object.
    if (isOffset(offset) && isOffset(length) && length > 0)
      add(offset, Math.min(offset + length, 2 ** 53 - 1))
  }
  return true
}

/** Takes the extent from `start` to `end`; they ascend, and both are Infinity behind the last. */
type Add = (start: number, end: number) => void

/** Chunks that are covered by extents together. */
const unite = <E>({ grid, presence }: ChunkKeeping<E>): Add => {
  let from = 0
  let to = 0
  return (start, end) => {
    if (start >= from && start <= to) {
      to = Math.max(to, end)
      return
    }
    const covered = chunksWithin(grid, from, to)
    if (covered.first <= covered.last) presence.addAll(covered)
    from = start
    to = end
  }
}

/** Chunks that are extents of their own. */
const count = <E>(keeping: ChunkKeeping<E>, budget: ChunkBudget): Add => {
  const { grid, presence } = keeping
  return (start, end) => {
    if (start === Infinity) return
    const index = start < grid.length ? grid.indexOf(start) : -1
    if (index >= 0 && grid.startOf(index) === start && grid.endOf(index) === end) {
      presence.add(index)
      keeping.give(budget, index)
    } else budget.doomed.set(start, end - start)
  }
}

/** The chunks that lie within `[from, to)` whole. */
const chunksWithin = (grid: ChunkGrid, from: number, to: number): { first: number; last: number } => {
  if (from >= Math.min(to, grid.length)) return { first: 0, last: -1 }
  const first = from === 0 ? 0 : grid.indexOf(from - 1) + 1
  return { first, last: to >= grid.length ? grid.count - 1 : grid.indexOf(to) - 1 }
}
