/**
 * Law: through a page cache a sparse file reads as its model does: no byte of a hole is ever given, and
 * none that is there is refused.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import { PageCache } from "../src/file/PageCache.ts"
import { SparseFile } from "../src/file/SparseFile.ts"
import { attempt } from "../src/io/attempt.ts"
import { Io } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { IoNode } from "../src/io/IoNode.ts"
import { SparseFileModel } from "../src/testing/models/sparseFile.ts"
import { deviceBytes } from "./pageCacheDevice.ts"
import { type Outcome, outcomeOf } from "./pageCacheWatch.ts"
import { runProperty } from "./runs.ts"

const sourceBytes = 4000

const stories = fc.record({
  pagePower: fc.nat(9),
  cachePower: fc.nat(5),
  readAhead: fc.nat(3),
  pieces: fc.array(
    fc.record({
      gap: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 700 })),
      length: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 600 }))
    }),
    { minLength: 1, maxLength: 12 }
  ),
  reads: fc.array(
    fc.record({
      piece: fc.nat(11),
      plus: fc.oneof(fc.integer({ min: -4, max: 4 }), fc.integer({ min: -300, max: 600 })),
      length: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.nat(900)),
      how: fc.constantFrom("bytes" as const, "bytes" as const, "now" as const, "load" as const)
    }),
    { maxLength: 30, size: "max" }
  )
})
type Story = typeof stories extends fc.Arbitrary<infer A> ? A : never

const directory = mkdtempSync(join(tmpdir(), "lacuna-holes-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

const tell = ({ cachePower, pagePower, pieces, readAhead, reads }: Story): Effect.Effect<void, never, Io> =>
  Effect.gen(function* () {
    const io = yield* Io
    const root = (yield* io.classify(directory)) === "directory" ? directory : ""
    const bytes = deviceBytes(sourceBytes, pieces.length)
    const source = yield* io.create(`${root}/source${files++}`, { overwrite: false })
    yield* source.writeAt(0, bytes)
    let end = 0
    const extents = pieces.flatMap(({ gap, length }) => {
      const offset = end + gap
      if (offset + length > sourceBytes) return []
      end = offset + length
      return [{ offset, length }]
    })
    const model = new SparseFileModel(sourceBytes * 2, 0)
    model.appendExtents(bytes, extents)
    const path = `${root}/sparse${files++}`
    const writer = yield* SparseFile.create(path, { maxGap: 0 })
    yield* writer.appendExtents(source, extents)
    yield* writer.close
    const reader = yield* SparseFile.open(path)
    const cache = yield* PageCache.overReader(reader, {
      pageSize: 2 ** pagePower,
      cacheSize: 2 ** cachePower,
      readAhead
    })
    for (const { how, length, piece, plus } of reads) {
      const address = Math.max(0, (extents[piece % extents.length]?.offset ?? 0) + plus)
      if (how === "load") {
        const loaded = yield* outcomeOf(cache.load(address))
        compareSlice(loaded, model, address)
      } else {
        const get =
          how === "now"
            ? attempt<Uint8Array, unknown>(() => cache.unsafe.getBytes(address, length))
            : cache.getBytes(address, length)
        compare(yield* outcomeOf(get), model, { address, length })
      }
    }
  }).pipe(Effect.scoped, Effect.orDie)

const compare = (
  real: Outcome<Uint8Array>,
  model: SparseFileModel,
  { address, length }: { readonly address: number; readonly length: number }
): void => {
  const expected = model.read(address, length)
  if ("value" in expected) return assert.deepStrictEqual(real, expected)
  assert.isTrue("failure" in real, `${length} bytes at ${address} can't be read, and were`)
  if (!("failure" in real)) return
  // Behind the last extent the device ends; a hole it refuses in its own words.
  if (expected.reason === "after") assert.strictEqual(real.failure, "ReadOutOfBounds")
  else if (expected.failure === "InvalidSparseRead") assert.strictEqual(real.failure, "InvalidSparseRead")
  else assert.deepStrictEqual(real, { failure: "ReadOutOfBounds", end: expected.end! })
}

const compareSlice = (
  real: Outcome<{ readonly offset: number; readonly bytes: Uint8Array } | undefined>,
  model: SparseFileModel,
  address: number
): void => {
  const there = model.read(address, 1)
  if ("value" in real && real.value !== undefined) {
    const { bytes, offset } = real.value
    assert.isTrue(offset <= address && address < offset + bytes.length, "a slice has its address")
    assert.deepStrictEqual(
      { value: bytes },
      model.read(offset, bytes.length),
      "a slice of bytes that are there"
    )
  } else if ("value" in real) {
    assert.strictEqual("reason" in there ? there.reason : undefined, "after", "no page, though it is there")
  } else {
    assert.deepStrictEqual("failure" in there ? there.failure : undefined, real.failure, "a refused page")
  }
}

const layers: Record<string, Layer.Layer<Io>> = {
  "in memory": IoMemory.layer,
  "on a disk": IoNode.layer
}

describe.each(Object.entries(layers))("a page cache over a sparse file %s", (_, layer) => {
  it("never gives a byte of a hole, and gives every other", async () => {
    await runProperty(
      fc.asyncProperty(stories, (story) => tell(story).pipe(Effect.provide(layer), Effect.runPromise)),
      { runs: 80 }
    )
  })
})
