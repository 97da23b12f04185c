/**
 * Law: an offmap answers as its model does, whatever the bindings, the order in which they came, and
 * whether it was built, read or opened; and a damaged one answers right or says `Corrupt`.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import { Corrupt, InvalidArgument, Unsupported } from "../src/bytes/errors.ts"
import type { Binding } from "../src/bytes/extent.ts"
import { Offmap, type OffmapService } from "../src/file/Offmap.ts"
import { Io, type IoService } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { IoNode } from "../src/io/IoNode.ts"
import {
  ascendingBindings,
  askedOffsets,
  type BindingOrder,
  bindingOrders,
  inOrder
} from "../src/testing/commands/offmapShapes.ts"
import { modelEnd, OffmapBuilderModel, OffmapModel } from "../src/testing/models/offmap.ts"
import { Random } from "../src/testing/random.ts"
import { sealAll } from "../test/file/offmapImages.ts"
import { buildAll, compare, imageOf } from "./offmapComparison.ts"
import { runProperty } from "./runs.ts"

const directory = mkdtempSync(join(tmpdir(), "lacuna-offmap-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const ioOf = (layer: Layer.Layer<Io>): IoService => Effect.runSync(Effect.provide(Io, layer))

/** The same files, of which none can be mapped. */
const withoutMapping = (io: IoService): IoService => ({
  ...io,
  open: (path, options) =>
    Effect.map(io.open(path, options), (file) => ({
      ...file,
      map: () => Effect.fail(new Unsupported({ operation: "map", reason: "this test reads" }))
    }))
})

const tagOf = (body: () => unknown): string | undefined => {
  try {
    body()
  } catch (error) {
    const { _tag: tag } = error as { readonly _tag?: string }
    if (tag === undefined) throw error
    return tag
  }
  return undefined
}

