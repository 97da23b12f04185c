/**
 * The two shapes that travel everywhere: extents of virtual space, and extents bound to a place.
 */
import type { PhysicalOffset, VirtualOffset } from "./offset.ts"

/** The half-open byte range `[offset, offset + length)` of virtual space. */
export interface Extent {
  readonly offset: VirtualOffset
  readonly length: number
}

/** An extent with the physical offset it is stored at. A length of 0 is a point binding. */
export interface Binding {
  readonly virtual: VirtualOffset
  readonly physical: PhysicalOffset
  readonly length: number
}
