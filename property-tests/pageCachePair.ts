/**
 * A page cache beside its model: every step is taken by both.
 */
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import type { PageCacheService } from "../src/file/pageCacheService.ts"
import { attempt } from "../src/io/attempt.ts"
import type { PageCacheModel } from "../src/testing/models/pageCache.ts"
import { deviceBytes, type TestDevice } from "./pageCacheDevice.ts"
import {
  blitOutOfPlace,
  iterate,
  load,
  loadOn,
  readByBlit,
  readBytes,
  readInteger,
  readString,
  sequence
} from "./pageCacheReads.ts"
import { addressOf, lengthOf, type PageStep } from "./pageCacheSteps.ts"
import { type Outcome, outcomeOf, PageCacheWatch } from "./pageCacheWatch.ts"

/** What lies behind the cache, as the steps change it beside the model. */
export interface Behind {
  readonly write: (offset: number, bytes: Uint8Array) => Effect.Effect<void>
  readonly truncate: (size: number) => Effect.Effect<void>
  /** Of a device that counts its calls. */
  readonly device: TestDevice | undefined
}

export interface PairOptions {
  readonly model: PageCacheModel
  readonly cache: PageCacheService<unknown>
  readonly behind: Behind
  readonly readAhead: number
}

/** A write further behind the end is left out: nobody has the memory for what would lie between. */
const maxGapPages = 30

type BytesStep = Extract<PageStep, { readonly twice: boolean }>

export class PageCachePair {
  private readonly model: PageCacheModel
  private readonly behind: Behind
  private readonly readAhead: number
  private watch: PageCacheWatch

  constructor({ behind, cache, model, readAhead }: PairOptions) {
    this.model = model
    this.behind = behind
    this.readAhead = readAhead
    this.watch = this.watchOf(cache)
  }

  take(step: PageStep): Effect.Effect<unknown> {
    const { model, watch } = this
    const address = "at" in step ? addressOf(step.at, model) : 0
    const given = "length" in step ? step.length : undefined
    const length = given === undefined ? 0 : lengthOf(given, model.pageSize)
    switch (step.step) {
      case "integer":
        return readInteger(watch, step.name, { address, now: step.now })
      case "bytes":
      case "string":
      case "blit":
        return this.read(step, address, length)
      case "blit out of place":
        return blitOutOfPlace(watch, address, step.offset)
      case "load":
        return load(watch, address, given === undefined ? undefined : length)
      case "iterate":
        return iterate(watch, address, given === undefined ? undefined : length)
      case "next":
        return loadOn(watch, address, step.count)
      case "sequence":
        return sequence(watch, address)
      case "invalidate":
        return this.invalidate(address, length)
      case "syscalls":
        return same(() => watch.cache.syscalls(address, length), model.syscalls(address, length))
      case "isCached":
        return this.isCached(address)
      case "copy":
        return Effect.sync(() => this.copy(step.moves))
      case "write":
        return this.write(Math.max(model.base, address), deviceBytes(length, step.seed), step.invalidated)
      case "grow":
        return this.write(model.size, deviceBytes(length, step.seed), false)
      case "cut":
        return this.cut(length, step.invalidated)
      case "fault":
        return Effect.sync(() => {
          if (this.behind.device !== undefined) this.behind.device.faults[step.after] = step.fault
        })
    }
  }

  private watchOf(cache: PageCacheService<unknown>): PageCacheWatch {
    const { behind, model, readAhead } = this
    return new PageCacheWatch({ cache, model, device: behind.device, readAhead })
  }

  private read({ now, step, twice }: BytesStep, address: number, length: number): Effect.Effect<unknown> {
    const reads = { bytes: readBytes, string: readString, blit: readByBlit }
    const read = (now: boolean) => reads[step](this.watch, { address, length, now })
    return twice
      ? Effect.andThen(
          read(now),
          Effect.suspend(() => read(!now))
        )
      : read(now)
  }

  /** Exactly the pages that the range touches are forgotten. */
  private invalidate(offset: number, length: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { model, watch } = this
      const cached = this.cachedPages()
      const expected = model.invalidate(offset, length)
      if ("value" in expected) this.behind.device?.invalidated(offset, length)
      return Effect.map(
        same(() => watch.cache.invalidate(offset, length), expected),
        () => {
          const first = Math.floor(offset / model.pageSize)
          const count = "value" in expected ? watch.cache.syscalls(offset, length) : 0
          const kept = count === 0 ? cached : cached.filter((page) => page < first || page >= first + count)
          assert.deepStrictEqual(this.cachedPages(), kept, "the pages that stay after an invalidation")
        }
      )
    })
  }

  private cachedPages(): ReadonlyArray<number> {
    const { base, size } = this.model
    const pages = this.model.pages(base, Math.max(1, size - base))
    return pages.filter((page) => this.watch.cache.isCached(page * this.model.pageSize))
  }

  private isCached(address: number): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const { model, watch } = this
      const { cache } = watch
      if (!Number.isSafeInteger(address) || address < 0) {
        return same(() => cache.isCached(address), { failure: "InvalidArgument" })
      }
      const counts = [cache.cacheHit(), cache.cacheMiss(), this.behind.device?.calls.length]
      const cached = cache.isCached(address)
      assert.deepStrictEqual([cache.cacheHit(), cache.cacheMiss(), this.behind.device?.calls.length], counts)
      if (cached && model.isFresh(address, 1))
        assert.isBelow(address, model.size, "nothing is cached beyond the end")
      return readInteger(watch, "getUint8", { address, now: cached })
    })
  }

  private copy(moves: boolean): void {
    const { cache } = this.watch
    const counts = [cache.cacheHit(), cache.cacheMiss()]
    const copy = cache.copy()
    assert.deepStrictEqual([copy.cacheHit(), copy.cacheMiss()], [0, 0], "a copy has counters of its own")
    assert.deepStrictEqual([cache.cacheHit(), cache.cacheMiss()], counts)
    assert.deepStrictEqual([copy.pageSize, copy.cacheSize], [cache.pageSize, cache.cacheSize])
    const before = this.watch
    this.watch = this.watchOf(copy)
    assert.deepStrictEqual(this.cachedPages(), [], "a copy is empty")
    if (moves) this.model.invalidate(0, Number.MAX_SAFE_INTEGER)
    else this.watch = before
  }

  /** Changes bytes behind the cache's back, or adds some. */
  private write(offset: number, bytes: Uint8Array, invalidated: boolean): Effect.Effect<void> {
    const isFar = offset > this.model.size + maxGapPages * this.model.pageSize
    if (bytes.length === 0 || isFar || !Number.isSafeInteger(offset + bytes.length)) return Effect.void
    this.model.write(offset, bytes)
    return Effect.andThen(
      this.behind.write(offset, bytes),
      invalidated ? this.invalidate(offset, bytes.length) : Effect.void
    )
  }

  private cut(length: number, invalidated: boolean): Effect.Effect<void> {
    const { model } = this
    const { size } = model
    const end = Math.max(model.base, size - length)
    model.truncate(end)
    return Effect.andThen(
      this.behind.truncate(end),
      invalidated ? this.invalidate(end, size - end) : Effect.void
    )
  }
}

const same = <A>(real: () => A, expected: Outcome<A>): Effect.Effect<void> =>
  Effect.map(outcomeOf(attempt<A, unknown>(real)), (outcome) => assert.deepStrictEqual(outcome, expected))
