import { assert, describe, it } from "vitest"
import { crc32 } from "../../src/bytes/crc32.ts"
import { Corrupt } from "../../src/bytes/errors.ts"
import {
  decodeExtentEntries,
  decodeExtentRecordHeader,
  encodeExtentRecordHeader,
  encodeExtentSlot,
  extentChainStart,
  extentEntryKind,
  type ExtentEntries,
  extentRecordHeaderBytes,
  extentSlotAt,
  maxIdentityBytes,
  setUint53
} from "../../src/format/extentRecord.ts"

const faultOf = (decode: () => unknown): Corrupt => {
  try {
    decode()
  } catch (error) {
    assert.instanceOf(error, Corrupt)
    assert.strictEqual(error.path, "/record")
    return error
  }
  return assert.fail("it was taken")
}

describe("the header of an extent record", () => {
  const generation = 7
  const encode = () => encodeExtentRecordHeader({ generation, denseBytes: 24 })
  const decode = (bytes: Uint8Array, fileSize = 10_000) =>
    decodeExtentRecordHeader(bytes, { path: "/record", fileSize })

  it.each<[string, number, RegExp, (view: DataView) => void]>([
    ["a version that is not known", 8, /version 2 .* not known/, (view) => view.setUint32(8, 2, true)],
    ["another length", 12, /length is 80, not 72/, (view) => view.setUint32(12, 80, true)],
    ["a generation above 2^53-1", 16, /generation/, (view) => view.setUint32(20, 2 ** 21, true)],
    ["a dense length above 2^53-1", 24, /dense length/, (view) => view.setUint32(28, 2 ** 21, true)],
    ["reserved bytes that are not zeros", 32, /not zeros/, (view) => view.setUint32(32, 1, true)]
  ])("with the right checksum and %s is Corrupt where it says so", (_, at, reason, change) => {
    const bytes = encode()
    const view = new DataView(bytes.buffer)
    change(view)
    view.setUint32(36, crc32(bytes.subarray(0, 36)), true)
    const fault = faultOf(() => decode(bytes))
    assert.strictEqual(fault.offset, at)
    assert.match(fault.reason, reason)
  })

  it("gives what the better slot says, and names the other as the next to be written", () => {
    const bytes = encode()
    bytes.set(encodeExtentSlot(generation, 48), extentSlotAt(1))
    assert.deepStrictEqual(decode(bytes), { generation, syncedBytes: 48, spare: 0 })
    bytes.set(encodeExtentSlot(generation, 96), extentSlotAt(0))
    assert.deepStrictEqual(decode(bytes), { generation, syncedBytes: 96, spare: 1 })
  })

  it("is told nothing by a slot of another generation, or by one that claims more than 2^53-1", () => {
    const bytes = encode()
    bytes.set(encodeExtentSlot(generation + 1, 48), extentSlotAt(0))
    const slot = bytes.subarray(extentSlotAt(1), extentSlotAt(2))
    const view = new DataView(slot.buffer, slot.byteOffset)
    view.setUint32(4, 2 ** 21, true)
    view.setUint32(12, crc32(slot.subarray(0, 12), extentChainStart(generation)), true)
    assert.deepStrictEqual(decode(bytes), { generation, syncedBytes: 24, spare: 0 })
  })

  it("is Corrupt where the file ends within it", () => {
    const bytes = encodeExtentRecordHeader({ generation: 0, denseBytes: 0 })
    const short = bytes.subarray(0, extentRecordHeaderBytes - 1)
    const fault = faultOf(() => decodeExtentRecordHeader(short, { path: "/record", fileSize: short.length }))
    assert.strictEqual(fault.offset, short.length)
  })
})

