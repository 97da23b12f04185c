/**
 * Memory for what is about to be read.
 *
 * Lengths come from callers, who may have them from a file: much memory is asked for only when so many
 * bytes are known to be there.
 */
import { InvalidArgument, ReadOutOfBounds } from "./errors.ts"
import { checkOffset, checkRange } from "./offset.ts"

/** More bytes than this are asked for only when they are there. */
const trustedBytes = 1 << 20

/** Memory for bytes that are known to be there, or are few. Throws `InvalidArgument` when there is none. */
export const readBuffer = (operation: string, length: number): Uint8Array<ArrayBuffer> => {
  try {
    return new Uint8Array(length)
  } catch {
    const reason = `${length} bytes are more than one array can hold here: read them in pieces`
    throw new InvalidArgument({ operation, reason })
  }
}

export interface ReadRanges {
  readonly operation: string
  readonly offsets: ArrayLike<number>
  readonly lengths: ArrayLike<number>
}

export interface ReadBatch extends ReadRanges {
  /** Throws unless all of a range can be read. */
  readonly checkReadable: (offset: number, length: number) => void
}

/** Throws `InvalidArgument` unless a batch is of ranges. Gives the bytes of all of them. */
export const checkBatch = ({ lengths, offsets, operation }: ReadRanges): number => {
  if (offsets.length !== lengths.length) {
    const reason = `${offsets.length} offsets and ${lengths.length} lengths don't match`
    throw new InvalidArgument({ operation, reason })
  }
  let total = 0
  for (let i = 0; i < offsets.length; i++) {
    checkRange(operation, offsets[i], lengths[i])
    total += lengths[i]
  }
  return total
}

/** Room for the results of a batch, all in one piece of memory. Throws what `checkReadable` does. */
export const readBuffers = (batch: ReadBatch): Array<Uint8Array> => {
  const { checkReadable, lengths, offsets, operation } = batch
  const total = checkBatch(batch)
  if (total > trustedBytes) {
    for (let i = 0; i < offsets.length; i++) checkReadable(offsets[i], lengths[i])
  }
  const bytes = readBuffer(operation, total)
  let at = 0
  return Array.from({ length: lengths.length }, (_, i) => bytes.subarray(at, (at += lengths[i])))
}

/** How much of a run is asked for. */
export interface RunRange {
  /** Fewer bytes than this in the run are `ReadOutOfBounds`. */
  readonly minLength: number
  /** At most so many are read. */
  readonly maxLength: number
}

export interface RunRead extends RunRange {
  readonly path: string
  readonly offset: number
  /** Where the run of `offset` ends, or `offset + atMost` when it goes further. Throws where nothing is readable. */
  readonly runEnd: (offset: number, atMost: number) => number
}

/** Room for what `readRange` gives. */
export const runBuffer = ({ maxLength, minLength, offset, path, runEnd }: RunRead): Uint8Array => {
  const operation = "readRange"
  checkOffset(operation, "offset", offset)
  checkOffset(operation, "minLength", minLength)
  checkOffset(operation, "maxLength", maxLength)
  if (minLength > maxLength) {
    const reason = `minLength ${minLength} is above maxLength ${maxLength}`
    throw new InvalidArgument({ operation, reason })
  }
  if (maxLength === 0) return new Uint8Array(0)
  const end = runEnd(offset, maxLength)
  if (end - offset < minLength) throw new ReadOutOfBounds({ path, offset, length: minLength, end })
  return readBuffer(operation, end - offset)
}
