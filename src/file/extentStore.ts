/**
 * ExtentStore: where pieces of a large object are kept under the offsets that they have in it.
 *
 * A shape anyone can implement; `ExtentFile` is the one that comes with lacuna. It is the Writer of the
 * sparse-fetching prototype. Three operations are needed. The others make a store that survives
 * restarts, gives back disk, and answers small reads fast; who leaves them out gets a cache that is right,
 * and slower.
 *
 * An extent is known by where it starts. Extents may overlap, and the bytes are those that were written last.
 */
import type * as Effect from "effect/Effect"
import type { SourceChanged } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"

/** The version of an object that a store's bytes are of. */
export interface SourcePin {
  /** What the source said of its version, or "" where it says nothing. */
  readonly identity: string
  /** The length of the object in bytes. */
  readonly length: number
}

export interface ExtentStore<out E> {
  /**
   * Keeps `bytes`, which the store copies or writes before it returns, as the extent that starts at
   * `offset`; an extent that started there is replaced.
   */
  readonly createExtent: (offset: number, bytes: Uint8Array) => Effect.Effect<void, E>
  /** The bytes of the extent that starts at `offset`, empty when there is none. */
  readonly readExtent: (offset: number) => Effect.Effect<Uint8Array, E>
  /** Forgets the extent that starts at `offset`. A missing one is fine. */
  readonly deleteExtent: (offset: number) => Effect.Effect<void, E>

  /** The extents that are kept, ascending. Without it only what was created through one instance is known. */
  readonly extents?: (() => Iterable<Extent>) | undefined
  /** The version that the extents are of, if they were said to be of one. */
  readonly pinned?: (() => SourcePin | undefined) | undefined
  /**
   * Says which version the extents are of. `SourceChanged` when there are some of another: `source` names
   * the object in it.
   */
  readonly pin?: ((pin: SourcePin, source: string) => Effect.Effect<void, E | SourceChanged>) | undefined
  /** Forgets every extent, and what they were of. */
  readonly clear?: Effect.Effect<void, E> | undefined
  /** Makes durable what was created and deleted before. */
  readonly flush?: Effect.Effect<void, E> | undefined
  readonly unsafe?: UnsafeExtentStore | undefined
}

/** What a store answers at once. */
export interface UnsafeExtentStore {
  /**
   * Fills `buffer` from `offset` of the object, over however many extents; false, with `buffer` in any
   * state, where not all of it is kept. Throws errors of the store's `E`.
   */
  readonly read: (offset: number, buffer: Uint8Array) => boolean
}
