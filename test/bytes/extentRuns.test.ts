import { describe, expect, it } from "vitest"
import { ExtentList, pageExtents } from "../../src/bytes/extentList.ts"
import { extentRuns } from "../../src/bytes/extentRuns.ts"

describe("uniting extents", () => {
  const unite = (extents: ReadonlyArray<readonly [number, number]>) => {
    const runs = extentRuns()
    for (const [offset, length] of extents) runs.add(offset, length)
    const united = runs.unite()
    return { ...united, list: [...united].map(({ length, offset }) => [offset, length]) }
  }

  it("of nothing is nothing", () => {
    expect(unite([])).toMatchObject({ list: [], count: 0, bytes: 0, duplicates: 0, overlaps: 0 })
  })

  it("sorts, drops duplicates, unites overlaps and leaves what only touches", () => {
    expect(
      unite([
        [50, 10],
        [0, 10],
        [10, 5],
        [50, 10],
        [55, 10],
        [0, 3]
      ])
    ).toMatchObject({
      list: [
        [0, 10],
        [10, 5],
        [50, 15]
      ],
      count: 3,
      bytes: 30,
      duplicates: 1,
      overlaps: 2
    })
  })

  it("counts the same in whatever order they come", () => {
    const one = unite([
      [0, 5],
      [0, 10],
      [0, 10],
      [2, 3]
    ])
    const other = unite([
      [2, 3],
      [0, 10],
      [0, 5],
      [0, 10]
    ])
    expect(one).toMatchObject({ list: [[0, 10]], duplicates: 1, overlaps: 2 })
    expect(other).toMatchObject({ list: one.list, duplicates: 1, overlaps: 2 })
  })

  it("finds duplicates among more extents at one offset than a list holds", () => {
    const lengths = Array.from({ length: 2 * pageExtents }, (_, i) => 1 + ((i * 7919) % pageExtents))
    expect(unite(lengths.map((length) => [3, length]))).toMatchObject({
      list: [[3, pageExtents]],
      duplicates: pageExtents,
      overlaps: pageExtents - 1
    })
  })

  it("merges many lists, in order and out of it", () => {
    const count = 600_000
    const ascending = extentRuns()
    const shuffled = extentRuns()
    for (let i = 0; i < count; i++) {
      ascending.add(i * 10, 4)
      shuffled.add(((i * 7919) % count) * 10, 4) // 7919 is prime and divides no count: a permutation
    }
    for (let i = 0; i < 100; i++) shuffled.add(i * 1000, 4)
    const a = ascending.unite()
    const b = shuffled.unite()
    expect([a.count, a.bytes, a.duplicates, a.overlaps]).toEqual([count, 4 * count, 0, 0])
    expect([b.count, b.bytes, b.duplicates, b.overlaps]).toEqual([count, 4 * count, 100, 0])
    let at = 0
    for (const { length, offset } of b) {
      if (offset !== at || length !== 4) throw new Error(`${offset}+${length} where ${at}+4 belongs`)
      at += 10
    }
    expect(at).toBe(10 * count)
  })

  it("hands out the list itself, with as many extents as it counted", () => {
    const runs = extentRuns()
    runs.add(7, 3)
    runs.add(0, 8)
    runs.add(20, 1)
    const { count, extents } = runs.unite()
    expect(extents).toBeInstanceOf(ExtentList)
    expect(extents.count).toBe(count)
    expect([...extents]).toEqual([
      { offset: 0, length: 10 },
      { offset: 20, length: 1 }
    ])
  })
})
