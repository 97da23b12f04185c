import { assert, describe, it } from "vitest"
import type { Binding } from "../../src/bytes/extent.ts"
import {
  bindingAt,
  cellBytes,
  cellCapacity,
  cellCount,
  cellFault,
  cellKind,
  cellViews,
  covers,
  headWord,
  indexOf,
  maxRelativeEnd,
  unusedStart
} from "../../src/format/offmapCell.ts"
import { encodeCell, encodeSentinel } from "../../src/format/offmapCellEncoding.ts"

type Kind = keyof typeof cellKind

const binding = (virtual: number, physical: number, length: number): Binding => ({
  virtual,
  physical,
  length
})

/** Encodes into the second of three cells full of noise, and decodes. */
const encoded = (bindings: ReadonlyArray<Binding>, from = 0) => {
  const bytes = new Uint8Array(3 * cellBytes).fill(0xee)
  const cells = cellViews(bytes)
  const column = (of: (binding: Binding) => number) => Float64Array.from(bindings, of)
  const pending = {
    virtual: column((one) => one.virtual),
    physical: column((one) => one.physical),
    length: column((one) => one.length)
  }
  const taken = encodeCell(cells, 1, pending, from, bindings.length)
  assert.isTrue(
    bytes.subarray(0, cellBytes).every((byte) => byte === 0xee),
    "the cell before is left alone"
  )
  assert.isTrue(
    bytes.subarray(2 * cellBytes).every((byte) => byte === 0xee),
    "the cell behind is left alone"
  )
  const number = cells.i32[16 + headWord] & 0xff
  const kind = (Object.keys(cellKind) as Array<Kind>).find((name) => cellKind[name] === number)
  const decoded = Array.from({ length: cellCount(cells, 1) }, (_, i) => bindingAt(cells, 1, i))
  return { cells, decoded, kind, taken }
}

const backToBack = (count: number, length: number, gap: number): Array<Binding> =>
  Array.from({ length: count }, (_, i) => binding(70 + i * (length + gap), 5 + i * length, length))

const scatteredOver = (range: number, length: number): Array<Binding> =>
  [range, 0, 7, range - 1].map((place, i) => binding(70 + i * 10, 1000 + place, length))

const pointsOver = (range: number): Array<Binding> =>
  [3, range, 0, 9, 9, 1, 4].map((place, i) => binding(70 + i, 1000 + place, 0))

const largest = 2 ** 53 - 1

/** Each of the bindings that should go into the first cell, the kind of it, and how many it takes. */
const cases: ReadonlyArray<readonly [string, Kind, number, ReadonlyArray<Binding>]> = [
  ["one byte", "dense", 1, [binding(0, 0, 1)]],
  ["one point at the end of all offsets", "dense", 1, [binding(largest, largest, 0)]],
  ["eight extents back to back", "dense", 8, backToBack(8, 10, 3)],
  ["eight extents without gaps", "dense", 8, backToBack(8, 10, 0)],
  ["eight of nine", "dense", 8, backToBack(9, 10, 0)],
  ["eight points at one place", "dense", 8, backToBack(8, 0, 1)],
  [
    "extents and points at their borders",
    "dense",
    3,
    [binding(1, 9, 5), binding(6, 14, 0), binding(7, 14, 3)]
  ],
  ["65,535 bytes back to back", "dense", 5, backToBack(5, 13_107, 9)],
  ["65,536 bytes back to back", "long", 4, backToBack(4, 16_384, 9)],
  ["six of seven long ones", "long", 6, backToBack(7, 30_000, 9)],
  ["the longest that a long cell holds", "long", 1, [binding(5, 6, maxRelativeEnd)]],
  ["one byte more than that", "huge", 1, [binding(5, 6, maxRelativeEnd + 1)]],
  ["a dense end at its furthest", "dense", 2, [binding(5, 6, 1), binding(maxRelativeEnd + 4, 7, 1)]],
  ["one further than that", "huge", 2, [binding(5, 6, 1), binding(maxRelativeEnd + 5, 7, 1)]],
  ["a dense start at its furthest", "dense", 2, [binding(5, 6, 1), binding(maxRelativeEnd + 5, 7, 0)]],
  ["four scattered over 4 GiB", "scattered", 4, scatteredOver(2 ** 32 - 1, 10)],
  ["one byte more than that", "far", 3, scatteredOver(2 ** 32, 10)],
  ["six of seven points over 4 GiB", "points", 6, pointsOver(2 ** 32 - 1)],
  ["points over one byte more", "far", 3, pointsOver(2 ** 32)],
  ["places at both ends of all offsets", "far", 2, [binding(1, largest - 4, 4), binding(9, 0, 4)]],
  [
    "two huge ones",
    "huge",
    2,
    [binding(0, 2 ** 52, 2 ** 51), binding(2 ** 52, 0, 2 ** 52 - 1), binding(largest, 0, 0)]
  ]
]

