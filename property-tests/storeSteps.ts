/**
 * What can be done to a store of lacuna's, at random: what `lacuna/testing` does to anybody's, and what only this
 * one can, or tells of.
 */
import * as fc from "fast-check"
import {
  oftenSmall,
  smallStoreSizes,
  type StoreCollectChoice,
  storeCollectChoices,
  type StoreCollectStep,
  storeCollectSteps,
  type StoreReadChoice,
  storeReadChoices,
  type StoreSizes,
  type StoreWriterStep,
  storeWriterSteps
} from "../src/testing/commands/storeSteps.ts"

/** How large things are. */
export interface StoreScale extends StoreSizes {
  readonly chunkSizes: ReadonlyArray<number | undefined>
  readonly thresholds: ReadonlyArray<number | undefined>
  readonly steps: number
}

/** Records of some bytes: chunks are full and buffers flushed at every second step. */
export const small: StoreScale = {
  chunkSizes: [1, 7, 16, 64, 300, undefined],
  thresholds: [1, 16, 100, undefined],
  ...smallStoreSizes(fc),
  steps: 40
}

/** Chunks and prefixes of several checksummed blocks. */
export const large: StoreScale = {
  chunkSizes: [70_000, 150_000, undefined],
  thresholds: [1000, 65_536, undefined],
  size: oftenSmall(fc, 30_000, 200_000),
  length: oftenSmall(fc, 70_000, 300_000),
  steps: 14
}

export interface WriterOptions {
  readonly chunkSize: number | undefined
  readonly autoFlushThreshold: number | undefined
  readonly verifyReads: boolean
}

export interface ReadChoice extends StoreReadChoice {
  readonly how: "read" | "readInto" | "unsafe.readInto"
}

/** The same operations may also be made while a collection is under way. */
export type WriterStep =
  | StoreWriterStep
  | { readonly step: "unsafe.append"; readonly size: number }
  /** Fibers that each append one record and commit, and others that only commit, and are interrupted. */
  | {
      readonly step: "commits"
      readonly sizes: ReadonlyArray<number>
      readonly interruptedAfter: ReadonlyArray<number>
    }

/** Which instance: the writer, or a reader if there are as many. */
type Who = number

export type StoreStep =
  | WriterStep
  | StoreCollectStep
  | { readonly step: "open"; readonly clean: boolean; readonly options: WriterOptions }
  | { readonly step: "close" | "second writer" }
  | {
      readonly step: "collect meanwhile"
      readonly choice: StoreCollectChoice
      readonly meanwhile: ReadonlyArray<{ readonly yields: number; readonly then: WriterStep }>
      readonly interrupted: boolean
    }
  | { readonly step: "open reader"; readonly verifyReads: boolean }
  | { readonly step: "refresh" | "close reader" | "check"; readonly who: Who }
  | { readonly step: "backup"; readonly who: Who; readonly made: boolean }
  | { readonly step: "reads"; readonly who: Who; readonly reads: ReadonlyArray<ReadChoice> }

const who = fc.nat(3)
const yields = oftenSmall(fc, 8, 300)

export const writerOptions = (scale: StoreScale): fc.Arbitrary<WriterOptions> =>
  fc.record({
    chunkSize: fc.constantFrom(...scale.chunkSizes),
    autoFlushThreshold: fc.constantFrom(...scale.thresholds),
    verifyReads: fc.boolean()
  })

export const writerSteps = (scale: StoreScale): fc.Arbitrary<WriterStep> => {
  const { size } = scale
  const record = size.map((bytes) => bytes + 1)
  return fc.oneof(
    { weight: 15, arbitrary: storeWriterSteps(fc, scale) },
    { weight: 3, arbitrary: fc.record({ step: fc.constant("unsafe.append" as const), size }) },
    {
      weight: 1,
      arbitrary: fc.record({
        step: fc.constant("commits" as const),
        sizes: fc.array(record, { minLength: 1, maxLength: 4 }),
        interruptedAfter: fc.array(fc.nat(12), { maxLength: 3 })
      })
    }
  )
}

export const collectChoices = (scale: StoreScale): fc.Arbitrary<StoreCollectChoice> =>
  storeCollectChoices(fc, scale)

export const readLists = (scale: StoreScale): fc.Arbitrary<ReadonlyArray<ReadChoice>> => {
  const how = fc.constantFrom("read" as const, "readInto" as const, "unsafe.readInto" as const)
  const choice = fc.tuple(how, storeReadChoices(fc, scale)).map(([how, read]) => ({ how, ...read }))
  return fc.array(choice, { minLength: 1, maxLength: 12 })
}

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
    { weight: 4, arbitrary: storeCollectSteps(fc, scale) },
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
