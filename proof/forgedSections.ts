/** Forged control files and block sums. */
import { crc32 } from "../src/bytes/crc32.ts"
import { checkedSums } from "../src/file/blockSumsReading.ts"
import { blockSumsHeaderBytes, decodeBlockSumsHeader } from "../src/format/blockSums.ts"
import { decodeControlSlot } from "../src/format/controlRecord.ts"
import { type ControlState, decodeControlSlots } from "../src/format/controlSlots.ts"
import { changed, corrupt, type Forgery, forgedPath as path, passedOver, setWide, viewOf } from "./forgery.ts"

const beyond = 2 ** 53
const slotBytes = 65_536

interface ControlFields {
  readonly magic: string
  readonly version: number
  readonly recordBytes: number | undefined
  readonly chunks: number | undefined
  /** From byte 16 on: sequence, generation, suffixStart, the prefix's data and map, firstChunk and its offset. */
  readonly numbers: ReadonlyArray<number>
  readonly lengths: ReadonlyArray<number>
}

const good: ControlFields = {
  magic: "lacunaCT",
  version: 1,
  recordBytes: undefined,
  chunks: undefined,
  numbers: [43, 3, 1000, 300, 700, 17, 900],
  lengths: [4096, 150]
}

/** Before the first collection. */
const young = { numbers: [43, 0, 0, 0, 0, 0, 0], lengths: [10, 20] }

const withNumber = (numbers: ReadonlyArray<number>, at: number, value: number): ReadonlyArray<number> =>
  numbers.map((number, i) => (i === (at - 16) / 8 ? value : number))

/** A slot with this record, whose checksum holds. */
const slotOf = (fields: Partial<ControlFields>): Uint8Array => {
  const { lengths, magic, numbers, version, ...counts } = { ...good, ...fields }
  const slot = new Uint8Array(slotBytes)
  const view = viewOf(slot)
  const { chunks = lengths.length, recordBytes = 80 + 8 * lengths.length } = counts
  for (let i = 0; i < 8; i++) slot[i] = magic.charCodeAt(i)
  view.setUint32(8, version, true)
  view.setUint32(12, recordBytes, true)
  numbers.forEach((value, i) => setWide(slot, 16 + 8 * i, value))
  view.setUint32(72, chunks, true)
  lengths.forEach((value, i) => setWide(slot, 80 + 8 * i, value))
  const head = slot.subarray(0, Math.min(76, recordBytes))
  view.setUint32(76, crc32(slot.subarray(80, Math.max(80, recordBytes)), crc32(head)), true)
  return slot
}

/** The newest record is forged, and the one before it is in the other slot. */
const read = (fields: Partial<ControlFields>, before: Partial<ControlFields> = {}): ControlState => {
  const file = new Uint8Array(2 * slotBytes)
  file.set(slotOf({ numbers: withNumber(good.numbers, 16, 42), ...before }))
  file.set(slotOf(fields), slotBytes)
  return decodeControlSlots(file, path)
}

const refusedAt = (at: number, name: string, fields: Partial<ControlFields>): Forgery =>
  corrupt(`control: ${name}`, slotBytes + at, () => read(fields))

/** The slot counts for nothing, and it is said. */
const torn = (name: string, fields: Partial<ControlFields>): Forgery =>
  passedOver(
    `control: ${name}`,
    () => read(fields),
    ({ damage, record }) => record.sequence === 42 && damage !== undefined
  )

const names = ["sequence", "generation", "suffixStart", "prefixDataBytes", "prefixMapBytes"]
const fieldNames = [...names, "firstChunk", "firstChunkOffset"]

