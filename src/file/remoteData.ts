/**
 * The data of a sparse file that lies elsewhere, read at physical offsets.
 *
 * With the sums at hand whole blocks are fetched and verified, each time: what comes over a network is not
 * the same bytes as last time. Ranges lie within the data: nobody checks them here.
 */
import * as Effect from "effect/Effect"
import { crc32 } from "../bytes/crc32.ts"
import type { Corrupt, SourceFailed } from "../bytes/errors.ts"
import { blockSumsBlockBytes } from "../format/blockSums.ts"
import { blockDamaged } from "./fixedData.ts"
import { readRemote, type RemoteFile } from "./remoteFile.ts"

/** Blocks are fetched for verification so many bytes at a time. */
const pieceBytes = 16 * blockSumsBlockBytes

export interface RemoteDataOptions<E> {
  readonly file: RemoteFile<E>
  readonly name: string
  /** The length of the data in bytes. */
  readonly length: number
  /** The sums of all blocks, to verify what is read; undefined to trust it. */
  readonly sums: Uint32Array | undefined
}

export class RemoteData<E> {
  readonly name: string
  readonly length: number
  private readonly file: RemoteFile<E>
  private readonly sums: Uint32Array | undefined

  constructor({ file, length, name, sums }: RemoteDataOptions<E>) {
    this.file = file
    this.length = length
    this.name = name
    this.sums = sums
  }

  /** Fills `buffer` from `physical`. */
  read(physical: number, buffer: Uint8Array): Effect.Effect<void, E | Corrupt | SourceFailed> {
    const { sums } = this
    if (sums === undefined) return readRemote(this.file, { name: this.name, offset: physical, buffer })
    return this.readVerified(physical, buffer, sums)
  }

  private readVerified(physical: number, buffer: Uint8Array, sums: Uint32Array) {
    return Effect.gen({ self: this }, function* () {
      const end = physical + buffer.length
      for (let at = physical; at < end;) {
        const start = at - (at % blockSumsBlockBytes)
        const bytes = new Uint8Array(Math.min(pieceBytes, blockEnd(end, this.length) - start))
        yield* readRemote(this.file, { name: this.name, offset: start, buffer: bytes })
        const fault = this.damageOf(bytes, start / blockSumsBlockBytes, sums)
        if (fault !== undefined) return yield* fault
        const until = Math.min(end, start + bytes.length)
        buffer.set(bytes.subarray(at - start, until - start), at - physical)
        at = until
      }
    })
  }

  /** What is wrong with whole blocks, of which the first has this number, or undefined. */
  private damageOf(bytes: Uint8Array, first: number, sums: Uint32Array): Corrupt | undefined {
    for (let from = 0; from < bytes.length; from += blockSumsBlockBytes) {
      const block = first + from / blockSumsBlockBytes
      const sum = crc32(bytes.subarray(from, from + blockSumsBlockBytes))
      if (sum !== sums[block]) return blockDamaged(this.name, block)
    }
    return undefined
  }
}

/** Where the block ends that the byte before `end` lies in. */
const blockEnd = (end: number, length: number): number =>
  Math.min(length, Math.ceil(end / blockSumsBlockBytes) * blockSumsBlockBytes)
