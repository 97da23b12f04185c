/**
 * Slots of pages: which page makes room, told by what a reader would notice.
 */
import { describe, expect, it } from "vitest"
import { PageSlots } from "../../src/file/pageSlots.ts"

/** Asks for a page as a cache does. Says whether it was in. */
const read = (slots: PageSlots, page: number): boolean => {
  if (slots.find(page) !== -1) return true
  slots.insert(page)
  return false
}

const readAll = (slots: PageSlots, first: number, count: number): number => {
  let hits = 0
  for (let page = first; page < first + count; page++) if (read(slots, page)) hits++
  return hits
}

/** How many of these pages are in. */
const held = (slots: PageSlots, first: number, count: number): number =>
  Array.from({ length: count }, (_, i) => slots.peek(first + i)).filter((slot) => slot !== -1).length

const far = 2 ** 40

describe("PageSlots", () => {
  it("gives every page a slot of its own until all are taken", () => {
    const slots = new PageSlots(16)
    const taken = Array.from({ length: 16 }, (_, i) => slots.insert(i * 1000))
    expect([...taken].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i))
    expect(taken).toEqual(taken.map((_, i) => slots.find(i * 1000)))
    expect(slots.size).toBe(16)
    expect(slots.find(1)).toBe(-1)
  })

  it.each([1, 2, 3, 4, 5, 7, 8])("with %d slots, holds a page that was just inserted", (count) => {
    const slots = new PageSlots(count)
    for (let i = 0; i < 100; i++) {
      const page = (i * 7919) % 23
      if (slots.find(page) !== -1) continue
      const slot = slots.insert(page)
      expect(slots.find(page)).toBe(slot)
      expect(slots.size).toBeLessThanOrEqual(count)
    }
  })

  it.each([4, 8, 16, 64])("with %d slots, lets two cursors that move together hit in turns", (count) => {
    const slots = new PageSlots(count)
    for (let page = 0; page < 10 * count; page++) {
      read(slots, page)
      read(slots, far + page)
      let hits = 0
      for (let turn = 0; turn < 5; turn++) {
        if (read(slots, page)) hits++
        if (read(slots, far + page)) hits++
      }
      expect(hits).toBe(10)
    }
  })

  it.each([1, 8])("a scan that reads every page %d times leaves a hot set alone", (times) => {
    const slots = new PageSlots(64)
    for (let round = 0; round < 4; round++) readAll(slots, 0, 48)
    for (let page = far; page < far + 10_000; page++) for (let i = 0; i < times; i++) read(slots, page)
    expect(held(slots, 0, 48)).toBe(48)
  })

  it("a hot set that is read for the first time during a scan is kept as well", () => {
    const slots = new PageSlots(64)
    readAll(slots, far, 1000)
    let scanned = 2 * far
    for (let round = 0; round < 6; round++) {
      for (let page = 0; page < 32; page++) {
        read(slots, page)
        read(slots, scanned++)
      }
    }
    expect(held(slots, 0, 32)).toBe(32)
    readAll(slots, 3 * far, 10_000)
    expect(held(slots, 0, 32)).toBe(32)
  })

  it.each([
    [1.1, 0.75],
    [1.5, 0.4],
    [2, 0.35],
    [4, 0.15]
  ])("a loop of %d times the cache hits, in a part of %d at least", (times, part) => {
    const slots = new PageSlots(64)
    const length = Math.round(64 * times)
    let hits = 0
    for (let round = 0; round < 40; round++) hits += readAll(slots, 0, length)
    expect(hits / (40 * length)).toBeGreaterThan(part)
  })

  it.each([1, 2, 3, 4, 6, 16, 50, 64, 1000, 1024])(
    "of %d slots, any set of pages that fits takes them over",
    (count) => {
      const slots = new PageSlots(count)
      for (const first of [0, far, 2 * far]) {
        for (let round = 0; round < 4; round++) readAll(slots, first, count)
        expect(readAll(slots, first, count)).toBe(count)
      }
    }
  )

  it("looking at a page without finding it does not keep it", () => {
    const order = (look: (slots: PageSlots, page: number) => number): boolean => {
      const slots = new PageSlots(8)
      // The first six are kept since there was room; then a returning page makes one of them go.
      readAll(slots, 0, 8)
      look(slots, 0)
      read(slots, far)
      read(slots, far + 1)
      read(slots, 6)
      return slots.peek(0) !== -1
    }
    expect(order((slots, page) => slots.find(page))).toBe(true)
    expect(order((slots, page) => slots.peek(page))).toBe(false)
  })

  it("says which page made room for another", () => {
    const slots = new PageSlots(5)
    const pages = new Set<number>()
    for (let page = 0; page < 40; page++) {
      slots.insert(page)
      pages.add(page)
      expect(slots.evicted).toBe(page < 5 ? -1 : [...pages].find((each) => slots.peek(each) === -1))
      pages.delete(slots.evicted)
    }
  })

  it("that have grown hold the same pages, and room for more", () => {
    const slots = new PageSlots(6)
    readAll(slots, 0, 6)
    slots.find(0)
    const grown = slots.grown(11)
    expect(grown.size).toBe(6)
    readAll(grown, far, 5)
    expect([held(grown, 0, 6), held(grown, far, 5), grown.size]).toEqual([6, 5, 11])
    readAll(grown, 2 * far, 100)
    expect(grown.size).toBe(11)
    for (let round = 0; round < 4; round++) readAll(grown, 3 * far, 11)
    expect(held(grown, 3 * far, 11)).toBe(11)
  })

  it("gives a slot that was freed to the next page, and evicts nothing for it", () => {
    const slots = new PageSlots(8)
    const taken = Array.from({ length: 8 }, (_, page) => slots.insert(page))
    for (const page of [5, 0, 7]) slots.remove(page)
    slots.remove(99)
    expect([slots.size, slots.peek(5), slots.peek(0), slots.peek(7)]).toEqual([5, -1, -1, -1])
    const again = [100, 101, 102].map((page) => slots.insert(page))
    expect(again.sort()).toEqual([taken[5], taken[0], taken[7]].sort())
    expect([1, 2, 3, 4, 6, 100, 101, 102].every((page) => slots.peek(page) !== -1)).toBe(true)
  })

  it("a page in a slot that was freed does not inherit that the one before was used", () => {
    const slots = new PageSlots(8)
    readAll(slots, 0, 8)
    read(slots, far)
    slots.find(1)
    slots.remove(1)
    read(slots, 6)
    readAll(slots, 2, 4)
    slots.find(0)
    read(slots, far + 1)
    read(slots, 7)
    expect([slots.peek(6), held(slots, 2, 4), held(slots, 0, 1)]).toEqual([-1, 4, 1])
  })

  it("tells pages apart up to 2^53-1", () => {
    const slots = new PageSlots(64)
    const pages = [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52, 2 ** 53 - 2 ** 32, 2 ** 53 - 1]
    const taken = pages.map((page) => slots.insert(page))
    expect(new Set(taken).size).toBe(pages.length)
    expect(pages.map((page) => slots.find(page))).toEqual(taken)
    expect(slots.find(2 ** 53 - 2)).toBe(-1)
    for (const page of pages) slots.remove(page)
    expect(slots.size).toBe(0)
  })

  it.each([1, 2, 3, 5, 8, 64, 160])("of %d slots, pages that are to be kept all are", (count) => {
    for (const found of [0, 1, 2, 3]) {
      const slots = new PageSlots(count)
      readAll(slots, 0, 3 * count)
      for (let page = 0; page < 3 * count; page++) if (found > 0 && page % found === 0) slots.find(page)
      // Some of them are in already: arrivals, and kept ones.
      const first = 2 * count + (count >> 1)
      for (let page = first; page < first + count; page++) slots.keep(page)
      for (let page = first; page < first + count; page++) {
        if (slots.peek(page) === -1) slots.insertKept(page)
      }
      expect(held(slots, first, count)).toBe(count)
      if (count < 8) continue
      readAll(slots, far, 10 * count)
      expect(held(slots, first, count)).toBeGreaterThanOrEqual(count * 0.75)
    }
  })

  it("pages that are to be kept make room when nobody finds them any more", () => {
    const slots = new PageSlots(64)
    for (let page = 0; page < 64; page++) slots.insertKept(page)
    for (let round = 0; round < 4; round++) readAll(slots, far, 64)
    expect(readAll(slots, far, 64)).toBe(64)
    slots.keep(1)
    expect(held(slots, 0, 64)).toBe(0)
  })
})
