/**
 * Bytes in memory as a `ByteSource`.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Stream from "effect/Stream"
import { crc32 } from "../bytes/crc32.ts"
import type { InvalidArgument } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { checkOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { ByteSource } from "./ByteSource.ts"
import { checkObjectRange } from "./objectRange.ts"

/** What a stream gives at a time, in bytes. */
const pieceBytes = 1 << 20

/** A source that is at hand at once; as an Effect it gives itself, as the other sources are given. */
export interface BytesSource extends ByteSource<InvalidArgument>, Effect.Effect<ByteSource<InvalidArgument>> {
  readonly length: Effect.Effect<number>
  readonly identity: Effect.Effect<string>
  readonly isVersioned: Effect.Effect<boolean>
  readonly stream: (offset: number, length: number) => Stream.Stream<Uint8Array, InvalidArgument>
  readonly name: string
}

class Bytes extends Effectable.Class<ByteSource<InvalidArgument>> implements BytesSource {
  readonly name: string
  readonly length: Effect.Effect<number>
  readonly identity: Effect.Effect<string>
  readonly isVersioned: Effect.Effect<boolean> = Effect.succeed(true)
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array, name: string) {
    super()
    this.bytes = bytes
    this.name = name
    this.length = Effect.succeed(bytes.length)
    let identity: string | undefined
    this.identity = Effect.sync(
      () => (identity ??= `crc32 ${crc32(bytes).toString(16).padStart(8, "0")}, length ${bytes.length}`)
    )
  }

  override asEffect(): Effect.Effect<ByteSource<InvalidArgument>> {
    return Effect.succeed(this)
  }

  readonly readAt = (offset: number, buffer: Uint8Array): Effect.Effect<number, InvalidArgument> =>
    attempt(() => {
      checkOffset("readAt", "offset", offset)
      const found = this.bytes.subarray(offset, offset + buffer.length)
      buffer.set(found)
      return found.length
    })

  readonly stream = (offset: number, length: number): Stream.Stream<Uint8Array, InvalidArgument> => {
    const pieces = attempt<Iterable<Uint8Array>, InvalidArgument>(() => {
      checkObjectRange({ offset, length }, this.bytes.length)
      return this.pieces({ offset, length })
    })
    return Stream.unwrap(Effect.map(pieces, (found) => Stream.fromIterable(found, { chunkSize: 1 })))
  }

  /** Copies: who takes a piece may do with it what they like. */
  private *pieces({ length, offset }: Extent): Generator<Uint8Array> {
    const end = offset + length
    for (let at = offset; at < end; at += pieceBytes) {
      // Not by slice, which shares memory where the bytes are a Buffer.
      yield new Uint8Array(this.bytes.subarray(at, Math.min(at + pieceBytes, end)))
    }
  }
}

/** The source that `ByteSource.fromBytes` gives. */
export const makeBytesSource = (bytes: Uint8Array, name: string): BytesSource => new Bytes(bytes, name)
