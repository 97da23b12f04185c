/**
 * What a bulk append will do, checked before a byte is written.
 *
 * The extents are sorted; any that overlap each other, overlap what is mapped already, or reach
 * beyond the source are refused. Then those that touch, or lie at most `maxGap` bytes apart, are
 * fused into one. A gap in which something is mapped already is never fused over: its bytes would
 * be mapped twice.
 */
import { InvalidArgument, ReadOutOfBounds } from "../bytes/errors.ts"
import type { ExtentList } from "../bytes/extentList.ts"
import type { SparseCoverage } from "./sparseCoverage.ts"
import type { SparseSource } from "./sparseSource.ts"

/** The extents of one `step`: short enough to let other fibers run in between. */
const stepExtents = 8_192

export interface SparsePlanOptions {
  readonly source: SparseSource<unknown>
  readonly sourceSize: number
  readonly coverage: SparseCoverage
  readonly maxGap: number
}

export class SparsePlan {
  private readonly extents: ExtentList
  private readonly options: SparsePlanOptions
  private next = 0
  private fused = 0
  private lastEnd = 0

  /** Sorts `extents`, and takes them over: they are fused in place. */
  constructor(extents: ExtentList, options: SparsePlanOptions) {
    this.extents = extents
    this.options = options
    extents.sort()
  }

  /** Does a part of the work, and gives false when all is done. Throws what is wrong. */
  step(): boolean {
    const { extents } = this
    const until = Math.min(extents.count, this.next + stepExtents)
    for (; this.next < until; this.next++) {
      const offset = extents.offset(this.next)
      const length = extents.length(this.next)
      this.check(offset, length)
      if (this.fuses(offset)) {
        const start = extents.offset(this.fused - 1)
        extents.set(this.fused - 1, start, offset + length - start)
      } else {
        extents.set(this.fused++, offset, length)
      }
      this.lastEnd = offset + length
    }
    if (this.next < extents.count) return true
    extents.truncate(this.fused)
    return false
  }

  private check(offset: number, length: number): void {
    const { coverage, source, sourceSize } = this.options
    if (offset < this.lastEnd) {
      throw new InvalidArgument({
        operation: "appendExtents",
        reason: `the extent of ${length} bytes at ${offset} overlaps another, which ends at ${this.lastEnd}`
      })
    }
    if (coverage.overlaps(offset, length)) {
      throw new InvalidArgument({
        operation: "appendExtents",
        reason: `the extent of ${length} bytes at ${offset} overlaps what is mapped already`
      })
    }
    if (offset + length > sourceSize) {
      throw new ReadOutOfBounds({ path: source.path, offset, length, end: sourceSize })
    }
  }

  private fuses(offset: number): boolean {
    if (this.fused === 0) return false
    const gap = offset - this.lastEnd
    return gap === 0 || (gap <= this.options.maxGap && !this.options.coverage.overlaps(this.lastEnd, gap))
  }
}
