import { assert, describe, it } from "vitest"
import { crc32 } from "../../src/bytes/crc32.ts"
import { Corrupt } from "../../src/bytes/errors.ts"
import {
  blockSumsHeaderBytes,
  decodeBlockSums,
  decodeBlockSumsHeader,
  encodeBlockSums
} from "../../src/format/blockSums.ts"

const dataLength = 2 * 65_536 + 5
const sums = Uint32Array.of(1, 0xffff_ffff, 0x8000_0001)
const offset = 1000

const decode = (section: Uint8Array) =>
  decodeBlockSumsHeader(section.subarray(0, blockSumsHeaderBytes), {
    path: "/sums",
    offset,
    fileSize: offset + section.length
  })

/** What is wrong with a section in which `change` was made and the header's checksum made right again. */
const faultOf = (change: (view: DataView) => void): Corrupt => {
  const section = encodeBlockSums(dataLength, sums)
  const view = new DataView(section.buffer)
  change(view)
  view.setUint32(36, crc32(section.subarray(0, 36)), true)
  try {
    decode(section)
  } catch (error) {
    assert.instanceOf(error, Corrupt)
    assert.strictEqual(error.path, "/sums")
    return error
  }
  return assert.fail("it was taken")
}

describe("the header of block sums", () => {
  it("is decoded as it was encoded, and so is the table", () => {
    const section = encodeBlockSums(dataLength, sums)
    const { blocks, dataLength: length, tableSum } = decode(section)
    const table = section.subarray(blockSumsHeaderBytes)
    assert.deepStrictEqual(
      { blocks, length, tableSum },
      { blocks: 3, length: dataLength, tableSum: crc32(table) }
    )
    assert.deepStrictEqual(decodeBlockSums(table, blocks), sums)
  })

  // A checksum that matches says that somebody meant to write this: it is told apart from what was torn.
  it.each<[string, number, RegExp, (view: DataView) => void]>([
    ["a version that is not known", 8, /version 2 .* not known/, (view) => view.setUint32(8, 2, true)],
    ["blocks of another size", 12, /block size is 4096/, (view) => view.setUint32(12, 4096, true)],
    ["more data than offsets reach", 16, /above 2\^53-1/, (view) => view.setUint32(20, 2 ** 21, true)],
    ["one block too few", 24, /doesn't fit/, (view) => view.setUint32(24, 2, true)],
    ["one block too many", 24, /doesn't fit/, (view) => view.setUint32(24, 4, true)],
    ["a number of blocks above 2^53-1", 24, /doesn't fit/, (view) => view.setUint32(28, 2 ** 31, true)]
  ])("with the right checksum and %s is Corrupt where it says so", (_, at, reason, change) => {
    const fault = faultOf(change)
    assert.strictEqual(fault.offset, offset + at)
    assert.match(fault.reason, reason)
  })
})
