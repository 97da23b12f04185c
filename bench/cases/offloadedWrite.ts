/**
 * Random writes of 64 bytes into an offloaded file that refers to 1 GiB, once it consists of ten
 * thousand extents, and of a million. A write makes two extents more, so it is measured in windows
 * that change few of them; after each, the places written to refer to the backing again, and the file
 * is as it was. Beside it: memfs, which holds the whole file, and memcpy into memory that does.
 */
import * as Effect from "effect/Effect"
import { OffloadedFile } from "../../src/file/OffloadedFile.ts"
import type { OffloadedFileService } from "../../src/file/offloadedFileService.ts"
import { expect } from "../expect.ts"
import { loadNative } from "../native.ts"
import { openMemfs } from "../peerStores.ts"
import type { Memfs, MemoryPeers } from "../peerStores.ts"
import { makeRandom, randomWords } from "../random.ts"
import type { Row } from "../result.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"

const recordBytes = 64
/** One write at most lies within each, somewhere, so that none overlaps another. */
const slotBytes = 128
const variety = 64
const mostNanos = 2000
const windowWrites = 1000
const windows = 20
const batchWrites = windowWrites * windows
/** Only these bytes of the backing are not zero, one apart from the next by so much. */
const markApartBytes = 1 << 20
const pieceBytes = 1 << 20

/** Different places in random order, of which some are taken when the file is made. */
class Places {
  readonly #random = makeRandom(81)
  readonly #taken: Uint8Array
  readonly #slots: number

  constructor(fileBytes: number) {
    this.#slots = fileBytes / slotBytes
    this.#taken = new Uint8Array(this.#slots)
  }

