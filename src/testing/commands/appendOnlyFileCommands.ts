/**
 * Append-only files of anybody's, held against the model by fast-check.
 *
 * ```ts
 * const commands = fc.commands([appendOnlyFileCommands(fc)])
 * await fc.assert(fc.asyncProperty(commands, (list) =>
 *   fc.asyncModelRun(() => appendOnlyFileSetup(myEngine()), list)))
 * ```
 *
 * After every step the outcome is compared, and so are the end, the buffer's emptiness and every byte of the file
 * itself, of engines that tell them. What an engine can't do is left out of its features, and out of its handle.
 */
import { checkEqual, checkBytes } from "../law.ts"
import {
  AppendOnlyFileModel,
  ModelDisk,
  modelOpenFailure,
  type ModelOptions,
  type ModelOutcome
} from "../models/appendOnlyFile.ts"
import type { AppendOnlyFileEngine, AppendOnlyFileHandle } from "./appendOnlyFileEngine.ts"
import {
  type AppendOnlyFileFeatures,
  type AppendOnlyFileStep,
  appendOnlyFileSteps
} from "./appendOnlyFileSteps.ts"
import { type Answer, checkOutcome, type Outcome, outcomeOf } from "./answers.ts"
import type { Arbitrary, FastCheck } from "./fastCheck.ts"
import { commandOf, FreshBytes, type ModelCommand, type ModelSetup, stepName } from "./modelCommand.ts"

/** The model's side: a disk, and the file that is open on it. */
export class AppendOnlyFileState {
  readonly disk = new ModelDisk()
  readonly fresh = new FreshBytes()
  exists = false
  open: AppendOnlyFileModel | undefined
}

/** The engine's side. */
export interface AppendOnlyFileReal {
  readonly engine: AppendOnlyFileEngine
  handle: AppendOnlyFileHandle | undefined
}

/** What a run begins with: a new file, with a threshold of 64 bytes unless another is given. */
export const appendOnlyFileSetup = async (
  engine: AppendOnlyFileEngine,
  options: { readonly autoFlushThreshold?: number | undefined } = {}
): Promise<ModelSetup<AppendOnlyFileState, AppendOnlyFileReal>> => {
  const model = new AppendOnlyFileState()
  const real: AppendOnlyFileReal = { engine, handle: undefined }
  const { autoFlushThreshold = 64 } = options
  const first = { autoFlushThreshold, procedure: "internal" as const, readsBuffer: false }
  await takeOpening({ step: "create", overwrite: true, options: first }, model, real)
  return { model, real }
}

/** The model's bytes as bytes. */
const inBytes = (outcome: ModelOutcome<ReadonlyArray<number>>): Outcome<Uint8Array> =>
  "value" in outcome ? { value: Uint8Array.from(outcome.value) } : outcome

/** The end of the open file without a close, if there is one. */
export const leaveAppendOnlyFile = async (
  state: AppendOnlyFileState,
  real: AppendOnlyFileReal
): Promise<void> => {
  const { handle } = real
  const { open } = state
  if (handle === undefined || open === undefined) return
  if (handle.leave === undefined) {
    if (!open.closed) {
      if (!open.options.readonly) {
        checkOutcome(await outcomeOf(real.engine, () => handle.flush()), open.flush(), "the last flush")
      }
      checkOutcome(await outcomeOf(real.engine, () => handle.close()), open.close(), "the last close")
    }
  } else {
    const leave = handle.leave.bind(handle)
    checkOutcome(await outcomeOf(real.engine, () => leave()), { value: undefined }, "leaving the file")
    open.endScope()
  }
  state.open = real.handle = undefined
}

const opening = async (
  state: AppendOnlyFileState,
  real: AppendOnlyFileReal,
  options: ModelOptions,
  expected: string | undefined,
  open: () => Answer<AppendOnlyFileHandle>
): Promise<void> => {
  const outcome = await outcomeOf(real.engine, open)
  const wanted = expected === undefined ? { value: undefined } : { failure: expected }
  checkOutcome(outcome, wanted, "opening")
  if (!("value" in outcome)) return
  state.open = new AppendOnlyFileModel(state.disk, options)
  real.handle = outcome.value
}

const takeOpening = async (
  step: Extract<AppendOnlyFileStep, { step: "create" | "open" }>,
  state: AppendOnlyFileState,
  real: AppendOnlyFileReal
): Promise<void> => {
  await leaveAppendOnlyFile(state, real)
  const { disk } = state
  if (step.step === "create") {
    const { autoFlushThreshold } = step.options
    const options: ModelOptions = { readonly: false, endPoff: 0, deadHeaderSize: 0, ...step.options }
    const isValid = Number.isSafeInteger(autoFlushThreshold) && autoFlushThreshold >= 0
    const isTaken = state.exists && !step.overwrite
    const expected = !isValid ? "InvalidArgument" : isTaken ? "FileExists" : undefined
    if (expected === undefined) {
      disk.bytes = []
      state.exists = true
    }
    return opening(state, real, options, expected, () => real.engine.create(options, step.overwrite))
  }
  const { deadHeaderSize, endPermille, readonly } = step
  const header = deadHeaderSize < disk.bytes.length ? Math.floor(deadHeaderSize) : 0
  const size = disk.bytes.length - header
  const endPoff = Number.isInteger(endPermille) ? Math.round((size * endPermille) / 1000) : endPermille
  const options: ModelOptions = { readonly, endPoff, deadHeaderSize, ...step.options }
  return opening(state, real, options, modelOpenFailure(disk, options), () => real.engine.open(options))
}

