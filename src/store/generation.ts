/**
 * From one generation to the next: what a collection makes of a control record, and what the files
 * that a record names take on disk.
 */
import type { VirtualOffset } from "../bytes/offset.ts"
import { blockCount, blockSumsHeaderBytes, blockSumsTableBytes } from "../format/blockSums.ts"
import { controlChunks, controlFileBytes, type ControlRecord } from "../format/controlRecord.ts"
import { offmapLayout } from "../format/offmapImage.ts"

/** What the next generation keeps of everything before `upTo`. */
export interface NewPrefix {
  readonly upTo: VirtualOffset
  readonly dataBytes: number
  readonly mapBytes: number
}

/** How many of the first chunks end at or before `upTo` and are sealed: nothing needs them any more. */
const chunksBefore = (record: ControlRecord, upTo: VirtualOffset): number =>
  controlChunks(record).filter(({ length, offset, sealed }) => sealed && offset + length <= upTo).length

/** The record with its active chunk sealed, if it has committed bytes. */
export const sealedRecord = (record: ControlRecord): ControlRecord => {
  const lengths = record.chunkLengths
  const open = lengths.length > 0 && lengths[lengths.length - 1] > 0
  return open ? { ...record, chunkLengths: [...lengths, 0] } : record
}

/** The record of the next generation. */
export const nextGeneration = (record: ControlRecord, prefix: NewPrefix): ControlRecord => {
  const { chunkLengths, firstChunk, firstChunkOffset } = record
  const dropped = chunksBefore(record, prefix.upTo)
  const droppedBytes = chunkLengths.slice(0, dropped).reduce((sum, length) => sum + length, 0)
  return {
    sequence: record.sequence + 1,
    generation: record.generation + 1,
    suffixStart: prefix.upTo,
    prefixDataBytes: prefix.dataBytes,
    prefixMapBytes: prefix.mapBytes,
    firstChunk: firstChunk + dropped,
    firstChunkOffset: firstChunkOffset + droppedBytes,
    chunkLengths: chunkLengths.slice(dropped)
  }
}

/** The committed bytes of all files that a record names, and of control. */
export const diskBytes = (record: ControlRecord): number =>
  controlChunks(record).reduce(
    (sum, { length, sealed }) => sum + length + (sealed ? sumsBytes(length) : 0),
    controlFileBytes + record.prefixDataBytes + record.prefixMapBytes
  )

/** About what the map of a new prefix takes: dense cells, and a small index. */
export const estimatedMapBytes = (extents: number, dataBytes: number): number => {
  const cells = Math.ceil(extents / 8)
  return offmapLayout({ cells, segments: Math.min(cells, 1), buckets: 1 }).imageBytes + sumsBytes(dataBytes)
}

const sumsBytes = (length: number): number => blockSumsHeaderBytes + blockSumsTableBytes(blockCount(length))
