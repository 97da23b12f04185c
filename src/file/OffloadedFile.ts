/**
 * OffloadedFile: a file over a backing that is never written.
 *
 * It is made of extents, each a range of the backing, a repeated byte, or bytes in memory, and changing
 * it changes only the extents: what is taken over from the backing is referred to and never copied. So
 * a large file is patched, cut, filled and put together anew in the time that the patches take, and
 * clones of it share what they have in common. `materialise` makes a real file of it.
 *
 * It deliberately keeps nothing across its scope, and takes no lock of the backing: that this keeps the
 * bytes it has is its owner's promise. One that became shorter is noticed, one that was rewritten is not.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { InvalidArgument } from "../bytes/errors.ts"
import { MemoryLimiter } from "../bytes/memoryLimiter.ts"
import { attempt } from "../io/attempt.ts"
import { OffloadedBacking } from "./offloadedBacking.ts"
import { OffloadedExtents } from "./offloadedExtents.ts"
import type { OffloadedFileOptions, OffloadedFileService } from "./offloadedFileService.ts"
import { makeInstance } from "./offloadedInstance.ts"

export type * from "./offloadedFileService.ts"

const limiterOf = (limit: number | MemoryLimiter | undefined): MemoryLimiter | undefined =>
  typeof limit === "number" ? MemoryLimiter.make(limit) : limit

const make = (
  options: OffloadedFileOptions
): Effect.Effect<OffloadedFileService, InvalidArgument, Scope.Scope> =>
  Effect.flatMap(
    attempt<MemoryLimiter | undefined, InvalidArgument>(() => limiterOf(options.memoryLimit)),
    (limiter) =>
      makeInstance(
        new OffloadedBacking(options.backing),
        limiter,
        Effect.sync(() => new OffloadedExtents(limiter))
      )
  )

/**
 * An offloaded file: the tag of the one a program works with, and the way to make any number.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const io = yield* Io
 *   const backing = yield* io.open("large", { readonly: true })
 *   const file = yield* OffloadedFile.make({ backing })
 *   yield* file.writeAt(0, { backingOffset: 0, length: yield* backing.size })
 *   yield* file.writeAt(4096, patch)
 *   yield* file.materialise("patched")
 * })
 * ```
 */
export class OffloadedFile extends Context.Service<OffloadedFile, OffloadedFileService>()(
  "lacuna/OffloadedFile"
) {
  /**
   * An empty file over `backing`: to begin with what the backing has, write all of it. At the end of the
   * scope what it reserved of the limiter is released, and the file is closed.
   */
  static readonly make = make

  /** One file for a program, by `make`. */
  static readonly layer = (options: OffloadedFileOptions): Layer.Layer<OffloadedFile, InvalidArgument> =>
    Layer.effect(OffloadedFile, make(options))
}
