/**
 * What a sparse file can be made from: anything that gives bytes at virtual offsets.
 *
 * An `IoFile` is one as it is. Something else (a store that is being collected) may know better what
 * a gap costs, keep no bytes for some offsets, and fail in ways that a file can't: `E` lists those.
 */
import type * as Effect from "effect/Effect"
import type { Closed, IoFailed } from "../bytes/errors.ts"

export interface SparseSource<E = never> {
  /** What errors about the source name. */
  readonly path: string
  /** The end of the offsets that can be asked for, in bytes. */
  readonly size: Effect.Effect<number, Closed | IoFailed>
  readonly unsafe: {
    /**
     * Fills `buffer` from `offset`, at once, or throws: `Closed`, `IoFailed`, `ReadOutOfBounds` (the
     * source has become shorter), or one of `E`. Asked for ranges below `size` only, of 256 KiB at
     * most, each once and in ascending order.
     *
     * Gaps may be read over: see `gapBytes`. Of a gap that is not kept, which with a `maxGap` of 0 is
     * every gap, no byte is used, and the source may leave them as they are in `buffer`. A gap of up
     * to `maxGap` bytes is kept, so above 0 the source must give its bytes.
     */
    readonly readAt: (offset: number, buffer: Uint8Array) => void
  }
  /**
   * The longest gap between two extents, in bytes, that is cheaper to read over than to skip; 0 where
   * nothing but extents may be asked for. By default what suits a file: 4 KiB, and 64 KiB while reads
   * turn out slow.
   */
  readonly gapBytes?: number | undefined
  /** Never there: tells the compiler the tagged errors that `readAt` throws besides those of a file. */
  readonly "~errors"?: E
}
