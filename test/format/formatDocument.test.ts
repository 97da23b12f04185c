/** FORMAT.md is what other programs are written from: its tables and its example are held against the code. */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { crc32 } from "../../src/bytes/crc32.ts"
import {
  blockSumsBlockBytes,
  blockSumsHeaderBytes,
  blockSumsVersion,
  encodeBlockSums
} from "../../src/format/blockSums.ts"
import {
  controlFileBytes,
  controlHeaderBytes,
  controlMagic,
  type ControlRecord,
  controlSlotBytes,
  controlVersion,
  encodeControlRecord,
  maxChunks
} from "../../src/format/controlRecord.ts"
import {
  encodeExtentRecordHeader,
  encodeExtentSlot,
  extentChainStart,
  extentEntryBytes,
  extentEntryKind,
  extentFrameHeaderBytes,
  extentRecordHeaderBytes,
  extentRecordMagic,
  extentRecordVersion,
  extentSlotAt,
  extentSlotBytes,
  findExtentFrame,
  maxExtentBytes,
  maxExtentFrameBytes,
  maxIdentityBytes,
  maxPieceBytes
} from "../../src/format/extentRecord.ts"
import { ExtentFrame } from "../../src/format/extentFrame.ts"
import { slotOf } from "../../src/format/controlSlots.ts"
import { cellBytes, cellCapacity, cellKind, headWord, unusedStart } from "../../src/format/offmapCell.ts"
import { epsilonCells, segmentBytes } from "../../src/format/offmapIndex.ts"
import {
  encodeOffmapHeader,
  maxImageBytes,
  offmapHeaderBytes,
  offmapLayout,
  offmapMagic,
  offmapVersion,
  pageBytes
} from "../../src/format/offmapImage.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { Offmap } from "../../src/file/Offmap.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { parseStoreName, storePaths } from "../../src/store/storePaths.ts"

const document = readFileSync(new URL("../../src/format/FORMAT.md", import.meta.url), "utf8")

interface Field {
  readonly offset: number
  readonly bytes: number
  readonly meaning: string
}

/** The rows of the first table below a heading, each as its cells. */
const rowsBelow = (heading: string): Array<Array<string>> => {
  const start = document.indexOf(`\n${heading}\n`)
  assert.notStrictEqual(start, -1, heading)
  const lines = document.slice(start + heading.length + 2).split("\n")
  const from = lines.findIndex((line) => line.startsWith("|")) + 2
  const rows = lines.slice(from, from + lines.slice(from).findIndex((line) => !line.startsWith("|")))
  return rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim())
  )
}

/** The fields that the first table below a heading tells of. */
const tableBelow = (heading: string): Map<string, Field> =>
  new Map(
    rowsBelow(heading).map(([offset, bytes, field, meaning]) => [
      field,
      { offset: Number(offset), bytes: Number.parseInt(bytes), meaning }
    ])
  )

/** The bytes of an example, as the document prints them. */
const hexdumpShown = (name: string): string => {
  const shown = new RegExp(`<!-- hexdump: ${name} -->\n\`\`\`\n([^\`]*)\n\`\`\`\n<!-- /hexdump -->`).exec(
    document
  )
  assert.isNotNull(shown, name)
  return shown[1]
    .split("\n")
    .map((row) => row.replace(/\s{3,}.*$/, ""))
    .join("\n")
}

const read = (bytes: Uint8Array, { bytes: width, offset }: Field): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return width === 4 ? view.getUint32(offset, true) : Number(view.getBigUint64(offset, true))
}

const controlExample: ControlRecord = {
  sequence: 42,
  generation: 1,
  suffixStart: 1000,
  prefixDataBytes: 300,
  prefixMapBytes: 360,
  firstChunk: 2,
  firstChunkOffset: 900,
  chunkLengths: [4096, 150]
}

const threeBindings = (): Effect.Effect<Uint8Array, unknown, Io> =>
  Effect.scoped(
    Effect.gen(function* () {
      const builder = Offmap.builder()
      builder.add(100, 0, 10)
      builder.add(200, 10, 20)
      builder.add(500, 7)
      const file = yield* (yield* Io).create("/map", { overwrite: false })
      const length = yield* Offmap.write(builder.build(), file, 0)
      const image = new Uint8Array(length)
      yield* file.readAt(0, image)
      return image
    })
  )

