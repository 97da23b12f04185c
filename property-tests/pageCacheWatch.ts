/**
 * One read of a page cache, watched: what it counts is compared with the pages it touches, with those
 * that were cached before, and with what the device was asked.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert } from "vitest"
import type { PageCacheService } from "../src/file/pageCacheService.ts"
import type { PageCacheModel, PageCacheModelOutcome } from "../src/testing/models/pageCache.ts"
import { longestCallBytes, type TestDevice } from "./pageCacheDevice.ts"

export type Outcome<A> = PageCacheModelOutcome<A>

/** What an Effect gave, in the model's words; a defect is a failure too. */
export const outcomeOf = <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<Outcome<A>> =>
  Effect.map(Effect.exit(effect), (exit): Outcome<A> => {
    if (Exit.isSuccess(exit)) return { value: exit.value }
    const thrown = Cause.squash(exit.cause) as { readonly _tag?: string; readonly end?: number }
    if (!Cause.hasFails(exit.cause)) {
      assert.notStrictEqual(String(thrown), "[object Object]")
      if (thrown instanceof Error && thrown.name === "AssertionError") throw thrown
      return { failure: "defect" }
    }
    const { _tag = "untagged", end } = thrown
    return end === undefined ? { failure: _tag } : { failure: _tag, end }
  })

/** deepStrictEqual takes seconds over a megabyte. */
export const sameBytes = (real: Uint8Array, expected: Uint8Array, what: string): void => {
  if (Buffer.compare(real, expected) !== 0) assert.deepStrictEqual(real, expected, what)
}

/** Pages that may be cached, beside those of the device, where a read reaches beyond it. */
const marginPages = 40

export interface WatchedRead {
  readonly address: number
  readonly length: number
  /** Whether it is made by a synchronous twin. */
  readonly now: boolean
  /** Whether each page of the range is looked for exactly once. */
  readonly counted: boolean
}

/** What a comparison has to know of a read: whether it had to see what is there now, and its time. */
export interface Seen {
  readonly fresh: boolean
  readonly since: number
}

interface TouchedPage {
  /** The last byte of it that the read needs. */
  readonly last: number
  readonly cached: boolean
  /** Cached, but the device had ended before the last byte when it was. */
  readonly short: boolean
}

export class PageCacheWatch {
  readonly cache: PageCacheService<unknown>
  readonly model: PageCacheModel
  readonly device: TestDevice | undefined
  private readonly readAhead: number
  private largest = 0

  constructor(options: {
    readonly cache: PageCacheService<unknown>
    readonly model: PageCacheModel
    readonly device: TestDevice | undefined
    readonly readAhead: number
  }) {
    this.cache = options.cache
    this.model = options.model
    this.device = options.device
    this.readAhead = options.readAhead
  }

  /** Reads, and compares, unless the device refused or can't answer the twin at once. */
  read<A>(
    read: WatchedRead,
    effect: Effect.Effect<A, unknown>,
    compare: (real: Outcome<A>, seen: Seen) => void
  ): Effect.Effect<Outcome<A>> {
    return Effect.suspend(() => {
      const { cache, device, model } = this
      const seen = { since: model.now(), fresh: model.isFresh(read.address, read.length) }
      const pages = this.touched(read)
      const before = { hits: cache.cacheHit(), misses: cache.cacheMiss() }
      const asked = { calls: device?.calls.length ?? 0, failed: device?.failed.length ?? 0 }
      return Effect.map(outcomeOf(effect), (real) => {
        const hits = cache.cacheHit() - before.hits
        const misses = cache.cacheMiss() - before.misses
        const calls = (device?.calls.length ?? 0) - asked.calls
        assert.isAtMost(calls, misses, "calls for pages that were not missed")
        if (device !== undefined && device.failed.length > asked.failed) {
          this.comparesRefusal(real, pages, asked.failed)
        } else if ("failure" in real && real.failure === "Unsupported") {
          // Of very long reads the pages are not gone through.
          const isMissing = pages.length === 0 || pages.some(({ cached }) => !cached)
          assert.isTrue(read.now && isMissing, "a read that could have been made")
        } else {
          if ("value" in real && read.counted) this.compareCounts(pages, { hits, misses, calls })
          compare(real, seen)
        }
        return real
      })
    })
  }

  /** The pages that a read touches, as far as its range makes sense. */
  private touched({ address, length }: WatchedRead): ReadonlyArray<TouchedPage> {
    const { cache, model } = this
    this.largest = Math.max(this.largest, model.size - model.base)
    if (!Number.isSafeInteger(address) || address < 0 || !(length > 0 && length < 2 ** 24)) return []
    if (!Number.isSafeInteger(address + length)) return []
    return model.pages(address, length).map((page) => {
      const start = page * model.pageSize
      const last = Math.min(start + model.pageSize, address + length) - 1
      const cached = cache.isCached(last)
      return { last, cached, short: !cached && cache.isCached(Math.max(start, address)) }
    })
  }

  /** A call that failed is the read's failure, and nothing is remembered of it. */
  private comparesRefusal(real: Outcome<unknown>, pages: ReadonlyArray<TouchedPage>, failed: number): void {
    assert.isTrue("failure" in real, "a read succeeded though a call for it failed")
    if ("failure" in real) assert.include(["DeviceFailed", "defect"], real.failure)
    for (const { length, position } of this.device!.failed.slice(failed)) {
      for (const { cached, last } of pages) {
        if (cached || last < position || last >= position + length) continue
        assert.isFalse(this.cache.isCached(last), "a page is remembered of a call that failed")
      }
    }
  }

  private compareCounts(
    pages: ReadonlyArray<TouchedPage>,
    counts: { readonly hits: number; readonly misses: number; readonly calls: number }
  ): void {
    const { calls, hits, misses } = counts
    const grown = pages.filter(({ short }) => short).length // there at first, and then not
    assert.isAtLeast(hits + misses, pages.length, "every page looked for is a hit or a miss")
    assert.isAtMost(hits + misses, pages.length + grown, "every page is looked for once")
    const missing = pages.filter(({ cached }) => !cached).length
    if (missing === 0) assert.strictEqual(misses, 0, "what is cached is a hit")
    else assert.isAbove(misses, 0, "what is not cached is a miss")
    const mayEvict = this.largest / this.model.pageSize + marginPages > this.cache.cacheSize
    if (mayEvict) return
    if (this.readAhead === 0) assert.strictEqual(misses, missing, "misses are the pages not cached")
    else assert.isAtMost(misses, missing)
    if (this.device !== undefined) {
      assert.isAtMost(calls, this.runs(pages), "a run of missing pages takes one call")
      if (missing > 0) assert.isAbove(calls, 0)
    }
    for (const { last } of pages) assert.isTrue(this.cache.isCached(last), "what was read is cached")
  }

  /** The runs of missing pages, none longer than a call. A page that has become longer may be one. */
  private runs(pages: ReadonlyArray<TouchedPage>): number {
    const longest = Math.max(1, longestCallBytes / this.model.pageSize)
    let runs = 0
    let run = 0
    for (const { cached, short } of pages) {
      run = cached ? 0 : run + 1
      if (short && run > 1) run = 1
      if (!cached && (run - 1) % longest === 0) runs++
    }
    return runs
  }
}
