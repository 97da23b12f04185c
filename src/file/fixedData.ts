/**
 * Bytes of a file that will not change any more: mapped where possible, verified on request.
 *
 * They are read from memory mappings where those are to be had, else from the file, with the same
 * results. A mapping covers at most 1 GiB, since Node 20 aborts on a view above 4 GiB. What is given
 * out is always a copy. With the sums at hand every 64 KiB block is verified when it is touched for
 * the first time. Ranges have at least one byte and lie within the
 * data: nobody checks them here.
 *
 * Everything is synchronous and throws.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { crc32 } from "../bytes/crc32.ts"
import { Corrupt, ReadOutOfBounds } from "../bytes/errors.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import type { IoFile } from "../io/Io.ts"

/** A multiple of the blocks that are summed: none of them lies in two windows. */
const windowBytes = 2 ** 30

export interface FixedDataOptions {
  readonly file: IoFile
  /** The length of the data, which begins the file; the file's size has been compared to it. */
  readonly length: number
  /** The sums of all blocks of the data, to verify what is read; undefined to trust it. */
  readonly sums: Uint32Array | undefined
  /** Mappings of `windowBytes` each that cover all of the data; undefined to read. */
  readonly windows: ReadonlyArray<Uint8Array> | undefined
}

/** Maps the first `length` bytes of a file, or gives undefined where that can't be done. */
export const mapFixedData = (
  file: IoFile,
  length: number
): Effect.Effect<ReadonlyArray<Uint8Array> | undefined, never, Scope.Scope> =>
  Effect.gen(function* () {
    const windows: Array<Uint8Array> = []
    for (let at = 0; at < length; at += windowBytes) {
      windows.push(yield* file.map(at, Math.min(windowBytes, length - at)))
    }
    return windows
    // Whatever keeps a mapping from being made, reading will work or say what is wrong.
  }).pipe(Effect.catch(() => Effect.succeed(undefined)))

export class FixedData {
  readonly file: IoFile
  readonly length: number
  private readonly windows: ReadonlyArray<Uint8Array> | undefined
  private readonly sums: Uint32Array | undefined
  private readonly verified: Uint8Array
  /** What blocks are read into where they can't be summed in place. Made when first needed. */
  private block: Uint8Array | undefined

  constructor(options: FixedDataOptions) {
    this.file = options.file
    this.length = options.length
    this.windows = options.windows
    this.sums = options.sums
    this.verified = new Uint8Array(options.sums === undefined ? 0 : options.sums.length)
  }

  /** Copies `length` bytes at `physical`, which lie within the data, to `at` in `buffer`. */
  copy(physical: number, buffer: Uint8Array, at: number, length: number): void {
    if (this.sums !== undefined) this.verify(physical, length)
    if (this.windows === undefined) {
      this.readInto(
        physical,
        at === 0 && length === buffer.length ? buffer : buffer.subarray(at, at + length)
      )
      return
    }
    const window = Math.floor(physical / windowBytes)
    const start = physical - window * windowBytes
    if (start + length <= windowBytes) {
      const mapped = this.windows[window]
      // Faster than subarray, which asks for the constructor of what it makes.
      buffer.set(new Uint8Array(mapped.buffer, mapped.byteOffset + start, length), at)
    } else {
      const here = windowBytes - start
      buffer.set(this.windows[window].subarray(start), at)
      this.copy(physical + here, buffer, at + here, length - here)
    }
  }

  /** Verifies the blocks that the range touches, if they haven't been. Throws `Corrupt`. */
  verify(physical: number, length: number): void {
    if (this.sums === undefined) return
    const last = Math.floor((physical + length - 1) / blockSumsBlockBytes)
    for (let block = Math.floor(physical / blockSumsBlockBytes); block <= last; block++) {
      if (this.verified[block] === 0) this.verifyBlock(block, this.sums[block])
    }
  }

  private verifyBlock(block: number, sum: number): void {
    const at = block * blockSumsBlockBytes
    const length = Math.min(blockSumsBlockBytes, this.length - at)
    if (crc32(this.blockBytes(at, length)) !== sum) throw blockDamaged(this.file.path, block)
    this.verified[block] = 1
  }

  /** The bytes of one block: where they are mapped, else read to where the next block will be. */
  private blockBytes(at: number, length: number): Uint8Array {
    if (this.windows !== undefined) {
      const mapped = this.windows[Math.floor(at / windowBytes)]
      return new Uint8Array(mapped.buffer, mapped.byteOffset + (at % windowBytes), length)
    }
    this.block ??= new Uint8Array(Math.min(blockSumsBlockBytes, this.length))
    const bytes = this.block.subarray(0, length)
    this.readInto(at, bytes)
    return bytes
  }

  private readInto(physical: number, buffer: Uint8Array): void {
    try {
      this.file.unsafe.readAt(physical, buffer)
    } catch (cause) {
      throw cause instanceof ReadOutOfBounds ? truncated(cause) : cause
    }
  }
}

/** The data file is shorter than it was when it was opened. */
export const truncated = (cause: ReadOutOfBounds): Corrupt =>
  new Corrupt({ path: cause.path, offset: cause.end, reason: "the file was truncated after it was opened" })

export const blockDamaged = (path: string, block: number): Corrupt =>
  new Corrupt({
    path,
    offset: block * blockSumsBlockBytes,
    reason: "the checksum of this block of 64 KiB is wrong"
  })
