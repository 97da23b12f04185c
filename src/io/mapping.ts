/**
 * What can map files into memory: an interface, and the choice among those that load.
 *
 * Providers are optional packages, loaded when the first of them is asked for. Whoever finds none
 * reads instead, with the same results.
 */
import { Unsupported } from "../bytes/errors.ts"

/** A range of a file in memory. */
export interface Mapping {
  readonly bytes: Uint8Array
  /** Ends it. The bytes may be looked at afterwards, without harm, and are zeros where promised. */
  readonly release: () => void
}

/** One way to map. Nothing here outlives a truncation of the file: see `IoFile.map`. */
export interface MappingProvider {
  readonly name: "koffi" | "mmap-io"
  /** Whether stale views turn into zeros and the file is let go of at the end of the scope. */
  readonly releasesAtOnce: boolean
  /**
   * Maps `length` bytes from any `offset`; the range must lie within the file. Throws
   * `Unsupported` for ranges beyond the provider's reach, else errors with a `code`.
   */
  readonly map: (fd: number, offset: number, length: number) => Mapping
}

/** What came of an attempt to load an optional package. */
export type Loaded<A> =
  { readonly available: true; readonly value: A } | { readonly available: false; readonly reason: string }

/** Loads once, when first asked, and remembers a failure as its first line. */
export const loadOnce = <A>(load: () => A): (() => Loaded<A>) => {
  let loaded: Loaded<A> | undefined
  return () => {
    if (loaded === undefined) {
      try {
        loaded = { available: true, value: load() }
      } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause)
        loaded = { available: false, reason: text.split("\n")[0] }
      }
    }
    return loaded
  }
}

/** A mapping of no bytes, which systems refuse to make. */
export const nothingMapped: Mapping = { bytes: new Uint8Array(0), release: () => {} }

/** The range is beyond what the provider can do. */
export const beyondReach = (name: string, reason: string): Unsupported =>
  new Unsupported({ operation: "map", reason: `${name} ${reason}` })
