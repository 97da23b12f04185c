import { assert, describe, it } from "vitest"
import { crc32 } from "../../src/bytes/crc32.ts"
import { Corrupt } from "../../src/bytes/errors.ts"
import {
  controlChunks,
  controlEnd,
  controlFileBytes,
  controlHeaderBytes,
  type ControlRecord,
  controlSlotBytes,
  decodeControlRecord,
  decodeControlSlot,
  encodeControlRecord,
  maxChunks,
  recordFault
} from "../../src/format/controlRecord.ts"
import { decodeControlSlots } from "../../src/format/controlSlots.ts"

const largest = Number.MAX_SAFE_INTEGER
const origin = controlSlotBytes
const place = { path: "/store.control", offset: origin }

const fresh: ControlRecord = {
  sequence: 1,
  generation: 0,
  suffixStart: 0,
  prefixDataBytes: 0,
  prefixMapBytes: 0,
  firstChunk: 0,
  firstChunkOffset: 0,
  chunkLengths: []
}
const grown: ControlRecord = { ...fresh, sequence: 9, chunkLengths: [100, 70_000, 0] }
const collected: ControlRecord = {
  sequence: 2 ** 40 + 5,
  generation: 3,
  suffixStart: 1000,
  prefixDataBytes: 300,
  prefixMapBytes: 352,
  firstChunk: 7,
  firstChunkOffset: 900,
  chunkLengths: [4096, 2 ** 33 + 1, 150]
}
const full: ControlRecord = {
  ...collected,
  firstChunkOffset: 1000,
  chunkLengths: new Array<number>(maxChunks).fill(1)
}
const extreme: ControlRecord = {
  sequence: largest,
  generation: largest,
  suffixStart: largest,
  prefixDataBytes: largest,
  prefixMapBytes: largest,
  firstChunk: largest - 1,
  firstChunkOffset: 0,
  chunkLengths: [largest]
}
const collectedToItsEnd: ControlRecord = { ...collected, firstChunkOffset: 1000, chunkLengths: [0] }
const collectedEmpty: ControlRecord = { ...fresh, generation: 1, prefixMapBytes: 352 }

const records: ReadonlyArray<[string, ControlRecord]> = [
  ["a fresh store", fresh],
  ["a store without a prefix", grown],
  ["a collected store", collected],
  ["a store collected to its end", collectedToItsEnd],
  ["a collected store in which nothing ever was", collectedEmpty],
  ["as many chunks as there can be", full],
  ["the largest numbers", extreme]
]

const corrupt = (body: () => unknown): Corrupt => {
  try {
    body()
  } catch (error) {
    assert.instanceOf(error, Corrupt)
    assert.strictEqual(error.path, place.path)
    return error
  }
  return assert.fail("it was taken")
}

/** Sets 32 bits of a record, and its checksum to match. */
const forged = (record: ControlRecord, at: number, value: number): Uint8Array => {
  const bytes = encodeControlRecord(record)
  const view = new DataView(bytes.buffer)
  view.setUint32(at, value, true)
  const summed = Math.min(view.getUint32(12, true), bytes.length)
  view.setUint32(76, crc32(bytes.subarray(80, summed), crc32(bytes.subarray(0, 76))), true)
  return bytes
}

/** A slot as it is in a file. */
const slotWith = (bytes: Uint8Array): Uint8Array => {
  const slot = new Uint8Array(controlSlotBytes)
  slot.set(bytes)
  return slot
}

