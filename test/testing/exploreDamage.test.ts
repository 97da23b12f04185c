/**
 * Exploring damage finds nothing where a decoder is right, and finds each of the ways in which one can be wrong.
 * The subject is a toy: a record of a count, a length and so many numbers, with a checksum.
 */
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { guard, installMeter } from "../../proof/damageHooks.ts"
import { crc32 } from "../../src/bytes/crc32.ts"
import { Corrupt } from "../../src/bytes/errors.ts"
import { damageAt, damagedBytes } from "../../src/testing/damage.ts"
import { exploreDamage, type ExploreDamageOptions } from "../../src/testing/exploreDamage.ts"

const path = "/toy"
const numbers = Uint32Array.of(7, 11, 13, 17)

/** 0: magic, 4: how many numbers, 8: the checksum of all the rest, 12: the numbers, 28: a name. */
const encode = (): Uint8Array => {
  const bytes = new Uint8Array(36)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x79303174, true)
  view.setUint32(4, numbers.length, true)
  numbers.forEach((number, i) => view.setUint32(12 + i * 4, number, true))
  bytes.set(new TextEncoder().encode("the toys"), 28)
  view.setUint32(8, sumOf(bytes), true)
  return bytes
}

const sumOf = (bytes: Uint8Array, end = bytes.length): number =>
  crc32(bytes.subarray(12, end), crc32(bytes.subarray(0, 8)))

const damaged = (offset: number) => new Corrupt({ path, offset, reason: "the toy is broken" })

