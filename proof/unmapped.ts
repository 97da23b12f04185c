/** An Io in memory in which nothing can be mapped, so that everything is read. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Unsupported } from "../src/bytes/errors.ts"
import { Io, type IoFile } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"

const unmapped = (file: IoFile): IoFile => ({
  ...file,
  map: () => Effect.fail(new Unsupported({ operation: "map", reason: "it is not to be used here" }))
})

export const withoutMapping: Layer.Layer<Io> = Layer.effect(
  Io,
  Effect.map(Io, (io) =>
    Io.of({
      ...io,
      create: (path, options) => Effect.map(io.create(path, options), unmapped),
      open: (path, options) => Effect.map(io.open(path, options), unmapped)
    })
  )
).pipe(Layer.provide(IoMemory.layer))
