/**
 * Extent files of every version, data and record: these were written once, and are read for ever.
 * `LACUNA_WRITE_GOLDEN=1` writes one that is missing, and none that is there.
 */
import { copyFileSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { scratchDirectory } from "../io/scratch.ts"

const golden = join(import.meta.dirname, "extents-1")
const scratch = scratchDirectory()

const content = (offset: number, length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => 1 + (((offset + i) * 7 + seed) % 255))

const pin = { identity: "version één", length: 40_000 }

/** All kinds of entries but `clear` and `unsure`, which leave nothing to see; the last flush is not the end. */
const make = (path: string) =>
  Effect.gen(function* () {
    const file = yield* ExtentFile.open(path)
    yield* file.pin(pin, "the object")
    yield* file.createExtent(1_000, content(1_000, 5_000, 0))
    yield* file.createExtent(20_000, content(20_000, 100, 0))
    yield* file.createExtent(30_000, content(30_000, 10, 0))
    yield* file.flush
    yield* file.createExtent(3_000, content(3_000, 5_000, 1))
    yield* file.deleteExtent(30_000)
    yield* file.flush
    yield* file.createExtent(9_000, content(9_000, 1, 2))
    yield* file.close
  }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

describe("an extent file of version 1", () => {
  it("has its pin, the extents it was given, and each byte at its offset", async () => {
    if (process.env["LACUNA_WRITE_GOLDEN"] === "1" && !existsSync(golden)) await make(golden)
    // Opened for writing it changes.
    const path = join(scratch, "copy")
    copyFileSync(golden, path)
    copyFileSync(`${golden}.extents`, `${path}.extents`)
    await Effect.gen(function* () {
      const { clean, coverage, pinned } = yield* ExtentFile.report(path)
      assert.deepStrictEqual(pinned, pin)
      assert.isTrue(clean)
      assert.deepStrictEqual(coverage, [
        { offset: 1_000, length: 7_000 },
        { offset: 9_000, length: 1 },
        { offset: 20_000, length: 100 }
      ])
      const file = yield* ExtentFile.open(path)
      assert.deepStrictEqual(file.pinned(), pin)
      assert.deepStrictEqual(file.extents(), [
        { offset: 1_000, length: 5_000 },
        { offset: 3_000, length: 5_000 },
        { offset: 9_000, length: 1 },
        { offset: 20_000, length: 100 }
      ])
      const first = yield* file.readExtent(1_000)
      assert.isTrue(Buffer.from(first.subarray(0, 2_000)).equals(content(1_000, 2_000, 0)))
      assert.isTrue(Buffer.from(first.subarray(2_000)).equals(content(3_000, 3_000, 1)))
      assert.isTrue(Buffer.from(yield* file.readExtent(3_000)).equals(content(3_000, 5_000, 1)))
      assert.isTrue(Buffer.from(yield* file.readExtent(9_000)).equals(content(9_000, 1, 2)))
      assert.isTrue(Buffer.from(yield* file.readExtent(20_000)).equals(content(20_000, 100, 0)))
      assert.strictEqual(file.stats().forgotten, 0)
    }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)
  })

  it("is still written byte for byte", async () => {
    const path = join(scratch, "anew")
    await make(path)
    for (const end of ["", ".extents"]) {
      assert.isTrue(readFileSync(`${path}${end}`).equals(readFileSync(`${golden}${end}`)), `the file ${end}`)
    }
  })
})
