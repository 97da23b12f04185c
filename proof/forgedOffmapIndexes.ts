/**
 * Forged indexes of offmaps, their checksums put right: what they say is met by whoever goes through all of the map,
 * and misleads nobody's lookup.
 */
import { decodeOffmapHeader, offmapLayout } from "../src/format/offmapImage.ts"
import { bindingsOfPages, imageOf } from "./damageOffmap.ts"
import { cellsAt, type Change, forged, searches, smallImage } from "./forgedOffmaps.ts"
import { changed, corrupt, type Forgery, forgedPath as path, passedOver, setWide, viewOf } from "./forgery.ts"

const pages = imageOf(bindingsOfPages())

/** Who goes through all of the map meets it. */
const whole = (
  name: string,
  at: number,
  image: Uint8Array,
  change: (copy: Uint8Array, view: DataView) => void
): ReadonlyArray<Forgery> =>
  searches(forged(image, change)).map(([how, open]) =>
    corrupt(`offmap: ${name}, ${how}`, at, () => open().verifyAll())
  )

const indexes = (): ReadonlyArray<Forgery> => {
  const decoded = decodeOffmapHeader(pages, { path, origin: 0, available: pages.length })
  const { radix, segments } = offmapLayout(decoded)
  const index = (name: string, change: Change) => whole(name, segments, pages, change)
  const last = decoded.segments * 16
  return [
    index("an index that begins elsewhere", (_, view) => view.setFloat64(segments, 1, true)),
    index("a segment without cells", (_, view) =>
      view.setUint32(segments + 28, viewOf(pages).getUint32(segments + 12, true), true)
    ),
    index("segments out of order", (_, view) => view.setFloat64(segments + 16, 0, true)),
    ...[-1, Infinity, NaN].map((slope) =>
      index(`a slope of ${slope}`, (_, view) => view.setFloat32(segments + 8, slope, true))
    ),
    index("segments of more cells", (_, view) =>
      view.setUint32(segments + last + 12, decoded.cells + 1, true)
    ),
    index("a bucket that leads nowhere", (_, view) =>
      view.setUint32(radix + decoded.buckets * 4, decoded.segments, true)
    ),
    index("a bucket that leads too far", (_, view) => {
      for (let bucket = 0; bucket <= decoded.buckets; bucket++) {
        view.setUint32(radix + bucket * 4, decoded.segments - 1, true)
      }
    }),
    index("a bucket that leads backwards", (_, view) => view.setUint32(radix + decoded.buckets * 4, 0, true)),
    ...[-1, 1].map((more) =>
      whole(`${more} bindings`, 24, smallImage, (copy) => setWide(copy, 24, 3 + more))
    ),
    // Each page is right by itself.
    whole("pages that overlap", cellsAt + 64 * 64, pages, (_, view) =>
      view.setFloat64(cellsAt + 64 * 64, bindingsOfPages()[64 * 8 - 1].virtual + 1, true)
    )
  ].flat()
}

/** Whatever an index says, every lookup finds what is in the cells: it is a hint. */
const misled = (): ReadonlyArray<Forgery> => {
  const decoded = decodeOffmapHeader(pages, { path, origin: 0, available: pages.length })
  const { radix, segments } = offmapLayout(decoded)
  const asked = bindingsOfPages().filter((_, i) => i % 61 === 0)
  const leads: ReadonlyArray<readonly [string, Change]> = [
    ["steep", (_, view) => view.setFloat32(segments + 8, 1e30, true)],
    ["falling", (_, view) => view.setFloat32(segments + 8, -1e30, true)],
    ["of no number", (_, view) => view.setFloat32(segments + 8, NaN, true)],
    ["of cells that are none", (_, view) => view.setUint32(segments + 12, 0xfffffff0, true)],
    [
      "of segments of cells that are none",
      (_, view) => {
        for (const segment of [0, 1]) view.setUint32(segments + 16 * segment + 12, 0xfffffff0, true)
      }
    ],
    [
      "of segments that are none",
      (_, view) => {
        for (let bucket = 0; bucket <= decoded.buckets; bucket++) {
          view.setUint32(radix + bucket * 4, bucket === 0 ? 0 : 0xffffffff, true)
        }
      }
    ]
  ]
  return leads.flatMap(([name, change]) =>
    searches(forged(pages, change)).map(([how, open]) =>
      passedOver(
        `offmap: an index ${name}, ${how}`,
        () => {
          const map = open()
          return asked.every(({ physical, virtual }) => map.translate(virtual + 1) === physical + 1)
        },
        (isRight) => isRight
      )
    )
  )
}

/** An index that leads far away, and a page that is damaged where the way goes back to. */
const damagedOnTheWay = (): ReadonlyArray<Forgery> => {
  const decoded = decodeOffmapHeader(pages, { path, origin: 0, available: pages.length })
  const { radix, segments } = offmapLayout(decoded)
  const back: Change = (_, view) => {
    view.setFloat32(segments + 8, 1e30, true)
    view.setUint32(segments + 28, 120, true)
  }
  const on: Change = (_, view) => {
    for (let bucket = 0; bucket <= decoded.buckets; bucket++) view.setUint32(radix + bucket * 4, 0, true)
    view.setFloat32(segments + 8, 0, true)
  }
  const ways = [
    { name: "too far", change: back, cell: 5 },
    { name: "too short", change: on, cell: 70 }
  ]
  return ways.flatMap(({ cell, change, name }) => {
    const bytes = forged(pages, change)
    // The place of the cell, whose page is summed no more.
    bytes[cellsAt + cell * 64 + 8] ^= 1
    const { virtual } = bindingsOfPages()[cell * 8]
    return searches(bytes).map(([how, open]) =>
      corrupt(`offmap: an index that leads ${name}, to a damaged page, ${how}`, undefined, () =>
        open().translate(virtual)
      )
    )
  })
}

/** Who goes on from a page to the next ones meets one that is damaged. */
const damagedAhead = (): ReadonlyArray<Forgery> => {
  const bytes = changed(pages, (copy) => void (copy[cellsAt + 70 * 64 + 8] ^= 1))
  return searches(bytes).flatMap(([how, open]) => [
    corrupt(`offmap: a damaged page ahead, verified, ${how}`, cellsAt + 4096, () => open().verifyAll()),
    corrupt(`offmap: a damaged page ahead, walked to, ${how}`, cellsAt + 4096, () => [...open().entries()])
  ])
}

export const indexForgeries = (): ReadonlyArray<Forgery> => [
  ...indexes(),
  ...misled(),
  ...damagedOnTheWay(),
  ...damagedAhead()
]
