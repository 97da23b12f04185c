/**
 * What can be done to an offloaded file, and to its clones, at random. Places are told in thousandths
 * of the file as it is when a step is taken, so that every list of steps makes sense, and so does every
 * shorter one.
 */
import * as fc from "fast-check"

/** An offset: in thousandths of the file, and beyond; from its end; or just a number. */
export type Place =
  { readonly at: number; readonly plus: number } | { readonly behind: number } | { readonly exactly: number }

/** What is written. */
export type Source =
  | { readonly from: "memory"; readonly length: number; readonly seed: number }
  /** A range of the backing, or the memory that it is. */
  | {
      readonly from: "range" | "alias"
      readonly at: number
      readonly length: number
    }
  /** Ranges that the backing does not have. */
  | { readonly from: "nowhere"; readonly backingOffset: number; readonly length: number }
  /** Memory that lies beside the backing in the same buffer, or reaches over its edge. */
  | { readonly from: "beside"; readonly edge: "start" | "end"; readonly length: number }

export type OffloadedStep =
  | { readonly step: "write"; readonly place: Place; readonly source: Source; readonly now: boolean }
  /** Many small writes: forwards, backwards, or in some order. */
  | {
      readonly step: "sprinkle"
      readonly place: Place
      readonly count: number
      readonly stride: number
      readonly length: number
      readonly order: "forwards" | "backwards" | "scattered"
      readonly sources: ReadonlyArray<Source["from"]>
    }
  | { readonly step: "resize"; readonly place: Place; readonly fill: number | undefined }
  | { readonly step: "truncate" | "flush" | "clone" | "close" | "materialise" }
  | { readonly step: "seek"; readonly from: "start" | "end" | "current"; readonly offset: number }
  | { readonly step: "cursor read"; readonly length: number }
  | { readonly step: "cursor write"; readonly source: Source }
  | { readonly step: "cursor"; readonly clamp: boolean }
  | { readonly step: "read"; readonly place: Place; readonly length: number; readonly now: boolean }
  | { readonly step: "grow backing"; readonly length: number; readonly seed: number }

/** A step is taken by one of the files there are. */
export interface OffloadedTurn {
  readonly who: number
  readonly cursor: number
  readonly then: OffloadedStep
}

/** How large things are. */
export interface OffloadedScale {
  readonly backingBytes: number
  readonly length: fc.Arbitrary<number>
  readonly limit: fc.Arbitrary<number | undefined>
  /** The most writes of a sprinkle, and the most bytes between them. */
  readonly sprinkled: number
  readonly stride: number
  /** How much more often something is written than cut off. */
  readonly writes: number
  readonly minTurns: number
  readonly maxTurns: number
}

export interface OffloadedStory {
  readonly backingKind: "memory" | "file"
  readonly limit: number | undefined
  /** A limiter that was made before, instead of a number. */
  readonly shared: boolean
  readonly turns: ReadonlyArray<OffloadedTurn>
}

/** Tens of bytes: every constellation of extents comes up. */
export const small: OffloadedScale = {
  backingBytes: 40,
  length: fc.nat(14),
  limit: fc.option(fc.nat(60), { nil: undefined }),
  sprinkled: 6,
  stride: 20,
  writes: 3,
  minTurns: 1,
  maxTurns: 40
}

/** Hundreds of kilobytes, in thousands of extents, and pieces above 64 KiB. */
export const large: OffloadedScale = {
  backingBytes: 300_000,
  length: fc.oneof(
    { weight: 6, arbitrary: fc.nat(300) },
    { weight: 3, arbitrary: fc.nat(9_000) },
    { weight: 2, arbitrary: fc.integer({ min: 60_000, max: 140_000 }) }
  ),
  limit: fc.option(fc.integer({ min: 100_000, max: 1_500_000 }), { nil: undefined }),
  sprinkled: 1500,
  stride: 200,
  writes: 30,
  minTurns: 30,
  maxTurns: 60
}

