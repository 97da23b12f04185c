/**
 * The typed reads: at every place on a page and across several, and at the ends of what they can give.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { InvalidArgument } from "../../src/bytes/errors.ts"
import { PageCache } from "../../src/file/PageCache.ts"
import type { IntegerGetterName, PageCacheService } from "../../src/file/pageCacheService.ts"
import { byteAt, run, TestDevice, thrownBy } from "./pageDevices.ts"

const widths = ["16", "32", "64"] as const
const orders = ["LE", "BE", "NE"] as const
const names: ReadonlyArray<IntegerGetterName> = [
  "getInt8",
  "getUint8",
  ...(["Int", "Uint"] as const).flatMap((kind) => [
    ...widths.flatMap((width) => orders.map((order) => `get${kind}${width}${order}` as const)),
    ...orders.map((order) => `getSafe${kind}64${order}` as const)
  ])
]
const sizeOf = (name: IntegerGetterName): number => Number(/\d+/.exec(name)) / 8
const machineIsLittle = new Uint16Array(Uint8Array.of(1, 0).buffer)[0] === 1

/** What the name promises of these bytes. */
const integerOf = (name: IntegerGetterName, bytes: Uint8Array): bigint => {
  const isLittle = name.endsWith("LE") || (name.endsWith("NE") && machineIsLittle)
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"))
  const value = BigInt(`0x${(isLittle ? digits.reverse() : digits).join("")}`)
  return name.includes("Int") ? BigInt.asIntN(8 * bytes.length, value) : value
}

/** What a read gives, or the error it fails with; the Effect and its twin must agree. */
const outcome = (cache: PageCacheService<never>, name: IntegerGetterName, address: number): unknown => {
  const later = Effect.runSync(
    Effect.result(cache[name](address) as Effect.Effect<unknown, { readonly message: string }>)
  )
  if (Result.isSuccess(later)) {
    expect(cache.unsafe[name](address)).toBe(later.success)
    return later.success
  }
  expect(thrownBy(() => cache.unsafe[name](address))).toEqual(later.failure)
  return later.failure
}

const expected = (name: IntegerGetterName, bytes: Uint8Array): unknown => {
  const value = integerOf(name, bytes)
  if (!name.startsWith("getSafe")) return bytes.length === 8 ? value : Number(value)
  if (Number.isSafeInteger(Number(value))) return Number(value)
  const reason = `${value} is beyond what a number can hold, 2^53-1`
  return new InvalidArgument({ operation: name, reason })
}

const eightBytes = (value: bigint, name: IntegerGetterName): Uint8Array => {
  const bytes = new Uint8Array(8)
  const isLittle = name.endsWith("LE") || (name.endsWith("NE") && machineIsLittle)
  new DataView(bytes.buffer).setBigInt64(0, value, isLittle)
  return bytes
}

