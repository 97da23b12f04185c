/**
 * The record of an extent file: a header, and a journal of frames behind it. FORMAT.md has the diagrams,
 * and says how the record is written.
 *
 * - A frame counts wholly or not at all. Its checksum continues that of the frame before, so that the frames
 *   which count are an unbroken sequence from the beginning: a frame behind a torn one is none.
 * - What a frame claims of itself is bounded first, then checksummed, and only then believed.
 * - A frame that counts and can't be read is `Corrupt`: somebody has meant to write it.
 *
 * Pure: this module checks and converts bytes, and does no I/O. Whether an entry fits those before it is for
 * whoever holds the state they make.
 */
import { crc32 } from "../bytes/crc32.ts"
import { Corrupt } from "../bytes/errors.ts"
import { isOffset } from "../bytes/offset.ts"

export const extentRecordMagic = "lacunaEX"
export const extentRecordVersion = 1
export const extentRecordHeaderBytes = 72
/** The part of the header that is never written again; two slots follow it. */
const fixedBytes = 40
export const extentSlotBytes = 16
/** The length and the checksum that a frame begins with. */
export const extentFrameHeaderBytes = 8
/** The bytes of an entry, a pin's identity apart. */
export const extentEntryBytes = 24
/** A reader need never hold more than one frame of this size. */
export const maxExtentFrameBytes = 65_536
/** A checksum covers at most so many bytes of data: what one verification has to read. */
export const maxPieceBytes = 1 << 20
export const maxExtentBytes = 2 ** 32 - 1
/** The UTF-8 bytes of a pin's identity. */
export const maxIdentityBytes = 32_768

export const extentEntryKind = {
  create: 1,
  piece: 2,
  extent: 3,
  split: 4,
  void: 5,
  forget: 6,
  pin: 7,
  clear: 8,
  mark: 9,
  unsure: 10
} as const

/** What a record says, one entry after the other. Offsets and lengths are bytes, sums CRC-32s. */
export interface ExtentEntries {
  /** `piece` and `extent` in one. */
  readonly create: (offset: number, length: number, sum: number) => void
  /** These bytes were written and have this sum. Pieces that lay within the range are no more. */
  readonly piece: (offset: number, length: number, sum: number) => void
  /** The extent that starts at `offset` has this length. */
  readonly extent: (offset: number, length: number) => void
  /** The piece around `at` is two, which meet there. */
  readonly split: (at: number, leftSum: number, rightSum: number) => void
  /** The pieces within the range are no more. */
  readonly void: (offset: number, length: number) => void
  /** The extent that starts at `offset` is no more. */
  readonly forget: (offset: number) => void
  /** The extents are of this version of an object. */
  readonly pin: (length: number, identity: string) => void
  /** There is no extent, no piece and no pin. */
  readonly clear: () => void
  /**
   * The bytes of every piece are durable. `tidy` says that the file was closed then, and that the data has
   * nothing but zeros where there is no piece.
   */
  readonly mark: (tidy: boolean) => void
  /** The bytes of no piece since the last mark can be believed. */
  readonly unsure: () => void
}

export interface ExtentRecordHeader {
  /** How often the record was written anew. */
  readonly generation: number
  /** The bytes of frames that were durable before the record had its name. */
  readonly denseBytes: number
}

/** What the header and its slots say. */
export interface ExtentRecordStart {
  readonly generation: number
  /** The bytes of frames that are known to be durable. */
  readonly syncedBytes: number
  /** The slot that says the less, 0 or 1: the next to be written. */
  readonly spare: number
}

export const encodeExtentRecordHeader = ({ denseBytes, generation }: ExtentRecordHeader): Uint8Array => {
  const bytes = new Uint8Array(extentRecordHeaderBytes)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < extentRecordMagic.length; i++) bytes[i] = extentRecordMagic.charCodeAt(i)
  view.setUint32(8, extentRecordVersion, true)
  view.setUint32(12, extentRecordHeaderBytes, true)
  setUint53(view, 16, generation)
  setUint53(view, 24, denseBytes)
  view.setUint32(36, crc32(bytes.subarray(0, 36)), true)
  return bytes
}

/** Where a slot of the header begins. */
export const extentSlotAt = (slot: number): number => fixedBytes + slot * extentSlotBytes

/** A slot: so many bytes of frames are durable, which the one who writes it knows by a sync. */
export const encodeExtentSlot = (generation: number, syncedBytes: number): Uint8Array => {
  const bytes = new Uint8Array(extentSlotBytes)
  const view = new DataView(bytes.buffer)
  setUint53(view, 0, syncedBytes)
  view.setUint32(12, slotCrc(bytes, generation), true)
  return bytes
}

