/**
 * The stores that commands are given, opened.
 *
 * A directory that is none is an easy mistake, so it gets a sentence of its own.
 */
import { basename } from "node:path"
import * as Effect from "effect/Effect"
import { NoSuchFile } from "../bytes/errors.ts"
import { Store, type StoreScanOptions } from "../store/Store.ts"
import { NotAStore } from "./errors.ts"
import { mustBeDirectory } from "./filePlaces.ts"

/** The file that makes a directory a store. */
export const controlName = "store.control"

/** Opens the store in `directory`: to change it, or read-only, beside whoever does. */
export const openStore = (directory: string, options: { readonly readonly: boolean }) =>
  inStore(directory, Store.open({ directory, readonly: options.readonly }))

/** Checks the store in `directory`, be it ever so damaged. */
export const checkDirectory = (directory: string, options: StoreScanOptions) =>
  inStore(directory, Store.check(directory, options))

const inStore = <A, E, R>(directory: string, effect: Effect.Effect<A, E | NoSuchFile, R>) =>
  Effect.andThen(mustBeDirectory(directory), effect).pipe(
    Effect.mapError((error) => (isControlMissing(error) ? new NotAStore({ path: directory }) : error))
  )

const isControlMissing = (error: unknown): error is NoSuchFile =>
  error instanceof NoSuchFile && basename(error.path) === controlName
