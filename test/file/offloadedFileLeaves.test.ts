/**
 * What an offloaded file is kept as: leaves that are neither empty nor overfull, entries that could not
 * be fewer, and no more memory than there should be, whatever is written, cut and shared.
 */
import { describe, expect, it } from "vitest"
import { MemoryLimiter } from "../../src/bytes/memoryLimiter.ts"
import { OffloadedExtents } from "../../src/file/offloadedExtents.ts"
import { backingContent, isMemory, repeatContent } from "../../src/file/offloadedContent.ts"
import { leafBytes, leafEntries } from "../../src/file/offloadedLeaf.ts"
import { LeafTable } from "../../src/file/offloadedLeafTable.ts"
import { bytesOf } from "./offloadedFiles.ts"

/** The same numbers below `bound` for the same seed. */
const numbers = (seed: number) => {
  let state = seed
  return (bound: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

/** Whatever holds of the leaves at all times; gives how many entries there are. */
const checkLeaves = (table: LeafTable, extents: OffloadedExtents): number => {
  let entries = 0
  let bytes = 0
  for (const [index, leaf] of table.leaves.entries()) {
    const leafEnd = table.endOf(index)
    expect(leaf.count).toBeGreaterThan(0)
    expect(leaf.count).toBeLessThanOrEqual(leafEntries)
    expect(leaf.startOf(0)).toBe(table.firsts[index])
    expect(leaf.live).toBeLessThanOrEqual(leafBytes)
    if (leaf.owner === table.owner) expect(leaf.wasteful || leaf.scattered).toBe(false)
    let live = 0
    let joints = 0
    for (let entry = 0; entry < leaf.count; entry++) {
      const length = leaf.endOf(entry, leafEnd) - leaf.startOf(entry)
      expect(length).toBeGreaterThan(0)
      const inMemory = isMemory(leaf.contentOf(entry))
      if (inMemory) live += length
      if (entry > 0 && inMemory && isMemory(leaf.contentOf(entry - 1))) joints++
      if (entry > 0) expect(leaf.contentAt(entry - 1, leaf.startOf(entry))).not.toBe(leaf.contentOf(entry))
    }
    expect([live, joints]).toEqual([leaf.live, leaf.joints])
    bytes += live
    entries += leaf.count
  }
  expect(bytes).toBe(extents.memoryBytes)
  return entries
}

const emptyFile = (limiter: MemoryLimiter) => {
  const table = LeafTable.empty()
  return { table, extents: new OffloadedExtents(limiter, table) }
}

describe("the leaves of an offloaded file", () => {
  it.each([1, 2, 3, 4])("are as they should be after each of many changes (seed %i)", (seed) => {
    const limiter = MemoryLimiter.make(2 ** 40)
    const { extents, table } = emptyFile(limiter)
    const shared: Array<OffloadedExtents> = []
    const below = numbers(seed)
    const bytes = bytesOf(400_000, seed)
    extents.writeContent(0, 1_000_000, repeatContent(0))
    for (let step = 0; step < 3000; step++) {
      const at = below(1_000_000)
      const length = 1 + below([20, 20, 200, 5000, step % 50 === 0 ? 300_000 : 50][below(5)])
      const kind = below(20)
      if (kind < 12) extents.writeBytes(at, bytes.subarray(at % 1000, (at % 1000) + length))
      else if (kind < 16) extents.writeContent(at, at + length, backingContent(at))
      else if (kind < 19) extents.writeContent(at, at + length, repeatContent(below(2)))
      else if (at > 900_000 && at < extents.length) extents.cut(at)
      if (step % 500 === 250) shared.push(extents.share(limiter))
      if (step % 10 === 0) checkLeaves(table, extents)
    }
    const held = shared.reduce((sum, { memoryBytes }) => sum + memoryBytes, extents.memoryBytes)
    expect(limiter.used()).toBe(held)
  })

  it("join what comes to lie side by side, so that what is written in any order takes few entries", () => {
    const { extents, table } = emptyFile(MemoryLimiter.make(2 ** 40))
    const blocks = 100_000
    const bytes = bytesOf(16)
    extents.writeContent(0, blocks * 16, repeatContent(0))
    let most = 0
    for (let i = 0, block = 0; i < blocks; i++, block = (block + 61_803) % blocks) {
      extents.writeBytes(block * 16, bytes)
      if (i % 10_000 === 0) most = Math.max(most, table.count)
    }
    expect(most).toBeLessThan(1000)
    expect(table.count).toBeLessThan(100)
    expect(checkLeaves(table, extents)).toBeLessThan(2000)
  })

  it("become fewer when what was in them goes", () => {
    const { extents, table } = emptyFile(MemoryLimiter.make(2 ** 40))
    for (let at = 0; at < 2_000_000; at += 100) extents.writeBytes(at, bytesOf(10))
    expect(table.count).toBeGreaterThan(100)
    // All but every fiftieth.
    for (let at = 0; at < 2_000_000; at += 5000)
      extents.writeContent(at + 10, at + 5000, backingContent(at + 10))
    expect(checkLeaves(table, extents)).toBe(800)
    expect(table.count).toBeLessThan(30)
  })
})
