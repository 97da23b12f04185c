/**
 * Damage to an extent file: the record by itself, as it is loaded, and record and data as the file is opened,
 * reported and read.
 *
 * The laws: no byte is served that was not put there. What is known to be durable is read as it was, or the record
 * is `Corrupt`; frames behind that count up to the first that is damaged, since a torn tail looks the same. A slot that
 * is damaged costs nothing. Damage to the data costs the extents that it lies in. One thing can't be told: where all
 * that was written to the first sector lately was lost, slots and frames, it holds a record that was right then. Such a
 * record costs extents; it serves no wrong byte.
 */
import * as Effect from "effect/Effect"
import type { Extent } from "../src/bytes/extent.ts"
import { ExtentFile } from "../src/file/ExtentFile.ts"
import { loadRecord } from "../src/file/extentLoading.ts"
import {
  decodeExtentRecordHeader,
  extentEntryKind,
  extentFrameClaim,
  extentFrameHeaderBytes,
  extentRecordHeaderBytes
} from "../src/format/extentRecord.ts"
import type { Damage } from "../src/testing/damage.ts"
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import { type DamageCase, runDamageCases } from "./damageCases.ts"
import { type ExtentFiles, makeFiles, objectBytes, path, pieceOf, recordPath } from "./damageExtentFiles.ts"
import { DamageWorld, isSame } from "./damageWorld.ts"
import { fileOf } from "./forgedExtents.ts"
import type { PartOptions } from "./part.ts"

/** The slots of the header. */
const slots = { from: 40, to: extentRecordHeaderBytes }

/** What a record says, as text. */
const loaded = (world: DamageWorld, bytes: Uint8Array): string => {
  const { index } = world.run(loadRecord(fileOf(bytes, recordPath)))
  const { extents, pieces, pinned } = index
  const lines: Array<string> = [JSON.stringify(pinned)]
  for (let at = extents.first(); at !== -1; at = extents.next(at)) {
    lines.push(`e ${extents.start(at)} ${extents.length(at)}`)
  }
  for (let at = pieces.first(); at !== -1; at = pieces.next(at)) {
    lines.push(`p ${pieces.start(at)} ${pieces.length(at)} ${pieces.sum(at)} ${pieces.flags(at)}`)
  }
  return lines.join("\n")
}

/** Where the frames end that are known to be durable. */
const syncedEnd = (record: Uint8Array): number =>
  extentRecordHeaderBytes +
  decodeExtentRecordHeader(record, { path: recordPath, fileSize: record.length }).syncedBytes

/** What the record says when it ends with any of its frames from `from` on. */
const prefixesOf = (world: DamageWorld, record: Uint8Array, from: number): ReadonlySet<string> => {
  const states = new Set<string>()
  const unsynced = record.slice()
  // Without slots nothing but what was dense is known to be durable.
  unsynced.fill(0, slots.from, slots.to)
  for (let at = extentRecordHeaderBytes; ; at += extentFrameClaim(record, at)) {
    if (at >= Math.max(from, syncedEnd(unsynced))) states.add(loaded(world, unsynced.subarray(0, at)))
    if (at === record.length) return states
  }
}

/** Whether the slots went back together with frames: a record as it was then. */
const isOlder = (damage: Damage): boolean => damage.kind === "stale" && damage.sector === 0

/**
 * The entries, as ranges of bytes, that a mark with a frame behind it vouches for, whatever the slots say. Frames are
 * followed by the length and the checksum that each begins with: where these are damaged the rest is as good as torn.
 */
const vouchedFor = (record: Uint8Array): ReadonlyArray<readonly [number, number]> => {
  const frames: Array<readonly [number, number]> = []
  let last = 0
  for (let at = extentRecordHeaderBytes; at < record.length;) {
    const end = at + extentFrameClaim(record, at)
    if (end < record.length && end - at === 32 && record[at + 8] === extentEntryKind.mark)
      last = frames.length
    frames.push([at + extentFrameHeaderBytes, end])
    at = end
  }
  return frames.slice(0, last)
}

/** Whether a damage is one that nothing excuses. */
const mustBeFound = (
  damage: Damage,
  synced: number,
  vouched: ReturnType<typeof vouchedFor> = []
): boolean => {
  if (damage.kind === "cut") return damage.length < synced
  if (damage.kind !== "flip") return false
  const { byte } = damage
  if (byte >= synced) return vouched.some(([from, to]) => byte >= from && byte < to)
  return byte < slots.from || byte >= slots.to
}

/** A slot that is damaged says nothing, and the other one still does. */
const costsNothing = (isRight: () => boolean): DamageVerdict => {
  try {
    return isRight() ? "harmless" : { wrong: "a damaged slot has changed what the record says" }
  } catch (error) {
    return { wrong: `a damaged slot has cost the record: ${String(error)}` }
  }
}

