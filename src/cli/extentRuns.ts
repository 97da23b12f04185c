/**
 * Extents gathered in any order, then united: sorted, without duplicates or overlaps.
 *
 * They are held in lists of a page each, 16 bytes an extent. Each list is sorted when it is full;
 * uniting merges them and drops each one as it is passed.
 *
 * Extents that only touch stay two: fusing those is for whoever stores them.
 */
import type { Extent } from "../bytes/extent.ts"
import { ExtentList, pageExtents } from "../bytes/extentList.ts"

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
}

export interface ExtentRuns {
  /** Adds a range of at least one byte. */
  readonly add: (offset: number, length: number) => void
  /** Unites what was added, and empties the runs. */
  readonly unite: () => UnitedExtents
}

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
  const unite = (): UnitedExtents => {
    const lists = last.count > 0 ? [...full, sorted(last)] : full
    full = []
    last = new ExtentList()
    return united(lists)
  }
  return { add, unite }
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

/** Unites sorted lists, and empties the array of them: nothing else may keep what is passed. */
const united = (lists: Array<ExtentList>): UnitedExtents => {
  const heap = runsOf(lists)
  lists.length = 0
  for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(heap, i)
  const result = new ExtentList()
  let [bytes, duplicates, overlaps] = [0, 0, 0]
  let [start, end] = [0, 0] // the united extent under construction; empty at first
  let [lastOffset, lastLength] = [-1, -1]

  const finish = (): void => {
    result.push(start, end - start)
    bytes += end - start
  }

  while (heap.length > 0) {
    const run = heap[0]
    const { length, offset } = run
    if (offset === lastOffset && length === lastLength) duplicates++
    else if (offset < end) {
      overlaps++
      if (offset + length > end) end = offset + length
    } else {
      if (end > 0) finish()
      start = offset
      end = offset + length
    }
    lastOffset = offset
    lastLength = length
    if (!run.advance()) {
      const tail = heap.pop()!
      if (heap.length > 0) heap[0] = tail
    }
    if (heap.length > 1) sink(heap, 0)
  }
  if (end > 0) finish()

  return {
    count: result.count,
    bytes,
    duplicates,
    overlaps,
    [Symbol.iterator]: () => result[Symbol.iterator]()
  }
}
