/**
 * Forged records of extent files: headers, frames and entries. What is no frame ends those that count, as a torn tail
 * does; what is one and can't be is `Corrupt`.
 */
import * as Effect from "effect/Effect"
import { crc32 } from "../src/bytes/crc32.ts"
import { loadRecord } from "../src/file/extentLoading.ts"
import {
  encodeExtentRecordHeader,
  encodeExtentSlot,
  extentChainStart,
  extentEntryKind as kind
} from "../src/format/extentRecord.ts"
import type { IoFile } from "../src/io/Io.ts"
import { changed, corrupt, type Forgery, forgedPath as path, passedOver, setWide, viewOf } from "./forgery.ts"

const beyond = 2 ** 53
const firstFrameAt = 72
const firstEntryAt = firstFrameAt + 8

/** A file that is nothing but these bytes, for a reader. */
export const fileOf = (bytes: Uint8Array, name = path): IoFile =>
  ({
    path: name,
    size: Effect.succeed(bytes.length),
    readSomeAt: (offset: number, buffer: Uint8Array) =>
      Effect.sync(() => {
        const part = bytes.subarray(offset, offset + buffer.length)
        buffer.set(part)
        return part.length
      })
  }) as unknown as IoFile

/** The starts and lengths of the extents that a record tells of. */
const load = (bytes: Uint8Array): string => {
  const { extents } = Effect.runSync(loadRecord(fileOf(bytes))).index
  const found: Array<string> = []
  for (let at = extents.first(); at !== -1; at = extents.next(at)) {
    found.push(`${extents.start(at)}+${extents.length(at)}`)
  }
  return found.join(" ")
}

export const entry = (of: number, value: number, offset: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(24)
  viewOf(bytes).setUint32(0, of, true)
  viewOf(bytes).setUint32(4, value, true)
  setWide(bytes, 8, offset)
  setWide(bytes, 16, length)
  return bytes
}

const create = (offset: number, length = 10): Uint8Array => entry(kind.create, 1, offset, length)
const mark = entry(kind.mark, 0, 0, 0)

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

interface RawFrame {
  readonly entries: ReadonlyArray<Uint8Array>
  /** What it claims to have, where that is another number. */
  readonly claim?: number
  /** Whether its checksum is wrong. */
  readonly isBad?: boolean
}

/** A frame whose checksum continues `before`; frames behind one that is bad continue what is stored in it. */
const frameOf = ({ claim, entries, isBad }: RawFrame, before: number): Uint8Array =>
  changed(joined([new Uint8Array(8), ...entries]), (bytes, view) => {
    view.setUint32(4, claim ?? bytes.length, true)
    const sum = crc32(bytes.subarray(4, Math.max(4, claim ?? bytes.length)), before)
    view.setUint32(0, isBad === true ? sum ^ 1 : sum, true)
  })

interface RawRecord {
  readonly frames: ReadonlyArray<RawFrame>
  readonly generation?: number
  /** Of which the frames are. */
  readonly framesOf?: number
  readonly denseBytes?: number
}

export const recordOf = ({ denseBytes = 0, frames, framesOf, generation = 5 }: RawRecord): Uint8Array => {
  const parts = [encodeExtentRecordHeader({ generation, denseBytes })]
  let crc = extentChainStart(framesOf ?? generation)
  for (const frame of frames) {
    const bytes = frameOf(frame, crc)
    parts.push(bytes)
    crc = viewOf(bytes).getUint32(0, true)
  }
  return joined(parts)
}

const ofEntries = (...entries: ReadonlyArray<Uint8Array>): Uint8Array => recordOf({ frames: [{ entries }] })

/** The first entry of the first frame is wrong, in the field at `field`. */
const badEntry = (name: string, field: number, ...entries: ReadonlyArray<Uint8Array>): Forgery =>
  corrupt(`extents: ${name}`, firstEntryAt + field, () => load(ofEntries(...entries)))

const badHeader = (
  name: string,
  at: number,
  change: (copy: Uint8Array, view: DataView) => void,
  record = recordOf({ frames: [] })
): Forgery =>
  corrupt(`extents: ${name}`, at, () =>
    load(
      changed(record, (copy, view) => {
        change(copy, view)
        view.setUint32(36, crc32(copy.subarray(0, 36)), true)
      })
    )
  )

const headers = (): ReadonlyArray<Forgery> => [
  badHeader("other magic bytes", 7, (copy) => void (copy[7] = 0x59)),
  badHeader("a later version", 8, (_, view) => view.setUint32(8, 2, true)),
  badHeader("another header length", 12, (_, view) => view.setUint32(12, 80, true)),
  badHeader("a generation beyond 2^53-1", 16, (copy) => setWide(copy, 16, beyond)),
  badHeader("a dense length beyond 2^53-1", 24, (copy) => setWide(copy, 24, beyond)),
  badHeader("reserved bytes that are none", 32, (copy) => void (copy[33] = 1)),
  corrupt("extents: a header that is cut off", 20, () => load(recordOf({ frames: [] }).slice(0, 20))),
  corrupt("extents: frames that were durable and are gone", 112, () =>
    load(recordOf({ frames: [{ entries: [create(0), create(20).subarray(0, 8)] }], denseBytes: 48 }))
  ),
  corrupt("extents: a frame that was durable and doesn't count", firstFrameAt, () =>
    load(recordOf({ frames: [{ entries: [create(0)], isBad: true }], denseBytes: 32 }))
  )
]

