/**
 * Reading records of 128 bytes at random offsets of a store, half of them in its prefix, half in its
 * suffix of sealed chunks and an active one, all committed, in the page cache, and mapped; beside C
 * that reads as many records from one plain file, and peers that hold the same records by offset.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { Store } from "../../src/store/Store.ts"
import { expect, expectSame } from "../expect.ts"
import { loadNative } from "../native.ts"
import { makeRandom, randomWords } from "../random.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { openPeer } from "./storePeers.ts"
import type { PeerStore, StoreInput } from "./storePeers.ts"

type Service = Store["Service"]

const recordBytes = 128
const batchRecords = 10_000
const checkedReads = 10_000
/** So that the suffix has many sealed chunks. */
const chunkBytes = 1 << 24

/** Record `number`, wherever it is kept: its number, and bytes that are the same in all. */
const makeRecords = () => {
  const word = randomWords(71)
  const bytes = Buffer.from(Uint8Array.from({ length: batchRecords * recordBytes }, () => word()))
  const all = Array.from({ length: batchRecords }, (_, i) =>
    bytes.subarray(i * recordBytes, (i + 1) * recordBytes)
  )
  /** The records of these numbers. Overwritten by the next call. */
  return (numbers: ArrayLike<number>): ReadonlyArray<Buffer> => {
    for (let i = 0; i < numbers.length; i++) {
      bytes.copyWithin(i * recordBytes, 0, recordBytes)
      all[i].writeUInt32LE(numbers[i])
    }
    return numbers.length === batchRecords ? all : all.slice(0, numbers.length)
  }
}

const readEach = (store: Service, offsets: Float64Array, buffer: Uint8Array): number => {
  let sum = 0
  for (let i = 0; i < offsets.length; i++) {
    store.unsafe.readInto(offsets[i], buffer)
    sum += buffer[0]
  }
  return sum
}

export const storeReadCase = Effect.fnUntraced(function* (settings: Settings, { peers }: StoreInput) {
  const half = settings.quick ? 20_000 : 750_000
  const lookups = settings.quick ? 20_000 : 200_000
  const recordsOf = makeRecords()
  // Of twice as many records every second one lives on in the prefix, at random; then the suffix.
  const random = makeRandom(72)
  const live = new Uint32Array(2 * half)
  for (let i = 0; i < half; i++) live[i] = 2 * i + random.below(2)
  for (let i = half; i < 2 * half; i++) live[i] = half + i
  const numbers = Uint32Array.from({ length: 3 * half }, (_, i) => i)

  const store = yield* Store.open({
    directory: path.join(settings.directory, "store"),
    create: true,
    chunkSize: settings.quick ? chunkBytes >> 5 : chunkBytes
  })
  const append = Effect.fnUntraced(function* (some: Uint32Array) {
    for (let at = 0; at < some.length; at += batchRecords) {
      yield* store.appendAll(recordsOf(some.subarray(at, at + batchRecords)))
    }
    yield* store.commit
  })
  yield* append(numbers.subarray(0, 2 * half))
  yield* store.collect({
    live: Array.from(live.subarray(0, half), (number) => ({
      offset: number * recordBytes,
      length: recordBytes
    })),
    upTo: store.committedEnd()
  })
  yield* append(numbers.subarray(2 * half))

  const opened: Array<PeerStore> = []
  for (const name of peers) {
    const directory = path.join(settings.directory, name)
    fs.mkdirSync(directory)
    const peer = yield* Effect.promise(() => openPeer(name, directory, { durable: false }))
    opened.push(peer)
    for (let at = 0; at < live.length; at += batchRecords) {
      const batch = live.subarray(at, at + batchRecords)
      const offsets = Float64Array.from(batch, (number) => number * recordBytes)
      yield* Effect.promise(async () => peer.putMany(offsets, recordsOf(batch)))
    }
  }
  const native = loadNative()
  const plain = path.join(settings.directory, "plain")
  const fd = fs.openSync(plain, "wx+")
  for (let at = 0; at < live.length; at += batchRecords) {
    for (const record of recordsOf(live.subarray(at, at + batchRecords))) fs.writeSync(fd, record)
  }

  let drawn: { round: number; chosen: Uint32Array; offsets: Float64Array } | undefined
  const drawIn = (round: number) => {
    if (drawn?.round !== round) {
      const draw = makeRandom(800 + round)
      const chosen = Uint32Array.from({ length: lookups }, () => draw.below(live.length))
      drawn = { round, chosen, offsets: Float64Array.from(chosen, (i) => live[i] * recordBytes) }
    }
    return drawn
  }
  const buffer = new Uint8Array(recordBytes)
  /** Throws unless `get` gives the records of the first offsets of round 0. */
  const check = (name: string, get: (offset: number) => Uint8Array): void => {
    const { chosen, offsets } = drawIn(0)
    for (let k = 0; k < Math.min(checkedReads, lookups); k++) {
      const [wanted] = recordsOf([live[chosen[k]]])
      expectSame(
        `record ${live[chosen[k]]} of ${name}`,
        Uint8Array.from(get(offsets[k])),
        Uint8Array.from(wanted)
      )
    }
  }

  check("lacuna", (offset) => {
    store.unsafe.readInto(offset, buffer)
    return buffer
  })
  const sides: Array<Side> = [
    {
      name: "unsafe.readInto",
      goal: { most: 1 / 2, of: "ratio", to: "lmdb" },
      run: (round) => {
        const { offsets } = drawIn(round)
        return nanosEach(lookups, () => readEach(store, offsets, buffer))
      }
    }
  ]
  if (typeof native !== "string") {
    sides.push({
      name: "C",
      note: "pread from one plain file",
      run: (round) => {
        const places = Float64Array.from(drawIn(round).chosen, (i) => i * recordBytes)
        return nanosEach(lookups, () =>
          expect("C read", native.readEach(fd, places, lookups, buffer, 0) === 0)
        )
      }
    })
  }
  for (const peer of opened) {
    check(peer.name, peer.get)
    sides.push({
      name: peer.name,
      note: peer.readBy,
      run: (round) => {
        const { offsets } = drawIn(round)
        return nanosEach(lookups, () => peer.readEach(offsets))
      }
    })
  }
  const { chunks, prefix } = store.stats()
  const rows = yield* Effect.promise(() =>
    compare({
      case: "store-read",
      variant: `${recordBytes} bytes at random, ${prefix?.extents} extents, ${chunks.length} chunks`,
      unit: "ns",
      rounds: settings.rounds,
      ...(peers.length === 0 ? {} : { to: "lmdb" }),
      sides
    })
  )
  fs.closeSync(fd)
  for (const peer of opened) yield* Effect.promise(() => peer.close())
  yield* store.close
  return rows
})
