/**
 * Makes zip archives to read: as small as can be in code, and as large as you like in bytes.
 *
 * A member of zeros is stored as a hole, which takes no space on the disk. Zip64 records are written
 * where a number does not fit 32 bits, or everywhere if asked for.
 */
import { crc32, deflateRawSync } from "node:zlib"
import * as Effect from "effect/Effect"
import { Io } from "lacuna"
import {
  deflated,
  directoryEntry,
  endRecord,
  localHeader,
  stored,
  wide,
  zip64ExtraId,
  zip64Locator,
  zip64Record
} from "./zipRecords.js"

/** @typedef {{ readonly name: string, readonly bytes: Uint8Array }} BytesMember deflated */
/** @typedef {{ readonly name: string, readonly zeroBytes: number }} ZerosMember stored */

/**
 * @typedef {object} Entry
 * @property {Buffer} name
 * @property {number} method
 * @property {number} sum CRC-32
 * @property {number} packedBytes
 * @property {number} memberBytes
 * @property {number} headerOffset
 */

/** Names are UTF-8. */
const flags = 0x800
/** What a reader must understand: Zip64. */
const version = 45
/** 1 January 1980, which is as early as it goes: equal members make equal archives. */
const date = 0x0021

/** The numbers in little-endian order, each in so many bytes. */
const record = (/** @type {ReadonlyArray<readonly [value: number, bytes: 2 | 4 | 8]>} */ fields) => {
  const bytes = Buffer.alloc(fields.reduce((sum, [, width]) => sum + width, 0))
  let at = 0
  for (const [value, width] of fields) {
    if (width === 8) bytes.writeBigUInt64LE(BigInt(value), at)
    else bytes.writeUIntLE(value, at, width)
    at += width
  }
  return bytes
}

/** The CRC-32 of so many zeros. */
const sumOfZeros = (/** @type {number} */ length) => {
  const zeros = Buffer.alloc(Math.min(length, 1 << 20))
  let sum = 0
  for (let left = length; left > 0; left -= zeros.length) sum = crc32(zeros.subarray(0, left), sum)
  return sum
}

/** The Zip64 extra field with these numbers, if any. */
const zip64Extra = (/** @type {ReadonlyArray<number>} */ values) =>
  values.length === 0
    ? Buffer.alloc(0)
    : record([
        [zip64ExtraId, 2],
        [8 * values.length, 2],
        ...values.map((value) => /** @type {const} */ ([value, 8]))
      ])

/** Whether 32 bits can't hold it, or must not. */
const isWide = (/** @type {number} */ value, /** @type {boolean} */ zip64) => zip64 || value >= wide.uint32

/** @param {Entry} entry @param {boolean} zip64 */
const localHeaderOf = ({ memberBytes, method, name, packedBytes, sum }, zip64) => {
  // Both sizes or none, in this record.
  const widened = isWide(Math.max(memberBytes, packedBytes), zip64)
  const extra = zip64Extra(widened ? [memberBytes, packedBytes] : [])
  return Buffer.concat([
    record([
      [localHeader.signature, 4],
      [version, 2],
      [flags, 2],
      [method, 2],
      [0, 2],
      [date, 2],
      [sum, 4],
      [widened ? wide.uint32 : packedBytes, 4],
      [widened ? wide.uint32 : memberBytes, 4],
      [name.length, 2],
      [extra.length, 2]
    ]),
    name,
    extra
  ])
}

/** @param {Entry} entry @param {boolean} zip64 */
const directoryEntryOf = ({ headerOffset, memberBytes, method, name, packedBytes, sum }, zip64) => {
  const narrow = (/** @type {number} */ value) => (isWide(value, zip64) ? wide.uint32 : value)
  const extra = zip64Extra([memberBytes, packedBytes, headerOffset].filter((value) => isWide(value, zip64)))
  return Buffer.concat([
    record([
      [directoryEntry.signature, 4],
      [version, 2],
      [version, 2],
      [flags, 2],
      [method, 2],
      [0, 2],
      [date, 2],
      [sum, 4],
      [narrow(packedBytes), 4],
      [narrow(memberBytes), 4],
      [name.length, 2],
      [extra.length, 2],
      [0, 2], // comment
      [0, 2], // volume
      [0, 2], // attributes, here and in the next one
      [0, 4],
      [narrow(headerOffset), 4]
    ]),
    name,
    extra
  ])
}

