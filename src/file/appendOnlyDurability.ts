/**
 * What is known of the device: which flushed bytes it holds, whether it holds the file's name, and
 * whether it has failed.
 *
 * Fsyncs run one at a time. The system reports a failure once, so that the second of two at once
 * would look successful; and one that waited may find that the first has done its work.
 *
 * A failed fsync ends it all: the system may have dropped the bytes that it could not write, and
 * would report success the next time.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { Poisoned } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import { directoryOf } from "../io/directoryOf.ts"
import type { IoService } from "../io/Io.ts"
import type { AppendOnlyFsyncError } from "./appendOnlyFileService.ts"
import type { AppendOnlyState } from "./appendOnlyReading.ts"

/** Whether anything has failed for good, and how many writes there were and are synced. */
export class Durability {
  poison: { readonly cause: unknown } | undefined
  /** What earlier writers flushed may not be synced either: the first fsync is never left out. */
  writes = 1
  syncedWrites = 0
  /** Nor may the name be, where whoever made the file was killed. */
  nameSynced = false
  private readonly path: string

  constructor(path: string) {
    this.path = path
  }
  check(): void {
    if (this.poison !== undefined) throw new Poisoned({ path: this.path, cause: this.poison.cause })
  }
}

/** The fsync of an open file, and the permit that whoever closes it must wait for. */
export const makeFsync = (
  state: AppendOnlyState,
  io: IoService,
  durability: Durability
): { readonly fsync: Effect.Effect<void, AppendOnlyFsyncError>; readonly syncing: Semaphore.Semaphore } => {
  const { file, path } = state
  const syncing = Semaphore.makeUnsafe(1)

  const failedForGood = (error: AppendOnlyFsyncError) =>
    Effect.sync(() => {
      if (error._tag !== "Closed") durability.poison ??= { cause: error }
    })

  // fsync of the directory: the name of a file that we made, or somebody who was killed, before the caller relies
  // on finding it.
  const syncName = Effect.suspend(() =>
    durability.nameSynced ? Effect.void : io.syncDirectory(directoryOf(path))
  )

  const fsyncNow = Effect.suspend((): Effect.Effect<void, AppendOnlyFsyncError> => {
    const { writes } = durability
    if (durability.nameSynced && durability.syncedWrites === writes) return Effect.void
    // fsync of the file: every byte flushed so far, before whatever the caller records about them.
    return file.sync.pipe(
      Effect.andThen(syncName),
      Effect.tapError(failedForGood),
      Effect.tap(() =>
        Effect.sync(() => {
          durability.syncedWrites = writes
          durability.nameSynced = true
        })
      )
    )
  })

  const check = attempt<void, AppendOnlyFsyncError>(() => {
    state.checkOpen("fsync")
    durability.check()
  })

  return {
    syncing,
    fsync: Effect.andThen(check, fsyncNow).pipe(Effect.uninterruptible, syncing.withPermit)
  }
}
