/**
 * The reference model of an offloaded file: its bytes, flat, and for each of them where it comes
 * from: a place of the backing, a repeat, or memory. It is slow, and too simple to be wrong.
 *
 * What it consists of follows from that: neighbours that could be one extent are one. The limit of
 * memory is counted in the bytes that come from memory, of all files that share it.
 */
import type { Extent } from "../../bytes/extent.ts"
import type {
  BackingRange,
  OffloadedCursorOptions,
  OffloadedExtent,
  SeekTarget
} from "../../file/offloadedFileService.ts"

/** What an operation gave: a value, or the tag of its error. */
export type OffloadedModelOutcome<A> = { readonly value: A } | { readonly failure: string }

const invalid = { failure: "InvalidArgument" }
const done = { value: undefined }

const isOffset = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

const fromRepeat = 0
const fromBacking = 1
const fromMemory = 2

/** The bytes in memory of all that share a limit. */
export class OffloadedModelLimit {
  used = 0
  readonly limit: number

  constructor(limit = Infinity) {
    this.limit = limit
  }
}

/** The backing: bytes that are never changed, but may become more. */
export class OffloadedModelBacking {
  bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

export class OffloadedFileModel {
  size = 0
  isClosed = false
  private bytes = new Uint8Array(64)
  private origin = new Uint8Array(64)
  /** Where in the backing a byte is from, if it is. */
  private place = new Uint32Array(64)
  private memory = 0
  private readonly backing: OffloadedModelBacking
  private readonly limit: OffloadedModelLimit

  constructor(backing: OffloadedModelBacking, limit = new OffloadedModelLimit()) {
    this.backing = backing
    this.limit = limit
  }

  get memoryBytes(): number {
    return this.memory
  }

  readAt(offset: number, length: number): OffloadedModelOutcome<Uint8Array> {
    if (this.isClosed) return { failure: "Closed" }
    if (!isOffset(offset) || !isOffset(offset + length)) return invalid
    return { value: this.bytes.slice(Math.min(offset, this.size), Math.min(offset + length, this.size)) }
  }

  /** Writes bytes that do not lie in the backing. */
  writeBytes(offset: number, data: Uint8Array): OffloadedModelOutcome<undefined> {
    if (this.isClosed) return { failure: "Closed" }
    if (!isOffset(offset) || !isOffset(offset + data.length)) return invalid
    if (data.length === 0) return done
    const added = data.length - this.countMemory(offset, offset + data.length)
    if (this.limit.used + added > this.limit.limit) return { failure: "MemoryLimit" }
    this.replace(offset, data.length, fromMemory)
    this.bytes.set(data, offset)
    this.account(added)
    return done
  }

  /** Writes a range of the backing. */
  writeRange(offset: number, { backingOffset, length }: BackingRange): OffloadedModelOutcome<undefined> {
    if (this.isClosed) return { failure: "Closed" }
    if (!isOffset(offset) || !isOffset(length) || !isOffset(offset + length)) return invalid
    if (!isOffset(backingOffset)) return invalid
    if (length === 0) return done
    if (backingOffset + length > this.backing.bytes.length) return invalid
    this.account(-this.countMemory(offset, offset + length))
    this.replace(offset, length, fromBacking)
    this.bytes.set(this.backing.bytes.subarray(backingOffset, backingOffset + length), offset)
    for (let i = 0; i < length; i++) this.place[offset + i] = backingOffset + i
    return done
  }

  resize(length: number, fill = 0): OffloadedModelOutcome<undefined> {
    if (this.isClosed) return { failure: "Closed" }
    if (!isOffset(length) || !isOffset(fill) || fill > 255) return invalid
    if (length < this.size) {
      this.account(-this.countMemory(length, this.size))
      this.size = length
    } else {
      const from = this.size
      this.replace(from, length - from, fromRepeat)
      this.bytes.fill(fill, from, length)
    }
    return done
  }

  truncate(): OffloadedModelOutcome<undefined> {
    return this.resize(0)
  }

  extents(): ReadonlyArray<OffloadedExtent> {
    const extents: Array<OffloadedExtent> = []
    for (let offset = 0; offset < this.size;) {
      let end = offset + 1
      while (end < this.size && this.continues(end)) end++
      extents.push(this.extent(offset, end - offset))
      offset = end
    }
    return extents
  }

