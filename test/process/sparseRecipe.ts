/**
 * Sparse files that are known by two numbers: what is in them follows from these, whoever makes or judges them.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Random, seedOf } from "../../src/testing/random.ts"
import { recordBytes, recordHeaderBytes, type RecordId } from "./records.ts"

export interface KeptRecord {
  readonly record: RecordId
  readonly offset: number
}

export const sparseName = (round: number, index: number): string => `sparse-${round}-${index}`

/** Ascending, and none touches another. */
export const sparseRecords = (round: number, index: number): ReadonlyArray<KeptRecord> => {
  const random = new Random(seedOf(round, index))
  const most = random.oneOf([200, 4000, 60_000])
  let offset = 0
  return Array.from({ length: random.between(1, 12) }, (_, counter) => {
    offset += random.between(1, 1 << 20)
    const record = { round, counter, length: random.between(recordHeaderBytes, most), doomed: false }
    const kept = { record, offset }
    offset += record.length
    return kept
  })
}

/** Makes the file, to its end: where this succeeds it is acknowledged. */
export const makeSparseFile = (directory: string, round: number, index: number) =>
  Effect.gen(function* () {
    const writer = yield* SparseFile.create(join(directory, sparseName(round, index)))
    for (const { offset, record } of sparseRecords(round, index)) {
      yield* writer.mapAdd(offset, writer.currentOffset(), record.length)
      yield* writer.appendBytes(recordBytes(record))
    }
    yield* writer.close
  }).pipe(Effect.scoped)
