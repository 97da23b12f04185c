import { expect, it } from "vitest"
import { SparseCoverage } from "../../src/file/sparseCoverage.ts"

it("answers as a set of offsets does, in whatever order ranges come, through many tiers", () => {
  const size = 40_000
  const taken = new Uint8Array(size)
  const stored: Array<{ virtual: number; physical: number; length: number }> = []
  const coverage = new SparseCoverage(() => [...stored].sort((a, b) => a.virtual - b.virtual))
  let state = 7
  const random = (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  let added = 0
  for (let round = 0; round < 30_000; round++) {
    const offset = random(size - 10)
    const length = random(4)
    const range = taken.subarray(offset, offset + Math.max(1, length))
    expect(coverage.overlaps(offset, length)).toBe(range.includes(1))
    if (!range.includes(1)) {
      coverage.add(offset, length)
      stored.push({ virtual: offset, physical: 0, length })
      range.fill(1)
      added++
    }
  }
  expect(added).toBeGreaterThan(5_000)
})

it("asks for what is stored only when something goes back", () => {
  let asked = 0
  const coverage = new SparseCoverage(() => {
    asked++
    return [{ virtual: 0, physical: 0, length: 10 }]
  })
  coverage.add(0, 10)
  expect(coverage.overlaps(10, 5)).toBe(false)
  coverage.add(10, 5)
  expect(asked).toBe(0)
  expect(coverage.overlaps(9, 1)).toBe(true)
  expect(coverage.overlaps(9, 0)).toBe(true)
  expect(asked).toBe(1)
})

it("remembers thousands of ranges that were stored before it was asked", () => {
  const stored = Array.from({ length: 5000 }, (_, i) => ({ virtual: i * 10, physical: 0, length: i % 5 }))
  const coverage = new SparseCoverage(() => stored)
  for (const { length, virtual } of stored) coverage.add(virtual, length)
  for (const { length, virtual } of stored) {
    expect(coverage.overlaps(virtual, 1)).toBe(true)
    const end = virtual + Math.max(1, length)
    expect(coverage.overlaps(end - 1, 5)).toBe(true)
    expect(coverage.overlaps(end, virtual + 10 - end)).toBe(false)
  }
})
