/**
 * What a sparse file of anybody's is to the commands: a few functions, of which it may leave some out.
 */
import type { Binding, Extent } from "../../bytes/extent.ts"
import type { Answer, Engine } from "./answers.ts"

/** A file under construction. What is optional is not tried where it is missing. */
export interface SparseFileWriting {
  /**
   * Copies extents of the source, in any order; those that touch, or lie at most `maxGap` apart, become one.
   * Overlaps are `InvalidArgument`, and what reaches beyond the source `ReadOutOfBounds`, which poisons the writer. It
   * may tell how many extents and bytes it wrote.
   */
  readonly appendExtents: (extents: ReadonlyArray<Extent>, streamed: boolean) => Answer<unknown>
  readonly appendBytes?: ((bytes: Uint8Array) => Answer<unknown>) | undefined
  readonly appendFrom?: ((extent: Extent, updateMap: boolean) => Answer<unknown>) | undefined
  readonly mapAdd?: ((binding: Binding) => Answer<unknown>) | undefined
  /** The length of the data so far. */
  readonly currentOffset?: (() => Answer<number>) | undefined
  /** The bindings so far, ascending. */
  readonly entries?: (() => Answer<Iterable<Binding>>) | undefined
  /** `InvalidArgument` while a binding reaches beyond the data; `Poisoned` after an append that failed. */
  readonly promote: () => Answer<unknown>
  /** Opens what was promoted. */
  readonly open: () => Answer<SparseFileReading>
}

/** A file that is finished. */
export interface SparseFileReading {
  readonly read: (offset: number, length: number) => Answer<Uint8Array>
  readonly readRange?:
    | ((
        offset: number,
        range: { readonly minLength: number; readonly maxLength: number }
      ) => Answer<Uint8Array>)
    | undefined
  readonly nextValidOffset?: ((offset: number) => Answer<number | undefined>) | undefined
  readonly mapFind?: ((offset: number) => Answer<number | undefined>) | undefined
  /** The extents as they are bound, ascending. */
  readonly extents?: (() => Answer<Iterable<Extent>>) | undefined
}

export interface SparseFileEngine extends Engine {
  /** A new file that takes from `source`. What is under construction, or finished, is given up. */
  readonly create: (options: {
    readonly maxGap: number
    readonly source: Uint8Array
  }) => Answer<SparseFileWriting>
}
