/**
 * Control files of every version, as they were written once: they are read for ever.
 * `LACUNA_WRITE_GOLDEN=1` writes one that is missing, and none that is there.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import {
  controlFileBytes,
  type ControlRecord,
  controlSlotBytes,
  encodeControlRecord
} from "../../src/format/controlRecord.ts"
import { decodeControlSlots } from "../../src/format/controlSlots.ts"

/** Before the last collection, with many chunks: what the first slot still has of it lies behind its record. */
const before: ControlRecord = {
  sequence: 2 ** 33 + 4,
  generation: 0,
  suffixStart: 0,
  prefixDataBytes: 0,
  prefixMapBytes: 0,
  firstChunk: 0,
  firstChunkOffset: 0,
  chunkLengths: Array.from({ length: 300 }, (_, i) => (i + 1) * 2 ** (i % 30))
}
const newest: ControlRecord = {
  sequence: 2 ** 33 + 8,
  generation: 1,
  suffixStart: 2 ** 41 + 100,
  prefixDataBytes: 123_456_789,
  prefixMapBytes: 98_765_432,
  firstChunk: 299,
  firstChunkOffset: 2 ** 41 + 3,
  chunkLengths: [2 ** 40 + 1, 70_000, 11]
}
const older: ControlRecord = { ...newest, sequence: newest.sequence - 1, chunkLengths: [2 ** 40 + 1, 69_000] }

const made = (): Uint8Array => {
  const bytes = new Uint8Array(controlFileBytes)
  bytes.set(encodeControlRecord(before))
  bytes.set(encodeControlRecord(newest))
  bytes.set(encodeControlRecord(older), controlSlotBytes)
  return bytes
}

const path = new URL("control-1", import.meta.url)

describe("a control file of version 1", () => {
  if (process.env["LACUNA_WRITE_GOLDEN"] === "1" && !existsSync(path)) writeFileSync(path, made())
  const golden = new Uint8Array(readFileSync(path))

  it("is read: the newest record counts, and the other one without it", () => {
    const found = decodeControlSlots(golden, "control-1")
    assert.deepStrictEqual(found, { record: newest, slot: 0, slotsWhole: true, damage: undefined })
    const torn = golden.slice()
    torn[20] ^= 1
    assert.deepStrictEqual(decodeControlSlots(torn, "control-1").record, older)
  })

  it("is still written byte for byte", () => {
    assert.isTrue(Buffer.from(made()).equals(golden))
  })
})
