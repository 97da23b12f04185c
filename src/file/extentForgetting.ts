/**
 * Giving up what can't be believed: damaged pieces, and what a failed write has left behind.
 *
 * An extent with a byte that is lost is forgotten, all of it; what other extents hold stays. In memory this
 * always succeeds. Where it can't be said in the record, that is written anew before anything else changes.
 * Nothing is punched, for which the record would have to be durable: bytes that nobody holds any more are
 * left for the next to open the file. After a failed sync nothing more is said.
 */
import type { ExtentFrame } from "../format/extentFrame.ts"
import { bad } from "./extentIndex.ts"
import { pieceAround, sumsAround } from "./extentProving.ts"
import type { ExtentState } from "./extentState.ts"

/** Forgets the extents that overlap `[from, to)`, and the pieces in it, none of which reaches over an edge. */
export const loseRange = (state: ExtentState, from: number, to: number): void => {
  const { forgotten, index, journal } = state
  const { bytes } = index
  journal.frame.begin()
  const left = [from, to]
  while (left.length > 0) {
    const end = left.pop()!
    const start = left.pop()!
    for (const range of loseHolders(state, start, end)) release(state, range.from, range.to, left)
  }
  say(state, () => {}, true)
  if (state.forgotten !== forgotten || index.bytes !== bytes) state.recordReady = false
}

/** Drops the pieces that were found damaged. */
export const loseDamaged = (state: ExtentState): void => {
  const { damaged, index } = state
  for (let start = damaged.pop(); start !== undefined; start = damaged.pop()) {
    const piece = index.pieces.find(start)
    // It may have been written over since.
    if (piece === -1 || (index.pieces.flags(piece) & bad) === 0) continue
    loseRange(state, start, index.pieces.end(piece))
  }
}

/** Adds to the frame, and writes it in the end; a failure is remembered. */
const say = (state: ExtentState, add: (frame: ExtentFrame) => void, write = false): void => {
  // After a failed sync nobody knows what the record has, or it has said that nothing fresh can be believed.
  if (state.recordBehind || state.poisoned) return
  const { journal } = state
  try {
    add(journal.room)
    if (write && !journal.frame.isEmpty) journal.commit()
  } catch {
    state.recordBehind = true
    journal.frame.begin()
  }
}

const loseHolders = (
  state: ExtentState,
  from: number,
  to: number
): Array<{ readonly from: number; readonly to: number }> => {
  const { index } = state
  const first = index.pieces.ceiling(from)
  if (first !== -1 && index.pieces.start(first) < to) {
    say(state, (frame) => frame.void(from, to - from))
    index.void(from, to - from)
  }
  return index.holders(from, to).map((start) => {
    const length = index.extents.length(index.extents.find(start))
    say(state, (frame) => frame.forget(start))
    index.forget(start)
    state.forgotten++
    state.untidy = true
    return { from: start, to: start + length }
  })
}

/** Drops the pieces of a range that nobody holds any more. What is damaged on the way is added to `left`. */
const release = (state: ExtentState, from: number, to: number, left: Array<number>): void => {
  const { index } = state
  const gaps = index.gaps(from, to)
  for (let i = 0; i < gaps.length; i += 2) {
    cut(state, gaps[i], left)
    cut(state, gaps[i + 1], left)
    const first = index.pieces.ceiling(gaps[i])
    if (first === -1 || index.pieces.start(first) >= gaps[i + 1]) continue
    say(state, (frame) => frame.void(gaps[i], gaps[i + 1] - gaps[i]))
    index.void(gaps[i], gaps[i + 1] - gaps[i])
  }
}

/** As `makeEdge`; a piece that can't be read, or is damaged, is given up. */
const cut = (state: ExtentState, at: number, left: Array<number>): void => {
  const { index } = state
  const piece = pieceAround(state, at)
  if (piece === -1) return
  let sums: ReturnType<typeof sumsAround>
  try {
    sums = sumsAround(state, piece, at)
  } catch {
    sums = undefined
  }
  if (sums === undefined) {
    const start = index.pieces.start(piece)
    const end = index.pieces.end(piece)
    left.push(start, end)
    say(state, (frame) => frame.void(start, end - start))
    index.dropPiece(piece)
    return
  }
  const { left: leftSum, right: rightSum } = sums
  say(state, (frame) => frame.split(at, leftSum, rightSum))
  index.split(at, leftSum, rightSum)
}
