/**
 * Law: what is read through a page cache are the bytes of the device, whatever was cached before,
 * however the device answers, and whatever it refuses; and what is cached is not asked for again.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import { PageCache } from "../src/file/PageCache.ts"
import { Io } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { IoNode } from "../src/io/IoNode.ts"
import { PageCacheModel } from "../src/testing/models/pageCache.ts"
import { deviceBytes, longestCallBytes, TestDevice } from "./pageCacheDevice.ts"
import { PageCachePair } from "./pageCachePair.ts"
import { bases, lengthOf, pageStories, type PageStory } from "./pageCacheSteps.ts"
import { outcomeOf, sameBytes } from "./pageCacheWatch.ts"
import { runProperty } from "./runs.ts"

const modelOf = ({ base, pageSize, seed, size }: PageStory, tellsEnd: boolean): PageCacheModel =>
  new PageCacheModel({ pageSize, base, tellsEnd, bytes: deviceBytes(lengthOf(size, pageSize), seed) })

const tellOverDevice = (story: PageStory): Effect.Effect<void> =>
  Effect.gen(function* () {
    const model = modelOf(story, false)
    const device = new TestDevice(model, story)
    const cache = yield* PageCache.make({ ...story, map: device.map })
    const behind = { device, write: () => Effect.void, truncate: () => Effect.void }
    const pair = new PageCachePair({ model, cache, behind, readAhead: story.readAhead })
    for (const step of story.steps) {
      yield* pair.take(step)
      assert.deepStrictEqual(device.pagesUnderWay(), [], "a call outlives the reads that wait for it")
    }
  }).pipe(Effect.orDie)

describe("a page cache over a device", () => {
  it.each([
    ["pages up to 64 bytes", 6, 60, 200],
    ["pages up to 64 KiB", 16, 25, 120]
  ] as const)("reads what its model reads: %s", async (_, largestPagePower, maxSteps, runs) => {
    await runProperty(
      fc.asyncProperty(pageStories({ bases, largestPagePower, maxSteps }), (story) =>
        Effect.runPromise(tellOverDevice(story))
      ),
      { runs }
    )
  })
})

const directory = mkdtempSync(join(tmpdir(), "lacuna-pages-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

const tellOverFile = (story: PageStory): Effect.Effect<void, never, Io> =>
  Effect.gen(function* () {
    const io = yield* Io
    const root = (yield* io.classify(directory)) === "directory" ? directory : ""
    const model = modelOf(story, true)
    const file = yield* io.create(`${root}/file${files++}`, { overwrite: false })
    yield* file.truncate(model.base)
    yield* file.writeAt(model.base, model.give(model.base, model.size))
    const cache = yield* PageCache.overFile(file, story)
    const behind = {
      device: undefined,
      write: (offset: number, bytes: Uint8Array) => Effect.orDie(file.writeAt(offset, bytes)),
      truncate: (size: number) => Effect.orDie(file.truncate(size))
    }
    const pair = new PageCachePair({ model, cache, behind, readAhead: story.readAhead })
    for (const step of story.steps) yield* pair.take(step)
    yield* Effect.ignore(io.remove(file.path))
  }).pipe(Effect.scoped, Effect.orDie)

const layers: Record<string, Layer.Layer<Io>> = {
  "in memory": IoMemory.layer,
  "on a disk": IoNode.layer
}

describe.each(Object.entries(layers))("a page cache over a file %s", (_, layer) => {
  it("reads what its model reads", async () => {
    const stories = pageStories({ bases: [0, 2 ** 32 - 70, 2 ** 33 + 5], largestPagePower: 16, maxSteps: 30 })
    await runProperty(
      fc.asyncProperty(stories, (story) =>
        tellOverFile(story).pipe(Effect.provide(layer), Effect.runPromise)
      ),
      { runs: 100 }
    )
  })
})

describe("an empty page cache", () => {
  it("takes one call for every mebibyte of a run, and none for what it has", async () => {
    const runs = fc.record({
      power: fc.integer({ min: 9, max: 16 }),
      start: fc.nat(200_000),
      length: fc.integer({ min: 1, max: 5_000_000 }),
      waits: fc.constant([0]),
      answering: fc.constantFrom("at once" as const, "by a callback" as const)
    })
    await runProperty(
      fc.asyncProperty(runs, async ({ length, power, start, ...options }) => {
        const pageSize = 2 ** power
        const model = new PageCacheModel({ pageSize, bytes: deviceBytes(5_300_000, length) })
        const device = new TestDevice(model, options)
        const cache = await Effect.runPromise(
          PageCache.make({ map: device.map, pageSize, cacheSize: 2 ** (23 - power) })
        )
        const expected = model.give(start, length)
        const pages = cache.syscalls(start, length)
        const bytes = new Uint8Array(length)
        await Effect.runPromise(cache.blit(start, bytes, 0, length))
        sameBytes(bytes, expected, "what was read")
        assert.strictEqual(device.calls.length, Math.ceil((pages * pageSize) / longestCallBytes), "calls")
        sameBytes(await Effect.runPromise(cache.getBytes(start, length)), expected, "what was read again")
        sameBytes(cache.unsafe.getBytes(start, length), expected, "what was read at once")
        assert.strictEqual(
          device.calls.length,
          Math.ceil((pages * pageSize) / longestCallBytes),
          "more calls"
        )
        assert.strictEqual(cache.cacheMiss(), pages, "misses")
      }),
      { runs: 12 }
    )
  })

  it("reads ahead of who reads on, at most as far as it was told, and of nobody else", async () => {
    const scans = fc.record({
      readAhead: fc.nat(8),
      first: fc.integer({ min: 1, max: 20 }),
      pages: fc.integer({ min: 1, max: 40 }),
      strides: fc.array(fc.integer({ min: 2, max: 9 }), { maxLength: 10 })
    })
    await runProperty(
      fc.asyncProperty(scans, async ({ first, pages, readAhead, strides }) => {
        const pageSize = 16
        const model = new PageCacheModel({ pageSize, bytes: deviceBytes(300 * pageSize, pages) })
        const device = new TestDevice(model, { answering: "at once", waits: [0] })
        const cache = await Effect.runPromise(
          PageCache.make({ map: device.map, pageSize, cacheSize: 512, readAhead })
        )
        for (let page = first; page < first + pages; page++) {
          assert.strictEqual(cache.unsafe.getUint8(page * pageSize), model.give(page * pageSize, 1)[0])
        }
        assert.isAtMost(device.calls.length, 1 + Math.ceil((pages - 1) / (readAhead + 1)), "calls of a scan")
        for (const { length } of device.calls) assert.isAtMost(length, (1 + readAhead) * pageSize)
        let page = 100
        for (const stride of strides) {
          await Effect.runPromise(cache.getUint8(page * pageSize))
          assert.strictEqual(device.calls[device.calls.length - 1].length, pageSize, "a read that is no scan")
          page += stride
        }
      }),
      { runs: 200 }
    )
  })

  it("is made of powers of two, and of nothing else", async () => {
    const number = fc.oneof(
      fc.integer({ min: -2, max: 70 }),
      fc.constantFrom(4096, 0.5, NaN, Infinity, 2 ** 31, 2 ** 32, 2 ** 53, -4096)
    )
    const options = fc.record(
      { pageSize: number, cacheSize: number, readAhead: number },
      { requiredKeys: [] }
    )
    const isPower = (value: number): boolean => value >= 1 && Number.isInteger(Math.log2(value))
    await runProperty(
      fc.asyncProperty(options, async (given) => {
        const { cacheSize = 1024, pageSize = 4096, readAhead = 0 } = given
        const isGood =
          isPower(pageSize) &&
          isPower(cacheSize) &&
          pageSize * cacheSize < 2 ** 31 &&
          Number.isSafeInteger(readAhead) &&
          readAhead >= 0
        const map = (): Uint8Array => new Uint8Array(0)
        const made = await Effect.runPromise(outcomeOf(PageCache.make({ ...given, map })))
        if (!("value" in made))
          return assert.deepStrictEqual([made.failure, isGood], ["InvalidArgument", false])
        assert.isTrue(isGood, "made of what is no power of two")
        assert.deepStrictEqual([made.value.pageSize, made.value.cacheSize], [pageSize, cacheSize])
      }),
      { runs: 200 }
    )
  })
})
