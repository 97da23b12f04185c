/**
 * The reference model of a page cache: the bytes of the device, flat, and what they read as.
 *
 * It keeps nothing in a cache. What a cache may do to a reader is one rule: bytes that were changed
 * behind its back may be read as they were until they are invalidated; bytes that were added are there
 * at once. It is slow, and too simple to be wrong.
 */
import type { IntegerGetterName } from "../../file/pageCacheService.ts"
import { pageCacheInteger, pageCacheIntegerBytes } from "./pageCacheIntegers.ts"

export * from "./pageCacheIntegers.ts"

/** What a read gave: a value, or the error's tag and, of `ReadOutOfBounds`, where the device ends. */
export type PageCacheModelOutcome<A> = { readonly value: A } | PageCacheModelFailure

export interface PageCacheModelFailure {
  readonly failure: string
  readonly end?: number
}

export interface PageCacheModelOptions {
  readonly pageSize: number
  readonly bytes: Uint8Array
  /** Where the bytes begin; there are zeros before. Default 0. */
  readonly base?: number
  /** Whether the device says where it ends, as a file does. Default: it has to be tried. */
  readonly tellsEnd?: boolean
}

export interface PageCacheModelSlice {
  readonly offset: number
  readonly bytes: Uint8Array
}

interface OldPage {
  readonly bytes: Uint8Array
  /** The time at which the device changed. */
  readonly until: number
}

const invalid: PageCacheModelFailure = { failure: "InvalidArgument" }

const isOffset = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/** The text that `bytes` are, a mark of byte order included. */
export const pageCacheText = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)

export class PageCacheModel {
  readonly pageSize: number
  /** Where the bytes begin; the device has zeros before. */
  readonly base: number
  private readonly tellsEnd: boolean
  private bytes: Uint8Array
  private clock = 0
  private readonly old = new Map<number, Array<OldPage>>()
  private readonly invalidations = new Map<number, Array<number>>()

  constructor(options: PageCacheModelOptions) {
    this.pageSize = options.pageSize
    this.base = options.base ?? 0
    this.tellsEnd = options.tellsEnd ?? false
    this.bytes = options.bytes.slice()
  }

  /** The end of the device. */
  get size(): number {
    return this.base + this.bytes.length
  }

  /** The time: what a read that begins now may see is told by it. */
  now(): number {
    return this.clock
  }

  /** What the device gives at `position` now, at most `length` bytes. */
  give(position: number, length: number): Uint8Array {
    const given = new Uint8Array(Math.max(0, Math.min(length, this.size - position)))
    const start = position - this.base
    const zeros = Math.min(given.length, Math.max(0, -start))
    given.set(this.bytes.subarray(start + zeros, start + given.length), zeros)
    return given
  }

  /** Changes bytes of the device, or adds some, from `base` on. */
  write(offset: number, bytes: Uint8Array): void {
    const end = Math.max(this.size, offset + bytes.length)
    this.change(Math.min(offset, this.size), end)
    const grown = new Uint8Array(end - this.base)
    grown.set(this.bytes)
    grown.set(bytes, offset - this.base)
    this.bytes = grown
  }

  /** Cuts the device off at `size`, not before `base`. */
  truncate(size: number): void {
    this.change(size, this.size)
    this.bytes = this.bytes.slice(0, size - this.base)
  }

  invalidate(offset: number, length: number): PageCacheModelOutcome<undefined> {
    if (!this.isRange(offset, length)) return invalid
    this.clock += 1
    const first = Math.floor(offset / this.pageSize)
    for (const page of this.old.keys()) {
      if (page < first || page >= first + this.pageCount(offset, length)) continue
      const times = this.invalidations.get(page) ?? []
      this.invalidations.set(page, [...times, this.clock])
    }
    return { value: undefined }
  }

  getBytes(address: number, length: number): PageCacheModelOutcome<Uint8Array> {
    if (!this.isRange(address, length)) return invalid
    if (length > 0 && address + length > this.size) return this.outOfBounds(address)
    return { value: this.give(address, length) }
  }

  getString(address: number, length: number): PageCacheModelOutcome<string> {
    const read = this.getBytes(address, length)
    return "value" in read ? { value: pageCacheText(read.value) } : read
  }

  getInteger(name: IntegerGetterName, address: number): PageCacheModelOutcome<number | bigint> {
    const read = this.getBytes(address, pageCacheIntegerBytes(name))
    if (!("value" in read)) return read
    const value = pageCacheInteger(name, read.value)
    return value === undefined ? invalid : { value }
  }

