import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { Corrupt, IoFailed } from "../../src/bytes/errors.ts"
import type { Binding } from "../../src/bytes/extent.ts"
import { Offmap, type OffmapService } from "../../src/file/Offmap.ts"
import { cellCapacity, cellKind, cellViews, unusedStart } from "../../src/format/offmapCell.ts"
import { pageBytes } from "../../src/format/offmapImage.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import {
  imageOf,
  layoutOf,
  mapOf,
  oneCellOfEachKind,
  sealAll,
  sealHeader,
  withoutMapping
} from "./offmapImages.ts"

const memory = (): IoService => Effect.runSync(Effect.provide(Io, IoMemory.layer))

const run = <A, E>(io: IoService, effect: Effect.Effect<A, E, Io | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.provideService(effect, Io, io)))

const fileOf = (bytes: Uint8Array) =>
  Effect.gen(function* () {
    const file = yield* (yield* Io).create("/map", { overwrite: true })
    if (bytes.length > 0) yield* file.writeAt(0, bytes)
    return file
  })

/** What a call throws; it must be a tagged error. */
const refusal = (
  body: () => unknown
): { readonly _tag: string; readonly offset?: number; readonly reason?: string } => {
  try {
    body()
  } catch (error) {
    assert.property(error, "_tag", String(error))
    return error as { readonly _tag: string }
  }
  return { _tag: "nothing" }
}

const isCorrupt = (error: unknown, path = "/map"): Corrupt => {
  assert.instanceOf(error, Corrupt)
  assert.strictEqual(error.path, path)
  assert.isTrue(Number.isSafeInteger(error.offset) && error.offset >= 0, `offset ${error.offset}`)
  return error
}

/** Every way of asking, of one offset. */
const asksOf = (map: OffmapService, virtual: number): ReadonlyArray<() => unknown> => [
  () => map.find(virtual),
  () => map.locate(virtual),
  () => map.translate(virtual),
  () => {
    const out = new Float64Array(1)
    map.translateMany(Float64Array.of(virtual), out)
    return out[0]
  },
  () => map.next(virtual)
]

const kinds = oneCellOfEachKind()
const image = imageOf(mapOf(kinds))
/** Extents in several pages of cells. */
const spread = Array.from({ length: 2000 }, (_, i): Binding => ({
  virtual: 100 + i * 50,
  physical: i * 9,
  length: 9
}))

/** Both ways of opening. */
const ways: ReadonlyArray<{ name: string; io: () => IoService }> = [
  { name: "mapped", io: memory },
  { name: "read by pages", io: () => withoutMapping(memory()) }
]

