/**
 * What can be done to a store, at random. Places are told in thousandths, of whatever there is when
 * a step is taken, so that every list of steps makes sense, and so does every shorter one.
 */
import * as fc from "fast-check"

/** How large things are. */
export interface StoreScale {
  readonly chunkSizes: ReadonlyArray<number | undefined>
  readonly thresholds: ReadonlyArray<number | undefined>
  readonly size: fc.Arbitrary<number>
  readonly length: fc.Arbitrary<number>
  readonly steps: number
}

const oftenSmall = (small: number, large: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 5, arbitrary: fc.nat(small) }, { weight: 1, arbitrary: fc.nat(large) })

/** Records of some bytes: chunks are full and buffers flushed at every second step. */
export const small: StoreScale = {
  chunkSizes: [1, 7, 16, 64, 300, undefined],
  thresholds: [1, 16, 100, undefined],
  size: oftenSmall(40, 700),
  length: oftenSmall(60, 1500),
  steps: 40
}

/** Chunks and prefixes of several checksummed blocks. */
export const large: StoreScale = {
  chunkSizes: [70_000, 150_000, undefined],
  thresholds: [1000, 65_536, undefined],
  size: oftenSmall(30_000, 200_000),
  length: oftenSmall(70_000, 300_000),
  steps: 14
}

export interface WriterOptions {
  readonly chunkSize: number | undefined
  readonly autoFlushThreshold: number | undefined
  readonly verifyReads: boolean
}

export interface ReadChoice {
  readonly how: "read" | "readInto" | "unsafe.readInto"
  /** Near the end of a run or of a chunk, or anywhere. */
  readonly near: boolean
  readonly at: number
  readonly plus: number
  readonly length: number
}

/** The same operations may also be made while a collection is under way. */
export type WriterStep =
  | { readonly step: "append" | "unsafe.append"; readonly size: number }
  | { readonly step: "appendAll"; readonly sizes: ReadonlyArray<number> }
  | { readonly step: "commit" | "rollback" | "split" }
  /** Fibers that each append one record and commit, and others that only commit, and are interrupted. */
  | {
      readonly step: "commits"
      readonly sizes: ReadonlyArray<number>
      readonly interruptedAfter: ReadonlyArray<number>
    }

export interface CollectChoice {
  /** Between the last collection's and the committed end. */
  readonly upTo: number
  readonly live: ReadonlyArray<{ readonly at: number; readonly length: number }>
  readonly streamed: boolean
}

/** What is wrong about a collection. */
export type CollectFault = "beyond" | "backwards" | "dead" | "short" | "not an offset" | "no extent"

/** Which instance: the writer, or a reader if there are as many. */
type Who = number

export type StoreStep =
  | WriterStep
  | { readonly step: "open"; readonly clean: boolean; readonly options: WriterOptions }
  | { readonly step: "close" | "second writer" }
  | { readonly step: "collect" | "dry run"; readonly choice: CollectChoice }
  | {
      readonly step: "collect meanwhile"
      readonly choice: CollectChoice
      readonly meanwhile: ReadonlyArray<{ readonly yields: number; readonly then: WriterStep }>
      readonly interrupted: boolean
    }
  | { readonly step: "illegal collect"; readonly fault: CollectFault; readonly at: number }
  | { readonly step: "open reader"; readonly verifyReads: boolean }
  | { readonly step: "refresh" | "close reader" | "check"; readonly who: Who }
  | { readonly step: "backup"; readonly who: Who; readonly made: boolean }
  | { readonly step: "reads"; readonly who: Who; readonly reads: ReadonlyArray<ReadChoice> }

const thousandths = fc.nat(1000)
const who = fc.nat(3)
const yields = oftenSmall(8, 300)

export const writerOptions = (scale: StoreScale): fc.Arbitrary<WriterOptions> =>
  fc.record({
    chunkSize: fc.constantFrom(...scale.chunkSizes),
    autoFlushThreshold: fc.constantFrom(...scale.thresholds),
    verifyReads: fc.boolean()
  })