  /** What `f` of `iterate` sees, and how it ends. */
  iterate(
    address: number,
    length?: number
  ): { readonly seen: Uint8Array; readonly outcome: PageCacheModelOutcome<undefined> } {
    const nothing = new Uint8Array(0)
    if (!this.isRange(address, length ?? 0)) return { seen: nothing, outcome: invalid }
    const seen = this.give(address, length ?? Infinity)
    const short = length !== undefined && seen.length < length
    return { seen, outcome: short ? this.outOfBounds(address) : { value: undefined } }
  }

  load(address: number, length = 1): PageCacheModelOutcome<PageCacheModelSlice | undefined> {
    if (!this.isRange(address, length) || length > this.pageSize) return invalid
    const { offset, bytes } = this.page(Math.floor(address / this.pageSize))
    if (length === 0) return { value: { offset, bytes: new Uint8Array(0) } }
    return { value: address + length > offset + bytes.length ? undefined : { offset, bytes } }
  }

  /** The page behind the one that `offset` lies on. */
  next(offset: number): PageCacheModelOutcome<PageCacheModelSlice | undefined> {
    const page = this.page(Math.floor(offset / this.pageSize) + 1)
    return { value: page.bytes.length === 0 ? undefined : page }
  }

  sequence(address: number): PageCacheModelOutcome<ReadonlyArray<PageCacheModelSlice>> {
    if (!this.isRange(address, 1)) return invalid
    const slices: Array<PageCacheModelSlice> = []
    for (let offset = address; offset < this.size;) {
      const bytes = this.give(offset, this.pageSize - (offset % this.pageSize))
      slices.push({ offset, bytes })
      offset += bytes.length
    }
    return { value: slices }
  }

  syscalls(address: number, length: number): PageCacheModelOutcome<number> {
    return this.isRange(address, length) ? { value: this.pageCount(address, length) } : invalid
  }

  /** The numbers of the pages that a range touches. */
  pages(offset: number, length: number): ReadonlyArray<number> {
    const first = Math.floor(offset / this.pageSize)
    return Array.from({ length: this.pageCount(offset, length) }, (_, i) => first + i)
  }

  /** Whether a read that began at `since` may see nothing but the bytes that are there now. */
  isFresh(address: number, length: number, since = this.clock): boolean {
    const end = address + length
    return [...this.old.keys()].every((page) => {
      const start = page * this.pageSize
      return start >= end || start + this.pageSize <= address || this.oldPages(page, since).length === 0
    })
  }

  /** Whether a read that began at `since` may give these bytes, each as it was at some time. */
  admits(address: number, bytes: Uint8Array, since = this.clock): boolean {
    return this.pages(address, bytes.length).every((page) => {
      const start = page * this.pageSize
      const versions = [this.page(page).bytes, ...this.oldPages(page, since)]
      const end = Math.min(start + this.pageSize, address + bytes.length)
      for (let at = Math.max(start, address); at < end; at++) {
        if (!versions.some((version) => version[at - start] === bytes[at - address])) return false
      }
      return true
    })
  }

  private pageCount(offset: number, length: number): number {
    if (length === 0) return 0
    const last = Math.floor((offset + length - 1) / this.pageSize)
    return last - Math.floor(offset / this.pageSize) + 1
  }

  private page(page: number): PageCacheModelSlice {
    const offset = page * this.pageSize
    return { offset, bytes: this.give(offset, this.pageSize) }
  }

  /** What the page was at some time since it was invalidated last before `since`. */
  private oldPages(page: number, since: number): ReadonlyArray<Uint8Array> {
    const floor = Math.max(0, ...(this.invalidations.get(page) ?? []).filter((time) => time <= since))
    return (this.old.get(page) ?? []).filter(({ until }) => until > floor).map(({ bytes }) => bytes)
  }

  private change(from: number, to: number): void {
    this.clock += 1
    for (const page of this.pages(from, to - from)) {
      const before = this.old.get(page) ?? []
      this.old.set(page, [...before, { bytes: this.page(page).bytes, until: this.clock }])
    }
  }

  private isRange(offset: number, length: number): boolean {
    return isOffset(offset) && isOffset(length) && isOffset(offset + length)
  }

  /** Where nothing of the first page is there, its start may be all that is known of the end. */
  private outOfBounds(address: number): PageCacheModelFailure {
    const start = this.tellsEnd ? 0 : address - (address % this.pageSize)
    return { failure: "ReadOutOfBounds", end: Math.max(start, this.size) }
  }
}
