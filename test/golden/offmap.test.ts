/**
 * Offmaps of every version of the format, as they were written once: they open, and answer as they
 * did, for ever. `LACUNA_WRITE_GOLDEN=1` writes those that are missing, and none that is there.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import type { Binding } from "../../src/bytes/extent.ts"
import { Offmap, type OffmapService } from "../../src/file/Offmap.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { OffmapModel } from "../../src/testing/models/offmap.ts"
import { imageOf, mapOf, oneCellOfEachKind } from "../file/offmapImages.ts"

/** Extents at all distances in several pages, so that segments and buckets matter. */
const pages = (): Array<Binding> => {
  const bindings: Array<Binding> = []
  let virtual = 9
  let physical = 0
  for (let i = 0; i < 1200; i++) {
    const length = (i * 7) % 40
    bindings.push({ virtual, physical, length })
    virtual += Math.max(1, length) + 2 ** (((i >> 5) * 5) % 31)
    physical += length
  }
  return bindings
}

const goldens: ReadonlyArray<{ readonly name: string; readonly bindings: ReadonlyArray<Binding> }> = [
  { name: "offmap-1-empty.map", bindings: [] },
  { name: "offmap-1-kinds.map", bindings: oneCellOfEachKind() },
  { name: "offmap-1-pages.map", bindings: pages() }
]

const pathOf = (name: string): URL => new URL(name, import.meta.url)

const compare = (map: OffmapService, bindings: ReadonlyArray<Binding>): void => {
  const model = new OffmapModel(bindings)
  assert.deepStrictEqual([...map.entries()], bindings)
  for (const { length, virtual } of bindings) {
    for (const offset of [virtual - 1, virtual, virtual + Math.floor(length / 2), virtual + length]) {
      assert.strictEqual(map.translate(offset), model.translate(offset))
      assert.strictEqual(map.next(offset), model.next(offset))
    }
  }
}

describe.each(goldens)("$name", ({ bindings, name }) => {
  if (process.env["LACUNA_WRITE_GOLDEN"] === "1" && !existsSync(pathOf(name))) {
    writeFileSync(pathOf(name), imageOf(mapOf(bindings)))
  }
  const golden = new Uint8Array(readFileSync(pathOf(name)))

  it("opens and answers", () =>
    Effect.gen(function* () {
      const file = yield* (yield* Io).create("/map", { overwrite: false })
      yield* file.writeAt(0, golden)
      compare(yield* Offmap.read(file, 0), bindings)
      compare(yield* Offmap.open("/map"), bindings)
    }).pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise))

  it("is still written byte for byte", () => {
    assert.deepStrictEqual(imageOf(mapOf(bindings)), golden)
  })
})
