/**
 * Extents gathered in any order, then united: sorted, without duplicates or overlaps.
 *
 * They are held as pairs of numbers in typed arrays of a fixed size, 16 bytes an extent, so that
 * tens of millions of them neither need one huge array nor a copy of all when it grows. Each chunk
 * is sorted when it is full; uniting merges the chunks and drops each one as it is passed.
 *
 * Extents that only touch stay two: fusing those is for whoever stores them.
 */
import type { Extent } from "../bytes/extent.ts"
import { sortedOrder } from "../bytes/sortedOrder.ts"

const chunkExtents = 1 << 17

/** Extents in ascending order of offset, then length. */
interface Chunk {
  readonly offsets: Float64Array
  readonly lengths: Float64Array
  count: number
}

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

const emptyChunk = (size: number): Chunk => ({
  offsets: new Float64Array(size),
  lengths: new Float64Array(size),
  count: 0
})

export const extentRuns = (): ExtentRuns => {
  let chunks: Array<Chunk> = []
  let last = emptyChunk(1 << 10) // small lists stay small
  const add = (offset: number, length: number): void => {
    if (last.count === last.offsets.length) {
      chunks.push(sorted(last))
      last = emptyChunk(chunkExtents)
    }
    last.offsets[last.count] = offset
    last.lengths[last.count++] = length
  }
  const unite = (): UnitedExtents => {
    const full = last.count > 0 ? [...chunks, sorted(last)] : chunks
    chunks = []
    last = emptyChunk(1)
    return united(full)
  }
  return { add, unite }
}

const sorted = (chunk: Chunk): Chunk => {
  const { count } = chunk
  let ascending = true
  for (let i = 1; i < count && ascending; i++) ascending = !isBefore(chunk, i, chunk, i - 1)
  if (ascending) return chunk
  const order = sortedOrder(chunk.offsets.subarray(0, count))
  const result = emptyChunk(count)
  result.count = count
  for (let i = 0; i < count; i++) {
    result.offsets[i] = chunk.offsets[order[i]]
    result.lengths[i] = chunk.lengths[order[i]]
  }
  sortTies(result)
  return result
}

/** Sorts the lengths of extents that begin at the same offset, so that duplicates become neighbours. */
const sortTies = ({ count, lengths, offsets }: Chunk): void => {
  for (let start = 0, end = 1; start < count; start = end++) {
    while (end < count && offsets[end] === offsets[start]) end++
    if (end - start > 1) lengths.subarray(start, end).sort()
  }
}

const isBefore = (a: Chunk, i: number, b: Chunk, j: number): boolean =>
  a.offsets[i] < b.offsets[j] || (a.offsets[i] === b.offsets[j] && a.lengths[i] < b.lengths[j])

/** Chunks that follow one another in order, read one extent after the other. */
interface Run {
  readonly chunks: Array<Chunk>
  chunk: Chunk
  at: number
}

/** Chunks as given, joined to runs where one begins no earlier than the one before it ended. Takes them over. */
const runsOf = (chunks: Array<Chunk>): Array<Run> => {
  const runs: Array<Run> = []
  let before: Chunk | undefined
  for (const chunk of chunks) {
    if (before !== undefined && !isBefore(chunk, 0, before, before.count - 1)) runs.at(-1)!.chunks.push(chunk)
    else runs.push({ chunks: [], chunk, at: 0 })
    before = chunk
  }
  for (const run of runs) run.chunks.reverse() // so that the next one is popped, and freed when passed
  chunks.length = 0
  return runs
}

const headIsBefore = (a: Run, b: Run): boolean => isBefore(a.chunk, a.at, b.chunk, b.at)

/** Lets the root of a binary heap of runs sink to its place. */
const sink = (heap: Array<Run>, from: number): void => {
  const run = heap[from]
  let at = from
  for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && headIsBefore(heap[child + 1], heap[child])) child++
    if (!headIsBefore(heap[child], run)) break
    heap[at] = heap[child]
    at = child
  }
  heap[at] = run
}

const united = (given: Array<Chunk>): UnitedExtents => {
  const total = given.reduce((sum, chunk) => sum + chunk.count, 0)
  const heap = runsOf(given)
  for (let i = (heap.length >> 1) - 1; i >= 0; i--) sink(heap, i)
  const result: Array<Chunk> = []
  let out = emptyChunk(Math.min(chunkExtents, Math.max(1, total)))
  let [count, bytes, duplicates, overlaps] = [0, 0, 0, 0]
  let [start, end] = [0, 0] // the united extent under construction; empty at first
  let [lastOffset, lastLength] = [-1, -1]

  const finish = (): void => {
    if (out.count === out.offsets.length) {
      result.push(out)
      out = emptyChunk(chunkExtents)
    }
    out.offsets[out.count] = start
    out.lengths[out.count++] = end - start
    count++
    bytes += end - start
  }

  while (heap.length > 0) {
    const run = heap[0]
    const offset = run.chunk.offsets[run.at]
    const length = run.chunk.lengths[run.at]
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
    if (++run.at === run.chunk.count) {
      const next = run.chunks.pop()
      if (next === undefined) {
        const tail = heap.pop()!
        if (heap.length > 0) heap[0] = tail
      } else {
        run.chunk = next
        run.at = 0
      }
    }
    if (heap.length > 1) sink(heap, 0)
  }
  if (end > 0) finish()
  result.push(out)

  return {
    count,
    bytes,
    duplicates,
    overlaps,
    *[Symbol.iterator]() {
      for (const chunk of result) {
        for (let i = 0; i < chunk.count; i++) yield { offset: chunk.offsets[i], length: chunk.lengths[i] }
      }
    }
  }
}
