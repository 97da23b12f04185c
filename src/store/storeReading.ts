/**
 * The reads of a store: from a virtual offset to the prefix, a chunk, or what waits to be flushed.
 *
 * Every step of a read is synchronous, and so sees one state of the store; a large one is made in
 * slices, each of which asks the state anew. A collection that finishes in between moves bytes, but
 * a live byte stays at its offset. What a rollback takes away in between is noticed, and the read
 * begins again.
 */
import * as Effect from "effect/Effect"
import { InvalidSparseRead, ReadOutOfBounds } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { VirtualOffset } from "../bytes/offset.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { readBuffer, readBuffers, runBuffer, type RunRange } from "../bytes/readBuffer.ts"
import { attempt } from "../io/attempt.ts"
import { synchronousTransferBytes } from "../io/Io.ts"
import type { StoreReadError } from "./storeService.ts"
import type { StoreState } from "./storeState.ts"

/** The bytes copied between two chances for other fibers to run, and what a lookup counts for. */
const sliceBytes = synchronousTransferBytes
const sliceBytesPerRead = 1024

export class StoreReading {
  private readonly state: StoreState

  constructor(state: StoreState) {
    this.state = state
  }

  /** `readInto`, at once. */
  readNow(offset: VirtualOffset, buffer: Uint8Array): void {
    const { state } = this
    const { length } = buffer
    const end = offset + length
    if (state.closed || !(offset >= 0 && end <= state.end) || !Number.isSafeInteger(offset)) {
      this.refuse(offset, length)
    }
    if (length === 0) return
    const { suffixStart } = state
    if (offset >= suffixStart) this.readSuffix(offset, buffer, 0)
    else if (end <= suffixStart) this.readPrefix(offset, buffer)
    else {
      this.checkReadable(offset, length)
      this.readPrefix(offset, buffer.subarray(0, suffixStart - offset))
      this.readSuffix(suffixStart, buffer, suffixStart - offset)
    }
  }

  read(offset: VirtualOffset, length: number): Effect.Effect<Uint8Array, StoreReadError> {
    return Effect.suspend(() => {
      const allocated = attempt<Uint8Array, StoreReadError>(() => {
        this.state.checkOpen("read")
        checkRange("read", offset, length)
        // Much memory is asked for only when so many bytes are there.
        if (length > synchronousTransferBytes) this.checkReadable(offset, length)
        return readBuffer("read", length)
      })
      return Effect.flatMap(allocated, (bytes) => Effect.as(this.readInto(offset, bytes), bytes))
    })
  }

  readInto(offset: VirtualOffset, buffer: Uint8Array): Effect.Effect<void, StoreReadError> {
    return buffer.length <= sliceBytes
      ? attempt(() => this.readNow(offset, buffer))
      : this.readLarge(offset, buffer)
  }

  readMany(
    offsets: ArrayLike<VirtualOffset>,
    lengths: ArrayLike<number>
  ): Effect.Effect<Array<Uint8Array>, StoreReadError> {
    return Effect.gen({ self: this }, function* () {
      const results = yield* attempt<Array<Uint8Array>, StoreReadError>(() =>
        this.prepareMany(offsets, lengths)
      )
      let { rewinds } = this.state
      for (let next = 0; next < results.length;) {
        if (rewinds !== this.state.rewinds) {
          rewinds = this.state.rewinds
          next = 0
        }
        if (results[next].length > sliceBytes) {
          yield* this.readLarge(offsets[next], results[next])
          next++
        } else {
          next = yield* attempt<number, StoreReadError>(() => this.readSlice(offsets, results, next))
        }
        if (next < results.length) yield* Effect.yieldNow
      }
      return results
    })
  }

  readRange(offset: VirtualOffset, range: RunRange): Effect.Effect<Uint8Array, StoreReadError> {
    const room = attempt<Uint8Array, StoreReadError>(() => {
      const { directory } = this.state
      this.state.checkOpen("readRange")
      return runBuffer({
        ...range,
        path: directory,
        offset,
        runEnd: (from, atMost) => Math.max(from, this.runEnd(from, atMost))
      })
    })
    return Effect.flatMap(room, (bytes) => Effect.as(this.readInto(offset, bytes), bytes))
  }

  nextValidOffset(offset: VirtualOffset): VirtualOffset | undefined {
    this.state.checkOpen("nextValidOffset")
    checkOffset("nextValidOffset", "offset", offset)
    return this.nextReadable(offset)
  }

  extents(): IterableIterator<Extent> {
    this.state.checkOpen("extents")
    return this.eachExtent()
  }

  private *eachExtent(): IterableIterator<Extent> {
    for (let offset: VirtualOffset | undefined = 0; ;) {
      offset = this.nextReadable(offset)
      if (offset === undefined) return
      const extent = this.extentAt(offset)
      yield extent
      offset = extent.offset + extent.length
      this.state.checkOpen("extents")
    }
  }

  /** Throws unless the whole range can be read. A range of no bytes can, up to the end. */
  checkReadable(offset: VirtualOffset, length: number): void {
    const end = this.runEnd(offset, length)
    if (end < offset + length) {
      throw new ReadOutOfBounds({ path: this.state.directory, offset, length, end })
    }
  }

