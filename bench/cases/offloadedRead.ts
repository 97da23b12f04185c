/**
 * Reading an offloaded file in order: extents of 64 KiB, or of 1 MiB, that are memory, a reference to
 * the backing, and a repeated value by turns, over a backing in memory and over a file; beside C's
 * memcpy of the same bytes. And what it costs to refer to a gibibyte of the backing.
 */
import * as Effect from "effect/Effect"
import path from "node:path"
import { Io } from "../../src/io/Io.ts"
import type { IoFile } from "../../src/io/Io.ts"
import { OffloadedFile } from "../../src/file/OffloadedFile.ts"
import type { OffloadedFileService } from "../../src/file/offloadedFileService.ts"
import { expect } from "../expect.ts"
import { rssAnonBytes } from "../jobProcess.ts"
import { loadNative } from "../native.ts"
import { openMemfs } from "../peerStores.ts"
import type { MemoryPeers } from "../peerStores.ts"
import type { Row } from "../result.ts"
import { compare, median } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { randomBytes, writeWarmFile } from "./randomFile.ts"

const kinds = 3
const readings = [
  { extentBytes: 1 << 16, pieceBytes: 1 << 16 },
  { extentBytes: 1 << 16, pieceBytes: 1 << 20 },
  { extentBytes: 1 << 20, pieceBytes: 1 << 20 }
]
const referredBytes = 2 ** 30
const referrals = 1000

