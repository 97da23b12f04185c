/**
 * What an offloaded file is kept as: leaves that are neither empty nor overfull, entries that could not
 * be fewer, and no more memory than there should be, whatever is written, cut and shared.
 */
import { describe, expect, it } from "vitest"
import { MemoryLimiter } from "../../src/bytes/memoryLimiter.ts"
import { OffloadedBacking } from "../../src/file/offloadedBacking.ts"
import { OffloadedExtents } from "../../src/file/offloadedExtents.ts"
import { backingContent, isMemory, repeatContent } from "../../src/file/offloadedContent.ts"
import { leafBytes, leafEntries } from "../../src/file/offloadedLeaf.ts"
import { LeafTable } from "../../src/file/offloadedLeafTable.ts"
import { readExtents } from "../../src/file/offloadedReading.ts"
import type { IoFile } from "../../src/io/Io.ts"
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

  it("have their entries joined, rather than be split, where that makes the room that a write needs", () => {
    const { extents, table } = emptyFile(MemoryLimiter.make(2 ** 40))
    const groups = Math.floor(leafEntries / 3) + 20
    extents.writeContent(0, 3 * groups, repeatContent(7))
    const expected = new Uint8Array(3 * groups).fill(7)
    for (let group = 0; group < groups; group++) {
      // Two bytes that lie side by side in the file, and the other way round in memory: one entry each.
      const bytes = bytesOf(2, group)
      extents.writeBytes(3 * group + 1, bytes.subarray(1))
      extents.writeBytes(3 * group, bytes.subarray(0, 1))
      expected.set(bytes, 3 * group)
      checkLeaves(table, extents)
    }
    expect(table.count).toBe(1)
    const buffer = new Uint8Array(3 * groups)
    readExtents({ extents, backing: new OffloadedBacking(new Uint8Array(0)), offset: 0, buffer })
    expect(buffer).toEqual(expected)
  })

  it("that meet within one range of the backing are read by one call, into the caller's memory", () => {
    const { extents, table } = emptyFile(MemoryLimiter.make(2 ** 40))
    const content = bytesOf(16 * leafEntries, 3)
    const reads: Array<Uint8Array> = []
    const readAt = (offset: number, target: Uint8Array): void => {
      reads.push(target)
      target.set(content.subarray(offset, offset + target.length))
    }
    const unsafe = { readAt, size: () => content.length }
    const backing = new OffloadedBacking({ path: "/backing", unsafe } as unknown as IoFile)
    extents.writeContent(0, content.length, backingContent(0))
    for (let at = 0; at < content.length; at += 8) extents.writeContent(at, at + 1, repeatContent(9))
    expect(table.count).toBeGreaterThan(1)
    const middle = table.firsts[1]
    const [from, to] = [middle - 20, 8 * Math.ceil(middle / 8) + 20]
    extents.writeContent(from, to, backingContent(from))
    checkLeaves(table, extents)
    // From there to the next repeat it goes on, in the next leaf.
    expect(table.firsts[1]).toBe(to)
    const buffer = new Uint8Array(to + 4 - from)
    readExtents({ extents, backing, offset: from, buffer })
    expect(buffer).toEqual(content.slice(from, to + 4))
    expect(reads).toEqual([buffer])
    expect(reads[0].buffer).toBe(buffer.buffer)
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
