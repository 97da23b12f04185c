/**
 * Making holes of all that no extent holds, after an opening that could not be sure of it: bytes whose
 * creation, or whose deletion, was cut short.
 *
 * Where the file system has no holes the bytes stay, since writing zeros would fill the disk. Where it fails, the
 * next to open the file does it.
 */
import * as Effect from "effect/Effect"
import { attempt } from "../io/attempt.ts"
import type { PunchError } from "../io/Io.ts"
import type { ExtentState } from "./extentState.ts"

/** How many holes are punched before others may run. */
const stepHoles = 256

export const sweep = (state: ExtentState): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { data, index } = state
    const size = yield* data.size
    const { pieces } = index
    let held = 0
    let passed = 0
    for (let at = pieces.first(); at !== -1; at = pieces.next(at)) {
      const start = pieces.start(at)
      if (start > held) yield* punch(state, held, start)
      held = pieces.end(at)
      if (++passed % stepHoles === 0) yield* Effect.yieldNow
    }
    if (size > held) yield* punch(state, held, size)
  }).pipe(
    Effect.catchTag("Unsupported", (cause) =>
      Effect.sync(() => {
        state.holes = cause
        state.untidy = true
      })
    ),
    Effect.catch(() =>
      Effect.sync(() => {
        state.untidy = true
      })
    )
  )

/** Short holes at once; a long one may have much to free. */
const punch = ({ data }: ExtentState, from: number, to: number): Effect.Effect<void, PunchError> =>
  to - from <= 1 << 24
    ? attempt<void, PunchError>(() => data.unsafe.punchHole(from, to - from))
    : data.punchHole(from, to - from)
