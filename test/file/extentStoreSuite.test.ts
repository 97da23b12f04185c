/** The suite that strangers hold their stores to: an extent file obeys it, and broken stores don't. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { afterAll, assert, describe, it } from "vitest"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import type { ExtentStore } from "../../src/file/extentStore.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { extentStoreSuite } from "../../src/testing/extentStoreSuite.ts"
import { scratchDirectory } from "../io/scratch.ts"

const scratch = scratchDirectory()

const layers = { "in memory": [IoMemory.layer, ""], "on disk": [IoNode.layer, scratch] } as const

describe.each(Object.entries(layers))("an extent file %s", (_, [layer, directory]) => {
  const runtime = ManagedRuntime.make(layer as Layer.Layer<Io>)
  afterAll(() => runtime.dispose())
  const open = (name: string) =>
    Effect.flatMap(
      Effect.promise(() => runtime.runPromise(Io)),
      (io) => Effect.provideService(ExtentFile.open(`${directory}/${name}`), Io, io)
    )
  for (const law of extentStoreSuite(open, { persistent: true })) it(law.name, law.run)
})

/** A store with an array for each extent: right as long as none overlap. */
const mapStore = (): ExtentStore<never> => {
  const extents = new Map<number, Uint8Array>()
  return {
    createExtent: (offset, bytes) =>
      Effect.sync(() => {
        if (bytes.length === 0) extents.delete(offset)
        else extents.set(offset, bytes.slice())
      }),
    readExtent: (offset) => Effect.sync(() => extents.get(offset)?.slice() ?? new Uint8Array(0)),
    deleteExtent: (offset) => Effect.sync(() => void extents.delete(offset))
  }
}

const brokenLaws = async (make: () => ExtentStore<never>): Promise<ReadonlyArray<string>> => {
  const broken: Array<string> = []
  for (const law of extentStoreSuite(() => Effect.sync(make))) {
    await law.run().catch(() => broken.push(law.name))
  }
  return broken
}

describe("the suite", () => {
  it("finds that overlapping extents don't share their bytes", async () => {
    assert.deepStrictEqual(await brokenLaws(mapStore), [
      "has, of overlapping extents, the bytes that were written last",
      "does not take from an extent what another one that is deleted has too",
      "is what a plain model is, over a long series of random operations"
    ])
  })

  it("finds a store that keeps the caller's own array", async () => {
    const broken = await brokenLaws(() => {
      const extents = new Map<number, Uint8Array>()
      return {
        ...mapStore(),
        createExtent: (offset, bytes) => Effect.sync(() => void extents.set(offset, bytes)),
        readExtent: (offset) => Effect.sync(() => extents.get(offset) ?? new Uint8Array(0)),
        deleteExtent: (offset) => Effect.sync(() => void extents.delete(offset))
      }
    })
    assert.include(broken, "keeps bytes that the caller changes afterwards")
  })

  it("finds a store that deletes nothing", async () => {
    const broken = await brokenLaws(() => ({ ...mapStore(), deleteExtent: () => Effect.void }))
    assert.include(broken, "deletes one extent and no other")
  })
})
