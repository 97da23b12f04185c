/**
 * AppendOnlyFile: a file that only grows, with buffered appends and explicit durability.
 *
 * After irmin-pack's append-only file, whose operations it has name for name. Bytes go from `append`
 * to a buffer, by `flush` to the operating system, by `fsync` to the device: each step is asked for,
 * except that a full buffer is flushed by itself. Where the file ends is not the file's own
 * knowledge but its owner's (`endPoff`, as a control file records it): what lies beyond is ignored
 * and overwritten by later appends, never truncated, since a reader may have it mapped.
 *
 * A writer holds the lock of its file from before it opens it until it is closed. Readers take none:
 * they see what was flushed, up to the end that they were told.
 *
 * It deliberately keeps no record boundaries, no checksums and no end marker; whoever needs them
 * appends them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { InconsistentStore } from "../bytes/errors.ts"
import { checkOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import { Io, type IoFile, type IoService } from "../io/Io.ts"
import {
  type AppendOnlyCreateError,
  type AppendOnlyCreateOptions,
  type AppendOnlyExternalError,
  type AppendOnlyFileService,
  type AppendOnlyOpenRoError,
  type AppendOnlyOpenRoOptions,
  type AppendOnlyOpenRwError,
  type AppendOnlyOpenRwOptions,
  type AppendOnlyWriteOptions,
  defaultAutoFlushThreshold
} from "./appendOnlyFileService.ts"
import { makeReader, makeWriter } from "./appendOnlyInstance.ts"
import { checkBehindHeader } from "./appendOnlyReading.ts"

export type * from "./appendOnlyFileService.ts"

const checkPlace = (operation: string, { deadHeaderSize, endPoff }: AppendOnlyOpenRoOptions): void => {
  checkOffset(operation, "endPoff", endPoff)
  checkOffset(operation, "deadHeaderSize", deadHeaderSize)
  checkBehindHeader(operation, deadHeaderSize, endPoff)
}

const thresholdOf = (operation: string, options: AppendOnlyWriteOptions<unknown>): number => {
  const threshold = options.autoFlushThreshold ?? defaultAutoFlushThreshold
  checkOffset(operation, "autoFlushThreshold", threshold)
  return threshold
}

/** Acquires in a scope of its own, which `close` can end early and a failure ends at once. */
const inOwnScope = <A, E>(
  acquire: (own: Scope.Closeable) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (outer) =>
    Effect.flatMap(Scope.fork(outer), (own) =>
      acquire(own).pipe(
        Scope.provide(own),
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
      )
    )
  )

/** Compares the recorded end with the file's size. */
const checkSize = (
  file: IoFile,
  { deadHeaderSize, endPoff, path }: AppendOnlyOpenRoOptions
): Effect.Effect<void, AppendOnlyOpenRoError> =>
  Effect.flatMap(
    attempt<number, AppendOnlyOpenRoError>(() => file.unsafe.size() - deadHeaderSize),
    (size) => {
      if (size < endPoff) return Effect.fail(new InconsistentStore({ path, endPoff, size }))
      if (size === endPoff) return Effect.void
      return Effect.logWarning(
        `${path} has ${size - endPoff} bytes beyond its recorded end ${endPoff}: they are ignored`
      )
    }
  )

const createRw = <E = never>(
  options: AppendOnlyCreateOptions<E>
): Effect.Effect<AppendOnlyFileService<E>, AppendOnlyCreateError, Io | Scope.Scope> => {
  const { path, overwrite } = options
  const acquire = Effect.fnUntraced(function* (io: IoService, own: Scope.Closeable) {
    yield* attempt<number, AppendOnlyCreateError>(() => thresholdOf("createRw", options))
    const former = yield* Scope.fork(own)
    if (overwrite && (yield* io.classify(path)) === "file") {
      // A file is not taken from under its writer; and until the new one is locked nobody else may.
      yield* Scope.provide(io.lock(path), former)
    }
    const file = yield* io.create(path, { overwrite })
    // Where nothing can be locked, the new file must not stand in the way of a second attempt.
    const unmake = Effect.ignore(io.remove(path))
    yield* io.lock(path).pipe(Effect.tapErrorTag("Unsupported", () => unmake))
    yield* Scope.close(former, Exit.void)
    return yield* makeWriter<E>({ io, file, own, endPoff: 0, deadHeaderSize: 0 }, options)
  })
  return Effect.flatMap(Io, (io) => inOwnScope((own) => acquire(io, own))).pipe(
    Effect.withSpan("AppendOnlyFile.createRw", { attributes: { path } })
  )
}