describe("a control record", () => {
  it.each(records)("is decoded as it was encoded: %s", (_, record) => {
    const bytes = encodeControlRecord(record)
    assert.strictEqual(bytes.length, controlHeaderBytes + record.chunkLengths.length * 8)
    assert.isAtMost(bytes.length, controlSlotBytes)
    assert.deepStrictEqual(decodeControlRecord(bytes, place), record)
    assert.deepStrictEqual(decodeControlRecord(slotWith(bytes), place), record)
    const inside = new Uint8Array(controlSlotBytes + 3)
    inside.set(bytes, 3)
    assert.deepStrictEqual(decodeControlRecord(inside.subarray(3), place), record)
  })

  it("fills a slot when it lists as many chunks as there can be", () => {
    assert.strictEqual(encodeControlRecord(full).length, controlSlotBytes)
  })

  it("does not see what a longer one before it has left in its slot", () => {
    const slot = slotWith(encodeControlRecord(full))
    slot.set(encodeControlRecord(grown))
    assert.deepStrictEqual(decodeControlRecord(slot, place), grown)
  })

  it("is torn with any one bit changed", () => {
    for (const record of [fresh, collected]) {
      const bytes = encodeControlRecord(record)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        bytes[bit >> 3] ^= 1 << (bit & 7)
        for (const slot of [bytes, slotWith(bytes)]) {
          const found = decodeControlSlot(slot, place)
          assert.strictEqual(found.state, "torn", `bit ${bit}`)
          const error = corrupt(() => decodeControlRecord(slot, place))
          assert.isAtLeast(error.offset, origin)
          assert.isBelow(error.offset, origin + bytes.length)
        }
        bytes[bit >> 3] ^= 1 << (bit & 7)
      }
    }
  })

  it("is torn with its end missing, wherever that was cut off, or zeros in its place", () => {
    const bytes = encodeControlRecord(collected)
    for (let length = 0; length < bytes.length; length++) {
      const short = bytes.subarray(0, length)
      assert.strictEqual(decodeControlSlot(short, place).state, "torn")
      corrupt(() => decodeControlRecord(short, place))
      const found = decodeControlSlot(slotWith(short), place)
      // The last byte of this one is a zero anyway.
      if (bytes.subarray(length).some((byte) => byte !== 0)) {
        assert.strictEqual(found.state, length === 0 ? "blank" : "torn")
      } else assert.strictEqual(found.state, "whole")
    }
    assert.strictEqual(corrupt(() => decodeControlRecord(bytes.subarray(0, 70), place)).offset, origin + 70)
  })

  it("tells a slot that was never written from one that was torn", () => {
    const error = corrupt(() => decodeControlRecord(new Uint8Array(controlSlotBytes), place))
    assert.strictEqual(error.offset, origin)
    assert.include(error.reason, "never written")
    const almost = new Uint8Array(controlSlotBytes)
    almost[controlSlotBytes - 1] = 1
    assert.strictEqual(decodeControlSlot(almost, place).state, "torn")
  })

  it("believes no length before it is bounded, and none before its checksum", () => {
    for (const claimed of [0, 79, controlSlotBytes + 1, 2 ** 31, 2 ** 32 - 1]) {
      const bytes = forged(collected, 12, claimed)
      assert.strictEqual(corrupt(() => decodeControlRecord(slotWith(bytes), place)).offset, origin + 12)
    }
    const bytes = encodeControlRecord(collected)
    new DataView(bytes.buffer).setUint32(12, controlSlotBytes, true)
    assert.strictEqual(corrupt(() => decodeControlRecord(slotWith(bytes), place)).offset, origin + 76)
    assert.strictEqual(corrupt(() => decodeControlRecord(bytes, place)).offset, origin + 12)
  })

  it("allocates for no count that the length of the record does not bear out", () => {
    for (const chunks of [0, 2, 4, 2 ** 31, 2 ** 32 - 1]) {
      const bytes = forged(collected, 72, chunks)
      const error = corrupt(() => decodeControlSlot(slotWith(bytes), place))
      assert.strictEqual(error.offset, origin + 72)
      assert.include(error.reason, String(chunks))
    }
  })

  it("is refused, not passed over, in a version that this program does not know", () => {
    for (const version of [0, 2, 77]) {
      const error = corrupt(() => decodeControlSlot(forged(collected, 8, version), place))
      assert.strictEqual(error.offset, origin + 8)
      assert.include(error.reason, `version ${version},`)
    }
  })

  it("is refused with a number above 2^53-1", () => {
    for (let at = 16; at < 72; at += 8) {
      assert.strictEqual(
        corrupt(() => decodeControlSlot(forged(collected, at + 4, 2 ** 21), place)).offset,
        origin + at
      )
    }
    const length = controlHeaderBytes + 4
    assert.strictEqual(
      corrupt(() => decodeControlSlot(forged(collected, length, 2 ** 32 - 1), place)).offset,
      origin + controlHeaderBytes
    )
  })

  it.each<[string, number, ControlRecord]>([
    ["a fraction", 16, { ...fresh, sequence: 1.5 }],
    ["a negative number", 56, { ...fresh, firstChunk: -1 }],
    ["not a number", 24, { ...fresh, generation: Number.NaN }],
    ["a suffix that starts behind a prefix that is not there", 32, { ...grown, suffixStart: 1 }],
    ["data of a prefix that is not there", 40, { ...grown, prefixDataBytes: 1 }],
    ["a map of a prefix that is not there", 48, { ...grown, prefixMapBytes: 1 }],
    ["a prefix without a map", 48, { ...collected, prefixMapBytes: 0 }],
    ["a prefix with more bytes than were there", 40, { ...collected, prefixDataBytes: 1001 }],
    ["a hole before the first chunk", 64, { ...collected, firstChunkOffset: 1001 }],
    ["a first chunk that begins behind 0 in generation 0", 64, { ...grown, firstChunkOffset: 1 }],
    ["chunks that end before the suffix starts", 32, { ...collected, chunkLengths: [99] }],
    ["no chunk, and a suffix that starts behind it", 32, { ...collected, chunkLengths: [] }],
    ["a sealed chunk that is empty", 88, { ...collected, chunkLengths: [4096, 0, 150] }],
    ["a first chunk that nobody needs", 80, { ...collected, chunkLengths: [100, 150] }],
    ["a chunk's length that is a fraction", 96, { ...collected, chunkLengths: [4096, 5, 0.5] }],
    ["a chunk that ends beyond all offsets", 88, { ...collected, chunkLengths: [4096, largest, 1] }],
    ["a chunk whose number is beyond all numbers", 56, { ...extreme, firstChunk: largest }],
    ["one chunk more than a slot can list", 72, { ...full, chunkLengths: [...full.chunkLengths, 1] }]
  ])("can't be written with %s", (_, at, record) => {
    assert.strictEqual(recordFault(record)?.at, at)
    assert.throws(() => encodeControlRecord(record), /nobody could read/)
  })

  it.each<[string, number, ControlRecord, number, number]>([
    ["a suffix that starts behind a prefix that is not there", 32, grown, 32, 1],
    ["a prefix without a map", 48, collected, 48, 0],
    ["a hole before the first chunk", 64, collected, 64, 1001],
    ["a sealed chunk that is empty", 80, grown, 80, 0]
  ])("is refused with %s, though its checksum holds", (_, offset, record, at, value) => {
    assert.strictEqual(
      corrupt(() => decodeControlSlot(forged(record, at, value), place)).offset,
      origin + offset
    )
  })

  it("tells its chunks and its end", () => {
    assert.deepStrictEqual(controlChunks(fresh), [])
    assert.strictEqual(controlEnd(fresh), 0)
    assert.strictEqual(controlEnd(collected), 900 + 4096 + 2 ** 33 + 1 + 150)
    assert.deepStrictEqual(controlChunks(grown), [
      { number: 0, offset: 0, length: 100, sealed: true },
      { number: 1, offset: 100, length: 70_000, sealed: true },
      { number: 2, offset: 70_100, length: 0, sealed: false }
    ])
  })
})

