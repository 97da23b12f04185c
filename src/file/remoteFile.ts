/**
 * A file that lies elsewhere and is read by ranges: what a `ByteSource` is, and a `SparseIo`.
 *
 * What it says of itself is not believed: a read that ends before its length does is a failure, and so is
 * a count that can't be.
 */
import * as Effect from "effect/Effect"
import { SourceFailed } from "../bytes/errors.ts"
import { isOffset } from "../bytes/offset.ts"

export interface RemoteFile<out E> {
  /** The length in bytes. */
  readonly length: Effect.Effect<number, E>
  /** Fills `buffer` from `offset` as far as the file goes, and gives the number of bytes. */
  readonly readAt: (offset: number, buffer: Uint8Array) => Effect.Effect<number, E>
  /** How errors call it. */
  readonly name?: string | undefined
}

/** The length of a file, which is one. */
export const remoteLength = <E>(file: RemoteFile<E>, name: string): Effect.Effect<number, E | SourceFailed> =>
  Effect.flatMap(file.length, (length) =>
    isOffset(length)
      ? Effect.succeed(length)
      : Effect.fail(
          new SourceFailed({ source: name, offset: 0, reason: `it claims a length of ${length} bytes` })
        )
  )

export interface RemoteRead {
  readonly name: string
  readonly offset: number
  readonly buffer: Uint8Array
}

/** Fills `buffer` from `offset`, by as many reads as it takes. */
export const readRemote = <E>(
  file: RemoteFile<E>,
  { buffer, name, offset }: RemoteRead
): Effect.Effect<void, E | SourceFailed> => {
  const from = (done: number): Effect.Effect<void, E | SourceFailed> =>
    Effect.flatMap(file.readAt(offset + done, buffer.subarray(done)), (count) => {
      if (count === buffer.length - done) return Effect.void
      if (count > 0 && count < buffer.length - done && Number.isInteger(count)) return from(done + count)
      const reason =
        count === 0
          ? `it ends here, and ${buffer.length - done} bytes more were to come`
          : `it claims to have read ${count} bytes into a buffer of ${buffer.length - done}`
      return Effect.fail(new SourceFailed({ source: name, offset: offset + done, reason }))
    })
  return buffer.length === 0 ? Effect.void : from(0)
}

const firstPieceBytes = 1 << 20

/**
 * `length` bytes from `offset`, whose number somebody claims: memory for them is asked for as they come, never
 * for more than as many again.
 */
export const readRemoteGrowing = <E>(
  file: RemoteFile<E>,
  { length, name, offset }: { readonly name: string; readonly offset: number; readonly length: number }
): Effect.Effect<Uint8Array<ArrayBuffer>, E | SourceFailed> =>
  Effect.gen(function* () {
    let bytes = new Uint8Array(Math.min(length, firstPieceBytes))
    for (let done = 0; ;) {
      yield* readRemote(file, { name, offset: offset + done, buffer: bytes.subarray(done) })
      done = bytes.length
      if (done === length) return bytes
      const grown = roomFor(Math.min(length, 2 * done))
      if (grown === undefined) {
        const reason = `${length} bytes from here on are more than fit into memory`
        return yield* new SourceFailed({ source: name, offset, reason })
      }
      grown.set(bytes)
      bytes = grown
    }
  })

const roomFor = (length: number): Uint8Array<ArrayBuffer> | undefined => {
  try {
    return new Uint8Array(length)
  } catch {
    return undefined
  }
}
