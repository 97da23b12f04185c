/**
 * Forged offmaps: headers and cells, their checksums put right. What a cell says is met by whoever looks something up
 * in it, in memory and by pages.
 */
import type { Binding } from "../src/bytes/extent.ts"
import { OffmapPaged } from "../src/file/offmapPaged.ts"
import type { OffmapSearch } from "../src/file/offmapSearch.ts"
import { OffmapTable } from "../src/file/offmapTable.ts"
import { decodeOffmapHeader, offmapLayout } from "../src/format/offmapImage.ts"
import { bindingsOfPages, imageOf } from "./damageOffmap.ts"
import { changed, corrupt, type Forgery, forgedPath as path, setWide } from "./forgery.ts"
import { repairImage } from "./fuzzOffmapTarget.ts"

export type Change = (copy: Uint8Array, view: DataView) => void

const beyond = 2 ** 53
export const cellsAt = 128

/** By memory, and by pages. */
export const searches = (bytes: Uint8Array): ReadonlyArray<readonly [string, () => OffmapSearch]> => {
  const header = () => decodeOffmapHeader(bytes, { path, origin: 0, available: bytes.length })
  const paged = () => {
    const decoded = header()
    const layout = offmapLayout(decoded)
    const fetchNow = ({ length, position }: { readonly length: number; readonly position: number }) => ({
      position,
      bytes: bytes.slice(layout.cells + position, layout.cells + position + length)
    })
    const index = bytes.slice(layout.pageSums, layout.imageBytes)
    return new OffmapPaged({
      cells: { path, fetch: fetchNow, fetchNow },
      header: decoded,
      index,
      cacheSize: 2
    })
  }
  return [
    ["in memory", () => new OffmapTable(bytes.slice(), header(), { path, offset: 0 }, false)],
    ["by pages", paged]
  ]
}

export const forged = (image: Uint8Array, change: Change): Uint8Array =>
  changed(image, (copy, view) => {
    change(copy, view)
    repairImage(copy)
  })

/** Three bindings in a scattered cell, as in FORMAT.md: 10 bytes at 100, 20 at 200, a point at 500. */
export const smallImage = imageOf([
  { virtual: 100, physical: 0, length: 10 },
  { virtual: 200, physical: 10, length: 20 },
  { virtual: 500, physical: 7, length: 0 }
])
const back = (count: number, length: number, gap = 10): ReadonlyArray<Binding> =>
  Array.from({ length: count }, (_, i) => ({
    virtual: 100 + i * (length + gap),
    physical: i * length,
    length
  }))
const dense = imageOf(back(5, 40))
const huge = imageOf([
  { virtual: 100, physical: 0, length: 10 },
  { virtual: 2 ** 45, physical: 2 ** 42, length: 2 ** 40 }
])
const scattered = imageOf(
  [10_000, 0, 100, 200].map((physical, i) => ({ virtual: 100 * (i + 1), physical, length: 10 }))
)
const long = imageOf(back(3, 70_000))
const empty = imageOf([])
const pages = imageOf(bindingsOfPages())

/** The image is refused when its header is read. */
const header = (name: string, at: number, change: Change, image = smallImage, available?: number): Forgery =>
  corrupt(`offmap: ${name}`, at, () => {
    const bytes = forged(image, change)
    return decodeOffmapHeader(bytes, { path, origin: 0, available: available ?? bytes.length })
  })

/** Sets the counts, and the length that they make. */
const counts =
  ({
    buckets,
    cells,
    segments
  }: {
    readonly cells: number
    readonly segments: number
    readonly buckets: number
  }) =>
  (copy: Uint8Array): void => {
    setWide(copy, 32, cells)
    setWide(copy, 40, segments)
    setWide(copy, 48, buckets)
    setWide(copy, 16, offmapLayout({ cells, segments, buckets }).imageBytes)
  }

/** There is more in the file than the image. */
const plenty = 2 ** 40

const headers = (): ReadonlyArray<Forgery> => [
  header("other magic bytes", 7, (copy) => void (copy[7] = 0x4e)),
  header("a later version", 8, (_, view) => view.setUint32(8, 2, true)),
  header("another header length", 12, (_, view) => view.setUint32(12, 136, true)),
  corrupt("offmap: a header that is cut off", 0, () =>
    decodeOffmapHeader(smallImage.subarray(0, 127), { path, origin: 0, available: 127 })
  ),
  corrupt("offmap: an image longer than its file", 16, () =>
    decodeOffmapHeader(smallImage, { path, origin: 0, available: smallImage.length - 1 })
  ),
  ...[-8, 8].map((more) =>
    corrupt(`offmap: an image of ${more} bytes`, 16, () => {
      const bytes = changed(smallImage, (copy) => setWide(copy, 16, smallImage.length + more))
      return decodeOffmapHeader(resealed(bytes), { path, origin: 0, available: plenty })
    })
  ),
  corrupt("offmap: an image longer than any", 16, () => {
    const cells = 2 ** 25
    const bytes = changed(smallImage, (copy) => {
      counts({ cells, segments: 1, buckets: 2 })(copy)
      setWide(copy, 24, cells)
    })
    return decodeOffmapHeader(resealed(bytes), { path, origin: 0, available: plenty })
  }),
  header("fewer bindings than cells", 16, (copy) => setWide(copy, 24, 0)),
  header("more bindings than cells hold", 16, (copy) => setWide(copy, 24, 9)),
  header("more segments than cells", 16, counts({ cells: 1, segments: 2, buckets: 2 }), smallImage, plenty),
  header("cells without an index", 16, counts({ cells: 1, segments: 0, buckets: 2 }), smallImage, plenty),
  header(
    "an empty map with a last offset",
    16,
    (copy, view) => {
      setWide(copy, 64, 1)
      view.setUint32(72, 1, true)
    },
    empty
  ),
  header("a last offset before the first", 16, (copy) => {
    setWide(copy, 64, 99)
    counts({ cells: 1, segments: 1, buckets: 0 })(copy)
  }),
  header("buckets wider than all offsets", 16, (copy, view) => {
    view.setUint32(72, 60, true)
    counts({ cells: 1, segments: 1, buckets: 1 })(copy)
  }),
  header("another number of buckets", 16, counts({ cells: 1, segments: 1, buckets: 3 }), smallImage, plenty)
]

