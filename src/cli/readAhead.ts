/**
 * Reading a file mostly forwards, in pieces the caller chooses, with few system calls.
 *
 * What is read ahead doubles while requests follow one another, up to 1 MiB, and starts small after
 * every leap, so that far-apart extents do not drag in what lies between them.
 */
import type { Binding } from "../bytes/extent.ts"
import type { IoFile } from "../io/Io.ts"

const smallestBytes = 1 << 14
const largestBytes = 1 << 20

export interface ReadAhead {
  /**
   * The `length` (at most 1 MiB) bytes at `offset`, fewer only at the end of the file. They are
   * good until the next call. Throws what `IoFile.unsafe.readSomeAt` throws.
   */
  readonly read: (offset: number, length: number) => Uint8Array
}

export const readAhead = (file: IoFile): ReadAhead => {
  const buffer = new Uint8Array(largestBytes)
  let start = 0
  let size = 0
  let window = smallestBytes
  return {
    read: (offset, length) => {
      if (offset < start || offset + length > start + size) {
        const follows = offset >= start && offset <= start + size + window
        window = follows ? Math.min(largestBytes, 2 * window) : smallestBytes
        size = file.unsafe.readSomeAt(offset, buffer.subarray(0, Math.max(length, window)))
        start = offset
      }
      return buffer.subarray(offset - start, Math.min(size, offset - start + length))
    }
  }
}

const pieceBytes = 1 << 18

/** The bindings that hold bytes, cut into pieces that `read` can give. */
export function* piecesOf(bindings: Iterable<Binding>): Generator<Binding, void> {
  for (const { length, physical, virtual } of bindings) {
    for (let at = 0; at < length; at += pieceBytes) {
      yield { virtual: virtual + at, physical: physical + at, length: Math.min(pieceBytes, length - at) }
    }
  }
}
