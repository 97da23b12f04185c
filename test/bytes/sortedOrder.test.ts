import { assert, describe, it } from "vitest"
import { sortedOrder } from "../../src/bytes/sortedOrder.ts"

/** The same by a comparator. */
const expected = (keys: ReadonlyArray<number>): Array<number> =>
  keys.map((_, i) => i).sort((a, b) => keys[a] - keys[b] || a - b)

const sorted = (keys: ReadonlyArray<number>): Array<number> => [...sortedOrder(Float64Array.from(keys))]

describe("the order that sorts offsets", () => {
  it.each<[string, ReadonlyArray<number>]>([
    ["none", []],
    ["one", [5]],
    ["ascending", [1, 2, 3, 2 ** 53 - 1]],
    ["ascending with equals", [1, 1, 2, 2]],
    ["descending", [2 ** 53 - 1, 9, 3, 0]],
    ["descending with equals", [9, 9, 3, 3, 0]],
    ["equal", [7, 7, 7]],
    ["up, then down", [1, 5, 2]],
    ["down, then up", [5, 1, 2]],
    ["different in their highest digit alone", [2 ** 44 * 511, 2 ** 44, 2 ** 44 * 3, 0, 2 ** 44]],
    ["different in their lowest digit alone", [2047, 3, 3, 0, 2046].map((digit) => 2 ** 52 + digit)],
    ["at the borders of digits", [2 ** 11, 2 ** 11 - 1, 2 ** 22, 2 ** 22 - 1, 2 ** 33, 2 ** 33 - 1, 2 ** 32]],
    ["at the end of all offsets", [2 ** 53 - 1, 2 ** 53 - 3, 2 ** 53 - 2, 0, 2 ** 53 - 1]]
  ])("is right for keys that are %s", (_, keys) => {
    assert.deepStrictEqual(sorted(keys), expected(keys))
  })

  it("keeps equal keys in their order, among thousands over all magnitudes", () => {
    const keys = Array.from({ length: 5000 }, (_, i) => Math.floor(2 ** ((i * 7919) % 54)) - 1 + (i % 3))
    const capped = keys.map((key) => Math.min(key, 2 ** 53 - 1))
    assert.deepStrictEqual(sorted(capped), expected(capped))
  })
})
