/**
 * Maps of offsets of anybody's, held against the model by fast-check.
 *
 * ```ts
 * const commands = fc.commands([offmapCommands(fc)])
 * await fc.assert(fc.asyncProperty(commands, (list) =>
 *   fc.asyncModelRun(() => offmapSetup(myEngine()), list)))
 * ```
 *
 * Bindings are added to a builder in all orders, now and then such as overlap; maps are made of it as it stands; and
 * the last one made is asked for offsets in, at the edges of, between and around its bindings.
 */
import type { Binding } from "../../bytes/extent.ts"
import { checkEqual, LawBroken } from "../law.ts"
import { modelEnd, OffmapBuilderModel, OffmapModel } from "../models/offmap.ts"
import { Random } from "../random.ts"
import { type Answer, checkOutcome, type Outcome, outcomeOf } from "./answers.ts"
import { type Arbitrary, type FastCheck, oneOf } from "./fastCheck.ts"
import { commandOf, type ModelCommand, type ModelSetup, stepName } from "./modelCommand.ts"
import type { OffmapAnswers, OffmapBuilding, OffmapEngine } from "./offmapEngine.ts"
import { ascendingBindings, askedOffsets, type BindingOrder, bindingOrders, inOrder } from "./offmapShapes.ts"

export interface OffmapFeatures {
  /** Bindings of length 0, which answer at their own offset alone. Default: true. */
  readonly points?: boolean | undefined
  /** Bindings that overlap, which are `InvalidArgument`. Default: true. */
  readonly overlaps?: boolean | undefined
  /** The largest offset that is tried. Default: 2^53-1. */
  readonly maxOffset?: number | undefined
}

export type OffmapStep =
  | {
      readonly step: "add"
      readonly bindings: ReadonlyArray<Binding>
      readonly order: BindingOrder
      readonly seed: number
      /** Behind what there is already, or where they are. */
      readonly behind: boolean
    }
  | { readonly step: "begin" | "build" }
  | { readonly step: "ask"; readonly seed: number }

export const offmapSteps = (fc: FastCheck, features: OffmapFeatures = {}): Arbitrary<OffmapStep> => {
  const { maxOffset = Number.MAX_SAFE_INTEGER, overlaps = true, points = true } = features
  const bindings = ascendingBindings(fc, 2).map((all) =>
    all.filter(
      ({ length, physical, virtual }) =>
        (points || length > 0) && virtual + length <= maxOffset && physical + length <= maxOffset
    )
  )
  return oneOf<OffmapStep>(
    fc,
    [
      6,
      fc.record({
        step: fc.constant("add" as const),
        bindings,
        order: bindingOrders(fc),
        seed: fc.nat(),
        behind: overlaps ? fc.integer({ min: 0, max: 9 }).map((one) => one > 0) : fc.constant(true)
      })
    ],
    [4, fc.record({ step: fc.constant("build" as const) })],
    [4, fc.record({ step: fc.constant("ask" as const), seed: fc.nat() })],
    [1, fc.record({ step: fc.constant("begin" as const) })]
  )
}

/** The model's side. */
export class OffmapState {
  builder = new OffmapBuilderModel()
  map: OffmapModel | undefined
  readonly maxOffset: number

  constructor(maxOffset: number) {
    this.maxOffset = maxOffset
  }
}

/** The engine's side. */
export interface OffmapReal {
  readonly engine: OffmapEngine
  building: OffmapBuilding
  map: OffmapAnswers | undefined
}

const begun = async (engine: OffmapEngine): Promise<OffmapBuilding> => {
  const outcome = await outcomeOf(engine, () => engine.begin())
  if (!("value" in outcome)) throw new LawBroken(`begin: ${outcome.failure}`)
  return outcome.value
}

/** What a run begins with: a builder that has nothing. */
export const offmapSetup = async (
  engine: OffmapEngine,
  { maxOffset = Number.MAX_SAFE_INTEGER }: OffmapFeatures = {}
): Promise<ModelSetup<OffmapState, OffmapReal>> => ({
  model: new OffmapState(maxOffset),
  real: { engine, building: await begun(engine), map: undefined }
})

/** The bindings moved behind all that were taken, without what would end beyond the last offset. */
const movedBehind = (
  bindings: ReadonlyArray<Binding>,
  taken: ReadonlyArray<Binding>,
  maxOffset: number
): ReadonlyArray<Binding> => {
  const end = taken.reduce((most, binding) => Math.max(most, modelEnd(binding)), 0)
  const shift = bindings.length === 0 ? 0 : end - Math.min(end, bindings[0].virtual)
  return bindings
    .filter(({ length, virtual }) => virtual + shift + length <= maxOffset)
    .map((binding) => ({ ...binding, virtual: binding.virtual + shift }))
}

