/**
 * Whether the bytes of a piece are what its checksum says.
 *
 * A piece is looked at when it is first touched after an opening; then it is proved. After a failed sync
 * nobody knows what the device has of what was not durable yet, and the system may drop what it shows: such
 * pieces are never proved again, but compared each time that they are read.
 */
import { crc32 } from "../bytes/crc32.ts"
import { IoFailed } from "../bytes/errors.ts"
import { bad, durable, proved } from "./extentIndex.ts"
import type { ExtentState } from "./extentState.ts"

/** Compares a piece, all of which is in `bytes`, with its sum. */
export const proveBytes = (state: ExtentState, piece: number, bytes: Uint8Array): boolean => {
  const { pieces } = state.index
  const flags = pieces.flags(piece)
  if ((flags & bad) !== 0) return false
  if (crc32(bytes) === pieces.sum(piece)) {
    if (!state.poisoned || (flags & durable) !== 0) pieces.setFlags(piece, flags | proved)
    return true
  }
  suspect(state, piece)
  return false
}

/** Reads a piece into a buffer that is good until others run; undefined where it is damaged. Throws `IoFailed`. */
export const readPiece = (state: ExtentState, piece: number): Uint8Array | undefined => {
  const { pieces } = state.index
  const bytes = state.scratch.of(pieces.length(piece))
  if (state.data.unsafe.readSomeAt(pieces.start(piece), bytes) < bytes.length) {
    suspect(state, piece)
    return undefined
  }
  return proveBytes(state, piece, bytes) ? bytes : undefined
}

/** Notes that a piece is damaged. It isn't read any more, and dropped as soon as nobody is busy. */
export const suspect = (state: ExtentState, piece: number): void => {
  const { pieces } = state.index
  const flags = pieces.flags(piece)
  if ((flags & bad) !== 0) return
  pieces.setFlags(piece, flags | bad)
  state.damaged.push(pieces.start(piece))
}

/** What of a non-durable piece was proved, isn't. */
export const distrustFresh = (state: ExtentState): void => {
  const { pieces } = state.index
  for (let at = pieces.first(); at !== -1; at = pieces.next(at)) {
    const flags = pieces.flags(at)
    if ((flags & durable) === 0) pieces.setFlags(at, flags & ~proved)
  }
}

/** The piece around `at`, which neither begins nor ends there; -1 where there is none. */
export const pieceAround = (state: ExtentState, at: number): number => {
  const { pieces } = state.index
  const found = pieces.floor(at)
  return found !== -1 && pieces.start(found) < at && pieces.end(found) > at ? found : -1
}

/** The sums of the two parts of a piece that meet at `at`; undefined where it is damaged. Throws `IoFailed`. */
export const sumsAround = (
  state: ExtentState,
  piece: number,
  at: number
): { readonly left: number; readonly right: number } | undefined => {
  const bytes = readPiece(state, piece)
  if (bytes === undefined) return undefined
  const middle = at - state.index.pieces.start(piece)
  return { left: crc32(bytes.subarray(0, middle)), right: crc32(bytes.subarray(middle)) }
}

/** As `sumsAround`; a piece that can't be read is as good as damaged: nobody can prove it. */
const sumsOrDoubt = (state: ExtentState, piece: number, at: number): ReturnType<typeof sumsAround> => {
  try {
    return sumsAround(state, piece, at)
  } catch (cause) {
    if (!(cause instanceof IoFailed)) throw cause
    suspect(state, piece)
    return undefined
  }
}

/**
 * Sees to it that no piece reaches over `at`: one that did is two from now on, which destroys nothing. False
 * where it is damaged, or can't be read. Throws what saying so in the record fails with.
 */
export const makeEdge = (state: ExtentState, at: number): boolean => {
  const piece = pieceAround(state, at)
  if (piece === -1) return true
  const sums = sumsOrDoubt(state, piece, at)
  if (sums === undefined) return false
  state.say((journal) => journal.room.split(at, sums.left, sums.right))
  state.index.split(at, sums.left, sums.right)
  return true
}
