/**
 * The reference model of a sparse file: a flat array that tells for every virtual offset which byte
 * of data it has, with holes, and the list of bindings. It is slow, and too simple to be wrong.
 */
import type { Binding, Extent } from "../../bytes/extent.ts"

/** What an operation gave: a value, or the error's tag and the fields that tell where. */
export type SparseModelOutcome<A> = { readonly value: A } | SparseModelFailure

export interface SparseModelFailure {
  readonly failure: string
  readonly reason?: string
  readonly end?: number
}

const invalid: SparseModelFailure = { failure: "InvalidArgument" }

export class SparseFileModel {
  /** The data, in physical order. */
  readonly data: Array<number> = []
  bindings: Array<Binding> = []
  poisoned = false
  /** For every virtual offset: the physical one, -1 in a hole. */
  private readonly physicalOf: Int32Array
  /** Offsets that are in an extent, or have a point. */
  private readonly taken: Uint8Array
  private readonly maxGap: number

  /** A model of the virtual offsets below `size`. */
  constructor(size: number, maxGap: number) {
    this.physicalOf = new Int32Array(size).fill(-1)
    this.taken = new Uint8Array(size)
    this.maxGap = maxGap
  }

  appendBytes(bytes: Uint8Array): SparseModelOutcome<undefined> {
    if (this.poisoned) return { failure: "Poisoned" }
    for (const byte of bytes) this.data.push(byte)
    return { value: undefined }
  }

  appendFrom(
    source: Uint8Array,
    { length, offset }: Extent,
    updateMap: boolean
  ): SparseModelOutcome<undefined> {
    if (this.poisoned) return { failure: "Poisoned" }
    if (updateMap && this.isTaken(offset, length)) return invalid
    if (offset + length > source.length) return this.beyond(source)
    const physical = this.data.length
    this.appendBytes(source.subarray(offset, offset + length))
    if (updateMap) this.bind(offset, physical, length)
    return { value: undefined }
  }

  mapAdd(virtual: number, physical: number, length: number): SparseModelOutcome<undefined> {
    if (this.poisoned) return { failure: "Poisoned" }
    if (this.isTaken(virtual, length)) return invalid
    this.bind(virtual, physical, length)
    return { value: undefined }
  }

  appendExtents(
    source: Uint8Array,
    extents: ReadonlyArray<Extent>
  ): SparseModelOutcome<{ extents: number; bytes: number }> {
    if (this.poisoned) return { failure: "Poisoned" }
    const sorted = extents.filter(({ length }) => length > 0).sort((a, b) => a.offset - b.offset)
    let last = 0
    for (const { length, offset } of sorted) {
      if (offset < last || this.isTaken(offset, length)) return invalid
      if (offset + length > source.length) return this.beyond(source)
      last = offset + length
    }
    const fused: Array<{ offset: number; end: number }> = []
    for (const { length, offset } of sorted) {
      const before = fused[fused.length - 1]
      const gap = before === undefined ? Infinity : offset - before.end
      if (gap === 0 || (gap <= this.maxGap && !this.isTaken(before.end, gap))) before.end = offset + length
      else fused.push({ offset, end: offset + length })
    }
    const start = this.data.length
    for (const { end, offset } of fused) {
      const physical = this.data.length
      this.appendBytes(source.subarray(offset, end))
      this.bind(offset, physical, end - offset)
    }
    return { value: { extents: fused.length, bytes: this.data.length - start } }
  }

  /** Whether a binding reaches beyond the data. */
  get dangling(): boolean {
    return this.bindings.some(({ length, physical }) => length > 0 && physical + length > this.data.length)
  }

  mapFind(offset: number): number | undefined {
    return this.bindings.find(({ virtual }) => virtual === offset)?.physical
  }

  next(offset: number): number | undefined {
    for (let at = offset; at < this.physicalOf.length; at++) if (this.physicalOf[at] !== -1) return at
    return undefined
  }

  /** The extents, ascending, as they are bound. */
  extents(): Array<Extent> {
    return this.sortedBindings()
      .filter(({ length }) => length > 0)
      .map(({ length, virtual }) => ({ offset: virtual, length }))
  }

  sortedBindings(): Array<Binding> {
    return [...this.bindings].sort((a, b) => a.virtual - b.virtual)
  }

  read(offset: number, length: number): SparseModelOutcome<Uint8Array> {
    if (length === 0) return { value: new Uint8Array(0) }
    const range = this.readRange(offset, length, length)
    return range
  }

  readRange(offset: number, minLength: number, maxLength: number): SparseModelOutcome<Uint8Array> {
    if (maxLength === 0) return { value: new Uint8Array(0) }
    if (!this.covers(offset)) return { failure: "InvalidSparseRead", reason: this.whyNot(offset) }
    const bytes: Array<number> = []
    while (bytes.length < maxLength && this.covers(offset + bytes.length)) {
      bytes.push(this.data[this.physicalOf[offset + bytes.length]])
    }
    if (bytes.length < minLength) return { failure: "ReadOutOfBounds", end: offset + bytes.length }
    return { value: Uint8Array.from(bytes) }
  }

  private covers(offset: number): boolean {
    return offset < this.physicalOf.length && this.physicalOf[offset] !== -1
  }

  private whyNot(offset: number): string {
    if (this.next(offset) === undefined) return "after"
    return this.physicalOf.subarray(0, offset).every((physical) => physical === -1) ? "before" : "hole"
  }

  private beyond(source: Uint8Array): SparseModelFailure {
    this.poisoned = true
    return { failure: "ReadOutOfBounds", end: source.length }
  }

  private isTaken(offset: number, length: number): boolean {
    return this.taken.subarray(offset, offset + Math.max(1, length)).includes(1)
  }

  private bind(virtual: number, physical: number, length: number): void {
    this.bindings.push({ virtual, physical, length })
    this.taken.fill(1, virtual, virtual + Math.max(1, length))
    for (let i = 0; i < length; i++) this.physicalOf[virtual + i] = physical + i
  }
}
