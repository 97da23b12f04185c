/**
 * What can be done to a store, at random. Places are told in thousandths, of whatever there is when
 * a step is taken, so that every list of steps makes sense, and so does every shorter one.
 */
import { type Arbitrary, type FastCheck, oneOf } from "./fastCheck.ts"

/** How long records are, and what is read and kept of them, in bytes. */
export interface StoreSizes {
  readonly size: Arbitrary<number>
  readonly length: Arbitrary<number>
}

/** A number up to `small`, and now and then one up to `large`. */
export const oftenSmall = (fc: FastCheck, small: number, large: number): Arbitrary<number> =>
  oneOf(fc, [5, fc.nat(small)], [1, fc.nat(large)])

/** Records of some bytes. */
export const smallStoreSizes = (fc: FastCheck): StoreSizes => ({
  size: oftenSmall(fc, 40, 700),
  length: oftenSmall(fc, 60, 1500)
})

export interface StoreReadChoice {
  /** Near the end of a run or of a chunk, or anywhere. */
  readonly near: boolean
  readonly at: number
  readonly plus: number
  readonly length: number
}

/** What a writer does, collections aside. */
export type StoreWriterStep =
  | { readonly step: "append"; readonly size: number }
  | { readonly step: "appendAll"; readonly sizes: ReadonlyArray<number> }
  | { readonly step: "commit" | "rollback" | "split" }

export interface StoreCollectChoice {
  /** Between the last collection's and the committed end. */
  readonly upTo: number
  readonly live: ReadonlyArray<{ readonly at: number; readonly length: number }>
  readonly streamed: boolean
}

/** What is wrong about a collection. */
export type StoreCollectFault = "beyond" | "backwards" | "dead" | "short" | "not an offset" | "no extent"

export type StoreCollectStep =
  | { readonly step: "collect" | "dry run"; readonly choice: StoreCollectChoice }
  | { readonly step: "illegal collect"; readonly fault: StoreCollectFault; readonly at: number }

export type StoreCommandStep =
  | StoreWriterStep
  | StoreCollectStep
  | { readonly step: "reopen" | "open reader" | "refresh" }
  | {
      readonly step: "reads"
      readonly by: "writer" | "reader"
      readonly reads: ReadonlyArray<StoreReadChoice>
    }

const thousandths = (fc: FastCheck): Arbitrary<number> => fc.nat(1000)

export const storeWriterSteps = (fc: FastCheck, { size }: StoreSizes): Arbitrary<StoreWriterStep> =>
  oneOf<StoreWriterStep>(
    fc,
    [6, fc.record({ step: fc.constant("append" as const), size })],
    [3, fc.record({ step: fc.constant("appendAll" as const), sizes: fc.array(size, { maxLength: 6 }) })],
    [4, fc.record({ step: fc.constant("commit" as const) })],
    [2, fc.record({ step: fc.constantFrom("rollback" as const, "split" as const) })]
  )

export const storeCollectChoices = (fc: FastCheck, { length }: StoreSizes): Arbitrary<StoreCollectChoice> =>
  fc.record({
    upTo: oneOf(fc, [3, thousandths(fc)], [1, fc.constantFrom(0, 1000)]),
    live: oneOf<StoreCollectChoice["live"]>(
      fc,
      [1, fc.constant([])],
      [6, fc.array(fc.record({ at: thousandths(fc), length }), { maxLength: 12 })]
    ),
    streamed: fc.boolean()
  })

export const storeCollectSteps = (fc: FastCheck, sizes: StoreSizes): Arbitrary<StoreCollectStep> =>
  oneOf<StoreCollectStep>(
    fc,
    [
      3,
      fc.record({
        step: fc.constantFrom("collect" as const, "dry run" as const),
        choice: storeCollectChoices(fc, sizes)
      })
    ],
    [
      1,
      fc.record({
        step: fc.constant("illegal collect" as const),
        fault: fc.constantFrom<StoreCollectFault>(
          "beyond",
          "backwards",
          "dead",
          "short",
          "not an offset",
          "no extent"
        ),
        at: thousandths(fc)
      })
    ]
  )

export const storeReadChoices = (fc: FastCheck, { length }: StoreSizes): Arbitrary<StoreReadChoice> =>
  fc.record({
    near: fc.boolean(),
    at: oneOf(fc, [20, thousandths(fc)], [1, fc.constantFrom(-1, 0.5, NaN)]),
    plus: fc.integer({ min: -3, max: 3 }),
    length: oneOf(fc, [20, length], [4, fc.constant(0)], [1, fc.constantFrom(-1, 1.5, 2 ** 40)])
  })

/** The offset that is chosen: near one of `edges`, or anywhere up to the end. */
export const storeReadOffset = (
  { at, near, plus }: StoreReadChoice,
  edges: ReadonlyArray<number>,
  end: number
): number => {
  if (!Number.isInteger(at) || at < 0) return at
  return (near ? edges[at % edges.length] : Math.floor((end * at) / 1000)) + plus
}

export const storeSteps = (fc: FastCheck, sizes: StoreSizes): Arbitrary<StoreCommandStep> =>
  oneOf<StoreCommandStep>(
    fc,
    [20, storeWriterSteps(fc, sizes)],
    [6, storeCollectSteps(fc, sizes)],
    [6, fc.record({ step: fc.constantFrom("reopen" as const, "open reader" as const, "refresh" as const) })],
    [
      4,
      fc.record({
        step: fc.constant("reads" as const),
        by: fc.constantFrom("writer" as const, "reader" as const),
        reads: fc.array(storeReadChoices(fc, sizes), { minLength: 1, maxLength: 12 })
      })
    ]
  )