describe("an offmap in memory", () => {
  it("answers as its model does", async () => {
    const property = fc.property(ascendingBindings(fc, 8), fc.nat(), (bindings, seed) => {
      compare(buildAll(bindings), new OffmapModel(bindings), askedOffsets(bindings, seed))
    })
    await runProperty(property, { runs: 300 })
  })

  it("is the same whatever the order of adding, and goes on being built from", async () => {
    const property = fc.asyncProperty(
      ascendingBindings(fc, 6),
      bindingOrders(fc),
      fc.array(fc.nat(200), { maxLength: 3 }),
      fc.nat(),
      async (bindings, order: BindingOrder, pauses, seed) => {
        const builder = Offmap.builder()
        const earlier: Array<{ readonly map: OffmapService; readonly count: number }> = []
        const added = inOrder(bindings, order, seed)
        for (const [count, { length, physical, virtual }] of added.entries()) {
          if (pauses.includes(count)) earlier.push({ map: builder.build(), count })
          assert.strictEqual(builder.size, count)
          builder.add(virtual, physical, length)
        }
        const map = builder.build()
        compare(map, new OffmapModel(bindings), askedOffsets(bindings, seed))
        compare(builder.build(), new OffmapModel(bindings), askedOffsets(bindings.slice(-9), seed))
        for (const { count, map } of earlier) {
          const taken = added.slice(0, count)
          compare(map, new OffmapModel(taken), askedOffsets(taken.slice(-30), seed))
        }
        assert.deepStrictEqual(await imageOf(map), await imageOf(buildAll(bindings)), "the image")
      }
    )
    await runProperty(property, { runs: 150 })
  })

  it("is the same whether bindings are added one by one or many at once", async () => {
    const spoiled = fc.record({
      at: fc.nat(),
      column: fc.constantFrom("virtual", "physical", "length"),
      by: fc.constantFrom(-1, 1, 0.5, 2 ** -40, NaN, -Infinity, 2 ** 32, -(2 ** 17), 2 ** 53)
    })
    const property = fc.asyncProperty(
      ascendingBindings(fc, 12),
      fc.array(spoiled, { maxLength: 3 }),
      fc.integer({ min: 1, max: 300 }),
      async (bindings, spoils, chunk) => {
        const given = bindings.map((binding) => ({ ...binding }))
        for (const { at, by, column } of spoils) {
          if (given.length > 0) given[at % given.length][column as "virtual" | "physical" | "length"] += by
        }
        const one = Offmap.builder()
        const refused: Array<number> = []
        for (const [i, { length, physical, virtual }] of given.entries()) {
          if (tagOf(() => one.add(virtual, physical, length)) !== undefined) refused.push(i)
        }
        const many = Offmap.builder()
        const refusedOfMany: Array<number> = []
        for (let from = 0; from < given.length;) {
          const to = Math.min(given.length, from + chunk)
          const part = given.slice(from, to)
          const before = many.size
          const tag = tagOf(() =>
            many.addMany(
              Float64Array.from(part, ({ virtual }) => virtual),
              part.map(({ physical }) => physical),
              Float64Array.from(part, ({ length }) => length)
            )
          )
          if (tag === undefined) {
            assert.strictEqual(many.size, before + part.length)
            from = to
          } else {
            assert.strictEqual(tag, "InvalidArgument")
            refusedOfMany.push(from + many.size - before)
            from += many.size - before + 1
          }
        }
        assert.deepStrictEqual(refusedOfMany, refused, "the bindings that were refused")
        assert.strictEqual(many.size, one.size)
        const tag = tagOf(() => one.build())
        assert.strictEqual(
          tagOf(() => many.build()),
          tag
        )
        if (tag === undefined) {
          assert.deepStrictEqual(await imageOf(many.build()), await imageOf(one.build()), "the image")
        }
      }
    )
    await runProperty(property, { runs: 300 })
  })

  it("refuses what its model refuses", async () => {
    const offset = fc.oneof(
      { weight: 9, arbitrary: fc.nat(200) },
      { weight: 1, arbitrary: fc.constantFrom(2 ** 53 - 1, 2 ** 53 - 2, 2 ** 53 - 9, 2 ** 53, -1, 0.5, NaN) }
    )
    const length = fc.oneof(
      { weight: 9, arbitrary: fc.nat(9) },
      { weight: 1, arbitrary: fc.constantFrom(-1, NaN, 1.5, 2 ** 53 - 1, 2 ** 53, Infinity) }
    )
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ virtual: offset, physical: offset, length }) },
      { weight: 1, arbitrary: fc.constant("build" as const) }
    )
    const property = fc.property(fc.array(step, { maxLength: 24, size: "max" }), (steps) => {
      const builder = Offmap.builder()
      const model = new OffmapBuilderModel()
      for (const step of [...steps, "build" as const]) {
        if (step === "build") {
          const expected = model.build()
          if (expected === "InvalidArgument") {
            assert.strictEqual(
              tagOf(() => builder.build()),
              expected
            )
          } else compare(builder.build(), expected, askedOffsets(expected.bindings, 1))
        } else {
          const { length, physical, virtual } = step
          const what = `add(${virtual}, ${physical}, ${length})`
          assert.strictEqual(
            tagOf(() => builder.add(virtual, physical, length)),
            model.add(step),
            what
          )
        }
        assert.strictEqual(builder.size, model.taken.length)
      }
    })
    await runProperty(property, { runs: 1500 })
  })
})

describe("an offmap in a file", () => {
  const io = ioOf(IoMemory.layer)

  it("is read as it was written, wherever in the file", async () => {
    const property = fc.asyncProperty(
      ascendingBindings(fc, 6),
      fc.tuple(fc.nat(10_000), fc.constantFrom(0, 0, 8, 1, 3, 4)).map(([at, by]) => at * 8 + by),
      fc.nat(),
      (bindings, offset, seed) =>
        Effect.gen(function* () {
          const file = yield* io.create("/map", { overwrite: true })
          const before = Uint8Array.from({ length: offset + 9 }, () => 0xa5)
          yield* file.writeAt(0, before)
          const map = buildAll(bindings)
          const written = yield* Offmap.write(map, file, offset)
          const read = yield* Offmap.read(file, offset)
          compare(read, new OffmapModel(bindings), askedOffsets(bindings, seed))
          // Nothing before the image was touched, and a map that was read is written the same.
          const all = new Uint8Array(offset + written)
          yield* file.readAt(0, all)
          assert.deepStrictEqual(all.subarray(0, offset), before.subarray(0, offset))
          assert.strictEqual(yield* Offmap.write(read, file, 0), written)
          const again = new Uint8Array(written)
          yield* file.readAt(0, again)
          assert.deepStrictEqual(again, all.subarray(offset))
        }).pipe(Effect.scoped, Effect.runPromise)
    )
    await runProperty(property, { runs: 150 })
  })
})

