/**
 * SparseIo: a large object far away, read in any order, each chunk of it fetched once and kept.
 *
 * After the sparse-fetching prototype of the same name. Over any `ByteSource` and any `ExtentStore`: what is read
 * and not in the store is fetched in whole chunks, neighbours by one request, and stored before anybody gets
 * it. However many ask for a chunk, one request brings it; however many of them are interrupted, the others
 * get it, and with the last of them the request is interrupted. All bytes are of one version of the object.
 *
 * It retries nothing and has no timeouts: those are the source's, or the caller's.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ExtentFileError } from "../file/extentFileService.ts"
import type { SourceError } from "./ByteSource.ts"
import { makeInstance } from "./sparseIoInstance.ts"
import type { SparseIoError, SparseIoOptions, SparseIoService } from "./sparseIoService.ts"

export type * from "./sparseIoService.ts"

/** What the sources and the store that come with lacuna fail with. */
export type SparseIoCause = ExtentFileError | SourceError

const make = <ES, EX>(
  options: SparseIoOptions<ES, EX>
): Effect.Effect<SparseIoService<ES | EX>, ES | EX | SparseIoError, Scope.Scope> =>
  Effect.map(makeInstance(options), ({ service }) => service).pipe(Effect.withSpan("SparseIo.make"))

/**
 * A remote object read through a local store: the tag of the one a program works with, and the way to make any
 * number.
 *
 * ```ts
 * const source = yield* ByteSource.fromHttp("https://example.org/archive.zip")
 * const store = yield* ExtentFile.open("/var/cache/archive.zip")
 * const archive = yield* SparseIo.make({ source, store })
 * const read = yield* archive.read(0, new Uint8Array(4))
 * ```
 *
 * Sizes that make no sense are `InvalidArgument`; a source that can't tell its length is `SourceFailed`; a
 * store that was filled from another version of the object is `SourceChanged`, unless it is to be cleared. With the end
 * of the scope whatever is under way is interrupted, and whoever waits for it fails with `SourceFailed`; what the store has
 * stays readable for as long as the store is open. It does not close the store.
 */
export class SparseIo extends Context.Service<SparseIo, SparseIoService<SparseIoCause>>()("lacuna/SparseIo") {
  static readonly make = make

  /** One for a program, by `make`. */
  static readonly layer = (
    options: SparseIoOptions<SparseIoCause, SparseIoCause>
  ): Layer.Layer<SparseIo, SparseIoCause | SparseIoError> => Layer.effect(SparseIo, make(options))
}