const openRw = <E = never>(
  options: AppendOnlyOpenRwOptions<E>
): Effect.Effect<AppendOnlyFileService<E>, AppendOnlyOpenRwError, Io | Scope.Scope> => {
  const { deadHeaderSize, endPoff, path } = options
  const acquire = Effect.fnUntraced(function* (io: IoService, own: Scope.Closeable) {
    yield* attempt<number, AppendOnlyOpenRwError>(() => {
      checkPlace("openRw", options)
      return thresholdOf("openRw", options)
    })
    // Opened once to see that it exists, since the lock would create it; and again under the lock,
    // since a file that was replaced in between would be the wrong one.
    yield* Effect.scoped(io.open(path, { readonly: false }))
    yield* io.lock(path)
    const file = yield* io.open(path, { readonly: false })
    yield* checkSize(file, options)
    return yield* makeWriter<E>({ io, file, own, endPoff, deadHeaderSize }, options)
  })
  return Effect.flatMap(Io, (io) => inOwnScope((own) => acquire(io, own))).pipe(
    Effect.withSpan("AppendOnlyFile.openRw", { attributes: { path, endPoff } })
  )
}

const openRo = (
  options: AppendOnlyOpenRoOptions
): Effect.Effect<AppendOnlyFileService<never>, AppendOnlyOpenRoError, Io | Scope.Scope> => {
  const acquire = Effect.fnUntraced(function* (io: IoService, own: Scope.Closeable) {
    yield* attempt<void, AppendOnlyOpenRoError>(() => checkPlace("openRo", options))
    const file = yield* io.open(options.path, { readonly: true })
    yield* checkSize(file, options)
    return makeReader(file, own, options)
  })
  const { endPoff, path } = options
  return Effect.flatMap(Io, (io) => inOwnScope((own) => acquire(io, own))).pipe(
    Effect.withSpan("AppendOnlyFile.openRo", { attributes: { path, endPoff } })
  )
}

/**
 * An append-only file: the tag of the one a program works with, and the way to open any number.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const file = yield* AppendOnlyFile
 *   const offset = yield* file.append(bytes)
 *   yield* file.flush
 *   yield* file.fsync
 *   return yield* file.read(offset, bytes.length)
 * })
 * Effect.provide(program, AppendOnlyFile.layerCreateRw({ path: "log", overwrite: false }))
 * ```
 *
 * At the end of its scope a file is closed; what a writer has not flushed is flushed once, and a
 * failure of that is logged as an error, since there is no channel for it. `close` is the checked way.
 */
export class AppendOnlyFile extends Context.Service<AppendOnlyFile, AppendOnlyFileService>()(
  "lacuna/AppendOnlyFile"
) {
  /**
   * Creates an empty file, locks it and opens it for writing. What exists at the path is `FileExists`;
   * with `overwrite` a file is replaced by a new one, unless a writer has it (`Locked`).
   */
  static readonly createRw = createRw
  /**
   * Opens an existing file for writing, at `endPoff`, and locks it; a file that another writer has is
   * `Locked`. A shorter file is `InconsistentStore` (whose `size`, too, does not count the dead
   * header); the tail of a longer one is ignored, with a logged warning, and overwritten.
   */
  static readonly openRw = openRw
  /** Opens an existing file for reading, locked or not. As `openRw` with a size that is not `endPoff`. */
  static readonly openRo = openRo

  /** One file for a program, by `createRw`. */
  static readonly layerCreateRw = (
    options: AppendOnlyCreateOptions
  ): Layer.Layer<AppendOnlyFile, AppendOnlyCreateError, Io> =>
    Layer.effect(AppendOnlyFile, createRw<AppendOnlyExternalError>(options))

  /** One file for a program, by `openRw`. */
  static readonly layerRw = (
    options: AppendOnlyOpenRwOptions
  ): Layer.Layer<AppendOnlyFile, AppendOnlyOpenRwError, Io> =>
    Layer.effect(AppendOnlyFile, openRw<AppendOnlyExternalError>(options))

  /** One file for a program, by `openRo`. */
  static readonly layerRo = (
    options: AppendOnlyOpenRoOptions
  ): Layer.Layer<AppendOnlyFile, AppendOnlyOpenRoError, Io> => Layer.effect(AppendOnlyFile, openRo(options))
}
