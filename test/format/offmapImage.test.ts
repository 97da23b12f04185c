import { assert, describe, it } from "vitest"
import { Corrupt } from "../../src/bytes/errors.ts"
import {
  decodeOffmapHeader,
  encodeOffmapHeader,
  maxImageBytes,
  type OffmapHeader,
  offmapHeaderBytes,
  offmapLayout
} from "../../src/format/offmapImage.ts"

const header: OffmapHeader = {
  bindings: 1000,
  cells: 125,
  segments: 3,
  buckets: 5,
  bucketShift: 51,
  first: 77,
  last: 2 ** 53 - 1,
  indexCrc: 0xfedcba98
}
const empty: OffmapHeader = {
  bindings: 0,
  cells: 0,
  segments: 0,
  buckets: 1,
  bucketShift: 0,
  first: 0,
  last: 0,
  indexCrc: 1
}

const decode = (bytes: Uint8Array, available = 2 ** 40): OffmapHeader =>
  decodeOffmapHeader(bytes, { path: "/map", origin: 40, available })

const fault = (wrong: Partial<OffmapHeader>, base = header): Corrupt => {
  try {
    decode(encodeOffmapHeader({ ...base, ...wrong }))
  } catch (error) {
    assert.instanceOf(error, Corrupt)
    assert.strictEqual(error.path, "/map")
    return error
  }
  return assert.fail("it was taken")
}

// Four buckets of 2^51 reach to 2^53 - 1 from 77.
const good: OffmapHeader = { ...header, buckets: 4 }

describe("the header of an offmap", () => {
  it.each([good, empty, { ...good, first: 0, cells: 1000 }])("is decoded as it was encoded", (one) => {
    const bytes = encodeOffmapHeader(one)
    assert.strictEqual(bytes.length, offmapHeaderBytes)
    assert.deepStrictEqual(decode(bytes), one)
    const inside = new Uint8Array(offmapHeaderBytes + 3)
    inside.set(bytes, 3)
    assert.deepStrictEqual(decode(inside.subarray(3)), one)
  })

  it("needs as many bytes behind it as it says", () => {
    const { imageBytes } = offmapLayout(good)
    assert.deepStrictEqual(decode(encodeOffmapHeader(good), imageBytes), good)
    assert.throws(() => decode(encodeOffmapHeader(good), imageBytes - 1), Corrupt)
    assert.throws(() => decode(encodeOffmapHeader(good), offmapHeaderBytes - 1), Corrupt)
    assert.throws(() => decode(encodeOffmapHeader(good).subarray(1)), Corrupt)
  })

  it("is Corrupt when the image is longer than any can be, though the file has the bytes", () => {
    const wrong = { ...good, cells: 2 ** 25, bindings: 2 ** 26 }
    assert.isAbove(offmapLayout(wrong).imageBytes, maxImageBytes)
    assert.include(fault(wrong).reason, "longer than any can be")
  })

  it.each<[string, Partial<OffmapHeader>]>([
    ["fewer bindings than cells", { bindings: 124 }],
    ["more bindings than cells can hold", { bindings: 1001 }],
    ["more segments than cells", { segments: 126 }],
    ["no segments", { segments: 0 }],
    ["one bucket too few", { buckets: 3 }],
    ["one bucket too many", { buckets: 5 }],
    ["another shift", { bucketShift: 50 }],
    ["a shift beyond all offsets", { bucketShift: 54, buckets: 1 }],
    ["an end before its beginning", { last: 76, bucketShift: 0, buckets: 0 }]
  ])("is Corrupt with %s", (_, wrong) => {
    assert.isAtLeast(fault({ ...good, ...wrong }).offset, 40)
  })

  it.each<[string, Partial<OffmapHeader>]>([
    ["a binding", { bindings: 1 }],
    ["a segment", { segments: 1 }],
    ["an end", { last: 5, buckets: 6 }]
  ])("is Corrupt with no cells and %s", (_, wrong) => {
    fault(wrong, empty)
  })

  it("lays the parts out without overlap, each at a multiple of eight", () => {
    for (const cells of [0, 1, 62, 63, 64, 65, 127, 128, 1000]) {
      for (const [segments, buckets] of [
        [1, 1],
        [2, 2],
        [5, 9]
      ]) {
        const layout = offmapLayout({ cells, segments, buckets })
        assert.strictEqual(layout.cells, offmapHeaderBytes)
        assert.strictEqual(layout.pageSums, layout.cells + (cells + 1) * 64)
        assert.strictEqual(layout.pages, Math.ceil(((cells + 1) * 64) / 4096))
        assert.isAtLeast(layout.segments, layout.pageSums + layout.pages * 4)
        assert.strictEqual(layout.radix, layout.segments + (segments + 1) * 16)
        assert.isAtLeast(layout.imageBytes, layout.radix + (buckets + 1) * 4)
        for (const at of Object.values({ ...layout, pages: 0 })) assert.strictEqual(at % 8, 0)
        assert.isBelow(layout.imageBytes, layout.radix + (buckets + 1) * 4 + 8)
      }
    }
  })
})
