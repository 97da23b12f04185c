import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { assert, beforeEach, describe, it, vi } from "vitest"
import type { Binding } from "../../src/bytes/extent.ts"
import { Offmap, type OffmapService } from "../../src/file/Offmap.ts"
import { openOffmapPaged } from "../../src/file/offmapPaged.ts"
import { offmapHeaderBytes, pageBytes, decodeOffmapHeader } from "../../src/format/offmapImage.ts"
import { pageFault } from "../../src/format/offmapPage.ts"
import { Io, type IoFile } from "../../src/io/Io.ts"
import { imageOf, layoutOf, mapOf, oneCellOfEachKind, sealAll, withoutMapping } from "./offmapImages.ts"
import { inMemory } from "./sparseFileFiles.ts"

vi.mock("../../src/format/offmapPage.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../src/format/offmapPage.ts")>()
  return { ...original, pageFault: vi.fn(original.pageFault) }
})
beforeEach(() => {
  vi.mocked(pageFault).mockClear()
})

const cellsPerPage = 64
const bindingsPerPage = 8 * cellsPerPage

/** Dense cells over some ninety pages, and behind them one of each kind. */
const dense = Array.from({ length: 90 * bindingsPerPage }, (_, i): Binding => ({
  virtual: 100 + i * 50,
  physical: i * 9,
  length: 9
}))
const shifted = oneCellOfEachKind().slice(0, -1)
const bindings = [...dense, ...shifted.map((one) => ({ ...one, virtual: one.virtual + 2 ** 42 }))]
const built = mapOf(bindings)
const image = imageOf(built)
const layout = layoutOf(image)

/** A file that counts its reads, and what they read. */
const counted = (file: IoFile) => {
  const reads: Array<{ readonly offset: number; readonly length: number }> = []
  const readAt = (offset: number, buffer: Uint8Array): void => {
    file.unsafe.readAt(offset, buffer)
    reads.push({ offset, length: buffer.length })
  }
  return { file: { ...file, unsafe: { ...file.unsafe, readAt } }, reads }
}

const imageFile = Effect.gen(function* () {
  const file = yield* (yield* Io).create("/map", { overwrite: true })
  yield* file.writeAt(0, image)
  return file
})

const openPaged = (file: IoFile, cacheSize?: number) => {
  const header = decodeOffmapHeader(image.subarray(0, offmapHeaderBytes), {
    path: "/map",
    origin: 0,
    available: image.length
  })
  return openOffmapPaged({ file, header, cacheSize })
}

interface Refusal {
  readonly _tag: string
  readonly path?: string
  readonly offset?: number | undefined
}

/** What a call throws; it must be a tagged error. */
const errorOf = (body: () => unknown): Refusal => {
  try {
    body()
  } catch (error) {
    assert.property(error, "_tag", String(error))
    return error as Refusal
  }
  return { _tag: "nothing" }
}

/** The answers to every question about an offset. */
const answers = (map: OffmapService, virtual: number): ReadonlyArray<unknown> => {
  const out = new Float64Array(2)
  map.translateMany(Float64Array.of(virtual, 100), out)
  return [map.find(virtual), map.locate(virtual), map.next(virtual), map.translate(virtual), ...out]
}

/** A binding in the middle of a page of dense cells: to look it up takes no other page. */
const onPage = (page: number): Binding => dense[(page + 0.5) * bindingsPerPage]
const damage = (file: IoFile, page: number) =>
  file.writeAt(
    layout.cells + page * pageBytes + 200,
    Uint8Array.of(image[layout.cells + page * pageBytes + 200] ^ 1)
  )
const repair = (file: IoFile, page: number) => {
  const at = layout.cells + page * pageBytes
  return file.writeAt(at, image.subarray(at, at + pageBytes))
}