const add = async (
  step: Extract<OffmapStep, { step: "add" }>,
  { builder, maxOffset }: OffmapState,
  { building, engine }: OffmapReal
): Promise<void> => {
  const bindings = step.behind ? movedBehind(step.bindings, builder.taken, maxOffset) : step.bindings
  for (const binding of inOrder(bindings, step.order, step.seed)) {
    const what = `add(${JSON.stringify(binding)})`
    const outcome = await outcomeOf(engine, () => building.add(binding))
    const refused = builder.add(binding)
    checkOutcome(outcome, refused === undefined ? { value: undefined } : { failure: refused }, what)
  }
}

const isSame = (found: Binding | undefined, expected: Binding | undefined): boolean =>
  found?.virtual === expected?.virtual &&
  found?.physical === expected?.physical &&
  found?.length === expected?.length

/** A defect of the engine where it answers something else. `undefined` is an answer here. */
const checkAnswer = (found: Outcome<unknown>, expected: unknown, what: string): void => {
  if (!("value" in found)) throw new LawBroken(`${what}: ${found.failure}`)
  const { value } = found
  const same =
    typeof expected === "object" || typeof value === "object"
      ? isSame((value ?? undefined) as Binding | undefined, expected as Binding | undefined)
      : value === expected
  if (!same) {
    throw new LawBroken(
      `${what}: the model gives ${JSON.stringify(expected)}, the engine ${JSON.stringify(value)}`
    )
  }
}

/** At so many offsets a map is asked at once. */
const questions = 300

/** Those that are worth asking for, or some of them. */
const chosenOffsets = (model: OffmapModel, seed: number, maxOffset: number): ReadonlyArray<number> => {
  const random = new Random(seed)
  const all = [...askedOffsets(model.bindings, seed)].filter((offset) => offset <= maxOffset)
  return all.filter(() => random.fraction() * all.length < questions)
}

/** Every question, at offsets that are worth asking for. */
const ask = async (
  seed: number,
  model: OffmapModel,
  map: OffmapAnswers,
  { engine, maxOffset }: { readonly engine: OffmapEngine; readonly maxOffset: number }
): Promise<void> => {
  for (const offset of chosenOffsets(model, seed, maxOffset)) {
    const same = async (
      name: string,
      answer: ((at: number) => Answer<unknown>) | undefined,
      expected: unknown
    ) => {
      if (answer === undefined) return
      checkAnswer(await outcomeOf(engine, () => answer(offset)), expected, `${name}(${offset})`)
    }
    await same("translate", map.translate.bind(map), model.translate(offset))
    await same("find", map.find?.bind(map), model.find(offset))
    await same("locate", map.locate?.bind(map), model.locate(offset))
    await same("next", map.next?.bind(map), model.next(offset))
  }
  const entries = map.entries?.bind(map)
  if (entries === undefined) return
  const outcome = await outcomeOf(engine, () => entries())
  if (!("value" in outcome)) throw new LawBroken(`entries: ${outcome.failure}`)
  const found = [...outcome.value]
  checkEqual(found.length, model.size, "entries: number of bindings")
  model.bindings.forEach((binding, i) => checkAnswer({ value: found[i] }, binding, `entries, binding ${i}`))
}

const take = async (step: OffmapStep, state: OffmapState, real: OffmapReal): Promise<void> => {
  const { engine } = real
  switch (step.step) {
    case "add":
      return add(step, state, real)
    case "begin":
      state.builder = new OffmapBuilderModel()
      real.building = await begun(engine)
      return
    case "build": {
      const outcome = await outcomeOf(engine, () => real.building.build())
      const expected = state.builder.build()
      const isRefused = expected === "InvalidArgument"
      checkOutcome(outcome, isRefused ? { failure: expected } : { value: undefined }, stepName(step))
      if (isRefused || !("value" in outcome)) return
      state.map = expected
      real.map = outcome.value
      return ask(0, expected, outcome.value, { engine, maxOffset: state.maxOffset })
    }
    case "ask":
      if (state.map === undefined || real.map === undefined) return
      return ask(step.seed, state.map, real.map, { engine, maxOffset: state.maxOffset })
  }
}

const makesSense = (step: OffmapStep, state: Readonly<OffmapState>): boolean =>
  step.step !== "ask" || state.map !== undefined

/** The steps as commands for `fc.commands`. */
export const offmapCommands = (
  fc: FastCheck,
  features: OffmapFeatures = {}
): Arbitrary<ModelCommand<OffmapState, OffmapReal>> =>
  offmapSteps(fc, features).map((step) => commandOf(step, makesSense, take))
