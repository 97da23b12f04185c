/**
 * Writing an extent.
 *
 * The order is what keeps every crash harmless; FORMAT.md argues it:
 *
 * 1. Older pieces that reach over an edge of the range are split there, so that what lies outside of it keeps a
 *    checksum of its own.
 * 2. Where durable bytes are about to be destroyed, the record says so first, durably.
 * 3. The bytes are written.
 * 4. The record says what they are: where that takes more than one frame, no extent of the range is in it meanwhile.
 * 5. What the extent that was replaced held beyond the new one's end is given back to the disk.
 *
 * Where no durable bytes are in the way and the extent is not large, all of it happens at once.
 */
import * as Effect from "effect/Effect"
import { crc32 } from "../bytes/crc32.ts"
import { InvalidArgument } from "../bytes/errors.ts"
import { checkRange } from "../bytes/offset.ts"
import type { Extent } from "../bytes/extent.ts"
import {
  extentEntryBytes,
  extentFrameHeaderBytes,
  maxExtentBytes,
  maxExtentFrameBytes,
  maxPieceBytes
} from "../format/extentRecord.ts"
import { attempt, thrown } from "../io/attempt.ts"
import type { ExtentWriteError } from "./extentFileService.ts"
import { deleteExtent } from "./extentDeleting.ts"
import { loseDamaged, loseRange } from "./extentForgetting.ts"
import { free, freeNow } from "./extentFreeing.ts"
import { makeEdge } from "./extentProving.ts"
import { beginChanges, isLarge, syncChanges } from "./extentRewriting.ts"
import type { ExtentState } from "./extentState.ts"

/** `createExtent`. */
export const createExtent = (
  state: ExtentState,
  offset: number,
  bytes: Uint8Array
): Effect.Effect<void, ExtentWriteError> =>
  Effect.suspend((): Effect.Effect<void, ExtentWriteError> => {
    try {
      checkCreate(state, offset, bytes.length)
      if (bytes.length === 0) return deleteExtent(state, offset)
      if (state.isReady && bytes.length <= maxPieceBytes && !isLarge(state)) {
        const tails = prepare(state, offset, bytes.length)
        if (state.isReady && isCheap(state, offset, bytes.length, tails)) {
          createNow(state, offset, bytes, tails)
          return Effect.void
        }
      }
    } catch (cause) {
      return thrown(cause)
    }
    return state.exclusive(createInTurn(state, offset, bytes))
  })

const checkCreate = (state: ExtentState, offset: number, length: number): void => {
  state.checkWritable("createExtent")
  checkRange("createExtent", offset, length)
  if (length > maxExtentBytes) {
    const reason = `an extent has at most ${maxExtentBytes} bytes, not ${length}`
    throw new InvalidArgument({ operation: "createExtent", reason })
  }
}

/** Ranges, as starts and ends in turn. */
type Ranges = ReadonlyArray<number>
const none: Ranges = []

/**
 * Splits the pieces at the edges of what the extent is going to change. Gives what is held no more once
 * it replaces the one at its offset.
 */
const prepare = (state: ExtentState, offset: number, length: number): Ranges => {
  const { index } = state
  const end = offset + length
  for (;;) {
    const piece = index.pieces.firstBehind(offset)
    const farthest = Math.max(end, oldEnd(state, offset))
    if (piece === -1 || index.pieces.start(piece) >= farthest) return none
    const tails = farthest > end ? index.gaps(end, farthest, offset) : none
    if ([offset, end, ...tails].every((edge) => makeEdge(state, edge))) return tails
    loseDamaged(state) // which may take extents with it: what is held has to be looked at again
  }
}

/** Where the extent at `offset` ends, or 0. */
const oldEnd = ({ index: { extents } }: ExtentState, offset: number): number => {
  const found = extents.find(offset)
  return found === -1 ? 0 : extents.end(found)
}

/** Whether nothing has to be waited for. */
const isCheap = (state: ExtentState, offset: number, length: number, tails: Ranges): boolean =>
  !state.index.holdsDurable([offset, offset + length, ...tails]) &&
  (tails.length === 0 || tails[tails.length - 1] - tails[0] <= maxPieceBytes)

const createNow = (state: ExtentState, offset: number, bytes: Uint8Array, tails: Ranges): void => {
  const { data, index, journal } = state
  const { length } = bytes
  let sum: number
  try {
    if (state.readers.size > 0) state.touch(offset, offset + length)
    // Even where nothing is said: what was there may be gone.
    journal.changed = true
    data.unsafe.writeAt(offset, bytes)
    sum = crc32(bytes)
    state.say(({ room }) => {
      room.create(offset, length, sum)
      sayVoid(state, tails)
    })
  } catch (cause) {
    undo(state, offset, length)
    throw cause
  }
  index.create(offset, length, sum)
  for (let i = 0; i < tails.length; i += 2) {
    index.void(tails[i], tails[i + 1] - tails[i])
    try {
      freeNow(state, tails[i], tails[i + 1])
    } catch {
      state.untidy = true
    }
  }
}

