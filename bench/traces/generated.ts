/**
 * Lookups of pages as programs make them, generated, the same in every run. Their footprints grow with
 * the cache that they are for.
 */
import { makeRandom } from "../random.ts"
import type { Random } from "../random.ts"

export interface GeneratedTrace {
  readonly name: string
  /** At least `length` lookups, for a cache of so many pages. */
  readonly make: (slots: number, length: number) => Float64Array
}

/** Emits the next few lookups; called until there are enough. */
type Step = (emit: (page: number) => void) => void

const trace = (name: string, start: (slots: number, random: Random) => Step): GeneratedTrace => ({
  name,
  make: (slots, length) => {
    const pages: Array<number> = []
    const step = start(slots, makeRandom(slots + 41))
    while (pages.length < length) step((page) => pages.push(page))
    return Float64Array.from(pages)
  }
})

/** Zipf's distribution over `count` ranks, the first of which is drawn most often. */
const zipf = (random: Random, count: number, exponent = 0.99): (() => number) => {
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) sums[rank] = sum += (rank + 1) ** -exponent
  return () => {
    const drawn = random.unit() * sum
    let low = 0
    for (let high = count - 1; low < high;) {
      const middle = (low + high) >> 1
      if (sums[middle] > drawn) high = middle
      else low = middle + 1
    }
    return low
  }
}

const loop = (times: number): GeneratedTrace =>
  trace(`loop of ${times}x`, (slots) => {
    let at = 0
    return (emit) => emit(at++ % Math.round(slots * times))
  })

/** Behind every page that other steps ask for: a scan never meets a page again. */
const farPages = 2 ** 40

/** Zipf, and so often that it makes half the lookups a scan of twice the cache. `visit` reads a scan's page. */
const scans = (name: string, visit: (page: number, emit: (page: number) => void) => void): GeneratedTrace =>
  trace(name, (slots, random) => {
    const draw = zipf(random, 8 * slots)
    let scanned = farPages
    return (emit) => {
      for (let i = 0; i < 2 * slots; i++) visit(draw(), emit)
      for (let i = 0; i < 2 * slots; i++) visit(scanned++, emit)
    }
  })

const fanout = 16
const readsOfNode = 5

/** Descents of a tree to leaves drawn by `draw`, each node searched; and a range of leaves now and then. */
const descents = (name: string, leaf: (random: Random, leaves: number) => () => number): GeneratedTrace =>
  trace(name, (slots, random) => {
    const leaves = 8 * slots
    const draw = leaf(random, leaves)
    const search = (page: number, emit: (page: number) => void): void => {
      for (let i = 0; i < readsOfNode; i++) emit(page)
    }
    return (emit) => {
      const at = draw()
      const path: Array<number> = []
      for (let node = at, level = 0; ; node = Math.floor(node / fanout), level++) {
        path.unshift(level * farPages + node)
        if (node === 0) break
      }
      for (const node of path) search(node, emit)
      if (random.below(50) > 0) return
      for (let i = 1; i < 100 && at + i < leaves; i++) search(at + i, emit)
    }
  })

export const generatedTraces: ReadonlyArray<GeneratedTrace> = [
  trace("uniform", (slots, random) => (emit) => emit(random.below(4 * slots))),
  trace("Zipf 0.99", (slots, random) => {
    const draw = zipf(random, 8 * slots)
    return (emit) => emit(draw())
  }),
  trace("Zipf 0.99, moving", (slots, random) => {
    const draw = zipf(random, 8 * slots)
    let moved = 0
    return (emit) => {
      for (let i = 0; i < 10 * slots; i++) emit(draw() + moved)
      moved += slots / 4
    }
  }),
  trace("loops of 0.9x, in turns", (slots) => {
    const size = Math.ceil(0.9 * slots)
    let set = 0
    return (emit) => {
      for (let i = 0; i < 8 * size; i++) emit(set * size + (i % size))
      set++
    }
  }),
  loop(1.1),
  loop(1.5),
  loop(2),
  loop(4),
  scans("Zipf and scans", (page, emit) => emit(page)),
  scans("Zipf and scans, 8 reads a page", (page, emit) => {
    for (let i = 0; i < 8; i++) emit(page)
  }),
  trace("Zipf and merges of two scans", (slots, random) => {
    const draw = zipf(random, 8 * slots)
    let scanned = farPages
    return (emit) => {
      for (let i = 0; i < 2 * slots; i++) emit(draw())
      for (let i = 0; i < slots; i++, scanned++)
        for (let turn = 0; turn < 4; turn++) {
          emit(scanned)
          emit(2 * farPages + scanned)
        }
    }
  }),
  trace("a scan, 4 reads a page", () => {
    let at = 0
    return (emit) => {
      for (let i = 0; i < 4; i++) emit(at)
      at++
    }
  }),
  descents("tree, uniform", (random, leaves) => () => random.below(leaves)),
  descents("tree, Zipf 0.99", (random, leaves) => {
    const draw = zipf(random, leaves)
    // Hot leaves are not neighbours.
    return () => (draw() * 40_503) % leaves
  })
]