const providers = IoNode.providers()
const missing = (name: string): string | undefined => {
  const provider = providers.find((candidate) => candidate.name === name)
  return provider?.available === true ? undefined : `${name} can't be loaded: ${provider?.reason}`
}

const platforms: ReadonlyArray<{ name: string; io: IoService; path: string; skip?: string | undefined }> = [
  { name: "memory", io: ioOf(IoMemory.layer), path: "/map" },
  { name: "memory, read by pages", io: withoutMapping(ioOf(IoMemory.layer)), path: "/map" },
  ...(["koffi", "mmap-io", "off"] as const).map((mapping) => ({
    name: `node:fs, mapping ${mapping}`,
    io: ioOf(IoNode.layerWith({ mapping, lock: false })),
    path: join(directory, `map-${mapping}`),
    skip: mapping === "off" ? undefined : missing(mapping)
  }))
]

for (const { io, name, path, skip } of platforms) {
  describe(`an offmap over ${skip === undefined ? name : `${name} (skipped: ${skip})`}`, () => {
    it.skipIf(skip !== undefined)("is opened in place and answers as its model does", async () => {
      const property = fc.asyncProperty(ascendingBindings(fc, 8), fc.nat(), async (bindings, seed) => {
        const scope = Scope.makeUnsafe()
        const map = await Effect.gen(function* () {
          const file = yield* io.create(path, { overwrite: true })
          const written = yield* Offmap.write(buildAll(bindings), file, 0)
          // What follows an image is somebody else's.
          yield* file.writeAt(written, new Uint8Array(seed % 3))
          return yield* Offmap.open(path)
        }).pipe(Effect.provideService(Io, io), Scope.provide(scope), Effect.runPromise)
        compare(map, new OffmapModel(bindings), askedOffsets(bindings, seed))
        const entries = map.entries()
        const begun = seed % 2 === 0 && entries.next().done === false
        await Effect.runPromise(Scope.close(scope, Exit.void))
        // One way of asking each: what was not refused would be an answer from nowhere.
        for (const ask of [
          () => map.find(5),
          () => map.locate(5),
          () => map.next(5),
          () => map.translate(5),
          () => map.translateMany(Float64Array.of(5), new Float64Array(1)),
          () => [...map.entries()],
          ...(begun ? [() => entries.next()] : [])
        ]) {
          assert.strictEqual(tagOf(ask), "Closed", String(ask))
        }
      })
      await runProperty(property, { runs: 80 })
    })
  })
}

type Damage =
  | { readonly damage: "bit"; readonly at: number; readonly bit: number }
  | { readonly damage: "page" | "zeros" | "noise"; readonly at: number; readonly length: number }
  | { readonly damage: "truncation"; readonly at: number }
  | { readonly damage: "exchange"; readonly at: number; readonly other: number }

const permille = fc.nat(999_999).map((value) => value / 1_000_000)
const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ damage: fc.constant("bit" as const), at: permille, bit: fc.nat(7) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      damage: fc.constantFrom("page" as const, "zeros" as const, "noise" as const),
      at: permille,
      length: fc.integer({ min: 1, max: 5000 })
    })
  },
  { weight: 1, arbitrary: fc.record({ damage: fc.constant("truncation" as const), at: permille }) },
  {
    weight: 2,
    arbitrary: fc.record({ damage: fc.constant("exchange" as const), at: permille, other: permille })
  }
)

