/**
 * The decoders of control and of block sums.
 */
import { crc32 } from "../src/bytes/crc32.ts"
import { checkedSums } from "../src/file/blockSumsReading.ts"
import {
  blockCount,
  blockSumsHeaderBytes,
  decodeBlockSumsHeader,
  encodeBlockSums
} from "../src/format/blockSums.ts"
import {
  controlFileBytes,
  type ControlRecord,
  controlSlotBytes,
  decodeControlSlot,
  encodeControlRecord
} from "../src/format/controlRecord.ts"
import { decodeControlSlots } from "../src/format/controlSlots.ts"
import type { Random } from "./fuzzMutation.ts"
import { demand, fuzzPath as path, type FuzzTarget, isCorrupt } from "./fuzzTarget.ts"

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** An input is the used part of both slots, half and half: a whole file is zeros for the most part. */
const halves = (bytes: Uint8Array): readonly [Uint8Array, Uint8Array] => {
  const middle = Math.floor(bytes.length / 16) * 8
  return [bytes.subarray(0, middle), bytes.subarray(middle)]
}

const controlFile = new Uint8Array(controlFileBytes)

const generateControl = (random: Random): Uint8Array => {
  const generation = random.below(3)
  const firstChunkOffset = generation === 0 ? 0 : random.magnitude(40)
  const suffixStart = generation === 0 ? 0 : firstChunkOffset + random.below(50)
  const record: ControlRecord = {
    sequence: random.magnitude(50),
    generation,
    suffixStart,
    prefixDataBytes: generation === 0 ? 0 : random.below(suffixStart + 1),
    prefixMapBytes: generation === 0 ? 0 : 1 + random.below(1000),
    firstChunk: random.magnitude(40),
    firstChunkOffset,
    chunkLengths: Array.from({ length: 1 + random.below(6) }, () => 50 + random.magnitude(30))
  }
  const one = encodeControlRecord(record)
  const two = encodeControlRecord({ ...record, sequence: record.sequence + random.below(2) })
  const input = new Uint8Array(one.length + two.length)
  input.set(one)
  input.set(two, one.length)
  return input
}

const control: FuzzTarget = {
  name: "control",
  generate: generateControl,
  repair: (bytes) => {
    for (const half of halves(bytes)) {
      if (half.length < 80) continue
      const view = viewOf(half)
      const claimed = view.getUint32(12, true)
      const length = claimed >= 80 && claimed <= half.length ? claimed : half.length
      view.setUint32(12, length, true)
      view.setUint32(76, crc32(half.subarray(80, length), crc32(half.subarray(0, 76))), true)
    }
  },
  run: (bytes) => {
    const [first, second] = halves(bytes)
    controlFile.set(first)
    controlFile.set(second, controlSlotBytes)
    try {
      const { record } = decodeControlSlots(controlFile, path)
      const [one, two] = [0, controlSlotBytes].map((offset) =>
        decodeControlSlot(controlFile.subarray(offset, offset + controlSlotBytes), { path, offset })
      )
      if (one.state === "whole" && two.state === "whole" && one.record.sequence === two.record.sequence) {
        demand(JSON.stringify(one) === JSON.stringify(two), "two records of one sequence were believed")
      }
      const encoded = encodeControlRecord(record)
      const again = new Uint8Array(controlFileBytes)
      again.set(encoded)
      const decoded = decodeControlSlots(again, path).record
      demand(
        JSON.stringify(decoded) === JSON.stringify(record),
        "a record is another one when it is encoded again"
      )
    } finally {
      controlFile.fill(0, 0, first.length)
      controlFile.fill(0, controlSlotBytes, controlSlotBytes + second.length)
    }
  },
  isRefusal: isCorrupt(() => controlFileBytes),
  dictionary: [],
  maxBytes: 2048,
  align: 4
}

const sums: FuzzTarget = {
  name: "sums",
  generate: (random) => {
    const dataLength = random.below(5) * 65_536 + random.below(2) * random.below(65_536)
    return encodeBlockSums(
      dataLength,
      Uint32Array.from({ length: blockCount(dataLength) }, () => random.below(2 ** 32))
    )
  },
  repair: (bytes) => {
    if (bytes.length < blockSumsHeaderBytes) return
    viewOf(bytes).setUint32(32, crc32(bytes.subarray(blockSumsHeaderBytes)), true)
    viewOf(bytes).setUint32(36, crc32(bytes.subarray(0, 36)), true)
  },
  run: (bytes) => {
    const place = { path, offset: 0, fileSize: bytes.length }
    const header = decodeBlockSumsHeader(bytes.subarray(0, blockSumsHeaderBytes), place)
    const found = checkedSums(bytes.slice(blockSumsHeaderBytes), header, place)
    const again = encodeBlockSums(header.dataLength, found)
    demand(again.length === bytes.length, "a section has another length when it is encoded again")
    const decoded = decodeBlockSumsHeader(again.subarray(0, blockSumsHeaderBytes), place)
    const sumsAgain = checkedSums(again.slice(blockSumsHeaderBytes), decoded, place)
    demand(decoded.dataLength === header.dataLength, "sums are of another length when they are encoded again")
    demand(found.join() === sumsAgain.join(), "sums are others when they are encoded again")
  },
  isRefusal: isCorrupt(),
  dictionary: [],
  maxBytes: 512,
  align: 4
}

export const sectionTargets: ReadonlyArray<FuzzTarget> = [control, sums]