describe("an entry of an extent record", () => {
  const entry = (kind: number, { length = 0, offset = 0, value = 0 } = {}): Uint8Array => {
    const bytes = new Uint8Array(24)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, kind, true)
    view.setUint32(4, value, true)
    setUint53(view, 8, offset)
    setUint53(view, 16, length)
    return bytes
  }
  const pinOf = (claimed: number, identity: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(24 + Math.ceil(identity.length / 8) * 8)
    bytes.set(entry(extentEntryKind.pin, { length: 100, value: claimed }))
    bytes.set(identity, 24)
    return bytes
  }

  const told: Array<unknown> = []
  const say =
    (name: keyof ExtentEntries) =>
    (...what: Array<unknown>): void =>
      void told.push([name, ...what])
  const take: ExtentEntries = {
    create: say("create"),
    piece: say("piece"),
    extent: say("extent"),
    split: say("split"),
    void: say("void"),
    forget: say("forget"),
    pin: say("pin"),
    clear: say("clear"),
    mark: say("mark"),
    unsure: say("unsure")
  }
  /** Decodes a frame whose first entry is at byte 16 of the bytes, and at 5,000 of the file. */
  const decode = (bytes: Uint8Array): Array<unknown> => {
    const frame = new Uint8Array(16 + bytes.length + 64)
    frame.set(bytes, 16)
    told.length = 0
    decodeExtentEntries(frame, { from: 16, to: 16 + bytes.length, base: 4_984, path: "/record" }, take)
    return [...told]
  }

  it("is told as it is meant, whatever its kind", () => {
    const { clear, create, extent, forget, mark, piece, pin, split, unsure, void: nothing } = extentEntryKind
    const range = { offset: 3, length: 9, value: 5 }
    assert.deepStrictEqual(decode(entry(create, range)), [["create", 3, 9, 5]])
    assert.deepStrictEqual(decode(entry(piece, range)), [["piece", 3, 9, 5]])
    assert.deepStrictEqual(decode(entry(extent, range)), [["extent", 3, 9]])
    assert.deepStrictEqual(decode(entry(split, range)), [["split", 3, 5, 9]])
    assert.deepStrictEqual(decode(entry(nothing, range)), [["void", 3, 9]])
    assert.deepStrictEqual(decode(entry(forget, range)), [["forget", 3]])
    assert.deepStrictEqual(decode(entry(clear)), [["clear"]])
    assert.deepStrictEqual(decode(entry(mark)), [["mark", false]])
    assert.deepStrictEqual(decode(entry(mark, { value: 1 })), [["mark", true]])
    assert.deepStrictEqual(decode(entry(unsure)), [["unsure"]])
    const etag = new TextEncoder().encode('"é"')
    assert.deepStrictEqual(decode(pinOf(etag.length, etag)), [["pin", 100, '"é"']])
    assert.strictEqual(pin, 7)
  })

  const piece = entry(extentEntryKind.piece, { offset: 3, length: 9 })
  const above = (at: number): Uint8Array => {
    const bytes = piece.slice()
    new DataView(bytes.buffer).setUint32(at + 4, 2 ** 21, true)
    return bytes
  }
  it.each<[string, Uint8Array, number, RegExp]>([
    ["is cut off by the end of its frame", piece.subarray(0, 16), 0, /ends within an entry/],
    ["is of kind 0", entry(0), 0, /kind 0/],
    ["is of kind 11", entry(11), 0, /kind 11/],
    ["has an offset above 2^53-1", above(8), 8, /an offset/],
    ["has a length above 2^53-1", above(16), 16, /a length is above/],
    ["has a length of nothing", entry(extentEntryKind.void, { offset: 3 }), 16, /length is 0/],
    ["ends beyond 2^53-1", entry(extentEntryKind.void, { offset: 2 ** 53 - 9, length: 9 }), 16, /beyond 2/],
    ["has a checksum of 33 bits", entry(extentEntryKind.split, { length: 2 ** 32 }), 16, /32 bits/],
    ["marks what is neither tidy nor untidy", entry(extentEntryKind.mark, { value: 2 }), 4, /mark says 2/],
    [
      "pins an identity of more bytes than its frame",
      pinOf(9, new Uint8Array(8)),
      4,
      /longer than its frame/
    ],
    ["pins an identity that is too long", pinOf(maxIdentityBytes + 1, new Uint8Array(40_000)), 4, /longer/],
    ["pins an identity that is not UTF-8", pinOf(2, Uint8Array.of(0xc3, 0x28)), 24, /not UTF-8/]
  ])("that %s is Corrupt, and tells nothing", (_, bytes, field, reason) => {
    const fault = faultOf(() => decode(bytes))
    assert.strictEqual(fault.offset, 5_000 + field)
    assert.match(fault.reason, reason)
    assert.deepStrictEqual(told, [])
  })
})