/**
 * What stands behind the directory.
 * @param {{ readonly count: number, readonly offset: number, readonly bytes: number }} directory
 * @param {boolean} zip64
 */
const endOf = ({ bytes, count, offset }, zip64) => {
  const widened = count >= wide.uint16 || isWide(Math.max(offset, bytes), zip64)
  const told = Math.min(count, wide.uint16)
  const end = record([
    [endRecord.signature, 4],
    [0, 2],
    [0, 2],
    [widened ? wide.uint16 : told, 2],
    [widened ? wide.uint16 : told, 2],
    [widened ? wide.uint32 : bytes, 4],
    [widened ? wide.uint32 : offset, 4],
    [0, 2]
  ])
  if (!widened) return end
  const wideEnd = record([
    [zip64Record.signature, 4],
    [zip64Record.bytes - 12, 8], // what follows this number
    [version, 2],
    [version, 2],
    [0, 4],
    [0, 4],
    [count, 8],
    [count, 8],
    [bytes, 8],
    [offset, 8]
  ])
  const locator = record([
    [zip64Locator.signature, 4],
    [0, 4],
    [offset + bytes, 8],
    [1, 4]
  ])
  return Buffer.concat([wideEnd, locator, end])
}

/**
 * Makes an archive of `members` in a new file at `path`, and gives its size in bytes. Where it fails
 * nothing is left. With `zip64` it has the records of large archives in any case.
 */
export const makeArchive = Effect.fnUntraced(function* (
  /** @type {string} */ path,
  /** @type {Iterable<BytesMember | ZerosMember>} */ members,
  /** @type {{ readonly zip64?: boolean }} */ { zip64 = false } = {}
) {
  const io = yield* Io
  const file = yield* io.create(path, { overwrite: false })
  return yield* writeArchive(file, members, zip64).pipe(Effect.onError(() => Effect.ignore(io.remove(path))))
})

const writeArchive = Effect.fnUntraced(
  function* (
    /** @type {import("lacuna").IoFile} */ file,
    /** @type {Iterable<BytesMember | ZerosMember>} */ members,
    /** @type {boolean} */ zip64
  ) {
    const directory = []
    let end = 0
    for (const member of members) {
      const { data, ...packed } = pack(member)
      const entry = { ...packed, headerOffset: end }
      const header = localHeaderOf(entry, zip64)
      yield* file.writeAt(end, Buffer.concat([header, data]))
      end += header.length + entry.packedBytes
      directory.push(directoryEntryOf(entry, zip64))
    }
    const entries = Buffer.concat(directory)
    const tail = endOf({ count: directory.length, offset: end, bytes: entries.length }, zip64)
    // Written behind the last member, even if that is a hole: which thereby becomes a part of the file.
    yield* file.writeAt(end, Buffer.concat([entries, tail]))
    return end + entries.length + tail.length
  }
)

/** What is known of a member before it has a place, and what is written of it: of zeros nothing. */
const pack = (/** @type {BytesMember | ZerosMember} */ member) => {
  const name = Buffer.from(member.name)
  if ("bytes" in member) {
    const { bytes } = member
    const data = deflateRawSync(bytes)
    const [memberBytes, packedBytes] = [bytes.length, data.length]
    return { name, data, method: deflated, sum: crc32(bytes), memberBytes, packedBytes }
  }
  const length = member.zeroBytes
  const sum = sumOfZeros(length)
  return { name, data: Buffer.alloc(0), method: stored, sum, memberBytes: length, packedBytes: length }
}
