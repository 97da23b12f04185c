/**
 * Sparse files of anybody's, held against the model by fast-check.
 *
 * ```ts
 * const commands = fc.commands([sparseFileCommands(fc)])
 * await fc.assert(fc.asyncProperty(commands, (list) =>
 *   fc.asyncModelRun(() => sparseFileSetup(myEngine()), list)))
 * ```
 *
 * A file is made of pieces of a source, promoted, and read: every byte that is live at its old offset, and everything
 * else refused in the same words. A file that is given up, or can't be promoted, makes room for the next.
 */
import type { Binding, Extent } from "../../bytes/extent.ts"
import { pattern } from "../ioLaw.ts"
import { checkEqual, LawBroken } from "../law.ts"
import { SparseFileModel } from "../models/sparseFile.ts"
import { type Answer, checkOutcome, type Engine, type Outcome, outcomeOf } from "./answers.ts"
import type { Arbitrary, FastCheck } from "./fastCheck.ts"
import { commandOf, type ModelCommand, type ModelSetup, stepName } from "./modelCommand.ts"
import type { SparseFileEngine, SparseFileReading, SparseFileWriting } from "./sparseFileEngine.ts"
import {
  type SparseFileScale,
  type SparseFileStep,
  sparseFileSteps,
  type SparseFileWritingStep,
  smallSparseFiles
} from "./sparseFileSteps.ts"

export interface SparseFileFeatures {
  /** How large things are. Default: some hundred bytes. */
  readonly scale?: SparseFileScale | undefined
}

/** The model's side. */
export class SparseFileState {
  readonly source: Uint8Array
  file: SparseFileModel
  isPromoted = false

  constructor(source: Uint8Array, maxGap: number) {
    this.source = source
    this.file = sparseFileModel(source, maxGap)
  }
}

/** The engine's side. */
export interface SparseFileReal {
  readonly engine: SparseFileEngine
  writing: SparseFileWriting
  reading: SparseFileReading | undefined
}

/** A model with room for whatever the steps do with a source. */
export const sparseFileModel = (source: Uint8Array, maxGap: number): SparseFileModel =>
  new SparseFileModel(source.length * 2 + 1000, maxGap)

const created = async (
  engine: SparseFileEngine,
  maxGap: number,
  source: Uint8Array
): Promise<SparseFileWriting> => {
  const outcome = await outcomeOf(engine, () => engine.create({ maxGap, source }))
  if (!("value" in outcome)) throw new LawBroken(`create: ${outcome.failure}`)
  return outcome.value
}

/** What a run begins with: a new file that fuses what lies at most 32 bytes apart. */
export const sparseFileSetup = async (
  engine: SparseFileEngine,
  { scale = smallSparseFiles }: SparseFileFeatures = {}
): Promise<ModelSetup<SparseFileState, SparseFileReal>> => {
  const source = pattern(scale.sourceBytes)
  const writing = await created(engine, 32, source)
  return { model: new SparseFileState(source, 32), real: { engine, writing, reading: undefined } }
}

/** Bindings and extents as a list that can be compared. */
const plain = (outcome: Outcome<Iterable<Binding | Extent>>): Outcome<unknown> => {
  if (!("value" in outcome)) return outcome
  const one = (given: Binding | Extent) =>
    "virtual" in given
      ? { virtual: given.virtual, physical: given.physical, length: given.length }
      : { offset: given.offset, length: given.length }
  return { value: Array.from(outcome.value, one) }
}

/** Takes a step of writing on both sides, and compares what has been written. */
export const takeSparseFileWriting = async (
  step: SparseFileWritingStep,
  { file, source }: { readonly file: SparseFileModel; readonly source: Uint8Array },
  { engine, writing }: { readonly engine: Engine; readonly writing: Omit<SparseFileWriting, "open"> }
): Promise<void> => {
  const same = async (ask: () => Answer<unknown>, expected: () => Outcome<unknown>): Promise<void> => {
    const found = await outcomeOf(engine, ask)
    const wanted = expected()
    // What an engine doesn't tell of what it wrote isn't asked for.
    const silent = "value" in found && found.value === undefined && "value" in wanted
    checkOutcome(found, silent ? { value: undefined } : wanted, stepName(step))
  }
  const appendBytes = writing.appendBytes?.bind(writing)
  const appendFrom = writing.appendFrom?.bind(writing)
  const mapAdd = writing.mapAdd?.bind(writing)
  const currentOffset = writing.currentOffset?.bind(writing)
  const entries = writing.entries?.bind(writing)
  switch (step.step) {
    case "appendBytes": {
      if (appendBytes === undefined) return
      const bytes = pattern(step.length, 99)
      await same(
        () => appendBytes(bytes),
        () => file.appendBytes(bytes)
      )
      bytes.fill(0) // the engine's are a copy
      break
    }
    case "appendFrom":
      if (appendFrom === undefined) return
      await same(
        () => appendFrom(step.extent, step.updateMap),
        () => file.appendFrom(source, step.extent, step.updateMap)
      )
      break
    case "mapAdd": {
      if (mapAdd === undefined) return
      const { length, physical, virtual } = step
      await same(
        () => mapAdd({ virtual, physical, length }),
        () => file.mapAdd(virtual, physical, length)
      )
      break
    }
    case "appendExtents":
      await same(
        () => writing.appendExtents(step.extents, step.streamed),
        () => file.appendExtents(source, step.extents)
      )
  }
  const after = `after ${stepName(step)}`
  if (currentOffset !== undefined) {
    checkOutcome(
      await outcomeOf(engine, () => currentOffset()),
      { value: file.data.length },
      `currentOffset ${after}`
    )
  }
  if (entries !== undefined) {
    const found = await outcomeOf(engine, () => entries())
    checkOutcome(plain(found), plain({ value: file.sortedBindings() }), `the map ${after}`)
  }
}

