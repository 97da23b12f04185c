/**
 * Law: an offloaded file is, byte for byte and extent for extent, what its model is, whatever is written
 * to it, referred to, cut off and filled; each clone is from then on a file of its own; and what is
 * refused changes nothing.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { afterAll, describe, it } from "vitest"
import { Io } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { IoNode } from "../src/io/IoNode.ts"
import { OffloadedPair } from "./offloadedFilePair.ts"
import {
  large,
  type OffloadedScale,
  offloadedStories,
  type OffloadedStory,
  small
} from "./offloadedFileSteps.ts"
import { runProperty } from "./runs.ts"

const directory = mkdtempSync(join(tmpdir(), "lacuna-offloaded-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Every byte is compared after so many steps, and at the end. */
const tell = (
  { backingKind, turns, ...story }: OffloadedStory,
  { backingBytes }: OffloadedScale,
  wholeEvery: number
): Effect.Effect<void, never, Io> =>
  Effect.gen(function* () {
    const io = yield* Io
    const root = (yield* io.classify(directory)) === "directory" ? directory : ""
    const pair = new OffloadedPair({ ...story, backingKind, turns }, { backingBytes, directory: root })
    yield* pair.open(backingKind)
    for (const [i, { cursor, then, who }] of turns.entries()) {
      yield* pair.take(who, cursor, then)
      yield* pair.compare(i % wholeEvery === 0 || i === turns.length - 1)
    }
  }).pipe(Effect.scoped, Effect.orDie)

const layers: Record<string, Layer.Layer<Io>> = {
  "in memory": IoMemory.layer,
  "on a disk": IoNode.layer
}

describe.each(Object.entries(layers))("an offloaded file, its backing %s", (_, layer) => {
  it.each([
    ["tens of bytes", small, 350, 1],
    ["hundreds of kilobytes", large, 16, 6]
  ] as const)("is what its model is: %s", async (_, scale, runs, wholeEvery) => {
    await runProperty(
      fc.asyncProperty(offloadedStories(scale), (story) =>
        tell(story, scale, wholeEvery).pipe(Effect.provide(layer), Effect.runPromise)
      ),
      { runs }
    )
  })
})