const damaged = (image: Uint8Array, damage: Damage, seed: number): Uint8Array => {
  const bytes = image.slice()
  const random = new Random(seed)
  const at = Math.floor(damage.at * bytes.length)
  switch (damage.damage) {
    case "bit":
      bytes[at] ^= 1 << damage.bit
      return bytes
    case "truncation":
      return bytes.subarray(0, at)
    case "zeros":
      return bytes.fill(0, at, at + damage.length)
    case "noise":
      for (let i = at; i < Math.min(bytes.length, at + damage.length); i++) bytes[i] = random.fraction() * 256
      return bytes
    case "page": {
      // As when a write was lost: a whole page of 4 KiB holds something else.
      const page = at - (at % 4096)
      return bytes.fill(damage.length & 255, page, page + 4096)
    }
    case "exchange": {
      // Both are cells that were good somewhere else.
      const line = (place: number) => 128 + Math.floor((place * (bytes.length - 192)) / 64) * 64
      const [one, other] = [line(damage.at), line(damage.other)]
      const cell = bytes.slice(one, one + 64)
      bytes.copyWithin(one, other, other + 64)
      bytes.set(cell, other)
      return bytes
    }
  }
}

describe("a damaged offmap", () => {
  it.each([
    { name: "opened in place", io: ioOf(IoMemory.layer) },
    { name: "read by pages", io: withoutMapping(ioOf(IoMemory.layer)) }
  ])("$name answers right or says Corrupt", async ({ io }) => {
    const property = fc.asyncProperty(
      ascendingBindings(fc, 12),
      damage,
      fc.nat(),
      async (bindings, damage, seed) => {
        const model = new OffmapModel(bindings)
        const bytes = damaged(await imageOf(buildAll(bindings)), damage, seed)
        const corruptOr = (body: () => void): void => {
          try {
            body()
          } catch (error) {
            if (!(error instanceof Corrupt)) throw error
            assert.strictEqual(error.path, "/map")
            assert.isTrue(Number.isInteger(error.offset) && error.offset >= 0, `offset ${error.offset}`)
          }
        }
        await Effect.gen(function* () {
          const file = yield* io.create("/map", { overwrite: true })
          if (bytes.length > 0) yield* file.writeAt(0, bytes)
          const read = yield* Effect.result(Offmap.read(file, 0))
          corruptOr(() => {
            if (read._tag === "Failure") throw read.failure
            compare(read.success, model, askedOffsets(bindings, seed))
          })
          const opened = yield* Effect.result(Offmap.open("/map"))
          if (opened._tag === "Failure") {
            return corruptOr(() => {
              throw opened.failure
            })
          }
          const map = opened.success
          corruptOr(() => assert.deepStrictEqual([...map.entries()], bindings))
          const asked = askedOffsets(bindings, seed)
          // Some fifty of them: every refusal costs a stack trace.
          const stride = Math.ceil(asked.length / 50)
          for (let i = seed % stride; i < asked.length; i += stride) {
            const offset = asked[i]
            corruptOr(() => assert.strictEqual(map.translate(offset), model.translate(offset)))
            corruptOr(() => assert.strictEqual(map.find(offset), model.find(offset)))
            corruptOr(() => assert.deepStrictEqual(map.locate(offset), model.locate(offset)))
            corruptOr(() => assert.strictEqual(map.next(offset), model.next(offset)))
            const out = new Float64Array(1)
            corruptOr(() => {
              map.translateMany(Float64Array.of(offset), out)
              assert.strictEqual(out[0], model.translate(offset))
            })
          }
        }).pipe(Effect.provideService(Io, io), Effect.scoped, Effect.runPromise)
      }
    )
    await runProperty(property, { runs: 150 })
  })
})

