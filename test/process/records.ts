/**
 * Records that say what they are, so that whatever is read back can be judged: a header, and content
 * that follows from it.
 */
import { Random } from "../../src/testing/random.ts"

export const recordHeaderBytes = 24
const magic = 0x4b4c4c52

export interface RecordId {
  /** Which kill. */
  readonly round: number
  /** Never twice in a round, whether committed or not. */
  readonly counter: number
  /** In bytes, header included. */
  readonly length: number
  /** Whether it was appended to be rolled back: then nobody may ever read it after a crash. */
  readonly doomed: boolean
}

export const recordBytes = ({ counter, doomed, length, round }: RecordId): Uint8Array => {
  const words = new Uint32Array(Math.ceil(length / 4))
  words.set([magic, round, counter, length, doomed ? 1 : 0, 0])
  const random = new Random(round * 1_000_003 + counter)
  let state = random.below(2 ** 32) | 1
  for (let i = recordHeaderBytes / 4; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}

/** What bytes say of themselves, in words: for the message of a test that failed. */
export const described = (bytes: Uint8Array): string => {
  if (bytes.length < recordHeaderBytes) return `${bytes.length} bytes`
  const words = new Uint32Array(bytes.slice(0, recordHeaderBytes).buffer)
  if (words[0] !== magic) return bytes.every((byte) => byte === 0) ? "zeros" : "no record"
  const doomed = words[4] === 1 ? ", to be rolled back" : ""
  return `record ${words[2]} of round ${words[1]}, ${words[3]} bytes${doomed}`
}
