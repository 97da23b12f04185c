/**
 * ByteSource: a large object that is read by ranges, wherever it is.
 *
 * A shape anyone can implement; it is the Reader of the sparse-fetching prototype. lacuna brings three: a
 * file, bytes in memory, and an object behind HTTP.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { InvalidArgument, SourceChanged, SourceFailed } from "../bytes/errors.ts"
import type { Io, OpenError, ReadSomeError } from "../io/Io.ts"
import { type BytesSource, makeBytesSource } from "./bytesSource.ts"
import { type FileSourceError, makeFileSource } from "./fileSource.ts"
import type { HttpSourceOptions } from "./httpSourceOptions.ts"

export type { BytesSource } from "./bytesSource.ts"
export type { FileSourceError } from "./fileSource.ts"
export type { HttpSourceOptions } from "./httpSourceOptions.ts"

export interface ByteSource<out E> {
  /** The length of the object in bytes. */
  readonly length: Effect.Effect<number, E>
  /**
   * Fills `buffer` from `offset` as far as the object goes, and gives the number of bytes: 0 at the end and beyond. An
   * offset that is no integer from 0 to 2^53-1 is a failure.
   */
  readonly readAt: (offset: number, buffer: Uint8Array) => Effect.Effect<number, E>
  /**
   * A string that changes when the object does. Where it is cheap to tell it may be asked for with every range
   * that is read.
   */
  readonly identity?: Effect.Effect<string, E> | undefined
  /**
   * Whether `identity` tells versions of the same length apart: false where it rests on nothing but the length, so
   * that what was kept of the object by an earlier process may be of another version. Where this is left out, an
   * identity is believed.
   */
  readonly isVersioned?: Effect.Effect<boolean, E> | undefined
  /**
   * Whether a range costs no more than its own bytes: false where the object only comes from its beginning on, so that only
   * reads and streams that begin at 0 can be answered, by sending everything up to their end; one stream of all
   * of it is the way to get such an object. Where this is left out, it is true.
   */
  readonly hasRanges?: Effect.Effect<boolean, E> | undefined
  /** The bytes of a range that lies within the object, in pieces of any size, by one request. */
  readonly stream?: ((offset: number, length: number) => Stream.Stream<Uint8Array, E>) | undefined
  /** How errors and logs name the object. */
  readonly name?: string | undefined
}

/** What the sources that answer over a network fail with. */
export type SourceError = InvalidArgument | SourceFailed | SourceChanged

/**
 * The sources that come with lacuna.
 *
 * ```ts
 * const program = Effect.gen(function* () {
 *   const source = yield* ByteSource.fromHttp("https://example.org/large.zip")
 *   const footer = new Uint8Array(64)
 *   yield* source.readAt((yield* source.length) - footer.length, footer)
 * })
 * ```
 */
export const ByteSource = {
  /**
   * The bytes of a file that stays as it is, until the scope ends. Its length is the size at opening; a file
   * that has another size later is `SourceChanged`. The identity is made of the size and a checksum of
   * the first and last 64 KiB; `isVersioned` is true, though what changes between them without a new size is
   * not noticed.
   */
  fromFile: (
    path: string
  ): Effect.Effect<ByteSource<FileSourceError>, OpenError | ReadSomeError, Io | Scope.Scope> =>
    makeFileSource(path),

  /**
   * Bytes in memory, which must not change: they are not copied. It can be used at once, and also be
   * yielded like the other sources. The identity is made of the length and a checksum, which is
   * computed when it is first asked for.
   */
  fromBytes: (bytes: Uint8Array, options: { readonly name?: string | undefined } = {}): BytesSource =>
    makeBytesSource(bytes, options.name ?? "bytes in memory"),

  /**
   * The object at an `http:` or `https:` URL, read by range requests. Nothing is sent before it is used.
   *
   * It is pinned to the version that is found first: the identity is made of the length and of the ETag, or
   * of Last-Modified where there is no strong ETag, as the first answer has them, and stays as it is. When the
   * server has another version, everything fails with `SourceChanged`. What the first answer doesn't tell and
   * a later one does is compared from then on. A server that tells neither gives no other sign of a change than
   * another length: `isVersioned` is false then. A server that can't send parts gives reads and streams
   * that begin at 0, of any length: `hasRanges` is false then. What is wrong
   * with a server or the way to it is `SourceFailed`, after what may pass was tried again by `schedule`. Names
   * in errors are without user, password and query; a user and password in the URL become
   * `Authorization: Basic`.
   *
   * Requests are made by the `HttpClient` of the context where it is made, and by `fetch` where there
   * is none. A client of one's own should not follow redirects.
   */
  fromHttp: (
    url: string | URL,
    options: HttpSourceOptions = {}
  ): Effect.Effect<ByteSource<SourceError>, InvalidArgument> =>
    // Loaded only by who asks for it: Effect's HTTP modules are many, and not stable yet.
    Effect.flatMap(
      Effect.promise(() => import("./httpSource.ts")),
      ({ makeHttpSource }) => makeHttpSource(url, options)
    )
}