  /** Where the run that `offset` lies in ends, or `offset + atMost` when it goes further. */
  runEnd(offset: VirtualOffset, atMost: number): VirtualOffset {
    const { end: storeEnd, prefix, suffixStart } = this.state
    const limit = offset + atMost
    let end = offset
    while (end < limit && end < suffixStart) {
      const binding = prefix?.reader.offmap.locate(end)
      if (binding === undefined || binding.length === 0) break
      end = binding.virtual + binding.length
    }
    if (end >= suffixStart) return Math.min(limit, storeEnd)
    if (end === offset && atMost > 0) throw this.notKept(offset)
    return Math.min(end, limit)
  }

  /** The smallest readable offset at or after this one. */
  private nextReadable(offset: VirtualOffset): VirtualOffset | undefined {
    const { end, prefix, suffixStart } = this.state
    if (offset < suffixStart) {
      const kept = prefix?.reader.offmap.next(offset)
      if (kept !== undefined) return kept
    }
    const next = Math.max(offset, suffixStart)
    return next < end ? next : undefined
  }

  /** From `offset`, which is readable, to the end of the extent it lies in. */
  private extentAt(offset: VirtualOffset): Extent {
    const { end, prefix, suffixStart } = this.state
    if (offset >= suffixStart) return { offset, length: end - offset }
    const binding = prefix!.reader.offmap.locate(offset)!
    return { offset, length: binding.virtual + binding.length - offset }
  }

  private readPrefix(offset: VirtualOffset, buffer: Uint8Array): void {
    // There is one wherever the suffix doesn't begin at 0: the format demands it.
    const prefix = this.state.prefix!
    try {
      prefix.reader.unsafe.read(offset, buffer)
    } catch (cause) {
      // The same, but with the store's path and, where the run goes on in the suffix, its end.
      if (cause instanceof InvalidSparseRead || cause instanceof ReadOutOfBounds) {
        this.checkReadable(offset, buffer.length)
      }
      throw cause
    }
  }

  private readSuffix(offset: VirtualOffset, buffer: Uint8Array, at: number): void {
    const { chunks, flushedEnd, pending } = this.state
    let index = this.state.chunkIndexAt(offset)
    let [from, to] = [offset, at]
    while (to < buffer.length && from < flushedEnd) {
      const chunk = chunks[index++]
      const count = Math.min(buffer.length - to, Math.min(chunk.end, flushedEnd) - from)
      chunk.copy(from - chunk.offset, buffer, to, count)
      from += count
      to += count
    }
    if (to < buffer.length) pending.copyTo(buffer.subarray(to), from - flushedEnd)
  }

  private readLarge(offset: VirtualOffset, buffer: Uint8Array): Effect.Effect<void, StoreReadError> {
    return Effect.gen({ self: this }, function* () {
      const { state } = this
      const check = (): void => {
        state.checkOpen("read")
        checkRange("read", offset, buffer.length)
        this.checkReadable(offset, buffer.length)
      }
      yield* attempt<void, StoreReadError>(check)
      let { rewinds } = state
      for (let at = 0; at < buffer.length;) {
        if (rewinds !== state.rewinds) {
          yield* attempt<void, StoreReadError>(check)
          rewinds = state.rewinds
          at = 0
        }
        const slice = buffer.subarray(at, at + sliceBytes)
        yield* attempt<void, StoreReadError>(() => {
          try {
            this.readNow(offset + at, slice)
          } catch (error) {
            check() // what is wrong with the whole range now says it better than a slice's error
            throw error
          }
        })
        at += slice.length
        if (at < buffer.length) yield* Effect.yieldNow
      }
    })
  }

  private prepareMany(offsets: ArrayLike<number>, lengths: ArrayLike<number>): Array<Uint8Array> {
    this.state.checkOpen("readMany")
    const checkReadable = (offset: number, length: number) => this.checkReadable(offset, length)
    return readBuffers({ operation: "readMany", offsets, lengths, checkReadable })
  }

  /** Fills results from `first` on, up to the next large one or so many bytes, and gives the next. */
  private readSlice(offsets: ArrayLike<number>, results: ReadonlyArray<Uint8Array>, first: number): number {
    let next = first
    for (let left = sliceBytes; next < results.length && left > 0; next++) {
      if (results[next].length > sliceBytes) break
      this.readNow(offsets[next], results[next])
      left -= results[next].length + sliceBytesPerRead
    }
    return next
  }

  private refuse(offset: number, length: number): never {
    this.state.checkOpen("read")
    checkRange("read", offset, length)
    this.checkReadable(offset, length)
    throw new ReadOutOfBounds({ path: this.state.directory, offset, length, end: this.state.end })
  }

  private notKept(offset: VirtualOffset): InvalidSparseRead {
    checkOffset("read", "offset", offset)
    const next = this.nextReadable(offset)
    const reason = next === undefined ? "after" : next === this.nextReadable(0) ? "before" : "hole"
    return new InvalidSparseRead({ path: this.state.directory, offset, reason })
  }
}
