/**
 * The reads of a sparse file: from a virtual offset, through the map, to bytes.
 *
 * Nothing is copied before the whole of a read is known to be there. The map's checksums hold by
 * then; that its bindings lie within the data is checked at every read, since nobody else does.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { IoFailed } from "../bytes/errors.ts"
import {
  Closed,
  Corrupt,
  DoubleClose,
  type InvalidArgument,
  InvalidSparseRead,
  ReadOutOfBounds
} from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { checkOffset, checkRange, isOffset } from "../bytes/offset.ts"
import { readBuffers, runBuffer, type RunRange } from "../bytes/readBuffer.ts"
import { attempt } from "../io/attempt.ts"
import { synchronousTransferBytes } from "../io/Io.ts"
import type { OffmapSearch } from "./offmapSearch.ts"
import { type FixedData, truncated } from "./fixedData.ts"
import { SparseRuns } from "./sparseRuns.ts"

/** Of reads at physical offsets, which know of no holes. */
export type SparsePhysicalReadError = Closed | Corrupt | InvalidArgument | IoFailed | ReadOutOfBounds
export type SparseReadError = SparsePhysicalReadError | InvalidSparseRead

/** The bytes copied between two chances for other fibers to run, and what a lookup counts for. */
const sliceBytes = 4 << 20
const sliceBytesPerRead = 1024

export interface SparseReadingOptions {
  readonly data: FixedData
  readonly map: OffmapSearch
  readonly mapBytes: number
  readonly mapPath: string
  /** Holds the open files: closed by `close`. */
  readonly scope: Scope.Closeable
}

export class SparseReading {
  readonly data: FixedData
  readonly map: OffmapSearch
  readonly mapBytes: number
  private readonly runs: SparseRuns
  private readonly scope: Scope.Closeable
  private closed = false

  constructor(options: SparseReadingOptions) {
    this.data = options.data
    this.map = options.map
    this.mapBytes = options.mapBytes
    this.runs = new SparseRuns(options)
    this.scope = options.scope
  }

  mapFind(offset: VirtualOffset): PhysicalOffset | undefined {
    this.checkOpen("mapFind")
    checkOffset("mapFind", "offset", offset)
    return this.map.find(offset)
  }

  nextValidOffset(offset: VirtualOffset): VirtualOffset | undefined {
    this.checkOpen("nextValidOffset")
    checkOffset("nextValidOffset", "offset", offset)
    return this.map.next(offset)
  }

  *extents(): IterableIterator<Extent> {
    this.checkOpen("extents")
    for (const { length, virtual } of this.map.entries()) {
      if (length > 0) yield { offset: virtual, length }
      this.checkOpen("extents")
    }
  }

  /** `read`, at once. The common case, one extent that holds it all, makes no second lookup. */
  readNow(offset: VirtualOffset, buffer: Uint8Array): void {
    if (this.closed || !isOffset(offset)) this.refuse("read", offset)
    const length = buffer.length
    if (length === 0) return
    const binding = this.map.locate(offset)
    if (binding !== undefined) {
      const into = offset - binding.virtual
      if (into + length <= binding.length) {
        const physical = binding.physical + into
        if (physical + length > this.data.length) throw this.runs.beyondData(binding)
        this.data.copy(physical, buffer, 0, length)
        return
      }
    }
    this.runs.checkCovered(offset, length)
    for (const part of this.runs.parts(offset, length))
      this.data.copy(part.physical, buffer, part.at, part.length)
  }