/** Takes a step on the open file of both sides. */
const takeOnFile = async (
  step: AppendOnlyFileStep,
  { fresh, open }: AppendOnlyFileState,
  { engine, handle }: AppendOnlyFileReal
): Promise<void> => {
  if (open === undefined || handle === undefined) return
  const same = async (ask: () => Answer<unknown>, expected: () => Outcome<unknown>): Promise<void> =>
    checkOutcome(await outcomeOf(engine, ask), expected(), stepName(step))
  const into = async (
    read: ((offset: number, buffer: Uint8Array) => Answer<unknown>) | undefined,
    { length, offset }: { readonly length: number; readonly offset: number }
  ): Promise<void> => {
    if (read === undefined) return
    const buffer = new Uint8Array(length)
    const outcome = await outcomeOf(engine, () => read(offset, buffer))
    const found = "value" in outcome ? { value: buffer } : outcome
    checkOutcome(found, inBytes(open.read(offset, length)), stepName(step))
  }
  switch (step.step) {
    case "append":
    case "unsafeAppend": {
      const append = (step.step === "append" ? handle.append : handle.unsafeAppend)?.bind(handle)
      if (append === undefined) return
      const bytes = fresh.take(step.size)
      const plain = Array.from(bytes)
      const expected = () => (step.step === "append" ? open.append(plain) : open.unsafeAppend(plain))
      await same(() => append(bytes), expected)
      bytes.fill(0) // the engine's are a copy: what is done to the caller's bytes afterwards doesn't show
      break
    }
    case "appendAll": {
      const appendAll = handle.appendAll?.bind(handle)
      if (appendAll === undefined) return
      const records = step.sizes.map((size) => fresh.take(size))
      const plain = records.map((record) => Array.from(record))
      await same(
        () => appendAll(records),
        () => open.appendAll(plain)
      )
      for (const record of records) record.fill(0)
      break
    }
    case "flush":
      await same(
        () => handle.flush(),
        () => open.flush()
      )
      break
    case "fsync": {
      const fsync = handle.fsync?.bind(handle)
      if (fsync !== undefined)
        await same(
          () => fsync(),
          () => open.fsync()
        )
      break
    }
    case "close":
      await same(
        () => handle.close(),
        () => open.close()
      )
      break
    case "refreshEndPoff": {
      const refreshEndPoff = handle.refreshEndPoff?.bind(handle)
      if (refreshEndPoff === undefined) return
      await same(
        () => refreshEndPoff(step.end),
        () => open.refreshEndPoff(step.end)
      )
      break
    }
    case "read":
      await same(
        () => handle.read(step.offset, step.length),
        () => inBytes(open.read(step.offset, step.length))
      )
      break
    case "readInto":
      await into(handle.readInto?.bind(handle), step)
      break
    case "unsafeReadInto":
      await into(handle.unsafeReadInto?.bind(handle), step)
  }
  const emptyBuffer = handle.emptyBuffer?.bind(handle)
  const endPoff = handle.endPoff?.bind(handle)
  const after = `after ${stepName(step)}`
  if (endPoff !== undefined) {
    checkOutcome(await outcomeOf(engine, () => endPoff()), { value: open.endPoff() }, `endPoff ${after}`)
  }
  if (emptyBuffer !== undefined) {
    const outcome = await outcomeOf(engine, () => emptyBuffer())
    checkOutcome(outcome, { value: open.emptyBuffer() }, `emptyBuffer ${after}`)
  }
}

const take = async (
  step: AppendOnlyFileStep,
  state: AppendOnlyFileState,
  real: AppendOnlyFileReal
): Promise<void> => {
  const { disk } = state
  const { engine } = real
  switch (step.step) {
    case "create":
    case "open":
      await takeOpening(step, state, real)
      break
    case "failWrite":
      if (engine.failWrite === undefined) return
      engine.failWrite(step.after, step.written)
      disk.failingWrite = step.after
      disk.failingWriteBytes = step.written
      break
    case "failSync":
      if (engine.failSync === undefined) return
      engine.failSync()
      disk.failsNextSync = true
      break
    default:
      await takeOnFile(step, state, real)
  }
  await checkAppendOnlyFileBytes(state, real)
}

/** Every byte of the file itself, of engines that show them. */
export const checkAppendOnlyFileBytes = async (
  { disk, exists }: AppendOnlyFileState,
  { engine }: AppendOnlyFileReal
): Promise<void> => {
  const bytes = engine.bytes?.bind(engine)
  if (bytes === undefined || !exists) return
  const outcome = await outcomeOf(engine, () => bytes())
  if (!("value" in outcome))
    return checkEqual(outcome.failure, "none", "the refusal of the bytes of the file")
  checkBytes(outcome.value, Uint8Array.from(disk.bytes), "the bytes of the file itself")
}

const makesSense = (step: AppendOnlyFileStep, { exists, open }: Readonly<AppendOnlyFileState>): boolean => {
  switch (step.step) {
    case "create":
    case "failWrite":
    case "failSync":
      return true
    case "open":
      return exists
    default:
      return open !== undefined
  }
}

/** The steps as commands for `fc.commands`. */
export const appendOnlyFileCommands = (
  fc: FastCheck,
  features: AppendOnlyFileFeatures = {}
): Arbitrary<ModelCommand<AppendOnlyFileState, AppendOnlyFileReal>> =>
  appendOnlyFileSteps(fc, features).map((step) => commandOf(step, makesSense, take))
