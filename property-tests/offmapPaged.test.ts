/**
 * Law: an offmap of more pages than it has frames answers as its model does, whatever was asked
 * before; and while pages of its file are damaged it answers right or says `Corrupt`.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Corrupt } from "../src/bytes/errors.ts"
import { openOffmapPaged } from "../src/file/offmapPaged.ts"
import { Offmap } from "../src/file/Offmap.ts"
import { decodeOffmapHeader, offmapHeaderBytes, pageBytes } from "../src/format/offmapImage.ts"
import { Io } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { OffmapModel } from "../src/testing/models/offmap.ts"
import { layoutOf } from "../test/file/offmapImages.ts"
import { buildAll, compare, imageOf } from "./offmapComparison.ts"
import { ascendingBindings, askedOffsets, randomFrom } from "./offmapShapes.ts"
import { runProperty } from "./runs.ts"

const io = Effect.runSync(Effect.provide(Io, IoMemory.layer))
const frameCounts = fc.constantFrom(1, 2, 4, 8)

const openPaged = (image: Uint8Array, cacheSize: number) =>
  Effect.gen(function* () {
    const file = yield* io.create("/map", { overwrite: true })
    yield* file.writeAt(0, image)
    const where = { path: "/map", origin: 0, available: image.length }
    const header = decodeOffmapHeader(image.subarray(0, offmapHeaderBytes), where)
    return { file, map: yield* openOffmapPaged({ file, header, cacheSize }) }
  })

/** Numbers that say which page, and which offset. */
const steps = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.record({ step: fc.constantFrom("damage", "repair"), pick: fc.nat() }) },
    {
      weight: 12,
      arbitrary: fc.record({
        step: fc.constantFrom("find", "locate", "next", "translate", "walk"),
        pick: fc.nat()
      })
    }
  ),
  { maxLength: 60, size: "max" }
)

describe("an offmap of more pages than frames", () => {
  it("answers as its model does", async () => {
    const property = fc.asyncProperty(
      ascendingBindings(60),
      frameCounts,
      fc.nat(),
      (bindings, frames, seed) =>
        Effect.gen(function* () {
          const image = yield* Effect.promise(() => imageOf(buildAll(bindings)))
          const { map } = yield* openPaged(image, frames)
          map.verifyAll()
          compare(map, new OffmapModel(bindings), shuffled(askedOffsets(bindings, seed), seed))
          const copy = yield* io.create("/copy", { overwrite: true })
          assert.strictEqual(yield* Offmap.write(map, copy, seed % 5000), image.length)
          const copied = new Uint8Array(image.length)
          yield* copy.readAt(seed % 5000, copied)
          assert.deepStrictEqual(copied, image, "the image")
        }).pipe(Effect.scoped, Effect.runPromise)
    )
    await runProperty(property, { runs: 30 })
  })

  it("answers right or says Corrupt while pages of its file are damaged, and right afterwards", async () => {
    const property = fc.asyncProperty(
      ascendingBindings(60),
      frameCounts,
      steps,
      fc.nat(),
      (bindings, frames, steps, seed) =>
        Effect.gen(function* () {
          const image = yield* Effect.promise(() => imageOf(buildAll(bindings)))
          const { file, map } = yield* openPaged(image, frames)
          const model = new OffmapModel(bindings)
          const asked = askedOffsets(bindings, seed)
          const { cells, pages, pageSums } = layoutOf(image)
          const ranges = (page: number) => {
            const from = cells + page * pageBytes
            return { from, to: Math.min(from + pageBytes, pageSums) }
          }
          const damaged = new Set<number>()
          for (const { pick, step } of steps) {
            const page = pick % pages
            const offset = asked[pick % asked.length]
            const { from, to } = ranges(page)
            if (step === "damage") {
              const at = from + (pick % (to - from))
              yield* file.writeAt(at, Uint8Array.of(image[at] ^ (1 << (pick & 7))))
              damaged.add(page)
              continue
            }
            if (step === "repair") {
              yield* file.writeAt(from, image.subarray(from, to))
              damaged.delete(page)
              continue
            }
            const isRight = (): void => {
              if (step === "walk") assert.deepStrictEqual([...map.entries()], bindings)
              else assert.deepStrictEqual(map[step](offset), model[step](offset), `${step}(${offset})`)
            }
            try {
              isRight()
            } catch (error) {
              if (!(error instanceof Corrupt)) throw error
              assert.isTrue([...damaged].some((page) => ranges(page).from === error.offset))
            }
          }
          for (const page of damaged)
            yield* file.writeAt(ranges(page).from, image.subarray(ranges(page).from, ranges(page).to))
          map.verifyAll()
          for (const offset of asked.subarray(0, 50))
            assert.strictEqual(map.translate(offset), model.translate(offset))
        }).pipe(Effect.scoped, Effect.runPromise)
    )
    await runProperty(property, { runs: 80 })
  })
})

/** In no order, so that lookups leave one page for another. */
const shuffled = (values: Float64Array, seed: number): Float64Array => {
  const random = randomFrom(seed)
  const result = values.slice()
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const value = result[i]
    result[i] = result[j]
    result[j] = value
  }
  return result
}