  read(offset: VirtualOffset, buffer: Uint8Array): Effect.Effect<void, SparseReadError> {
    if (buffer.length <= synchronousTransferBytes) return attempt(() => this.readNow(offset, buffer))
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, SparseReadError>(() => {
        this.checkOpen("read")
        checkOffset("read", "offset", offset)
        this.runs.checkCovered(offset, buffer.length)
      })
      for (const part of this.runs.parts(offset, buffer.length)) {
        yield* this.readPart(part.physical, buffer.subarray(part.at, part.at + part.length))
      }
    })
  }

  readMany(
    offsets: ArrayLike<VirtualOffset>,
    lengths: ArrayLike<number>
  ): Effect.Effect<Array<Uint8Array>, SparseReadError> {
    return Effect.gen({ self: this }, function* () {
      const results = yield* attempt<Array<Uint8Array>, SparseReadError>(() =>
        this.prepareMany(offsets, lengths)
      )
      for (let next = 0; next < results.length;) {
        next = yield* attempt<number, SparseReadError>(() => this.readSlice(offsets, results, next))
        if (next < results.length) yield* Effect.yieldNow
      }
      return results
    })
  }

  private prepareMany(offsets: ArrayLike<number>, lengths: ArrayLike<number>): Array<Uint8Array> {
    this.checkOpen("readMany")
    const checkReadable = (offset: number, length: number) => this.runs.checkCovered(offset, length)
    return readBuffers({ operation: "readMany", offsets, lengths, checkReadable })
  }

  /** Fills results from `first` on, some megabytes of them, and gives the next one. */
  private readSlice(offsets: ArrayLike<number>, results: ReadonlyArray<Uint8Array>, first: number): number {
    let next = first
    for (let left = sliceBytes; next < results.length && left > 0; next++) {
      this.readNow(offsets[next], results[next])
      left -= results[next].length + sliceBytesPerRead
    }
    return next
  }

  readRange(offset: VirtualOffset, range: RunRange): Effect.Effect<Uint8Array, SparseReadError> {
    const room = attempt<Uint8Array, SparseReadError>(() => {
      this.checkOpen("readRange")
      const { path } = this.data.file
      return runBuffer({
        ...range,
        path,
        offset,
        runEnd: (from, atMost) => this.runs.runEnd(from, atMost)
      })
    })
    return Effect.flatMap(room, (bytes) => Effect.as(this.read(offset, bytes), bytes))
  }

  readPhysical(physical: PhysicalOffset, buffer: Uint8Array): Effect.Effect<void, SparsePhysicalReadError> {
    const check = (): void => {
      this.checkOpen("readPhysical")
      checkRange("readPhysical", physical, buffer.length)
      if (physical + buffer.length > this.data.length) {
        const { path } = this.data.file
        throw new ReadOutOfBounds({ path, offset: physical, length: buffer.length, end: this.data.length })
      }
    }
    if (buffer.length <= synchronousTransferBytes) {
      return attempt(() => {
        check()
        if (buffer.length > 0) this.data.copy(physical, buffer, 0, buffer.length)
      })
    }
    return Effect.flatMap(attempt<void, SparsePhysicalReadError>(check), () =>
      this.readPart(physical, buffer)
    )
  }

  readonly close: Effect.Effect<void, DoubleClose> = Effect.suspend(() => {
    if (this.closed) return Effect.fail(new DoubleClose({ path: this.data.file.path }))
    this.closed = true
    return Scope.close(this.scope, Exit.void)
  })

  markClosed(): void {
    this.closed = true
  }

  /** A large piece goes through the file, and so over the thread pool, rather than a mapping. */
  private readPart(physical: number, buffer: Uint8Array): Effect.Effect<void, SparsePhysicalReadError> {
    return Effect.gen({ self: this }, function* () {
      for (let at = 0; at < buffer.length; at += sliceBytes) {
        const slice = buffer.subarray(at, at + sliceBytes)
        yield* attempt<void, SparsePhysicalReadError>(() => this.data.verify(physical + at, slice.length))
        yield* this.data.file.readAt(physical + at, slice)
      }
    }).pipe(Effect.catchTag("ReadOutOfBounds", (cause) => Effect.fail(truncated(cause))))
  }

  private refuse(operation: string, offset: number): void {
    this.checkOpen(operation)
    checkOffset(operation, "offset", offset)
  }

  private checkOpen(operation: string): void {
    if (this.closed) throw new Closed({ path: this.data.file.path, operation })
  }
}
