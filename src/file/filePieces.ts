/**
 * Going through a file from its beginning, a piece at a time, with its blocks verified on the way.
 */
import * as Effect from "effect/Effect"
import { crc32 } from "../bytes/crc32.ts"
import type { Closed, Corrupt, IoFailed } from "../bytes/errors.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import type { IoFile } from "../io/Io.ts"
import { blockDamaged, truncated } from "./fixedData.ts"

/** What is read between two chances for other fibers to run: less than a millisecond's work. */
export const pieceBytes = 16 * blockSumsBlockBytes

export interface FilePiecesOptions {
  /** How much of the file to go through, in bytes. */
  readonly length: number
  /** The CRC-32 of each block of 64 KiB, to verify them; undefined to trust them. */
  readonly sums: Uint32Array | undefined
}

/**
 * Gives each piece to `take`, which must be done with it when its Effect is: the next piece is read to
 * the same memory. Fails with the first damaged block, or where the file ends too early: `Corrupt`.
 */
export const forEachPiece = <E, R>(
  file: IoFile,
  { length, sums }: FilePiecesOptions,
  take: (piece: Uint8Array, at: number) => Effect.Effect<void, E, R>
): Effect.Effect<void, Closed | Corrupt | IoFailed | E, R> =>
  Effect.gen(function* () {
    const buffer = new Uint8Array(Math.min(pieceBytes, length))
    for (let at = 0; at < length; at += pieceBytes) {
      if (at > 0) yield* Effect.yieldNow
      const piece = buffer.subarray(0, Math.min(pieceBytes, length - at))
      yield* file.readAt(at, piece).pipe(
        Effect.catchTag("ReadOutOfBounds", (cause) => Effect.fail(truncated(cause))),
        // An offset of our own, within 2^53-1.
        Effect.catchTag("InvalidArgument", Effect.die)
      )
      const block = sums === undefined ? -1 : damagedBlock(piece, at, sums)
      if (block >= 0) return yield* blockDamaged(file.path, block)
      yield* take(piece, at)
    }
  })

/** The first block of a piece that its checksum does not match, or -1. */
const damagedBlock = (piece: Uint8Array, at: number, sums: Uint32Array): number => {
  for (let i = 0; i < piece.length; i += blockSumsBlockBytes) {
    const block = (at + i) / blockSumsBlockBytes
    if (crc32(piece.subarray(i, i + blockSumsBlockBytes)) !== sums[block]) return block
  }
  return -1
}
