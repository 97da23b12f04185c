/**
 * Law: an append-only file does what its model does, whatever the sequence of operations, in both
 * modes, over memory and over a disk, with writes and syncs that fail.
 *
 * After every step the outcome, the end, the buffer's emptiness and every byte of the file itself
 * are compared.
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
import {
  appendOnlyFileCommands,
  appendOnlyFileSetup,
  checkAppendOnlyFileBytes,
  leaveAppendOnlyFile
} from "../src/testing/commands/appendOnlyFileCommands.ts"
import { allAppendOnlyFileFeatures } from "../src/testing/commands/appendOnlyFileSteps.ts"
import { lacunaAppendOnlyFile } from "../src/testing/commands/lacunaAppendOnlyFile.ts"
import { runCommands } from "../src/testing/commands/modelCommand.ts"
import { runProperty } from "./runs.ts"

const directory = mkdtempSync(join(tmpdir(), "lacuna-append-only-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

const platforms: ReadonlyArray<{ name: string; layer: Layer.Layer<Io>; path: () => string; runs: number }> = [
  { name: "memory", layer: IoMemory.layer, path: () => "/file", runs: 1200 },
  { name: "node:fs", layer: IoNode.layer, path: () => join(directory, `file-${files++}`), runs: 450 }
]

describe.each(platforms)("an append-only file over $name", ({ layer, path, runs }) => {
  it("does what its model does", async () => {
    // A list, and not fc.commands: a failure is replayed by its seed and path alone.
    const commands = fc.array(appendOnlyFileCommands(fc, allAppendOnlyFileFeatures), {
      maxLength: 40,
      size: "max"
    })
    const property = fc.asyncProperty(fc.constantFrom(1, 16, 64, 100, 300), commands, async (first, list) => {
      const io = await Effect.runPromise(Effect.provide(Io, layer))
      const at = path()
      const setup = await appendOnlyFileSetup(lacunaAppendOnlyFile(io, at), { autoFlushThreshold: first })
      const { model, real } = setup
      try {
        await runCommands(setup, list)
        await leaveAppendOnlyFile(model, real)
        await checkAppendOnlyFileBytes(model, real)
      } finally {
        await leaveAppendOnlyFile(model, real).catch(() => undefined) // the first failure counts
        await Effect.runPromise(Effect.ignore(io.remove(at)))
      }
    })
    await runProperty(property, { runs })
  })
})
