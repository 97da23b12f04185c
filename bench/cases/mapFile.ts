/** An offmap of a data set, built and written by lacuna, for the cases that search or open one. */
import * as Effect from "effect/Effect"
import { Io } from "../../src/io/Io.ts"
import { Offmap } from "../../src/file/Offmap.ts"
import type { ExtentArrays } from "../extents.ts"

/** Writes the map of ascending extents that lie back to back, and gives its size in bytes. */
export const writeMapFile = (path: string, { count, lengths, virtuals }: ExtentArrays) =>
  Effect.scoped(
    Effect.gen(function* () {
      const builder = Offmap.builder()
      let physical = 0
      for (let i = 0; i < count; i++) {
        builder.add(virtuals[i], physical, lengths[i])
        physical += lengths[i]
      }
      const io = yield* Io
      const file = yield* io.create(path, { overwrite: true })
      return yield* Offmap.write(builder.build(), file, 0)
    })
  )
