/**
 * The data of a sparse file while it is written: one growing file, with a CRC-32 for every block.
 *
 * Bytes gather in a buffer and leave it a megabyte at a time, so that the file sees few large writes
 * and every block is summed while it is still in the processor's cache. There are two buffers: one
 * is written on the thread pool while the other fills. Behind what is filled there is always room
 * for a run, so that bytes can be read straight to where they belong.
 *
 * One operation at a time; each waits for its own writes, so that it is the one that fails. After a
 * failure the file's content is unknown: whoever writes must give up the whole file.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { crc32 } from "../bytes/crc32.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import type { Closed, IoFailed, NoSpace, Poisoned } from "../bytes/errors.ts"
import type { IoFile } from "../io/Io.ts"
import { synchronousTransferBytes } from "../io/Io.ts"

export type SparseOutputError = Closed | IoFailed | NoSpace | Poisoned

/** What is written at once: the fewest blocks that go over the thread pool. */
export const outputWriteBytes = synchronousTransferBytes + blockSumsBlockBytes
/** The most that can be read behind the output at once. */
export const longestRunBytes = 256 * 1024

const newBuffer = (): Uint8Array<ArrayBuffer> => new Uint8Array(outputWriteBytes + longestRunBytes)

export class SparseOutput {
  private readonly file: IoFile
  /** The bytes from `written` on; `filled` of them count. */
  private buffer = newBuffer()
  private filled = 0
  private written = 0
  /** The other buffer, and the write that it may be under. */
  private spare = newBuffer()
  private writing: Fiber.Fiber<void, SparseOutputError> | undefined
  private sums = new Uint32Array(16)
  private sumCount = 0

  constructor(file: IoFile) {
    this.file = file
  }

  /** The physical offset of the next byte. */
  get end(): number {
    return this.written + this.filled
  }

  /** Whether the buffer must be drained before more is put into it. */
  get full(): boolean {
    return this.filled >= outputWriteBytes
  }

  /** Room for `length` bytes, at most `longestRunBytes`, behind the output; `take` makes them part of it. */
  tail(length: number): Uint8Array {
    return new Uint8Array(this.buffer.buffer, this.filled, length)
  }

  /** Moves `length` bytes of the tail from position `from` up to position `to`. */
  moveUp(to: number, from: number, length: number): void {
    if (to === from) return
    const { filled } = this
    this.buffer.copyWithin(filled + to, filled + from, filled + from + length)
  }

  /** Makes the first `length` bytes of the tail part of the output. */
  take(length: number): void {
    this.filled += length
  }

  /** Appends all of `bytes`. */
  append(bytes: Uint8Array): Effect.Effect<void, SparseOutputError> {
    return Effect.suspend(() => {
      if (this.filled + bytes.length >= outputWriteBytes) return Effect.scoped(this.appendPieces(bytes))
      this.buffer.set(bytes, this.filled)
      this.filled += bytes.length
      return Effect.void
    })
  }

  private appendPieces(bytes: Uint8Array): Effect.Effect<void, SparseOutputError, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      for (let at = 0; at < bytes.length; at += longestRunBytes) {
        const piece = bytes.subarray(at, at + longestRunBytes)
        this.buffer.set(piece, this.filled)
        this.filled += piece.length
        if (this.full) yield* this.drain
      }
      yield* this.settle
    })
  }

  /**
   * Begins to write a full buffer, once the other one is free, and goes on in that. An operation that
   * drains must settle at its end, or end its scope: that waits for the write.
   */
  readonly drain: Effect.Effect<void, SparseOutputError, Scope.Scope> = Effect.gen(
    { self: this },
    function* () {
      this.sum(outputWriteBytes)
      yield* this.settle
      const { buffer, filled, spare, written } = this
      this.writing = yield* Effect.forkScoped(this.write(written, buffer.subarray(0, outputWriteBytes)), {
        startImmediately: true
      })
      spare.set(buffer.subarray(outputWriteBytes, filled))
      this.buffer = spare
      this.spare = buffer
      this.filled = filled - outputWriteBytes
      this.written = written + outputWriteBytes
    }
  )

  /** Waits for the write that is under way, if one is. */
  readonly settle: Effect.Effect<void, SparseOutputError> = Effect.suspend(() => {
    if (this.writing === undefined) return Effect.void
    const { writing } = this
    this.writing = undefined
    return Fiber.join(writing)
  })

  /** Writes what is left and gives the sums of all blocks. Nothing can be appended afterwards. */
  readonly finish: Effect.Effect<Uint32Array, SparseOutputError> = Effect.gen({ self: this }, function* () {
    if (this.filled > 0) {
      this.sum(this.filled)
      yield* this.write(this.written, this.buffer.subarray(0, this.filled))
      this.written += this.filled
      this.filled = 0
    }
    return this.sums.slice(0, this.sumCount)
  })

  private write(at: number, bytes: Uint8Array): Effect.Effect<void, SparseOutputError> {
    return this.file.writeAt(at, bytes).pipe(
      // The file is ours, open for writing, and ends far below 2^53.
      Effect.catchTag(["InvalidArgument", "RoNotAllowed"], (impossible) => Effect.die(impossible))
    )
  }

  private sum(length: number): void {
    for (let at = 0; at < length; at += blockSumsBlockBytes) {
      this.pushSum(crc32(this.buffer.subarray(at, Math.min(length, at + blockSumsBlockBytes))))
    }
  }

  private pushSum(sum: number): void {
    if (this.sumCount === this.sums.length) {
      const grown = new Uint32Array(this.sums.length * 2)
      grown.set(this.sums)
      this.sums = grown
    }
    this.sums[this.sumCount++] = sum
  }
}