describe("a cell", () => {
  it.each(cases)("of %s is %s and holds %i", (_, kind, count, bindings) => {
    const { cells, decoded, kind: chosen, taken } = encoded(bindings)
    assert.strictEqual(chosen, kind)
    assert.strictEqual(taken, count)
    assert.deepStrictEqual(decoded, bindings.slice(0, count))
    assert.isUndefined(cellFault(cells, 1, bindings[0].virtual))
    assert.isDefined(
      cellFault(cells, 1, bindings[0].virtual + 1),
      "it begins where the one before has not ended"
    )
    for (const [i, { length, virtual }] of decoded.entries()) {
      assert.strictEqual(indexOf(cells, 1, virtual), i)
      assert.isTrue(covers(cells, 1, i, virtual))
      assert.strictEqual(covers(cells, 1, i, virtual + Math.max(0, length - 1)), true)
      assert.strictEqual(covers(cells, 1, i, virtual + Math.max(1, length)), false)
      assert.strictEqual(covers(cells, 1, i, virtual - 1), false)
    }
  })

  it("is encoded from anywhere among what waits, the same", () => {
    for (const [, , , bindings] of cases) {
      const before = binding(0, 3, 0)
      const { cells, taken } = encoded([before, before, ...bindings], 2)
      const alone = encoded(bindings)
      assert.strictEqual(taken, alone.taken)
      assert.deepStrictEqual(cells.i32, alone.cells.i32)
    }
  })

  it("reaches every kind in these cases, filled to the brim", () => {
    for (const name of Object.keys(cellKind) as Array<Kind>) {
      const most = Math.max(...cases.filter(([, kind]) => kind === name).map(([, , count]) => count))
      assert.strictEqual(most, cellCapacity[cellKind[name]], name)
    }
  })

  it("that ends the others has a base behind all offsets and is zeros else", () => {
    const bytes = new Uint8Array(2 * cellBytes).fill(0xee)
    const cells = cellViews(bytes)
    encodeSentinel(cells, 1)
    assert.deepStrictEqual([...cells.f64.subarray(8)], [Infinity, 0, 0, 0, 0, 0, 0, 0])
    assert.strictEqual(bytes[cellBytes - 1], 0xee)
  })

  it("of noise or of zeros is at fault", () => {
    assert.isDefined(cellFault(cellViews(new Uint8Array(cellBytes)), 0, 0))
    for (const noise of [0xee, 0xff, 0x7f, 1]) {
      assert.isDefined(cellFault(cellViews(new Uint8Array(cellBytes).fill(noise)), 0, 0), String(noise))
    }
    const { cells } = encoded(backToBack(3, 10, 3))
    cells.i32[16 + headWord + 2] = unusedStart
    assert.isUndefined(cellFault(cells, 1, 0), "two bindings are left")
    cells.i32[16 + headWord + 3] = 26
    assert.isDefined(cellFault(cells, 1, 0), "a start behind an unused one")
  })
})
