/**
 * Law: an offmap of more pages than it has frames answers as its model does, whatever was asked
 * before; and while pages of its file are damaged it answers right or says `Corrupt`.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Corrupt } from "../src/bytes/errors.ts"
import type { Binding } from "../src/bytes/extent.ts"
import { openOffmapPaged } from "../src/file/offmapPaged.ts"
import { Offmap, type OffmapService } from "../src/file/Offmap.ts"
import { decodeOffmapHeader, offmapHeaderBytes, pageBytes } from "../src/format/offmapImage.ts"
import { Io, type IoFile } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { ascendingBindings, askedOffsets } from "../src/testing/commands/offmapShapes.ts"
import { OffmapModel } from "../src/testing/models/offmap.ts"
import { Random } from "../src/testing/random.ts"
import { layoutOf } from "../test/file/offmapImages.ts"
import { buildAll, compare, expectBindings, imageOf } from "./offmapComparison.ts"
import { runProperty } from "./runs.ts"

const io = Effect.runSync(Effect.provide(Io, IoMemory.layer))
const frameCounts = fc.constantFrom(1, 2, 4)
/** Of some pages each. */
const severalPages = ascendingBindings(fc, 40)

const openPaged = (bindings: ReadonlyArray<Binding>, cacheSize: number) =>
  Effect.gen(function* () {
    const image = yield* Effect.promise(() => imageOf(buildAll(bindings)))
    const file = yield* io.create("/map", { overwrite: true })
    yield* file.writeAt(0, image)
    const where = { path: "/map", origin: 0, available: image.length }
    const header = decodeOffmapHeader(image.subarray(0, offmapHeaderBytes), where)
    return { file, image, map: yield* openOffmapPaged({ file, header, cacheSize }) }
  })

/** The pages of an image in a file, which can be damaged and repaired. */
class Pages {
  readonly count: number
  private readonly damaged = new Set<number>()
  private readonly file: IoFile
  private readonly image: Uint8Array

  constructor(file: IoFile, image: Uint8Array) {
    this.file = file
    this.image = image
    this.count = layoutOf(image).pages
  }

  private range(page: number) {
    const { cells, pageSums } = layoutOf(this.image)
    const from = cells + page * pageBytes
    return { from, to: Math.min(from + pageBytes, pageSums) }
  }

  /** Whether this is where a damaged page begins. */
  isDamagedAt(offset: number): boolean {
    return [...this.damaged].some((page) => this.range(page).from === offset)
  }

  /** Flips a bit. */
  damage(page: number, pick: number): void {
    const { from, to } = this.range(page)
    const at = from + (pick % (to - from))
    this.file.unsafe.writeAt(at, Uint8Array.of(this.image[at] ^ (1 << (pick & 7))))
    this.damaged.add(page)
  }

  repair(page: number): void {
    const { from, to } = this.range(page)
    this.file.unsafe.writeAt(from, this.image.subarray(from, to))
    this.damaged.delete(page)
  }
}

/** Something to do, and a number that says with which page, or at which offset. */
interface Step {
  readonly step: "damage" | "repair" | "find" | "locate" | "next" | "translate" | "walk"
  readonly pick: number
}

const stepsOf = (...names: ReadonlyArray<Step["step"]>): fc.Arbitrary<Step> =>
  fc.record({ step: fc.constantFrom(...names), pick: fc.nat() })
const steps = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: stepsOf("damage", "repair") },
    { weight: 12, arbitrary: stepsOf("find", "locate", "next", "translate", "walk") }
  ),
  { maxLength: 60, size: "max" }
)

const expectRight = (map: OffmapService, model: OffmapModel, step: Step["step"], offset: number): void => {
  if (step === "damage" || step === "repair") return
  if (step === "walk") return expectBindings([...map.entries()], model.bindings, "entries")
  assert.deepStrictEqual(map[step](offset), model[step](offset), `${step}(${offset})`)
}

describe("an offmap of more pages than frames", () => {
  it("answers as its model does, and is written as it was built", async () => {
    const property = fc.asyncProperty(severalPages, frameCounts, fc.nat(), (bindings, frames, seed) =>
      Effect.gen(function* () {
        const { image, map } = yield* openPaged(bindings, frames)
        map.verifyAll()
        compare(map, new OffmapModel(bindings), shuffled(askedOffsets(bindings, seed), seed))
        const copy = yield* io.create("/copy", { overwrite: true })
        assert.strictEqual(yield* Offmap.write(map, copy, seed % 5000), image.length)
        const copied = new Uint8Array(image.length)
        yield* copy.readAt(seed % 5000, copied)
        assert.strictEqual(Buffer.compare(copied, image), 0, "the image")
      }).pipe(Effect.scoped, Effect.runPromise)
    )
    await runProperty(property, { runs: 40 })
  })

  it("answers right or says Corrupt while pages of its file are damaged, and right afterwards", async () => {
    const property = fc.asyncProperty(
      severalPages,
      frameCounts,
      steps,
      fc.nat(),
      (bindings, frames, steps, seed) =>
        Effect.gen(function* () {
          const { file, image, map } = yield* openPaged(bindings, frames)
          const model = new OffmapModel(bindings)
          const asked = askedOffsets(bindings, seed)
          const pages = new Pages(file, image)
          for (const { pick, step } of steps) {
            if (step === "damage") pages.damage(pick % pages.count, pick)
            if (step === "repair") pages.repair(pick % pages.count)
            try {
              expectRight(map, model, step, asked[pick % asked.length])
            } catch (error) {
              if (!(error instanceof Corrupt)) throw error
              assert.isTrue(pages.isDamagedAt(error.offset), error.message)
            }
          }
          for (let page = 0; page < pages.count; page++) pages.repair(page)
          map.verifyAll()
          compare(map, model, asked.subarray(0, 100))
        }).pipe(Effect.scoped, Effect.runPromise)
    )
    await runProperty(property, { runs: 200 })
  })
})

/** In no order, so that lookups leave one page for another. */
const shuffled = (values: Float64Array, seed: number): Float64Array => {
  const random = new Random(seed)
  const result = values.slice()
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random.fraction() * (i + 1))
    const value = result[i]
    result[i] = result[j]
    result[j] = value
  }
  return result
}
