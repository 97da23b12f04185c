/**
 * Verified blocks: what is asked for is read and verified, and what is not asked for does not matter.
 */
import { describe, expect, it } from "vitest"
import { crc32 } from "../../src/bytes/crc32.ts"
import { ReadOutOfBounds } from "../../src/bytes/errors.ts"
import { VerifiedBlocks } from "../../src/file/verifiedBlocks.ts"
import { blockSumsBlockBytes } from "../../src/format/blockSums.ts"
import type { IoFile } from "../../src/io/Io.ts"
import { expectBytes, ioError, record } from "../store/storeHarness.ts"

const length = 9 * blockSumsBlockBytes + 321
const content = record(length)

/** A file whose reads of these blocks fail. */
const fileOf = (bytes: Uint8Array, unreadable: ReadonlyArray<number> = []) => {
  const reads: Array<readonly [first: number, count: number]> = []
  const readAt = (offset: number, buffer: Uint8Array): void => {
    const first = offset / blockSumsBlockBytes
    const count = Math.ceil(buffer.length / blockSumsBlockBytes)
    reads.push([first, count])
    if (unreadable.some((block) => block >= first && block < first + count)) throw ioError("read", "file")
    const end = offset + buffer.length
    if (end > bytes.length)
      throw new ReadOutOfBounds({ path: "file", offset, length: buffer.length, end: bytes.length })
    buffer.set(bytes.subarray(offset, end))
  }
  // Of a file nothing else is used.
  return { reads, file: { path: "file", unsafe: { readAt } } as unknown as IoFile }
}

const sums = Uint32Array.from({ length: Math.ceil(length / blockSumsBlockBytes) }, (_, block) =>
  crc32(content.subarray(block * blockSumsBlockBytes, (block + 1) * blockSumsBlockBytes))
)

const copyOf = (blocks: VerifiedBlocks, position: number, count: number): Uint8Array => {
  const buffer = new Uint8Array(count + 2)
  blocks.copy(position, buffer, 1, count)
  expect([buffer[0], buffer[count + 1]]).toEqual([0, 0])
  return buffer.subarray(1, count + 1)
}

const damaged = (...blocks: ReadonlyArray<number>): Uint8Array => {
  const bytes = content.slice()
  for (const block of blocks) bytes[block * blockSumsBlockBytes + 99] ^= 1
  return bytes
}

const expectCopied = (blocks: VerifiedBlocks, position: number, count: number): void =>
  expectBytes(copyOf(blocks, position, count), content.subarray(position, position + count))

describe("verified blocks", () => {
  it("give the file's bytes, in pieces of any size and across blocks", () => {
    const { file } = fileOf(content)
    for (const step of [1000, 65_536, 65_537, 300_000, length]) {
      const blocks = new VerifiedBlocks({ file, length, sums })
      for (let at = 0; at < length; at += step) expectCopied(blocks, at, Math.min(step, length - at))
    }
  })

  it("are read ahead where they are asked for one after the other, and alone where one is picked out", () => {
    const { file, reads } = fileOf(content)
    const blocks = new VerifiedBlocks({ file, length, sums })
    for (let at = 0; at < length; at += 1000) copyOf(blocks, at, Math.min(1000, length - at))
    expect(reads.length).toBeLessThan(sums.length)
    reads.splice(0)
    for (const block of [2, 5, 8]) copyOf(blocks, block * blockSumsBlockBytes, 10)
    expect(reads).toEqual([
      [2, 1],
      [5, 1],
      [8, 1]
    ])
  })

  it("that can't be read fail nothing, unless they are asked for", () => {
    for (let bad = 0; bad < sums.length; bad++) {
      const { file } = fileOf(content, [bad])
      const blocks = new VerifiedBlocks({ file, length, sums })
      for (let block = 0; block < sums.length; block++) {
        const position = block * blockSumsBlockBytes + 7
        if (block === bad) continue
        expectCopied(blocks, position, 200)
      }
      expect(() => copyOf(blocks, bad * blockSumsBlockBytes, 1)).toThrow(
        expect.objectContaining({ _tag: "IoFailed" })
      )
    }
  })

  it("that can't be read fail nothing beside them even once they were asked for", () => {
    const { file } = fileOf(content, [3])
    const blocks = new VerifiedBlocks({ file, length, sums })
    expectCopied(blocks, 0, 3 * blockSumsBlockBytes)
    expect(() => copyOf(blocks, 3 * blockSumsBlockBytes, 1)).toThrow()
    expectCopied(blocks, 4 * blockSumsBlockBytes, 3 * blockSumsBlockBytes)
    expectCopied(blocks, 0, 10)
  })

  it("that are damaged fail nothing, unless they are asked for, and then give nothing out", () => {
    const { file } = fileOf(damaged(1, 4, 9))
    const blocks = new VerifiedBlocks({ file, length, sums })
    for (const block of [0, 2, 3, 5, 6, 7, 8]) expectCopied(blocks, block * blockSumsBlockBytes, 1000)
    for (const block of [1, 4, 9]) {
      const buffer = new Uint8Array(10)
      const corrupt = { _tag: "Corrupt", path: "file", offset: block * blockSumsBlockBytes }
      for (let times = 0; times < 2; times++) {
        expect(() => blocks.copy(block * blockSumsBlockBytes, buffer, 0, 10)).toThrow(
          expect.objectContaining(corrupt)
        )
      }
      expect(buffer).toEqual(new Uint8Array(10))
    }
  })

  it("beyond the end of a file that became shorter are Corrupt, and those before it are not", () => {
    const { file } = fileOf(content.subarray(0, 5 * blockSumsBlockBytes + 100))
    const blocks = new VerifiedBlocks({ file, length, sums })
    expectCopied(blocks, 0, 5 * blockSumsBlockBytes)
    expect(() => copyOf(blocks, 5 * blockSumsBlockBytes, 1)).toThrow(
      expect.objectContaining({ _tag: "Corrupt", path: "file" })
    )
  })
})