export const writerSteps = ({ size }: StoreScale): fc.Arbitrary<WriterStep> => {
  const one = fc.constantFrom
  const record = size.map((bytes) => bytes + 1)
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ step: one("append" as const), size }) },
    { weight: 3, arbitrary: fc.record({ step: one("unsafe.append" as const), size }) },
    {
      weight: 3,
      arbitrary: fc.record({ step: one("appendAll" as const), sizes: fc.array(size, { maxLength: 6 }) })
    },
    { weight: 4, arbitrary: fc.record({ step: one("commit" as const) }) },
    { weight: 2, arbitrary: fc.record({ step: one("rollback" as const, "split" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        step: one("commits" as const),
        sizes: fc.array(record, { minLength: 1, maxLength: 4 }),
        interruptedAfter: fc.array(fc.nat(12), { maxLength: 3 })
      })
    }
  )
}

export const collectChoices = ({ length }: StoreScale): fc.Arbitrary<CollectChoice> =>
  fc.record({
    upTo: fc.oneof({ weight: 3, arbitrary: thousandths }, { weight: 1, arbitrary: fc.constantFrom(0, 1000) }),
    live: fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 6, arbitrary: fc.array(fc.record({ at: thousandths, length }), { maxLength: 12 }) }
    ),
    streamed: fc.boolean()
  })

export const readLists = ({ length }: StoreScale): fc.Arbitrary<ReadonlyArray<ReadChoice>> =>
  fc.array(
    fc.record({
      how: fc.constantFrom("read" as const, "readInto" as const, "unsafe.readInto" as const),
      near: fc.boolean(),
      at: fc.oneof(
        { weight: 20, arbitrary: thousandths },
        { weight: 1, arbitrary: fc.constantFrom(-1, 0.5, NaN) }
      ),
      plus: fc.integer({ min: -3, max: 3 }),
      length: fc.oneof(
        { weight: 20, arbitrary: length },
        { weight: 4, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.constantFrom(-1, 1.5, 2 ** 40) }
      )
    }),
    { minLength: 1, maxLength: 12 }
  )

const steps = (scale: StoreScale): fc.Arbitrary<StoreStep> => {
  const one = fc.constantFrom
  const choice = collectChoices(scale)
  return fc.oneof(
    { weight: 20, arbitrary: writerSteps(scale) },
    {
      weight: 2,
      arbitrary: fc.record({
        step: one("open" as const),
        clean: fc.boolean(),
        options: writerOptions(scale)
      })
    },
    { weight: 1, arbitrary: fc.record({ step: one("close" as const, "second writer" as const) }) },
    { weight: 3, arbitrary: fc.record({ step: one("collect" as const, "dry run" as const), choice }) },
    {
      weight: 2,
      arbitrary: fc.record({
        step: one("collect meanwhile" as const),
        choice,
        meanwhile: fc.array(fc.record({ yields, then: writerSteps(scale) }), { maxLength: 5 }),
        interrupted: fc.boolean()
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        step: one("illegal collect" as const),
        fault: one<CollectFault>("beyond", "backwards", "dead", "short", "not an offset", "no extent"),
        at: thousandths
      })
    },
    {
      weight: 2,
      arbitrary: fc.record({ step: one("open reader" as const), verifyReads: fc.boolean() })
    },
    {
      weight: 4,
      arbitrary: fc.record({
        step: one("refresh" as const, "refresh" as const, "close reader" as const, "check" as const),
        who
      })
    },
    { weight: 1, arbitrary: fc.record({ step: one("backup" as const), who, made: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ step: one("reads" as const), who, reads: readLists(scale) }) }
  )
}

/** `size: "max"`: fast-check's own idea of a long list is ten. */
export const storeStories = (scale: StoreScale): fc.Arbitrary<ReadonlyArray<StoreStep>> =>
  fc.array(steps(scale), { maxLength: scale.steps, size: "max" })

export const writerStories = (scale: StoreScale): fc.Arbitrary<ReadonlyArray<WriterStep>> =>
  fc.array(writerSteps(scale), { minLength: 1, maxLength: scale.steps, size: "max" })
