/**
 * Store: one directory that behaves like one huge append-only file with a garbage collector.
 *
 * A store is one sparse file, the prefix, which holds what the last collection kept, and behind it
 * chunks of bytes as they were appended, the suffix. Its control file says which files these are and
 * how much of them counts. A commit makes data durable, then control; a collection makes a new
 * prefix durable, then control, and only then removes what the new generation does not need.
 *
 * There is one writer, which holds a lock, and any number of readers in other processes, which hold
 * nothing but open files.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type Closed, InvalidArgument } from "../bytes/errors.ts"
import { checkOffset, type VirtualOffset } from "../bytes/offset.ts"
import type { RunRange } from "../bytes/readBuffer.ts"
import { defaultAutoFlushThreshold } from "../file/appendOnlyFileService.ts"
import { attempt } from "../io/attempt.ts"
import { Io, type IoService } from "../io/Io.ts"
import { backUp } from "./storeBackup.ts"
import { checkStore } from "./storeCheck.ts"
import { storePaths } from "./storePaths.ts"
import { StoreReading } from "./storeReading.ts"
import { openForWriting } from "./storeRecovery.ts"
import { makeReader } from "./storeReader.ts"
import { openForReading } from "./storeRefreshing.ts"
import {
  defaultChunkSize,
  type StoreChecked,
  type StoreOpenError,
  type StoreOptions,
  type StoreRecovery,
  type StoreScanError,
  type StoreScanOptions,
  type StoreService
} from "./storeService.ts"
import { StoreState } from "./storeState.ts"
import { storeStats } from "./storeStats.ts"
import { makeWriter } from "./storeWriter.ts"

export type * from "./storeService.ts"

export class Store extends Context.Service<Store, StoreService>()("lacuna/Store") {
  /**
   * Opens the store in a directory. The writer's lock is taken (`Locked`, by whom where that can be
   * known), what an interrupted commit or collection has left is removed, and what is found there is
   * told by `stats().recovery`. `NoSuchFile` when there is no store, unless one is to be created;
   * `Corrupt` when control is damaged, or names files that are missing or too short: never an empty
   * store, never an older state of which files are gone.
   *
   * When the scope ends the store is closed. Nothing is committed then; what was not is logged.
   */
  static readonly open = Effect.fn("Store.open")(function* (
    options: StoreOptions
  ): Effect.fn.Return<StoreService, StoreOpenError, Io | Scope.Scope> {
    const io = yield* Io
    yield* attempt<void, InvalidArgument>(() => checkOptions(options))
    // A scope of its own, so that close can release everything before the caller's ends.
    const scope = yield* Scope.fork(yield* Scope.Scope)
    // All files are in one of their own within it, which ends when everybody is done with them.
    const files = yield* Scope.fork(scope)
    const open = options.readonly === true ? openReader : openWriter
    return yield* open({ io, options, scope, files }).pipe(
      Scope.provide(files),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  }, Effect.uninterruptible)

  /**
   * Checks the store in a directory as `check` does, also one that is too damaged to be opened. It
   * takes no lock and changes nothing. `NoSuchFile` when there is no store.
   */
  static readonly check = (
    directory: string,
    options?: StoreScanOptions
  ): Effect.Effect<StoreChecked, StoreScanError, Io> =>
    Effect.flatMap(Io, (io) => checkStore(io, storePaths(directory), options))

  /** One store for a program, by `open`. */
  static readonly layer = (options: StoreOptions): Layer.Layer<Store, StoreOpenError, Io> =>
    Layer.effect(Store, Store.open(options))
}

const checkOptions = (options: StoreOptions): void => {
  const refuse = (reason: string) => new InvalidArgument({ operation: "Store.open", reason })
  const { autoFlushThreshold, chunkSize, create, directory, readonly } = options
  if (directory === "") throw refuse("the directory has no name")
  if (chunkSize !== undefined) checkOffset("Store.open", "chunkSize", chunkSize)
  if (chunkSize === 0) throw refuse("chunkSize must be at least 1")
  if (autoFlushThreshold !== undefined) checkOffset("Store.open", "autoFlushThreshold", autoFlushThreshold)
  if (readonly === true && create === true) throw refuse("a store can't be created read-only")
}

interface Opening {
  readonly io: IoService
  readonly options: StoreOptions
  /** Ends with the store. */
  readonly scope: Scope.Closeable
  /** Holds the store's files open. */
  readonly files: Scope.Scope
}

const openReader = ({ files: filesScope, io, options, scope }: Opening) =>
  Effect.gen(function* () {
    const paths = storePaths(options.directory)
    const verifyReads = options.verifyReads ?? false
    const { files, record } = yield* openForReading({ io, paths, verifyReads })
    files.settle()
    const { chunks, prefix } = files
    const state = new StoreState({
      ...{ autoFlushThreshold: 0, readonly: true },
      ...{ chunks, paths, prefix, record, verifyReads }
    })
    yield* state.fix(0)
    const reading = new StoreReading(state)
    const reader = yield* makeReader({ files: filesScope, io, scope, state })
    return Store.of({
      ...common({ io, reading, recovery: undefined, state }),
      ...reader.operations,
      unsafe: { ...reader.unsafe, readInto: (offset, buffer) => reading.readNow(offset, buffer) }
    })
  })

const openWriter = ({ files: filesScope, io, options, scope }: Opening) =>
  Effect.gen(function* () {
    const paths = storePaths(options.directory)
    const { create = false, verifyReads = false } = options
    const { control, files, recovery } = yield* openForWriting({ io, paths, create, verifyReads })
    files.settle()
    const { chunks, prefix } = files
    const { autoFlushThreshold = defaultAutoFlushThreshold, chunkSize = defaultChunkSize } = options
    const state = new StoreState({
      ...{ autoFlushThreshold, readonly: false },
      ...{ chunks, paths, prefix, record: control.record, verifyReads }
    })
    yield* state.fix(0)
    const reading = new StoreReading(state)
    const writer = yield* makeWriter({
      ...{ autoFlushThreshold, chunkSize },
      ...{ control, files: filesScope, io, reading, scope, state }
    })
    return Store.of({
      ...common({ io, reading, recovery, state }),
      ...writer.operations,
      unsafe: { ...writer.unsafe, readInto: (offset, buffer) => reading.readNow(offset, buffer) }
    })
  })

interface InstanceOptions {
  readonly io: IoService
  readonly state: StoreState
  readonly reading: StoreReading
  readonly recovery: StoreRecovery | undefined
}

/** What readers and writers do alike. */
const common = ({ io, reading, recovery, state }: InstanceOptions) => ({
  directory: state.directory,
  readonly: state.readonly,
  end: () => state.end,
  committedEnd: () => state.committedEnd,
  read: (offset: VirtualOffset, length: number) => reading.read(offset, length),
  readInto: (offset: VirtualOffset, buffer: Uint8Array) => reading.readInto(offset, buffer),
  readMany: (offsets: ArrayLike<VirtualOffset>, lengths: ArrayLike<number>) =>
    reading.readMany(offsets, lengths),
  readRange: (offset: VirtualOffset, range: RunRange) => reading.readRange(offset, range),
  nextValidOffset: (offset: VirtualOffset) => reading.nextValidOffset(offset),
  extents: () => reading.extents(),
  stats: () => storeStats(state, recovery),
  check: (options?: StoreScanOptions) =>
    Effect.andThen(
      attempt<void, Closed>(() => state.checkOpen("check")),
      checkStore(io, state.paths, options)
    ),
  backup: (directory: string, options?: StoreScanOptions) => backUp(io, state, directory, options)
})
