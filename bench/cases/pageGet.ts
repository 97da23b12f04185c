/**
 * Numbers at random addresses of 512 pages, all of them cached: `unsafe`, as Effects, from the pages
 * in an lru-cache, from a mapping by a DataView, and by C. Unaligned addresses are any: of 32-bit
 * numbers one in 1,365 then lies on two pages.
 */
import * as Effect from "effect/Effect"
import path from "node:path"
import { Io } from "../../src/io/Io.ts"
import { PageCache } from "../../src/file/PageCache.ts"
import type { PageCacheService } from "../../src/file/pageCacheService.ts"
import { expect } from "../expect.ts"
import { loadNative } from "../native.ts"
import { openLru } from "../peerStores.ts"
import type { LruCache, MemoryPeers } from "../peerStores.ts"
import { makeRandom } from "../random.ts"
import type { Goal } from "../result.ts"
import { compare } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { randomBytes, writeWarmFile } from "./randomFile.ts"

type Pages = LruCache<number, Buffer>

const pageBytes = 4096
const pages = 512
const cacheSize = 1024
const deviceBytes = pages * pageBytes
const effectMostNanos = 250

/** Little-endian, as the bytes of the file are read. The sums of a round are exact. */
const sum32 = ({ unsafe }: PageCacheService, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) sum += unsafe.getUint32LE(addresses[i])
  return sum
}

const sum64 = ({ unsafe }: PageCacheService, addresses: Float64Array): number => {
  let sum = 0n
  for (let i = 0; i < addresses.length; i++) sum = BigInt.asUintN(64, sum + unsafe.getUint64LE(addresses[i]))
  return Number(sum)
}

const sumSafe64 = ({ unsafe }: PageCacheService, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) sum += unsafe.getSafeUint64LE(addresses[i])
  return sum
}

const sumEffects = Effect.fnUntraced(function* (cache: PageCacheService, addresses: Float64Array) {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) sum += yield* cache.getUint32LE(addresses[i])
  return sum
})

const sumMapped = (view: DataView, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) sum += view.getUint32(addresses[i], true)
  return sum
}

const pageOf = (lru: Pages, page: number): Buffer => {
  const found = lru.get(page)
  if (found === undefined) throw new Error(`page ${page} is not in the lru-cache`)
  return found
}

const straddling = (lru: Pages, address: number): number => {
  let value = 0
  for (let i = 3; i >= 0; i--) {
    const at = address + i
    value = value * 256 + pageOf(lru, at >>> 12)[at & (pageBytes - 1)]
  }
  return value
}

const sumLru = (lru: Pages, addresses: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < addresses.length; i++) {
    const within = addresses[i] & (pageBytes - 1)
    sum +=
      within <= pageBytes - 4
        ? pageOf(lru, addresses[i] >>> 12).readUInt32LE(within)
        : straddling(lru, addresses[i])
  }
  return sum
}

/** Random numbers of which those of 64 bits at multiples of 8 are below 2^33, so that sums are exact. */
const deviceContent = (): Uint8Array => {
  const bytes = randomBytes(deviceBytes, 61)
  const words = new Uint32Array(bytes.buffer)
  for (let i = 1; i < words.length; i += 2) words[i] &= 1
  return bytes
}

interface Sum {
  readonly name: string
  readonly goal?: Goal
  readonly note?: string
  readonly sum: (addresses: Float64Array) => number | Promise<number>
}

