/** In a process of its own, where nothing is loaded yet: what reading and writing load. */
import { createRequire } from "node:module"
import * as Effect from "effect/Effect"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"

const optionalPackages = (): ReadonlyArray<string> => {
  const files = Object.keys(createRequire(import.meta.url).cache)
  return ["koffi", "mmap-io", "fs-native-extensions"].filter((name) =>
    files.some((file) => file.includes(`/node_modules/${name}/`))
  )
}

export const main = ([directory]: ReadonlyArray<string>): Promise<void> =>
  Effect.gen(function* () {
    const io = yield* Io
    const file = yield* io.create(`${directory}/lazy`, { overwrite: false })
    yield* file.writeAt(0, new Uint8Array(10))
    yield* file.readAt(0, new Uint8Array(10))
    console.log(`reading and writing: ${optionalPackages().join(" ")}`)
    yield* Effect.ignore(file.map(0, 10))
    console.log(`mapping: ${optionalPackages().join(" ")}`)
  }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)
