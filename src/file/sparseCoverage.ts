/**
 * What a writer has mapped so far: the question "would this overlap?" for extents in any order.
 *
 * As long as extents arrive ascending, one number answers it and nothing else is kept. The first
 * extent that goes back makes the coverage remember ranges: a small sorted buffer of recent ones,
 * and behind it sorted tiers that are merged when they reach similar sizes, so that a question costs
 * a few binary searches and an insertion a few moves, amortised. Ranges that touch are joined, since
 * only coverage counts here. A point takes the room of one byte.
 */
import type { Binding } from "../bytes/extent.ts"

interface Tier {
  readonly starts: Float64Array
  readonly ends: Float64Array
  readonly count: number
}

const recentRanges = 256

export class SparseCoverage {
  private readonly stored: () => Iterable<Binding>
  private end = 0
  private tiers: Array<Tier> | undefined
  private recent = emptyTier(recentRanges)

  /** `stored` gives all bindings added so far, ascending; it is asked at most once. */
  constructor(stored: () => Iterable<Binding>) {
    this.stored = stored
  }

  /** Whether anything mapped lies in `[offset, offset + length)`, or at `offset` itself. */
  overlaps(offset: number, length: number): boolean {
    if (offset >= this.end) return false
    const end = offset + Math.max(1, length)
    const tiers = this.remembered()
    return tierOverlaps(this.recent, offset, end) || tiers.some((tier) => tierOverlaps(tier, offset, end))
  }

  /** Adds a range that overlaps nothing, before or after its binding has been stored. */
  add(offset: number, length: number): void {
    const end = offset + Math.max(1, length)
    const ascending = offset >= this.end
    if (!ascending || this.tiers !== undefined) {
      this.remembered()
      this.recent = inserted(this.recent, offset, end)
      if (this.recent.count === recentRanges) this.settleRecent()
    }
    if (ascending) this.end = end
  }

  private remembered(): Array<Tier> {
    this.tiers ??= [tierOf(this.stored())]
    return this.tiers
  }

  private settleRecent(): void {
    const tiers = this.remembered()
    let newest: Tier = this.recent
    while (tiers.length > 0 && tiers[tiers.length - 1].count <= newest.count * 2) {
      newest = merged(tiers[tiers.length - 1], newest)
      tiers.pop()
    }
    tiers.push(newest)
    this.recent = emptyTier(recentRanges)
  }
}

const emptyTier = (capacity: number): Tier => ({
  starts: new Float64Array(capacity),
  ends: new Float64Array(capacity),
  count: 0
})

/** The number of ranges in `tier` that start before `offset`. */
const startsBefore = (tier: Tier, offset: number): number => {
  let low = 0
  let high = tier.count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (tier.starts[middle] < offset) low = middle + 1
    else high = middle
  }
  return low
}

const tierOverlaps = (tier: Tier, offset: number, end: number): boolean => {
  const before = startsBefore(tier, end)
  return before > 0 && tier.ends[before - 1] > offset
}

const inserted = (tier: Tier, offset: number, end: number): Tier => {
  const at = startsBefore(tier, offset)
  tier.starts.copyWithin(at + 1, at, tier.count)
  tier.ends.copyWithin(at + 1, at, tier.count)
  tier.starts[at] = offset
  tier.ends[at] = end
  return { ...tier, count: tier.count + 1 }
}

const merged = (a: Tier, b: Tier): Tier => {
  const into = joining(a.count + b.count)
  let i = 0
  let j = 0
  while (i < a.count || j < b.count) {
    if (j === b.count || (i < a.count && a.starts[i] < b.starts[j])) into.push(a.starts[i], a.ends[i++])
    else into.push(b.starts[j], b.ends[j++])
  }
  return into.tier()
}

const tierOf = (bindings: Iterable<Binding>): Tier => {
  const into = joining(1024)
  for (const { virtual, length } of bindings) into.push(virtual, virtual + Math.max(1, length))
  return into.tier()
}

/** Collects ascending ranges, joining those that touch. */
const joining = (capacity: number) => {
  let starts = new Float64Array(capacity)
  let ends = new Float64Array(capacity)
  let count = 0
  return {
    push: (start: number, end: number): void => {
      if (count > 0 && ends[count - 1] === start) {
        ends[count - 1] = end
        return
      }
      if (count === starts.length) {
        starts = grown(starts)
        ends = grown(ends)
      }
      starts[count] = start
      ends[count++] = end
    },
    tier: (): Tier => ({ starts, ends, count })
  }
}

const grown = (array: Float64Array): Float64Array<ArrayBuffer> => {
  const larger = new Float64Array(array.length * 2)
  larger.set(array)
  return larger
}
