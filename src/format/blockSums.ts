/**
 * Block sums: a CRC-32 for every 64 KiB of a data file, and the data's length.
 *
 * The section follows the offmap image in `<path>.map`, and is all of the `.sum` file of a sealed chunk.
 * All integers are little-endian.
 *
 * ```
 *        0      1      2      3      4      5      6      7
 *    +------+------+------+------+------+------+------+------+
 *  0 | magic "lacunaBS"                                      |
 *    +------+------+------+------+------+------+------+------+
 *  8 | version (1)               | block size (65536)        |
 *    +------+------+------+------+------+------+------+------+
 * 16 | data length, bytes                                    |
 *    +------+------+------+------+------+------+------+------+
 * 24 | number of blocks                                      |
 *    +------+------+------+------+------+------+------+------+
 * 32 | CRC-32 of the table       | CRC-32 of bytes 0 to 35   |
 *    +------+------+------+------+------+------+------+------+
 * 40 | CRC-32 of block 0         | CRC-32 of block 1 ...     |
 *    +------+------+------+------+------+------+------+------+
 * ```
 *
 * The last block may be short. The table is padded with zeros to a multiple of eight bytes, and its
 * CRC covers the padding, so no bit of the section is without a check. The section ends the file:
 * its length follows from the data's, and any other size of the file is damage.
 *
 * Pure: this module checks and converts bytes, and does no I/O.
 */
import { crc32 } from "../bytes/crc32.ts"
import { Corrupt } from "../bytes/errors.ts"

/** The bytes of data that one sum covers. */
export const blockSumsBlockBytes = 65_536
/** The bytes before the table. */
export const blockSumsHeaderBytes = 40
export const blockSumsVersion = 1
/** "lacunaBS" */
export const blockSumsMagic = Uint8Array.of(0x6c, 0x61, 0x63, 0x75, 0x6e, 0x61, 0x42, 0x53)

/** What the header says. */
export interface BlockSumsHeader {
  /** The length of the data in bytes. */
  readonly dataLength: number
  readonly blocks: number
  /** The CRC-32 of the table, padding included. */
  readonly tableSum: number
}

/** Where a section lies: for error messages, and to check claims against the file's real size. */
export interface BlockSumsPlace {
  readonly path: string
  /** The file offset of the section. */
  readonly offset: number
  /** The size of the whole file. */
  readonly fileSize: number
}

/** The number of blocks that `dataLength` bytes have. */
export const blockCount = (dataLength: number): number => Math.ceil(dataLength / blockSumsBlockBytes)

/** The bytes of the table for so many blocks, padding included. */
export const blockSumsTableBytes = (blocks: number): number => Math.ceil(blocks / 2) * 8

/** The section for data of `dataLength` bytes, whose blocks have the CRC-32s `sums`. */
export const encodeBlockSums = (dataLength: number, sums: Uint32Array): Uint8Array => {
  const tableBytes = blockSumsTableBytes(sums.length)
  const section = new Uint8Array(blockSumsHeaderBytes + tableBytes)
  const view = new DataView(section.buffer)
  for (let i = 0; i < sums.length; i++) view.setUint32(blockSumsHeaderBytes + i * 4, sums[i], true)
  section.set(blockSumsMagic)
  view.setUint32(8, blockSumsVersion, true)
  view.setUint32(12, blockSumsBlockBytes, true)
  setUint53(view, 16, dataLength)
  setUint53(view, 24, sums.length)
  view.setUint32(32, crc32(section.subarray(blockSumsHeaderBytes)), true)
  view.setUint32(36, crc32(section.subarray(0, 36)), true)
  return section
}

/**
 * Reads the header, given the first `blockSumsHeaderBytes` of the section (or as many as there
 * are). Throws `Corrupt` unless all of it holds and the section ends exactly where the file does;
 * after that, `blocks` can be trusted to allocate memory.
 */
export const decodeBlockSumsHeader = (bytes: Uint8Array, place: BlockSumsPlace): BlockSumsHeader => {
  const damaged = (at: number, reason: string): Corrupt =>
    new Corrupt({ path: place.path, offset: place.offset + at, reason })
  if (bytes.length < blockSumsHeaderBytes) {
    throw damaged(bytes.length, "the file ends within the header of the block sums")
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, blockSumsHeaderBytes)
  for (let i = 0; i < blockSumsMagic.length; i++) {
    if (bytes[i] !== blockSumsMagic[i]) throw damaged(i, "the block sums don't begin with their magic bytes")
  }
  if (view.getUint32(36, true) !== crc32(bytes.subarray(0, 36))) {
    throw damaged(36, "the checksum of the block sums' header is wrong")
  }
  const version = view.getUint32(8, true)
  if (version !== blockSumsVersion) {
    throw damaged(8, `version ${version} of the block sums is not known (known: ${blockSumsVersion})`)
  }
  if (view.getUint32(12, true) !== blockSumsBlockBytes) {
    throw damaged(12, `the block size is ${view.getUint32(12, true)}, not ${blockSumsBlockBytes}`)
  }
  const dataLength = getUint53(view, 16)
  if (dataLength === undefined) throw damaged(16, "the data's length is above 2^53-1")
  const blocks = getUint53(view, 24)
  if (blocks !== blockCount(dataLength)) {
    throw damaged(24, `the number of blocks doesn't fit the data's length ${dataLength}`)
  }
  const end = place.offset + blockSumsHeaderBytes + blockSumsTableBytes(blocks)
  if (end !== place.fileSize) {
    const at = Math.min(end, place.fileSize) - place.offset
    throw damaged(at, `the block sums end at ${end}, and the file has ${place.fileSize} bytes`)
  }
  return { dataLength, blocks, tableSum: view.getUint32(32, true) }
}

/** The sums in `table`, a part of the table that begins at a multiple of four bytes. */
export const decodeBlockSums = (table: Uint8Array, blocks: number): Uint32Array => {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
  return Uint32Array.from({ length: blocks }, (_, i) => view.getUint32(i * 4, true))
}

const setUint53 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

const getUint53 = (view: DataView, at: number): number | undefined => {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined
}
