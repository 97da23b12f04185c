/**
 * The data of a finished sparse file, read at physical offsets.
 *
 * From memory mappings where they are to be had, else by reads, with the same results. A mapping
 * covers at most 1 GiB, since Node 20 aborts on a view above 4 GiB. What is given out is always a
 * copy. With the sums at hand every 64 KiB block is verified when it is touched for the first time.
 *
 * Everything is synchronous and throws.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { crc32 } from "../bytes/crc32.ts"
import { Corrupt, ReadOutOfBounds } from "../bytes/errors.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import type { IoFile } from "../io/Io.ts"

const windowBytes = 2 ** 30

export interface SparseDataOptions {
  readonly file: IoFile
  /** The length of the data, to which the file's size has been compared. */
  readonly length: number
  /** The sums of all blocks, to verify what is read; undefined to trust it. */
  readonly sums: Uint32Array | undefined
  /** Mappings of `windowBytes` each that cover all of the data; undefined to read. */
  readonly windows: ReadonlyArray<Uint8Array> | undefined
}

/** Maps all of the data, or gives undefined where that can't be done. */
export const mapSparseData = (
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

export class SparseData {
  readonly file: IoFile
  readonly length: number
  private readonly windows: ReadonlyArray<Uint8Array> | undefined
  private readonly sums: Uint32Array | undefined
  private readonly verified: Uint8Array

  constructor(options: SparseDataOptions) {
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
    const bytes = new Uint8Array(Math.min(blockSumsBlockBytes, this.length - at))
    this.readInto(at, bytes)
    if (crc32(bytes) !== sum) throw blockDamaged(this.file.path, block)
    this.verified[block] = 1
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