describe("an offmap", () => {
  const map = mapOf([
    { virtual: 10, physical: 100, length: 5 },
    { virtual: 15, physical: 500, length: 5 },
    { virtual: 20, physical: 7, length: 0 },
    { virtual: 30, physical: 40, length: 1 }
  ])

  it("finds exact starts only", () => {
    assert.deepStrictEqual(
      [9, 10, 11, 15, 20, 21, 30].map((offset) => map.find(offset)),
      [undefined, 100, undefined, 500, 7, undefined, 40]
    )
  })

  it("locates the binding that covers an offset, without fusing neighbours", () => {
    assert.deepStrictEqual(map.locate(14), { virtual: 10, physical: 100, length: 5 })
    assert.deepStrictEqual(map.locate(15), { virtual: 15, physical: 500, length: 5 })
    assert.deepStrictEqual(map.locate(20), { virtual: 20, physical: 7, length: 0 })
    assert.isUndefined(map.locate(21))
  })

  it("translates every byte, and says -1 where there is none", () => {
    const asked = Float64Array.of(0, 9, 10, 14, 15, 19, 20, 21, 29, 30, 31, 2 ** 53 - 1)
    const expected = [-1, -1, 100, 104, 500, 504, 7, -1, -1, 40, -1, -1]
    assert.deepStrictEqual(
      [...asked].map((offset) => map.translate(offset)),
      expected
    )
    const out = new Float64Array(asked.length)
    map.translateMany(asked, out)
    assert.deepStrictEqual([...out], expected)
  })

  it("passes over points on the way to the next readable offset", () => {
    assert.deepStrictEqual(
      [0, 12, 19, 20, 29, 30, 31].map((offset) => map.next(offset)),
      [10, 12, 19, 30, 30, 30, undefined]
    )
    assert.isUndefined(mapOf([{ virtual: 5, physical: 5, length: 0 }]).next(0))
  })

  it("that is empty has no answers", async () => {
    const empty = mapOf([])
    const read = await run(
      memory(),
      Effect.flatMap(fileOf(imageOf(empty)), (file) => Offmap.read(file, 0))
    )
    for (const map of [empty, read]) {
      assert.strictEqual(map.size, 0)
      assert.deepStrictEqual([...map.entries()], [])
      for (const offset of [0, 2 ** 53 - 1]) {
        assert.deepStrictEqual(
          asksOf(map, offset).map((ask) => ask()),
          [undefined, undefined, -1, -1, undefined]
        )
      }
    }
  })

  it("does not change when more is added to what it was built from, wherever that was interrupted", () => {
    // A builder encodes some hundreds of bindings at a time, and keeps fewer than eight for later.
    const bindings = Array.from({ length: 4500 }, (_, i): Binding => {
      const length = i % 11 === 0 ? 0 : i % 700 === 3 ? 2 ** 17 : 5
      return { virtual: i * 2 ** 18 + (i % 3), physical: i * 6 - (i % 13 === 0 ? 6 : 0), length }
    }).map((one) => ({ ...one, physical: Math.max(0, one.physical) }))
    const pauses = [0, 1, 7, 8, 9, 504, 505, 511, 512, 513, 514, 520, 1023, 1024, 1025, 3000, 3001]
    const builder = Offmap.builder()
    const maps: Array<[number, OffmapService]> = []
    for (const [count, { length, physical, virtual }] of bindings.entries()) {
      // Twice: the second is built from what the first one was.
      if (pauses.includes(count)) maps.push([count, builder.build()], [count, builder.build()])
      builder.add(virtual, physical, length)
    }
    maps.push([bindings.length, builder.build()])
    for (const [count, map] of maps) {
      const taken = bindings.slice(0, count)
      assert.deepStrictEqual([...map.entries()], taken)
      assert.deepStrictEqual(imageOf(map), imageOf(mapOf(taken)), `the image of ${count} bindings`)
      for (const { physical, virtual } of taken) assert.strictEqual(map.translate(virtual), physical)
    }
  })

  it("takes the bindings of other implementations of its interface", () => {
    const foreign: OffmapService = {
      size: kinds.length,
      find: () => assert.fail("not asked"),
      locate: () => assert.fail("not asked"),
      translate: () => assert.fail("not asked"),
      translateMany: () => assert.fail("not asked"),
      next: () => assert.fail("not asked"),
      entries: () => kinds.values()
    }
    assert.deepStrictEqual(imageOf(foreign), image)
  })

  it("is a service that a layer provides", async () => {
    const io = memory()
    await run(io, fileOf(image))
    const size = Effect.map(Offmap, (map) => map.size).pipe(Effect.provide(Offmap.layer("/map")))
    assert.strictEqual(await run(io, size), kinds.length)
    const missing = Effect.flip(Effect.provide(Offmap, Offmap.layer("/none")))
    assert.strictEqual((await run(io, missing))._tag, "NoSuchFile")
  })
})

