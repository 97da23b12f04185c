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
import { Offmap } from "../../src/file/Offmap.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"

const document = readFileSync(new URL("../../src/format/FORMAT.md", import.meta.url), "utf8")

interface Field {
  readonly offset: number
  readonly bytes: number
  readonly meaning: string
}

/** The fields of the first table below a heading. */
const tableBelow = (heading: string): Map<string, Field> => {
  const start = document.indexOf(`\n${heading}\n`)
  assert.notStrictEqual(start, -1, heading)
  const lines = document.slice(start + heading.length + 2).split("\n")
  const from = lines.findIndex((line) => line.startsWith("|"))
  const rows = lines.slice(
    from + 2,
    from + 2 + lines.slice(from + 2).findIndex((line) => !line.startsWith("|"))
  )
  return new Map(
    rows.map((row) => {
      const [, offset, bytes, field, meaning] = row.split("|").map((cell) => cell.trim())
      return [field, { offset: Number(offset), bytes: Number.parseInt(bytes), meaning }]
    })
  )
}

const read = (bytes: Uint8Array, { bytes: width, offset }: Field): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return width === 4 ? view.getUint32(offset, true) : Number(view.getBigUint64(offset, true))
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
    const shown = /<!-- hexdump: three-bindings -->\n```\n([^`]*)\n```\n<!-- \/hexdump -->/.exec(document)
    assert.isNotNull(shown)
    const rows = shown[1].split("\n").map((row) => row.replace(/\s{3,}.*$/, ""))
    assert.strictEqual(rows.join("\n"), hexdump(image))
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
})
