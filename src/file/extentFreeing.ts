/**
 * Giving bytes that nobody holds back to the disk: they become a hole, and read as zeros.
 *
 * Whole blocks are freed. A block that the range has only a part of is freed with it when the rest of the
 * block is nobody's either. Where the file system has no holes, zeros are written instead.
 */
import * as Effect from "effect/Effect"
import { type IoFailed, type NoSpace, type Poisoned, type Closed, Unsupported } from "../bytes/errors.ts"
import { maxPieceBytes } from "../format/extentRecord.ts"
import { attempt } from "../io/attempt.ts"
import type { ExtentState } from "./extentState.ts"

export type ExtentFreeError = Closed | IoFailed | NoSpace | Poisoned

/** No file system in use has larger blocks. */
const blockBytes = 65_536
const zeros = new Uint8Array(65_536)

interface Range {
  readonly from: number
  readonly to: number
}

/** The range, and what of its first and last block nobody holds. */
const widened = (state: ExtentState, from: number, to: number): Range => {
  // The durable record may still vouch for what was given up nearby.
  if (!state.recordReady) return { from, to }
  const { pieces } = state.index
  const before = pieces.floor(from)
  const behind = pieces.ceiling(from)
  return {
    from: Math.max(before === -1 ? 0 : pieces.end(before), Math.floor(from / blockBytes) * blockBytes),
    to: Math.min(
      behind === -1 ? Number.MAX_SAFE_INTEGER : pieces.start(behind),
      Math.ceil(to / blockBytes) * blockBytes
    )
  }
}

/** Notes that there are no holes. Other errors are thrown. */
const noteUnsupported = (state: ExtentState, cause: unknown): void => {
  if (!(cause instanceof Unsupported)) throw cause
  state.holes = cause
}

const zeroNow = (state: ExtentState, from: number, to: number): void => {
  const end = Math.min(to, state.data.unsafe.size())
  for (let at = from; at < end; at += zeros.length) {
    state.data.unsafe.writeAt(at, zeros.subarray(0, Math.min(zeros.length, end - at)))
  }
}

/** Frees at most some megabytes at once. Throws `ExtentFreeError`. */
export const freeNow = (state: ExtentState, from: number, to: number): void => {
  state.touch(from, to)
  if (state.holes === "supported") {
    const hole = widened(state, from, to)
    try {
      state.data.unsafe.punchHole(hole.from, hole.to - hole.from)
      return
    } catch (cause) {
      noteUnsupported(state, cause)
    }
  }
  zeroNow(state, from, to)
}

/** Frees any number of bytes. Whoever calls it holds the turn. */
export const free = (state: ExtentState, from: number, to: number): Effect.Effect<void, ExtentFreeError> =>
  Effect.gen(function* () {
    if (to - from <= maxPieceBytes)
      return yield* attempt<void, ExtentFreeError>(() => freeNow(state, from, to))
    state.touch(from, to)
    if (state.holes === "supported") {
      const hole = widened(state, from, to)
      const punched = yield* state.data.punchHole(hole.from, hole.to - hole.from).pipe(
        Effect.as(true),
        Effect.catchTag("Unsupported", (cause) => {
          state.holes = cause
          return Effect.succeed(false)
        }),
        // Open for writing, at offsets of our own: these would be bugs.
        Effect.catchTag(["InvalidArgument", "RoNotAllowed"], Effect.die)
      )
      if (punched) return
    }
    const end = Math.min(to, yield* state.data.size)
    for (let at = from; at < end; at += maxPieceBytes) {
      const until = Math.min(end, at + maxPieceBytes)
      yield* attempt<void, ExtentFreeError>(() => zeroNow(state, at, until))
      yield* Effect.yieldNow
    }
  })
