/**
 * The model of a store is right on examples that were worked out by hand.
 */
import { describe, expect, it } from "vitest"
import { StoreModel } from "../../src/testing/models/store.ts"

const bytes = (...values: ReadonlyArray<number>): Uint8Array => Uint8Array.from(values)

/** Ten bytes, 0 to 9, committed, and two more, 10 and 11, that are not. */
const twelve = (): StoreModel => {
  const model = new StoreModel()
  model.appendAll([bytes(0, 1, 2, 3), bytes(4, 5, 6, 7, 8, 9)])
  model.commit()
  model.append(bytes(10, 11))
  return model
}

describe("the model of a store", () => {
  it("gives the offset of the first byte appended, and counts what is committed", () => {
    const model = new StoreModel()
    expect(model.append(bytes(1, 2, 3))).toBe(0)
    expect(model.appendAll([bytes(4), bytes(), bytes(5, 6)])).toBe(3)
    expect(model.appendAll([])).toBe(6)
    expect(model.append(bytes())).toBe(6)
    expect([model.end, model.committedEnd]).toEqual([6, 0])
    model.commit()
    expect([model.end, model.committedEnd]).toEqual([6, 6])
    model.append(bytes(7))
    model.split()
    expect(model.committedEnd).toBe(7)
  })

  it("forgets by a rollback and by a reopening what was not committed, and nothing else", () => {
    for (const forget of ["rollback", "reopen"] as const) {
      const model = twelve()
      model[forget]()
      expect(model.end).toBe(10)
      expect(model.read(0, 10)).toEqual({ value: bytes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) })
      expect(model.append(bytes(20))).toBe(10)
      expect(model.read(9, 2)).toEqual({ value: bytes(9, 20) })
    }
  })

  it("reads across records, committed or not, and up to the end", () => {
    const model = twelve()
    expect(model.read(3, 8)).toEqual({ value: bytes(3, 4, 5, 6, 7, 8, 9, 10) })
    expect(model.read(11, 1)).toEqual({ value: bytes(11) })
    expect(model.read(11, 2)).toEqual({ failure: "ReadOutOfBounds", end: 12 })
    expect(model.read(12, 0)).toEqual({ value: bytes() })
    expect(model.read(12, 1)).toEqual({ failure: "ReadOutOfBounds", end: 12 })
    expect(model.read(13, 0)).toEqual({ failure: "ReadOutOfBounds", end: 12 })
    for (const [offset, length] of [
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [2 ** 53 - 1, 1]
    ]) {
      expect(model.read(offset, length)).toEqual({ failure: "InvalidArgument" })
    }
  })

  it("keeps what is live before upTo, and all that lies behind, committed and not", () => {
    const model = twelve()
    const live = [
      { offset: 6, length: 3 }, // straddles upTo
      { offset: 1, length: 2 },
      { offset: 2, length: 2 }, // overlaps
      { offset: 9, length: 1 }, // behind upTo
      { offset: 1, length: 2 }, // twice
      { offset: 5, length: 0 } // empty
    ]
    const told = { generation: 1, upTo: 8, extentsGiven: 6, extents: 2, bytesKept: 5, bytesFreed: 3 }
    expect(model.collectDry(live, 8)).toEqual({ value: told })
    expect(model.generation).toBe(0)
    expect(model.collect(live, 8)).toEqual({ value: told })
    expect([model.generation, model.suffixStart, model.end, model.committedEnd]).toEqual([1, 8, 12, 10])
    expect(model.extents()).toEqual([
      { offset: 1, length: 3 },
      { offset: 6, length: 6 }
    ])
    expect(model.read(1, 3)).toEqual({ value: bytes(1, 2, 3) })
    expect(model.read(0, 1)).toEqual({ failure: "InvalidSparseRead" })
    expect(model.read(5, 3)).toEqual({ failure: "InvalidSparseRead" })
    expect(model.read(5, 0)).toEqual({ value: bytes() })
    expect(model.read(2, 3)).toEqual({ failure: "ReadOutOfBounds", end: 4 })
    expect(model.read(7, 5)).toEqual({ value: bytes(7, 8, 9, 10, 11) })
    model.reopen()
    expect(model.extents()).toEqual([
      { offset: 1, length: 3 },
      { offset: 6, length: 4 }
    ])
  })

  it("keeps its end when nothing is live", () => {
    const model = twelve()
    model.rollback()
    expect(model.collect([], 10)).toMatchObject({ value: { extents: 0, bytesKept: 0, bytesFreed: 10 } })
    expect(model.extents()).toEqual([])
    expect([model.end, model.committedEnd, model.suffixStart]).toEqual([10, 10, 10])
    expect(model.append(bytes(1))).toBe(10)
  })

  it("refuses an upTo that is not committed or goes back, and live bytes that are none", () => {
    const model = twelve()
    const refused = (offset: number, length: number, upTo: number): unknown =>
      model.collect([{ offset, length }], upTo)
    expect(refused(0, 1, 11)).toEqual({ failure: "InvalidArgument" })
    expect(refused(0, -1, 10)).toEqual({ failure: "InvalidArgument" })
    expect(refused(0, 1, 0.5)).toEqual({ failure: "InvalidArgument" })
    model.collect([{ offset: 2, length: 2 }], 6)
    const before = model.now
    expect(refused(2, 1, 5)).toEqual({ failure: "InvalidArgument" })
    expect(refused(1, 2, 8)).toEqual({ failure: "InvalidSparseRead" })
    expect(refused(2, 3, 8)).toEqual({ failure: "ReadOutOfBounds", end: 4 })
    expect(model.now).toBe(before)
    expect(refused(3, 1, 6)).toMatchObject({ value: { generation: 2, bytesFreed: 1 } })
  })

  it("shows a reader what it saw until it is refreshed, across collections", () => {
    const model = twelve()
    const reader = model.reader()
    model.commit()
    model.collect([{ offset: 0, length: 1 }], 12)
    model.append(bytes(12))
    expect(reader.extents()).toEqual([{ offset: 0, length: 10 }])
    expect(reader.read(4, 2)).toEqual({ value: bytes(4, 5) })
    expect(reader.read(9, 2)).toEqual({ failure: "ReadOutOfBounds", end: 10 })
    reader.refresh()
    expect(reader.extents()).toEqual([{ offset: 0, length: 1 }])
    expect(reader.seen.end).toBe(12)
  })
})