export const pageGetCase = Effect.fnUntraced(function* (settings: Settings, { peers }: MemoryPeers) {
  const count = settings.quick ? 1 << 17 : 1 << 20
  const file = path.join(settings.directory, "device")
  const content = deviceContent()
  writeWarmFile(file, content)
  const io = yield* Io
  const device = yield* io.open(file, { readonly: true })
  const cache = yield* PageCache.overFile(device, { pageSize: pageBytes, cacheSize })
  for (let page = 0; page < pages; page++) yield* cache.load(page * pageBytes)
  const mapped = yield* device.map(0, deviceBytes).pipe(Effect.catch(() => Effect.succeed(undefined)))
  const native = loadNative()
  const base = typeof native === "string" ? null : native.pageMap(file, deviceBytes)
  const lru = peers.includes("lru-cache") ? openLru<number, Buffer>(cacheSize) : undefined
  for (let page = 0; page < pages; page++) {
    lru?.set(page, Buffer.from(content.subarray(page * pageBytes, (page + 1) * pageBytes)))
  }

  const sums32 = (mostNanos: number): Array<Sum> => {
    const sums: Array<Sum> = [
      {
        name: "unsafe.getUint32LE",
        goal: { most: mostNanos, of: "value" },
        sum: (addresses) => sum32(cache, addresses)
      },
      {
        name: "getUint32LE, an Effect",
        goal: { most: effectMostNanos, of: "value" },
        sum: (addresses) => Effect.runPromise(sumEffects(cache, addresses))
      }
    ]
    if (mapped !== undefined) {
      const view = new DataView(mapped.buffer, mapped.byteOffset, mapped.byteLength)
      sums.push({ name: "a DataView of a mapping", sum: (addresses) => sumMapped(view, addresses) })
    }
    if (lru !== undefined) {
      sums.push({
        name: "lru-cache",
        note: "get and readUInt32LE, addresses below 2^32",
        sum: (addresses) => sumLru(lru, addresses)
      })
    }
    return sums
  }
  const sums64: Array<Sum> = [
    { name: "unsafe.getUint64LE", note: "a bigint", sum: (addresses) => sum64(cache, addresses) },
    { name: "unsafe.getSafeUint64LE", note: "a number", sum: (addresses) => sumSafe64(cache, addresses) }
  ]

  const measure = Effect.fnUntraced(function* (
    variant: string,
    { alignBytes, bits, sums }: { alignBytes: number; bits: 32 | 64; sums: Array<Sum> }
  ) {
    let drawn: { round: number; addresses: Float64Array } | undefined
    const addressesIn = (round: number): Float64Array => {
      if (drawn?.round !== round) {
        const random = makeRandom(1100 + round)
        const places = Math.floor((deviceBytes - bits / 8) / alignBytes) + 1
        const addresses = Float64Array.from({ length: count }, () => random.below(places) * alignBytes)
        drawn = { round, addresses }
      }
      return drawn.addresses
    }
    if (typeof native !== "string" && base !== null) {
      const inC = bits === 32 ? native.pageSum32 : native.pageSum64
      sums.push({ name: "C", note: "loads from a mapping", sum: (addresses) => inC(base, addresses, count) })
    }
    const view = new DataView(content.buffer)
    let wanted = 0
    for (const address of addressesIn(0)) {
      wanted += bits === 32 ? view.getUint32(address, true) : Number(view.getBigUint64(address, true))
    }
    for (const { name, sum } of sums) {
      const found = yield* Effect.promise(async () => sum(addressesIn(0)))
      expect(`${name} sums up to ${wanted}, not ${found}`, found === wanted)
    }
    const sides = sums.map(({ sum, ...side }): Side => {
      const run = async (round: number): Promise<number> => {
        const addresses = addressesIn(round)
        const start = performance.now()
        await sum(addresses)
        return ((performance.now() - start) * 1e6) / count
      }
      return { ...side, run }
    })
    return yield* Effect.promise(() =>
      compare({
        case: "pages-get",
        variant: `${variant}, ${pages} cached pages`,
        unit: "ns",
        rounds: settings.rounds,
        sides
      })
    )
  })
  const rows = [
    ...(yield* measure("32 bits, aligned", { alignBytes: 4, bits: 32, sums: sums32(40) })),
    ...(yield* measure("32 bits, unaligned", { alignBytes: 1, bits: 32, sums: sums32(60) })),
    ...(yield* measure("64 bits, aligned", { alignBytes: 8, bits: 64, sums: sums64 }))
  ]
  expect("every get was a hit", cache.cacheMiss() === pages)
  if (typeof native !== "string" && base !== null) native.pageUnmap(base, deviceBytes)
  return rows
})
