/**
 * Reading a warm file through a cache of 64 pages that is far smaller: a number on a random page,
 * nearly always a miss, against the `readSync` of that page which it makes; and the whole file in
 * order, by numbers and by pieces of 64 KiB, with and without read-ahead.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { Io } from "../../src/io/Io.ts"
import { PageCache } from "../../src/file/PageCache.ts"
import type { PageCacheService } from "../../src/file/pageCacheService.ts"
import { expect } from "../expect.ts"
import { loadNative } from "../native.ts"
import { openLru } from "../peerStores.ts"
import type { MemoryPeers } from "../peerStores.ts"
import { makeRandom } from "../random.ts"
import type { Goal } from "../result.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { randomBytes, writeWarmFile } from "./randomFile.ts"

const pageBytes = 4096
const cacheSize = 64
const readAhead = 8
const pieceBytes = 1 << 16

/** What a side does at each address, summed up, so that sides that disagree are found out. */
interface Reading {
  readonly name: string
  readonly goal?: Goal
  readonly note?: string
  readonly sum: (addresses: Float64Array) => number
}

const sumGets = ({ unsafe }: PageCacheService, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) sum += unsafe.getUint32LE(addresses[i])
  return sum
}

const sumReads = (fd: number, page: Buffer, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) {
    const within = addresses[i] % pageBytes
    fs.readSync(fd, page, 0, pageBytes, addresses[i] - within)
    sum += page.readUInt32LE(within)
  }
  return sum
}

const sumLru = (fd: number): ((addresses: Float64Array) => number) => {
  const lru = openLru<number, Buffer>(cacheSize)
  return (addresses) => {
    let sum = 0
    for (let i = 0; i < addresses.length; i++) {
      const within = addresses[i] % pageBytes
      const position = addresses[i] - within
      let page = lru.get(position)
      if (page === undefined) {
        page = Buffer.allocUnsafe(pageBytes)
        fs.readSync(fd, page, 0, pageBytes, position)
        lru.set(position, page)
      }
      sum += page.readUInt32LE(within)
    }
    return sum
  }
}

/** The first and the last number of a piece. */
const endsOf = (piece: Buffer): number => piece.readUInt32LE(0) + piece.readUInt32LE(pieceBytes - 4)

const sumBlits = ({ unsafe }: PageCacheService, piece: Buffer, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) {
    unsafe.blit(addresses[i], piece, 0, pieceBytes)
    sum += endsOf(piece)
  }
  return sum
}

const sumPieces = (fd: number, piece: Buffer, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) {
    fs.readSync(fd, piece, 0, pieceBytes, addresses[i])
    sum += endsOf(piece)
  }
  return sum
}

const sumCopies = ({ unsafe }: PageCacheService, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) {
    const bytes = unsafe.getBytes(addresses[i], pieceBytes)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    sum += view.getUint32(0, true) + view.getUint32(pieceBytes - 4, true)
  }
  return sum
}

/** Throws unless the readings agree at the addresses of round 0; then compares them. */
const measure = Effect.fnUntraced(function* (options: {
  readonly settings: Settings
  readonly variant: string
  readonly addressesIn: (round: number) => Float64Array
  readonly readings: ReadonlyArray<Reading>
}) {
  const { addressesIn, readings, settings, variant } = options
  const wanted = readings[readings.length - 1].sum(addressesIn(0))
  for (const { name, sum } of readings) {
    const found = sum(addressesIn(0))
    expect(`${name} sums up to ${wanted}, not ${found}`, found === wanted)
  }
  const sides = readings.map(({ sum, ...side }): Side => {
    const run = (round: number): number => {
      const addresses = addressesIn(round)
      return nanosEach(addresses.length, () => void sum(addresses))
    }
    return { ...side, run }
  })
  return yield* Effect.promise(() =>
    compare({ case: "pages-miss", variant, unit: "ns", rounds: settings.rounds, to: "readSync", sides })
  )
})

