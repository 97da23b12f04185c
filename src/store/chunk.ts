/**
 * A chunk: one piece of the suffix, a file of bytes that were appended one after the other.
 *
 * All chunks but the last are sealed: nothing is appended to them any more. A chunk gets its file
 * when its first byte is flushed or when control is to list it, whichever comes first. How much of
 * the file counts is not the file's own knowledge but control's: what lies beyond is of no commit,
 * and is overwritten.
 *
 * Only committed bytes are mapped, since nobody changes them. A mapping of the active chunk is
 * replaced by a larger one when the chunk has doubled, so that all of them together cost no more
 * than the last; what it doesn't reach is read.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Corrupt, ReadOutOfBounds } from "../bytes/errors.ts"
import type { VirtualOffset } from "../bytes/offset.ts"
import { FixedData, mapFixedData } from "../file/fixedData.ts"
import type { IoFile } from "../io/Io.ts"

/** An active chunk is read rather than mapped while it is shorter than this. */
const leastMappedBytes = 1 << 20

/** The open file of a chunk. */
export interface ChunkFile {
  readonly file: IoFile
  /** Holds the file open. */
  readonly scope: Scope.Closeable
}

/** What of a chunk will not change any more. */
interface FixedPart {
  readonly data: FixedData
  readonly scope: Scope.Closeable
  readonly verified: boolean
}

export class Chunk {
  /** The virtual offset of its first byte. */
  readonly offset: VirtualOffset
  /** Bytes appended to it, flushed or not. */
  length: number
  /** Whether it was made or written to since its last fsync began. */
  dirty = false
  /** The checksums of its blocks, once it is sealed and a commit has written them. */
  sums: Uint32Array | undefined
  private opened: ChunkFile | undefined
  private fixed: FixedPart | undefined

  constructor(offset: VirtualOffset, length: number, opened?: ChunkFile) {
    this.offset = offset
    this.length = length
    this.opened = opened
  }

  /** The virtual offset behind its last byte. */
  get end(): VirtualOffset {
    return this.offset + this.length
  }

  get file(): IoFile | undefined {
    return this.opened?.file
  }

  /** Gives the chunk its file. */
  attach(opened: ChunkFile): void {
    this.opened = opened
  }

  /** Copies bytes that are in the file to position `at` of `buffer`. Throws. */
  copy(position: number, buffer: Uint8Array, at: number, length: number): void {
    const { fixed } = this
    if (fixed !== undefined && position + length <= fixed.data.length) {
      fixed.data.copy(position, buffer, at, length)
      return
    }
    const { file } = this.opened!
    try {
      file.unsafe.readAt(
        position,
        at === 0 && length === buffer.length ? buffer : buffer.subarray(at, at + length)
      )
    } catch (cause) {
      throw cause instanceof ReadOutOfBounds ? tooShort(cause) : cause
    }
  }

  /**
   * Sees to it that committed bytes are mapped where they can be: all of a sealed chunk (with
   * `verified`, each block is checked at its first touch), of the active one as much as pays.
   */
  fix(committed: number, options: { readonly sealed: boolean; readonly verified: boolean }) {
    return Effect.suspend(() => {
      const { file, fixed } = this
      if (file === undefined || committed === 0) return Effect.void
      const known = fixed?.data.length ?? 0
      const verified = options.sealed && options.verified
      const enough = options.sealed
        ? known === committed && fixed?.verified === verified
        : committed < Math.max(leastMappedBytes, known * 2)
      return enough ? Effect.void : this.replaceFixed(file, committed, verified)
    })
  }

  /**
   * Forgets all beyond `length`: of a chunk that no commit has sealed, so that checksums, if any, are
   * of no commit either. What is committed is never forgotten, and so no mapping is.
   */
  shorten(length: number): void {
    this.length = length
    this.sums = undefined
  }

  /** Closes the file, and unmaps it. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const { fixed, opened } = this
    this.fixed = undefined
    this.opened = undefined
    const unmap = fixed === undefined ? Effect.void : Scope.close(fixed.scope, Exit.void)
    return opened === undefined ? unmap : Effect.andThen(unmap, Scope.close(opened.scope, Exit.void))
  })

  private replaceFixed(file: IoFile, length: number, verified: boolean): Effect.Effect<void> {
    const sums = verified ? this.sums : undefined
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.fork(this.opened!.scope)
      const windows = yield* Scope.provide(mapFixedData(file, length), scope)
      const former = this.fixed
      this.fixed = { data: new FixedData({ file, length, sums, windows }), scope, verified }
      if (former !== undefined) yield* Scope.close(former.scope, Exit.void)
    }).pipe(Effect.uninterruptible)
  }
}

/** A chunk's file is shorter than control says. */
export const tooShort = (cause: ReadOutOfBounds): Corrupt =>
  new Corrupt({
    path: cause.path,
    offset: cause.end,
    reason: "the file ends within what was committed"
  })