/** With the right checksum of its header alone. */
const resealed = (bytes: Uint8Array): Uint8Array => {
  const short = bytes.slice(0, 128)
  repairImage(short)
  return changed(bytes, (copy) => copy.set(short))
}

/** Whoever looks up `asked` meets what is wrong with its cell or page. */
const cell = (name: string, image: Uint8Array, change: Change, asked = 100): ReadonlyArray<Forgery> =>
  searches(forged(image, change)).map(([how, open]) =>
    corrupt(`offmap: ${name}, ${how}`, undefined, () => open().translate(asked))
  )

const f64 =
  (at: number, value: number): Change =>
  (_, view) =>
    view.setFloat64(cellsAt + at, value, true)
const i32 =
  (at: number, value: number): Change =>
  (_, view) =>
    view.setUint32(cellsAt + at, value, true)
const u16 =
  (at: number, value: number): Change =>
  (_, view) =>
    view.setUint16(cellsAt + at, value, true)

const both =
  (...changes: ReadonlyArray<Change>): Change =>
  (copy, view) => {
    for (const change of changes) change(copy, view)
  }

/** The second binding of a huge cell. */
const second = (virtual: number, physical: number, length: number): Change =>
  both(f64(40, virtual), f64(48, physical), f64(56, length))

/** The map ends here, and has one bucket. */
const endsAt =
  (end: number): Change =>
  (copy, view) => {
    setWide(copy, 64, end - 1)
    view.setUint32(72, 53, true)
    counts({ cells: 1, segments: 1, buckets: 1 })(copy)
  }

const raisedEnds = (by: number): ReadonlyArray<Change> =>
  [0, 1, 2, 3, 4].map((i) => u16(30 - 2 * i, 40 * (i + 1) + by))

const cells = (): ReadonlyArray<Forgery> =>
  [
    cell("a kind that is none", smallImage, i32(32, 0x306)),
    // The head stands before the first end, which is relative to it.
    cell("a dense cell that counts", dense, both(i32(32, 0x500), ...raisedEnds(0x500))),
    cell("a cell without bindings", pages, both(i32(192 + 32, 2), i32(192 + 28, 0), f64(192 + 8, 0)), 2400),
    // What would be the fifth start is the first place.
    cell(
      "more bindings than the kind has room for",
      scattered,
      both(i32(32, 0x502), endsAt(100 + 10_000 + 0x502))
    ),
    cell("a start behind an unused one", dense, i32(60, 300)),
    cell("bindings that overlap", smallImage, i32(36, 9)),
    cell("bindings out of order", dense, i32(36, 0x80000000)),
    cell("a length below 0", dense, both(u16(22, 150), endsAt(301)), 300),
    // Sums of large numbers round fractions away.
    cell(
      "an offset with a fraction",
      huge,
      both(second(1000.25, 2 ** 42, 2 ** 52), endsAt(2 ** 52 + 1000)),
      2000
    ),
    cell(
      "a length with a fraction",
      huge,
      both(second(2 ** 52, 2 ** 52, 0.25), endsAt(2 ** 52 + 1)),
      2 ** 52
    ),
    cell("a binding that ends beyond 2^53-1", huge, second(2 ** 45, 0, beyond - 2 ** 44)),
    cell(
      "a binding too far from its cell's base",
      long,
      both(i32(24, 0x7fffffff), endsAt(100 + 140_020 + 0x7fffffff - 140_000))
    ),
    cell("a place below 0", smallImage, f64(8, -1)),
    cell("a place with a fraction", huge, both(second(1000, 0.25, 2 ** 52), endsAt(2 ** 52 + 1000)), 2000),
    cell("a place beyond 2^53-1", huge, f64(48, beyond - 10)),
    // The index begins where the header says.
    cell(
      "another first offset",
      smallImage,
      both((copy) => setWide(copy, 56, 99)),
      200
    ),
    cell("a last offset before the last", smallImage, (copy) => setWide(copy, 64, 499)),
    cell("a last offset behind the last", smallImage, (copy) => setWide(copy, 64, 501)),
    cell("no sentinel", smallImage, f64(64, 600))
  ].flat()

export const offmapForgeries = (): ReadonlyArray<Forgery> => [...headers(), ...cells()]
