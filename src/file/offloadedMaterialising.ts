/**
 * Writing an offloaded file out as a real one.
 *
 * Its size is set first, so that all of it is a hole, and what is not zero is written into that, a
 * window at a time. Blocks of zeros stay holes, wherever the zeros come from; those that are known to
 * be zeros without being looked at are passed over, however many they are.
 */
import * as Effect from "effect/Effect"
import { type Corrupt, InvalidArgument } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import { Io, type IoFile, type WriteError } from "../io/Io.ts"
import type { OffloadedBacking } from "./offloadedBacking.ts"
import type { OffloadedExtents } from "./offloadedExtents.ts"
import type { OffloadedMaterialiseError, OffloadedReadError } from "./offloadedFileService.ts"
import { readExtents } from "./offloadedReading.ts"
import { claimTemporaryFile } from "./temporaryFile.ts"

/** Holes are made of whole blocks of this size; file systems know no smaller ones. */
const blockBytes = 4096
/** What is read and written between two chances for other fibers to run. */
const windowBytes = 1 << 20

export interface OffloadedContentsOfFile {
  /** Which nobody changes. */
  readonly extents: OffloadedExtents
  readonly backing: OffloadedBacking
}

/** Makes the file at `path`. */
export const materialise = (
  contents: OffloadedContentsOfFile,
  path: string
): Effect.Effect<void, OffloadedMaterialiseError, Io> =>
  Effect.gen(function* () {
    if (contents.backing.file?.path === `${path}.tmp`) {
      const reason = "the backing lies where the new file would be made"
      return yield* new InvalidArgument({ operation: "materialise", reason })
    }
    const temporary = yield* claimTemporaryFile(yield* Io, path)
    // The whole size at once: a file system that can't have it says so before a byte is written.
    yield* temporary.file.truncate(contents.extents.length)
    yield* writeData(contents, temporary.file)
    yield* temporary.promote
  }).pipe(
    Effect.scoped,
    // The temporary file is open for writing.
    Effect.catchTag("RoNotAllowed", Effect.die)
  )

const writeData = (
  { backing, extents }: OffloadedContentsOfFile,
  file: IoFile
): Effect.Effect<void, Corrupt | OffloadedReadError | WriteError> => {
  const buffer = new Uint8Array(Math.min(windowBytes, extents.length))
  /** Writes what is not zero of the window at `offset`, and gives the end of the window. */
  const writeWindow = (offset: number): number => {
    const window = buffer.subarray(0, readExtents({ extents, backing, offset, buffer }))
    forEachRun(window, (start, end) => file.unsafe.writeAt(offset + start, window.subarray(start, end)))
    return offset + window.length
  }
  return Effect.gen(function* () {
    let at = extents.nextData(0)
    while (at < extents.length) {
      // Blocks are those of the file. What lies before in this one was not written: it is zeros.
      const start = at - (at % blockBytes)
      const end = yield* attempt<number, OffloadedReadError | WriteError>(() => writeWindow(start))
      at = extents.nextData(end)
      yield* Effect.yieldNow
    }
  })
}

/** Calls `write` for each run of blocks that are not all zeros. */
const forEachRun = (window: Uint8Array, write: (start: number, end: number) => void): void => {
  const words = new Int32Array(window.buffer, 0, window.length >>> 2)
  let start = -1
  for (let at = 0; at < window.length; at += blockBytes) {
    const end = Math.min(at + blockBytes, window.length)
    if (!isZero(words, window, at, end)) {
      if (start < 0) start = at
    } else if (start >= 0) {
      write(start, at)
      start = -1
    }
  }
  if (start >= 0) write(start, window.length)
}

/** Whether a block is all zeros; it begins at a multiple of four. */
const isZero = (words: Int32Array, bytes: Uint8Array, start: number, end: number): boolean => {
  for (let word = start >>> 2; word < end >>> 2; word++) if (words[word] !== 0) return false
  for (let at = end - (end % 4); at < end; at++) if (bytes[at] !== 0) return false
  return true
}
