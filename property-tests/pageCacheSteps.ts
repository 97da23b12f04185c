/**
 * What can be done with a page cache, and what may happen to its device, at random. Places are told
 * in thousandths of the device as it is when a step is taken, and lengths in pages, so that every list
 * of steps makes sense, and so does every shorter one.
 */
import * as fc from "fast-check"
import type { IntegerGetterName } from "../src/file/pageCacheService.ts"
import { type PageCacheModel, pageCacheIntegers } from "../src/testing/models/pageCache.ts"
import { answerings, type CallFault, type DeviceOptions } from "./pageCacheDevice.ts"

/** An address: in or around the device, at the edge of a page or anywhere; or just a number. */
export type Place =
  | { readonly near: "anything" | "a page" | "the end"; readonly at: number; readonly plus: number }
  | { readonly exactly: number }

/** A length, in pages and bytes; or just a number. */
export type Length = { readonly pages: number; readonly plus: number } | { readonly exactly: number }

export type PageStep =
  | { readonly step: "integer"; readonly name: IntegerGetterName; readonly at: Place; readonly now: boolean }
  | {
      readonly step: "bytes" | "string" | "blit"
      readonly at: Place
      readonly length: Length
      readonly now: boolean
      /** Read again, by the other twin. */
      readonly twice: boolean
    }
  | { readonly step: "blit out of place"; readonly at: Place; readonly offset: number }
  | { readonly step: "load" | "iterate"; readonly at: Place; readonly length: Length | undefined }
  | { readonly step: "next"; readonly at: Place; readonly count: number }
  | { readonly step: "sequence"; readonly at: Place }
  | { readonly step: "invalidate" | "syscalls"; readonly at: Place; readonly length: Length }
  | { readonly step: "isCached"; readonly at: Place }
  | { readonly step: "copy"; readonly moves: boolean }
  | {
      readonly step: "write"
      readonly at: Place
      readonly length: Length
      readonly seed: number
      readonly invalidated: boolean
    }
  | { readonly step: "grow"; readonly length: Length; readonly seed: number }
  | { readonly step: "cut"; readonly length: Length; readonly invalidated: boolean }
  | { readonly step: "fault"; readonly after: number; readonly fault: CallFault }

export interface PageStory extends DeviceOptions {
  readonly pageSize: number
  readonly cacheSize: number
  readonly readAhead: number
  /** Where the bytes of the device begin. */
  readonly base: number
  readonly size: Length
  readonly seed: number
  readonly steps: ReadonlyArray<PageStep>
}

/** The address that a place is now. */
export const addressOf = (place: Place, { base, pageSize, size }: PageCacheModel): number => {
  if ("exactly" in place) return place.exactly
  const margin = 2 * pageSize
  const anything = base - margin + Math.floor((place.at * (size - base + 2 * margin)) / 1000)
  const address =
    place.near === "the end"
      ? size
      : place.near === "a page"
        ? anything - (((anything % pageSize) + pageSize) % pageSize)
        : anything
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, address + place.plus))
}

export const lengthOf = (length: Length, pageSize: number): number =>
  "exactly" in length ? length.exactly : Math.max(0, length.pages * pageSize + length.plus)

const noOffsets = [-1, 0.5, NaN, Infinity, -(2 ** 40), 2 ** 53]

const place: fc.Arbitrary<Place> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      near: fc.constantFrom("anything" as const, "anything" as const, "a page" as const, "the end" as const),
      at: fc.nat(1000),
      plus: fc.integer({ min: -9, max: 9 })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ exactly: fc.constantFrom(...noOffsets, 2 ** 53 - 1, 2 ** 53 - 5) })
  }
)

const sensible: fc.Arbitrary<Length> = fc.oneof(
  fc.record({ pages: fc.constant(0), plus: fc.nat(20) }),
  fc.record({ pages: fc.nat(6), plus: fc.integer({ min: -9, max: 9 }) })
)
const length: fc.Arbitrary<Length> = fc.oneof(
  { weight: 25, arbitrary: sensible },
  { weight: 1, arbitrary: fc.record({ exactly: fc.constantFrom(...noOffsets, 2 ** 53 - 1) }) }
)

/** What reads, and changes nothing. */
export const readSteps: fc.Arbitrary<PageStep> = (() => {
  const one = fc.constantFrom
  const now = fc.boolean()
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        step: one("integer" as const),
        name: one(...pageCacheIntegers),
        at: place,
        now
      })
    },
    {
      weight: 6,
      arbitrary: fc.record({
        step: one("bytes" as const, "string" as const, "blit" as const),
        at: place,
        length,
        now,
        twice: fc.boolean()
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        step: one("blit out of place" as const),
        at: place,
        offset: one(-1, 0.5, 5, 2 ** 53)
      })
    },
    {
      weight: 4,
      arbitrary: fc.record({
        step: one("load" as const, "iterate" as const),
        at: place,
        length: fc.option(length, { nil: undefined })
      })
    },
    { weight: 1, arbitrary: fc.record({ step: one("next" as const), at: place, count: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ step: one("sequence" as const), at: place }) },
    { weight: 1, arbitrary: fc.record({ step: one("syscalls" as const), at: place, length }) },
    { weight: 1, arbitrary: fc.record({ step: one("isCached" as const), at: place }) }
  )
})()

const otherSteps: fc.Arbitrary<PageStep> = (() => {
  const one = fc.constantFrom
  const seed = fc.nat(1_000_000)
  const invalidated = fc.boolean()
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ step: one("invalidate" as const), at: place, length }) },
    {
      weight: 3,
      arbitrary: fc.record({ step: one("write" as const), at: place, length: sensible, seed, invalidated })
    },
    { weight: 2, arbitrary: fc.record({ step: one("grow" as const), length: sensible, seed }) },
    { weight: 1, arbitrary: fc.record({ step: one("cut" as const), length: sensible, invalidated }) },
    { weight: 1, arbitrary: fc.record({ step: one("copy" as const), moves: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        step: one("fault" as const),
        after: fc.nat(2),
        fault: one<CallFault>("fails", "fails", "breaks")
      })
    }
  )
})()

const powerOfTwo = (smallest: number, largest: number): fc.Arbitrary<number> =>
  fc.integer({ min: smallest, max: largest }).map((power) => 2 ** power)

/** Where the bytes of a device begin: at 0, or around what 32 and 53 bits can hold. */
export const bases = [0, 0, 2 ** 32 - 70, 2 ** 32 + 12_345, 2 ** 40 + 7, 2 ** 53 - 2 ** 23]

export const pageStories = (options: {
  readonly bases: ReadonlyArray<number>
  readonly largestPagePower: number
  readonly maxSteps: number
}): fc.Arbitrary<PageStory> =>
  fc.record({
    pageSize: powerOfTwo(0, options.largestPagePower),
    cacheSize: fc.oneof(powerOfTwo(0, 2), powerOfTwo(3, 7)),
    readAhead: fc.oneof(fc.constant(0), fc.nat(8)),
    base: fc.constantFrom(...options.bases),
    size: fc.record({ pages: fc.nat(24), plus: fc.integer({ min: -9, max: 60 }) }),
    seed: fc.nat(1_000_000),
    answering: fc.constantFrom(...answerings),
    waits: fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }),
    steps: fc.array(fc.oneof({ weight: 5, arbitrary: readSteps }, { weight: 2, arbitrary: otherSteps }), {
      maxLength: options.maxSteps,
      size: "max"
    })
  })
