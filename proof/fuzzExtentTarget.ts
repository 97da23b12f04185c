/**
 * The decoder of the record of an extent file: header, slots, frames and entries, and what they make.
 */
import * as Effect from "effect/Effect"
import { crc32 } from "../src/bytes/crc32.ts"
import type { ExtentIndex } from "../src/file/extentIndex.ts"
import { loadRecord } from "../src/file/extentLoading.ts"
import { ExtentFrame } from "../src/format/extentFrame.ts"
import {
  encodeExtentRecordHeader,
  encodeExtentSlot,
  extentChainStart,
  extentFrameClaim,
  extentFrameCrc,
  extentRecordHeaderBytes,
  extentSlotAt
} from "../src/format/extentRecord.ts"
import type { IoFile } from "../src/io/Io.ts"
import type { Random } from "./fuzzMutation.ts"
import { demand, fuzzPath as path, type FuzzTarget, isCorrupt } from "./fuzzTarget.ts"

/** Adds entries to a frame; most of them fit. */
const addEntries = (frame: ExtentFrame, random: Random): void => {
  for (let left = random.below(6); left > 0 && frame.hasRoom; left--) {
    const offset = random.below(12) * 100
    const length = random.below(4) * 100 + random.below(2) * random.below(100)
    switch (random.below(9)) {
      case 0:
      case 1:
        frame.create(offset, length, random.below(2 ** 32))
        break
      case 2:
        frame.piece(offset, length, random.below(2 ** 32))
        break
      case 3:
        frame.extent(offset, length)
        break
      case 4:
        frame.split(offset, random.below(9), random.below(9))
        break
      case 5:
        frame.void(offset, length)
        break
      case 6:
        frame.forget(offset)
        break
      case 7:
        frame.pin(random.magnitude(50), "v".repeat(random.below(20)))
        break
      default:
        if (random.once(2)) frame.clear()
        else frame.unsure()
    }
  }
}

const generateRecord = (random: Random): Uint8Array => {
  const generation = random.below(3)
  const frames: Array<Uint8Array> = []
  const ends: Array<number> = [0]
  const frame = new ExtentFrame()
  let crc = extentChainStart(generation)
  for (let left = random.below(7); left > 0; left--) {
    frame.begin()
    if (random.once(3)) frame.mark(random.once(2))
    else addEntries(frame, random)
    frames.push(frame.seal(crc).slice())
    crc = frame.crc
    ends.push(ends[ends.length - 1] + frames[frames.length - 1].length)
  }
  const header = encodeExtentRecordHeader({ generation, denseBytes: random.of(ends) })
  for (const slot of [0, 1]) {
    if (random.once(2)) header.set(encodeExtentSlot(generation, random.of(ends)), extentSlotAt(slot))
  }
  return new Uint8Array(Buffer.concat([header, ...frames]))
}

const repairRecord = (bytes: Uint8Array, random: Random): void => {
  if (bytes.length < extentRecordHeaderBytes) return
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  view.setUint32(36, crc32(bytes.subarray(0, 36)), true)
  const generation = view.getUint32(20, true) * 2 ** 32 + view.getUint32(16, true)
  // A number beyond 2^53 is none that could be written again.
  if (!Number.isSafeInteger(generation)) return
  const start = crc32(bytes.subarray(0, 24))
  for (const slot of [0, 1]) {
    const at = extentSlotAt(slot)
    if (random.once(2)) view.setUint32(at + 12, crc32(bytes.subarray(at, at + 12), start), true)
  }
  let crc = start
  for (let at = extentRecordHeaderBytes; at + 8 <= bytes.length;) {
    let length = extentFrameClaim(bytes, at)
    if (length === 0 || at + length > bytes.length) {
      if (random.once(3)) return
      length = (bytes.length - at) & ~7
      view.setUint32(at + 4, length, true)
      if (extentFrameClaim(bytes, at) === 0) return
    }
    crc = extentFrameCrc(bytes, at, length, crc)
    view.setUint32(at, crc, true)
    at += length
  }
}

/** A file that is nothing but these bytes, for a reader. */
const fileOf = (bytes: Uint8Array): IoFile =>
  ({
    path,
    size: Effect.succeed(bytes.length),
    readSomeAt: (offset: number, buffer: Uint8Array) =>
      Effect.sync(() => {
        const part = bytes.subarray(offset, offset + buffer.length)
        buffer.set(part)
        return part.length
      })
  }) as unknown as IoFile

const indexText = ({ extents, pieces, pinned }: ExtentIndex): string => {
  const lines: Array<string> = [JSON.stringify(pinned) ?? ""]
  for (let at = extents.first(); at !== -1; at = extents.next(at)) {
    lines.push(`e ${extents.start(at)} ${extents.length(at)}`)
  }
  let end = -1
  for (let at = pieces.first(); at !== -1; at = pieces.next(at)) {
    demand(pieces.start(at) >= end && pieces.length(at) > 0, "pieces overlap")
    end = pieces.end(at)
    lines.push(`p ${pieces.start(at)} ${pieces.length(at)} ${pieces.sum(at)}`)
  }
  return lines.join("\n")
}

/** A record of one state. */
const recordOf = ({ extents, pieces, pinned }: ExtentIndex): Uint8Array => {
  const frames: Array<Uint8Array> = []
  const frame = new ExtentFrame()
  let crc = extentChainStart(0)
  const seal = (): void => {
    frames.push(frame.seal(crc).slice())
    crc = frame.crc
    frame.begin()
  }
  frame.begin()
  if (pinned !== undefined) frame.pin(pinned.length, pinned.identity)
  seal()
  for (let at = pieces.first(); at !== -1; at = pieces.next(at)) {
    if (!frame.hasRoom) seal()
    frame.piece(pieces.start(at), pieces.length(at), pieces.sum(at))
  }
  for (let at = extents.first(); at !== -1; at = extents.next(at)) {
    if (!frame.hasRoom) seal()
    frame.extent(extents.start(at), extents.length(at))
  }
  seal()
  return new Uint8Array(
    Buffer.concat([encodeExtentRecordHeader({ generation: 0, denseBytes: 0 }), ...frames])
  )
}

export const extentTarget: FuzzTarget = {
  name: "extents",
  generate: generateRecord,
  repair: repairRecord,
  run: (bytes) => {
    const { index } = Effect.runSync(loadRecord(fileOf(bytes)))
    const found = indexText(index)
    const again = Effect.runSync(loadRecord(fileOf(recordOf(index))))
    demand(indexText(again.index) === found, "a record is another one when it is encoded again")
  },
  isRefusal: isCorrupt(),
  dictionary: [],
  maxBytes: 4096,
  align: 8
}