const sources = ({ backingBytes, length }: OffloadedScale): fc.Arbitrary<Source> => {
  const one = fc.constantFrom
  return fc.oneof(
    { weight: 8, arbitrary: fc.record({ from: one("memory" as const), length, seed: fc.nat(1_000_000) }) },
    {
      weight: 8,
      arbitrary: fc.record({ from: one("range" as const, "alias" as const), at: fc.nat(1000), length })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        from: one("nowhere" as const),
        backingOffset: one(-1, 0.5, NaN, backingBytes * 3, 2 ** 53),
        length: fc.integer({ min: 1, max: 5 })
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        from: one("beside" as const),
        edge: one("start" as const, "end" as const),
        length: fc.integer({ min: 2, max: 12 })
      })
    }
  )
}

const places = ({ length }: OffloadedScale): fc.Arbitrary<Place> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.record({ at: fc.nat(1000), plus: fc.integer({ min: -2, max: 2 }) }) },
    { weight: 5, arbitrary: fc.record({ behind: fc.oneof(fc.constant(0), length) }) },
    {
      weight: 1,
      arbitrary: fc.record({ exactly: fc.constantFrom(-1, 0.5, NaN, Infinity, 2 ** 53, 0, 0) })
    }
  )

const writing = (scale: OffloadedScale): fc.Arbitrary<OffloadedStep> => {
  const one = fc.constantFrom
  const place = places(scale)
  const from = one<Source["from"]>("memory", "memory", "range", "alias")
  return fc.oneof(
    {
      weight: 4 * scale.writes,
      arbitrary: fc.record({ step: one("write" as const), place, source: sources(scale), now: fc.boolean() })
    },
    {
      weight: scale.writes,
      arbitrary: fc.record({
        step: one("sprinkle" as const),
        place,
        count: fc.integer({ min: 1, max: scale.sprinkled }),
        stride: fc.nat(scale.stride),
        length: fc.integer({ min: 1, max: 24 }),
        order: one("forwards" as const, "backwards" as const, "scattered" as const),
        sources: fc.array(from, { minLength: 1, maxLength: 3 })
      })
    },
    {
      weight: 3,
      arbitrary: fc.record({
        step: one("resize" as const),
        place,
        fill: fc.oneof(
          { weight: 6, arbitrary: one(undefined, 0, 7, 255) },
          { weight: 1, arbitrary: one(-1, 256, 0.5, NaN) }
        )
      })
    },
    { weight: 1, arbitrary: fc.record({ step: one("truncate" as const, "flush" as const) }) }
  )
}

const others = (scale: OffloadedScale): fc.Arbitrary<OffloadedStep> => {
  const one = fc.constantFrom
  const { length } = scale
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        step: one("seek" as const),
        from: one("start" as const, "end" as const, "current" as const),
        offset: fc.oneof(
          { weight: 8, arbitrary: fc.tuple(length, fc.boolean()).map(([n, back]) => (back ? -n : n)) },
          { weight: 1, arbitrary: one(-(2 ** 40), 0.5, NaN, 2 ** 53) }
        )
      })
    },
    { weight: 2, arbitrary: fc.record({ step: one("cursor read" as const), length }) },
    { weight: 3, arbitrary: fc.record({ step: one("cursor write" as const), source: sources(scale) }) },
    { weight: 1, arbitrary: fc.record({ step: one("cursor" as const), clamp: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({ step: one("read" as const), place: places(scale), length, now: fc.boolean() })
    },
    {
      weight: 2,
      arbitrary: fc.record({ step: one("grow backing" as const), length, seed: fc.nat(1_000_000) })
    },
    { weight: 2, arbitrary: fc.record({ step: one("clone" as const) }) },
    { weight: 1, arbitrary: fc.record({ step: one("close" as const, "materialise" as const) }) }
  )
}

export const offloadedStories = (scale: OffloadedScale): fc.Arbitrary<OffloadedStory> =>
  fc.record({
    backingKind: fc.constantFrom("memory" as const, "file" as const),
    limit: scale.limit,
    shared: fc.boolean(),
    turns: fc.array(
      fc.record({
        who: fc.nat(3),
        cursor: fc.nat(2),
        then: fc.oneof({ weight: 3, arbitrary: writing(scale) }, { weight: 2, arbitrary: others(scale) })
      }),
      { minLength: scale.minTurns, maxLength: scale.maxTurns, size: "max" }
    )
  })
