/**
 * The reads of a page cache that may touch several pages.
 *
 * Each goes the way of a `PageRead`, and fetches what that is missing. Reads that give a number or
 * a range of bytes give all of it, or fail; those that go to the end of the device give what there is.
 */
import * as Effect from "effect/Effect"
import { InvalidArgument, ReadOutOfBounds } from "../bytes/errors.ts"
import { checkRange } from "../bytes/offset.ts"
import { readBuffer } from "../bytes/readBuffer.ts"
import { attempt } from "../io/attempt.ts"
import { synchronousTransferBytes } from "../io/Io.ts"
import type { PageReadError } from "./pageCacheService.ts"
import type { PageFetching, PageSpan } from "./pageFetching.ts"
import type { PageFrames } from "./pageFrames.ts"
import { PageRead, type PageReadTarget } from "./pageRead.ts"
import { runNow, type PageSource } from "./pageSource.ts"

/** What is read between two chances for other fibers to run. */
const sliceBytes = synchronousTransferBytes
/** What `iterate` reads at a time. */
const iteratedBytes = 1 << 16

/** A read that the device ended before. */
interface Shortfall {
  readonly target: { readonly address: number; readonly length: number }
  /** How many bytes were read. */
  readonly done: number
  readonly deviceEnd: number | undefined
}

export class PageReading<E> {
  private readonly frames: PageFrames
  private readonly fetching: PageFetching<E>
  private readonly source: PageSource<E>
  private readonly scratch: Uint8Array

  constructor(frames: PageFrames, fetching: PageFetching<E>) {
    this.frames = frames
    this.fetching = fetching
    this.source = fetching.source
    this.scratch = frames.bytes.subarray(frames.scratchAt)
  }

  /**
   * Where `size` bytes are, at most eight, that are not on one cached page: in their frame, where one page that
   * is fetched has them all, else in the scratch.
   */
  gatherNow(operation: string, address: number, size: number): number {
    checkRange(operation, address, size)
    const { fetching, frames } = this
    const target = { address, length: size, out: this.scratch, at: 0 }
    const span = { wanted: address, last: address + size - 1 }
    if (frames.pageOf(address) !== frames.pageOf(span.last) || frames.available(address) > 0) {
      this.fillNow(target)
      return frames.scratchAt
    }
    const fetched = fetching.fetchNow(span)
    const place = frames.locate(address, size)
    if (place >= 0) return place
    const read = new PageRead(frames, target)
    read.take(fetched)
    /* v8 ignore if -- @preserve A page that came whole is found in its frame, since no run is longer than the share
       of the frames that new pages have. Were that ever changed, its bytes would be right all the same: in the scratch. */
    if (read.deviceEnd === undefined) return frames.scratchAt
    return this.refuseNow(read)
  }