describe.each([1, 2, 4, 64])("a map of 90 pages in %i frames", (frames) => {
  it(
    "answers as the one in memory does, whatever was asked before",
    inMemory(
      Effect.gen(function* () {
        const map = yield* openPaged(yield* imageFile, frames)
        const walk = map.entries()
        for (let i = 0; i < 3000; i++) {
          // Far apart, and each time some binding further.
          const { length, virtual } = bindings[(i * 27_644_437) % bindings.length]
          for (const offset of [virtual, virtual + (length >> 1), virtual + length, Math.max(0, virtual - 1)])
            assert.deepStrictEqual(answers(map, offset), answers(built, offset))
          assert.deepStrictEqual(walk.next().value, bindings[i])
        }
        assert.deepStrictEqual([...walk], bindings.slice(3000))
        map.verifyAll()
        const asked = Float64Array.from(
          { length: 5000 },
          (_, i) => (i * 48_271_331) % (100 + dense.length * 50)
        )
        const [out, expected] = [new Float64Array(5000), new Float64Array(5000)]
        map.translateMany(asked, out)
        built.translateMany(asked, expected)
        assert.deepStrictEqual(out, expected)
      })
    )
  )

  it(
    "is written as it was built, wherever in the file",
    inMemory(
      Effect.gen(function* () {
        const map = yield* openPaged(yield* imageFile, frames)
        // The last one so that the image lies on both sides of where a piece ends.
        for (const offset of [0, 13, 4096 - 128, 2_000_003]) {
          const copy = yield* (yield* Io).create("/copy", { overwrite: true })
          assert.strictEqual(yield* Offmap.write(map, copy, offset), image.length)
          const bytes = new Uint8Array(image.length)
          yield* copy.readAt(offset, bytes)
          assert.deepStrictEqual(bytes, image)
        }
      })
    )
  )

  it(
    "finds a page that was damaged since it was first read whenever it reads it again",
    inMemory(
      Effect.gen(function* () {
        const { file, reads } = counted(yield* imageFile)
        const map = yield* openPaged(file, frames)
        const { physical, virtual } = onPage(3)
        assert.strictEqual(map.translate(virtual), physical)
        yield* damage(file, 3)
        assert.strictEqual(map.translate(virtual), physical, "from its frame")
        let found = 0
        let random = 1
        for (let i = 0; i < 20_000; i++) {
          random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
          const other = onPage(4 + ((random >>> 16) % 80))
          assert.strictEqual(map.translate(other.virtual), other.physical)
          reads.length = 0
          if (i % 400 !== 0) continue
          const { _tag, offset } = errorOf(() => assert.strictEqual(map.translate(virtual), physical))
          assert.strictEqual(_tag, reads.length > 0 ? "Corrupt" : "nothing")
          if (reads.length > 0) assert.strictEqual(offset, layout.cells + 3 * pageBytes)
          found += reads.length
        }
        assert.isAbove(found, 1)
        yield* repair(file, 3)
        assert.strictEqual(map.translate(virtual), physical)
      })
    )
  )
})