describe("the two slots of control", () => {
  const path = "/store.control"
  const older = { ...grown, sequence: 8, chunkLengths: [100, 5] }
  const fileOf = (first: Uint8Array, second: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(controlFileBytes)
    bytes.set(first)
    bytes.set(second, controlSlotBytes)
    return bytes
  }
  const [whole, former] = [encodeControlRecord(grown), encodeControlRecord(older)]
  const broken = whole.slice(0, -14)

  it("give the newest record, in either", () => {
    const first = decodeControlSlots(fileOf(whole, former), path)
    assert.deepStrictEqual(first, { record: grown, slot: 0, slotsWhole: true, damage: undefined })
    assert.strictEqual(decodeControlSlots(fileOf(former, whole), path).slot, 1)
    assert.deepStrictEqual(decodeControlSlots(fileOf(former, whole), path).record, grown)
    assert.deepStrictEqual(decodeControlSlots(fileOf(whole, whole), path).record, grown)
  })

  it("give the one that is whole, and what is wrong with the other", () => {
    for (const bad of [broken, new Uint8Array(0), Uint8Array.of(1)]) {
      const second = decodeControlSlots(fileOf(bad, former), path)
      assert.deepStrictEqual([second.record, second.slot, second.slotsWhole], [older, 1, false])
      assert.isBelow(second.damage?.offset ?? Number.NaN, controlSlotBytes)
      const first = decodeControlSlots(fileOf(former, bad), path)
      assert.deepStrictEqual([first.record, first.slot, first.slotsWhole], [older, 0, false])
      assert.isAtLeast(first.damage?.offset ?? Number.NaN, controlSlotBytes)
    }
  })

  it("are Corrupt with neither whole, and tell why of both", () => {
    const { offset, reason } = corrupt(() => decodeControlSlots(fileOf(Uint8Array.of(1), broken), path))
    assert.strictEqual(offset, 0)
    assert.include(reason, "magic")
    assert.include(reason, `at ${controlSlotBytes + 76}: the record's checksum`)
  })

  it("are Corrupt when one is of a version not known, rather than a step back to the other", () => {
    for (const sequence of [7, 8, 9, 10]) {
      const later = forged({ ...grown, sequence }, 8, 2)
      corrupt(() => decodeControlSlots(fileOf(former, later), path))
      corrupt(() => decodeControlSlots(fileOf(later, former), path))
    }
  })

  it("are Corrupt with two records of one sequence", () => {
    const twin = encodeControlRecord({ ...grown, chunkLengths: [100, 70_000, 1] })
    corrupt(() => decodeControlSlots(fileOf(whole, twin), path))
  })

  it("are Corrupt in a file of another size, whatever is in it", () => {
    const bytes = fileOf(whole, whole)
    for (const size of [0, 1, controlSlotBytes, controlFileBytes - 1]) {
      assert.strictEqual(corrupt(() => decodeControlSlots(bytes.subarray(0, size), path)).offset, size)
    }
    const longer = new Uint8Array(controlFileBytes + 1)
    longer.set(bytes)
    assert.strictEqual(corrupt(() => decodeControlSlots(longer, path)).offset, controlFileBytes)
  })
})
