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
  extentFrameClaim,
  extentRecordHeaderBytes
} from "../src/format/extentRecord.ts"
import type { IoFile } from "../src/io/Io.ts"
import type { Damage } from "../src/testing/damage.ts"
import type { DamageVerdict } from "../src/testing/exploreDamage.ts"
import { type DamageCase, runDamageCases } from "./damageCases.ts"
import { DamageWorld, isSame } from "./damageWorld.ts"
import type { PartOptions } from "./part.ts"

const path = "/object"
const recordPath = "/object.extents"
const objectBytes = 40_000
const object = Uint8Array.from({ length: objectBytes }, (_, i) => 1 + ((i * 13 + (i >> 7)) % 255))
const pieceOf = (offset: number, length: number): Uint8Array => object.subarray(offset, offset + length)

interface ExtentFiles {
  readonly name: string
  readonly data: Uint8Array
  readonly record: Uint8Array
  /** The record as it was some changes before. */
  readonly stale: Uint8Array
  /** What was flushed, and not touched since. */
  readonly kept: ReadonlyArray<Extent>
}

/** A history of so many rounds, with all kinds of entries, that ends in one of these ways. */
const makeFiles = (name: string, end: "closed" | "flushed" | "killed", rounds: number): ExtentFiles => {
  const world = new DamageWorld()
  let stale = new Uint8Array(0)
  let kept: ReadonlyArray<Extent> = []
  const images = (): { data: Uint8Array; record: Uint8Array } => ({
    data: world.get(path)!,
    record: world.get(recordPath)!
  })
  const live = world.run(
    Effect.gen(function* () {
      const file = yield* ExtentFile.open(path)
      yield* file.pin({ identity: "v1", length: objectBytes }, "the object")
      for (let round = 0; round < rounds; round++) {
        const at = round * 2000
        yield* file.createExtent(at, pieceOf(at, 900))
        yield* file.createExtent(at + 1200, pieceOf(at + 1200, 300))
        yield* file.createExtent(at + 1600, pieceOf(at + 1600, 7))
        yield* file.flush
        stale = images().record.slice()
        yield* file.createExtent(at + 500, pieceOf(at + 500, 600))
        yield* file.deleteExtent(at + 1200)
        yield* file.flush
      }
      kept = file.extents().map((extent) => ({ ...extent }))
      yield* file.createExtent(rounds * 2000, pieceOf(rounds * 2000, 100))
      yield* file.createExtent(rounds * 2000 + 60, pieceOf(rounds * 2000 + 60, 100))
      if (end === "killed") return images()
      yield* file.flush
      kept = file.extents().map((extent) => ({ ...extent }))
      return end === "flushed" ? images() : undefined
    })
  )
  return { name, stale, kept, ...(live ?? images()) }
}

/** A file that is nothing but these bytes, for a reader. */
const fileOf = (bytes: Uint8Array): IoFile => {
  const readSomeAt = (offset: number, buffer: Uint8Array): number => {
    const part = bytes.subarray(offset, offset + buffer.length)
    buffer.set(part)
    return part.length
  }
  return {
    path: recordPath,
    size: Effect.succeed(bytes.length),
    readSomeAt: (offset: number, buffer: Uint8Array) => Effect.sync(() => readSomeAt(offset, buffer))
  } as unknown as IoFile
}

/** The slots of the header. */
const slots = { from: 40, to: extentRecordHeaderBytes }

/** What a record says, as text. */
const loaded = (world: DamageWorld, bytes: Uint8Array): string => {
  const { index } = world.run(loadRecord(fileOf(bytes)))
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

/** Whether a damage is one that nothing excuses. */
const mustBeFound = (damage: Damage, synced: number): boolean => {
  if (damage.kind === "cut") return damage.length < synced
  if (damage.kind !== "flip" || damage.byte >= synced) return false
  return damage.byte < slots.from || damage.byte >= slots.to
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
  const right = loaded(world, files.record)
  const prefixes = prefixesOf(world, files.record, synced)
  const older = prefixesOf(world, files.record, 0)
  return (bytes: Uint8Array, damage: Damage): DamageVerdict => {
    const isSlot = damage.kind === "flip" && damage.byte >= slots.from && damage.byte < slots.to
    if (isSlot) return costsNothing(() => loaded(world, bytes) === right)
    const found = loaded(world, bytes)
    if (mustBeFound(damage, synced)) return { wrong: "the change was passed over" }
    if (found === right) return "harmless"
    return (isOlder(damage) ? older : prefixes).has(found)
      ? "detected"
      : { wrong: `a record that was never written: ${found}` }
  }
}

/** Opens what was put there and reads all of it. */
const serve = (world: DamageWorld, { kept }: ExtentFiles, mayMiss: boolean): DamageVerdict =>
  world.run(
    Effect.gen(function* () {
      yield* ExtentFile.report(path)
      const file = yield* ExtentFile.open(path)
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
    const verdict = serve(world, files, which === "data" || isOlder(damage))
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