const slotCrc = (bytes: Uint8Array, generation: number): number =>
  crc32(bytes.subarray(0, 12), extentChainStart(generation))

/** What a slot says; 0 where it says nothing, or a write of it was cut short. */
const decodeSlot = (bytes: Uint8Array, generation: number): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, extentSlotBytes)
  return view.getUint32(12, true) === slotCrc(bytes, generation) ? (getUint53(view, 0) ?? 0) : 0
}

/** Which file is read, and how long it is. */
export interface ExtentRecordPlace {
  readonly path: string
  readonly fileSize: number
}

/**
 * Reads the header, given the first bytes of the file. All but its slots was durable before the file had its name,
 * and so were the frames of which it tells: no crash excuses what is wrong with it, or what is missing: `Corrupt`.
 */
export const decodeExtentRecordHeader = (bytes: Uint8Array, place: ExtentRecordPlace): ExtentRecordStart => {
  const damaged = (offset: number, reason: string) => new Corrupt({ path: place.path, offset, reason })
  if (bytes.length < extentRecordHeaderBytes) {
    throw damaged(bytes.length, `the file ends here, and the header has ${extentRecordHeaderBytes} bytes`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, extentRecordHeaderBytes)
  for (let i = 0; i < extentRecordMagic.length; i++) {
    if (bytes[i] !== extentRecordMagic.charCodeAt(i)) {
      throw damaged(i, "the record doesn't begin with its magic bytes")
    }
  }
  if (view.getUint32(36, true) !== crc32(bytes.subarray(0, 36))) {
    throw damaged(36, "the checksum of the header is wrong")
  }
  const version = view.getUint32(8, true)
  if (version !== extentRecordVersion) {
    throw damaged(8, `version ${version} of the record is not known (known: ${extentRecordVersion})`)
  }
  if (view.getUint32(12, true) !== extentRecordHeaderBytes) {
    throw damaged(12, `the header's length is ${view.getUint32(12, true)}, not ${extentRecordHeaderBytes}`)
  }
  const generation = getUint53(view, 16)
  if (generation === undefined) throw damaged(16, "the generation is above 2^53-1")
  const denseBytes = getUint53(view, 24)
  if (denseBytes === undefined) throw damaged(24, "the dense length is above 2^53-1")
  if (view.getUint32(32, true) !== 0) throw damaged(32, "the reserved bytes are not zeros")
  const [first, second] = [0, 1].map((slot) =>
    decodeSlot(bytes.subarray(extentSlotAt(slot), extentSlotAt(slot + 1)), generation)
  )
  const syncedBytes = Math.max(denseBytes, first, second)
  if (extentRecordHeaderBytes + syncedBytes > place.fileSize) {
    throw damaged(place.fileSize, `the file ends here, and ${syncedBytes} bytes of frames were durable`)
  }
  return { generation, syncedBytes, spare: first > second ? 1 : 0 }
}

/** What the checksum of the first frame continues: the CRC-32 of the header up to and with the generation. */
export const extentChainStart = (generation: number): number =>
  crc32(encodeExtentRecordHeader({ generation, denseBytes: 0 }).subarray(0, 24))

/** The checksum of a frame of so many bytes, behind one with the checksum `before`. */
export const extentFrameCrc = (bytes: Uint8Array, at: number, frameBytes: number, before: number): number =>
  crc32(bytes.subarray(at + 4, at + frameBytes), before)

/** What is found where a frame could begin: the bytes of a frame that counts, or none. */
export type FoundFrame = { readonly frameBytes: number; readonly crc: number } | undefined

/** How many bytes a reader must have to judge the frame that begins here; 0 when there is none. */
export const extentFrameClaim = (bytes: Uint8Array, at: number): number => {
  if (at + extentFrameHeaderBytes > bytes.length) return 0
  const claim = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(4, true)
  return claim >= extentFrameHeaderBytes && claim <= maxExtentFrameBytes && claim % 8 === 0 ? claim : 0
}

/** The frame that begins at `at`, behind one with the checksum `before`. */
export const findExtentFrame = (bytes: Uint8Array, at: number, before: number): FoundFrame => {
  const frameBytes = extentFrameClaim(bytes, at)
  if (frameBytes === 0 || at + frameBytes > bytes.length) return undefined
  const crc = extentFrameCrc(bytes, at, frameBytes, before)
  const found = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true)
  return found === crc ? { frameBytes, crc } : undefined
}