const kibibytes = (bytes: number): string => (bytes < 1 << 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`)

/** Writes memory, references and repeats by turns, and puts the same bytes into `flat`. */
const fill = Effect.fnUntraced(function* (options: {
  readonly file: OffloadedFileService
  readonly backing: Uint8Array
  readonly flat: Uint8Array
  readonly extentBytes: number
}) {
  const { backing, extentBytes, file, flat } = options
  const written = randomBytes(extentBytes, 92)
  for (let at = 0; at < flat.length; at += extentBytes) {
    const index = at / extentBytes
    const place = flat.subarray(at, at + extentBytes)
    if (index % kinds === 0) {
      written[0] = index
      place.set(written)
      yield* file.writeAt(at, written)
    } else if (index % kinds === 1) {
      // Backwards, so that no two references of neighbours could be one.
      const backingOffset = backing.length - extentBytes * (1 + (index - 1) / kinds)
      place.set(backing.subarray(backingOffset, backingOffset + extentBytes))
      yield* file.writeAt(at, { backingOffset, length: extentBytes })
    } else {
      place.fill(index)
      yield* file.resize(at + extentBytes, index & 255)
    }
  }
  expect("each extent is one", file.extents().length === flat.length / extentBytes)
  expect("a third is memory", file.memoryBytes() === flat.length / kinds)
})

/** Reads all of it, a piece at a time, into the same buffer. */
const readAll = ({ unsafe }: OffloadedFileService, flatBytes: number, buffer: Uint8Array): void => {
  for (let at = 0; at < flatBytes; at += buffer.length) unsafe.readAt(at, buffer)
}

const expectContent = (
  name: string,
  flat: Uint8Array,
  read: (offset: number, buffer: Uint8Array) => number
): void => {
  // A prime, so that reads begin and end anywhere.
  const buffer = Buffer.alloc(99_991)
  for (let at = 0; at < flat.length; at += buffer.length) {
    const wanted = flat.subarray(at, at + buffer.length)
    expect(`${name} reads to the end`, read(at, buffer) === wanted.length)
    expect(`${name} has what was written from ${at} on`, buffer.subarray(0, wanted.length).equals(wanted))
  }
}

const gigabyte = (bytes: number, work: () => void): number => {
  const start = performance.now()
  work()
  return ((performance.now() - start) * 1e9) / bytes
}

export const offloadedReadCase = Effect.fnUntraced(function* (settings: Settings, { peers }: MemoryPeers) {
  const backingBytes = settings.quick ? 2 ** 23 : 2 ** 26
  const flat = new Uint8Array(kinds * backingBytes)
  const inMemory = randomBytes(backingBytes, 91)
  const backingPath = path.join(settings.directory, "backing")
  writeWarmFile(backingPath, inMemory)
  const io = yield* Io
  const onDisk: IoFile = yield* io.open(backingPath, { readonly: true })
  const native = loadNative()
  const rows: Array<Row> = []
  for (const { extentBytes, pieceBytes } of readings) {
    const buffer = new Uint8Array(pieceBytes)
    const sides: Array<Side> = []
    for (const [name, backing] of [
      ["a backing in memory", inMemory],
      ["a file as backing", onDisk]
    ] as const) {
      const file = yield* OffloadedFile.make({ backing })
      yield* fill({ file, backing: inMemory, flat, extentBytes })
      expectContent(name, flat, file.unsafe.readAt)
      sides.push({
        name: `unsafe.readAt, ${name}`,
        goal: { most: 2, of: "ratio", to: "C" },
        run: () => gigabyte(flat.length, () => readAll(file, flat.length, buffer))
      })
    }
    if (peers.includes("memfs")) {
      const memfs = openMemfs()
      const fd = memfs.openSync("/file", "w+")
      memfs.writeSync(fd, flat, 0, flat.length, 0)
      const read = (offset: number, into: Uint8Array) => memfs.readSync(fd, into, 0, into.length, offset)
      expectContent("memfs", flat, read)
      sides.push({
        name: "memfs",
        note: "readSync",
        run: () =>
          gigabyte(flat.length, () => {
            for (let at = 0; at < flat.length; at += pieceBytes) read(at, buffer)
          })
      })
    }
    if (typeof native !== "string") {
      sides.push({
        name: "C",
        note: "memcpy",
        run: () => gigabyte(flat.length, () => native.overlayCopy(flat, flat.length, buffer, pieceBytes))
      })
    }
    rows.push(
      ...(yield* Effect.promise(() =>
        compare({
          case: "offloaded-read",
          variant: `${kibibytes(pieceBytes)} at a time, extents of ${kibibytes(extentBytes)}`,
          unit: "ms a GB",
          rounds: settings.rounds,
          sides
        })
      ))
    )
  }
  return [...rows, ...(yield* measureReferring(settings))]
})

/** Refers to all of the backing at once, as a range and as the memory that it is. */
const measureReferring = Effect.fnUntraced(function* (settings: Settings) {
  const backing = new Uint8Array(referredBytes)
  const file = yield* OffloadedFile.make({ backing })
  const rows: Array<Row> = []
  for (const [variant, data] of [
    ["a range of the backing", { backingOffset: 0, length: referredBytes }],
    ["the backing's memory", backing]
  ] as const) {
    const rounds: Array<number> = []
    // The backing is only address space, and would be all the memory that a copy of it took.
    const before = rssAnonBytes("self")
    for (let round = 0; round < settings.rounds; round++) {
      let micros = 0
      for (let i = 0; i < referrals; i++) {
        yield* file.truncate
        const start = performance.now()
        file.unsafe.writeAt(0, data)
        micros += (performance.now() - start) * 1000
        expect("1 GiB is referred to", file.length() === referredBytes && file.memoryBytes() === 0)
      }
      rounds.push(micros / referrals)
    }
    expect("no memory was taken for it", rssAnonBytes("self") - before < referredBytes / 16)
    rows.push({
      case: "offloaded-refer",
      variant: `1 GiB as ${variant}`,
      side: "unsafe.writeAt",
      value: median(rounds),
      unit: "us",
      rounds
    })
    rows.push({
      case: "offloaded-refer",
      variant: `1 GiB as ${variant}, memory`,
      side: "unsafe.writeAt",
      value: file.memoryBytes(),
      unit: "bytes copied",
      goal: { most: 0, of: "value" }
    })
  }
  return rows
})
