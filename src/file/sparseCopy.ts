/**
 * The bulk copy: extents of a source, in ascending order, to the end of a sparse file's data.
 */
import * as Effect from "effect/Effect"
import type {
  Closed,
  InvalidArgument,
  IoFailed,
  NoSpace,
  Poisoned,
  ReadOutOfBounds
} from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile } from "../io/Io.ts"
import type { SparseExtents } from "./sparseExtents.ts"
import type { SparseOutput } from "./sparseOutput.ts"

export type SparseCopyError = Closed | InvalidArgument | IoFailed | NoSpace | Poisoned | ReadOutOfBounds

/** The bytes copied between two chances for other fibers to run. */
const sliceBytes = 4 << 20

export interface SparseCopyOptions {
  readonly source: IoFile
  readonly extents: SparseExtents
  readonly output: SparseOutput
  /** Told of every extent once its bytes are in the output. */
  readonly copied: (offset: number, physical: number, length: number) => void
}

export const sparseCopy = (options: SparseCopyOptions): Effect.Effect<void, SparseCopyError> => {
  const { extents, output, source } = options
  let index = 0
  let done = 0
  const slice = (): boolean => {
    let left = sliceBytes
    while (index < extents.count && left > 0) {
      const offset = extents.offset(index)
      const length = extents.length(index)
      const count = Math.min(output.room(), length - done, left)
      source.unsafe.readAt(offset + done, output.buffer.subarray(output.filled, output.filled + count))
      output.filled += count
      done += count
      left -= count
      if (done === length) {
        options.copied(offset, output.end - length, length)
        index++
        done = 0
      }
    }
    return index < extents.count
  }
  return Effect.gen(function* () {
    while (yield* attempt<boolean, SparseCopyError>(slice)) yield* Effect.yieldNow
  })
}
