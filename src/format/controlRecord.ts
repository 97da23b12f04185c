/**
 * The control record: what a store is at one moment, as one slot of `store.control` holds it.
 * FORMAT.md has the diagram, and says how the two slots are written.
 *
 * - Encoding and decoding check the same predicate, `recordFault`: what can't be read is not written.
 * - What a slot claims about itself is bounded first, then checksummed, and only then believed.
 * - A slot that was torn by a crash is an ordinary thing, and another one may stand in for it. A
 *   record whose checksum holds and that this program can't read, or that makes no sense, is not:
 *   passing over it would mean to go back, without a word, to a state that was superseded.
 *
 * Pure: this module checks and converts bytes, and does no I/O.
 */
import { crc32 } from "../bytes/crc32.ts"
import { Corrupt } from "../bytes/errors.ts"
import { isOffset, type VirtualOffset } from "../bytes/offset.ts"

export const controlMagic = "lacunaCT"
export const controlVersion = 1
export const controlSlots = 2
export const controlSlotBytes = 65_536
/** The control file has this size from before it gets its name, and for ever. */
export const controlFileBytes = controlSlots * controlSlotBytes
/** The bytes of a record before the lengths of its chunks. */
export const controlHeaderBytes = 80
/** As many chunks as one slot can list. */
export const maxChunks = (controlSlotBytes - controlHeaderBytes) / 8

const versionAt = 8
const recordBytesAt = 12
const chunksAt = 72
const crcAt = 76
const fieldAt = {
  sequence: 16,
  generation: 24,
  suffixStart: 32,
  prefixDataBytes: 40,
  prefixMapBytes: 48,
  firstChunk: 56,
  firstChunkOffset: 64
} as const
const fields = Object.entries(fieldAt) as ReadonlyArray<[keyof typeof fieldAt, number]>

/** The committed state of a store. Lengths and offsets are bytes. */
export interface ControlRecord {
  /** One more than that of the record before. */
  readonly sequence: number
  /** How many collections the store has seen; it names the files of the prefix. 0: no prefix. */
  readonly generation: number
  /** The last collection's `upTo`: below it the prefix answers, from it on the chunks. */
  readonly suffixStart: VirtualOffset
  readonly prefixDataBytes: number
  readonly prefixMapBytes: number
  /** The number of the first chunk; those after it follow without a gap. */
  readonly firstChunk: number
  /** The virtual offset of the first chunk's first byte; it may lie below `suffixStart`. */
  readonly firstChunkOffset: VirtualOffset
  /** The committed length of each chunk. The last one listed is active, the others are sealed. */
  readonly chunkLengths: ReadonlyArray<number>
}

/** A chunk, as a record lists it. */
export interface ControlledChunk {
  readonly number: number
  readonly offset: VirtualOffset
  readonly length: number
  readonly sealed: boolean
}

/** Where a slot lies: for error messages. */
export interface ControlPlace {
  readonly path: string
  /** The file offset of the slot. */
  readonly offset: number
}

/** What a slot holds: a record; a part of one, or what damage left of it; nothing but zeros. */
export type ControlSlot =
  | { readonly state: "whole"; readonly record: ControlRecord }
  | { readonly state: "torn" | "blank"; readonly damage: Corrupt }

/** What is wrong with a record, and at which of its bytes. */
export interface RecordFault {
  readonly at: number
  readonly reason: string
}

/** The end of everything committed. */
export const controlEnd = (record: ControlRecord): VirtualOffset =>
  record.chunkLengths.reduce((end, length) => end + length, record.firstChunkOffset)

/** The chunks of a record, ascending. */
export const controlChunks = (record: ControlRecord): Array<ControlledChunk> => {
  const last = record.chunkLengths.length - 1
  let end = record.firstChunkOffset
  return record.chunkLengths.map((length, i) => {
    const offset = end
    end += length
    return { number: record.firstChunk + i, offset, length, sealed: i < last }
  })
}

