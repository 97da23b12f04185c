/**
 * Reading what an extent file holds: at once where it is little, in turns with others where it is much.
 *
 * Bytes are given only from pieces that were proved since the file was opened. A long read whose bytes are
 * changed in between begins again, and after some attempts takes the turn of a writer: so what it gives
 * was there at one moment.
 */
import * as Effect from "effect/Effect"
import { readBuffer } from "../bytes/readBuffer.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import { synchronousTransferBytes } from "../io/Io.ts"
import type { ExtentReadError } from "./extentFileService.ts"
import { loseDamaged } from "./extentForgetting.ts"
import { proveBytes, readPiece, suspect } from "./extentProving.ts"
import type { ExtentReader, ExtentState } from "./extentState.ts"

/** How often a long read begins again before it shuts out whoever changes its bytes. */
const maxTornReads = 3

/** Drops what was found damaged, unless somebody is busy, who does it then. */
const settle = (state: ExtentState): void => {
  if (state.damaged.length > 0 && !state.busy) loseDamaged(state)
}

/** `unsafe.read`. */
export const readUnion = (state: ExtentState, offset: number, buffer: Uint8Array): boolean => {
  state.checkOpen("read")
  const { length } = buffer
  const { pieces } = state.index
  const piece = pieces.floor(offset)
  if (piece !== -1 && offset + length <= pieces.end(piece) && state.isProved(piece)) {
    if (readProved(state, offset, buffer)) return true
    settle(state)
    return false
  }
  checkRange("read", offset, length)
  const there = fill(state, offset, buffer)
  settle(state)
  return there
}

/** Fills `buffer` with bytes that are proved; false where not all are there. Throws `IoFailed`. */
const fill = (state: ExtentState, offset: number, buffer: Uint8Array): boolean => {
  const end = offset + buffer.length
  const { pieces } = state.index
  for (let at = offset; at < end;) {
    const piece = pieces.floor(at)
    if (piece === -1 || pieces.end(piece) <= at) return false
    const stop = state.isProved(piece) ? provedEnd(state, piece, end) : pieces.end(piece)
    const target = buffer.subarray(at - offset, Math.min(stop, end) - offset)
    if (state.isProved(piece)) {
      if (!readProved(state, at, target)) return false
    } else if (!fillUnproved(state, piece, at, target)) return false
    at = stop
  }
  return true
}

/** False where somebody has cut off the data: the piece where it ends is suspected. */
const readProved = (state: ExtentState, at: number, target: Uint8Array): boolean => {
  const count = state.data.unsafe.readSomeAt(at, target)
  if (count === target.length) return true
  suspect(state, state.index.pieces.floor(at + count))
  return false
}

/** Where the pieces end that follow one another from `piece` on, are proved, and begin before `end`. */
const provedEnd = (state: ExtentState, piece: number, end: number): number => {
  const { pieces } = state.index
  let stop = pieces.end(piece)
  for (let next = pieces.next(piece); stop < end && next !== -1; next = pieces.next(next)) {
    if (pieces.start(next) !== stop || !state.isProved(next)) break
    stop = pieces.end(next)
  }
  return stop
}

const fillUnproved = (state: ExtentState, piece: number, at: number, target: Uint8Array): boolean => {
  const { pieces } = state.index
  const { length } = target
  if (length === pieces.length(piece) && state.data.unsafe.readSomeAt(at, target) === length) {
    return proveBytes(state, piece, target)
  }
  // A part of a piece, or a read that came back short: only what was compared as a whole is given.
  const bytes = readPiece(state, piece)
  if (bytes === undefined) return false
  const from = at - pieces.start(piece)
  target.set(bytes.subarray(from, from + length))
  return true
}

const nothing = new Uint8Array(0)

/** `readExtent`. */
export const readExtent = (state: ExtentState, offset: number): Effect.Effect<Uint8Array, ExtentReadError> =>
  Effect.suspend((): Effect.Effect<Uint8Array, ExtentReadError> => {
    const read = Effect.suspend(() => readWhole(state, offset))
    return isInFlux(state, offset) ? state.exclusive(read) : read
  }).pipe((read) =>
    Effect.andThen(
      attempt<void, ExtentReadError>(() => checkRead(state, offset)),
      read
    )
  )