describe("a map that is read by pages", () => {
  it(
    "gives what comes before a damaged page, also when it has read that ahead",
    inMemory(
      Effect.gen(function* () {
        const file = yield* imageFile
        for (const page of [1, 5, 17]) {
          yield* damage(file, page)
          const map = yield* openPaged(file)
          const seen: Array<Binding> = []
          const error = errorOf(() => {
            for (const binding of map.entries()) seen.push(binding)
          })
          assert.deepInclude(error, { _tag: "Corrupt", offset: layout.cells + page * pageBytes })
          assert.deepStrictEqual(seen, dense.slice(0, page * bindingsPerPage))
          assert.deepInclude(
            errorOf(() => map.verifyAll()),
            { _tag: "Corrupt", offset: error.offset }
          )
          const copy = yield* (yield* Io).create("/copy", { overwrite: true })
          assert.strictEqual((yield* Effect.flip(Offmap.write(map, copy, 0)))._tag, "Corrupt")
          assert.strictEqual((yield* Effect.flip(Offmap.read(copy, 0)))._tag, "Corrupt")
          yield* repair(file, page)
        }
      })
    )
  )

  it(
    "is Corrupt where its file was truncated under it, and answers from what is left",
    inMemory(
      Effect.gen(function* () {
        const file = yield* imageFile
        const map = yield* openPaged(file, 2)
        const end = layout.cells + 10 * pageBytes + 100
        yield* file.truncate(end)
        const seen: Array<Binding> = []
        const error = errorOf(() => {
          for (const binding of map.entries()) seen.push(binding)
        })
        assert.deepInclude(error, { _tag: "Corrupt", offset: end, path: "/map" })
        assert.deepStrictEqual(seen, dense.slice(0, 10 * bindingsPerPage))
        assert.strictEqual(map.translate(onPage(9).virtual + 53), onPage(9).physical + 12)
        assert.deepInclude(
          errorOf(() => map.translate(onPage(80).virtual)),
          { _tag: "Corrupt", offset: end }
        )
      })
    )
  )

  it(
    "is Corrupt where the page that is damaged holds nothing but the end",
    inMemory(
      Effect.gen(function* () {
        const whole = imageOf(mapOf(dense.slice(0, 2 * bindingsPerPage)))
        const { cells } = layoutOf(whole)
        whole[cells + 2 * pageBytes + 40] ^= 1
        const file = yield* (yield* Io).create("/map", { overwrite: true })
        yield* file.writeAt(0, whole)
        const unmapped = withoutMapping(yield* Io)
        const map = yield* Offmap.over(yield* unmapped.open("/map", { readonly: true }))
        assert.strictEqual([...map.entries()].length, map.size)
        for (const ask of [() => map.verifyAll(), () => map.locate(dense[2 * bindingsPerPage - 1].virtual)]) {
          assert.deepInclude(errorOf(ask), { _tag: "Corrupt", offset: cells + 2 * pageBytes })
        }
      })
    )
  )

  it(
    "reads one page for a lookup, and sixteen at once on a walk",
    inMemory(
      Effect.gen(function* () {
        const { file, reads } = counted(yield* imageFile)
        const map = yield* openPaged(file, 64)
        map.translate(onPage(40).virtual + 53)
        assert.deepStrictEqual(reads, [{ offset: layout.cells + 40 * pageBytes, length: pageBytes }])
        for (const walk of [() => [...map.entries()], () => map.verifyAll()]) {
          reads.length = 0
          walk()
          assert.isAtMost(Math.max(...reads.map(({ length }) => length)), 16 * pageBytes)
          assert.isBelow(reads.length, 90 / 8)
        }
      })
    )
  )

  it(
    "goes through the cells of a page once, and sums them each time",
    inMemory(
      Effect.gen(function* () {
        const { file, reads } = counted(yield* imageFile)
        const map = yield* openPaged(file, 1)
        for (let turn = 0; turn < 4; turn++) {
          for (const page of [7, 20]) map.translate(onPage(page).virtual + 53)
        }
        assert.strictEqual(reads.length, 8)
        assert.strictEqual(vi.mocked(pageFault).mock.calls.length, 2)
        map.verifyAll()
        map.verifyAll()
        assert.strictEqual(vi.mocked(pageFault).mock.calls.length, layout.pages)
      })
    )
  )

  it(
    "passes over pages of points sixteen at a time once it has passed over two",
    inMemory(
      Effect.gen(function* () {
        const points = Array.from({ length: 60_000 }, (_, i) => ({ virtual: i * 3, physical: i, length: 0 }))
        const io = yield* Io
        const inner = yield* io.create("/points", { overwrite: true })
        yield* Offmap.write(mapOf([...points, { virtual: 2 ** 40, physical: 0, length: 9 }]), inner, 0)
        let reads = 0
        const unmapped = withoutMapping(io, () => reads++)
        const map = yield* Offmap.open("/points").pipe(Effect.provideService(Io, unmapped))
        reads = 0
        assert.strictEqual(map.next(1), 2 ** 40)
        assert.isBelow(reads, 3 + 160 / 8)
      })
    )
  )

  it(
    "takes no more memory than its frames and its index, however much of it is read",
    inMemory(
      Effect.gen(function* () {
        const io = yield* Io
        const builder = Offmap.builder()
        const count = 5_000_000
        for (let i = 0; i < count; i++) builder.add(i * 100, i * 40, 40)
        const imageBytes = yield* Effect.scoped(
          Effect.gen(function* () {
            return yield* Offmap.write(builder.build(), yield* io.create("/large", { overwrite: true }), 0)
          })
        )
        assert.isAbove(imageBytes, 40e6)
        const unmapped = withoutMapping(io)
        const before = process.memoryUsage().arrayBuffers
        const map = yield* Offmap.open("/large").pipe(Effect.provideService(Io, unmapped))
        for (let turn = 0; turn < 2; turn++) {
          for (let i = 0; i < count; i += 500) assert.strictEqual(map.translate(i * 100 + 7), i * 40 + 7)
        }
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 36e6)
      })
    )
  )

  it(
    "is Closed when its scope ends in the middle of a walk, or of being written",
    inMemory(
      Effect.gen(function* () {
        const file = yield* imageFile
        const scope = yield* Scope.make()
        const map = yield* openPaged(file, 2).pipe(Scope.provide(scope))
        const walk = map.entries()
        for (let i = 0; i < 1000; i++) walk.next()
        const copy = yield* (yield* Io).create("/copy", { overwrite: false })
        const writing = yield* Effect.forkChild(Offmap.write(map, copy, 0), { startImmediately: true })
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Effect.flip(Fiber.join(writing)))._tag, "Closed")
        assert.strictEqual((yield* Effect.flip(Offmap.read(copy, 0)))._tag, "Corrupt")
        assert.strictEqual(errorOf(() => walk.next())._tag, "Closed")
        for (const ask of [() => answers(map, 100), () => map.verifyAll(), () => [...map.entries()]]) {
          assert.strictEqual(errorOf(ask)._tag, "Closed")
        }
        assert.strictEqual((yield* Effect.flip(Offmap.write(map, copy, 0)))._tag, "Closed")
      })
    )
  )
})