/** Why there can be no such record, or undefined. It holds for all that is written and all that is read. */
export const recordFault = (record: ControlRecord): RecordFault | undefined => {
  for (const [name, at] of fields) {
    if (!isOffset(record[name])) return fault(at, `${name} is ${record[name]}, not an integer up to 2^53-1`)
  }
  return prefixFault(record) ?? chunksFault(record)
}

const prefixFault = (record: ControlRecord): RecordFault | undefined => {
  const { generation, prefixDataBytes, prefixMapBytes, suffixStart } = record
  if (generation === 0) {
    const prefix = [
      ["suffixStart", suffixStart],
      ["prefixDataBytes", prefixDataBytes],
      ["prefixMapBytes", prefixMapBytes]
    ] as const
    const wrong = prefix.find(([, value]) => value !== 0)
    return wrong && fault(fieldAt[wrong[0]], `${wrong[0]} is ${wrong[1]}, and generation 0 has no prefix`)
  }
  if (prefixMapBytes === 0) return fault(fieldAt.prefixMapBytes, `the prefix of ${generation} has no map`)
  if (prefixDataBytes > suffixStart) {
    const reason = `the prefix has ${prefixDataBytes} bytes, and only ${suffixStart} were there to keep`
    return fault(fieldAt.prefixDataBytes, reason)
  }
  return undefined
}

const chunksFault = (record: ControlRecord): RecordFault | undefined => {
  const { chunkLengths, firstChunk, firstChunkOffset, suffixStart } = record
  const count = chunkLengths.length
  if (count > maxChunks)
    return fault(chunksAt, `${count} chunks are listed; a slot has room for ${maxChunks}`)
  if (!isOffset(firstChunk + count))
    return fault(fieldAt.firstChunk, "the last chunk's number is above 2^53-1")
  let end = firstChunkOffset
  for (let i = 0; i < count; i++) {
    const at = controlHeaderBytes + i * 8
    const length = chunkLengths[i]
    if (!isOffset(length)) return fault(at, `a chunk's length is ${length}, not an integer up to 2^53-1`)
    end += length
    if (!isOffset(end)) return fault(at, "a chunk ends beyond 2^53-1")
    if (i === count - 1) break
    if (length === 0) return fault(at, "a sealed chunk is empty")
    // Only the first can lie below: those after it begin where it ends.
    if (end <= suffixStart)
      return fault(at, `a sealed chunk ends at ${end}, below the suffix at ${suffixStart}`)
  }
  if (firstChunkOffset > suffixStart) {
    const reason = `the suffix starts at ${suffixStart}, and its first chunk at ${firstChunkOffset}`
    return fault(fieldAt.firstChunkOffset, reason)
  }
  if (end < suffixStart) {
    return fault(fieldAt.suffixStart, `the suffix starts at ${suffixStart}, and its chunks end at ${end}`)
  }
  return undefined
}

const fault = (at: number, reason: string): RecordFault => ({ at, reason })

/** The bytes of a record, which are what is written of a slot: a multiple of eight. */
export const encodeControlRecord = (record: ControlRecord): Uint8Array => {
  const wrong = recordFault(record)
  if (wrong !== undefined) throw new Error(`a control record that nobody could read: ${wrong.reason}`)
  const { chunkLengths } = record
  const bytes = new Uint8Array(controlHeaderBytes + chunkLengths.length * 8)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < controlMagic.length; i++) bytes[i] = controlMagic.charCodeAt(i)
  view.setUint32(versionAt, controlVersion, true)
  view.setUint32(recordBytesAt, bytes.length, true)
  for (const [name, at] of fields) setUint53(view, at, record[name])
  view.setUint32(chunksAt, chunkLengths.length, true)
  for (let i = 0; i < chunkLengths.length; i++) setUint53(view, controlHeaderBytes + i * 8, chunkLengths[i])
  view.setUint32(crcAt, recordCrc(bytes), true)
  return bytes
}

