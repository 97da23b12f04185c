/**
 * The reads of a page cache that give a page, or what there is of it.
 *
 * A slice is a copy: what shows a frame would change when its page makes room for another.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { InvalidArgument } from "../bytes/errors.ts"
import { checkOffset, checkRange } from "../bytes/offset.ts"
import { attempt } from "../io/attempt.ts"
import type { PageSlice } from "./pageCacheService.ts"
import type { PageFetching } from "./pageFetching.ts"
import type { PageFrames } from "./pageFrames.ts"
import type { FetchedBytes, PageSource } from "./pageSource.ts"

export class PageSlices<E> {
  private readonly frames: PageFrames
  private readonly fetching: PageFetching<E>
  private readonly source: PageSource<E>

  constructor(frames: PageFrames, fetching: PageFetching<E>) {
    this.frames = frames
    this.fetching = fetching
    this.source = fetching.source
  }

  load(address: number, length = 1): Effect.Effect<PageSlice | undefined, E | InvalidArgument> {
    const { pageSize } = this.frames
    return Effect.flatMap(
      attempt<void, InvalidArgument>(() => checkLoad(address, length, pageSize)),
      () => {
        if (length === 0) return Effect.succeed(sliceOf(address, new Uint8Array(0)))
        const start = this.frames.pageOf(address) * pageSize
        return address + length > start + pageSize ? Effect.undefined : this.loadPage(start, address, length)
      }
    )
  }

  next(slice: PageSlice): Effect.Effect<PageSlice | undefined, E | InvalidArgument> {
    return Effect.flatMap(
      attempt<void, InvalidArgument>(() => checkOffset("next", "offset", slice.offset)),
      () => {
        const start = (this.frames.pageOf(slice.offset) + 1) * this.frames.pageSize
        return start >= Number.MAX_SAFE_INTEGER ? Effect.undefined : this.loadPage(start, start, 1)
      }
    )
  }

  sequence(address: number): Stream.Stream<PageSlice, E | InvalidArgument> {
    return Stream.paginate(address, (position) =>
      Effect.map(this.load(position), (slice) => {
        if (slice === undefined) return [[], Option.none<number>()] as const
        const end = slice.offset + slice.length
        const next = end < Number.MAX_SAFE_INTEGER ? Option.some(end) : Option.none<number>()
        return [[sliceFrom(slice, position)], next] as const
      })
    )
  }

  /** What is there of the page that begins at `start`, if that has `length` bytes from `address` on. */
  private loadPage(start: number, address: number, length: number): Effect.Effect<PageSlice | undefined, E> {
    const { frames } = this
    const take = ({ bytes, position }: FetchedBytes): PageSlice | undefined => {
      const from = Math.max(position, start)
      const until = Math.min(position + bytes.length, start + frames.pageSize)
      const isThere = from <= address && address + length <= until
      return isThere ? sliceOf(from, bytes.subarray(from - position, until - position)) : undefined
    }
    return Effect.suspend(() => {
      if (frames.place(address, length) >= 0) return Effect.succeed(take(frames.window(address)))
      const span = { wanted: address, last: address + length - 1 }
      return Effect.flatMap(this.fetching.fetch(span, take), (slice) =>
        slice === undefined ? this.refuse(address) : Effect.succeed(slice)
      )
    })
  }

  /** A hole at the address itself is refused; too few bytes are merely not enough. */
  private refuse(address: number): Effect.Effect<undefined, E> {
    const { refuse } = this.source
    return refuse === undefined ? Effect.undefined : Effect.as(refuse(address), undefined)
  }
}

/** A slice of its own memory. */
const sliceOf = (offset: number, bytes: Uint8Array): PageSlice => ({
  offset,
  length: bytes.length,
  bytes: new Uint8Array(bytes)
})

/** The part of a slice from `address` on, which lies within it. */
const sliceFrom = ({ bytes, length, offset }: PageSlice, address: number): PageSlice => ({
  offset: address,
  length: offset + length - address,
  bytes: bytes.subarray(address - offset)
})

const checkLoad = (address: number, length: number, pageSize: number): void => {
  checkRange("load", address, length)
  if (length > pageSize) {
    const reason = `${length} bytes are more than a page, which has ${pageSize}`
    throw new InvalidArgument({ operation: "load", reason })
  }
}
