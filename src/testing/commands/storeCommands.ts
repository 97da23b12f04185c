/**
 * Stores of anybody's, held against the model by fast-check.
 *
 * ```ts
 * const commands = fc.commands([storeCommands(fc)])
 * await fc.assert(fc.asyncProperty(commands, (list) =>
 *   fc.asyncModelRun(() => storeSetup(myEngine()), list)))
 * ```
 *
 * A writer appends, commits, rolls back, collects and is opened anew, which forgets what was not committed; a reader
 * sees what was committed when it was opened or refreshed. After every step all that either can read is read.
 */
import { checkEqual, LawBroken } from "../law.ts"
import { StoreModel, type StoreModelReader, type StoreModelState } from "../models/store.ts"
import { type Answer, checkOutcome, type Outcome, outcomeOf } from "./answers.ts"
import type { Arbitrary, FastCheck } from "./fastCheck.ts"
import { commandOf, FreshBytes, type ModelCommand, type ModelSetup, stepName } from "./modelCommand.ts"
import { collectionOf, illegalCollection, united } from "./storeCollections.ts"
import type { StoreEngine, StoreReader, StoreReading, StoreWriter } from "./storeEngine.ts"
import {
  smallStoreSizes,
  type StoreCollectStep,
  type StoreCommandStep,
  storeReadOffset,
  type StoreReadChoice,
  type StoreSizes,
  storeSteps,
  type StoreWriterStep
} from "./storeSteps.ts"

export interface StoreFeatures {
  /** How long records are. Default: some bytes, now and then some hundred. */
  readonly sizes?: StoreSizes | undefined
}

/** The model's side. */
export class StoreState {
  readonly store = new StoreModel()
  readonly fresh = new FreshBytes()
  reader: StoreModelReader | undefined
}

/** The engine's side. */
export interface StoreReal {
  readonly engine: StoreEngine
  writer: StoreWriter
  reader: StoreReader | undefined
}

const opened = async <A>(engine: StoreEngine, what: string, open: () => Answer<A>): Promise<A> => {
  const outcome = await outcomeOf(engine, open)
  if (!("value" in outcome)) throw new LawBroken(`${what}: ${outcome.failure}`)
  return outcome.value
}

/** What a run begins with: an empty store, open for writing. */
export const storeSetup = async (engine: StoreEngine): Promise<ModelSetup<StoreState, StoreReal>> => ({
  model: new StoreState(),
  real: { engine, writer: await opened(engine, "open", () => engine.open()), reader: undefined }
})

/** Demands everything that can be read of `state`, and that nothing else is said to be. */
const checkContent = async (
  engine: StoreEngine,
  reading: StoreReading,
  state: StoreModelState,
  what: string
): Promise<void> => {
  const end = reading.end?.bind(reading)
  const extents = reading.extents?.bind(reading)
  const runs = state.extents()
  if (end !== undefined)
    checkOutcome(await outcomeOf(engine, () => end()), { value: state.end }, `end ${what}`)
  if (extents !== undefined) {
    const found = united(await opened(engine, "extents", () => extents()))
    checkEqual(JSON.stringify(found), JSON.stringify(runs), `extents ${what}`)
  }
  for (const { length, offset } of runs) {
    const expected = { value: Uint8Array.from(state.bytes.slice(offset, offset + length)) }
    const found = await outcomeOf(engine, () => reading.read(offset, length))
    checkOutcome(found, expected, `the ${length} bytes at ${offset} ${what}`)
  }
}

const write = async (
  step: StoreWriterStep,
  { fresh, store }: StoreState,
  { engine, writer }: StoreReal
): Promise<void> => {
  const same = async (ask: () => Answer<unknown>, value?: unknown): Promise<void> =>
    checkOutcome(await outcomeOf(engine, ask), { value }, stepName(step))
  switch (step.step) {
    case "append": {
      const bytes = fresh.take(step.size)
      const offset = store.append(bytes)
      await same(() => writer.append(bytes), offset)
      bytes.fill(0) // the engine's are a copy
      break
    }
    case "appendAll": {
      const appendAll = writer.appendAll?.bind(writer)
      if (appendAll === undefined) return
      const records = step.sizes.map((size) => fresh.take(size))
      const offset = store.appendAll(records)
      await same(() => appendAll(records), offset)
      for (const record of records) record.fill(0)
      break
    }
    case "commit":
      await same(() => writer.commit())
      store.commit()
      break
    case "rollback":
    case "split": {
      const operation = writer[step.step]?.bind(writer)
      if (operation === undefined) return
      await same(() => operation())
      store[step.step]()
    }
  }
}

