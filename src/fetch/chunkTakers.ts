/**
 * What becomes of chunks that were waited for: copied where they are read to, kept as they are, or
 * only known to be in the store.
 */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import type { ArrivedChunk, ChunkKeeper } from "./chunkArrival.ts"
import type { ChunkTaker } from "./chunkFlights.ts"
import type { ChunkGrid } from "./chunkGrid.ts"

abstract class WaitingTaker<E> implements ChunkTaker<E> {
  readonly storedOnly: boolean = false
  readonly isAhead: boolean = false
  readonly result = Deferred.makeUnsafe<void, E>()

  abstract take(index: number, chunk: ArrivedChunk): void

  taken(): void {}

  finish(): void {
    Deferred.doneUnsafe(this.result, Exit.void)
  }

  fail(cause: Cause.Cause<E>): void {
    Deferred.doneUnsafe(this.result, Exit.failCause(cause))
  }
}

/** Copies to `buffer` what chunks have of the bytes from `offset` on. */
export class CopyingTaker<E> extends WaitingTaker<E> {
  private readonly grid: ChunkGrid
  private readonly offset: number
  private readonly buffer: Uint8Array

  constructor(grid: ChunkGrid, offset: number, buffer: Uint8Array) {
    super()
    this.grid = grid
    this.offset = offset
    this.buffer = buffer
  }

  override take(index: number, { bytes }: ArrivedChunk): void {
    const { buffer, grid, offset } = this
    const start = grid.startOf(index)
    const from = Math.max(start, offset)
    const end = Math.min(start + bytes.length, offset + buffer.length)
    buffer.set(bytes.subarray(from - start, end - start), from - offset)
  }
}

/** Keeps one chunk. */
export class KeepingTaker<E> extends WaitingTaker<E> {
  bytes: Uint8Array | undefined
  private readonly keeper: ChunkKeeper

  constructor(keeper: ChunkKeeper) {
    super()
    this.keeper = keeper
  }

  override take(_index: number, chunk: ArrivedChunk): void {
    this.bytes = chunk.keep(this.keeper)
  }
}

/** Wants chunks to be in the store. */
export class StoringTaker<E> extends WaitingTaker<E> {
  override readonly storedOnly = true
  override readonly isAhead = true

  override take(): void {}
}
