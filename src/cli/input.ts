/**
 * A file, a pipe or standard input, read forwards in pieces.
 *
 * Not through Io: an input may well be a pipe, which Io, made for regular files, refuses.
 */
import fs from "node:fs"
import { Socket } from "node:net"
import type { Readable } from "node:stream"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { IoFailed, NoSuchFile, NotAFile } from "../bytes/errors.ts"

const pieceBytes = 1 << 18

export type InputError = IoFailed | NoSuchFile | NotAFile

export interface Input {
  /** What messages call it. */
  readonly name: string
  /** The next bytes, which nobody else will write to; undefined at the end. */
  readonly next: Effect.Effect<Uint8Array | undefined, InputError>
}

/** Opens the input at `path`, where `-` is standard input. Waiting for bytes is interruptible. */
export const openInput = (path: string): Effect.Effect<Input, InputError, Scope.Scope> => {
  const name = path === "-" ? "standard input" : path
  const failed = (cause: unknown): InputError => fromSystem(name, cause)
  return Effect.acquireRelease(Effect.tryPromise({ try: () => open(path), catch: failed }), (stream) =>
    Effect.sync(() => void stream.destroy())
  ).pipe(
    Effect.map((stream) => {
      const pieces = stream[Symbol.asyncIterator]()
      const next = Effect.tryPromise({
        try: async () => {
          const piece = await pieces.next()
          return piece.done === true ? undefined : (piece.value as Uint8Array)
        },
        catch: failed
      })
      return { name, next }
    })
  )
}

const open = async (path: string): Promise<Readable> => {
  if (path === "-") return process.stdin
  if (!fs.statSync(path).isFIFO()) return fs.createReadStream(path, { highWaterMark: pieceBytes })
  // As a socket, since a file's read would wait for the writer where no interrupt reaches it.
  return new Socket({ fd: await promisify(fs.open)(path, "r"), readable: true, writable: false })
}

const fromSystem = (path: string, cause: unknown): InputError => {
  const { code = "UNKNOWN", syscall = "read" } = cause as NodeJS.ErrnoException
  if (code === "ENOENT" || code === "ENOTDIR") return new NoSuchFile({ path })
  return code === "EISDIR" ? new NotAFile({ path }) : new IoFailed({ syscall, path, code, cause })
}
