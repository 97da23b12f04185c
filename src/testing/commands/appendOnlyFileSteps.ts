/**
 * What can be done to an append-only file, at random. Ends are told in thousandths of whatever there is when a file is
 * opened, so that every list of steps makes sense, and so does every shorter one.
 */
import type { ModelProcedure } from "../models/appendOnlyFile.ts"
import type { Arbitrary, FastCheck } from "./fastCheck.ts"
import { oneOf } from "./fastCheck.ts"

/** What is tried of an engine beyond creating, opening at its end or before it, appending, reading and closing. */
export interface AppendOnlyFileFeatures {
  /** The thresholds from which on an append flushes by itself. Default 1, 16, 64, 100 and 300 bytes. */
  readonly thresholds?: ReadonlyArray<number> | undefined
  /** Creating without overwriting, which is `FileExists`. */
  readonly exclusive?: boolean | undefined
  /** Opening for reading alone, and `refreshEndPoff`. */
  readonly readonly?: boolean | undefined
  /** Headers, before offset 0. */
  readonly headers?: boolean | undefined
  /** Flush procedures of the caller's. */
  readonly procedures?: boolean | undefined
  /** Reads of what is not flushed. */
  readonly readsBuffer?: boolean | undefined
  /** What is no offset, no length and no end, which is `InvalidArgument`; ends beyond the file: `InconsistentStore`. */
  readonly wrongArguments?: boolean | undefined
  /** Writes and syncs that fail; the engine has `failWrite` and `failSync`. */
  readonly faults?: boolean | undefined
}

/** The features of lacuna's own. */
export const allAppendOnlyFileFeatures: AppendOnlyFileFeatures = {
  exclusive: true,
  readonly: true,
  headers: true,
  procedures: true,
  readsBuffer: true,
  wrongArguments: true,
  faults: true
}

interface Choices {
  readonly autoFlushThreshold: number
  readonly procedure: ModelProcedure
  readonly readsBuffer: boolean
}

export type AppendOnlyFileStep =
  | { readonly step: "append" | "unsafeAppend"; readonly size: number }
  | { readonly step: "appendAll"; readonly sizes: ReadonlyArray<number> }
  | { readonly step: "flush" | "fsync" | "close" | "failSync" }
  | {
      readonly step: "read" | "readInto" | "unsafeReadInto"
      readonly offset: number
      readonly length: number
    }
  | { readonly step: "refreshEndPoff"; readonly end: number }
  | { readonly step: "failWrite"; readonly after: number; readonly written: number }
  | { readonly step: "create"; readonly overwrite: boolean; readonly options: Choices }
  | {
      readonly step: "open"
      readonly readonly: boolean
      /** Where in the file, and beyond it: 1,000 is its size. */
      readonly endPermille: number
      readonly deadHeaderSize: number
      readonly options: Choices
    }

/** Steps that fit any state: lists of them make sense, and so does every shorter list. */
export const appendOnlyFileSteps = (
  fc: FastCheck,
  features: AppendOnlyFileFeatures = {}
): Arbitrary<AppendOnlyFileStep> => {
  const one = fc.constantFrom
  const wrong = features.wrongArguments === true ? 1 : 0
  const withHeaders = features.headers === true ? 1 : 0
  const boolean = (isTried: boolean | undefined) => (isTried === true ? fc.boolean() : fc.constant(false))

  const choices: Arbitrary<Choices> = fc.record({
    autoFlushThreshold: oneOf<number>(
      fc,
      [8, one(...(features.thresholds ?? [1, 16, 64, 100, 300]))],
      [wrong, one(0, 2 ** 53 - 1)],
      [wrong, one(-1, 0.5, 2 ** 53)]
    ),
    procedure:
      features.procedures === true
        ? one<ModelProcedure>("internal", "internal", "flushes", "does nothing", "fails")
        : fc.constant<ModelProcedure>("internal"),
    readsBuffer: boolean(features.readsBuffer)
  })
  const size = oneOf(fc, [6, fc.nat(40)], [1, fc.nat(1500)])
  const offset = oneOf<number>(
    fc,
    [8, fc.nat(400)],
    [2 * wrong, fc.integer({ min: -80, max: -1 })],
    [wrong, one(0.5, NaN, 2 ** 53 - 1, 2 ** 53, -Infinity)]
  )
  const length = oneOf<number>(fc, [8, fc.nat(200)], [2, fc.constant(0)], [wrong, one(-1, 1.5, 2 ** 53 - 1)])
  const whole = one("readInto" as const, "unsafeReadInto" as const)

  return oneOf<AppendOnlyFileStep>(
    fc,
    [6, fc.record({ step: one("append" as const), size })],
    [4, fc.record({ step: one("unsafeAppend" as const), size })],
    [3, fc.record({ step: one("appendAll" as const), sizes: fc.array(size, { maxLength: 6 }) })],
    [4, fc.record({ step: one("flush" as const, "fsync" as const) })],
    [2, fc.record({ step: one("read" as const), offset, length })],
    [4, fc.record({ step: whole, offset, length: fc.nat(200) })],
    [features.readonly === true ? 1 : 0, fc.record({ step: one("refreshEndPoff" as const), end: offset })],
    [1, fc.record({ step: one("close" as const) })],
    [features.faults === true ? 1 : 0, fc.record({ step: one("failSync" as const) })],
    [
      features.faults === true ? 2 : 0,
      fc.record({
        step: one("failWrite" as const),
        after: fc.integer({ min: 1, max: 3 }),
        written: fc.nat(50)
      })
    ],
    [
      1,
      fc.record({
        step: one("create" as const),
        overwrite: features.exclusive === true ? fc.boolean() : fc.constant(true),
        options: choices
      })
    ],
    [
      3,
      fc.record({
        step: one("open" as const),
        readonly: boolean(features.readonly),
        endPermille: oneOf<number>(
          fc,
          [3, fc.nat(1000)],
          [2, fc.constant(1000)],
          [wrong, fc.integer({ min: 1001, max: 1200 })],
          [wrong, one(-1, 0.0001)]
        ),
        deadHeaderSize: oneOf<number>(
          fc,
          [1, fc.constant(0)],
          [3 * withHeaders, one(0, 1, 16, 100)],
          [withHeaders * wrong, one(-1, 2.5, 2 ** 53 - 1)]
        ),
        options: choices
      })
    ]
  )
}