const entries = (): ReadonlyArray<Forgery> => [
  badEntry("a frame that ends within an entry", 0, mark.subarray(0, 16)),
  badEntry("an offset beyond 2^53-1", 8, entry(kind.forget, 0, beyond, 0)),
  badEntry("a length beyond 2^53-1", 16, entry(kind.pin, 0, 0, beyond)),
  ...[kind.create, kind.piece, kind.extent, kind.void].map((of) =>
    badEntry(`an entry of kind ${of} without bytes`, 16, entry(of, 0, 5, 0))
  ),
  ...[kind.create, kind.piece].map((of) =>
    badEntry(`an entry of kind ${of} longer than a piece`, 16, entry(of, 0, 5, 2 ** 20 + 1))
  ),
  badEntry("an extent longer than 2^32-1", 16, entry(kind.extent, 0, 5, 2 ** 32)),
  badEntry("a range that ends beyond 2^53-1", 16, entry(kind.extent, 0, beyond - 9, 10)),
  corrupt("extents: a checksum of more than 32 bits", firstEntryAt + 24 + 16, () =>
    load(ofEntries(create(0), entry(kind.split, 0, 5, 2 ** 32)))
  ),
  badEntry("an identity longer than its frame", 4, entry(kind.pin, 9, 0, 100), new Uint8Array(8)),
  badEntry("an identity longer than any", 4, entry(kind.pin, 32_769, 0, 100), new Uint8Array(32_776)),
  badEntry("an identity that is no text", 24, entry(kind.pin, 8, 0, 100), new Uint8Array(8).fill(0xff)),
  badEntry("a mark that is neither tidy nor not", 4, entry(kind.mark, 2, 0, 0)),
  badEntry("an entry of kind 0", 0, entry(0, 0, 0, 0)),
  badEntry("an entry of kind 11", 0, entry(11, 0, 0, 0))
]

/** An entry that does not fit the piece of 10 bytes at 100. */
const misfit = (name: string, wrong: Uint8Array): Forgery =>
  corrupt(`extents: ${name}`, firstFrameAt + 32, () =>
    load(recordOf({ frames: [{ entries: [create(100)] }, { entries: [wrong] }] }))
  )

const misfits = (): ReadonlyArray<Forgery> => [
  ...[kind.create, kind.piece, kind.void].flatMap((of) => [
    misfit(`an entry of kind ${of} that begins within a piece`, entry(of, 0, 105, 20)),
    misfit(`an entry of kind ${of} that ends within a piece`, entry(of, 0, 95, 10))
  ]),
  misfit("a split where no piece is", entry(kind.split, 0, 200, 0)),
  misfit("a split where a piece begins", entry(kind.split, 0, 100, 0)),
  misfit("a split where a piece ends", entry(kind.split, 0, 110, 0))
]

/** What ends the frames: only those before it count. */
const tail = (name: string, frames: ReadonlyArray<RawFrame>, right = "0+10"): Forgery =>
  passedOver(
    `extents: ${name}`,
    () => load(recordOf({ frames })),
    (found) => found === right
  )

const one: RawFrame = { entries: [create(0)] }
const bad: RawFrame = { entries: [create(20)], isBad: true }
const next: RawFrame = { entries: [create(40)] }
const marked: RawFrame = { entries: [mark] }
const many = Array.from({ length: 2731 }, (_, i) => create(100 * i))

const tails = (): ReadonlyArray<Forgery> => [
  tail("a frame without a length", [one, { entries: [], claim: 0 }, next]),
  tail("a frame shorter than its head", [one, { entries: [create(20)], claim: 4 }]),
  tail("a frame longer than any", [one, { entries: many }]),
  tail("a frame that ends between two words", [one, { entries: [create(20).subarray(0, 4)] }]),
  tail("a frame that ends behind the file", [one, { entries: [create(20)], claim: 56 }]),
  tail("frames behind one that is torn", [one, bad, next, next]),
  tail("a mark behind a frame that is torn", [one, bad, marked]),
  tail("a mark in a frame with others", [one, bad, { entries: [mark, create(60)] }, next]),
  corrupt("extents: a mark, and a frame behind it, behind one that doesn't count", firstFrameAt + 32, () =>
    load(recordOf({ frames: [one, bad, marked, next] }))
  ),
  corrupt("extents: the same further on", firstFrameAt + 32, () =>
    load(recordOf({ frames: [one, bad, next, { entries: [create(60)] }, marked, next] }))
  ),
  passedOver(
    "extents: frames of another generation",
    () => load(recordOf({ frames: [one], framesOf: 4 })),
    (found) => found === ""
  ),
  ...[0, 1].map((slot) =>
    passedOver(
      `extents: slot ${slot} of another generation`,
      () =>
        load(
          changed(recordOf({ frames: [one] }), (copy) =>
            copy.set(encodeExtentSlot(4, 10_000), 40 + 16 * slot)
          )
        ),
      (found) => found === "0+10"
    )
  )
]

export const extentForgeries = (): ReadonlyArray<Forgery> => [
  ...headers(),
  ...entries(),
  ...misfits(),
  ...tails()
]
