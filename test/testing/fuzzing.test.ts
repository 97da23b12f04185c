/**
 * The fuzzer of the proof: it gets behind checksums, finds by coverage what chance alone would not, ends what does not
 * end, and names what it has found by an input from which it can be had again.
 */
import { assert, describe, it } from "vitest"
import { installMeter } from "../../proof/damageHooks.ts"
import type { BlockCoverage } from "../../proof/fuzzCoverage.ts"
import { mutated, Random } from "../../proof/fuzzMutation.ts"
import { decodeInput, Fuzzing } from "../../proof/fuzzRun.ts"
import { demand, fuzzPath, type FuzzTarget, isCorrupt } from "../../proof/fuzzTarget.ts"
import { crc32 } from "../../src/bytes/crc32.ts"
import { Corrupt } from "../../src/bytes/errors.ts"

const meter = installMeter()

/** Which of the toy's blocks were reached, told by the toy itself: a test runner has a coverage of its own. */
class ToyCoverage {
  readonly known = new Set<string>()
  readonly now = new Set<string>()

  take(isRemembered: boolean): boolean {
    const isNew = [...this.now].some((block) => !this.known.has(block))
    if (isRemembered) for (const block of this.now) this.known.add(block)
    this.now.clear()
    return isNew
  }
}

const corrupt = (offset: number) => new Corrupt({ path: fuzzPath, offset, reason: "a toy" })

/** Four letters, one behind the other, behind a checksum; then what `bug` does. */
const toy = (coverage: ToyCoverage, bug: (bytes: Uint8Array) => void): FuzzTarget => ({
  name: "toy",
  generate: () => new Uint8Array(12),
  repair: (bytes) => {
    if (bytes.length >= 4) new DataView(bytes.buffer).setUint32(0, crc32(bytes.subarray(4)), true)
  },
  run: (bytes) => {
    if (bytes.length < 12) throw corrupt(bytes.length)
    if (new DataView(bytes.buffer).getUint32(0, true) !== crc32(bytes.subarray(4))) throw corrupt(0)
    for (const [i, letter] of [..."bugs"].entries()) {
      if (bytes[4 + i] !== letter.charCodeAt(0)) throw corrupt(4 + i)
      coverage.now.add(letter + i)
    }
    bug(bytes)
  },
  isRefusal: isCorrupt(),
  dictionary: [],
  maxBytes: 40,
  align: 1
})

const fuzz = (bug: (bytes: Uint8Array) => void, seed = 1): Fuzzing => {
  const coverage = new ToyCoverage()
  const random = new Random(seed)
  const options = { coverage: coverage as unknown as BlockCoverage, meter, random }
  const fuzzing = new Fuzzing(toy(coverage, bug), options)
  fuzzing.seed([])
  for (let turn = 0; turn < 60 && fuzzing.failures.length === 0; turn++) fuzzing.fuzz(100)
  return fuzzing
}

describe("the fuzzer", () => {
  it("finds a bug behind a checksum and four letters, and gives the input", () => {
    const fuzzing = fuzz(() => demand(false, "the bug"))
    assert.match(fuzzing.failures[0].story, /the bug/)
    const input = decodeInput(fuzzing.failures[0].at.slice("toy/".length))
    assert.strictEqual(new TextDecoder().decode(input.subarray(4, 8)), "bugs")
    assert.match(fuzzing.tryOne(input) ?? "", /the bug/)
    // One for each letter that was found on the way.
    assert.isAtLeast(fuzzing.corpus.length, 4)
  })

  it("finds memory that is asked for by a number, defects, and what never ends", () => {
    const memory = fuzz(() => void new Uint8Array(1 << 26))
    assert.match(memory.failures[0].story, /67108864 bytes of memory for \d+ of input/)
    const defect = fuzz((bytes) => void new DataView(bytes.buffer).getUint32(bytes.length, true))
    assert.match(defect.failures[0].story, /RangeError/)
  })

  it("ends what never ends, once, and goes on", () => {
    const endless = fuzz((bytes) => {
      for (let i = 0; bytes.length > 0; i++) if (i === -1) throw corrupt(i)
    })
    assert.match(endless.failures[0].story, /did not end/)
  })

  it("changes an input in the same way for the same seed, and rarely not at all", () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i)
    const change = (seed: number) =>
      mutated(bytes, { random: new Random(seed), other: bytes.slice(32), dictionary: [], align: 4 })
    let same = 0
    for (let seed = 0; seed < 300; seed++) {
      assert.deepStrictEqual(change(seed), change(seed))
      if (Buffer.from(change(seed)).equals(bytes)) same++
    }
    assert.isBelow(same, 30)
    assert.strictEqual(bytes[63], 63)
  })
})
