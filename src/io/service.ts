/**
 * The verbs of `Io` over a platform's raw calls: which tag each failure gets, and with which path.
 */
import * as Effect from "effect/Effect"
import type { LockError } from "./Io.ts"
import type { CreateError, IoFile, IoService, OpenError, RenameError } from "./Io.ts"
import { openFile } from "./openFile.ts"
import type { Done, RawFile, RawSystem } from "./raw.ts"
import { codeOf, ioFailed, pathFailed } from "./systemErrors.ts"

const openTags = ["NoSuchFile", "NotADirectory", "NotAFile"] as const
const createTags = ["FileExists", "NoSpace", "NoSuchFile", "NotADirectory", "NotAFile"] as const
const lockTags = ["NoSpace", "NoSuchFile", "NotADirectory", "NotAFile"] as const
const directoryTags = ["NoSuchFile", "NotADirectory"] as const
const makeDirectoryTags = ["FileExists", "NoSpace", "NoSuchFile", "NotADirectory"] as const
const renameTags = ["NoSpace", "NoSuchFile", "NotADirectory", "NotAFile"] as const

/** How often a name may be taken again between its removal and its creation. */
const maxCreateAttempts = 8

/** A raw call, its failure translated. */
const call = <A, E>(body: () => A, failed: (cause: unknown) => E): Effect.Effect<A, E> =>
  Effect.try({ try: body, catch: failed })

/** A raw call on the thread pool that completes once begun. */
const callLater = <E>(start: (done: Done) => void, failed: (cause: unknown) => E): Effect.Effect<void, E> =>
  Effect.uninterruptible(
    Effect.callback<void, E>((resume) => {
      const done: Done = (failure) => resume(failure === null ? Effect.void : Effect.fail(failed(failure)))
      try {
        start(done)
      } catch (cause) {
        done(cause, 0)
      }
    })
  )

/** The raw calls of a platform as the service. */
export const makeIo = (system: RawSystem): IoService => {
  const scoped = <E>(acquire: Effect.Effect<RawFile, E>, path: string, readonly: boolean) =>
    Effect.acquireRelease(
      Effect.map(acquire, (raw) => openFile(raw, path, readonly)),
      (opened) => opened.closeAtScopeEnd
    ).pipe(Effect.map((opened): IoFile => opened.file))

  const remove = (path: string) =>
    callLater(
      (done) => system.removeLater(path, done),
      (cause) => pathFailed(cause, { path, syscall: "unlink", tags: openTags })
    )

  const createNew = (path: string) =>
    call(
      () => system.createNew(path),
      (cause) => pathFailed(cause, { path, syscall: "open", tags: createTags })
    )

  /** Truncating in place instead would kill whoever has the old file mapped. */
  const createAnew = (path: string, attempts = maxCreateAttempts): Effect.Effect<RawFile, CreateError> =>
    Effect.catchTag(createNew(path), "FileExists", (taken) =>
      attempts === 0
        ? Effect.fail(taken)
        : remove(path).pipe(
            Effect.catchTag("NoSuchFile", () => Effect.void), // somebody else was faster
            Effect.andThen(createAnew(path, attempts - 1))
          )
    )

  /** Which of the two paths a failed rename is about: the system doesn't say. */
  const renameFailed = (cause: unknown, from: string, to: string): RenameError => {
    const code = codeOf(cause)
    let path = to
    if (code === "ENOENT" || code === "ENOTDIR") {
      try {
        if (system.classify(from) === "none") path = from
      } catch {
        path = from
      }
    }
    return pathFailed(cause, { path, syscall: "rename", tags: renameTags })
  }

  const lockFailed = (cause: unknown, path: string): LockError => {
    if (cause instanceof Error && "_tag" in cause) return cause as LockError
    return pathFailed(cause, { path, syscall: "lock", tags: lockTags })
  }

  return {
    create: Effect.fn("Io.create")((path, options) =>
      scoped(options.overwrite ? createAnew(path) : createNew(path), path, false)
    ),
    open: Effect.fn("Io.open")((path, options) =>
      scoped(
        call<RawFile, OpenError>(
          () => system.openExisting(path, options.readonly),
          (cause) => pathFailed(cause, { path, syscall: "open", tags: openTags })
        ),
        path,
        options.readonly
      )
    ),
    sizeOf: (path) =>
      call(
        () => system.sizeOf(path),
        (cause) => pathFailed(cause, { path, syscall: "stat", tags: openTags })
      ),
    classify: (path) =>
      call(
        () => system.classify(path),
        (cause) => ioFailed(cause, path, "lstat")
      ),
    list: (directory) =>
      call(
        () => system.list(directory),
        (cause) => pathFailed(cause, { path: directory, syscall: "readdir", tags: directoryTags })
      ),
    makeDirectory: (path) =>
      call(
        () => system.makeDirectory(path),
        (cause) => pathFailed(cause, { path, syscall: "mkdir", tags: makeDirectoryTags })
      ),
    rename: (from, to) =>
      call(
        () => system.rename(from, to),
        (cause) => renameFailed(cause, from, to)
      ),
    remove,
    syncDirectory: (path) =>
      callLater(
        (done) => system.syncDirectoryLater(path, done),
        (cause) => pathFailed(cause, { path, syscall: "fsync", tags: directoryTags })
      ),
    lock: Effect.fn("Io.lock")((path) =>
      Effect.acquireRelease(
        call(
          () => system.lock(path),
          (cause) => lockFailed(cause, path)
        ),
        (release) =>
          Effect.catch(
            call(release, (cause) => ioFailed(cause, path, "close")),
            (error) => Effect.logError(`the lock of ${path} was not released properly`, error)
          )
      ).pipe(Effect.asVoid)
    )
  }
}
