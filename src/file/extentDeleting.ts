/**
 * Deleting extents: what no other extent holds is given back to the disk.
 *
 * Durable bytes may go only after the record durably says so. Extents that are deleted at the same time share
 * that fsync: whoever gets the turn takes along all that wait for it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { checkOffset } from "../bytes/offset.ts"
import { maxPieceBytes } from "../format/extentRecord.ts"
import { attempt, thrown } from "../io/attempt.ts"
import type { ExtentWriteError } from "./extentFileService.ts"
import { loseDamaged } from "./extentForgetting.ts"
import { free, freeNow } from "./extentFreeing.ts"
import { makeEdge } from "./extentProving.ts"
import { beginChanges, isLarge, syncChanges } from "./extentRewriting.ts"
import type { Doomed, ExtentState } from "./extentState.ts"

/** `deleteExtent`. */
export const deleteExtent = (state: ExtentState, offset: number): Effect.Effect<void, ExtentWriteError> =>
  Effect.suspend((): Effect.Effect<void, ExtentWriteError> => {
    try {
      checkDelete(state, offset)
      if (state.isReady && !isLarge(state)) {
        const gaps = prepare(state, offset)
        if (gaps === undefined) return Effect.void
        if (state.isReady && isCheap(state, gaps)) {
          drop(state, offset, gaps)
          freeAllNow(state, gaps)
          return Effect.void
        }
      }
    } catch (cause) {
      return thrown(cause)
    }
    return deleteInTurn(state, offset)
  })

const checkDelete = (state: ExtentState, offset: number): void => {
  state.checkWritable("deleteExtent")
  checkOffset("deleteExtent", "offset", offset)
}

/** Splits the pieces that the extent shares with others; gives what it alone holds, or undefined without one. */
const prepare = (state: ExtentState, offset: number): ReadonlyArray<number> | undefined => {
  const { index } = state
  for (;;) {
    const found = index.extents.find(offset)
    if (found === -1) return undefined
    const gaps = index.gaps(offset, index.extents.end(found), offset)
    if (gaps.every((edge) => makeEdge(state, edge))) return gaps
    loseDamaged(state) // which may take extents with it: what is held has to be looked at again
  }
}

const isCheap = (state: ExtentState, gaps: ReadonlyArray<number>): boolean => {
  if (gaps.length > 0 && gaps[gaps.length - 1] - gaps[0] > maxPieceBytes) return false
  return !state.index.holdsDurable(gaps)
}

/** Says that the extent is gone, and what it alone held with it. */
const drop = (state: ExtentState, offset: number, gaps: ReadonlyArray<number>): void => {
  const { index } = state
  state.say((journal) => {
    journal.room.forget(offset)
    for (let i = 0; i < gaps.length; i += 2) journal.room.void(gaps[i], gaps[i + 1] - gaps[i])
  })
  index.forget(offset)
  for (let i = 0; i < gaps.length; i += 2) index.void(gaps[i], gaps[i + 1] - gaps[i])
}

const deleteInTurn = (state: ExtentState, offset: number): Effect.Effect<void, ExtentWriteError> =>
  Effect.suspend(() => {
    const doomed: Doomed = { offset, outcome: undefined }
    state.doomed.add(doomed)
    const turn = Effect.suspend(() => (state.doomed.has(doomed) ? deleteAll(state) : Effect.void))
    return Effect.ensuring(
      // Whoever had the turn has done it for all.
      Effect.flatMap(state.exclusive(turn), () => doomed.outcome!),
      // Whoever is interrupted while he waits takes his extent out of the queue.
      Effect.sync(() => state.doomed.delete(doomed))
    )
  })

const begin = (state: ExtentState): Effect.Effect<void, ExtentWriteError> =>
  Effect.gen(function* () {
    yield* attempt<void, ExtentWriteError>(() => state.checkWritable("deleteExtent"))
    yield* beginChanges(state)
  })

/** Deletes what waits, with one fsync. Each one's outcome is his own. */
const deleteAll = (state: ExtentState): Effect.Effect<void> =>
  Effect.gen(function* () {
    const begun = yield* Effect.exit(begin(state))
    const batch = [...state.doomed]
    state.doomed.clear()
    if (Exit.isFailure(begun)) {
      for (const doomed of batch) doomed.outcome = begun
      return
    }
    const holes = new Map<Doomed, ReadonlyArray<number>>()
    let mustSync = false
    for (const doomed of batch) {
      const { offset } = doomed
      doomed.outcome = yield* Effect.exit(
        attempt<void, ExtentWriteError>(() => {
          checkDelete(state, offset)
          const gaps = prepare(state, offset)
          if (gaps === undefined) return
          mustSync ||= state.index.holdsDurable(gaps)
          drop(state, offset, gaps)
          holes.set(doomed, gaps)
        })
      )
    }
    // That the bytes are gone is durable before they are.
    const synced = mustSync || !state.recordReady ? yield* Effect.exit(syncChanges(state)) : Exit.void
    for (const [doomed, gaps] of holes) {
      doomed.outcome = Exit.isFailure(synced) ? synced : yield* Effect.exit(freeAll(state, gaps))
    }
  })

/** The extent is gone even where this fails. */
const freeAllNow = (state: ExtentState, gaps: ReadonlyArray<number>): void => {
  try {
    for (let i = 0; i < gaps.length; i += 2) freeNow(state, gaps[i], gaps[i + 1])
  } catch (cause) {
    state.untidy = true
    throw cause
  }
}

const freeAll = (state: ExtentState, gaps: ReadonlyArray<number>): Effect.Effect<void, ExtentWriteError> =>
  Effect.gen(function* () {
    for (let i = 0; i < gaps.length; i += 2) yield* free(state, gaps[i], gaps[i + 1])
  }).pipe(
    Effect.tapError(() =>
      Effect.sync(() => {
        state.untidy = true
      })
    )
  )
