/**
 * What a store of anybody's is to the commands: a few functions, of which it may leave some out.
 */
import type { Extent } from "../../bytes/extent.ts"
import type { Answer, Engine } from "./answers.ts"
import type { StoreCollection } from "./storeCollections.ts"

/** What a writer and a reader answer. What is optional is not tried where it is missing. */
export interface StoreReading {
  /** `InvalidSparseRead` where the first byte is gone, `ReadOutOfBounds` where only later ones are missing. */
  readonly read: (offset: number, length: number) => Answer<Uint8Array>
  /** What can be read, ascending. */
  readonly extents?: (() => Answer<Iterable<Extent>>) | undefined
  /** One past the last byte. */
  readonly end?: (() => Answer<number>) | undefined
}

export interface StoreReader extends StoreReading {
  /** Goes on to what is committed now. */
  readonly refresh?: (() => Answer<unknown>) | undefined
  readonly close?: (() => Answer<unknown>) | undefined
}

export interface StoreWriter extends StoreReading {
  /** Gives the offset of the first byte. Bytes are copied: the caller changes them afterwards. */
  readonly append: (bytes: Uint8Array) => Answer<number>
  /** Back to back. */
  readonly appendAll?: ((records: ReadonlyArray<Uint8Array>) => Answer<number>) | undefined
  readonly commit: () => Answer<unknown>
  readonly rollback?: (() => Answer<unknown>) | undefined
  /** Commits, and begins a new chunk. */
  readonly split?: (() => Answer<unknown>) | undefined
  readonly committedEnd?: (() => Answer<number>) | undefined
  /**
   * Keeps, of what lies before `upTo`, what is live, at its offsets. It may tell what it did, in the words of
   * `StoreModelCollected`; what it doesn't tell isn't compared.
   */
  readonly collect?:
    | ((
        collection: StoreCollection,
        how: { readonly dryRun: boolean; readonly streamed: boolean }
      ) => Answer<unknown>)
    | undefined
}

export interface StoreEngine extends Engine {
  /**
   * Opens the writer, of a store that is made when it is missing. A writer that is open already ends as by
   * a crash: what it has not committed is forgotten.
   */
  readonly open: () => Answer<StoreWriter>
  readonly openReader?: (() => Answer<StoreReader>) | undefined
}