describe("arguments of an offmap", () => {
  const noOffsets = [NaN, -1, 0.5, 2 ** 53, Infinity, -Infinity]

  it("that are no offsets are refused", () => {
    for (const map of [mapOf(kinds), mapOf([])]) {
      for (const ask of noOffsets.flatMap((offset) => asksOf(map, offset))) {
        assert.strictEqual(refusal(ask)._tag, "InvalidArgument", String(ask))
      }
    }
  })

  it("of a batch must fit into its results", () => {
    const ask = () => mapOf(kinds).translateMany(new Float64Array(3), new Float64Array(2))
    assert.strictEqual(refusal(ask)._tag, "InvalidArgument")
  })

  it("of a builder come in arrays of one length", () => {
    const builder = Offmap.builder()
    assert.strictEqual(refusal(() => builder.addMany([1, 2], [1], [1, 1]))._tag, "InvalidArgument")
    assert.strictEqual(refusal(() => builder.addMany([1, 2], [1, 2], [1]))._tag, "InvalidArgument")
    assert.strictEqual(builder.size, 0)
    builder.addMany([], [], [])
    builder.addMany(Float64Array.of(5, 9), [0, 70], Uint16Array.of(4, 0))
    assert.deepStrictEqual(
      [...builder.build().entries()],
      [
        { virtual: 5, physical: 0, length: 4 },
        { virtual: 9, physical: 70, length: 0 }
      ]
    )
  })

  it("of a builder are offsets whose ends are offsets", () => {
    const builder = Offmap.builder()
    for (const no of noOffsets) {
      assert.strictEqual(refusal(() => builder.add(no, 0, 1))._tag, "InvalidArgument")
      assert.strictEqual(refusal(() => builder.add(0, no, 1))._tag, "InvalidArgument")
      assert.strictEqual(refusal(() => builder.add(0, 0, no))._tag, "InvalidArgument")
    }
    assert.strictEqual(refusal(() => builder.add(2 ** 53 - 1, 0, 1))._tag, "InvalidArgument")
    assert.strictEqual(refusal(() => builder.add(0, 2 ** 53 - 1, 1))._tag, "InvalidArgument")
    assert.strictEqual(builder.size, 0)
    builder.add(2 ** 53 - 2, 2 ** 53 - 2, 1)
    builder.add(2 ** 53 - 1, 2 ** 53 - 1)
    assert.strictEqual(builder.build().translate(2 ** 53 - 2), 2 ** 53 - 2)
    assert.strictEqual(builder.build().translate(2 ** 53 - 1), 2 ** 53 - 1)
  })

  it("that overlap are refused at once when they ascend, else by build", () => {
    const builder = Offmap.builder()
    builder.add(10, 0, 5)
    assert.strictEqual(refusal(() => builder.add(10, 0, 5))._tag, "InvalidArgument")
    assert.strictEqual(refusal(() => builder.add(14, 0))._tag, "InvalidArgument")
    assert.deepStrictEqual([...builder.build().entries()], [{ virtual: 10, physical: 0, length: 5 }])
    builder.add(6, 0, 4)
    builder.add(9, 0)
    assert.strictEqual(refusal(() => builder.build())._tag, "InvalidArgument")
  })

  it("that overlap are named, both of them, wherever in its cell the last one lies", () => {
    const builder = Offmap.builder()
    for (let i = 0; i < 20; i++) {
      builder.add(10 * i, 5 * i, 5)
      const both = `the binding at ${10 * i + 4} overlaps the one at ${10 * i}`
      const overlap = refusal(() => builder.add(10 * i + 4, 0, 5))
      assert.strictEqual(overlap._tag, "InvalidArgument")
      assert.strictEqual(overlap.reason, both)
    }
    assert.strictEqual(builder.build().size, 20)
  })

  it("are added many at once, whether or not they end with a whole cell", () => {
    for (const count of [8, 16, 17, 23, 24]) {
      const virtuals = Array.from({ length: count }, (_, i) => 10 * i)
      const physicals = virtuals.map((_, i) => 5 * i)
      const builder = Offmap.builder()
      builder.addMany(
        virtuals,
        physicals,
        virtuals.map(() => 5)
      )
      builder.add(10 * count, 5 * count, 5)
      const expected = [...virtuals, 10 * count].map((virtual, i) => ({
        virtual,
        physical: 5 * i,
        length: 5
      }))
      assert.deepStrictEqual([...builder.build().entries()], expected)
    }
  })

  it("that are none are refused among many, and those before them have been added", () => {
    const virtuals = Array.from({ length: 40 }, (_, i) => 10 * i)
    const lengths = virtuals.map(() => 5)
    for (const bad of [0, 8, 13, 32]) {
      for (const no of noOffsets) {
        const physicals = virtuals.map((_, i) => (i === bad ? no : 5 * i))
        const builder = Offmap.builder()
        assert.strictEqual(
          refusal(() => builder.addMany(virtuals, physicals, lengths))._tag,
          "InvalidArgument"
        )
        assert.strictEqual(builder.size, bad)
        assert.strictEqual(builder.build().translate(10 * bad + 4), -1)
      }
    }
  })

  it("that name no place in a file are refused", async () => {
    const io = memory()
    for (const no of noOffsets) {
      const read = Effect.flatMap(fileOf(image), (file) => Effect.flip(Offmap.read(file, no)))
      const write = Effect.flatMap(fileOf(image), (file) => Effect.flip(Offmap.write(mapOf([]), file, no)))
      assert.strictEqual((await run(io, read))._tag, "InvalidArgument")
      assert.strictEqual((await run(io, write))._tag, "InvalidArgument")
    }
  })
})

