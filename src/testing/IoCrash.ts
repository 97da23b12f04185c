/**
 * Io on a disk that may lose power.
 *
 * To the program that runs on it, it is a file system in memory, empty but for `/`. Beside that it
 * writes down what was done, from which `exploreCrashes` makes every disk that a power cut could leave
 * (crashMedium.ts says what the model is):
 *
 * - unsynced writes survive in any subset, torn at sectors of 512 bytes;
 * - a file's length and its bytes survive independently;
 * - what happened to a name (create, rename, unlink) is durable once its directory was synced, and
 *   until then survives or not, whatever else does;
 * - a sync is honest.
 *
 * ```ts
 * const disk = IoCrash.make()
 * yield* program.pipe(Effect.provideService(Io, disk.io))
 * const medium = new CrashMedium(disk)
 * for (const event of disk.log) medium.advance(event)
 * const lost = medium.image(new Uint8Array(medium.pending.length)) // nothing that was not synced
 * yield* recovery.pipe(Effect.provideService(Io, IoCrash.make(lost).io))
 * ```
 */
import * as Layer from "effect/Layer"
import { Io } from "../io/Io.ts"
import { CrashDisk } from "./crashDisk.ts"
import type { CrashImage } from "./crashImage.ts"

export const IoCrash: {
  /** A fresh and empty disk for each build of the layer. */
  readonly layer: Layer.Layer<Io>
  /** A disk whose log can be looked at; `image`: what is on it, all of it durable. */
  readonly make: <Note = never>(image?: CrashImage) => CrashDisk<Note>
} = {
  layer: Layer.sync(Io, () => Io.of(new CrashDisk().io)),
  make: (image) => new CrashDisk(image)
}
