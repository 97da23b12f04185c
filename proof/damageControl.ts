/**
 * Damage to the control file, as its decoder sees it: every bit of both slots, slack included, every sector, every
 * length. A whole store is damaged in damageStore.ts.
 *
 * The law: the state that counts, or the one before it with the damage named, or `Corrupt`. A changed bit of the
 * record that counts is never passed over without a word, and never makes a record that nobody has written.
 */
import {
  controlFileBytes,
  type ControlRecord,
  controlSlotBytes,
  encodeControlRecord
} from "../src/format/controlRecord.ts"
import { decodeControlSlots, slotOf, slotOffset } from "../src/format/controlSlots.ts"
import type { Damage } from "../src/testing/damage.ts"
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import { type DamageCase, runDamageCases } from "./damageCases.ts"
import type { PartOptions } from "./part.ts"

const path = "/store/store.control"

const record = (sequence: number, chunkLengths: ReadonlyArray<number>): ControlRecord => ({
  sequence,
  generation: 3,
  suffixStart: 2 ** 33 + 10,
  prefixDataBytes: 5000,
  prefixMapBytes: 700,
  firstChunk: 17,
  firstChunkOffset: 2 ** 33 - 6,
  chunkLengths
})

const fresh: ControlRecord = {
  ...record(1, []),
  ...{
    generation: 0,
    suffixStart: 0,
    prefixDataBytes: 0,
    prefixMapBytes: 0,
    firstChunk: 0,
    firstChunkOffset: 0
  }
}

/** A control file to which these records were written in turn: a slot keeps what longer ones have left. */
const written = (records: ReadonlyArray<ControlRecord>, both = false): Uint8Array => {
  const bytes = new Uint8Array(controlFileBytes)
  for (const one of records) {
    const encoded = encodeControlRecord(one)
    bytes.set(encoded, slotOffset(slotOf(one.sequence)))
    if (both) bytes.set(encoded, slotOffset(slotOf(one.sequence + 1)))
  }
  return bytes
}

interface Written {
  readonly name: string
  readonly newest: ControlRecord
  readonly before: ControlRecord
  readonly image: Uint8Array
}

/** How many bytes of each slot its record has. */
const usedBytes = ({ before, newest }: Written): ReadonlyArray<number> =>
  [0, 1].map((slot) => encodeControlRecord(slotOf(newest.sequence) === slot ? newest : before).length)

const isSame = (one: ControlRecord, other: ControlRecord): boolean => {
  const [lengths, others] = [one.chunkLengths, other.chunkLengths]
  if (lengths.length !== others.length) return false
  for (let i = 0; i < lengths.length; i++) if (lengths[i] !== others[i]) return false
  return (
    one.sequence === other.sequence &&
    one.generation === other.generation &&
    one.suffixStart === other.suffixStart &&
    one.prefixDataBytes === other.prefixDataBytes &&
    one.prefixMapBytes === other.prefixMapBytes &&
    one.firstChunk === other.firstChunk &&
    one.firstChunkOffset === other.firstChunkOffset
  )
}

const judgeOf = (file: Written) => {
  const { before, newest } = file
  const used = usedBytes(file)
  const isUsed = (byte: number) => byte % controlSlotBytes < used[byte < controlSlotBytes ? 0 : 1]
  return (bytes: Uint8Array, damage: Damage): DamageVerdict => {
    const state = decodeControlSlots(bytes, path)
    const isNewest = isSame(state.record, newest)
    if (!isNewest && !isSame(state.record, before)) {
      return { wrong: `a record that nobody wrote: ${JSON.stringify(state.record)}` }
    }
    if (damage.kind === "cut" || damage.kind === "grow")
      return { wrong: "a file of another size was believed" }
    if (state.damage !== undefined) return "detected"
    if (!isNewest) {
      // A write that was lost leaves two slots that are whole: nobody can know that there was another.
      return damage.kind === "stale" ? "detected" : { wrong: `without a word, the record before` }
    }
    if (damage.kind === "flip" && isUsed(damage.byte)) return { wrong: "a changed bit was passed over" }
    return "harmless"
  }
}

const few = [4096, 70_001, 150]
const some = Array.from({ length: 60 }, (_, i) => 1000 + i)
const full = Array.from({ length: 8182 }, (_, i) => 20 + i)

function* cases({ effort }: PartOptions): Generator<DamageCase> {
  const newest = record(43, few)
  const files: ReadonlyArray<Written> = [
    { name: "fresh", newest: fresh, before: fresh, image: written([fresh], true) },
    {
      name: "used",
      newest,
      before: record(42, few.slice(0, 2)),
      // Longer records came before: of them the slots have kept what lies behind.
      image: written([record(40, some), record(41, some), record(42, few.slice(0, 2)), newest])
    },
    {
      name: "full",
      newest: record(8, full),
      before: record(7, full.slice(0, -1)),
      image: written([record(7, full.slice(0, -1)), record(8, full)])
    }
  ]
  for (const file of files) {
    const { image, name } = file
    // A full list takes half a millisecond to decode, and slack is slack: what older records have left, and zeros.
    const isSampled = name !== "used" && effort < 50
    const every = isSampled ? 521 : effort < 5 ? 3 : 1
    const headBytes = isSampled ? 96 : 1024
    const heads = [0, controlSlotBytes].map((from) => ({ from, to: from + headBytes }))
    const rests = [0, controlSlotBytes].map((from) => ({
      from: from + headBytes,
      to: from + controlSlotBytes,
      every
    }))
    const ranges = [...heads, ...rests]
    const limits = isSampled ? { partners: 3, cutEvery: 997 } : {}
    const stale = written([record(40, some), record(41, some)])
    yield { name, path, bytes: image, stale, ranges, ...limits, limitBytes: 1 << 18, judge: judgeOf(file) }
  }
}

export const part = { run: (options: PartOptions) => runDamageCases(cases(options), options) }