describe("a typed read", () => {
  it("has a form for every size, sign and byte order", () => {
    const cache = Effect.runSync(PageCache.make({ map: new TestDevice().map }))
    const forms = Object.keys(cache.unsafe).filter((name) => /\d/.test(name))
    expect(forms.sort()).toEqual([...names].sort())
    expect(forms).toHaveLength(26)
  })

  const device = Uint8Array.from({ length: 21 }, (_, i) => (i % 8 < 5 ? Math.imul(i + 3, 167) & 255 : 0))

  for (const pageSize of [1, 2, 4, 8, 16]) {
    for (const cacheSize of [1, 2, 32]) {
      it(`is right at every address, on ${cacheSize} pages of ${pageSize}`, () => {
        const map = (position: number, length: number) => device.slice(position, position + length)
        const cache = Effect.runSync(PageCache.make({ pageSize, cacheSize, map }))
        for (const name of names) {
          for (let address = 0; address + sizeOf(name) <= device.length; address++) {
            const bytes = device.slice(address, address + sizeOf(name))
            expect(outcome(cache, name, address), `${name} at ${address}`).toEqual(expected(name, bytes))
          }
          for (let left = 0; left < sizeOf(name); left++) {
            const address = device.length - left
            expect(outcome(cache, name, address), `${name} at ${address}`).toMatchObject({
              _tag: "ReadOutOfBounds",
              path: "the device",
              offset: address,
              length: sizeOf(name)
            })
          }
        }
      })
    }
  }

  it(
    "asks once for all the pages it straddles",
    run(
      Effect.gen(function* () {
        const device = new TestDevice(100)
        const cache = yield* PageCache.make({ pageSize: 1, cacheSize: 16, map: device.map })
        yield* cache.getUint64LE(7)
        expect(device.takeCalls()).toEqual([[7, 8]])
        cache.unsafe.getUint64LE(16)
        expect(device.takeCalls()).toEqual([[16, 8]])
        yield* cache.getUint64LE(12)
        expect(device.takeCalls()).toEqual([[15, 1]])
      })
    )
  )

  const limits = [2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 0n, 1n, -1n]
  const negative = [-(2n ** 53n) + 1n, -(2n ** 53n), -(2n ** 53n) - 1n, -(2n ** 63n)]
  for (const name of names.filter((form) => form.startsWith("getSafe"))) {
    it(`is never rounded: ${name}`, () => {
      for (const value of [...limits, ...negative]) {
        const bytes = eightBytes(value, name)
        for (const pageSize of [1, 8]) {
          const map = (position: number, length: number) => bytes.slice(position, position + length)
          const cache = Effect.runSync(PageCache.make({ pageSize, map }))
          expect(outcome(cache, name, 0)).toEqual(expected(name, bytes))
          expect(outcome(cache, name, 0), "from the cache").toEqual(expected(name, bytes))
        }
      }
    })
  }

  it("says which number was too large", () => {
    const map = () => eightBytes(-(2n ** 53n), "getSafeInt64BE")
    const cache = Effect.runSync(PageCache.make({ pageSize: 8, map }))
    expect(Effect.runSync(Effect.flip(cache.getSafeInt64BE(0)))).toMatchObject({
      _tag: "InvalidArgument",
      message: "getSafeInt64BE: -9007199254740992 is beyond what a number can hold, 2^53-1"
    })
    expect(Effect.runSync(cache.getSafeUint64LE(0))).toBe(0xe0ff)
  })
})

describe("a typed read far out", () => {
  for (const pageSize of [1, 4096, 2 ** 20]) {
    it(`gives the bytes at its address, on pages of ${pageSize}`, () => {
      const cache = Effect.runSync(PageCache.make({ pageSize, cacheSize: 4, map: new TestDevice().map }))
      const bases = [2 ** 31, 2 ** 32, 2 ** 40 + 4096, 2 ** 52, 2 ** 53 - 2 ** 20]
      for (const address of [...bases.flatMap((base) => [base - 3, base, base + 1]), 2 ** 53 - 9]) {
        const bytes = Uint8Array.from({ length: 8 }, (_, i) => byteAt(address + i))
        for (const name of ["getUint8", "getInt16BE", "getUint32LE", "getUint64BE"] as const) {
          const own = bytes.subarray(0, sizeOf(name))
          expect(outcome(cache, name, address), `${name} at ${address}`).toEqual(expected(name, own))
        }
      }
    })

    it(`ends with the addresses, on pages of ${pageSize}`, () => {
      const options = { pageSize, cacheSize: 32, readAhead: 8, map: new TestDevice().map }
      const cache = Effect.runSync(PageCache.make(options))
      for (const round of ["first", "again"]) {
        for (let address = 2 ** 53 - 20; address <= 2 ** 53 - 2; address++) {
          expect(outcome(cache, "getUint8", address), `${round}, ${address}`).toBe(byteAt(address))
        }
      }
      for (const name of names) {
        expect(outcome(cache, name, 2 ** 53 - sizeOf(name)), name).toMatchObject({
          _tag: "InvalidArgument",
          operation: name
        })
      }
    })
  }
})
