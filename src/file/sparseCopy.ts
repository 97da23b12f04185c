/**
 * The bulk copy: extents of a source, in ascending order, to the end of a sparse file's data.
 *
 * Where extents lie close together, a piece of the source that holds many is read at once and they
 * are gathered from it; where they are large or far apart, each is read straight into the output and
 * the gaps are not read at all. The source is never mapped: one that shrinks meanwhile would kill
 * the process, where a read says `ReadOutOfBounds`.
 *
 * Reading ahead on the thread pool was measured and brought nothing on a source in the page cache,
 * where reading costs about as much as everything else together; the system itself reads ahead of
 * ascending reads on a source that is not.
 */
import * as Effect from "effect/Effect"
import type {
  Closed,
  InvalidArgument,
  IoFailed,
  MemoryLimit,
  NoSpace,
  Poisoned,
  ReadOutOfBounds
} from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile } from "../io/Io.ts"
import type { SparseExtents } from "./sparseExtents.ts"
import { type SparseOutput, stagingBytes } from "./sparseOutput.ts"

export type SparseCopyError =
  Closed | InvalidArgument | IoFailed | MemoryLimit | NoSpace | Poisoned | ReadOutOfBounds

/** A gap longer than this ends a piece: reading over it would cost more than a call. */
const longestGapReadBytes = 64 * 1024
/** With fewer extents than one in so many bytes, a read for each costs less than reading the gaps. */
const sparseStrideBytes = 8 * 1024
/** The source bytes passed between two chances for other fibers to run: a few milliseconds. */
const sliceBytes = 4 << 20

export interface SparseCopyOptions {
  readonly source: IoFile
  /** Ascending, none overlapping another, all within the source when its size was looked at. */
  readonly extents: SparseExtents
  readonly output: SparseOutput
  /** Told of every extent once its bytes are in the output. */
  readonly copied: (offset: number, physical: number, length: number) => void
}

export const sparseCopy = (options: SparseCopyOptions): Effect.Effect<void, SparseCopyError> =>
  Effect.gen(function* () {
    const copy = new SparseCopy(options)
    while (yield* attempt<boolean, SparseCopyError>(() => copy.slice())) yield* Effect.yieldNow
  })

/** A range of the source, and the number of extents that it holds parts of. */
interface Piece {
  readonly start: number
  readonly end: number
  readonly extents: number
}

class SparseCopy {
  private readonly options: SparseCopyOptions
  /** The extent being copied, and how much of it is done. */
  private index = 0
  private done = 0

  constructor(options: SparseCopyOptions) {
    this.options = options
  }

  /** Copies some pieces, and gives false when all is copied. */
  slice(): boolean {
    const { extents, output, source } = this.options
    let left = sliceBytes
    while (this.index < extents.count && left > 0) {
      const piece = this.nextPiece()
      const span = piece.end - piece.start
      if (piece.extents === 1 || span > piece.extents * sparseStrideBytes) {
        this.readEach(piece)
      } else {
        source.unsafe.readAt(piece.start, output.staging.subarray(0, span))
        this.gather(piece)
      }
      left -= span
    }
    return this.index < extents.count
  }

  private nextPiece(): Piece {
    const { extents } = this.options
    const start = extents.offset(this.index) + this.done
    const limit = start + stagingBytes
    let end = start
    let next = this.index
    for (; next < extents.count && end < limit; next++) {
      const offset = extents.offset(next)
      if (next > this.index && (offset >= limit || offset - end > longestGapReadBytes)) break
      end = Math.min(limit, offset + extents.length(next))
    }
    return { start, end, extents: next - this.index }
  }

  /** Reads the parts of extents that lie in the piece, one by one, to where they belong. */
  private readEach(piece: Piece): void {
    const { output, source } = this.options
    this.forEachPart(piece, (offset, length) => {
      for (let at = 0; at < length;) {
        const count = Math.min(output.room(), length - at)
        source.unsafe.readAt(offset + at, output.buffer.subarray(output.filled, output.filled + count))
        output.filled += count
        at += count
      }
    })
  }

  private gather(piece: Piece): void {
    const { output } = this.options
    this.forEachPart(piece, (offset, length) => output.takeStaged(offset - piece.start, length))
  }

  private forEachPart(piece: Piece, take: (offset: number, length: number) => void): void {
    const { copied, extents, output } = this.options
    for (let i = 0; i < piece.extents; i++) {
      const start = extents.offset(this.index)
      const length = extents.length(this.index)
      const count = Math.min(length - this.done, piece.end - start - this.done)
      take(start + this.done, count)
      this.done += count
      if (this.done < length) return
      copied(start, output.end - length, length)
      this.index++
      this.done = 0
    }
  }
}
