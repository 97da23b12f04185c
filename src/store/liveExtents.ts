/**
 * What a collection is asked to keep: read, clipped, sorted, united, and found to be there.
 *
 * Tens of millions of extents are ordinary, so all of it is done in slices between which others run.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { InvalidArgument } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { ExtentList } from "../bytes/extentList.ts"
import { type ExtentRuns, extentRuns, type UnitedExtents } from "../bytes/extentRuns.ts"
import { checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { StoreReading } from "./storeReading.ts"
import type { StoreCollectOptions, StoreReadError } from "./storeService.ts"

/** Extents handled between two chances for other fibers to run: less than a millisecond's work. */
const sliceExtents = 1024

export interface LiveExtents {
  /** How many were given. */
  readonly given: number
  /** How many are left, united. Those that touch are still two. */
  readonly count: number
  readonly bytes: number
  readonly extents: ExtentList
}

/** Fails with `InvalidArgument` when one is no extent, and as a read of it when one can't be read. */
export const gatherLive = <E, R>(
  { live, upTo }: StoreCollectOptions<E, R>,
  reading: StoreReading
): Effect.Effect<LiveExtents, E | StoreReadError, R> =>
  Effect.gen(function* () {
    const runs = extentRuns()
    let given = 0
    const take = (some: Iterable<Extent>): Effect.Effect<void, InvalidArgument> =>
      inSlices<InvalidArgument>(some, ({ length, offset }) => {
        checkRange("collect", offset, length)
        given++
        if (length > 0 && offset < upTo) runs.add(offset, Math.min(length, upTo - offset))
      })
    const taken: Effect.Effect<void, E | InvalidArgument, R> = Stream.isStream(live)
      ? Stream.runForEachArray(live as Stream.Stream<Extent, E, R>, take)
      : take(live)
    yield* taken
    const { bytes, count, extents } = yield* united(runs)
    const check = ({ length, offset }: Extent): void => reading.checkReadable(offset, length)
    yield* inSlices<StoreReadError>(extents, check)
    return { given, count, bytes, extents }
  })

/** How many extents are left when those that touch are fused. */
export const fusedCount = (extents: ExtentList): number => {
  let count = 0
  let end = -1
  for (const { length, offset } of extents) {
    if (offset !== end) count++
    end = offset + length
  }
  return count
}

/** Looks at many extents, letting others run in between. */
const inSlices = <E>(extents: Iterable<Extent>, look: (extent: Extent) => void): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    const rest = extents[Symbol.iterator]()
    const slice = attempt<boolean, E>(() => {
      for (let left = sliceExtents; left > 0; left--) {
        const { done, value } = rest.next()
        if (done === true) return false
        look(value)
      }
      return true
    })
    return Effect.gen(function* () {
      while (yield* slice) yield* Effect.yieldNow
    }).pipe(Effect.onError(() => Effect.sync(() => rest.return?.())))
  })

/** Unites what was gathered, letting others run in between. */
const united = (runs: ExtentRuns): Effect.Effect<UnitedExtents> =>
  Effect.gen(function* () {
    const steps = runs.unitingSteps()
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value
      yield* Effect.yieldNow
    }
  })
