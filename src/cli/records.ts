/**
 * Bytes in pieces of any size, records out.
 *
 * A record is a whole input, or a line of it without its line feed; the last line may lack one. A
 * carriage return belongs to the line.
 *
 * Only the unfinished record is held. One that is longer than a chunk of a store is given in parts,
 * so that memory has a bound whatever comes: appended one after the other, they lie as if whole.
 */
import { defaultChunkSize } from "../store/storeService.ts"

const lineFeed = 0x0a

export interface RecordPart {
  readonly bytes: Uint8Array
  /** Whether the record ends with it. */
  readonly last: boolean
}

export interface RecordSplitter {
  /** What of records the next piece has completed; they may be views of the piece. */
  readonly push: (piece: Uint8Array) => ReadonlyArray<RecordPart>
  /** The last record, where one is unfinished. */
  readonly end: () => ReadonlyArray<RecordPart>
}

export const recordSplitter = (options: {
  /** Whether every line is a record, or all is one. */
  readonly lines: boolean
  /** The length of a part. Default: that of a store's chunk. */
  readonly partBytes?: number
}): RecordSplitter => {
  const { lines, partBytes = defaultChunkSize } = options
  let held: Array<Uint8Array> = []
  let heldBytes = 0
  let unfinished = !lines // an input of no bytes is a record of none, and no line

  /** What is held, and `bytes` behind it, as one. */
  const join = (bytes: Uint8Array): Uint8Array => {
    if (held.length === 0) return bytes
    const whole = Buffer.concat([...held, bytes])
    held = []
    heldBytes = 0
    return whole
  }

  const push = (piece: Uint8Array): ReadonlyArray<RecordPart> => {
    const parts: Array<RecordPart> = []
    let start = 0
    for (let end = lines ? piece.indexOf(lineFeed) : -1; end !== -1; end = piece.indexOf(lineFeed, start)) {
      parts.push({ bytes: join(piece.subarray(start, end)), last: true })
      start = end + 1
      unfinished = false
    }
    if (start < piece.length) {
      const rest = piece.subarray(start)
      unfinished = true
      if (heldBytes + rest.length >= partBytes) parts.push({ bytes: join(rest), last: false })
      else {
        held.push(rest)
        heldBytes += rest.length
      }
    }
    return parts
  }

  return {
    push,
    end: () => (unfinished ? [{ bytes: join(new Uint8Array(0)), last: true }] : [])
  }
}