/**
 * What a slot holds. Throws `Corrupt` for a record that was written as it is, since its checksum
 * holds, and yet can't be read: of a later version, or impossible. The bytes behind the record are
 * what a longer one before it has left, and mean nothing.
 */
export const decodeControlSlot = (slot: Uint8Array, place: ControlPlace): ControlSlot => {
  const damaged = (at: number, reason: string): Corrupt =>
    new Corrupt({ path: place.path, offset: place.offset + at, reason })
  const torn = (at: number, reason: string): ControlSlot => ({ state: "torn", damage: damaged(at, reason) })
  if (slot.length < controlHeaderBytes) {
    return torn(slot.length, `the slot ends here, and a record has ${controlHeaderBytes} bytes at least`)
  }
  if (slot.every((byte) => byte === 0)) {
    return { state: "blank", damage: damaged(0, "the slot was never written, or was lost: it is all zeros") }
  }
  for (let i = 0; i < controlMagic.length; i++) {
    if (slot[i] !== controlMagic.charCodeAt(i)) return torn(i, "the slot doesn't begin with its magic bytes")
  }
  const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength)
  const recordBytes = view.getUint32(recordBytesAt, true)
  if (recordBytes < controlHeaderBytes || recordBytes > Math.min(slot.length, controlSlotBytes)) {
    const room = `the slot has room for ${controlHeaderBytes} to ${Math.min(slot.length, controlSlotBytes)}`
    return torn(recordBytesAt, `the record claims ${recordBytes} bytes, and ${room}`)
  }
  if (view.getUint32(crcAt, true) !== recordCrc(slot.subarray(0, recordBytes))) {
    return torn(
      crcAt,
      "the record's checksum does not match: its write was cut short, or it was damaged since"
    )
  }
  const version = view.getUint32(versionAt, true)
  if (version !== controlVersion) {
    const reason = `the record has version ${version}, and this program knows ${controlVersion}: use a newer one`
    throw damaged(versionAt, reason)
  }
  const chunks = view.getUint32(chunksAt, true)
  if (recordBytes !== controlHeaderBytes + chunks * 8) {
    throw damaged(chunksAt, `a record of ${recordBytes} bytes can't list ${chunks} chunks`)
  }
  const record = decodeFields(view, chunks)
  const wrong = recordFault(record)
  if (wrong !== undefined) throw damaged(wrong.at, wrong.reason)
  return { state: "whole", record }
}

/** The record in a slot. Throws `Corrupt` when there is none, for whatever reason. */
export const decodeControlRecord = (slot: Uint8Array, place: ControlPlace): ControlRecord => {
  const found = decodeControlSlot(slot, place)
  if (found.state === "whole") return found.record
  throw found.damage
}

const decodeFields = (view: DataView, chunks: number): ControlRecord => ({
  sequence: getUint64(view, fieldAt.sequence),
  generation: getUint64(view, fieldAt.generation),
  suffixStart: getUint64(view, fieldAt.suffixStart),
  prefixDataBytes: getUint64(view, fieldAt.prefixDataBytes),
  prefixMapBytes: getUint64(view, fieldAt.prefixMapBytes),
  firstChunk: getUint64(view, fieldAt.firstChunk),
  firstChunkOffset: getUint64(view, fieldAt.firstChunkOffset),
  chunkLengths: Array.from({ length: chunks }, (_, i) => getUint64(view, controlHeaderBytes + i * 8))
})

/** Of every byte of a record but the sum's own four. */
const recordCrc = (record: Uint8Array): number =>
  crc32(record.subarray(crcAt + 4), crc32(record.subarray(0, crcAt)))

const setUint53 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

/** Inexact beyond 2^53-1, and beyond it all the same: `recordFault` refuses it. */
const getUint64 = (view: DataView, at: number): number =>
  view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
