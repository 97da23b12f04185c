/**
 * What `appendExtents` is given, gathered into one list.
 *
 * Each extent is checked. Those of length 0 are left out; one that begins exactly where the one
 * before it ended is joined to it. The list keeps the order in which they came.
 *
 * A list of our own is not gathered but taken over: it may hold tens of millions, whose memory would
 * be held twice. Whoever made it has checked what is in it.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { InvalidArgument } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { ExtentList } from "../bytes/extentList.ts"
import { checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"

/**
 * All extents of an iterable or a stream; an `ExtentList` as it is. Fails with `InvalidArgument` when
 * one of them isn't an extent.
 */
export const gatherExtents = <E, R>(
  extents: Iterable<Extent> | Stream.Stream<Extent, E, R>
): Effect.Effect<ExtentList, E | InvalidArgument, R> =>
  Effect.suspend(() => {
    if (extents instanceof ExtentList) return Effect.succeed(extents)
    const gathering = new Gathering()
    const take = (some: Iterable<Extent>): Effect.Effect<void, InvalidArgument> =>
      attempt(() => {
        for (const { length, offset } of some) gathering.add(offset, length)
      })
    const taken: Effect.Effect<void, E | InvalidArgument, R> = Stream.isStream(extents)
      ? Stream.runForEachArray(extents as Stream.Stream<Extent, E, R>, take)
      : take(extents)
    return Effect.map(taken, () => gathering.finish())
  })

class Gathering {
  private readonly list = new ExtentList()
  /** The extent to which the next one may yet be joined; empty at first. */
  private start = 0
  private end = 0

  add(offset: number, length: number): void {
    checkRange("appendExtents", offset, length)
    if (length === 0) return
    if (offset !== this.end) {
      this.finish()
      this.start = offset
    }
    this.end = offset + length
  }

  finish(): ExtentList {
    if (this.end > this.start) this.list.push(this.start, this.end - this.start)
    return this.list
  }
}