const hexdump = (bytes: Uint8Array): string => {
  const lines: Array<string> = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, "0"))
    lines.push(
      `${at.toString(16).padStart(4, "0")}  ${row.slice(0, 8).join(" ")}  ${row.slice(8).join(" ")}`.trimEnd()
    )
  }
  return lines.join("\n")
}

describe("FORMAT.md", () => {
  it("places the fields of the offmap's header where the codec does", () => {
    const fields = tableBelow("### Header")
    const header = {
      bindings: 11,
      cells: 2,
      segments: 2,
      buckets: 3,
      bucketShift: 4,
      first: 5,
      last: 2 ** 40 + 6,
      indexCrc: 0x89abcdef
    }
    const bytes = encodeOffmapHeader(header)
    for (const [name, value] of Object.entries(header)) {
      const field = fields.get(name)
      assert.isDefined(field, name)
      assert.strictEqual(read(bytes, field), value, name)
    }
    const at = (name: string) => read(bytes, fields.get(name) ?? assert.fail(name))
    assert.strictEqual(new TextDecoder().decode(bytes.subarray(0, 8)), offmapMagic)
    assert.strictEqual(at("version"), offmapVersion)
    assert.strictEqual(at("headerBytes"), offmapHeaderBytes)
    assert.strictEqual(at("imageBytes"), offmapLayout(header).imageBytes)
    assert.strictEqual(at("headerCrc"), crc32(bytes.subarray(0, fields.get("headerCrc")?.offset)))
    const end = [...fields.values()].reduce((sum, field) => Math.max(sum, field.offset + field.bytes), 0)
    assert.strictEqual(end, offmapHeaderBytes)
    const covered = [...fields.values()].reduce((sum, field) => sum + field.bytes, 0)
    assert.strictEqual(covered, offmapHeaderBytes, "no byte of the header is left out or told twice")
  })

  it("tells the kinds of cells and how much each holds", () => {
    for (const [name, kind] of Object.entries(cellKind)) {
      const row = new RegExp(`^\\| ${name} \\| (\\d+) \\| (\\d+) \\| ([\\d.]+) \\|`, "m").exec(document)
      assert.isNotNull(row, name)
      assert.strictEqual(Number(row[1]), kind)
      assert.strictEqual(Number(row[2]), cellCapacity[kind])
      assert.strictEqual(row[3], (cellBytes / cellCapacity[kind]).toFixed(1))
    }
  })

  it("tells the constants that the code uses", () => {
    assert.include(document, `lines of ${cellBytes} bytes`)
    assert.strictEqual(headWord * 4, 32)
    assert.include(document, `Unused starts are 0x${unusedStart.toString(16)}`)
    assert.strictEqual(segmentBytes, 16)
    assert.include(document, `is within ${epsilonCells} of`)
    assert.strictEqual(pageBytes, 4096)
    assert.strictEqual(maxImageBytes, 2 ** 31 - 2 ** 16)
  })

  it("shows an image byte for byte", async () => {
    const image = await Effect.runPromise(threeBindings().pipe(Effect.provide(IoMemory.layer)))
    assert.strictEqual(hexdumpShown("three-bindings"), hexdump(image))
    assert.match(document, new RegExp(`The image has ${image.length}\\s+bytes\\.`))
  })

  it("places the fields of the block sums where the codec does", () => {
    const fields = tableBelow("## The block sums")
    const sums = Uint32Array.of(0x11111111, 0x22222222, 0x33333333)
    const bytes = encodeBlockSums(2 * blockSumsBlockBytes + 9, sums)
    const at = (name: string) => read(bytes, fields.get(name) ?? assert.fail(name))
    assert.strictEqual(new TextDecoder().decode(bytes.subarray(0, 8)), "lacunaBS")
    assert.strictEqual(at("version"), blockSumsVersion)
    assert.strictEqual(at("blockBytes"), blockSumsBlockBytes)
    assert.strictEqual(at("dataLength"), 2 * blockSumsBlockBytes + 9)
    assert.strictEqual(at("blocks"), 3)
    assert.strictEqual(at("tableCrc"), crc32(bytes.subarray(blockSumsHeaderBytes)))
    assert.strictEqual(at("headerCrc"), crc32(bytes.subarray(0, fields.get("headerCrc")?.offset)))
    assert.strictEqual(fields.get("sums")?.offset, blockSumsHeaderBytes)
    assert.strictEqual(at("sums"), sums[0])
    assert.strictEqual(bytes.length % 8, 0)
  })

  it("places the fields of a control record where the codec does", () => {
    const fields = tableBelow("## The control file")
    const { chunkLengths, ...numbers } = controlExample
    const bytes = encodeControlRecord({ ...numbers, chunkLengths: [...chunkLengths, 2 ** 40] })
    const at = (name: string) => read(bytes, fields.get(name) ?? assert.fail(name))
    for (const [name, value] of Object.entries(numbers)) assert.strictEqual(at(name), value, name)
    assert.strictEqual(new TextDecoder().decode(bytes.subarray(0, 8)), controlMagic)
    assert.include(fields.get("magic")?.meaning, controlMagic)
    assert.strictEqual(at("version"), controlVersion)
    assert.strictEqual(at("recordBytes"), bytes.length)
    assert.strictEqual(at("chunks"), 3)
    assert.include(fields.get("chunks")?.meaning, `0 to ${maxChunks}`)
    const crcAt = fields.get("recordCrc")?.offset ?? assert.fail()
    assert.strictEqual(at("recordCrc"), crc32(bytes.subarray(crcAt + 4), crc32(bytes.subarray(0, crcAt))))
    const lengths = fields.get("chunkLengths") ?? assert.fail()
    assert.strictEqual(lengths.offset, controlHeaderBytes)
    assert.strictEqual(read(bytes, { ...lengths, offset: lengths.offset + 16 }), 2 ** 40)
    const covered = [...fields.values()].reduce((sum, field) => sum + field.bytes, 0)
    assert.strictEqual(covered, controlHeaderBytes + 8, "no byte is left out or told twice")
    const inOrder = [...fields.values()].map(({ bytes, offset }) => [offset, offset + bytes])
    for (let i = 1; i < inOrder.length; i++) assert.strictEqual(inOrder[i][0], inOrder[i - 1][1])
  })

  it("tells the sizes of the control file", () => {
    const words = (value: number) => value.toLocaleString("en")
    const sizes = `has ${words(controlFileBytes)} bytes, always: two *slots* of ${words(controlSlotBytes)}.`
    assert.include(document, sizes)
    assert.include(document, `is from ${controlHeaderBytes} to ${controlSlotBytes}`)
  })

  it("shows a control record byte for byte", () => {
    const bytes = encodeControlRecord(controlExample)
    assert.strictEqual(hexdumpShown("control-record"), hexdump(bytes))
    assert.include(document, `the first; it has ${bytes.length} bytes.`)
    assert.strictEqual(slotOf(controlExample.sequence), 0)
  })

  it("names the files of a store as the code does", () => {
    const paths = storePaths("")
    const made = [
      paths.control,
      paths.controlTmp,
      paths.lock,
      ...["", ".map", ".tmp", ".map.tmp"].map((end) => `${paths.prefix(77)}${end}`),
      paths.chunk(88),
      paths.sums(88)
    ]
    const told = rowsBelow("## The files of a store").map(([name]) =>
      name.slice(1, -1).replace("<g>", "77").replace("<n>", "88")
    )
    assert.deepStrictEqual(
      told.map((name) => `${paths.directory}/${name}`),
      made
    )
    for (const name of told) assert.isDefined(parseStoreName(name), name)
  })

  it("places the fields of an extent record's header where the codec does", () => {
    const fields = tableBelow("### The record")
    const bytes = encodeExtentRecordHeader({ generation: 7, denseBytes: 2 ** 33 + 8 })
    const at = (name: string) => read(bytes, fields.get(name) ?? assert.fail(name))
    assert.strictEqual(new TextDecoder().decode(bytes.subarray(0, 8)), extentRecordMagic)
    assert.include(fields.get("magic")?.meaning, extentRecordMagic)
    assert.strictEqual(at("version"), extentRecordVersion)
    assert.strictEqual(at("headerBytes"), extentRecordHeaderBytes)
    assert.strictEqual(at("generation"), 7)
    assert.strictEqual(at("denseBytes"), 2 ** 33 + 8)
    assert.strictEqual(at("headerCrc"), crc32(bytes.subarray(0, fields.get("headerCrc")?.offset)))
    assert.strictEqual(extentChainStart(7), crc32(bytes.subarray(0, fields.get("denseBytes")?.offset)))
    const covered = [...fields.values()].reduce((sum, field) => sum + field.bytes, 0)
    assert.strictEqual(covered, extentRecordHeaderBytes, "no byte is left out or told twice")
    const slots = ["slot0", "slot1"].map((name) => fields.get(name) ?? assert.fail(name))
    for (const [i, slot] of slots.entries()) {
      assert.strictEqual(slot.offset, extentSlotAt(i))
      assert.strictEqual(slot.bytes, extentSlotBytes)
    }
  })

  it("places the fields of a slot of an extent record where the codec does", () => {
    const fields = tableBelow("### A slot")
    const bytes = encodeExtentSlot(7, 2 ** 33 + 8)
    const at = (name: string) => read(bytes, fields.get(name) ?? assert.fail(name))
    assert.strictEqual(at("syncedBytes"), 2 ** 33 + 8)
    const covered = bytes.subarray(0, fields.get("slotCrc")?.offset)
    assert.strictEqual(at("slotCrc"), crc32(covered, extentChainStart(7)))
    assert.strictEqual(
      [...fields.values()].reduce((sum, field) => sum + field.bytes, 0),
      extentSlotBytes
    )
  })

  it("places the fields of a frame and of its entries where the codec does", () => {
    const fields = tableBelow("### A frame")
    const frame = new ExtentFrame()
    const kinds = new Map(rowsBelow("### The entries").map(([kind, name]) => [name, Number(kind)]))
    assert.deepStrictEqual(kinds, new Map(Object.entries(extentEntryKind)))
    for (const name of kinds.keys()) {
      frame.begin()
      const entry = name as keyof typeof extentEntryKind
      if (entry === "pin") frame.pin(5, "é")
      else if (entry === "mark") frame.mark(true)
      else frame[entry](5, 6, 7)
      const bytes = frame.seal(99)
      const field = (at: string) => fields.get(at) ?? assert.fail(at)
      assert.strictEqual(read(bytes, field("frameBytes")), bytes.length)
      assert.strictEqual(read(bytes, field("frameCrc")), crc32(bytes.subarray(4), 99))
      assert.deepStrictEqual(findExtentFrame(bytes, 0, 99)?.frameBytes, bytes.length)
      assert.strictEqual(field("entries").offset, extentFrameHeaderBytes)
      assert.strictEqual(field("entries").bytes, extentEntryBytes)
      assert.strictEqual(read(bytes, { ...field("entries"), bytes: 4 }), kinds.get(name))
      assert.strictEqual(bytes.length, extentFrameHeaderBytes + extentEntryBytes + (entry === "pin" ? 8 : 0))
    }
  })

  it("tells the limits of an extent record", () => {
    const words = (value: number) => value.toLocaleString("en")
    assert.include(tableBelow("### A frame").get("frameBytes")?.meaning, `from 8 to ${maxExtentFrameBytes}`)
    const limits = `A piece has 1 to ${words(maxPieceBytes)} bytes, an extent 1 to ${words(maxExtentBytes)}, an identity at most ${words(maxIdentityBytes)}.`
    assert.include(document.replaceAll("\n", " "), limits)
  })

  it("shows an extent record byte for byte", async () => {
    const record = await Effect.runPromise(
      Effect.gen(function* () {
        const extents = yield* ExtentFile.open("/object")
        yield* extents.pin({ identity: "v1", length: 8192 }, "the object")
        yield* extents.createExtent(4096, new TextEncoder().encode("abc"))
        yield* extents.close
        const file = yield* (yield* Io).open("/object.extents", { readonly: true })
        const bytes = new Uint8Array(yield* file.size)
        yield* file.readAt(0, bytes)
        return bytes
      }).pipe(Effect.scoped, Effect.provide(IoMemory.layer))
    )
    assert.strictEqual(hexdumpShown("extent-record"), hexdump(record))
    assert.match(document, new RegExp(`The record has ${record.length}\\s+bytes\\.`))
  })

  it("tells the version of every part", () => {
    const versions = new Map(rowsBelow("## Versions").map(([part, version]) => [part, Number(version)]))
    assert.deepStrictEqual(
      versions,
      new Map([
        ["offmap image", offmapVersion],
        ["block sums", blockSumsVersion],
        ["control record", controlVersion],
        ["extent record", extentRecordVersion]
      ])
    )
  })
})
