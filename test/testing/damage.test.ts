/**
 * Damage: every one has an address from which it can be made again, changes something, and is taken back.
 */
import { assert, describe, it } from "vitest"
import {
  type Damage,
  damageAddress,
  damageAt,
  damagedBytes,
  DamagedBytes,
  damagesOf
} from "../../src/testing/damage.ts"

const bytes = Uint8Array.from({ length: 1300 }, (_, i) => (i * 31 + (i >> 8)) % 251)
const stale = bytes.slice(0, 700).map((byte, i) => (i < 512 ? byte : byte ^ 1))
const subject = { bytes, stale }

const count = (damages: Iterable<Damage>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { kind } of damages) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

describe("damage", () => {
  it("is every bit, every sector, every pair of sectors, and every length", () => {
    assert.deepStrictEqual(count(damagesOf(subject)), {
      flip: 1300 * 8,
      zero: 3,
      swap: 3,
      // The first sector is as it was.
      stale: 1,
      cut: 1300,
      grow: 24
    })
  })

  it("has an address from which it can be made again", () => {
    const seen = new Set<string>()
    for (const damage of damagesOf({ ...subject, ranges: [{ from: 500, to: 520 }], cutEvery: 13 })) {
      const address = damageAddress(damage)
      assert.isFalse(seen.has(address), address)
      seen.add(address)
      assert.deepStrictEqual(damageAt(address), damage)
    }
    assert.isTrue(seen.has("flip:500:0") && seen.has("swap:0:2") && seen.has("stale:1"))
    for (const wrong of ["", "flip:1", "flip:1:8", "zero", "cut:-1", "melt:3", "grow:1:9", "zero:1:2"]) {
      assert.isUndefined(damageAt(wrong), wrong)
    }
  })

  it("changes the file, and is taken back", () => {
    const damaged = new DamagedBytes(subject)
    for (const damage of damagesOf({ ...subject, ranges: [{ from: 0, to: 1300, every: 7 }] })) {
      const found = damaged.apply(damage)
      assert.isFalse(Buffer.from(found).equals(bytes), damageAddress(damage))
      damaged.restore()
      assert.isTrue(damaged.isWhole, damageAddress(damage))
    }
  })

  it("is what its name says", () => {
    assert.strictEqual(damagedBytes(subject, { kind: "flip", byte: 9, bit: 5 })[9], bytes[9] ^ 32)
    const zeroed = damagedBytes(subject, { kind: "zero", sector: 2 })
    assert.deepStrictEqual([...zeroed.subarray(1024)], new Array(276).fill(0))
    // The last sector is short: what it has no room for is lost.
    const swapped = damagedBytes(subject, { kind: "swap", sector: 0, other: 2 })
    assert.deepStrictEqual(swapped.subarray(0, 276), bytes.subarray(1024))
    assert.deepStrictEqual(swapped.subarray(1024), bytes.subarray(0, 276))
    // The earlier image had ended within the sector.
    const former = damagedBytes(subject, { kind: "stale", sector: 1 })
    assert.deepStrictEqual(former.subarray(512, 700), stale.subarray(512))
    assert.deepStrictEqual([...former.subarray(700, 1024)], new Array(324).fill(0))
    assert.strictEqual(damagedBytes(subject, { kind: "cut", length: 3 }).length, 3)
    const grown = damagedBytes(subject, { kind: "grow", length: 8, pattern: 3 })
    assert.deepStrictEqual(grown.subarray(1300), bytes.subarray(0, 8))
  })

  it("can be done to a part, by a number that comes to every bit of a byte", () => {
    const bits = new Set<number>()
    for (const damage of damagesOf({ bytes, kinds: ["flip"], ranges: [{ from: 3, to: 40, every: 9 }] })) {
      if (damage.kind === "flip") bits.add(damage.bit)
    }
    assert.strictEqual(bits.size, 8)
    const large = Uint8Array.from({ length: 50 * 512 }, (_, i) => i % 253)
    const swaps = count(damagesOf({ bytes: large, kinds: ["swap"], partners: 2 })).swap
    assert.strictEqual(swaps, 48 * 2 + 1)
  })
})