describe.each(ways)("an offmap that is $name", ({ io: make }) => {
  it("says Closed once its scope has ended", async () => {
    for (const bindings of [[], kinds, spread]) {
      const io = make()
      const scope = Scope.makeUnsafe()
      await run(io, fileOf(imageOf(mapOf(bindings))))
      const map = await Effect.runPromise(
        Offmap.open("/map").pipe(Effect.provideService(Io, io), Scope.provide(scope))
      )
      const begun = map.entries()
      assert.deepStrictEqual(begun.next().value, bindings[0])
      for (let i = 1; i < bindings.length - 1; i++) begun.next()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      const offsets = [0, 1000, 2_000_000, 2 ** 53 - 1]
      for (const ask of [...offsets.flatMap((offset) => asksOf(map, offset)), () => [...map.entries()]]) {
        assert.strictEqual(refusal(ask)._tag, "Closed", String(ask))
      }
      if (bindings.length > 0) assert.strictEqual(refusal(() => begun.next())._tag, "Closed")
      const written = Effect.flatMap(fileOf(image), (file) => Effect.flip(Offmap.write(map, file, 0)))
      assert.strictEqual((await run(io, written))._tag, "Closed")
    }
  })

  it("is Corrupt when the file ends before its image does, wherever", async () => {
    const io = make()
    const program = Effect.gen(function* () {
      for (let length = 0; length < image.length; length++) {
        const file = yield* fileOf(image.subarray(0, length))
        isCorrupt(yield* Effect.flip(Offmap.read(file, 0)))
        isCorrupt(yield* Effect.flip(Offmap.open("/map")))
      }
    })
    await run(io, program)
  })

  it("is Corrupt when any of its bits is flipped: none goes unnoticed, padding included", async () => {
    const { cells, pageSums } = layoutOf(image)
    const program = Effect.gen(function* () {
      const file = yield* fileOf(image)
      for (let at = 0; at < image.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const flipped = image[at] ^ (1 << bit)
          yield* file.writeAt(at, Uint8Array.of(flipped))
          isCorrupt(yield* Effect.flip(Offmap.read(file, 0)))
          const opened = yield* Effect.result(Effect.scoped(Effect.map(Offmap.open("/map"), probe)))
          if (opened._tag === "Failure") isCorrupt(opened.failure)
          // Cells are checked when they are touched, not before.
          assert.strictEqual(opened._tag, at < cells || at >= pageSums ? "Failure" : "Success", `byte ${at}`)
        }
        yield* file.writeAt(at, image.subarray(at, at + 1))
      }
    })
    /** In a map of one damaged page only what is out of all bounds is answered. */
    const probe = (map: OffmapService): void => {
      assert.strictEqual(map.translate(kinds[0].virtual - 1), -1)
      for (const ask of asksOf(map, 20_000)) {
        const error = isCorrupt(refusal(ask))
        assert.isTrue(error.offset >= cells && error.offset < pageSums)
      }
      isCorrupt(refusal(() => [...map.entries()]))
    }
    await run(make(), program)
  })

  it("answers from the pages that are not damaged", async () => {
    const damaged = imageOf(mapOf(spread))
    const { cells } = layoutOf(damaged)
    damaged[cells + 2 * pageBytes + 77] ^= 4
    const program = Effect.gen(function* () {
      const file = yield* fileOf(damaged)
      assert.strictEqual(isCorrupt(yield* Effect.flip(Offmap.read(file, 0))).offset, cells + 2 * pageBytes)
      const map = yield* Offmap.open("/map")
      for (const { physical, virtual } of spread.slice(0, 900)) {
        assert.strictEqual(map.translate(virtual), physical)
      }
      const error = isCorrupt(refusal(() => map.translate(spread[1100].virtual)))
      assert.strictEqual(error.offset, cells + 2 * pageBytes)
      assert.strictEqual(map.translate(spread[1600].virtual), spread[1600].physical)
      isCorrupt(refusal(() => [...map.entries()]))
      isCorrupt(yield* Effect.flip(fileOf(image).pipe(Effect.flatMap((file) => Offmap.write(map, file, 0)))))
    })
    await run(make(), program)
  })

  it("believes nothing of a page that a lookup strays into before it has checked it", async () => {
    const right = imageOf(mapOf(spread))
    const { cells } = layoutOf(right)
    const ask = (image: Uint8Array, offset: number) =>
      run(
        make(),
        Effect.gen(function* () {
          yield* fileOf(image)
          const map = yield* Offmap.open("/map")
          return asksOf(map, offset).map((ask) => refusal(ask)._tag)
        })
      )
    // The first cell behind a border begins earlier, and the last one before it later, than it should.
    for (const border of [64, 128, 192]) {
      const first = spread[border * 8]
      for (const [cell, base, offset] of [
        [border, first.virtual - 20, first.virtual - 15],
        [border - 1, first.virtual - 1, first.virtual - 50]
      ]) {
        const damaged = right.slice()
        new DataView(damaged.buffer).setFloat64(cells + cell * 64, base, true)
        const [found, located, translated, batched] = await ask(damaged, offset)
        assert.deepStrictEqual([found, located, translated, batched], Array(4).fill("Corrupt"))
      }
    }
  })

  it("answers right across the border of pages of which it has seen none", async () => {
    // Gaps that vary, so that predictions fall on both sides of the border.
    let end = 0
    const uneven = Array.from({ length: 1600 }, (_, i): Binding => {
      const virtual = end + ((i * 7919) % 97)
      end = virtual + 9
      return { virtual, physical: i * 9, length: 9 }
    })
    const right = mapOf(uneven)
    const program = Effect.gen(function* () {
      yield* fileOf(imageOf(right))
      for (const border of [512, 1024, 1536]) {
        for (const { length, virtual } of uneven.slice(border - 20, border + 20)) {
          for (const offset of [virtual, virtual + length - 1, virtual + length]) {
            for (const [i, ask] of asksOf(right, offset).entries()) {
              const opened = Effect.map(Offmap.open("/map"), (map) => asksOf(map, offset)[i]())
              assert.deepStrictEqual(yield* Effect.scoped(opened), ask())
            }
          }
        }
      }
    })
    await run(make(), program)
  })

  it("answers right from an index that misleads, since that is only a hint", async () => {
    const program = Effect.gen(function* () {
      for (const slope of [0, 1e-30, 1e30]) {
        const misleading = imageOf(mapOf(spread))
        const { radix, segments } = layoutOf(misleading)
        const view = new DataView(misleading.buffer)
        for (let at = segments; at < radix - 16; at += 16) view.setFloat32(at + 8, slope, true)
        sealAll(misleading)
        yield* fileOf(misleading)
        const map = yield* Offmap.open("/map")
        for (const { length, physical, virtual } of spread) {
          assert.strictEqual(map.translate(virtual + 3), physical + 3)
          assert.strictEqual(map.translate(virtual + length), -1)
          assert.strictEqual(map.find(virtual), physical)
        }
        const bent = mapOf([...kinds, ...spread.map((one) => ({ ...one, virtual: one.virtual + 2 ** 45 }))])
        const other = imageOf(bent)
        const otherLayout = layoutOf(other)
        const otherView = new DataView(other.buffer)
        for (let at = otherLayout.segments; at < otherLayout.radix - 16; at += 16) {
          otherView.setFloat32(at + 8, slope, true)
        }
        sealAll(other)
        yield* fileOf(other)
        const opened = yield* Offmap.open("/map")
        assert.deepStrictEqual([...opened.entries()], [...bent.entries()])
        for (const { virtual } of bent.entries()) {
          assert.strictEqual(opened.translate(virtual), bent.translate(virtual))
        }
      }
    })
    await run(make(), program)
  })

  it("says what failed when a page can't be read", async () => {
    const io = make()
    let fails = false
    const failing: IoService = {
      ...io,
      open: (path, options) =>
        Effect.map(io.open(path, options), (file) => ({
          ...file,
          unsafe: {
            ...file.unsafe,
            readAt: (offset, buffer) => {
              if (fails) throw new IoFailed({ syscall: "read", path, code: "EIO", cause: "told to" })
              file.unsafe.readAt(offset, buffer)
            }
          }
        }))
    }
    const mapped = make === memory
    const program = Effect.gen(function* () {
      yield* fileOf(image)
      const map = yield* Offmap.open("/map")
      fails = true
      for (const ask of mapped ? [] : asksOf(map, 1000)) assert.strictEqual(refusal(ask)._tag, "IoFailed")
      fails = false
      assert.strictEqual(map.translate(1000), 50)
      fails = true
      assert.strictEqual(map.translate(1000), 50, "what was read once is not read again")
    })
    await run(failing, program)
  })
})

