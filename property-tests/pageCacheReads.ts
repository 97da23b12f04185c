/**
 * The reads of a page cache, each compared with its model: exactly where nothing has changed behind
 * the cache's back; elsewhere with all that may be seen.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { IntegerGetterName, PageSlice } from "../src/file/pageCacheService.ts"
import { attempt } from "../src/io/attempt.ts"
import {
  type PageCacheModel,
  type PageCacheModelSlice,
  pageCacheInteger,
  pageCacheIntegerBytes
} from "../src/testing/models/pageCache.ts"
import { type Outcome, outcomeOf, type PageCacheWatch, sameBytes, type Seen } from "./pageCacheWatch.ts"

export interface ReadOf {
  readonly address: number
  readonly length: number
  /** By the synchronous twin. */
  readonly now: boolean
}

/** A longer read asks for its last byte first, so that a page is looked for once more. */
const isCounted = ({ length }: ReadOf): boolean => length <= 1 << 20

/** The failure of the model, or none where it has a value. */
const failureOf = (outcome: Outcome<unknown>): string | undefined =>
  "failure" in outcome ? outcome.failure : undefined

/** The failure must be the model's; where an old end of the device may be seen, but for that. */
const sameFailure = (real: Outcome<unknown>, expected: Outcome<unknown>, { fresh }: Seen): void => {
  if (fresh) assert.deepStrictEqual(real, expected)
  else assert.strictEqual(failureOf(real), failureOf(expected))
}

const probeInteger = new DataView(new ArrayBuffer(8))

/** The bytes that an integer was read from. */
const bytesOfInteger = (name: IntegerGetterName, value: number | bigint): Uint8Array => {
  const bytes = new Uint8Array(pageCacheIntegerBytes(name))
  probeInteger.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true)
  for (let i = 0; i < bytes.length; i++) bytes[i] = probeInteger.getUint8(i)
  return pageCacheInteger(name, bytes) === value ? bytes : bytes.reverse()
}

export const readInteger = (
  watch: PageCacheWatch,
  name: IntegerGetterName,
  { address, now }: Omit<ReadOf, "length">
): Effect.Effect<unknown> => {
  const { cache, model } = watch
  const length = pageCacheIntegerBytes(name)
  const get = now
    ? attempt<number | bigint, unknown>(() => cache.unsafe[name](address))
    : (cache[name](address) as Effect.Effect<number | bigint, unknown>)
  return watch.read({ address, length, now, counted: true }, get, (real, seen) => {
    const expected = model.getInteger(name, address)
    if (seen.fresh) return assert.deepStrictEqual(real, expected, `${name} at ${address}`)
    if (!("value" in real)) return assert.include(["InvalidArgument", failureOf(expected)], real.failure)
    const bytes = bytesOfInteger(name, real.value)
    assert.strictEqual(pageCacheInteger(name, bytes), real.value, name)
    assert.isTrue(model.admits(address, bytes, seen.since), `${name} gives what was never there`)
  })
}

const compareBytes =
  (model: PageCacheModel, { address, length }: ReadOf) =>
  (real: Outcome<Uint8Array>, seen: Seen): void => {
    const expected = model.getBytes(address, length)
    if (!("value" in real)) return sameFailure(real, expected, seen)
    if (seen.fresh && "value" in expected) {
      sameBytes(real.value, expected.value, "other bytes were read")
    } else {
      assert.isFalse(seen.fresh, `${length} bytes at ${address} can't be read, and were`)
      assert.strictEqual(real.value.length, length)
      assert.isTrue(model.admits(address, real.value, seen.since), "bytes were read that were never there")
    }
    real.value.fill(0x55) // a copy, so that nobody notices
  }

export const readBytes = (watch: PageCacheWatch, read: ReadOf): Effect.Effect<unknown> => {
  const { address, length, now } = read
  const { cache, model } = watch
  const get = now
    ? attempt<Uint8Array, unknown>(() => cache.unsafe.getBytes(address, length))
    : cache.getBytes(address, length)
  return watch.read({ ...read, counted: isCounted(read) }, get, compareBytes(model, read))
}

/** Through a destination, of which the bytes around what is asked for must not be touched. */
export const readByBlit = (watch: PageCacheWatch, read: ReadOf): Effect.Effect<unknown> => {
  const { address, length, now } = read
  const { cache, model } = watch
  const destination = new Uint8Array(7 + (length > 0 && length < 2 ** 24 ? length : 0)).fill(0xaa)
  const blit = now
    ? attempt<void, unknown>(() => cache.unsafe.blit(address, destination, 3, length))
    : cache.blit(address, destination, 3, length)
  const compare = compareBytes(model, read)
  const fits = length < 2 ** 24
  return watch.read({ ...read, counted: true }, blit, (real, seen) => {
    const rest = [...destination.subarray(0, 3), ...destination.subarray(-4)]
    assert.deepStrictEqual(rest, Array<number>(7).fill(0xaa), "bytes beside the destination were touched")
    if (!fits) return assert.strictEqual(failureOf(real), "InvalidArgument")
    compare("value" in real ? { value: destination.slice(3, -4) } : real, seen)
  })
}

export const blitOutOfPlace = (watch: PageCacheWatch, address: number, offset: number): Effect.Effect<void> =>
  Effect.map(outcomeOf(watch.cache.blit(address, new Uint8Array(8), offset, 4)), (real) => {
    assert.deepStrictEqual(real, { failure: "InvalidArgument" }, "a blit beyond its destination")
  })

