/**
 * Small files that are written once: all at once, and durable before anybody speaks of them.
 */
import * as Effect from "effect/Effect"
import type { CreateError, IoService } from "../io/Io.ts"

/**
 * Makes a file of these bytes at `path`, in place of one that may be there. The file is durable then,
 * its name is not: to sync the directory, once for all names, is the caller's.
 */
export const writeNewFile = (
  io: IoService,
  path: string,
  bytes: Uint8Array
): Effect.Effect<void, CreateError> =>
  Effect.gen(function* () {
    const file = yield* io.create(path, { overwrite: true })
    yield* file.writeAt(0, bytes)
    // fsync of the file: all of it, before it is renamed or control speaks of it.
    yield* file.sync
    yield* file.close
  }).pipe(
    Effect.scoped,
    // The file is new, open for writing, and nobody else's: these would be bugs.
    Effect.catchTag(["Closed", "DoubleClose", "InvalidArgument", "Poisoned", "RoNotAllowed"], Effect.die)
  )
