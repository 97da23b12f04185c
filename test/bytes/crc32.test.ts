/** Checksums are those of zlib, whoever computes them. */
import { crc32 as zlibCrc32 } from "node:zlib"
import { assert, describe, it } from "vitest"
import { computeCrc32By, crc32 } from "../../src/bytes/crc32.ts"
import { fastCrc32 } from "../../src/io/fastCrc32.ts"

const sample = Uint8Array.from({ length: 200_003 }, (_, i) => (i * 31 + (i >> 7)) & 0xff)

const agreesWithZlib = (): void => {
  for (const [from, to] of [
    [0, 0],
    [0, 9],
    [3, 4_000],
    [1, sample.length]
  ]) {
    const bytes = sample.subarray(from, to)
    assert.strictEqual(crc32(bytes), zlibCrc32(bytes), `${from} to ${to}`)
    assert.strictEqual(crc32(bytes, 0xdeadbeef), zlibCrc32(bytes, 0xdeadbeef), `${from} to ${to}, continued`)
  }
}

describe("CRC-32", () => {
  it("is zlib's, with or without a faster implementation", () => {
    agreesWithZlib()
    const loaded = fastCrc32()
    if (loaded.available) assert.notStrictEqual(loaded.value, zlibCrc32)
    agreesWithZlib()
  })

  it("is the one of the standard", () => {
    assert.strictEqual(crc32(new TextEncoder().encode("123456789")), 0xcbf43926)
  })

  it("refuses an implementation that computes something else, be it only for long or continued input", () => {
    const wrong = [
      () => 0,
      (bytes: Uint8Array) => zlibCrc32(bytes),
      (bytes: Uint8Array, seed: number) => (bytes.length > 60_000 ? 1 : zlibCrc32(bytes, seed)),
      (bytes: Uint8Array, seed: number) => zlibCrc32(bytes, seed) | 0
    ]
    for (const implementation of wrong) assert.isFalse(computeCrc32By(implementation))
    agreesWithZlib()
  })

  it("takes one that agrees", () => {
    let called = 0
    assert.isTrue(
      computeCrc32By((bytes, seed) => {
        called++
        return zlibCrc32(bytes, seed)
      })
    )
    called = 0
    agreesWithZlib()
    assert.isAbove(called, 0)
  })
})
