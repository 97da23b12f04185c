/**
 * The `.sum` file of a sealed chunk: a CRC-32 for every 64 KiB of it.
 *
 * It is one section of block sums (format/blockSums.ts), for the chunk's committed length. It is
 * computed from what the system gives when the chunk is sealed, so it finds what is damaged later.
 */
import * as Effect from "effect/Effect"
import { crc32 } from "../bytes/crc32.ts"
import { type Closed, Corrupt, type IoFailed } from "../bytes/errors.ts"
import { readBlockSumsHeader, readBlockSumsTable } from "../file/blockSumsReading.ts"
import { forEachPiece } from "../file/filePieces.ts"
import { blockCount, blockSumsBlockBytes, encodeBlockSums } from "../format/blockSums.ts"
import type { CreateError, IoFile, IoService, OpenError } from "../io/Io.ts"
import { writeNewFile } from "./newFile.ts"

export type ChunkSumError = Closed | Corrupt | IoFailed

/**
 * The sums of the first `length` bytes of a file, which nobody changes meanwhile. `Corrupt`, at its
 * end, when the file is shorter.
 */
export const sumChunk = (file: IoFile, length: number): Effect.Effect<Uint32Array, ChunkSumError> =>
  Effect.gen(function* () {
    const size = yield* file.size
    if (size < length) return yield* endsEarly(file.path, size, length)
    const sums = new Uint32Array(blockCount(length))
    yield* forEachPiece(file, { length, sums: undefined }, (piece, at) =>
      Effect.sync(() => {
        for (let i = 0; i < piece.length; i += blockSumsBlockBytes) {
          sums[(at + i) / blockSumsBlockBytes] = crc32(piece.subarray(i, i + blockSumsBlockBytes))
        }
      })
    )
    return sums
  })

const endsEarly = (path: string, end: number, length: number): Corrupt =>
  new Corrupt({ path, offset: end, reason: `the file ends here, and ${length} bytes were committed` })

/**
 * Writes the sums of a chunk of `length` bytes to a new file at `path`, in place of one that may be
 * there. The file is durable then, its name is not: to sync the directory, once for all names, is
 * the caller's.
 */
export const writeSums = (
  io: IoService,
  path: string,
  length: number,
  sums: Uint32Array
): Effect.Effect<void, CreateError> => writeNewFile(io, path, encodeBlockSums(length, sums))

/**
 * The sums in the file at `path`, of a chunk of `length` bytes. All of the file is checked: `Corrupt`
 * when it is damaged, or for a chunk of another length.
 */
export const readSums = (
  io: IoService,
  path: string,
  length: number
): Effect.Effect<Uint32Array, Corrupt | OpenError> =>
  Effect.gen(function* () {
    const file = yield* io.open(path, { readonly: true })
    const header = yield* readBlockSumsHeader(file, 0, yield* file.size)
    if (header.dataLength !== length) {
      const reason = `the sums are those of ${header.dataLength} bytes, and the chunk has ${length}`
      return yield* new Corrupt({ path, offset: 16, reason })
    }
    return yield* readBlockSumsTable(file, 0, header)
  }).pipe(
    Effect.scoped,
    Effect.catchTag("ReadOutOfBounds", ({ end }) =>
      Effect.fail(new Corrupt({ path, offset: end, reason: "the file ends too early" }))
    ),
    Effect.catchTag(["Closed", "InvalidArgument"], Effect.die)
  )