const controlForgeries = (): ReadonlyArray<Forgery> => [
  torn("other magic bytes", { magic: "lacunaCU" }),
  torn("a record shorter than its head", { recordBytes: 72 }),
  // All of the slot is summed, so that the sum holds.
  torn("a record longer than its slot", { recordBytes: slotBytes + 8, chunks: 8183 }),
  ...fieldNames.map((name, i) =>
    refusedAt(16 + 8 * i, `${name} beyond 2^53-1`, {
      numbers: withNumber(good.numbers, 16 + 8 * i, beyond)
    })
  ),
  refusedAt(8, "a later version", { version: 2 }),
  refusedAt(72, "more chunks than the record has room for", { chunks: 3 }),
  refusedAt(72, "fewer chunks than the record has room for", { chunks: 1 }),
  ...[32, 40, 48].map((at) =>
    refusedAt(at, `a prefix of generation 0 (${at})`, {
      ...young,
      numbers: withNumber(young.numbers, at, 5)
    })
  ),
  refusedAt(48, "a prefix without a map", { numbers: withNumber(good.numbers, 48, 0) }),
  refusedAt(40, "a prefix longer than what was there", { numbers: withNumber(good.numbers, 40, 1001) }),
  refusedAt(56, "chunks numbered beyond 2^53-1", { numbers: withNumber(good.numbers, 56, beyond - 2) }),
  refusedAt(80, "a chunk longer than 2^53-1", { lengths: [beyond, 150] }),
  refusedAt(88, "chunks that end beyond 2^53-1", { lengths: [beyond - 1000, beyond - 1000] }),
  refusedAt(88, "a sealed chunk that is empty", { lengths: [4096, 0, 150] }),
  refusedAt(80, "a sealed chunk that nobody needs", { lengths: [50, 4096, 150] }),
  refusedAt(64, "a suffix that begins before its chunks", { numbers: withNumber(good.numbers, 64, 1001) }),
  refusedAt(32, "a suffix that begins behind its chunks", { lengths: [50] }),
  corrupt("control: two records of one sequence", slotBytes, () =>
    read({}, { numbers: good.numbers, lengths: [4096, 151] })
  ),
  corrupt("control: two records of one sequence, of other lengths", slotBytes, () =>
    read({}, { numbers: good.numbers, lengths: [4096, 150, 1] })
  ),
  passedOver(
    "control: a slot that is cut off in its head",
    () => decodeControlSlot(slotOf({}).slice(0, 10), { path, offset: 0 }).state,
    (state) => state === "torn"
  ),
  passedOver(
    "control: two slots that say the same",
    () => read({}, { numbers: good.numbers }).slotsWhole,
    (isWhole) => isWhole
  )
]

/** A section for two blocks and a part of a third: the table has room for a fourth. */
const section = (change: (copy: Uint8Array, view: DataView) => void, tableBytes = 16): Uint8Array => {
  const bytes = new Uint8Array(40 + tableBytes).fill(7, 40, 52)
  for (let i = 0; i < 8; i++) bytes[i] = "lacunaBS".charCodeAt(i)
  return changed(bytes, (copy, view) => {
    view.setUint32(8, 1, true)
    view.setUint32(12, 65_536, true)
    setWide(copy, 16, 2 * 65_536 + 5)
    setWide(copy, 24, 3)
    change(copy, view)
    view.setUint32(32, crc32(copy.subarray(40)), true)
    view.setUint32(36, crc32(copy.subarray(0, 36)), true)
  })
}

const readSection = (bytes: Uint8Array): Uint32Array => {
  const place = { path, offset: 0, fileSize: bytes.length }
  const header = decodeBlockSumsHeader(bytes.subarray(0, blockSumsHeaderBytes), place)
  return checkedSums(bytes.slice(blockSumsHeaderBytes), header, place)
}

const sumsForgery = (
  at: number,
  name: string,
  change: (copy: Uint8Array, view: DataView) => void,
  tableBytes?: number
): Forgery => corrupt(`sums: ${name}`, at, () => readSection(section(change, tableBytes)))

const sumsForgeries = (): ReadonlyArray<Forgery> => [
  passedOver(
    "sums: nothing wrong",
    () => readSection(section(() => {})).join(),
    (found) => found === "117901063,117901063,117901063"
  ),
  corrupt("sums: a header that is cut off", 20, () => readSection(section(() => {}).slice(0, 20))),
  sumsForgery(7, "other magic bytes", (copy) => void (copy[7] = 0x54)),
  sumsForgery(8, "a later version", (_, view) => view.setUint32(8, 2, true)),
  sumsForgery(12, "another block size", (_, view) => view.setUint32(12, 4096, true)),
  sumsForgery(16, "data longer than 2^53-1", (copy) => setWide(copy, 16, beyond)),
  sumsForgery(24, "blocks beyond 2^53-1", (copy) => setWide(copy, 24, beyond)),
  sumsForgery(24, "one block too many", (copy) => setWide(copy, 24, 4)),
  sumsForgery(24, "data of one block more", (copy) => setWide(copy, 16, 3 * 65_536 + 5)),
  sumsForgery(56, "eight bytes more", () => {}, 24),
  sumsForgery(48, "eight bytes less", () => {}, 8)
]

export const sectionForgeries = (): ReadonlyArray<Forgery> => [...controlForgeries(), ...sumsForgeries()]