/** What a collection told, as far as the model knows it too. */
const checkCollected = (found: Outcome<unknown>, expected: Outcome<object>, what: string): void => {
  if (!("value" in found && "value" in expected)) return checkOutcome(found, expected, what)
  if (typeof found.value !== "object" || found.value === null) return
  const told = found.value as Readonly<Record<string, unknown>>
  for (const [name, value] of Object.entries(expected.value)) {
    if (name in told) checkEqual(told[name], value, `${what}: ${name}`)
  }
}

const collect = async (
  step: StoreCollectStep,
  { store }: StoreState,
  { engine, writer }: StoreReal
): Promise<void> => {
  const operation = writer.collect?.bind(writer)
  if (operation === undefined) return
  const isLegal = step.step !== "illegal collect"
  const collection = isLegal
    ? collectionOf(store, step.choice)
    : illegalCollection(store, step.fault, step.at)
  if (collection === undefined) return
  const { live, upTo } = collection
  const streamed = isLegal && step.choice.streamed
  const dryRun = step.step === "dry run"
  const found = await outcomeOf(engine, () => operation(collection, { dryRun, streamed }))
  const expected = dryRun ? store.collectDry(live, upTo) : store.collect(live, upTo)
  const told = `${live.map(({ length, offset }) => `${length} at ${offset}`).join(", ") || "nothing"}`
  checkCollected(found, expected, `${step.step} of ${told}, up to ${upTo}`)
}

const checkReads = async (
  choices: ReadonlyArray<StoreReadChoice>,
  state: StoreModelState,
  reading: StoreReading,
  engine: StoreEngine
): Promise<void> => {
  const ends = state.extents().flatMap(({ length, offset }) => [offset, offset + length])
  const edges = [...ends, state.suffixStart, state.end]
  for (const choice of choices) {
    const offset = storeReadOffset(choice, edges, state.end)
    const found = await outcomeOf(engine, () => reading.read(offset, choice.length))
    checkOutcome(found, state.read(offset, choice.length), `read of ${choice.length} bytes at ${offset}`)
  }
}

const openReader = async (state: StoreState, real: StoreReal): Promise<void> => {
  const open = real.engine.openReader?.bind(real.engine)
  if (open === undefined) return
  const close = real.reader?.close?.bind(real.reader)
  if (close !== undefined)
    checkOutcome(await outcomeOf(real.engine, () => close()), { value: undefined }, "close")
  real.reader = await opened(real.engine, "openReader", () => open())
  state.reader = state.store.reader()
}

const take = async (step: StoreCommandStep, state: StoreState, real: StoreReal): Promise<void> => {
  const { engine } = real
  switch (step.step) {
    case "reopen":
      real.writer = await opened(engine, "open", () => engine.open())
      state.store.reopen()
      break
    case "open reader":
      await openReader(state, real)
      break
    case "refresh": {
      const refresh = real.reader?.refresh?.bind(real.reader)
      if (refresh === undefined) return
      checkOutcome(await outcomeOf(engine, () => refresh()), { value: undefined }, "refresh")
      state.reader?.refresh()
      break
    }
    case "reads":
      if (step.by === "writer") await checkReads(step.reads, state.store.now, real.writer, engine)
      else if (state.reader !== undefined && real.reader !== undefined) {
        await checkReads(step.reads, state.reader.seen, real.reader, engine)
      }
      break
    case "collect":
    case "dry run":
    case "illegal collect":
      await collect(step, state, real)
      break
    default:
      await write(step, state, real)
  }
  const after = `after ${step.step}`
  const committedEnd = real.writer.committedEnd?.bind(real.writer)
  if (committedEnd !== undefined) {
    const found = await outcomeOf(engine, () => committedEnd())
    checkOutcome(found, { value: state.store.committedEnd }, `committedEnd ${after}`)
  }
  await checkContent(engine, real.writer, state.store.now, after)
  if (state.reader !== undefined && real.reader !== undefined) {
    await checkContent(engine, real.reader, state.reader.seen, `of the reader ${after}`)
  }
}

const makesSense = (step: StoreCommandStep, { reader }: Readonly<StoreState>): boolean => {
  const needsReader = step.step === "refresh" || (step.step === "reads" && step.by === "reader")
  return !needsReader || reader !== undefined
}

/** The steps as commands for `fc.commands`. */
export const storeCommands = (
  fc: FastCheck,
  { sizes = smallStoreSizes(fc) }: StoreFeatures = {}
): Arbitrary<ModelCommand<StoreState, StoreReal>> =>
  storeSteps(fc, sizes).map((step) => commandOf(step, makesSense, take))
