/**
 * Standard output: results, and nothing else.
 *
 * A reader that goes away early (`lacuna read … | head`) is not a failure to report: it ends the
 * command with `OutputClosed`.
 */
import * as Effect from "effect/Effect"
import { IoFailed } from "../bytes/errors.ts"
import { OutputClosed } from "./errors.ts"

export type OutputError = OutputClosed | IoFailed

/** Writes `chunk`; resumes once the system has taken it, so that a slow reader is not outrun. */
export const write = (chunk: Uint8Array | string): Effect.Effect<void, OutputError> =>
  Effect.callback((resume) => {
    process.stdout.write(chunk, (error) => resume(error ? Effect.fail(fromStream(error)) : Effect.void))
  })

/** Writes `lines`, each with its end. */
export const print = (...lines: ReadonlyArray<string>): Effect.Effect<void, OutputError> =>
  write(lines.map((line) => `${line}\n`).join(""))

/** Writes one JSON object, on lines of its own. */
export const printJson = (value: object): Effect.Effect<void, OutputError> =>
  print(JSON.stringify(value, undefined, 2))

const fromStream = (cause: NodeJS.ErrnoException): OutputError => {
  const { code = "UNKNOWN", syscall = "write" } = cause
  // A socket as standard output says ECONNRESET where a pipe says EPIPE.
  if (code === "EPIPE" || code === "ECONNRESET") return new OutputClosed()
  return new IoFailed({ syscall, path: "standard output", code, cause })
}