/** Everything that a reader answers about one range. */
const checkRead = async (
  { length, offset }: Extent,
  file: SparseFileModel,
  { engine, reading }: { readonly engine: Engine; readonly reading: SparseFileReading }
): Promise<void> => {
  const readRange = reading.readRange?.bind(reading)
  const what = `${length} bytes at ${offset}`
  checkOutcome(
    await outcomeOf(engine, () => reading.read(offset, length)),
    file.read(offset, length),
    `read of ${what}`
  )
  if (readRange !== undefined) {
    for (const minLength of [0, length]) {
      const found = await outcomeOf(engine, () => readRange(offset, { minLength, maxLength: length }))
      checkOutcome(
        found,
        file.readRange(offset, minLength, length),
        `readRange of ${what}, at least ${minLength}`
      )
    }
  }
  const sameOffset = async (
    name: string,
    answer: ((offset: number) => Answer<number | undefined>) | undefined,
    expected: number | undefined
  ): Promise<void> => {
    if (answer === undefined) return
    const found = await outcomeOf(engine, () => answer(offset))
    checkEqual("value" in found ? found.value : found.failure, expected, `${name}(${offset})`)
  }
  await sameOffset("nextValidOffset", reading.nextValidOffset?.bind(reading), file.next(offset))
  await sameOffset("mapFind", reading.mapFind?.bind(reading), file.mapFind(offset))
}

/** What is worth reading of any file: around the edges of its bindings. */
const edgesOf = (file: SparseFileModel): ReadonlyArray<Extent> =>
  file.bindings.slice(0, 20).flatMap(({ length, virtual }) => [
    { offset: virtual, length },
    { offset: virtual + (length >> 1), length },
    { offset: Math.max(0, virtual - 1), length: 2 },
    { offset: virtual + length, length: 1 }
  ])

const promote = async (state: SparseFileState, real: SparseFileReal): Promise<void> => {
  const { engine, writing } = real
  const { file } = state
  const refused = file.poisoned ? "Poisoned" : file.dangling ? "InvalidArgument" : undefined
  const outcome = await outcomeOf(engine, () => writing.promote())
  checkOutcome(outcome, refused === undefined ? { value: undefined } : { failure: refused }, "promote")
  if (refused !== undefined) return
  const opened = await outcomeOf(engine, () => writing.open())
  if (!("value" in opened)) throw new LawBroken(`open, after promote: ${opened.failure}`)
  const reading = opened.value
  real.reading = reading
  state.isPromoted = true
  const extents = reading.extents?.bind(reading)
  if (extents !== undefined) {
    const found = await outcomeOf(engine, () => extents())
    checkOutcome(plain(found), plain({ value: file.extents() }), "extents")
  }
  for (const edge of edgesOf(file)) await checkRead(edge, file, { engine, reading })
}

const take = async (step: SparseFileStep, state: SparseFileState, real: SparseFileReal): Promise<void> => {
  switch (step.step) {
    case "create":
      real.writing = await created(real.engine, step.maxGap, state.source)
      real.reading = undefined
      state.file = sparseFileModel(state.source, step.maxGap)
      state.isPromoted = false
      return
    case "promote":
      return promote(state, real)
    case "read": {
      const { engine, reading } = real
      return reading === undefined ? undefined : checkRead(step, state.file, { engine, reading })
    }
    default:
      return takeSparseFileWriting(step, state, real)
  }
}

const makesSense = (step: SparseFileStep, { isPromoted }: Readonly<SparseFileState>): boolean =>
  step.step === "create" || (step.step === "read") === isPromoted

/** The steps as commands for `fc.commands`. */
export const sparseFileCommands = (
  fc: FastCheck,
  { scale = smallSparseFiles }: SparseFileFeatures = {}
): Arbitrary<ModelCommand<SparseFileState, SparseFileReal>> =>
  sparseFileSteps(fc, scale).map((step) => commandOf(step, makesSense, take))