  getBytes(operation: string, address: number, length: number): Effect.Effect<Uint8Array, PageReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, InvalidArgument>(() => checkRange(operation, address, length))
      if (length > synchronousTransferBytes) {
        const { deviceEnd } = yield* this.fillSome(lastByteOf(address, length))
        if (deviceEnd !== undefined) {
          const found = yield* this.findEnd(address, deviceEnd)
          const done = Math.max(0, found - address)
          return yield* this.outOfBounds({ target: { address, length }, done, deviceEnd: found })
        }
      }
      const out = yield* attempt<Uint8Array, InvalidArgument>(() => readBuffer(operation, length))
      yield* this.fill(operation, { address, length, out, at: 0 })
      return out
    })
  }

  getBytesNow(operation: string, address: number, length: number): Uint8Array {
    checkRange(operation, address, length)
    if (length > synchronousTransferBytes) {
      const { deviceEnd } = this.fillSomeNow(lastByteOf(address, length))
      if (deviceEnd !== undefined) {
        const found = runNow(this.findEnd(address, deviceEnd))
        const done = Math.max(0, found - address)
        this.refuseNow({ target: { address, length }, done, deviceEnd: found })
      }
    }
    const out = readBuffer(operation, length)
    this.fillNow({ address, length, out, at: 0 })
    return out
  }

  blit(target: PageReadTarget): Effect.Effect<void, PageReadError<E>> {
    return Effect.flatMap(
      attempt<void, InvalidArgument>(() => checkDestination(target)),
      () => this.fill("blit", target)
    )
  }

  blitNow(target: PageReadTarget): void {
    checkDestination(target)
    checkRange("blit", target.address, target.length)
    this.fillNow(target)
  }

  iterate(
    address: number,
    length: number | undefined,
    f: (byte: number) => void
  ): Effect.Effect<void, PageReadError<E>> {
    return Effect.gen({ self: this }, function* () {
      yield* attempt<void, InvalidArgument>(() => checkRange("iterate", address, length ?? 0))
      const end = length === undefined ? Number.MAX_SAFE_INTEGER : address + length
      const out = new Uint8Array(Math.min(iteratedBytes, end - address))
      for (let position = address; position < end;) {
        const wanted = Math.min(out.length, end - position)
        const read = yield* this.fillSome({ address: position, length: wanted, out, at: 0 })
        // The pieces were copied: `f` may use the cache itself.
        for (let i = 0; i < read.done; i++) f(out[i])
        position += read.done
        if ((position - address) % sliceBytes === 0) yield* Effect.yieldNow
        if (read.done === wanted) continue
        const { deviceEnd } = read
        // Where the device ends all has been seen, but not where a hole begins.
        if (length === undefined) return yield* this.refuse(position)
        return yield* this.outOfBounds({ target: { address, length }, done: position - address, deviceEnd })
      }
    })
  }

  /** Fills the target, whose `at` fits, or fails. */
  private fill(operation: string, target: PageReadTarget): Effect.Effect<void, PageReadError<E>> {
    return Effect.flatMap(
      attempt<void, InvalidArgument>(() => checkRange(operation, target.address, target.length)),
      () =>
        Effect.flatMap(this.fillSome(target), (read) =>
          read.deviceEnd === undefined ? Effect.void : this.outOfBounds(read)
        )
    )
  }

  /** Fills the target as far as the device goes. */
  private fillSome(target: PageReadTarget): Effect.Effect<PageRead, E> {
    return Effect.suspend(() => {
      const read = new PageRead(this.frames, target)
      read.advance(read.position + sliceBytes)
      return read.over ? Effect.succeed(read) : this.follow(read)
    })
  }

  private follow(read: PageRead): Effect.Effect<PageRead, E> {
    return Effect.gen({ self: this }, function* () {
      let limit = read.target.address + sliceBytes
      while (!read.over) {
        if (read.position >= limit) {
          yield* Effect.yieldNow
          limit = read.position + sliceBytes
        }
        const isCached = read.advance(limit)
        if (!isCached) yield* this.fetching.fetch(spanOf(read), (fetched) => read.take(fetched))
      }
      return read
    })
  }

  /**
   * Where the device ends, or the run of `address`, given where nothing is any more. By bisection, a page at
   * a time; around holes that would mislead, and what there is of the run is gone through.
   */
  private findEnd(address: number, beyond: number): Effect.Effect<number, E> {
    const { frames, source } = this
    const { pageSize } = frames
    if (source.end !== undefined) return Effect.succeed(beyond)
    return Effect.gen({ self: this }, function* () {
      let low = frames.pageOf(address)
      if (source.refuse === undefined) {
        for (let high = frames.pageOf(beyond); low < high;) {
          const middle = low + Math.floor((high - low) / 2)
          const at = middle * pageSize
          const { done } = yield* this.fillSome({ address: at, length: 1, out: new Uint8Array(1), at: 0 })
          if (done > 0) low = middle + 1
          else high = middle
        }
        low = Math.max(0, low - 1)
      }
      const out = new Uint8Array(iteratedBytes)
      for (let position = Math.max(address, low * pageSize); ;) {
        const { deviceEnd, done } = yield* this.fillSome({
          address: position,
          length: out.length,
          out,
          at: 0
        })
        position += done
        if (deviceEnd !== undefined) return done > 0 || position > address ? position : deviceEnd
        if (position >= beyond) return beyond
      }
    })
  }

  private fillNow(target: PageReadTarget): void {
    const read = this.fillSomeNow(target)
    if (read.deviceEnd !== undefined) this.refuseNow(read)
  }

  private fillSomeNow(target: PageReadTarget): PageRead {
    const read = new PageRead(this.frames, target)
    while (!read.over) {
      if (!read.advance(Infinity)) read.take(this.fetching.fetchNow(spanOf(read)))
    }
    return read
  }

  private refuseNow(short: Shortfall): never {
    if (short.done === 0) runNow(this.refuse(short.target.address))
    throw this.beyond(short)
  }

  private outOfBounds(short: Shortfall): Effect.Effect<never, E | ReadOutOfBounds> {
    const refused = short.done > 0 ? Effect.void : this.refuse(short.target.address)
    return Effect.flatMap(refused, () =>
      attempt<never, E | ReadOutOfBounds>(() => {
        throw this.beyond(short)
      })
    )
  }

  /** Fails where `address` lies in a hole. */
  private refuse(address: number): Effect.Effect<void, E> {
    const { refuse } = this.source
    return refuse === undefined ? Effect.void : Effect.asVoid(refuse(address))
  }

  private beyond({ deviceEnd, target: { address, length } }: Shortfall): ReadOutOfBounds {
    const end = Math.min(deviceEnd!, this.source.end?.() ?? deviceEnd!)
    return new ReadOutOfBounds({ path: this.source.path, offset: address, length, end })
  }
}

const spanOf = ({ last, position }: PageRead): PageSpan => ({ wanted: position, last })

/** What is asked for first, so that nobody's wrong length makes memory be allocated. */
const lastByteOf = (address: number, length: number): PageReadTarget => ({
  address: address + length - 1,
  length: 1,
  out: new Uint8Array(1),
  at: 0
})

const checkDestination = ({ at, length, out }: PageReadTarget): void => {
  checkRange("blit", at, length)
  if (at + length > out.length) {
    const reason = `${length} bytes from ${at} on don't fit into a destination of ${out.length}`
    throw new InvalidArgument({ operation: "blit", reason })
  }
}
