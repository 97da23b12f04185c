/**
 * What an opening does with a record that doesn't end with a mark: proves what is in doubt, and forgets what
 * can't be.
 *
 * Pieces since the last mark are read and compared with their sums. What extents were made of is then known,
 * and those with a byte that is missing are forgotten. Nothing is written here; the pieces that are left
 * cover exactly what the extents that are left hold.
 */
import * as Effect from "effect/Effect"
import { crc32 } from "../bytes/crc32.ts"
import { type Closed, type InvalidArgument, IoFailed } from "../bytes/errors.ts"
import { maxPieceBytes } from "../format/extentRecord.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile } from "../io/Io.ts"
import { durable, type ExtentIndex, proved } from "./extentIndex.ts"
import { ExtentPieceBuffer } from "./extentPieceBuffer.ts"

type ReadFailure = Closed | InvalidArgument | IoFailed

/** How many entries are gone through before others may run. */
const stepEntries = 4_096

/** Drops what the data is too short for: the only thing to be seen without reading it. */
export const dropBeyond = (index: ExtentIndex, size: number): boolean => {
  const { pieces } = index
  let found = false
  for (let at = pieces.firstBehind(size); at !== -1; at = pieces.firstBehind(size)) {
    index.dropPiece(at)
    found = true
  }
  return found
}

/** Proves the pieces that are not durable, and drops those that it can't. */
export const proveFresh = (index: ExtentIndex, data: IoFile): Effect.Effect<void, ReadFailure> =>
  Effect.gen(function* () {
    const { pieces } = index
    const buffer = new ExtentPieceBuffer()
    for (let at = pieces.first(); at !== -1;) {
      at = yield* attempt<number, ReadFailure>(() => proveSome(index, at, data, buffer))
      yield* Effect.yieldNow
    }
  })

/** Some of the pieces from `piece` on. Gives the one that is next, or -1. */
const proveSome = (index: ExtentIndex, piece: number, data: IoFile, buffer: ExtentPieceBuffer): number => {
  const { pieces } = index
  let work = 0
  for (let at = piece; at !== -1;) {
    if (work >= maxPieceBytes) return at
    const end = pieces.end(at)
    const isFresh = (pieces.flags(at) & durable) === 0
    work += isFresh ? pieces.length(at) : 256
    at = isFresh && !prove(index, at, data, buffer) ? pieces.ceiling(end) : pieces.next(at)
  }
  return -1
}

/** Whether all the bytes could be read: a bad sector is not worse than a wrong one. */
const readAll = (data: IoFile, offset: number, bytes: Uint8Array): boolean => {
  try {
    return data.unsafe.readSomeAt(offset, bytes) === bytes.length
  } catch (cause) {
    if (cause instanceof IoFailed) return false
    throw cause
  }
}

/** False where the piece is dropped. */
const prove = (index: ExtentIndex, piece: number, data: IoFile, buffer: ExtentPieceBuffer): boolean => {
  const { pieces } = index
  const bytes = buffer.of(pieces.length(piece))
  if (readAll(data, pieces.start(piece), bytes) && crc32(bytes) === pieces.sum(piece)) {
    pieces.setFlags(piece, pieces.flags(piece) | proved)
    return true
  }
  index.dropPiece(piece)
  return false
}

/** Forgets the extents that pieces don't cover, and the pieces that no extent holds. Gives how many extents. */
export const forgetUncovered = (index: ExtentIndex, data: IoFile): Effect.Effect<number, ReadFailure> =>
  Effect.gen(function* () {
    let forgotten = 0
    for (let again = true; again;) {
      forgotten += yield* dropExtents(index)
      again = yield* dropOrphans(index, data)
    }
    return forgotten
  })

const dropExtents = (index: ExtentIndex): Effect.Effect<number> =>
  Effect.gen(function* () {
    const { extents } = index
    let forgotten = 0
    let passed = 0
    for (let at = extents.first(); at !== -1;) {
      const start = extents.start(at)
      if (index.covers(start, extents.end(at))) at = extents.next(at)
      else {
        index.forget(start)
        forgotten++
        at = extents.ceiling(start)
      }
      if (++passed % stepEntries === 0) yield* Effect.yieldNow
    }
    return forgotten
  })

/** True where a piece that some extent holds turned out to be damaged. */
const dropOrphans = (index: ExtentIndex, data: IoFile): Effect.Effect<boolean, ReadFailure> =>
  Effect.gen(function* () {
    const { pieces } = index
    const buffer = new ExtentPieceBuffer()
    let damaged = false
    let passed = 0
    for (let at = pieces.first(); at !== -1;) {
      const piece = at
      const start = pieces.start(piece)
      const end = pieces.end(piece)
      const gaps = index.gaps(start, end)
      const isOrphan = gaps.length === 2 && gaps[0] === start && gaps[1] === end
      if (isOrphan) index.dropPiece(piece)
      else if (gaps.length > 0) {
        const whole = yield* attempt<boolean, ReadFailure>(() => cutGaps(index, piece, gaps, data, buffer))
        damaged ||= !whole
      }
      at = gaps.length === 0 ? pieces.next(piece) : pieces.ceiling(end)
      if (++passed % stepEntries === 0) yield* Effect.yieldNow
    }
    return damaged
  })

/** Cuts out of a piece what no extent holds. False where the piece is damaged: it is dropped. */
const cutGaps = (
  index: ExtentIndex,
  piece: number,
  gaps: ReadonlyArray<number>,
  data: IoFile,
  buffer: ExtentPieceBuffer
): boolean => {
  const { pieces } = index
  const start = pieces.start(piece)
  const end = pieces.end(piece)
  const bytes = buffer.of(end - start)
  if (!readAll(data, start, bytes) || crc32(bytes) !== pieces.sum(piece)) {
    index.dropPiece(piece)
    return false
  }
  const sumOf = (from: number, to: number) => crc32(bytes.subarray(from - start, to - start))
  let from = start
  for (const edge of gaps) {
    if (edge > from && edge < end) {
      index.split(edge, sumOf(from, edge), sumOf(edge, end))
      from = edge
    }
  }
  for (let i = 0; i < gaps.length; i += 2) index.void(gaps[i], gaps[i + 1] - gaps[i])
  return true
}
