/**
 * What a map of offsets of anybody's is to the commands: a few functions, of which it may leave some out; and lacuna's own.
 */
import type { Binding } from "../../bytes/extent.ts"
import { Offmap, type OffmapService } from "../../file/Offmap.ts"
import type { Answer, Engine } from "./answers.ts"

/** A map that was built. What is optional is not tried where it is missing. */
export interface OffmapAnswers {
  /** The physical offset of a byte, at the start of a binding or in it; -1 where nothing covers it. */
  readonly translate: (virtual: number) => Answer<number>
  /** The physical offset of the binding that starts there. */
  readonly find?: ((virtual: number) => Answer<number | undefined>) | undefined
  /** The binding that covers an offset. */
  readonly locate?: ((virtual: number) => Answer<Binding | undefined>) | undefined
  /** The smallest readable offset that is not below. */
  readonly next?: ((virtual: number) => Answer<number | undefined>) | undefined
  /** All bindings, ascending. */
  readonly entries?: (() => Answer<Iterable<Binding>>) | undefined
}

/** A map in the making. */
export interface OffmapBuilding {
  /**
   * Refuses with `InvalidArgument`, and does not take, what overlaps the last of those that came in ascending order;
   * other overlaps are for `build` to refuse.
   */
  readonly add: (binding: Binding) => Answer<unknown>
  /** A map of all that was added. Adding goes on afterwards, and the map stays as it is. */
  readonly build: () => Answer<OffmapAnswers>
}

export interface OffmapEngine extends Engine {
  readonly begin: () => Answer<OffmapBuilding>
}

/** lacuna's own as an engine; `made` takes each map elsewhere first, through a file for instance. */
export const lacunaOffmap = (
  made: (map: OffmapService) => Answer<OffmapAnswers> = (map) => map
): OffmapEngine => ({
  begin: () => {
    const builder = Offmap.builder()
    return {
      add: ({ length, physical, virtual }) => builder.add(virtual, physical, length),
      build: () => made(builder.build())
    }
  }
})
