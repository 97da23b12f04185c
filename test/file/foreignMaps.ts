/** Maps that are whole by their checksums, and wrong about the data beside them. */
import * as Effect from "effect/Effect"
import type { Binding } from "../../src/bytes/extent.ts"
import { Offmap } from "../../src/file/Offmap.ts"
import type { IoService } from "../../src/io/Io.ts"
import { imageOf, mapOf } from "./offmapImages.ts"

/**
 * Puts other bindings into the map of a sparse file. There must be as many cells as before, so that the image
 * is as long and the block sums behind it stay where they are.
 */
export const rewriteMap = (io: IoService, path: string, bindings: ReadonlyArray<Binding>) =>
  Effect.gen(function* () {
    const map = mapOf(bindings)
    const file = yield* io.open(path, { readonly: false })
    const former = yield* Offmap.over(file)
    if (former.imageBytes !== imageOf(map).length)
      return yield* Effect.die(new Error("another number of cells"))
    yield* Offmap.write(map, file, 0)
  }).pipe(Effect.scoped)