it(
  "a page whose checksum holds and whose cells can't be is Corrupt, whenever it is looked at, and others are served",
  inMemory(
    Effect.gen(function* () {
      const wrong = image.slice()
      const page = 5
      // The second binding of the page's first cell begins within the first one.
      new DataView(wrong.buffer).setInt32(layout.cells + page * pageBytes + 36, 3, true)
      sealAll(wrong)
      const file = yield* imageFile
      yield* file.writeAt(0, wrong)
      const header = decodeOffmapHeader(wrong.subarray(0, offmapHeaderBytes), {
        path: "/map",
        origin: 0,
        available: wrong.length
      })
      const map = yield* openOffmapPaged({ file, header, cacheSize: 4 })
      for (let time = 0; time < 2; time++) {
        const error = errorOf(() => map.find(onPage(page).virtual))
        assert.deepInclude(error, { _tag: "Corrupt", path: "/map" })
        assert.isAtLeast(error.offset!, layout.cells + page * pageBytes)
        assert.isBelow(error.offset!, layout.cells + (page + 1) * pageBytes)
        for (const other of [0, page - 1, page + 1, 80]) {
          assert.strictEqual(map.find(onPage(other).virtual), onPage(other).physical)
        }
      }
      assert.strictEqual(errorOf(() => map.verifyAll())._tag, "Corrupt")
    })
  )
)

it(
  "a page that is at hand is handed over at once to whoever would wait for it",
  inMemory(
    Effect.gen(function* () {
      const file = yield* imageFile
      const map = yield* openPaged(file, 4)
      const at = 7 * pageBytes
      const bytes = Effect.runSync(
        map.load({ wanted: at, last: at }, (fetched) =>
          fetched.bytes.slice(at - fetched.position, at - fetched.position + pageBytes)
        )
      )
      assert.deepStrictEqual(bytes, image.slice(layout.cells + at, layout.cells + at + pageBytes))
      yield* damage(file, 9)
      const error = yield* Effect.flip(
        map.load({ wanted: 9 * pageBytes, last: 9 * pageBytes }, () => undefined)
      )
      assert.deepInclude(error, { _tag: "Corrupt", path: "/map" })
    })
  )
)