export const pageMissCase = Effect.fnUntraced(function* (settings: Settings, { peers }: MemoryPeers) {
  const fileBytes = settings.quick ? 2 ** 24 : 2 ** 28
  const count = settings.quick ? 20_000 : 200_000
  const file = path.join(settings.directory, "device")
  const content = randomBytes(fileBytes, 62)
  writeWarmFile(file, content)
  const io = yield* Io
  const device = yield* io.open(file, { readonly: true })
  const cache = yield* PageCache.overFile(device, { pageSize: pageBytes, cacheSize })
  const ahead = yield* PageCache.overFile(device, { pageSize: pageBytes, cacheSize, readAhead })
  const fd = fs.openSync(file, "r")
  const page = Buffer.alloc(pageBytes)
  const piece = Buffer.alloc(pieceBytes)
  const native = loadNative()

  const readSync: Reading = { name: "readSync", sum: (addresses) => sumReads(fd, page, addresses) }
  const random: Array<Reading> = [
    {
      name: "unsafe.getUint32LE",
      goal: { most: 1.5, of: "ratio", to: "readSync" },
      sum: (addresses) => sumGets(cache, addresses)
    }
  ]
  if (peers.includes("lru-cache")) {
    random.push({ name: "lru-cache", note: "get, readSync to a new Buffer, set", sum: sumLru(fd) })
  }
  if (typeof native !== "string") {
    random.push({
      name: "C",
      note: "pread of the page",
      sum: (addresses) => native.pageReadSum32(fd, addresses, addresses.length)
    })
  }
  let drawn: { round: number; addresses: Float64Array } | undefined
  const randomAddresses = (round: number): Float64Array => {
    if (drawn?.round !== round) {
      const draw = makeRandom(1200 + round)
      drawn = { round, addresses: Float64Array.from({ length: count }, () => draw.below(fileBytes / 4) * 4) }
    }
    return drawn.addresses
  }
  const every = (bytes: number): Float64Array =>
    Float64Array.from({ length: fileBytes / bytes }, (_, i) => i * bytes)
  const everyPage = every(pageBytes)
  const everyPiece = every(pieceBytes)

  const before = cache.cacheMiss()
  const missed = sumGets(cache, randomAddresses(0))
  expect("the numbers are of the file", missed === sumReads(fd, page, randomAddresses(0)))
  expect("nearly all gets are misses", cache.cacheMiss() - before > 0.97 * count)
  for (const address of everyPiece.subarray(0, 256)) {
    const wanted = content.subarray(address, address + pieceBytes)
    for (const { unsafe } of [cache, ahead]) {
      unsafe.blit(address, piece, 0, pieceBytes)
      expect(`a blit of ${address} gives the file's bytes`, piece.equals(wanted))
      const bytes = unsafe.getBytes(address, pieceBytes)
      expect(`getBytes of ${address} gives the file's bytes`, piece.equals(bytes))
    }
  }
  const sizes = `${fileBytes / 2 ** 20} MiB through ${cacheSize} pages`
  const rows = [
    ...(yield* measure({
      settings,
      variant: `a number on a random page, ${sizes}`,
      addressesIn: randomAddresses,
      readings: [...random, readSync]
    })),
    ...(yield* measure({
      settings,
      variant: `a number on every page, ${sizes}`,
      addressesIn: () => everyPage,
      readings: [
        { name: "unsafe.getUint32LE", sum: (addresses) => sumGets(cache, addresses) },
        { name: `unsafe.getUint32LE, readAhead ${readAhead}`, sum: (addresses) => sumGets(ahead, addresses) },
        readSync
      ]
    })),
    ...(yield* measure({
      settings,
      variant: `64 KiB after 64 KiB, ${sizes}`,
      addressesIn: () => everyPiece,
      readings: [
        { name: "unsafe.blit", sum: (addresses) => sumBlits(cache, piece, addresses) },
        {
          name: `unsafe.blit, readAhead ${readAhead}`,
          sum: (addresses) => sumBlits(ahead, piece, addresses)
        },
        { name: "unsafe.getBytes", sum: (addresses) => sumCopies(cache, addresses) },
        { name: "readSync", note: "of 64 KiB", sum: (addresses) => sumPieces(fd, piece, addresses) }
      ]
    }))
  ]
  fs.closeSync(fd)
  return rows
})
