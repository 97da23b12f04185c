/**
 * The list of extents against a plain array of pairs, at sizes around those of its pages.
 */
import { assert, describe, it } from "vitest"
import { ExtentList, pageExtents } from "../../src/bytes/extentList.ts"

type Pair = readonly [offset: number, length: number]

const listOf = (pairs: ReadonlyArray<Pair>): ExtentList => {
  const list = new ExtentList()
  for (const [offset, length] of pairs) list.push(offset, length)
  return list
}

const pairsOf = (list: ExtentList): Array<Pair> =>
  Array.from({ length: list.count }, (_, i) => [list.offset(i), list.length(i)])

/** Fails with the first difference: printing two lists of many pages would take minutes. */
const assertSame = (list: ExtentList, pairs: ReadonlyArray<Pair>): void => {
  const found = pairsOf(list)
  const at = pairs.findIndex((pair, i) => found[i]?.[0] !== pair[0] || found[i]?.[1] !== pair[1])
  if (at !== -1) assert.deepStrictEqual([at, found[at]], [at, pairs[at]])
  assert.strictEqual(list.count, pairs.length)
}

/** The comparator sort of JavaScript is stable. */
const sortedPairs = (pairs: ReadonlyArray<Pair>): Array<Pair> => [...pairs].sort((a, b) => a[0] - b[0])

/** Every length tells where the pair stood; offsets are spread and some repeat. */
const mixed = (count: number): Array<Pair> =>
  Array.from({ length: count }, (_, i) => [((i * 7919) % 99_991) * 90_071_992_547, i])

const sizes = [
  0,
  1,
  2,
  255,
  256,
  257,
  pageExtents - 1,
  pageExtents,
  pageExtents + 1,
  2 * pageExtents,
  2 * pageExtents + 1
]

describe("a list of extents", () => {
  it.each(sizes)("holds the %i it was given, in their order", (count) => {
    assertSame(listOf(mixed(count)), mixed(count))
  })

  it.each(sizes)("sorts %i by offset, and leaves those at one offset in their order", (count) => {
    const list = listOf(mixed(count))
    list.sort()
    assertSame(list, sortedPairs(mixed(count)))
  })

  it.each(sizes)("grows on after sorting %i", (count) => {
    const list = listOf(mixed(count))
    list.sort()
    const more = mixed(300)
    for (const [offset, length] of more) list.push(offset, length)
    assertSame(list, [...sortedPairs(mixed(count)), ...more])
  })

  it.each<[string, ReadonlyArray<Pair>]>([
    [
      "ascend",
      [
        [0, 1],
        [3, 2],
        [3, 1],
        [9, 0]
      ]
    ],
    [
      "descend",
      [
        [9, 1],
        [3, 2],
        [0, 3]
      ]
    ],
    [
      "descend with equals",
      [
        [9, 1],
        [9, 2],
        [0, 3],
        [0, 1]
      ]
    ],
    [
      "reach to the end of all offsets",
      [
        [2 ** 53 - 1, 0],
        [0, 2 ** 53 - 1],
        [2 ** 53 - 2, 1]
      ]
    ]
  ])("sorts extents that %s", (_, pairs) => {
    const list = listOf(pairs)
    list.sort()
    assertSame(list, sortedPairs(pairs))
  })

  it("overwrites one extent and no other", () => {
    const pairs = mixed(pageExtents + 10)
    const list = listOf(pairs)
    for (const index of [0, 255, 256, pageExtents - 1, pageExtents, pageExtents + 9]) {
      list.set(index, 2 ** 53 - 2, 1)
      pairs[index] = [2 ** 53 - 2, 1]
    }
    assertSame(list, pairs)
  })

  it("sorts what was overwritten, too", () => {
    const list = listOf([
      [1, 1],
      [2, 2],
      [3, 3]
    ])
    list.set(0, 9, 1)
    list.sort()
    assertSame(list, [
      [2, 2],
      [3, 3],
      [9, 1]
    ])
  })

  it.each([0, 1, 256, 257, pageExtents, pageExtents + 1])(
    "cut to %i is added to and sorted again",
    (count) => {
      const pairs = mixed(pageExtents + 500)
      const list = listOf(pairs)
      list.truncate(count)
      assertSame(list, pairs.slice(0, count))
      list.push(7, 8)
      list.push(1, 2)
      const expected: Array<Pair> = [...pairs.slice(0, count), [7, 8], [1, 2]]
      assertSame(list, expected)
      list.sort()
      assertSame(list, sortedPairs(expected))
    }
  )

  it("is iterated from the start each time", () => {
    const list = listOf([
      [5, 1],
      [2, 3]
    ])
    const extents = [
      { offset: 5, length: 1 },
      { offset: 2, length: 3 }
    ]
    assert.deepStrictEqual([...list], extents)
    assert.deepStrictEqual([...list], extents)
    assert.deepStrictEqual([...new ExtentList()], [])
  })
})
