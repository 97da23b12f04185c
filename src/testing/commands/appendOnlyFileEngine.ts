/**
 * What an append-only file of anybody's is to the commands: a few functions, of which it may leave some out.
 */
import type { ModelOptions } from "../models/appendOnlyFile.ts"
import type { Answer, Engine } from "./answers.ts"

/** An open file. What is optional is not tried where it is missing. */
export interface AppendOnlyFileHandle {
  /** Gives the offset of the first byte. Bytes are copied: the caller changes them afterwards. */
  readonly append: (bytes: Uint8Array) => Answer<number>
  readonly appendAll?: ((records: ReadonlyArray<Uint8Array>) => Answer<number>) | undefined
  readonly unsafeAppend?: ((bytes: Uint8Array) => Answer<number>) | undefined
  /** Of flushed bytes, unless `readsBuffer` was asked for; anything else is `ReadOutOfBounds`. */
  readonly read: (offset: number, length: number) => Answer<Uint8Array>
  readonly readInto?: ((offset: number, buffer: Uint8Array) => Answer<unknown>) | undefined
  readonly unsafeReadInto?: ((offset: number, buffer: Uint8Array) => Answer<unknown>) | undefined
  readonly flush: () => Answer<unknown>
  readonly fsync?: (() => Answer<unknown>) | undefined
  readonly refreshEndPoff?: ((end: number) => Answer<unknown>) | undefined
  readonly endPoff?: (() => Answer<number>) | undefined
  readonly emptyBuffer?: (() => Answer<boolean>) | undefined
  /** `PendingFlush` where there are unflushed bytes, `DoubleClose` the second time. */
  readonly close: () => Answer<unknown>
  /**
   * The end of a program that does not close: what is left is flushed once, and lost if that fails. Without it, the
   * file is flushed and closed before the next opening.
   */
  readonly leave?: (() => Answer<unknown>) | undefined
}

/** One file, and the ways to open it. */
export interface AppendOnlyFileEngine extends Engine {
  /** Makes the file, in the place of what there is if it may be overwritten. */
  readonly create: (options: ModelOptions, overwrite: boolean) => Answer<AppendOnlyFileHandle>
  readonly open: (options: ModelOptions) => Answer<AppendOnlyFileHandle>
  /** All bytes of the file itself: header, persisted part and tail. */
  readonly bytes?: (() => Answer<Uint8Array>) | undefined
  /** Makes a write fail with `NoSpace`, the next being 1, when it has written so many bytes. */
  readonly failWrite?: ((after: number, written: number) => void) | undefined
  /** Makes the next fsync fail with `IoFailed`. */
  readonly failSync?: (() => void) | undefined
}
