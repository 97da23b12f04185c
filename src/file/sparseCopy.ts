/**
 * The bulk copy: extents of a source, in ascending order, to the end of a sparse file's data.
 *
 * The source is read in runs: extents, and the gaps between them where those are so short that
 * reading them costs less than another call. A run is read straight to where its first byte belongs,
 * and what follows a gap is moved up. A file that turns out slow (not in the system's cache) is
 * read in longer runs, since a device likes few large reads better than many small ones; a source
 * that knows what a gap costs is believed.
 *
 * The source is never mapped: one that shrinks meanwhile would kill the process, where a read says
 * `ReadOutOfBounds`. Reading ahead on the thread pool was measured and did not pay: what the system
 * has in its cache is read faster than another thread can be woken, and of the rest it reads ahead
 * itself.
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
import type { ExtentList } from "../bytes/extentList.ts"
import { attempt } from "../io/attempt.ts"
import { longestRunBytes, type SparseOutput } from "./sparseOutput.ts"
import type { SparseSource } from "./sparseSource.ts"

export type SparseCopyError =
  Closed | InvalidArgument | IoFailed | MemoryLimit | NoSpace | Poisoned | ReadOutOfBounds

/** Reading over a gap of so many bytes of a file takes as long as a call, from the system's cache. */
const cachedGapBytes = 4 * 1024
/** The same, from a device. */
const slowGapBytes = 64 * 1024
/** A source that gives less than this is slow: a fraction of what a cached one gives. */
const slowBytesPerMilli = 500_000
/** The source bytes passed between two chances for other fibers to run. */
const sliceBytes = 1 << 20
/** The same as a time, looked at every so many runs: where runs are short, bytes say nothing. */
const sliceMillis = 1
const timedRuns = 8

export interface SparseCopyOptions<E> {
  readonly source: SparseSource<E>
  /** Ascending, none overlapping another, all within the source when its size was looked at. */
  readonly extents: ExtentList
  readonly output: SparseOutput
  /** Told of every extent once its bytes stand behind the output, of which they become part next. */
  readonly copied: (offset: number, physical: number, length: number) => void
  /** Told after every slice how many bytes have been appended so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined
}

export const sparseCopy = <E>(options: SparseCopyOptions<E>): Effect.Effect<void, SparseCopyError | E> =>
  Effect.gen(function* () {
    const { onProgress, output } = options
    const copy = new SparseCopy(options)
    const before = output.end
    while (yield* attempt<boolean, SparseCopyError | E>(() => copy.slice())) {
      onProgress?.(output.end - before)
      yield* Effect.yieldNow
    }
  })

class SparseCopy {
  private readonly options: SparseCopyOptions<unknown>
  /** The extent being copied, and how much of it is done. */
  private index = 0
  private done = 0
  private longestGapBytes: number

  constructor(options: SparseCopyOptions<unknown>) {
    this.options = options
    this.longestGapBytes = options.source.gapBytes ?? cachedGapBytes
  }

  /** Copies some runs, until it is others' turn. False when there was none left. */
  slice(): boolean {
    const { extents, source } = this.options
    if (this.index === extents.count) return false
    const since = performance.now()
    let passed = 0
    for (let runs = 1; this.index < extents.count && passed < sliceBytes; runs++) {
      passed += this.copyRun()
      if (runs % timedRuns === 0 && performance.now() - since > sliceMillis) break
    }
    if (source.gapBytes === undefined) {
      const slow = passed < (performance.now() - since) * slowBytesPerMilli
      this.longestGapBytes = slow ? slowGapBytes : cachedGapBytes
    }
    return true
  }

  /** Copies the run that begins here, and gives its length in the source. */
  private copyRun(): number {
    const { output, source } = this.options
    const start = this.options.extents.offset(this.index) + this.done
    const end = this.runEnd(start)
    source.unsafe.readAt(start, output.tail(end - start))
    this.closeGaps(start, end)
    return end - start
  }

  private runEnd(start: number): number {
    const { extents } = this.options
    const limit = start + longestRunBytes
    let end = start
    for (let next = this.index; next < extents.count; next++) {
      const offset = extents.offset(next)
      if (next > this.index && (offset >= limit || offset - end > this.longestGapBytes)) return end
      end = offset + extents.length(next)
      if (end >= limit) return limit
    }
    return end
  }

  /** What was read from `start` to `end` lies behind the output: takes the extents, drops the gaps. */
  private closeGaps(start: number, end: number): void {
    const { copied, extents, output } = this.options
    let taken = 0
    while (this.index < extents.count) {
      const offset = extents.offset(this.index)
      const from = offset + this.done
      if (from >= end) break
      const length = extents.length(this.index)
      const count = Math.min(offset + length, end) - from
      output.moveUp(taken, from - start, count)
      taken += count
      this.done += count
      if (this.done < length) break
      copied(offset, output.end + taken - length, length)
      this.index++
      this.done = 0
    }
    output.take(taken)
  }
}
