/**
 * Extents gathered in any order, then united: sorted, without duplicates or overlaps.
 *
 * They are held in lists of a page each, 16 bytes an extent. Each list is sorted when it is full;
 * uniting merges them and drops each one as it is passed.
 *
 * Extents that only touch stay two: fusing those is for whoever stores them.
 */
import type { Extent } from "./extent.ts"
import { ExtentList, pageExtents } from "./extentList.ts"

/** What uniting gives. Iterating it again starts over. */
export interface UnitedExtents extends Iterable<Extent> {
  /** How many extents are left. */
  readonly count: number
  /** The bytes they cover. */
  readonly bytes: number
  /** Extents that were given before with the same offset and length. */
  readonly duplicates: number
  /** Extents that overlapped another one without being its duplicate. */
  readonly overlaps: number
  /** The extents themselves, for whoever takes the list over; what is iterated is this list. */
  readonly extents: ExtentList
}

export interface ExtentRuns {
  /** Adds a range of at least one byte. */
  readonly add: (offset: number, length: number) => void
  /** Unites what was added, and empties the runs. */
  readonly unite: () => UnitedExtents
  /** The same for whoever lets others run in between: each step passes some ten thousand extents. */
  readonly unitingSteps: () => Generator<void, UnitedExtents>
}

/** The extents that one step passes: less than a millisecond's work. */
const stepExtents = 8_192

export const extentRuns = (): ExtentRuns => {
  let full: Array<ExtentList> = []
  let last = new ExtentList()
  const add = (offset: number, length: number): void => {
    if (last.count === pageExtents) {
      full.push(sorted(last))
      last = new ExtentList()
    }
    last.push(offset, length)
  }
  const begin = (): Uniting => {
    const lists = last.count > 0 ? [...full, sorted(last)] : full
    full = []
    last = new ExtentList()
    return new Uniting(lists)
  }
  const unite = (): UnitedExtents => {
    const uniting = begin()
    uniting.step(Infinity)
    return uniting.finish()
  }
  function* unitingSteps(): Generator<void, UnitedExtents> {
    const uniting = begin()
    while (uniting.step(stepExtents)) yield
    return uniting.finish()
  }
  return { add, unite, unitingSteps }
}

/** Sorts by offset, then length, so that duplicates become neighbours. */
const sorted = (list: ExtentList): ExtentList => {
  list.sort()
  const { count } = list
  for (let start = 0, end = 1; start < count; start = end++) {
    const offset = list.offset(start)
    let ascending = true
    for (; end < count && list.offset(end) === offset; end++) {
      if (list.length(end) < list.length(end - 1)) ascending = false
    }
    if (!ascending) sortLengths(list, start, end)
  }
  return list
}

/** Sorts the lengths of the extents from `start` to `end`, which begin at the same offset. */
const sortLengths = (list: ExtentList, start: number, end: number): void => {
  const offset = list.offset(start)
  const lengths = new Float64Array(end - start)
  for (let i = start; i < end; i++) lengths[i - start] = list.length(i)
  lengths.sort()
  for (let i = start; i < end; i++) list.set(i, offset, lengths[i - start])
}

/** Lists that follow one another in order, read one extent after the other. */
class Run {
  /** The extent that is next. */
  offset: number
  length: number
  private readonly later: Array<ExtentList>
  private list: ExtentList
  private at = 0

  /** Takes over `lists`: at least one, none empty, each ending no later than the next begins. */
  constructor(lists: Array<ExtentList>) {
    this.later = lists.reverse() // so that the next one is popped, and freed when passed
    this.list = this.later.pop()!
    this.offset = this.list.offset(0)
    this.length = this.list.length(0)
  }

  /** Goes on to the next extent; false where there is none. */
  advance(): boolean {
    if (++this.at === this.list.count) {
      const next = this.later.pop()
      if (next === undefined) return false
      this.list = next
      this.at = 0
    }
    this.offset = this.list.offset(this.at)
    this.length = this.list.length(this.at)
    return true
  }

  isBefore(other: Run): boolean {
    return this.offset < other.offset || (this.offset === other.offset && this.length < other.length)
  }
}

/** Sorted lists as given, joined to runs where one begins no earlier than the one before it ended. */
const runsOf = (lists: ReadonlyArray<ExtentList>): Array<Run> => {
  const joined: Array<Array<ExtentList>> = []
  let before: ExtentList | undefined
  for (const list of lists) {
    if (before !== undefined && follows(list, before)) joined.at(-1)!.push(list)
    else joined.push([list])
    before = list
  }
  return joined.map((run) => new Run(run))
}

/** Whether `list` begins no earlier than `before` ends. */
const follows = (list: ExtentList, before: ExtentList): boolean => {
  const end = before.count - 1
  const offset = before.offset(end)
  return list.offset(0) > offset || (list.offset(0) === offset && list.length(0) >= before.length(end))
}

/** Lets the root of a binary heap of runs sink to its place. */
const sink = (heap: Array<Run>, from: number): void => {
  const run = heap[from]
  let at = from
  for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1].isBefore(heap[child])) child++
    if (!heap[child].isBefore(run)) break
    heap[at] = heap[child]
    at = child
  }
  heap[at] = run
}

/** Sorted lists on their way to one list. */
class Uniting {
  private readonly heap: Array<Run>
  private readonly extents = new ExtentList()
  private bytes = 0
  private duplicates = 0
  private overlaps = 0
  /** The united extent under construction; empty at first. */
  private start = 0
  private end = 0
  private lastOffset = -1
  private lastLength = -1

  /** Empties `lists`: nothing else may keep what is passed. */
  constructor(lists: Array<ExtentList>) {
    this.heap = runsOf(lists)
    lists.length = 0
    for (let i = (this.heap.length >> 1) - 1; i >= 0; i--) sink(this.heap, i)
  }

  /** Passes at most so many extents; false when none is left. */
  step(atMost: number): boolean {
    const { heap } = this
    for (let left = atMost; left > 0 && heap.length > 0; left--) {
      const run = heap[0]
      this.take(run.offset, run.length)
      if (!run.advance()) {
        const tail = heap.pop()!
        if (heap.length > 0) heap[0] = tail
      }
      if (heap.length > 1) sink(heap, 0)
    }
    return heap.length > 0
  }

  finish(): UnitedExtents {
    if (this.end > 0) this.push()
    this.end = 0
    const { bytes, duplicates, extents, overlaps } = this
    const iterate = () => extents[Symbol.iterator]()
    return { count: extents.count, bytes, duplicates, overlaps, extents, [Symbol.iterator]: iterate }
  }

  private take(offset: number, length: number): void {
    if (offset === this.lastOffset && length === this.lastLength) this.duplicates++
    else if (offset < this.end) {
      this.overlaps++
      if (offset + length > this.end) this.end = offset + length
    } else {
      if (this.end > 0) this.push()
      this.start = offset
      this.end = offset + length
    }
    this.lastOffset = offset
    this.lastLength = length
  }

  private push(): void {
    this.extents.push(this.start, this.end - this.start)
    this.bytes += this.end - this.start
  }
}
