/** An extent file obeys the laws of stores of extents; test/testing/ tries them on stores that don't. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { afterAll, describe, it } from "vitest"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
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
