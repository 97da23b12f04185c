/**
 * Checks of the places that a command is given, before long work begins.
 *
 * They make mistakes cheap and messages clear. That nothing existing is overwritten does not rest
 * on them: what creates the files refuses by itself.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import { FileExists, type IoFailed } from "../bytes/errors.ts"
import { Io } from "../io/Io.ts"
import { SameFile } from "./errors.ts"

/** Fails with `FileExists` where something is at one of `paths`. */
export const mustBeFree = Effect.fnUntraced(function* (...paths: ReadonlyArray<string>) {
  const io = yield* Io
  for (const path of paths) {
    if ((yield* io.classify(path)) !== "none") yield* new FileExists({ path })
  }
}) satisfies (...paths: ReadonlyArray<string>) => Effect.Effect<void, FileExists | IoFailed, Io>

/** Fails with `SameFile` where `path` names the very file that `other` does, by whatever way. */
export const mustDiffer = (options: {
  readonly path: string
  readonly other: string
  readonly roles: string
}): Effect.Effect<void, SameFile> =>
  Effect.suspend(() => {
    const { other, path, roles } = options
    const a = fs.statSync(path, { throwIfNoEntry: false, bigint: true })
    const b = fs.statSync(other, { throwIfNoEntry: false, bigint: true })
    const same = a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino
    return same ? Effect.fail(new SameFile({ path, roles })) : Effect.void
  })
