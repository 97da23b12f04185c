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
  InvalidArgument,
  InvalidSparseRead,
  ReadOutOfBounds
} from "../bytes/errors.ts"
import type { Binding, Extent } from "../bytes/extent.ts"
import type { PhysicalOffset, VirtualOffset } from "../bytes/offset.ts"
import { checkOffset, checkRange, isOffset } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import { synchronousTransferBytes } from "../io/Io.ts"
import type { OffmapTable } from "./offmapTable.ts"
import { type SparseData, truncated } from "./sparseData.ts"

export type SparseReadError =
  Closed | Corrupt | InvalidArgument | InvalidSparseRead | IoFailed | ReadOutOfBounds

export interface SparseReadingOptions {
  readonly data: SparseData
  readonly map: OffmapTable
  readonly mapBytes: number
  readonly mapPath: string
  /** Holds the open files: closed by `close`. */
  readonly scope: Scope.Closeable
}

export class SparseReading {
  readonly data: SparseData
  readonly map: OffmapTable
  readonly mapBytes: number
  private readonly mapPath: string
  private readonly scope: Scope.Closeable
  private closed = false

  constructor(options: SparseReadingOptions) {
    this.data = options.data
    this.map = options.map
    this.mapBytes = options.mapBytes
    this.mapPath = options.mapPath
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
        if (physical + length > this.data.length) throw this.beyondData(binding)
        this.data.copy(physical, buffer, 0, length)
        return
      }
    }
    this.checkCovered(offset, length)
    for (const part of this.parts(offset, length)) this.data.copy(part.physical, buffer, part.at, part.length)
  }

  read(offset: VirtualOffset, buffer: Uint8Array): Effect.Effect<void, SparseReadError> {
    if (buffer.length <= synchronousTransferBytes) return attempt(() => this.readNow(offset, buffer))
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, SparseReadError>(() => {
        this.checkOpen("read")
        checkOffset("read", "offset", offset)
        this.checkCovered(offset, buffer.length)
      })
      for (const part of this.parts(offset, buffer.length)) {
        yield* this.readPart(part.physical, buffer.subarray(part.at, part.at + part.length))
      }
    })
  }

  readMany(
    offsets: ArrayLike<VirtualOffset>,
    lengths: ArrayLike<number>
  ): Effect.Effect<Array<Uint8Array>, SparseReadError> {
    const all = attempt<Array<Uint8Array>, SparseReadError>(() => {
      this.checkOpen("readMany")
      if (offsets.length !== lengths.length) {
        const reason = `${offsets.length} offsets and ${lengths.length} lengths don't match`
        throw new InvalidArgument({ operation: "readMany", reason })
      }
      let total = 0
      for (let i = 0; i < offsets.length; i++) {
        checkRange("readMany", offsets[i], lengths[i])
        if (lengths[i] > 0) this.checkCovered(offsets[i], lengths[i])
        total += lengths[i]
      }
      const bytes = allocate("readMany", total)
      let at = 0
      return Array.from({ length: offsets.length }, (_, i) => bytes.subarray(at, (at += lengths[i])))
    })
    return Effect.flatMap(all, (slices) =>
      Effect.as(
        Effect.forEach(slices, (slice, i) => this.read(offsets[i], slice), { discard: true }),
        slices
      )
    )
  }

  readRange(
    offset: VirtualOffset,
    range: { readonly minLength: number; readonly maxLength: number }
  ): Effect.Effect<Uint8Array, SparseReadError> {
    const { maxLength, minLength } = range
    const found = attempt<Uint8Array, SparseReadError>(() => {
      this.checkOpen("readRange")
      checkOffset("readRange", "offset", offset)
      checkOffset("readRange", "minLength", minLength)
      checkOffset("readRange", "maxLength", maxLength)
      if (minLength > maxLength) {
        const reason = `minLength ${minLength} is above maxLength ${maxLength}`
        throw new InvalidArgument({ operation: "readRange", reason })
      }
      if (maxLength === 0) return new Uint8Array(0)
      const end = this.runEnd(offset, maxLength)
      if (end - offset < minLength) {
        throw new ReadOutOfBounds({ path: this.data.file.path, offset, length: minLength, end })
      }
      return allocate("readRange", end - offset)
    })
    return Effect.flatMap(found, (bytes) => Effect.as(this.read(offset, bytes), bytes))
  }

  readPhysical(physical: PhysicalOffset, buffer: Uint8Array): Effect.Effect<void, SparseReadError> {
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
    return Effect.flatMap(attempt<void, SparseReadError>(check), () => this.readPart(physical, buffer))
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
  private readPart(physical: number, buffer: Uint8Array): Effect.Effect<void, SparseReadError> {
    const read = this.data.file
      .readAt(physical, buffer)
      .pipe(Effect.catchTag("ReadOutOfBounds", (cause) => Effect.fail(truncated(cause))))
    return Effect.flatMap(
      attempt<void, SparseReadError>(() => this.data.verify(physical, buffer.length)),
      () => read
    )
  }

  /** The physical pieces of a range that is covered. */
  private *parts(offset: number, length: number) {
    for (let at = 0; at < length;) {
      const binding = this.covering(offset + at)
      if (binding === undefined) throw this.notKept(offset + at)
      const into = offset + at - binding.virtual
      const count = Math.min(length - at, binding.length - into)
      yield { physical: binding.physical + into, at, length: count }
      at += count
    }
  }

  private checkCovered(offset: number, length: number): void {
    const end = this.runEnd(offset, length)
    if (end < offset + length) {
      throw new ReadOutOfBounds({ path: this.data.file.path, offset, length, end })
    }
  }

  /** Where the run that `offset` lies in ends, or `offset + atMost` when it goes further. */
  private runEnd(offset: number, atMost: number): number {
    let end = offset
    while (end - offset < atMost) {
      const binding = this.covering(end)
      if (binding === undefined) break
      end = binding.virtual + binding.length
    }
    if (end === offset) throw this.notKept(offset)
    return Math.min(end, offset + atMost)
  }

  /** The extent that covers `offset`. A point covers no byte. */
  private covering(offset: number): Binding | undefined {
    if (!isOffset(offset)) return undefined
    const binding = this.map.locate(offset)
    if (binding === undefined || binding.length === 0) return undefined
    if (binding.physical + binding.length > this.data.length) throw this.beyondData(binding)
    return binding
  }

  private notKept(offset: number): InvalidSparseRead {
    const next = this.map.next(offset)
    const reason = next === undefined ? "after" : next === this.map.next(0) ? "before" : "hole"
    return new InvalidSparseRead({ path: this.data.file.path, offset, reason })
  }

  private beyondData(binding: Binding): Corrupt {
    const reason = `the binding of ${binding.length} bytes at ${binding.virtual} reaches beyond the data`
    return new Corrupt({ path: this.mapPath, offset: 0, reason })
  }

  private refuse(operation: string, offset: number): void {
    this.checkOpen(operation)
    checkOffset(operation, "offset", offset)
  }

  private checkOpen(operation: string): void {
    if (this.closed) throw new Closed({ path: this.data.file.path, operation })
  }
}

/** Memory for bytes that are known to be there. */
const allocate = (operation: string, length: number): Uint8Array => {
  try {
    return new Uint8Array(length)
  } catch {
    throw new InvalidArgument({ operation, reason: `${length} bytes are more than one buffer can hold` })
  }
}