  /** So many, none of them in a slot that was taken. Those with `keep` are taken from now on. */
  draw(count: number, { keep }: { readonly keep: boolean }): Float64Array {
    const slots = new Uint32Array(count)
    for (let i = 0; i < count;) {
      const slot = this.#random.below(this.#slots)
      if (this.#taken[slot] === 1) continue
      this.#taken[slot] = 1
      slots[i++] = slot
    }
    if (!keep) for (const slot of slots) this.#taken[slot] = 0
    return Float64Array.from(
      slots,
      (slot) => slot * slotBytes + this.#random.below(slotBytes - recordBytes + 1)
    )
  }
}

const makeRecords = (): { readonly bytes: Uint8Array; readonly each: ReadonlyArray<Uint8Array> } => {
  const word = randomWords(82)
  const bytes = Uint8Array.from({ length: variety * recordBytes }, () => word())
  const each = Array.from({ length: variety }, (_, i) =>
    bytes.subarray(i * recordBytes, (i + 1) * recordBytes)
  )
  return { bytes, each }
}

type Records = ReturnType<typeof makeRecords>

const writeEach = ({ unsafe }: OffloadedFileService, offsets: Float64Array, { each }: Records): void => {
  for (let i = 0; i < offsets.length; i++) unsafe.writeAt(offsets[i], each[i % variety])
}

const writeEachMemfs = (fs: Memfs, fd: number, offsets: Float64Array, { each }: Records): void => {
  for (let i = 0; i < offsets.length; i++) fs.writeSync(fd, each[i % variety], 0, recordBytes, offsets[i])
}

/** Memory of which only the marks are used: the rest is address space. */
const makeBacking = (fileBytes: number): Uint8Array => {
  const backing = new Uint8Array(fileBytes)
  for (let at = 0; at < fileBytes; at += markApartBytes) backing[at] = 1 + ((at / markApartBytes) % 255)
  return backing
}

/** Throws unless `read` gives the backing with these writes over it, from beginning to end. */
const expectContent = (
  name: string,
  read: (offset: number, buffer: Uint8Array) => number,
  { backing, offsets, records }: { backing: Uint8Array; offsets: Float64Array; records: Records }
): void => {
  const ascending = Uint32Array.from(offsets.keys()).sort((a, b) => offsets[a] - offsets[b])
  const wanted = Buffer.alloc(pieceBytes)
  const found = Buffer.alloc(pieceBytes)
  let next = 0
  for (let at = 0; at < backing.length; at += pieceBytes) {
    wanted.set(backing.subarray(at, at + pieceBytes))
    for (; next < offsets.length && offsets[ascending[next]] < at + pieceBytes; next++) {
      wanted.set(records.each[ascending[next] % variety], offsets[ascending[next]] - at)
    }
    expect(`${name} reads ${pieceBytes} bytes at ${at}`, read(at, found) === pieceBytes)
    expect(`${name} has what was written from ${at} on`, found.equals(wanted))
  }
}

interface Prepared {
  readonly name: string
  readonly extents: number
  readonly file: OffloadedFileService
  readonly offsets: Float64Array
  /** What each of the writes that made it took. */
  readonly nanos: number
}

/** An offloaded file of about so many extents. */
const prepare = Effect.fnUntraced(function* (
  extents: number,
  { backing, places, records }: { backing: Uint8Array; places: Places; records: Records }
) {
  const file = yield* OffloadedFile.make({ backing })
  file.unsafe.writeAt(0, { backingOffset: 0, length: backing.length })
  expect("what refers to the backing takes no memory", file.memoryBytes() === 0)
  const offsets = places.draw(extents / 2, { keep: true })
  const nanos = nanosEach(offsets.length, () => writeEach(file, offsets, records))
  const found = file.extents().length
  expect(`${found} extents are about ${extents}`, Math.abs(found - extents) < extents / 50)
  expect("what was written is all that takes memory", file.memoryBytes() === offsets.length * recordBytes)
  expectContent("lacuna", file.unsafe.readAt, { backing, offsets, records })
  const prepared: Prepared = {
    name: `${extents.toLocaleString("en")} extents`,
    extents,
    file,
    offsets,
    nanos
  }
  return prepared
})

/** Nanoseconds a write, of a batch that is written and taken back window by window. */
const measureWindows = async (
  file: OffloadedFileService,
  batch: Float64Array,
  write: (offsets: Float64Array) => void | Promise<void>
): Promise<number> => {
  let millis = 0
  for (let at = 0; at < batch.length; at += windowWrites) {
    const offsets = batch.subarray(at, at + windowWrites)
    const start = performance.now()
    await write(offsets)
    millis += performance.now() - start
    for (const offset of offsets) {
      file.unsafe.writeAt(offset, { backingOffset: offset, length: recordBytes })
    }
  }
  return (millis * 1e6) / batch.length
}

export const offloadedWriteCase = Effect.fnUntraced(function* (settings: Settings, { peers }: MemoryPeers) {
  const fileBytes = settings.quick ? 2 ** 26 : 2 ** 30
  const records = makeRecords()
  const backing = makeBacking(fileBytes)
  const places = new Places(fileBytes)
  const states: Array<Prepared> = []
  for (const extents of settings.quick ? [10_000, 100_000] : [10_000, 1_000_000]) {
    states.push(yield* prepare(extents, { backing, places, records }))
  }
  let drawn: { round: number; batch: Float64Array } | undefined
  const batchIn = (round: number): Float64Array => {
    if (drawn?.round !== round) drawn = { round, batch: places.draw(batchWrites, { keep: false }) }
    return drawn.batch
  }

  const asEffects = Effect.fnUntraced(function* (file: OffloadedFileService, offsets: Float64Array) {
    for (let i = 0; i < offsets.length; i++) yield* file.writeAt(offsets[i], records.each[i % variety])
  })
  const sides: Array<Side> = []
  for (const { file, name } of states) {
    sides.push({
      name: `unsafe.writeAt, ${name}`,
      goal: { most: mostNanos, of: "value" },
      run: (round) => measureWindows(file, batchIn(round), (offsets) => writeEach(file, offsets, records))
    })
  }
  for (const { file, name } of states) {
    sides.push({
      name: `writeAt, an Effect, ${name}`,
      run: (round) =>
        measureWindows(file, batchIn(round), (offsets) => Effect.runPromise(asEffects(file, offsets)))
    })
  }
  if (peers.includes("memfs")) {
    const memfs = openMemfs()
    const fd = memfs.openSync("/file", "w+")
    memfs.ftruncateSync(fd, fileBytes)
    for (let at = 0; at < fileBytes; at += pieceBytes) {
      memfs.writeSync(fd, backing.subarray(at, at + pieceBytes), 0, pieceBytes, at)
    }
    writeEachMemfs(memfs, fd, states[0].offsets, records)
    const read = (offset: number, buffer: Uint8Array) => memfs.readSync(fd, buffer, 0, buffer.length, offset)
    expectContent("memfs", read, { backing, offsets: states[0].offsets, records })
    sides.push({
      name: "memfs",
      note: "writeSync, all of the file in memory",
      run: (round) => {
        const batch = batchIn(round)
        return nanosEach(batch.length, () => writeEachMemfs(memfs, fd, batch, records))
      }
    })
  }
  const native = loadNative()
  const plain = typeof native === "string" ? null : native.overlayMake(fileBytes)
  if (typeof native !== "string" && plain !== null) {
    sides.push({
      name: "C",
      note: "memcpy, the second time to each place",
      run: (round) => {
        const batch = batchIn(round)
        const write = () => native.overlayWrite(plain, batch, batch.length, records.bytes, variety)
        write()
        const nanos = nanosEach(batch.length, write)
        expect("C wrote", native.overlayCheck(plain, batch, batch.length, records.bytes, variety) === 0)
        return nanos
      }
    })
  }
  const label = { case: "offloaded-write", unit: "ns a write" }
  const of = `${fileBytes / 2 ** 20} MiB`
  const rows = yield* Effect.promise(() =>
    compare({ ...label, variant: `${recordBytes} bytes at random, ${of}`, rounds: settings.rounds, sides })
  )
  for (const { extents, file, offsets } of states) {
    expect("the file is as it was", Math.abs(file.extents().length - extents) < extents / 50)
    expectContent("lacuna", file.unsafe.readAt, { backing, offsets, records })
  }
  if (typeof native !== "string" && plain !== null) native.overlayDrop(plain, fileBytes)
  const growing = states.map(({ name, nanos }): Row => {
    return { ...label, variant: `from one extent to ${name}, ${of}`, side: "unsafe.writeAt", value: nanos }
  })
  return [...rows, ...growing]
})
