/**
 * What something has left in an Io of memory, as files: made once, laid out anew for every case.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Io, type IoService } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"

/** By path, a directory before what is in it. */
type Image = ReadonlyArray<{ readonly path: string; readonly bytes: Uint8Array | undefined }>

const imageOf = (io: IoService, directory: string): Effect.Effect<Image, unknown> =>
  Effect.gen(function* () {
    const image: Array<Image[number]> = []
    for (const name of yield* io.list(directory === "" ? "/" : directory)) {
      const path = `${directory}/${name}`
      if ((yield* io.classify(path)) === "directory") {
        image.push({ path, bytes: undefined }, ...(yield* imageOf(io, path)))
      } else {
        const bytes = new Uint8Array(yield* io.sizeOf(path))
        yield* Effect.scoped(
          Effect.flatMap(io.open(path, { readonly: true }), (file) => file.readAt(0, bytes))
        )
        image.push({ path, bytes })
      }
    }
    return image
  })

const layOut = (image: Image): Effect.Effect<void, unknown, Io> =>
  Effect.gen(function* () {
    const io = yield* Io
    for (const { bytes, path } of image) {
      if (bytes === undefined) yield* io.makeDirectory(path)
      else {
        yield* Effect.scoped(
          Effect.flatMap(io.create(path, { overwrite: false }), (file) => file.writeAt(0, bytes))
        )
      }
    }
  })

/** Runs `make` once, in a place of its own, and gives what it gave and the Effect that makes the same files. */
export const memoryImage = async <A>(
  make: Effect.Effect<A, unknown, Io | Scope.Scope>
): Promise<{ readonly value: A; readonly lay: Effect.Effect<void, unknown, Io> }> => {
  const made = Effect.gen(function* () {
    const value = yield* Effect.scoped(make)
    return { value, lay: layOut(yield* imageOf(yield* Io, "")) }
  })
  return Effect.runPromise(Effect.provide(made, IoMemory.layer))
}
