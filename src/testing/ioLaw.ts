/**
 * What every law about Io begins with: the service, built anew, and an empty directory of its own.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Io, type IoFile, type IoService } from "../io/Io.ts"
import { type Law, LawBroken } from "./law.ts"

/** What a stranger tells about an Io, for the laws that not every platform can be put to. */
export interface IoSuiteOptions {
  /**
   * A directory that exists. Each law makes one in it and leaves it there. Default: `/lacuna-laws`, which
   * is made where it is missing: right for what is in memory, and not for a real disk.
   */
  readonly directory?: string | undefined
  /**
   * What `map` promises: views that turn into zeros at the end of their scope, views that keep their
   * bytes for a while after it, or `Unsupported` always. Default: any of these will do, as long as it is
   * always the same one.
   */
  readonly mapping?: "zeroed" | "kept" | "unsupported" | undefined
  /** False where `punchHole` is `Unsupported`. Default: true. */
  readonly holes?: boolean | undefined
  /** False where `lock` does nothing or is `Unsupported`; the laws about it are left out. Default: true. */
  readonly locks?: boolean | undefined
  /** Makes the next sync of the file at `path` fail. Without it, the laws about failing syncs are left out. */
  readonly failNextSync?: ((path: string) => void) | undefined
  /** Makes a symbolic link. Without it, the laws about links are left out. */
  readonly makeLink?: ((target: string, path: string) => void) | undefined
  /** Makes a FIFO, or whatever else is neither file nor directory. Without it, those laws are left out. */
  readonly makeOther?: ((path: string) => void) | undefined
}

/** What a law is given to break. */
export interface IoLawContext {
  readonly io: IoService
  /** An empty directory. */
  readonly directory: string
}

/** A law under construction: it awaits the layer. */
export interface IoLaw {
  readonly name: string
  readonly body: (context: IoLawContext) => Effect.Effect<void, unknown, Scope.Scope>
}

export const ioLaw = (
  name: string,
  body: (context: IoLawContext) => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void>
): IoLaw => ({ name, body: (context) => Effect.gen(() => body(context)) })

const defaultDirectory = "/lacuna-laws"

/** The directory that was given, or the default one. */
const parentOf = Effect.fnUntraced(function* (io: IoService, directory: string | undefined) {
  if (directory !== undefined) return directory
  if ((yield* io.classify(defaultDirectory)) === "none") {
    yield* Effect.mapError(
      io.makeDirectory(defaultDirectory),
      (error) =>
        new LawBroken(`${defaultDirectory} can't be made: ${error.message}. Give the suite a \`directory\`.`)
    )
  }
  return defaultDirectory
})

const emptyDirectory = Effect.fnUntraced(function* (io: IoService, parent: string) {
  const base = parent.endsWith("/") ? parent : `${parent}/`
  for (let number = 0; ; number++) {
    const path = `${base}law-${number}`
    if ((yield* io.classify(path)) !== "none") continue
    yield* io.makeDirectory(path)
    return path
  }
})

/** Gives a law its service and its directory. */
export const withIo = (law: IoLaw, layer: Layer.Layer<Io, unknown>, directory: string | undefined): Law => ({
  name: law.name,
  run: () =>
    Effect.gen(function* () {
      const io = yield* Io
      const parent = yield* parentOf(io, directory)
      yield* law.body({ io, directory: yield* emptyDirectory(io, parent) })
    }).pipe(Effect.scoped, Effect.provide(layer), Effect.runPromise)
})

/** `length` bytes that differ from place to place, and never are 0. */
export const pattern = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = 1 + ((state >>> 16) % 255)
  }
  return bytes
}

/** A new file that holds `bytes`, still open. */
export const fileOf = Effect.fnUntraced(function* (io: IoService, path: string, bytes: Uint8Array) {
  const file = yield* io.create(path, { overwrite: false })
  yield* file.writeAt(0, bytes)
  return file
})

/** A fresh array with `length` bytes of `file` from `offset` on. */
export const bytesAt = (file: IoFile, offset: number, length: number) =>
  Effect.suspend(() => {
    const buffer = new Uint8Array(length)
    return Effect.as(file.readAt(offset, buffer), buffer)
  })

/** All bytes of `file`. */
export const contentOf = (file: IoFile) => Effect.flatMap(file.size, (size) => bytesAt(file, 0, size))