describe("a forged offmap, whose checksums are right", () => {
  /** What stands where offsets, counts, slopes and heads are expected. */
  const absurd = [
    0,
    1,
    -1,
    0x7fffffff,
    0xffffffff,
    2 ** 53,
    2 ** 63,
    -(2 ** 40),
    0.5,
    NaN,
    Infinity,
    -Infinity
  ]
  const nowhere: Binding = { virtual: 0, physical: 0, length: 0 }
  const forgery = fc.record({
    place: permille,
    width: fc.constantFrom(2, 4, 8),
    value: fc.oneof(fc.constantFrom(...absurd), fc.nat(70_000), fc.maxSafeNat())
  })

  const forged = (
    image: Uint8Array,
    forgeries: ReadonlyArray<{ readonly place: number; readonly width: number; readonly value: number }>
  ): Uint8Array => {
    const bytes = image.slice()
    const view = new DataView(bytes.buffer)
    for (const { place, value, width } of forgeries) {
      const at = 128 + Math.floor((place * (bytes.length - 136)) / width) * width
      if (width === 2) view.setUint16(at, value, true)
      else if (width === 8) view.setFloat64(at, value, true)
      else if (Number.isInteger(value)) view.setUint32(at, value, true)
      else view.setFloat32(at, value, true)
    }
    sealAll(bytes)
    return bytes
  }

  it("says Corrupt or something about offsets, and comes to an end", async () => {
    const io = ioOf(IoMemory.layer)
    const property = fc.asyncProperty(
      ascendingBindings(fc, 40),
      fc.array(forgery, { minLength: 1, maxLength: 4 }),
      fc.nat(),
      async (bindings, forgeries, seed) => {
        const bytes = forged(await imageOf(buildAll(bindings)), forgeries)
        const isOffset = (value: number) => Number.isSafeInteger(value) && value >= 0
        const corruptOr = (body: () => boolean): void => {
          try {
            assert.isTrue(body(), String(body))
          } catch (error) {
            if (!(error instanceof Corrupt)) throw error
          }
        }
        await Effect.gen(function* () {
          const file = yield* io.create("/map", { overwrite: true })
          yield* file.writeAt(0, bytes)
          const read = yield* Effect.result(Offmap.read(file, 0))
          const opened = yield* Effect.result(Offmap.open("/map"))
          for (const result of [read, opened]) {
            if (result._tag === "Failure") {
              assert.instanceOf(result.failure, Corrupt)
              continue
            }
            const map = result.success
            const asked = askedOffsets(bindings, seed)
            const stride = Math.ceil(asked.length / 50)
            for (let i = seed % stride; i < asked.length; i += stride) {
              const offset = asked[i]
              corruptOr(() => map.translate(offset) === -1 || isOffset(map.translate(offset)))
              corruptOr(() => isOffset(map.find(offset) ?? 0))
              corruptOr(() => isOffset(map.next(offset) ?? 0) && (map.next(offset) ?? offset) >= offset)
              corruptOr(() => {
                const { length, physical, virtual } = map.locate(offset) ?? nowhere
                return isOffset(length) && isOffset(physical) && isOffset(virtual)
              })
            }
            // Counts of bindings are held against the header by reading alone.
            corruptOr(() => [...map.entries()].length <= bytes.length / 8)
          }
        }).pipe(Effect.provideService(Io, io), Effect.scoped, Effect.runPromise)
      }
    )
    await runProperty(property, { runs: 150 })
  })
})