const judgeRecord = (files: ExtentFiles) => {
  const world = new DamageWorld()
  const synced = syncedEnd(files.record)
  const vouched = vouchedFor(files.record)
  const right = loaded(world, files.record)
  const prefixes = prefixesOf(world, files.record, synced)
  const older = prefixesOf(world, files.record, 0)
  return (bytes: Uint8Array, damage: Damage): DamageVerdict => {
    const isSlot = damage.kind === "flip" && damage.byte >= slots.from && damage.byte < slots.to
    if (isSlot) return costsNothing(() => loaded(world, bytes) === right)
    const found = loaded(world, bytes)
    if (mustBeFound(damage, synced, vouched)) return { wrong: "the change was passed over" }
    if (found === right) return "harmless"
    return (isOlder(damage) ? older : prefixes).has(found)
      ? "detected"
      : { wrong: `a record that was never written: ${found}` }
  }
}

const zeros = new Uint8Array(objectBytes)

/** Where bytes begin that no extent holds, and that are no zeros. */
const strayByte = (data: Uint8Array, extents: Iterable<Extent>): number | undefined => {
  let at = 0
  for (const { length, offset } of [...extents, { offset: data.length, length: 0 }]) {
    if (offset > at && !isSame(data.subarray(at, offset), zeros.subarray(at, offset))) return at
    at = Math.max(at, offset + length)
  }
  return undefined
}

/** Opens what was put there and reads all of it. */
const serve = (
  world: DamageWorld,
  { kept }: ExtentFiles,
  { isData, mayMiss }: { readonly isData: boolean; readonly mayMiss: boolean }
): DamageVerdict =>
  world.run(
    Effect.gen(function* () {
      yield* ExtentFile.report(path)
      const file = yield* ExtentFile.open(path)
      if (!isData) {
        const end = strayByte(world.get(path)!, file.extents())
        if (end !== undefined) return { wrong: `byte ${end} is none of any extent, and not 0` }
      }
      let missing = kept.length
      for (const { length, offset } of file.extents()) {
        const bytes = yield* file.readExtent(offset)
        if (bytes.length === 0) continue
        if (bytes.length !== length || !isSame(bytes, pieceOf(offset, length))) {
          return { wrong: `the extent of ${length} bytes at ${offset} is wrong` }
        }
        if (kept.some((extent) => extent.offset === offset && extent.length === length)) missing--
      }
      for (let offset = 0; offset < objectBytes; offset += 1500) {
        const buffer = new Uint8Array(200)
        if (!file.unsafe.read(offset, buffer) || isSame(buffer, pieceOf(offset, 200))) continue
        return { wrong: `the 200 bytes at ${offset} are wrong` }
      }
      if (missing === 0) return "harmless"
      return mayMiss ? "detected" : { wrong: `${missing} extents that were flushed are gone` }
    })
  )

const judgeFile = (files: ExtentFiles, which: "record" | "data", mapping: boolean) => {
  const world = new DamageWorld({ mapping })
  const synced = syncedEnd(files.record)
  return (bytes: Uint8Array, damage: Damage): DamageVerdict => {
    world.put(path, which === "data" ? bytes : files.data)
    world.put(recordPath, which === "record" ? bytes : files.record)
    const verdict = serve(world, files, {
      isData: which === "data",
      mayMiss: which === "data" || isOlder(damage)
    })
    return which === "record" && mustBeFound(damage, synced) && verdict === "harmless"
      ? { wrong: "the change was passed over" }
      : verdict
  }
}

function* cases({ effort }: PartOptions): Generator<DamageCase> {
  const ends = ["closed", "flushed", "killed"] as const
  for (const end of ends) {
    const long = makeFiles(`long ${end}`, end, 4)
    const short = makeFiles(`short ${end}`, end, 1)
    for (const files of [short, long]) {
      const { name, record, stale } = files
      const about = { path: recordPath, bytes: record, stale, limitBytes: (1 << 19) + 64 * record.length }
      yield { name: `loading ${name}`, ...about, judge: judgeRecord(files) }
      if (end === "killed" && files === long) {
        // As after a power cut that took what the slots were told: a mark is all that vouches for what is before it.
        const untold = { ...files, record: record.slice().fill(0, slots.from, slots.to) }
        yield {
          name: `loading ${name} untold`,
          ...{ ...about, bytes: untold.record, stale: undefined },
          ranges: [{ from: 0, to: record.length, every: effort < 5 ? 3 : 1 }],
          judge: judgeRecord(untold)
        }
      }
      // A file that was flushed and one that was closed differ in the last frame.
      const isSampled = (files === long || end === "flushed") && effort < 50
      yield {
        name: `opening ${name}`,
        ...about,
        limitBytes: 1 << 23,
        ranges: [
          { from: 0, to: record.length, every: isSampled ? 41 : end === "killed" && effort < 5 ? 3 : 1 }
        ],
        cutEvery: isSampled ? 31 : 1,
        judge: judgeFile(files, "record", true)
      }
    }
    yield {
      name: `data ${short.name}`,
      path: [path, recordPath],
      bytes: short.data,
      stale: pieceOf(0, short.data.length).map((byte) => byte ^ 1),
      ranges: [{ from: 0, to: 4000, every: effort < 50 ? 131 : 1 }],
      partners: effort < 50 ? 3 : Infinity,
      cutEvery: effort < 50 ? 499 : 1,
      limitBytes: 1 << 23,
      judge: judgeFile(short, "data", false)
    }
  }
}

export const part = { run: (options: PartOptions) => runDamageCases(cases(options), options) }
