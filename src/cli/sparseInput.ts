/**
 * The sparse files that commands are given, opened and verified.
 *
 * An ordinary file is an easy mistake here (the source in the place of what was made of it), so it
 * gets a sentence of its own.
 */
import * as Effect from "effect/Effect"
import type { Incomplete } from "../bytes/errors.ts"
import { SparseFile } from "../file/SparseFile.ts"
import type { SparseVerifyOptions } from "../file/sparseVerify.ts"
import { NotSparse } from "./errors.ts"

const explained =
  (path: string) =>
  (error: Incomplete): Effect.Effect<never, Incomplete | NotSparse> =>
    Effect.fail(error.missing === `${path}.map` ? new NotSparse({ path, missing: error.missing }) : error)

export const openSparse = (path: string) =>
  SparseFile.open(path).pipe(Effect.catchTag("Incomplete", explained(path)))

export const verifyChecksums = (path: string, options: SparseVerifyOptions) =>
  SparseFile.verify(path, options).pipe(Effect.catchTag("Incomplete", explained(path)))