describe("a header with a right checksum", () => {
  const setCount = (bytes: Uint8Array, at: number, value: bigint) =>
    new DataView(bytes.buffer).setBigUint64(at, value, true)
  const fields = { imageBytes: 16, bindings: 24, cells: 32, segments: 40, buckets: 48, first: 56, last: 64 }

  it.each(Object.entries(fields))(
    "is Corrupt when %s is absurd, before anything is allocated",
    async (_, at) => {
      const io = memory()
      for (const value of [2n ** 60n, 2n ** 64n - 1n, 2n ** 53n, 2n ** 31n, 0n]) {
        const absurd = image.slice()
        setCount(absurd, at, value)
        sealHeader(absurd)
        const program = Effect.flatMap(fileOf(absurd), (file) => Effect.flip(Offmap.read(file, 0)))
        isCorrupt(await run(io, program))
        // What only the cells could refute is noticed when they are touched.
        const asked = Effect.flatMap(Offmap.open("/map"), (map) =>
          Effect.fail(refusal(() => map.translate(2 ** 40)))
        )
        isCorrupt(await run(io, Effect.flip(asked)))
      }
    }
  )

  it("is Corrupt when its counts and the length of the image disagree by one", async () => {
    const padded = new Uint8Array(image.length + 200)
    padded.set(image)
    const view = new DataView(image.buffer)
    for (const at of [fields.imageBytes, fields.cells, fields.segments, fields.buckets]) {
      for (const by of [-8n, -1n, 1n, 8n]) {
        const wrong = padded.slice()
        setCount(wrong, at, view.getBigUint64(at, true) + by)
        sealHeader(wrong)
        const read = Effect.flatMap(fileOf(wrong), (file) => Effect.flip(Offmap.read(file, 0)))
        assert.strictEqual(isCorrupt(await run(memory(), read)).offset, 16, `${by} at ${at}`)
      }
    }
  })

  it("is Corrupt when its counts agree, and the file is shorter than they say", async () => {
    // 100 million bindings in 128 bytes of file.
    const big = image.slice(0, 128)
    setCount(big, fields.bindings, 100_000_000n)
    setCount(big, fields.cells, 12_500_000n)
    setCount(big, fields.imageBytes, BigInt(layoutOf(big).imageBytes))
    sealHeader(big)
    const before = process.memoryUsage().arrayBuffers
    const error = await run(
      memory(),
      Effect.flatMap(fileOf(big), (file) => Effect.flip(Offmap.read(file, 0)))
    )
    assert.strictEqual(isCorrupt(error).offset, 16)
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 50e6)
  })

  it("is refused for another version, another length of header, and an impossible bucket shift", async () => {
    for (const [at, value] of [
      [8, 2],
      [8, 0],
      [12, 64],
      [72, 54],
      [72, 0xffffffff]
    ]) {
      const other = image.slice()
      new DataView(other.buffer).setUint32(at, value, true)
      sealHeader(other)
      isCorrupt(
        await run(
          memory(),
          Effect.flatMap(fileOf(other), (file) => Effect.flip(Offmap.read(file, 0)))
        )
      )
    }
  })

  it("is Corrupt at the place in the file where the image begins", async () => {
    const program = Effect.gen(function* () {
      const file = yield* (yield* Io).create("/map", { overwrite: true })
      yield* file.writeAt(1003, image.subarray(0, image.length - 1))
      return isCorrupt(yield* Effect.flip(Offmap.read(file, 1003))).offset
    })
    assert.strictEqual(await run(memory(), program), 1003 + 16)
    const beyond = Effect.flatMap(fileOf(image), (file) => Effect.flip(Offmap.read(file, 10_000)))
    isCorrupt(await run(memory(), beyond))
  })
})