describe("a large offmap", () => {
  const count = 300_000

  /** Extents whose sizes grow and shrink over sixteen orders of magnitude, like nothing linear. */
  function* exponentialGaps(): Generator<Binding> {
    let virtual = 0
    let physical = 0
    for (let i = 0; i < count; i++) {
      const length = 1 + ((i * 7919) % 500)
      yield { virtual, physical, length }
      virtual += length + Math.floor(1.35 ** (i % 74))
      physical += length
    }
  }

  /** Many small extents in two places at the two ends of all space. */
  function* farClusters(): Generator<Binding> {
    for (let i = 0; i < count; i++) {
      const cluster = i < count / 2 ? 0 : 2 ** 53 - count * 64
      yield { virtual: cluster + i * 32 + (i % 5), physical: i * 11, length: 11 }
    }
  }

  /** Points at distances that double and halve, bound to places in no order. */
  function* points(): Generator<Binding> {
    let virtual = 17
    for (let i = 0; i < count; i++) {
      yield { virtual, physical: (i * 2654435761) % 2 ** 40, length: 0 }
      virtual += 1 + 2 ** (i % 34)
    }
  }

  /** Stretches of one density after another, so that every segment is of another slope. */
  function* stretches(): Generator<Binding> {
    const random = new Random(5)
    let virtual = 3
    let physical = 0
    let scale = 1
    for (let i = 0; i < count; i++) {
      if (i % 40 === 0) scale = 2 ** Math.floor(random.fraction() * 30)
      const length = i % 1000 === 0 ? 2 ** 32 : 1 + Math.floor(random.fraction() * 30)
      yield { virtual, physical, length }
      virtual += length + Math.floor(random.fraction() * scale)
      physical += i % 17 === 0 ? length + 2 ** 33 : length
    }
  }

  /** Thousands of segments in one bucket of the radix table, since all the rest of space is empty. */
  function* crowdedEnds(): Generator<Binding> {
    yield { virtual: 5, physical: 0, length: 3 }
    for (const { length, physical, virtual } of stretches()) {
      yield { virtual: virtual + 2 ** 50, physical: physical + 3, length }
    }
    yield { virtual: 2 ** 53 - 1, physical: 2 ** 53 - 1, length: 0 }
  }

  it.each([
    { name: "gaps that grow exponentially", generate: exponentialGaps },
    { name: "two far clusters", generate: farClusters },
    { name: "points alone", generate: points },
    { name: "stretches of every density", generate: stretches },
    { name: "stretches with emptiness around them", generate: crowdedEnds }
  ])("of $name answers for every binding", async ({ generate }) => {
    const bindings = [...generate()]
    const map = await Effect.gen(function* () {
      const file = yield* (yield* Io).create("/map", { overwrite: true })
      yield* Offmap.write(buildAll(bindings), file, 0)
      return yield* Offmap.read(file, 0)
    }).pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise)
    assert.strictEqual(map.size, bindings.length)
    const asked = new Float64Array(bindings.length * 3)
    const expected = new Float64Array(bindings.length * 3)
    for (const [i, binding] of bindings.entries()) {
      const { length, physical, virtual } = binding
      const end = modelEnd(binding)
      const hole = i + 1 === bindings.length || end < bindings[i + 1].virtual
      const middle = Math.floor(length / 2)
      asked.set([virtual, virtual + middle, Math.min(end, 2 ** 53 - 1)], i * 3)
      const behind = end > 2 ** 53 - 1 ? physical : hole ? -1 : bindings[i + 1].physical
      expected.set([physical, physical + middle, behind], i * 3)
    }
    const out = new Float64Array(asked.length)
    map.translateMany(asked, out)
    for (let i = 0; i < asked.length; i++) {
      if (out[i] !== expected[i] || map.translate(asked[i]) !== expected[i]) {
        assert.fail(`translate(${asked[i]}): ${out[i]}, ${map.translate(asked[i])}, not ${expected[i]}`)
      }
    }
    for (let i = 0; i < bindings.length; i += 97) {
      assert.deepStrictEqual(map.locate(bindings[i].virtual), bindings[i])
      assert.strictEqual(map.find(bindings[i].virtual), bindings[i].physical)
      if (bindings[i].length > 0) assert.strictEqual(map.next(bindings[i].virtual), bindings[i].virtual)
    }
    let i = 0
    for (const entry of map.entries()) {
      const { length, physical, virtual } = bindings[i++]
      if (entry.virtual !== virtual || entry.physical !== physical || entry.length !== length) {
        assert.fail(`entry ${i - 1}: ${JSON.stringify(entry)}`)
      }
    }
    assert.strictEqual(i, bindings.length)
  })
})

it("refuses what is no offset", () => {
  const map = buildAll([{ virtual: 3, physical: 4, length: 5 }])
  for (const offset of [NaN, -1, 0.5, 2 ** 53, Infinity, -Infinity]) {
    for (const ask of [
      () => map.find(offset),
      () => map.locate(offset),
      () => map.next(offset),
      () => map.translate(offset),
      () => map.translateMany(Float64Array.of(3, offset), new Float64Array(2))
    ]) {
      assert.throws(ask, InvalidArgument)
    }
  }
})
