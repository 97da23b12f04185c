/**
 * ExtentFile: pieces of a large object, kept in a sparse file under the offsets that they have in it.
 *
 * After the Writer of the prototype sparseio, whose operations it has, with what its implementation got wrong put
 * right. Two files make it: the data at `path`, with holes where nothing is kept, and `<path>.extents`, the
 * record of what is kept, with checksums (FORMAT.md). It is a cache that survives:
 *
 * - What was flushed is there after a power cut. What was not is there if its bytes can be proved, and forgotten if
 *   not: it is never served wrong, and nothing else is thrown away for it.
 * - The bytes are those that were written last, and each one stays for as long as an extent holds it.
 * - What nobody holds is a hole, and gives back its disk.
 *
 * It syncs on `flush` and `close`, and where durable bytes are about to be destroyed. It deliberately does
 * not know where the bytes come from, and keeps no more of the object than its pin.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Io } from "../io/Io.ts"
import type { ExtentFileOpenError, ExtentFileService } from "./extentFileService.ts"
import { makeInstance } from "./extentInstance.ts"
import { openState } from "./extentOpening.ts"
import { reportExtents } from "./extentReporting.ts"

export type * from "./extentFileService.ts"
export type { ExtentReportError } from "./extentReporting.ts"

const open = (path: string): Effect.Effect<ExtentFileService, ExtentFileOpenError, Io | Scope.Scope> =>
  Effect.gen(function* () {
    const io = yield* Io
    // A scope of its own, which `close` can end early and a failure ends at once.
    const own = yield* Scope.fork(yield* Effect.scope)
    return yield* openState(io, path, own).pipe(
      Effect.flatMap(makeInstance),
      Scope.provide(own),
      Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
    )
  }).pipe(Effect.withSpan("ExtentFile.open", { attributes: { path } }))

/**
 * An extent file: the tag of the one a program works with, and the way to open any number.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const file = yield* ExtentFile.open("object")
 *   yield* file.createExtent(1_000_000, bytes)
 *   yield* file.flush
 *   return yield* file.readExtent(1_000_000)
 * })
 * ```
 *
 * At the end of its scope a file is flushed and closed; a failure of that is logged as an error, since there
 * is no channel for it. `close` is the checked way.
 */
export class ExtentFile extends Context.Service<ExtentFile, ExtentFileService>()("lacuna/ExtentFile") {
  /**
   * Opens the extent file at `path`, which is created where nothing is there, and takes its lock: one that
   * another has is `Locked`. A file without a record that holds anything is `Incomplete`, and isn't touched.
   * A record that no crash can have left as it is is `Corrupt`.
   */
  static readonly open = open

  /** One file for a program, by `open`. */
  static readonly layer = (path: string): Layer.Layer<ExtentFile, ExtentFileOpenError, Io> =>
    Layer.effect(ExtentFile, open(path))

  /**
   * What a file has, without opening it for writing: no lock is taken, a writer may be at work, and nothing is
   * changed. Data without a record is `Incomplete`.
   */
  static readonly report = reportExtents
}
