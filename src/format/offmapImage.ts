/**
 * The image of an offmap: header, cells, and the index behind them. FORMAT.md has the diagrams.
 *
 * What the header claims is believed only after its own checksum matched, its fields agree with each
 * other, and the bytes it claims are known to exist; only then may anybody allocate for it. Header
 * and index are checked when an image is opened, pages of cells when they are first touched.
 */
import { crc32 } from "../bytes/crc32.ts"
import { Corrupt } from "../bytes/errors.ts"
import { cellBytes, cellsPerPage } from "./offmapCell.ts"
import { segmentBytes } from "./offmapIndex.ts"

export const offmapMagic = "lacunaOM"
export const offmapVersion = 1
export const offmapHeaderBytes = 128
export const pageBytes = cellBytes * cellsPerPage
/** An image is smaller than this, so that one view can span it: some 250 million bindings. */
export const maxImageBytes = 2 ** 31 - 2 ** 16

/** The numbers that determine an image's layout, all from the header. */
export interface OffmapHeader {
  /** How many bindings the cells hold. */
  readonly bindings: number
  /** How many cells, without the sentinel that ends them. */
  readonly cells: number
  readonly segments: number
  readonly buckets: number
  readonly bucketShift: number
  /** The base of the first cell: the first virtual offset bound; 0 in an empty map. */
  readonly first: number
  /** The last virtual offset bound; 0 in an empty map. */
  readonly last: number
  /** CRC-32 of everything behind the cells. */
  readonly indexCrc: number
}

/** Where the parts of an image begin, in bytes from its start. All are multiples of eight. */
export interface OffmapLayout {
  readonly cells: number
  readonly pages: number
  readonly pageSums: number
  readonly segments: number
  readonly radix: number
  readonly imageBytes: number
}

const align8 = (bytes: number): number => Math.ceil(bytes / 8) * 8

/** Where everything lies in an image of these counts. */
export const offmapLayout = (header: Pick<OffmapHeader, "cells" | "segments" | "buckets">): OffmapLayout => {
  const lines = header.cells + 1
  const pages = Math.ceil(lines / cellsPerPage)
  const cells = offmapHeaderBytes
  const pageSums = cells + lines * cellBytes
  const segments = pageSums + align8(pages * 4)
  const radix = segments + (header.segments + 1) * segmentBytes
  return { cells, pages, pageSums, segments, radix, imageBytes: radix + align8((header.buckets + 1) * 4) }
}

/** The 128 bytes of a header. */
export const encodeOffmapHeader = (header: OffmapHeader): Uint8Array => {
  const bytes = new Uint8Array(offmapHeaderBytes)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < 8; i++) bytes[i] = offmapMagic.charCodeAt(i)
  view.setUint32(8, offmapVersion, true)
  view.setUint32(12, offmapHeaderBytes, true)
  setUint64(view, 16, offmapLayout(header).imageBytes)
  setUint64(view, 24, header.bindings)
  setUint64(view, 32, header.cells)
  setUint64(view, 40, header.segments)
  setUint64(view, 48, header.buckets)
  setUint64(view, 56, header.first)
  setUint64(view, 64, header.last)
  view.setUint32(72, header.bucketShift, true)
  view.setUint32(76, header.indexCrc, true)
  view.setUint32(offmapHeaderBytes - 4, crc32(bytes.subarray(0, offmapHeaderBytes - 4)), true)
  return bytes
}

/**
 * Checks the header at the start of `bytes`, of which `available` more-or-less trustworthy bytes
 * exist in the file from the image's start on. Throws `Corrupt` with offsets counted from `origin`.
 */
export const decodeOffmapHeader = (
  bytes: Uint8Array,
  { available, origin, path }: { readonly path: string; readonly origin: number; readonly available: number }
): OffmapHeader => {
  const corrupt = (at: number, reason: string) => new Corrupt({ path, offset: origin + at, reason })
  if (available < offmapHeaderBytes || bytes.length < offmapHeaderBytes) {
    throw corrupt(0, `an offmap begins with ${offmapHeaderBytes} bytes of header, and ${available} are there`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, offmapHeaderBytes)
  for (let i = 0; i < 8; i++) {
    if (bytes[i] !== offmapMagic.charCodeAt(i)) throw corrupt(i, "this is not an offmap")
  }
  if (view.getUint32(offmapHeaderBytes - 4, true) !== crc32(bytes.subarray(0, offmapHeaderBytes - 4))) {
    throw corrupt(offmapHeaderBytes - 4, "the checksum of the offmap's header does not match")
  }
  const version = view.getUint32(8, true)
  if (version !== offmapVersion)
    throw corrupt(8, `offmap version ${version}; this program knows ${offmapVersion}`)
  if (view.getUint32(12, true) !== offmapHeaderBytes) throw corrupt(12, "the header's length is wrong")
  const header = {
    bindings: getUint64(view, 24),
    cells: getUint64(view, 32),
    segments: getUint64(view, 40),
    buckets: getUint64(view, 48),
    first: getUint64(view, 56),
    last: getUint64(view, 64),
    bucketShift: view.getUint32(72, true),
    indexCrc: view.getUint32(76, true)
  }
  const imageBytes = getUint64(view, 16)
  if (!(imageBytes <= available)) {
    throw corrupt(16, `the offmap claims ${imageBytes} bytes, and ${available} are there`)
  }
  const fault = headerFault(header, imageBytes)
  if (fault !== undefined) throw corrupt(16, fault)
  return header
}

/** What is wrong with a header's fields, or undefined. The same predicate holds for all we write. */
const headerFault = (header: OffmapHeader, imageBytes: number): string | undefined => {
  const { bindings, bucketShift, buckets, cells, first, last, segments } = header
  if (!(imageBytes < maxImageBytes)) return `an offmap of ${imageBytes} bytes is longer than any can be`
  if (!(cells <= imageBytes && segments <= cells && buckets <= imageBytes))
    return "the header's counts are absurd"
  if (offmapLayout(header).imageBytes !== imageBytes)
    return "the header's counts and the image's length disagree"
  if (!(bindings >= cells && bindings <= cells * 8)) return `${cells} cells can't hold ${bindings} bindings`
  if (cells > 0 !== segments > 0) return "the index is missing"
  if (cells === 0 && last !== 0) return "the range of offsets holds no binding"
  if (!(first <= last)) return `the bindings begin at ${first} and end at ${last}`
  if (bucketShift > 53 || Math.floor((last - first) / 2 ** bucketShift) + 1 !== buckets) {
    return "the radix table and the range of offsets disagree"
  }
  return undefined
}

const setUint64 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

/** NaN where the integer is beyond 2^53-1: no comparison holds for it. */
const getUint64 = (view: DataView, at: number): number => {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  return Number.isSafeInteger(value) ? value : Number.NaN
}