/** Whether a part of the extent is being written, and can't be read until that is done. */
const isInFlux = (state: ExtentState, offset: number): boolean => {
  const { flux } = state
  return flux !== undefined && offset < flux.to && offset + lengthAt(state, offset) > flux.from
}

const checkRead = (state: ExtentState, offset: number): void => {
  state.checkOpen("readExtent")
  checkOffset("readExtent", "offset", offset)
}

const lengthAt = (state: ExtentState, offset: number): number => {
  const { extents } = state.index
  const found = extents.find(offset)
  return found === -1 ? 0 : extents.length(found)
}

const readWhole = (state: ExtentState, offset: number): Effect.Effect<Uint8Array, ExtentReadError> =>
  lengthAt(state, offset) <= synchronousTransferBytes
    ? attempt<Uint8Array, ExtentReadError>(() => readShort(state, offset))
    : readLong(state, offset)

const readShort = (state: ExtentState, offset: number): Uint8Array => {
  state.checkOpen("readExtent")
  const bytes = new Uint8Array(lengthAt(state, offset))
  if (bytes.length === 0) return nothing
  const there = fill(state, offset, bytes)
  settle(state)
  return there ? bytes : nothing
}

const readLong = (state: ExtentState, offset: number): Effect.Effect<Uint8Array, ExtentReadError> =>
  Effect.gen(function* () {
    for (let attempts = 0; attempts < maxTornReads && !isInFlux(state, offset); attempts++) {
      const bytes = yield* readOnce(state, offset)
      if (bytes !== undefined) return bytes
    }
    // Nobody changes them meanwhile.
    return yield* state.exclusive(Effect.map(readOnce(state, offset), (bytes) => bytes!))
  })

/** The bytes of the extent at `offset`; undefined where they were changed on the way. */
const readOnce = (
  state: ExtentState,
  offset: number
): Effect.Effect<Uint8Array | undefined, ExtentReadError> =>
  Effect.suspend(() => {
    const length = lengthAt(state, offset)
    const reader: ExtentReader = { from: offset, to: offset + length, torn: false }
    state.readers.add(reader)
    return Effect.ensuring(
      readInTurns(state, reader),
      Effect.sync(() => state.readers.delete(reader))
    )
  })

const readInTurns = Effect.fnUntraced(function* (
  state: ExtentState,
  reader: ExtentReader
): Effect.fn.Return<Uint8Array | undefined, ExtentReadError> {
  const { from, to } = reader
  // The record may claim any length: memory is asked for when the bytes are known to be there.
  for (let at = from; at < to;) {
    const after = yield* attempt<number, ExtentReadError>(() => proveTurn(state, at, to))
    if (reader.torn) return undefined
    if (after <= at) return nothing
    at = after
    yield* Effect.yieldNow
  }
  const bytes = yield* attempt<Uint8Array, ExtentReadError>(() => readBuffer("readExtent", to - from))
  for (let at = from; at < to; at += synchronousTransferBytes) {
    if (at > from) yield* Effect.yieldNow
    if (reader.torn) return undefined
    const target = bytes.subarray(at - from, Math.min(to, at + synchronousTransferBytes) - from)
    const there = yield* attempt<boolean, ExtentReadError>(() => {
      state.checkOpen("readExtent")
      return fill(state, at, target)
    })
    if (!there) {
      settle(state)
      return nothing
    }
  }
  return bytes
})

/** Proves pieces from `at` on, a turn's work of them. Gives where it stopped: `at` where something is missing. */
const proveTurn = (state: ExtentState, at: number, to: number): number => {
  state.checkOpen("readExtent")
  const { pieces } = state.index
  let work = 0
  let reached = at
  while (reached < to && work < synchronousTransferBytes) {
    const piece = pieces.floor(reached)
    if (piece === -1 || pieces.end(piece) <= reached) return at
    if (!state.isProved(piece)) {
      work += pieces.length(piece)
      if (readPiece(state, piece) === undefined) {
        settle(state)
        return at
      }
    } else work += 4096
    reached = pieces.end(piece)
  }
  return reached
}
