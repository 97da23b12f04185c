/**
 * An Io whose every call is told of before it is made, so that a test can make it fail or wait.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { attempt } from "../../src/io/attempt.ts"
import type { IoFile, IoService } from "../../src/io/Io.ts"

export interface Watch {
  /** Called before every call; what it throws, a tagged error, the call fails with. */
  readonly before: (operation: string, path: string) => void
  /** Waited for before every call that is an Effect. */
  readonly pause?: Effect.Effect<void>
}

export const watchedIo = (io: IoService, watch: Watch): IoService => {
  const watched = <A, E, R>(operation: string, path: string, call: Effect.Effect<A, E, R>) =>
    Effect.flatMap(
      Effect.andThen(
        watch.pause ?? Effect.void,
        attempt<void, E>(() => watch.before(operation, path))
      ),
      () => call
    )
  const file = (inner: IoFile): IoFile => {
    const { path, unsafe } = inner
    const now =
      <Args extends Array<unknown>, A>(operation: string, call: (...args: Args) => A) =>
      (...args: Args): A => {
        watch.before(operation, path)
        return call(...args)
      }
    return {
      path,
      readonly: inner.readonly,
      readAt: (offset, buffer) => watched("readAt", path, inner.readAt(offset, buffer)),
      readSomeAt: (offset, buffer) => watched("readSomeAt", path, inner.readSomeAt(offset, buffer)),
      writeAt: (offset, bytes) => watched("writeAt", path, inner.writeAt(offset, bytes)),
      size: watched("size", path, inner.size),
      truncate: (size) => watched("truncate", path, inner.truncate(size)),
      sync: watched("sync", path, inner.sync),
      punchHole: (offset, length) => watched("punchHole", path, inner.punchHole(offset, length)),
      map: (offset, length) => watched("map", path, inner.map(offset, length)),
      close: inner.close,
      unsafe: {
        readAt: now("readAt", unsafe.readAt),
        readSomeAt: now("readSomeAt", unsafe.readSomeAt),
        writeAt: now("writeAt", unsafe.writeAt),
        size: now("size", unsafe.size),
        truncate: now("truncate", unsafe.truncate),
        sync: now("sync", unsafe.sync),
        punchHole: now("punchHole", unsafe.punchHole)
      }
    }
  }
  const opened = <E>(call: Effect.Effect<IoFile, E, Scope.Scope>) => Effect.map(call, file)
  return {
    create: (path, options) => watched("create", path, opened(io.create(path, options))),
    open: (path, options) => watched("open", path, opened(io.open(path, options))),
    sizeOf: (path) => watched("sizeOf", path, io.sizeOf(path)),
    classify: (path) => watched("classify", path, io.classify(path)),
    list: (directory) => watched("list", directory, io.list(directory)),
    makeDirectory: (path) => watched("makeDirectory", path, io.makeDirectory(path)),
    rename: (from, to) => watched("rename", from, io.rename(from, to)),
    remove: (path) => watched("remove", path, io.remove(path)),
    syncDirectory: (path) => watched("syncDirectory", path, io.syncDirectory(path)),
    lock: (path) => watched("lock", path, io.lock(path))
  }
}
