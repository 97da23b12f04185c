/** The table is what a sorted list is, while leaves are divided, emptied and joined. */
import { assert, describe, it } from "vitest"
import { ExtentTable } from "../../src/file/extentTable.ts"

interface Entry {
  readonly start: number
  readonly length: number
  readonly sum: number
  flags: number
}

const entriesOf = (table: ExtentTable): Array<Entry> => {
  const entries: Array<Entry> = []
  for (let at = table.first(); at !== -1; at = table.next(at)) {
    entries.push({
      start: table.start(at),
      length: table.length(at),
      sum: table.sum(at),
      flags: table.flags(at)
    })
  }
  return entries
}

const randoms = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const space = 20_000

/** Compares every way to look something up with a look at all entries. */
const compare = (table: ExtentTable, model: Map<number, Entry>, random: (below: number) => number): void => {
  const sorted = [...model.values()].sort((a, b) => a.start - b.start)
  assert.deepStrictEqual(entriesOf(table), sorted)
  assert.strictEqual(table.count, sorted.length)
  for (let i = 0; i < 20; i++) {
    const at = random(space)
    const startAt = (handle: number) => (handle === -1 ? undefined : table.start(handle))
    assert.strictEqual(startAt(table.floor(at)), sorted.findLast(({ start }) => start <= at)?.start)
    assert.strictEqual(startAt(table.ceiling(at)), sorted.find(({ start }) => start >= at)?.start)
    assert.strictEqual(startAt(table.find(at)), model.get(at)?.start)
    const to = at + 1 + random(500)
    const found: Array<number> = []
    table.overlapping(at, to, (start) => void found.push(start))
    assert.deepStrictEqual(
      found,
      sorted.filter(({ length, start }) => start < to && start + length > at).map(({ start }) => start)
    )
  }
}

describe("a table of ranges", () => {
  for (const seed of [1, 2, 3]) {
    it(`is what a sorted list is: filled at random, thinned out, and filled again (seed ${seed})`, () => {
      const random = randoms(seed)
      const table = new ExtentTable(true)
      const model = new Map<number, Entry>()
      for (const inserting of [95, 5, 60, 2]) {
        for (let i = 0; i < 4_000; i++) {
          const start = random(space)
          if (random(100) < inserting) {
            if (model.has(start)) continue
            const entry = {
              start,
              length: 1 + random(random(50) === 0 ? 3_000 : 10),
              sum: i,
              flags: random(4)
            }
            model.set(start, entry)
            table.insert(start, entry.length, entry.sum, entry.flags)
          } else {
            const handle = table.ceiling(start)
            if (handle === -1) continue
            model.delete(table.start(handle))
            table.remove(handle)
          }
          if (i % 500 === 0) compare(table, model, random)
        }
        if (inserting === 60) {
          table.setAllFlags(8)
          for (const entry of model.values()) entry.flags |= 8
        }
        compare(table, model, random)
      }
      for (let at = table.first(); at !== -1; at = table.first()) table.remove(at)
      assert.deepStrictEqual(entriesOf(table), [])
    })
  }

  it("is what was inserted, in ascending and in descending order", () => {
    for (const step of [1, -1]) {
      const table = new ExtentTable(false)
      for (let i = 0; i < 3_000; i++) table.insert((step === 1 ? i : 3_000 - i) * 10, 5)
      assert.strictEqual(table.count, 3_000)
      let before = -1
      for (let at = table.first(); at !== -1; at = table.next(at)) {
        assert.isAbove(table.start(at), before)
        before = table.start(at)
      }
    }
  })

  it("without checksums, too, joins leaves that have become nearly empty", () => {
    const table = new ExtentTable(false)
    for (let i = 0; i < 3_000; i++) table.insert(i * 10, 5)
    const kept: Array<number> = []
    for (let i = 0; i < 3_000; i++) {
      if (i % 97 === 0) kept.push(i * 10)
      else table.remove(table.find(i * 10))
    }
    const starts: Array<number> = []
    for (let at = table.first(); at !== -1; at = table.next(at)) starts.push(table.start(at))
    assert.deepStrictEqual(starts, kept)
  })
})
