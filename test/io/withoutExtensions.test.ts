/** A machine on which no optional package loads: everything but locks, holes and views works. */
import * as Effect from "effect/Effect"
import { describe, expect, it, vi } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { ioSuite } from "../../src/testing/ioSuite.ts"
import { scratchDirectory } from "./scratch.ts"

vi.mock("node:module", () => ({
  createRequire: () => (name: string) => {
    throw new Error(`Cannot find module '${name}'\nRequire stack: long`)
  }
}))

const directory = scratchDirectory()

describe("IoNode without any optional package", () => {
  const suite = ioSuite(IoNode.layerWith({ lock: false }), {
    directory,
    mapping: "unsupported",
    holes: false,
    locks: false
  })
  for (const law of suite) it(law.name, law.run)
})

it("lock is Unsupported, with what to do about it, unless it is switched off", async () => {
  const lock = Effect.gen(function* () {
    const io = yield* Io
    return yield* Effect.match(io.lock(`${directory}/lock`), {
      onFailure: (error) => error,
      onSuccess: () => "taken" as const
    })
  }).pipe(Effect.scoped)
  const refused = await Effect.runPromise(Effect.provide(lock, IoNode.layer))
  expect(refused).toMatchObject({ _tag: "Unsupported", operation: "lock" })
  expect(String(refused)).toContain("lock: false")
  expect(await Effect.runPromise(Effect.provide(lock, IoNode.layerWith({ lock: false })))).toBe("taken")
})

it("providers() names each package that can't be loaded, with the first line of the reason", () => {
  expect(IoNode.providers()).toEqual([
    { name: "koffi", serves: "mapping", available: false, reason: "Cannot find module 'koffi'" },
    { name: "mmap-io", serves: "mapping", available: false, reason: "Cannot find module 'mmap-io'" },
    {
      name: "fs-native-extensions",
      serves: "locks and hole punching",
      available: false,
      reason: "Cannot find module 'fs-native-extensions'"
    },
    {
      name: "@node-rs/crc32",
      serves: "faster checksums",
      available: false,
      reason: "Cannot find module '@node-rs/crc32'"
    }
  ])
})