export const readString = (watch: PageCacheWatch, read: ReadOf): Effect.Effect<unknown> => {
  const { address, length, now } = read
  const { cache, model } = watch
  const get = now
    ? attempt<string, unknown>(() => cache.unsafe.getString(address, length))
    : cache.getString(address, length)
  return watch.read({ ...read, counted: isCounted(read) }, get, (real, seen) => {
    const expected = model.getString(address, length)
    if (!("value" in real)) sameFailure(real, expected, seen)
    else if (seen.fresh) assert.deepStrictEqual(real, expected)
  })
}

/** A slice that may be given for the page that the model's is. */
const compareSlice = (
  model: PageCacheModel,
  real: PageSlice | undefined,
  expected: PageCacheModelSlice | undefined,
  seen: Seen
): void => {
  if (real === undefined || (seen.fresh && expected === undefined)) {
    assert.strictEqual(real, expected, "a page that is there, or one that is not")
    return
  }
  assert.strictEqual(real.length, real.bytes.length)
  assert.isAtMost(real.length, model.pageSize)
  if (expected !== undefined) assert.strictEqual(real.offset, expected.offset)
  if (seen.fresh && expected !== undefined) sameBytes(real.bytes, expected.bytes, "a slice")
  else assert.isTrue(model.admits(real.offset, real.bytes, seen.since), "a slice that was never there")
  real.bytes.fill(0x55) // as above
}

export const load = (
  watch: PageCacheWatch,
  address: number,
  length: number | undefined
): Effect.Effect<Outcome<PageSlice | undefined>> => {
  const { cache, model } = watch
  const pageEnd = address - (address % model.pageSize) + model.pageSize
  const needed = Math.max(0, Math.min(length ?? 1, pageEnd - address))
  const found = model.load(address, length)
  const counted = length !== 0 && "value" in found && found.value !== undefined
  const options = length === undefined ? undefined : { length }
  return watch.read(
    { address, length: needed, now: false, counted },
    cache.load(address, options),
    (real, seen) => {
      const expected = model.load(address, length)
      if (!("value" in real) || !("value" in expected)) return assert.deepStrictEqual(real, expected)
      if (length === 0) return assert.strictEqual(real.value?.bytes.length, 0)
      const there = seen.fresh
        ? seen
        : { ...seen, fresh: model.isFresh(pageEnd - model.pageSize, model.pageSize) }
      compareSlice(model, real.value, expected.value, there)
      if (real.value !== undefined)
        assert.isAtLeast(real.value.offset + real.value.length, address + (length ?? 1))
    }
  )
}

/** The page of `address`, and as many behind it. */
export const loadOn = (watch: PageCacheWatch, address: number, count: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { cache, model } = watch
    let page = yield* load(watch, address, undefined)
    for (let i = 0; i < count && "value" in page && page.value !== undefined; i++) {
      const slice = page.value
      const address = slice.offset - (slice.offset % model.pageSize) + model.pageSize
      const read = { address, length: model.pageSize, now: false, counted: false }
      page = yield* watch.read(read, cache.next(slice), (real, seen) => {
        const expected = model.next(slice.offset)
        if (!("value" in real) || !("value" in expected)) return assert.deepStrictEqual(real, expected)
        compareSlice(model, real.value, expected.value, seen)
      })
    }
  })

export const iterate = (
  watch: PageCacheWatch,
  address: number,
  length: number | undefined
): Effect.Effect<unknown> => {
  const { cache, model } = watch
  const bytes: Array<number> = []
  const read = { address, length: length ?? Infinity, now: false, counted: false }
  const all = cache.iterate(address, length === undefined ? {} : { length }, (byte) => void bytes.push(byte))
  return watch.read(read, all, (real, seen) => {
    const { outcome, seen: expected } = model.iterate(address, length)
    const given = Uint8Array.from(bytes)
    if (seen.fresh) {
      assert.deepStrictEqual(real, outcome)
      return sameBytes(given, expected, "iterate")
    }
    if (!("value" in real)) assert.strictEqual(failureOf(real), failureOf(outcome))
    assert.isAtLeast(given.length, expected.length, "iterate ends before the device does")
    assert.isTrue(model.admits(address, given, seen.since), "iterate sees what was never there")
  })
}

export const sequence = (watch: PageCacheWatch, address: number): Effect.Effect<unknown> => {
  const { cache, model } = watch
  const all = Stream.runCollect(cache.sequence(address))
  const read = { address, length: Infinity, now: false, counted: false }
  return watch.read(read, all, (real, seen) => {
    const expected = model.sequence(address)
    if (!("value" in real) || !("value" in expected)) return assert.deepStrictEqual(real, expected)
    const slices = Array.from(real.value)
    let end = address
    for (const [i, slice] of slices.entries()) {
      assert.strictEqual(slice.offset, end, "a sequence without gaps")
      assert.isAtMost((slice.offset % model.pageSize) + slice.length, model.pageSize, "a page at a time")
      compareSlice(model, slice, seen.fresh ? expected.value[i] : undefined, seen)
      end += slice.length
    }
    if (seen.fresh) assert.strictEqual(slices.length, expected.value.length)
    if (address < model.size) assert.isAtLeast(end, model.size, "a sequence ends before the device does")
  })
}
