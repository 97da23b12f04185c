/**
 * Checks of the places that a command is given, before long work begins.
 *
 * They make mistakes cheap and messages clear. That nothing existing is overwritten does not rest
 * on them: what creates the files refuses by itself.
 */
import fs from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { FileExists, type IoFailed, NoSuchFile, NotADirectory } from "../bytes/errors.ts"
import { Io } from "../io/Io.ts"
import { SameFile } from "./errors.ts"

/**
 * Fails with `FileExists` where something is at one of `paths`, and names the directory where one of
 * them has none to be in.
 */
export const mustBeFree = Effect.fnUntraced(function* (...paths: ReadonlyArray<string>) {
  const io = yield* Io
  for (const path of paths) {
    if ((yield* io.classify(path)) !== "none") yield* new FileExists({ path })
    yield* mustBeDirectory(dirname(path))
  }
}) satisfies (...paths: ReadonlyArray<string>) => Effect.Effect<void, PlaceError, Io>

type PlaceError = FileExists | NoSuchFile | NotADirectory | IoFailed

/** Fails where `path` is no directory. What can't be asked is left to whoever uses it, to be told in full. */
export const mustBeDirectory = (path: string): Effect.Effect<void, NoSuchFile | NotADirectory> =>
  Effect.suspend((): Effect.Effect<void, NoSuchFile | NotADirectory> => {
    try {
      const stat = fs.statSync(path, { throwIfNoEntry: false })
      if (stat === undefined) return Effect.fail(new NoSuchFile({ path }))
      return stat.isDirectory() ? Effect.void : Effect.fail(new NotADirectory({ path }))
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      return code === "ENOTDIR" ? Effect.fail(new NotADirectory({ path })) : Effect.void
    }
  })

/** Whether a directory is at `path`, by whatever way. */
export const isDirectory = (path: string): Effect.Effect<boolean> =>
  Effect.map(Effect.option(mustBeDirectory(path)), Option.isSome)

/** Fails with `SameFile` where `path` names the very file that `other` does, by whatever way. */
export const mustDiffer = (options: {
  readonly path: string
  readonly other: string
  readonly roles: string
}): Effect.Effect<void, SameFile> =>
  Effect.suspend(() => {
    const { other, path, roles } = options
    const a = identityOf(path)
    const b = identityOf(other)
    const same = a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino
    return same ? Effect.fail(new SameFile({ path, roles })) : Effect.void
  })

/** What tells a file from all others; undefined where none can be reached, for whatever reason. */
const identityOf = (path: string): fs.BigIntStats | undefined => {
  try {
    return fs.statSync(path, { bigint: true })
  } catch {
    return undefined
  }
}
