/**
 * Tests that run over real files and over files in memory, each in an empty directory.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { describe, it } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { scratchDirectory } from "../io/scratch.ts"

export type InDirectory = (directory: string) => Effect.Effect<void, unknown, Io | Scope.Scope>

/** Declares one test. */
export type Declare = (name: string, body: InDirectory) => void

const declareIn =
  (layer: Layer.Layer<Io>, directoryFor: () => string): Declare =>
  (name, body) =>
    it(name, () =>
      Effect.gen(function* () {
        const directory = directoryFor()
        yield* (yield* Io).makeDirectory(directory)
        yield* body(directory)
      }).pipe(Effect.scoped, Effect.provide(layer), Effect.runPromise)
    )

/** Declares tests over real files, below a scratch directory. */
export const onDisk = (tests: (test: Declare) => void): void => {
  const scratch = scratchDirectory()
  let number = 0
  describe("on disk", () => tests(declareIn(IoNode.layer, () => `${scratch}/${number++}`)))
}

/** Declares the same tests twice: over real files, and in memory. */
export const onEachIo = (tests: (test: Declare) => void): void => {
  onDisk(tests)
  describe("in memory", () => tests(declareIn(IoMemory.layer, () => "/directory")))
}

/**
 * What this process holds open in a directory, files without a name included; nothing where the
 * system doesn't tell.
 */
export const openHandles = (directory: string): ReadonlyArray<string> => {
  if (process.platform !== "linux") return []
  const handles: Array<string> = []
  for (const fd of fs.readdirSync("/proc/self/fd")) {
    try {
      const target = fs.readlinkSync(`/proc/self/fd/${fd}`)
      if (target.startsWith(`${directory}/`)) handles.push(target.slice(directory.length + 1))
    } catch {
      // The descriptor that the directory was listed by is closed by now.
    }
  }
  return handles.sort()
}