/**
 * Whether what is found behind a frame with the checksum `before`, given the bytes from there on, is a frame that was
 * damaged, and not a torn one: some of what the journal has said behind it was said after a sync.
 *
 * A mark has a frame of its own, and is synced before another frame is written. So where frames that continue the
 * one that doesn't count go on behind a mark, that one was durable.
 */
export const isDamagedFrame = (bytes: Uint8Array, before: number): boolean => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = extentFrameClaim(bytes, 0)
  // Beside a writer it may count by now.
  if (at === 0 || findExtentFrame(bytes, 0, before) !== undefined) return false
  let crc = view.getUint32(0, true)
  let marked = false
  for (;;) {
    const found = findExtentFrame(bytes, at, crc)
    if (found === undefined) return false
    if (marked) return true
    marked =
      found.frameBytes === extentFrameHeaderBytes + extentEntryBytes &&
      view.getUint32(at + extentFrameHeaderBytes, true) === extentEntryKind.mark
    at += found.frameBytes
    crc = found.crc
  }
}

const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const decodeIdentity = (bytes: Uint8Array): string | undefined => {
  try {
    return text.decode(bytes)
  } catch {
    return undefined
  }
}

/** The bytes that an identity of so many takes: entries begin at multiples of eight. */
export const paddedIdentityBytes = (bytes: number): number => Math.ceil(bytes / 8) * 8

export interface FrameRange {
  /** Where the frame's first entry begins, and its last one ends, in the bytes that are given. */
  readonly from: number
  readonly to: number
  /** What is to be added for the offset in the file. */
  readonly base: number
  readonly path: string
}

/** Tells `take` every entry of a frame that counts. Throws `Corrupt` for one that can't be. */
export const decodeExtentEntries = (bytes: Uint8Array, range: FrameRange, take: ExtentEntries): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = range.from; at < range.to;) at += decodeEntry(bytes, view, at, range, take)
}

const decodeEntry = (
  bytes: Uint8Array,
  view: DataView,
  at: number,
  { base, path, to }: FrameRange,
  take: ExtentEntries
): number => {
  const damaged = (field: number, reason: string) => new Corrupt({ path, offset: base + at + field, reason })
  if (at + extentEntryBytes > to) throw damaged(0, "the frame ends within an entry")
  const kind = view.getUint32(at, true)
  const value = view.getUint32(at + 4, true)
  const offset = getUint53(view, at + 8)
  const length = getUint53(view, at + 16)
  if (offset === undefined) throw damaged(8, "an offset is above 2^53-1")
  if (length === undefined) throw damaged(16, "a length is above 2^53-1")
  const within = (limit: number): void => {
    if (length < 1 || length > limit) throw damaged(16, `a length is ${length}, not from 1 to ${limit}`)
    if (!isOffset(offset + length)) throw damaged(16, "a range ends beyond 2^53-1")
  }
  switch (kind) {
    case extentEntryKind.create:
      within(maxPieceBytes)
      take.create(offset, length, value)
      break
    case extentEntryKind.piece:
      within(maxPieceBytes)
      take.piece(offset, length, value)
      break
    case extentEntryKind.extent:
      within(maxExtentBytes)
      take.extent(offset, length)
      break
    case extentEntryKind.split:
      if (length >= 2 ** 32) throw damaged(16, "a checksum has more than 32 bits")
      take.split(offset, value, length)
      break
    case extentEntryKind.void:
      within(Number.MAX_SAFE_INTEGER)
      take.void(offset, length)
      break
    case extentEntryKind.forget:
      take.forget(offset)
      break
    case extentEntryKind.pin: {
      const end = at + extentEntryBytes + paddedIdentityBytes(value)
      if (value > maxIdentityBytes || end > to) throw damaged(4, "an identity is longer than its frame")
      const identity = decodeIdentity(bytes.subarray(at + extentEntryBytes, at + extentEntryBytes + value))
      if (identity === undefined) throw damaged(extentEntryBytes, "an identity is not UTF-8")
      take.pin(length, identity)
      return end - at
    }
    case extentEntryKind.clear:
      take.clear()
      break
    case extentEntryKind.mark:
      if (value > 1) throw damaged(4, `a mark says ${value}, neither 0 nor 1`)
      take.mark(value === 1)
      break
    case extentEntryKind.unsure:
      take.unsure()
      break
    default:
      throw damaged(0, `an entry is of kind ${kind}, which is not known`)
  }
  return extentEntryBytes
}

export const setUint53 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

const getUint53 = (view: DataView, at: number): number | undefined => {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined
}
