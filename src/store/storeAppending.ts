/**
 * Appending to a store: copying records into memory, and deciding where a new chunk begins.
 *
 * An append is synchronous: it checks, copies and gives the offset. Before it does, it hands what
 * waits to the system if that is much; so an append that fails has appended nothing. A record never
 * spans two chunks; the bytes of two chunks may well wait together.
 */
import * as Effect from "effect/Effect"
import { InvalidArgument } from "../bytes/errors.ts"
import type { VirtualOffset } from "../bytes/offset.ts"
import { maxChunks } from "../format/controlRecord.ts"
import { attempt, thrown } from "../io/attempt.ts"
import type { StoreFlushing } from "./storeFlushing.ts"
import type { StoreAppendError } from "./storeService.ts"
import type { StoreState } from "./storeState.ts"

/** Every so many chunks, the size from which on a chunk is followed by another doubles. */
const chunksPerDoubling = 256

export interface StoreAppendingOptions {
  readonly state: StoreState
  readonly flushing: StoreFlushing
  readonly chunkSize: number
  readonly autoFlushThreshold: number
}

export class StoreAppending {
  private readonly options: StoreAppendingOptions

  constructor(options: StoreAppendingOptions) {
    this.options = options
  }

  /** Whether the list of chunks has room for another one, and for the one that a collection begins. */
  get hasRoom(): boolean {
    return this.options.state.chunks.length < maxChunks - 1
  }

  append(bytes: Uint8Array): Effect.Effect<VirtualOffset, StoreAppendError> {
    return Effect.suspend((): Effect.Effect<VirtualOffset, StoreAppendError> => {
      if (this.mustWait) return Effect.flatMap(this.flushed("append"), () => this.append(bytes))
      let offset: VirtualOffset
      try {
        this.flushIfMuch("append")
        offset = this.add(bytes, true)
      } catch (error) {
        return thrown(error)
      }
      return Effect.succeed(offset)
    })
  }

  appendAll(records: Iterable<Uint8Array>): Effect.Effect<VirtualOffset, StoreAppendError> {
    // They are looked at twice, and some iterables can be only once.
    return Effect.suspend(() => this.appendList(Array.isArray(records) ? records : [...records]))
  }

  appendNow(bytes: Uint8Array): VirtualOffset {
    this.flushIfMuch("append")
    return this.add(bytes, false)
  }

  private appendList(records: ReadonlyArray<Uint8Array>): Effect.Effect<VirtualOffset, StoreAppendError> {
    return Effect.suspend(() => {
      if (this.mustWait) {
        return Effect.flatMap(this.flushed("appendAll"), () => this.appendList(records))
      }
      return attempt<VirtualOffset, StoreAppendError>(() => {
        this.flushIfMuch("appendAll")
        return this.addAll(records)
      })
    })
  }

  /** Whether so much waits that nothing is appended before it is flushed, and that takes an Effect. */
  private get mustWait(): boolean {
    const { autoFlushThreshold, flushing, state } = this.options
    const { length } = state.pending
    return length > 0 && length >= autoFlushThreshold && !flushing.canFlushNow
  }

  private flushed(operation: string): Effect.Effect<void, StoreAppendError> {
    const { flushing, state } = this.options
    return Effect.suspend(() =>
      Effect.andThen(
        attempt<void, StoreAppendError>(() => state.checkWritable(operation)),
        flushing.flushTo(state.end)
      )
    )
  }

  private flushIfMuch(operation: string): void {
    const { autoFlushThreshold, flushing, state } = this.options
    if (state.closed || state.poison !== undefined) state.checkWritable(operation)
    if (state.pending.length >= autoFlushThreshold) flushing.flushNow()
  }

  private add(bytes: Uint8Array, mayBegin: boolean): VirtualOffset {
    const { state } = this.options
    const offset = state.end
    const { length } = bytes
    if (offset + length > Number.MAX_SAFE_INTEGER) throw tooFar("append", offset, length)
    if (mayBegin && this.mustBegin(length)) {
      state.pending.reserve(length)
      state.beginChunk()
    }
    state.pending.push(bytes)
    state.active.length += length
    return offset
  }

  private addAll(records: ReadonlyArray<Uint8Array>): VirtualOffset {
    const { chunkSize, state } = this.options
    const { pending } = state
    const offset = state.end
    let total = 0
    for (const record of records) total += record.length
    if (offset + total > Number.MAX_SAFE_INTEGER) throw tooFar("appendAll", offset, total)
    // All are appended or none: nothing can fail from here on.
    pending.reserve(total)
    let { active } = state
    for (const record of records) {
      const { length } = record
      if (active.length + length > chunkSize && this.mustBegin(length)) {
        state.beginChunk()
        active = state.active
      }
      pending.push(record)
      active.length += length
    }
    return offset
  }

  /** Whether a record of this length belongs into a new chunk. */
  private mustBegin(length: number): boolean {
    const { chunkSize, state } = this.options
    const { active } = state
    if (active.length + length <= chunkSize || active.length === 0 || length === 0) return false
    const limit = chunkSize * 2 ** Math.floor(state.chunks.length / chunksPerDoubling)
    return active.length + length > limit && this.hasRoom
  }
}

const tooFar = (operation: string, offset: number, length: number): InvalidArgument =>
  new InvalidArgument({
    operation,
    reason: `the store would end beyond 2^53-1 with ${length} bytes at ${offset}`
  })