  holes(): ReadonlyArray<Extent> {
    return this.extents()
      .filter((extent) => extent.kind === "repeat" && extent.value === 0)
      .map(({ length, offset }) => ({ offset, length }))
  }

  cursor(options?: OffloadedCursorOptions): OffloadedCursorModel {
    return new OffloadedCursorModel(this, options?.clamp ?? false)
  }

  /** A copy: what is in memory counts once more. */
  clone(): OffloadedModelOutcome<OffloadedFileModel> {
    if (this.isClosed) return { failure: "Closed" }
    if (this.limit.used + this.memory > this.limit.limit) return { failure: "MemoryLimit" }
    const copy = new OffloadedFileModel(this.backing, this.limit)
    copy.size = this.size
    copy.bytes = this.bytes.slice()
    copy.origin = this.origin.slice()
    copy.place = this.place.slice()
    copy.account(this.memory)
    return { value: copy }
  }

  close(): void {
    this.account(-this.memory)
    this.isClosed = true
  }

  private account(added: number): void {
    this.memory += added
    this.limit.used += added
  }

  private countMemory(from: number, to: number): number {
    let count = 0
    for (let at = from; at < Math.min(to, this.size); at++) if (this.origin[at] === fromMemory) count++
    return count
  }

  /** Makes room for `length` bytes at `offset`, with zeros between it and the end. */
  private replace(offset: number, length: number, origin: number): void {
    const end = offset + length
    if (end > this.bytes.length) {
      const capacity = Math.max(end, 2 * this.bytes.length)
      const { bytes, place } = this
      this.bytes = new Uint8Array(capacity)
      this.bytes.set(bytes)
      const origins = new Uint8Array(capacity)
      origins.set(this.origin)
      this.origin = origins
      this.place = new Uint32Array(capacity)
      this.place.set(place)
    }
    if (offset > this.size) {
      this.bytes.fill(0, this.size, offset)
      this.origin.fill(fromRepeat, this.size, offset)
    }
    this.origin.fill(origin, offset, end)
    this.size = Math.max(this.size, end)
  }

  /** Whether the byte at `at` belongs to the extent of the one before. */
  private continues(at: number): boolean {
    if (this.origin[at] !== this.origin[at - 1]) return false
    if (this.origin[at] === fromMemory) return true
    if (this.origin[at] === fromRepeat) return this.bytes[at] === this.bytes[at - 1]
    return this.place[at] === this.place[at - 1] + 1
  }

  private extent(offset: number, length: number): OffloadedExtent {
    if (this.origin[offset] === fromMemory) return { kind: "memory", offset, length }
    if (this.origin[offset] === fromRepeat) {
      return { kind: "repeat", offset, length, value: this.bytes[offset] }
    }
    return { kind: "backing", offset, length, backingOffset: this.place[offset] }
  }
}

/** A position in the model of a file. */
export class OffloadedCursorModel {
  position = 0
  readonly file: OffloadedFileModel
  private readonly clamp: boolean

  constructor(file: OffloadedFileModel, clamp: boolean) {
    this.file = file
    this.clamp = clamp
  }

  seek({ from, offset }: SeekTarget): OffloadedModelOutcome<number> {
    if (this.file.isClosed) return { failure: "Closed" }
    const origin = from === "start" ? 0 : from === "end" ? this.file.size : this.position
    const wanted = origin + offset
    if (!Number.isInteger(offset) || !isOffset(wanted)) return invalid
    const target = this.clamp ? Math.min(wanted, this.file.size) : wanted
    this.position = target
    return { value: target }
  }

  read(length: number): OffloadedModelOutcome<Uint8Array> {
    const read = this.file.readAt(this.position, length)
    if ("value" in read) this.position += read.value.length
    return read
  }

  writeBytes(data: Uint8Array): OffloadedModelOutcome<number> {
    return this.moved(this.file.writeBytes(this.position, data), data.length)
  }

  writeRange(range: BackingRange): OffloadedModelOutcome<number> {
    return this.moved(this.file.writeRange(this.position, range), range.length)
  }

  private moved(outcome: OffloadedModelOutcome<undefined>, length: number): OffloadedModelOutcome<number> {
    if (!("value" in outcome)) return outcome
    this.position += length
    return { value: length }
  }
}
