/** The laws about stores of extents: a plain store obeys them, and each of many defects breaks some. */
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import type { ExtentStore } from "../../src/file/extentStore.ts"
import { extentStoreSuite, type ExtentStoreSuiteOptions } from "../../src/testing/extentStoreSuite.ts"
import { ExtentFileModel } from "../../src/testing/models/extentFile.ts"

type Store = ExtentStore<never>

/** What a store has: one array for each extent, the older ones with what the newer ones wrote into them. */
const plainStore = (kept: Map<number, Uint8Array> = new Map()): Store => ({
  createExtent: (offset, bytes) =>
    Effect.sync(() => {
      for (const [start, older] of kept) {
        const from = Math.max(start, offset)
        const to = Math.min(start + older.length, offset + bytes.length)
        if (from < to) older.set(bytes.subarray(from - offset, to - offset), from - start)
      }
      if (bytes.length === 0) kept.delete(offset)
      else kept.set(offset, bytes.slice())
    }),
  readExtent: (offset) => Effect.sync(() => kept.get(offset)?.slice() ?? new Uint8Array(0)),
  deleteExtent: (offset) => Effect.sync(() => void kept.delete(offset))
})

const brokenBy = async (
  make: (name: string) => Store,
  options?: ExtentStoreSuiteOptions
): Promise<ReadonlyArray<string>> => {
  const broken: Array<string> = []
  for (const law of extentStoreSuite((name) => Effect.sync(() => make(name)), options)) {
    await law.run().catch(() => broken.push(law.name))
  }
  return broken
}

/** A plain store of which a part is replaced. */
const spoiled = (spoil: (store: Store, kept: Map<number, Uint8Array>) => Partial<Store>) => (): Store => {
  const kept = new Map<number, Uint8Array>()
  const store = plainStore(kept)
  return { ...store, ...spoil(store, kept) }
}

const empty = new Uint8Array(0)

/** What is wrong, and a law that it breaks. */
const defects: Record<string, readonly [() => Store, string]> = {
  "overlapping extents that don't share their bytes": [
    spoiled((_, kept) => ({
      createExtent: (offset, bytes) => Effect.sync(() => void kept.set(offset, bytes.slice()))
    })),
    "has, of overlapping extents, the bytes that were written last"
  ],
  "the caller's own array that is kept": [
    spoiled((_, kept) => ({
      createExtent: (offset, bytes) => Effect.sync(() => void kept.set(offset, bytes))
    })),
    "keeps bytes that the caller changes afterwards"
  ],
  "its own array that is given away": [
    spoiled((_, kept) => ({ readExtent: (offset) => Effect.sync(() => kept.get(offset) ?? empty) })),
    "keeps bytes that the caller changes afterwards"
  ],
  "deleting nothing": [
    spoiled(() => ({ deleteExtent: () => Effect.void })),
    "deletes one extent and no other"
  ],
  "deleting everything behind": [
    spoiled((_, kept) => ({
      deleteExtent: (offset) =>
        Effect.sync(() => {
          for (const start of [...kept.keys()]) if (start >= offset) kept.delete(start)
        })
    })),
    "deletes one extent and no other"
  ],
  "offsets of 32 bits": [
    spoiled((store) => ({
      createExtent: (offset, bytes) => store.createExtent(offset % 2 ** 32, bytes),
      readExtent: (offset) => store.readExtent(offset % 2 ** 32),
      deleteExtent: (offset) => store.deleteExtent(offset % 2 ** 32)
    })),
    "keeps extents at offsets beyond 4 GiB and of a terabyte"
  ],
  "a read from within an extent": [
    spoiled((store, kept) => ({
      readExtent: (offset) =>
        Effect.suspend(() => {
          for (const [start, bytes] of kept) {
            if (start < offset && offset < start + bytes.length)
              return Effect.succeed(bytes.slice(offset - start))
          }
          return store.readExtent(offset)
        })
    })),
    "gives back what was created, and nothing within it or behind"
  ],
  "an empty extent that leaves the one before": [
    spoiled((store) => ({
      createExtent: (offset, bytes) => (bytes.length === 0 ? Effect.void : store.createExtent(offset, bytes))
    })),
    "takes an empty extent for none"
  ],
  "a delete that fails where there is nothing": [
    spoiled((store, kept) => ({
      deleteExtent: (offset) =>
        kept.has(offset) ? store.deleteExtent(offset) : Effect.die(new Error("there is none"))
    })),
    "has nothing at first, and deleting nothing is fine"
  ],
  "writers at once that get in each other's way": [
    spoiled((store) => {
      let last: { readonly offset: number; readonly bytes: Uint8Array } | undefined
      return {
        createExtent: (offset, bytes) =>
          Effect.suspend(() => {
            last = { offset, bytes: bytes.slice() }
            return Effect.andThen(
              Effect.yieldNow,
              Effect.suspend(() =>
                last === undefined ? Effect.void : store.createExtent(last.offset, last.bytes)
              )
            )
          })
      }
    }),
    "lets many create, read and delete at once"
  ]
}

describe("the suite", () => {
  it("finds nothing wrong about a plain store", async () => {
    assert.deepStrictEqual(await brokenBy(() => plainStore()), [])
  })

  it.each(Object.entries(defects))("finds %s", async (_, [make, law]) => {
    assert.include(await brokenBy(make), law)
  })

  it("finds a store that has forgotten all, if it said that it wouldn't, and only then", async () => {
    const law = "has, made anew, what it had, and goes on from there"
    assert.deepStrictEqual(await brokenBy(() => plainStore(), { persistent: true }), [law])
    const disks = new Map<string, Map<number, Uint8Array>>()
    const kept = (name: string) => disks.get(name) ?? disks.set(name, new Map()).get(name)
    assert.deepStrictEqual(await brokenBy((name) => plainStore(kept(name)), { persistent: true }), [])
  })

  it("finds extents that are listed wrongly, of stores that list them", async () => {
    const model = new ExtentFileModel(1)
    const listing = spoiled(() => ({ extents: () => model.extents() }))
    assert.include(
      await brokenBy(listing),
      "is what a plain model is, over a long series of random operations"
    )
  })
})
