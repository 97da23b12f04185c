/**
 * The stores that commands are given, opened.
 *
 * A directory that is none is an easy mistake, so it gets a sentence of its own.
 */
import { basename } from "node:path"
import * as Effect from "effect/Effect"
import { Store } from "../store/Store.ts"
import { NotAStore } from "./errors.ts"
import { mustBeDirectory } from "./filePlaces.ts"

/** The file that makes a directory a store. */
export const controlName = "store.control"

/** Opens the store in `directory`: to change it, or read-only, beside whoever does. */
export const openStore = (directory: string, options: { readonly readonly: boolean }) =>
  Effect.andThen(mustBeDirectory(directory), Store.open({ directory, readonly: options.readonly })).pipe(
    Effect.catchTag("NoSuchFile", (error) =>
      Effect.fail(basename(error.path) === controlName ? new NotAStore({ path: directory }) : error)
    )
  )