describe("what right checksums cover", () => {
  const { cells, pageSums, radix, segments } = layoutOf(image)
  const at = (cell: number) => cells + cell * 64
  const cellOf = (kind: number): number => {
    const { i32 } = cellViews(image.slice(cells, pageSums))
    return [0, 1, 2, 3, 4, 5].find((cell) => (i32[cell * 16 + 8] & 255) === kind) ?? assert.fail(`no ${kind}`)
  }

  it("has one cell of each kind in these tests", () => {
    const found = Object.values(cellKind).map(cellOf)
    assert.deepStrictEqual(
      found.sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 5]
    )
    assert.strictEqual(pageSums, at(7))
  })

  const faults: ReadonlyArray<[string, (view: DataView) => void]> = [
    ["a kind that does not exist", (view) => view.setInt32(at(1) + 32, 6 | (1 << 8), true)],
    ["a dense cell with a head", (view) => view.setInt32(at(0) + 32, 8 << 8, true)],
    ["a cell of no bindings", (view) => view.setInt32(at(1) + 32, cellKind.long, true)],
    ...Object.values(cellKind)
      .filter((kind) => kind !== cellKind.dense)
      .map((kind): [string, (view: DataView) => void] => [
        `a cell of kind ${kind} with one binding too many`,
        (view) => view.setInt32(at(cellOf(kind)) + 32, kind | ((cellCapacity[kind] + 1) << 8), true)
      ]),
    ["a negative count", (view) => view.setInt32(at(1) + 32, cellKind.long | (0xff << 24), true)],
    ["a base that is no number", (view) => view.setFloat64(at(2), NaN, true)],
    ["a base that is a fraction", (view) => view.setFloat64(at(1), 9999.5, true)],
    ["a negative base", (view) => view.setFloat64(at(0), -5, true)],
    ["a base beyond all offsets", (view) => view.setFloat64(at(5) + 40, 2 ** 53, true)],
    ["a place that is a fraction", (view) => view.setFloat64(at(0) + 8, 0.5, true)],
    ["a negative place", (view) => view.setFloat64(at(1) + 8, -20_000, true)],
    ["an end beyond all offsets", (view) => view.setFloat64(at(0) + 8, 2 ** 53 - 50, true)],
    ["an infinite length", (view) => view.setFloat64(at(cellOf(cellKind.huge)) + 16, Infinity, true)],
    [
      "a length whose fraction is lost in the sums with its offsets",
      (view) => view.setFloat64(at(cellOf(cellKind.huge)) + 56, 0.25, true)
    ],
    ["a negative length", (view) => view.setInt32(at(cellOf(cellKind.far)) + 16, -1, true)],
    ["ends that fall", (view) => view.setUint16(at(0) + 28, 5, true)],
    ["starts that fall", (view) => view.setInt32(at(0) + 40, 10, true)],
    ["a start before the base", (view) => view.setInt32(at(0) + 36, -1, true)],
    ["an overlap", (view) => view.setInt32(at(0) + 36, 9, true)],
    ["an overlap with the cell before", (view) => view.setFloat64(at(1), 1709, true)],
    ["an unused start among others", (view) => view.setInt32(at(0) + 44, unusedStart, true)],
    ["an end beyond a cell's reach", (view) => view.setInt32(at(0) + 60, unusedStart - 2, true)],
    ["a first binding elsewhere", (view) => view.setFloat64(at(0), 999, true)],
    ["a last binding elsewhere", (view) => view.setFloat64(at(5) + 40, 2 ** 53 - 2, true)],
    ["cells without an end", (view) => view.setFloat64(at(6), 2 ** 52, true)]
  ]

  const indexFaults: ReadonlyArray<[string, (view: DataView) => void]> = [
    ["a first segment elsewhere", (view) => view.setFloat64(segments, 1001, true)],
    ["a key that is no number", (view) => view.setFloat64(segments + 16, NaN, true)],
    ["keys that fall", (view) => view.setFloat64(segments + 16, 1000, true)],
    ["a slope that falls", (view) => view.setFloat32(segments + 8, -1, true)],
    ["a slope that is no number", (view) => view.setFloat32(segments + 8, NaN, true)],
    ["an infinite slope", (view) => view.setFloat32(segments + 8, Infinity, true)],
    ["a segment of no cells", (view) => view.setUint32(segments + 28, 0, true)],
    ["segments beyond the cells", (view) => view.setUint32(radix - 4, 7, true)],
    ["a bucket that leads nowhere", (view) => view.setUint32(radix + 4, 1e9, true)],
    ["buckets that lead as far as can be", (view) => view.setUint32(radix + 4, 0xffffffff, true)],
    ["a first bucket that leads as far as can be", (view) => view.setUint32(radix, 0xffffffff, true)],
    ["a bucket that leads backwards", (view) => view.setUint32(layoutOf(image).imageBytes - 8, 0, true)],
    ["a bucket that leads too far", (view) => view.setUint32(radix, 1, true)]
  ]

  it.each(faults)("is Corrupt with %s", async (_, damage) => {
    const wrong = image.slice()
    damage(new DataView(wrong.buffer))
    assert.notDeepEqual(wrong, image)
    sealAll(wrong)
    const program = Effect.gen(function* () {
      const file = yield* fileOf(wrong)
      isCorrupt(yield* Effect.flip(Offmap.read(file, 0)))
      const opened = yield* Effect.result(Offmap.open("/map"))
      if (opened._tag === "Failure") return isCorrupt(opened.failure)
      for (const ask of asksOf(opened.success, 20_000)) isCorrupt(refusal(ask))
    })
    await run(memory(), program)
  })

  it.each(indexFaults)("is Corrupt with %s, or answered right without that hint", async (_, damage) => {
    const right = mapOf(kinds)
    const wrong = image.slice()
    damage(new DataView(wrong.buffer))
    assert.notDeepEqual(wrong, image)
    sealAll(wrong)
    const program = Effect.gen(function* () {
      const file = yield* fileOf(wrong)
      isCorrupt(yield* Effect.flip(Offmap.read(file, 0)))
      const opened = yield* Effect.result(Offmap.open("/map"))
      if (opened._tag === "Failure") return isCorrupt(opened.failure)
      const map = opened.success
      assert.deepStrictEqual([...map.entries()], kinds)
      for (const { length, virtual } of kinds) {
        for (const offset of [virtual, virtual + Math.floor(length / 2), virtual + length]) {
          assert.deepStrictEqual(
            asksOf(map, offset).map((ask) => ask()),
            asksOf(right, offset).map((ask) => ask())
          )
        }
      }
    })
    await run(memory(), program)
  })

  it("is Corrupt with another number of bindings than the header's", async () => {
    const wrong = image.slice()
    new DataView(wrong.buffer).setBigUint64(24, BigInt(kinds.length - 1), true)
    sealAll(wrong)
    const read = Effect.flatMap(fileOf(wrong), (file) => Effect.flip(Offmap.read(file, 0)))
    assert.strictEqual(isCorrupt(await run(memory(), read)).offset, 24)
  })

  it("is Corrupt with an overlap across pages", async () => {
    const wrong = imageOf(mapOf(spread))
    const page = layoutOf(wrong).cells + pageBytes
    const view = new DataView(wrong.buffer)
    view.setFloat64(page, view.getFloat64(page, true) - 49, true)
    sealAll(wrong)
    const program = Effect.gen(function* () {
      const file = yield* fileOf(wrong)
      assert.strictEqual(isCorrupt(yield* Effect.flip(Offmap.read(file, 0))).offset, page)
    })
    await run(memory(), program)
  })
})

describe("a map of millions", () => {
  it("is opened and asked without being read whole", async () => {
    const builder = Offmap.builder()
    const count = 3_000_000
    for (let i = 0; i < count; i++) builder.add(i * 100 + (i % 7), i * 40, 40)
    const inner = memory()
    let bytesRead = 0
    const io = withoutMapping(inner, (bytes) => {
      bytesRead += bytes
    })
    const program = Effect.gen(function* () {
      const file = yield* inner.create("/map", { overwrite: false })
      const imageBytes = yield* Offmap.write(builder.build(), file, 0)
      assert.isAbove(imageBytes, 20e6)
      const map = yield* Offmap.open("/map")
      assert.isBelow(bytesRead, imageBytes / 500, "opening")
      bytesRead = 0
      for (let i = 0; i < 100; i++) {
        const binding = Math.floor((i * count) / 100)
        assert.strictEqual(map.translate(binding * 100 + (binding % 7)), binding * 40)
      }
      assert.isAtMost(bytesRead, 200 * pageBytes, "two pages a lookup at most")
      bytesRead = 0
      assert.strictEqual(map.translate(0), 0)
      assert.strictEqual(bytesRead, 0, "what was read once is not read again")
    })
    await run(io, program)
  })
})
