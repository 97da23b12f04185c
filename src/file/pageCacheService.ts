/**
 * The interface of a page cache: how it is made, its operations, and their errors.
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { InvalidArgument, ReadOutOfBounds, Unsupported } from "../bytes/errors.ts"
import type { ReadSomeError } from "../io/Io.ts"

/** What reads through a cache over an `IoFile` fail with, the cache's own errors apart. */
export type PageCacheIoError = ReadSomeError
/** `E` is what the device fails with. */
export type PageReadError<E> = E | InvalidArgument | ReadOutOfBounds

export const defaultPageSize = 4096
export const defaultCacheSize = 1024

export interface PageCacheOptions {
  /** Bytes, a power of two, default 4096: what is fetched, kept and let go as one. */
  readonly pageSize?: number | undefined
  /** Pages, a power of two up to 2^24, default 1024. Their memory, up to 1 GiB, is taken when the cache is made. */
  readonly cacheSize?: number | undefined
  /**
   * Pages, default 0: a fetch that begins where the one before ended takes up to so many more pages
   * than were asked for, in the same call; fewer than an eighth of the cache, where new pages wait.
   */
  readonly readAhead?: number | undefined
}

/**
 * Gives the bytes of the device at `position`, as many as there are and at most `length`; none beyond
 * the end. Both are multiples of the page's size, but where 2^53-1 cuts a page off. Fewer bytes than asked for mean that the device ends
 * there, for now. What it gives is copied, and may be used again by its next call. An error that it
 * throws is its failure if it is tagged, and a defect otherwise. It must not read through the cache itself.
 */
export type PageMap<E = never, R = never> = (
  position: number,
  length: number
) => Uint8Array | Effect.Effect<Uint8Array, E, R>

export interface PageCacheMakeOptions<E = never, R = never> extends PageCacheOptions {
  readonly map: PageMap<E, R>
  /** What errors call the device. Default: `"the device"`. */
  readonly path?: string | undefined
}

/** Some bytes of the device, at most a page: a copy. */
export interface PageSlice {
  readonly offset: number
  readonly length: number
  readonly bytes: Uint8Array
}

type IntegerOf<Bits extends string> = Bits extends "64" ? bigint : number
type Bits = "16" | "32" | "64"
type Order = "LE" | "BE" | "NE"

/**
 * The typed reads: `get`, what it is, and its byte order: little, big, or the machine's own (`NE`).
 * 64-bit integers are bigints, or, with `Safe`, numbers: beyond 2^53-1 (or below -(2^53-1)) they are
 * `InvalidArgument`.
 */
type IntegerGetters = {
  readonly [Name in "getInt8" | "getUint8"]: number
} & {
  readonly [B in Bits as `get${"Int" | "Uint"}${B}${Order}`]: IntegerOf<B>
} & {
  readonly [Name in `getSafe${"Int" | "Uint"}64${Order}`]: number
}

/** An integer's name: `getUint16LE`. */
export type IntegerGetterName = keyof IntegerGetters

export type UnsafeIntegers = {
  readonly [Name in IntegerGetterName]: (address: number) => IntegerGetters[Name]
}

/**
 * The synchronous twins: same checks, same errors, thrown. Where a page must be fetched and the device
 * can't give it at once they throw `Unsupported`: `load` it first.
 */
export interface UnsafePageCache extends UnsafeIntegers {
  readonly getBytes: (address: number, length: number) => Uint8Array
  readonly getString: (address: number, length: number) => string
  readonly blit: (address: number, destination: Uint8Array, destinationOffset: number, length: number) => void
}

/** What `unsafe` throws, beside the device's own errors. */
export type PageUnsafeError = InvalidArgument | ReadOutOfBounds | Unsupported

export type Integers<E> = {
  readonly [Name in IntegerGetterName]: (
    address: number
  ) => Effect.Effect<IntegerGetters[Name], PageReadError<E>>
}

/**
 * A page cache. Addresses and lengths are bytes, integers from 0 to 2^53-1; others are
 * `InvalidArgument`. A read that reaches beyond the device is `ReadOutOfBounds`, and nothing was read;
 * its `end` is where the device was found to end: of a file its size, of others the start of the page where
 * nothing of that page is there. `E` is what the device fails with.
 */
export interface PageCacheService<E = PageCacheIoError> extends Integers<E> {
  /** Bytes. */
  readonly pageSize: number
  /** Pages. */
  readonly cacheSize: number
  /**
   * The page that `address` lies on, from its beginning; shorter where the device ends on it.
   * Undefined where fewer than `length` bytes (default 1, at most a page) are left from `address` to
   * the end of the page; empty for a length of 0.
   */
  readonly load: (
    address: number,
    options?: { readonly length?: number | undefined }
  ) => Effect.Effect<PageSlice | undefined, E | InvalidArgument>
  /** The page behind the one that a slice is from, or undefined beyond the end. */
  readonly next: (slice: PageSlice) => Effect.Effect<PageSlice | undefined, E | InvalidArgument>
  /** A copy of `length` bytes. Runs of pages that are missing are fetched by one call, a mebibyte at most. */
  readonly getBytes: (address: number, length: number) => Effect.Effect<Uint8Array, PageReadError<E>>
  /** `length` bytes as UTF-8, where what is not UTF-8 becomes U+FFFD. */
  readonly getString: (address: number, length: number) => Effect.Effect<string, PageReadError<E>>
  /** Copies `length` bytes to `destination`, from its `destinationOffset` on. All that is copied by a read that fails is undefined. */
  readonly blit: (
    address: number,
    destination: Uint8Array,
    destinationOffset: number,
    length: number
  ) => Effect.Effect<void, PageReadError<E>>
  /**
   * Calls `f` with every byte from `address` on, `length` of them or all. Where the device ends before
   * `length`, `f` has seen what there is when it fails with `ReadOutOfBounds`.
   */
  readonly iterate: (
    address: number,
    options: { readonly length?: number | undefined },
    f: (byte: number) => void
  ) => Effect.Effect<void, PageReadError<E>>
  /** From `address` to the end of the device, a page at a time; the first slice begins at `address`. */
  readonly sequence: (address: number) => Stream.Stream<PageSlice, E | InvalidArgument>
  /**
   * Forgets exactly the pages that the range touches: whatever asks for them from now on fetches them
   * anew, and what is being fetched is not kept. Synchronous; throws `InvalidArgument`.
   */
  readonly invalidate: (offset: number, length: number) => void
  /** Whether the byte at `address` would be read without a call. Synchronous; throws `InvalidArgument`. */
  readonly isCached: (address: number) => boolean
  /** How often a page was looked for and there. */
  readonly cacheHit: () => number
  /** How often a page was looked for and not there. */
  readonly cacheMiss: () => number
  /** The pages that a range touches: at most so many calls fetch it. Synchronous; throws `InvalidArgument`. */
  readonly syscalls: (address: number, length: number) => number
  /** An empty cache over the same device, with counters of its own. */
  readonly copy: () => PageCacheService<E>
  readonly unsafe: UnsafePageCache
}