const sayVoid = ({ journal }: ExtentState, ranges: Ranges): void => {
  for (let i = 0; i < ranges.length; i += 2) journal.room.void(ranges[i], ranges[i + 1] - ranges[i])
}

/** What `undo` does, for any number of bytes. */
const undoInTurn = (state: ExtentState, offset: number, length: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    loseRange(state, offset, offset + length)
    return Effect.catch(free(state, offset, offset + length), () => noteUntidy(state))
  })

const noteUntidy = (state: ExtentState): Effect.Effect<void> =>
  Effect.sync(() => {
    state.untidy = true
  })

/** After a write that may have been made in part: what was there is lost, and what is there is nobody's. */
const undo = (state: ExtentState, offset: number, length: number): void => {
  loseRange(state, offset, offset + length)
  try {
    freeNow(state, offset, offset + length)
  } catch {
    state.untidy = true
  }
}

const createInTurn = Effect.fnUntraced(function* (
  state: ExtentState,
  offset: number,
  bytes: Uint8Array
): Effect.fn.Return<void, ExtentWriteError> {
  const { index } = state
  const { length } = bytes
  yield* attempt<void, ExtentWriteError>(() => checkCreate(state, offset, length))
  yield* beginChanges(state)
  const tails = yield* attempt<Ranges, ExtentWriteError>(() => prepare(state, offset, length))
  const gone = [offset, offset + length, ...tails]
  // Their pieces may come back before the new extent does.
  const holders = isOneFrame(length) ? noExtents : heldIn(state, offset, length)
  yield* attempt<void, ExtentWriteError>(() =>
    state.say((journal) => {
      for (const holder of holders) journal.room.forget(holder.offset)
      sayVoid(state, gone)
    })
  )
  // That these bytes are gone is durable before they are.
  if (index.holdsDurable(gone) || !state.recordReady) yield* syncChanges(state)
  for (let i = 0; i < gone.length; i += 2) index.void(gone[i], gone[i + 1] - gone[i])
  state.flux = { from: offset, to: offset + length }
  state.touch(offset, offset + length)
  yield* Effect.ensuring(
    Effect.onError(writePieces(state, offset, bytes, holders), () => undoInTurn(state, offset, length)),
    Effect.sync(() => {
      state.flux = undefined
    })
  )
  for (let i = 0; i < tails.length; i += 2) {
    yield* Effect.catch(free(state, tails[i], tails[i + 1]), () => noteUntidy(state))
  }
})

const noExtents: ReadonlyArray<Extent> = []

/** Whether what an extent of so many bytes is made of is said in one frame, which counts wholly or not at all. */
const isOneFrame = (length: number): boolean =>
  extentFrameHeaderBytes + extentEntryBytes * (Math.ceil(length / maxPieceBytes) + 1) <= maxExtentFrameBytes

/** The extents that overlap a range, and the one that starts there. */
const heldIn = ({ index }: ExtentState, offset: number, length: number): Array<Extent> =>
  index
    .holders(offset, offset + length)
    .map((start) => ({ offset: start, length: index.extents.length(index.extents.find(start)) }))

/** Writes the bytes, and says what they are; `holders` are extents that the record lacks until then. */
const writePieces = Effect.fnUntraced(function* (
  state: ExtentState,
  offset: number,
  bytes: Uint8Array,
  holders: ReadonlyArray<Extent>
): Effect.fn.Return<void, ExtentWriteError> {
  const { data, index } = state
  const sums: Array<number> = []
  for (let at = 0; at < bytes.length; at += maxPieceBytes) {
    if (at > 0) yield* Effect.yieldNow
    const piece = bytes.subarray(at, at + maxPieceBytes)
    yield* attempt<void, ExtentWriteError>(() => {
      state.touch(offset + at, offset + at + piece.length)
      data.unsafe.writeAt(offset + at, piece)
      sums.push(crc32(piece))
    })
  }
  yield* attempt<void, ExtentWriteError>(() =>
    state.say((journal) => {
      eachPiece(offset, bytes.length, sums, (at, length, sum) => journal.room.piece(at, length, sum))
      journal.room.extent(offset, bytes.length)
      for (const holder of holders) {
        if (holder.offset !== offset) journal.room.extent(holder.offset, holder.length)
      }
    })
  )
  eachPiece(offset, bytes.length, sums, (at, length, sum) => index.piece(at, length, sum))
  index.extent(offset, bytes.length)
})

const eachPiece = (
  offset: number,
  length: number,
  sums: ReadonlyArray<number>,
  take: (offset: number, length: number, sum: number) => void
): void => {
  for (const [i, sum] of sums.entries()) {
    const at = i * maxPieceBytes
    take(offset + at, Math.min(maxPieceBytes, length - at), sum)
  }
}
