/**
 * A long list of extents, gathered in any order and gone through ascending.
 *
 * Sixteen bytes an extent, in pages, so that growing copies nothing. Extents of length 0 are left
 * out; one that begins exactly where the last one ended is joined to it. Only a list that doesn't
 * ascend is sorted.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { InvalidArgument } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { checkRange } from "../bytes/offset.ts"
import { sortedOrder } from "../bytes/sortedOrder.ts"
import { attempt } from "../io/attempt.ts"

const pageBits = 16
const pageExtents = 1 << pageBits
const pageMask = pageExtents - 1

export class SparseExtents {
  /** The number of extents in the list. */
  count = 0
  private offsetPages: Array<Float64Array> = []
  private lengthPages: Array<Float64Array> = []
  private lastStart = -1
  private lastEnd = -1
  private ascending = true

  offset(index: number): number {
    return this.offsetPages[index >>> pageBits][index & pageMask]
  }

  length(index: number): number {
    return this.lengthPages[index >>> pageBits][index & pageMask]
  }

  /** Adds an extent. Throws `InvalidArgument` when it isn't one. */
  push(operation: string, offset: number, length: number): void {
    checkRange(operation, offset, length)
    if (length === 0) return
    if (offset === this.lastEnd) {
      this.lengthPages[(this.count - 1) >>> pageBits][(this.count - 1) & pageMask] += length
    } else {
      if (offset < this.lastStart) this.ascending = false
      this.lastStart = offset
      if ((this.count & pageMask) === 0 && this.count >>> pageBits === this.offsetPages.length) this.addPage()
      this.count++
      this.set(this.count - 1, offset, length)
    }
    this.lastEnd = offset + length
  }

  /** Overwrites one extent; the caller keeps the order. */
  set(index: number, offset: number, length: number): void {
    this.offsetPages[index >>> pageBits][index & pageMask] = offset
    this.lengthPages[index >>> pageBits][index & pageMask] = length
  }

  /** Sorts the list by offset, if it isn't sorted. */
  sort(): void {
    if (this.ascending) return
    const keys = new Float64Array(this.count)
    this.offsetPages.forEach((page, i) => {
      keys.set(page.subarray(0, Math.min(pageExtents, this.count - i * pageExtents)), i * pageExtents)
    })
    const order = sortedOrder(keys)
    const lengths = this.lengthPages
    this.offsetPages = []
    this.lengthPages = []
    for (let i = 0; i < order.length; i++) {
      if ((i & pageMask) === 0) this.addPage()
      this.set(i, keys[order[i]], lengths[order[i] >>> pageBits][order[i] & pageMask])
    }
    this.ascending = true
  }

  private addPage(): void {
    this.offsetPages.push(new Float64Array(pageExtents))
    this.lengthPages.push(new Float64Array(pageExtents))
  }
}

/** All extents of an iterable or a stream, for `appendExtents`. */
export const gatherExtents = <E, R>(
  extents: Iterable<Extent> | Stream.Stream<Extent, E, R>
): Effect.Effect<SparseExtents, E | InvalidArgument, R> =>
  Effect.suspend(() => {
    const gathered = new SparseExtents()
    const take = (some: Iterable<Extent>): Effect.Effect<void, InvalidArgument> =>
      attempt(() => {
        for (const { length, offset } of some) gathered.push("appendExtents", offset, length)
      })
    const taken: Effect.Effect<void, E | InvalidArgument, R> = Stream.isStream(extents)
      ? Stream.runForEachArray(extents as Stream.Stream<Extent, E, R>, take)
      : take(extents)
    return Effect.as(taken, gathered)
  })
