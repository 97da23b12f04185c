/**
 * The decoder of offmaps: header, index, pages and cells, searched in memory and by pages.
 *
 * Checksums tell damage, not malice: an image whose checksums hold may lead wherever it likes. It must not make a
 * lookup crash, go on for ever or take memory; and what `verifyAll` accepts is a map: the same whoever searches it,
 * and the same when it is built again from its bindings.
 */
import { crc32 } from "../src/bytes/crc32.ts"
import type { Binding } from "../src/bytes/extent.ts"
import { OffmapBuilder } from "../src/file/offmapBuilder.ts"
import { OffmapPaged } from "../src/file/offmapPaged.ts"
import type { OffmapSearch } from "../src/file/offmapSearch.ts"
import { OffmapTable } from "../src/file/offmapTable.ts"
import {
  decodeOffmapHeader,
  encodeOffmapHeader,
  offmapHeaderBytes,
  offmapLayout,
  pageBytes
} from "../src/format/offmapImage.ts"
import type { Random } from "./fuzzMutation.ts"
import { demand, fuzzPath as path, type FuzzTarget, isCorrupt } from "./fuzzTarget.ts"

const generate = (random: Random): Uint8Array => {
  const builder = new OffmapBuilder()
  let at = random.once(2) ? 0 : random.magnitude(48)
  let place = 0
  for (let runs = random.below(5); runs > 0; runs--) {
    const [gap, length, jump] = [
      random.magnitude(20),
      random.below(2) * random.magnitude(34),
      random.below(3)
    ]
    for (let left = random.of([1, 3, 9, 30]); left > 0; left--) {
      builder.add(at, place, length)
      at += gap + Math.max(1, length)
      place += jump === 0 ? length : random.magnitude(10 + 16 * jump)
    }
  }
  const map = builder.build()
  const { header, layout } = map
  const bytes = new Uint8Array(layout.imageBytes)
  bytes.set(map.imagePart(layout.cells, layout.pageSums), layout.cells)
  bytes.set(map.index, layout.pageSums)
  bytes.set(encodeOffmapHeader(header))
  repairImage(bytes)
  return bytes
}

/** Puts the checksums right, and the length where the counts say one that is there. */
export const repairImage = (bytes: Uint8Array): void => {
  if (bytes.length < offmapHeaderBytes) return
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const wide = (at: number): number => view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  const layout = offmapLayout({ cells: wide(32), segments: wide(40), buckets: wide(48) })
  if (layout.imageBytes <= bytes.length) {
    view.setUint32(16, layout.imageBytes, true)
    view.setUint32(20, 0, true)
    for (let page = 0; page < layout.pages; page++) {
      const from = layout.cells + page * pageBytes
      const sum = crc32(bytes.subarray(from, Math.min(from + pageBytes, layout.pageSums)))
      view.setUint32(layout.pageSums + page * 4, sum, true)
    }
    view.setUint32(76, crc32(bytes.subarray(layout.pageSums, layout.imageBytes)), true)
  }
  view.setUint32(offmapHeaderBytes - 4, crc32(bytes.subarray(0, offmapHeaderBytes - 4)), true)
}

const refusal = isCorrupt()

/** What a lookup gives, or that it was refused. */
const answer = (lookup: () => unknown): string => {
  try {
    return JSON.stringify(lookup()) ?? "undefined"
  } catch (error) {
    if (!refusal(error)) throw error
    return "refused"
  }
}

const maxEntries = 600

const take = (search: OffmapSearch): Array<Binding> => {
  const bindings: Array<Binding> = []
  for (const binding of search.entries()) {
    bindings.push(binding)
    if (bindings.length === maxEntries) break
  }
  return bindings
}

const isVerified = (search: OffmapSearch): boolean => answer(() => search.verifyAll()) !== "refused"

const run = (input: Uint8Array): void => {
  // Cells are looked at as numbers of eight bytes.
  const bytes = input.slice()
  const header = decodeOffmapHeader(bytes, { path, origin: 0, available: bytes.length })
  const layout = offmapLayout(header)
  const table = new OffmapTable(bytes, header, { path, offset: 0 }, false)
  const fetchNow = ({ length, position }: { readonly length: number; readonly position: number }) => ({
    position,
    bytes: bytes.slice(layout.cells + position, layout.cells + position + Math.min(length, pageBytes))
  })
  const index = bytes.slice(layout.pageSums, layout.imageBytes)
  const paged = new OffmapPaged({ cells: { path, fetch: fetchNow, fetchNow }, header, index, cacheSize: 2 })
  const asked = new Set<number>([0, header.first, header.last, Number.MAX_SAFE_INTEGER])
  const bindings: Array<Binding> = []
  answer(() => void bindings.push(...take(table)))
  for (const { length, virtual } of bindings.slice(0, 12)) {
    for (const offset of [virtual, virtual + length - 1, virtual + length]) {
      if (Number.isSafeInteger(offset) && offset >= 0) asked.add(offset)
    }
  }
  const inMemory = isVerified(table)
  const byPages = isVerified(paged)
  demand(inMemory === byPages, `it is verified ${inMemory ? "in memory" : "by pages"} alone`)
  for (const offset of asked) {
    for (const lookup of ["translate", "locate", "find", "next"] as const) {
      const [one, two] = [answer(() => table[lookup](offset)), answer(() => paged[lookup](offset))]
      // What nobody has verified may be searched in two ways.
      demand(!inMemory || one === two, `${lookup} of ${offset} gives ${one} in memory and ${two} by pages`)
    }
  }
  if (!inMemory || header.bindings > maxEntries) return
  const builder = new OffmapBuilder()
  for (const { length, physical, virtual } of bindings) builder.add(virtual, physical, length)
  const built = builder.build()
  demand(
    JSON.stringify(take(built)) === JSON.stringify(bindings),
    "a map is another one when it is built again"
  )
  for (const offset of asked) {
    for (const lookup of ["translate", "locate", "find", "next"] as const) {
      const [one, two] = [answer(() => table[lookup](offset)), answer(() => built[lookup](offset))]
      demand(one === two, `${lookup} of ${offset} gives ${one}, and ${two} when the map is built again`)
    }
  }
}

export const offmapTarget: FuzzTarget = {
  name: "offmap",
  generate,
  repair: repairImage,
  run,
  isRefusal: refusal,
  dictionary: [],
  maxBytes: 12_000,
  align: 4
}
