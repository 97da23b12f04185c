/**
 * Reading a section of block sums: nothing of it is believed before its checksum matched, and no
 * memory is asked for before the file is known to hold so much.
 */
import * as Effect from "effect/Effect"
import { crc32 } from "../bytes/crc32.ts"
import { Corrupt } from "../bytes/errors.ts"
import {
  type BlockSumsHeader,
  blockSumsHeaderBytes,
  blockSumsTableBytes,
  decodeBlockSums,
  decodeBlockSumsHeader
} from "../format/blockSums.ts"
import { attempt } from "../io/attempt.ts"
import type { IoFile, ReadError } from "../io/Io.ts"

/** A file that sums are read from, wherever it lies; an `IoFile` is one. */
export interface SummedFile<E> {
  readonly path: string
  /** Fills `buffer` from `offset` as far as the file goes, and gives the number of bytes read. */
  readonly readSomeAt: (offset: number, buffer: Uint8Array) => Effect.Effect<number, E>
}

/** The header of the section that begins at `offset` and must end where the file does, checked. */
export const readBlockSumsHeader = <E>(
  file: SummedFile<E>,
  offset: number,
  fileSize: number
): Effect.Effect<BlockSumsHeader, E | Corrupt> =>
  Effect.gen(function* () {
    const bytes = new Uint8Array(blockSumsHeaderBytes)
    const count = yield* file.readSomeAt(offset, bytes)
    return yield* attempt<BlockSumsHeader, Corrupt>(() =>
      decodeBlockSumsHeader(bytes.subarray(0, count), { path: file.path, offset, fileSize })
    )
  })

/** Large enough to be read fast, small enough to cost nothing. */
const tablePieceBytes = 256 * 1024

/** Checks the table against its sum, in bounded memory: a terabyte of data has 64 MiB of sums. */
export const checkBlockSumsTable = (
  file: IoFile,
  offset: number,
  header: BlockSumsHeader
): Effect.Effect<void, ReadError | Corrupt> =>
  Effect.gen(function* () {
    const tableBytes = blockSumsTableBytes(header.blocks)
    const piece = new Uint8Array(Math.min(tablePieceBytes, tableBytes))
    let sum = 0
    for (let at = 0; at < tableBytes; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, tableBytes - at))
      yield* file.readAt(offset + blockSumsHeaderBytes + at, part)
      sum = crc32(part, sum)
    }
    if (sum !== header.tableSum) return yield* tableDamaged(file.path, offset)
  })

/** All sums, in memory: four bytes for every 64 KiB of data. The table is checked as it is read. */
export const readBlockSumsTable = (
  file: IoFile,
  offset: number,
  header: BlockSumsHeader
): Effect.Effect<Uint32Array, ReadError | Corrupt> =>
  Effect.gen(function* () {
    const table = new Uint8Array(blockSumsTableBytes(header.blocks))
    yield* file.readAt(offset + blockSumsHeaderBytes, table)
    return yield* attempt<Uint32Array, Corrupt>(() => checkedSums(table, header, { path: file.path, offset }))
  })

/** The sums in a table, if it is whole. Throws `Corrupt`. */
export const checkedSums = (
  table: Uint8Array,
  header: BlockSumsHeader,
  { offset, path }: { readonly path: string; readonly offset: number }
): Uint32Array => {
  if (crc32(table) !== header.tableSum) throw tableDamaged(path, offset)
  return decodeBlockSums(table, header.blocks)
}

const tableDamaged = (path: string, offset: number): Corrupt =>
  new Corrupt({
    path,
    offset: offset + blockSumsHeaderBytes,
    reason: "the checksum of the block sums is wrong"
  })