const viewOf = (bytes: Uint8Array): DataView => {
  if (bytes.length !== 36) throw damaged(Math.min(36, bytes.length))
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const contentOf = (bytes: Uint8Array, view: DataView): string => {
  const found = Array.from({ length: 4 }, (_, i) => view.getUint32(12 + i * 4, true))
  return `${found.join()} ${new TextDecoder().decode(bytes.subarray(28, 36))}`
}

type Decoder = (bytes: Uint8Array) => string

const decode: Decoder = (bytes) => {
  const view = viewOf(bytes)
  if (view.getUint32(8, true) !== sumOf(bytes)) throw damaged(8)
  return contentOf(bytes, view)
}

const right = decode(encode())
const judgeBy = (decoder: Decoder) => (bytes: Uint8Array) =>
  decoder(bytes) === right ? ("harmless" as const) : { wrong: "another content" }

const explore = (decoder: Decoder, options: Partial<ExploreDamageOptions> = {}) =>
  exploreDamage({ path, bytes: encode(), judge: judgeBy(decoder), ...options })

describe("exploring damage", () => {
  it("ends at the first failure where that is asked for", async () => {
    const trusting: Decoder = (bytes) => contentOf(bytes, viewOf(bytes))
    const [all, one] = [await explore(trusting), await explore(trusting, { untilFailure: true })]
    assert.isAbove(all.failed, 1)
    assert.strictEqual(one.failed, 1)
    assert.deepStrictEqual(one.failures[0], all.failures[0])
    assert.isBelow(one.tried, all.tried)
  })

  it("finds nothing where all is checked", async () => {
    const stale = encode().map((byte) => byte ^ 8)
    const { failures, harmless, kinds, tried, detected } = await explore(decode, { stale })
    assert.deepStrictEqual(failures, [])
    assert.deepStrictEqual(kinds, { flip: 288, zero: 1, swap: 0, stale: 1, cut: 36, grow: 24 })
    assert.deepStrictEqual([tried, detected, harmless], [350, 350, 0])
  })

  it("finds the field that the checksum leaves out", async () => {
    const found = await explore((bytes) => {
      const view = viewOf(bytes)
      // The sum of a toy whose name anybody may change.
      const whole = encode()
      whole.set(bytes.subarray(0, 28))
      if (view.getUint32(8, true) !== sumOf(whole)) throw damaged(8)
      return contentOf(bytes, view)
    })
    assert.strictEqual(found.failed, 8 * 8)
    assert.deepStrictEqual(found.failures[0], { at: "flip:28:0", story: "another content" })
    // And the address leads to it.
    const bytes = damagedBytes({ bytes: encode() }, damageAt(found.failures[0].at)!)
    assert.strictEqual(bytes[28], "t".charCodeAt(0) ^ 1)
    const again = await explore(decode, { at: "flip:28:0" })
    assert.deepStrictEqual([again.tried, again.detected], [1, 1])
  })

  it("finds who believes a count before the checksum, and asks for memory by it", async () => {
    const meter = installMeter()
    const found = await explore(
      (bytes) => {
        const view = viewOf(bytes)
        const room = new Uint8Array(view.getUint32(4, true))
        if (room.length < 4) throw damaged(4)
        return decode(bytes)
      },
      { meter }
    )
    // From a count of 2^17 on, which is more than the least that is allowed.
    assert.deepStrictEqual(found.failures.map(({ at }) => at)[0], "flip:6:1")
    assert.match(found.failures[0].story, /131\d{3} bytes of memory were asked for, by a file of 36/)
    assert.strictEqual((await explore(decode, { meter })).failed, 0)
  })

  it("finds who takes long, by a count", async () => {
    const found = await explore(
      (bytes) => {
        const view = viewOf(bytes)
        let sum = 0
        for (let i = 0; i < view.getUint32(4, true); i++) sum = (sum * 31 + i) % 1_000_003
        if (sum < 0) throw damaged(4)
        return decode(bytes)
      },
      { kinds: ["flip"], ranges: [{ from: 7, to: 8 }], limitMillis: 20, guard }
    )
    assert.isAtLeast(found.failed, 4)
    assert.match(found.failures[0].story, /ms are allowed/)
  })

  it("finds who never ends, and goes on behind it", async () => {
    const found = await explore(
      (bytes) => {
        const view = viewOf(bytes)
        for (let left = view.getUint32(4, true); left !== 0; left -= 4) if (left % 4 !== 0) left += 4
        return decode(bytes)
      },
      { kinds: ["flip"], ranges: [{ from: 4, to: 5 }], limitMillis: 50, guard }
    )
    // Two bits make a count that is no multiple of four.
    assert.deepStrictEqual([found.tried, found.failed, found.detected], [8, 2, 6])
    assert.match(found.failures[0].story, /did not end, and 50 ms are allowed/)
  })

  it("finds errors that are none of the documented ones", async () => {
    const kinds = ["cut"] as const
    const defect = await explore((bytes) => contentOf(bytes, new DataView(bytes.buffer, 0, bytes.length)), {
      kinds
    })
    assert.strictEqual(defect.failed, 36)
    assert.match(defect.failures[0].story, /RangeError/)
    const another = (error: unknown) =>
      explore(
        (bytes) => {
          if (bytes.length < 36) throw error
          return right
        },
        { kinds }
      )
    const elsewhere = await another(new Corrupt({ path: "/other", offset: 0, reason: "" }))
    assert.match(elsewhere.failures[0].story, /Corrupt names \/other and not \/toy/)
    const beyond = await another(new Corrupt({ path, offset: 37, reason: "" }))
    assert.match(beyond.failures[0].story, /offset 37 of a file of 36 bytes/)
    assert.strictEqual((await another(new Corrupt({ path, offset: 36, reason: "" }))).failed, 0)
    const refusal = (error: unknown) => error === "documented"
    assert.strictEqual((await another("documented")).failed, 36)
    const allowed = await explore(
      (bytes) => {
        if (bytes.length < 36) throw "documented"
        return right
      },
      { kinds, refusal }
    )
    assert.deepStrictEqual([allowed.failed, allowed.detected], [0, 36])
  })

  it("judges by promises and by Effects, and ends those that don't", async () => {
    const kinds = ["cut"] as const
    const promised = await exploreDamage({
      path,
      bytes: encode(),
      kinds,
      judge: async (bytes) => judgeBy(decode)(bytes)
    })
    assert.deepStrictEqual([promised.detected, promised.failed], [36, 0])
    const effects = await exploreDamage({
      path,
      bytes: encode(),
      kinds,
      judge: (bytes) => Effect.fail(damaged(bytes.length))
    })
    assert.deepStrictEqual([effects.detected, effects.failed], [36, 0])
    const never = await exploreDamage({
      path,
      bytes: encode(),
      at: "cut:1",
      limitMillis: 5,
      judge: () => Effect.never
    })
    assert.match(never.failures[0].story, /did not end/)
  })

  it("tells of a judge that writes into what it reads", async () => {
    const found = await exploreDamage({
      path,
      bytes: encode(),
      kinds: ["flip"],
      ranges: [{ from: 0, to: 4 }],
      judge: (bytes) => {
        bytes[35] = 0
        return "harmless"
      }
    })
    assert.match(found.failures[0].story, /changed the bytes/)
  })
})
