/**
 * Exploring faults: every call that a workload makes of an Io fails, in every way that it can, once and from then on.
 *
 * ```ts
 * const explored = await exploreFaults({
 *   workload: (note) =>
 *     Effect.gen(function* () {
 *       const log = yield* MyLog.open("/log")
 *       yield* log.append("hello")
 *       note("hello")
 *     }),
 *   recover: Effect.flatMap(MyLog.open("/log"), (log) => log.lines),
 *   law: (lines, notes) => {
 *     for (const note of notes) assert(lines.includes(note))
 *   }
 * })
 * for (const { at, story } of explored.failures) console.log(at, story)
 * ```
 *
 * What is demanded of each case (faultTrial.ts): the workload succeeds or fails with a typed error, never with a
 * defect and never not at all; when its scope has ended no file, lock or mapping is open; the law holds for what the
 * next one to open it finds; and when the fault is gone it goes on.
 *
 * The cases follow from the workload and, where pairs are drawn, from a seed; `at` tries one of them alone.
 */
import { type FaultCase, faultAddress, faultCaseAt } from "./faultCase.ts"
import { type Fault, faultApplies, type FaultKind, faultKinds, type IoCall } from "./faults.ts"
import { type FaultStory, type FaultTrial, tryFaults } from "./faultTrial.ts"
import { Random } from "./random.ts"

export type { FaultStory } from "./faultTrial.ts"

export interface ExploreFaultsOptions<Found, Note> extends FaultStory<Found, Note> {
  /** So many pairs of faults in the workload, drawn at random. Default: 0. */
  readonly pairs?: number | undefined
  /** So many pairs of a fault in the workload and another one in the recovery from it. Default: 0. */
  readonly recoveries?: number | undefined
  /** What the fault in the recovery may be. Default: of every kind. */
  readonly recoveryKinds?: ReadonlyArray<FaultKind> | undefined
  /** What is drawn follows from it. Default: 1. */
  readonly seed?: number | undefined
  /** The address of the one case to be tried. */
  readonly at?: string | undefined
  /** The exploration ends with so many failures. Default: 5. */
  readonly maxFailures?: number | undefined
}

export interface FaultFailure {
  /** The address of the case. */
  readonly at: string
  readonly story: string
}

export interface FaultsExplored {
  /** The calls that the workload makes when nothing fails, by operation. */
  readonly calls: Readonly<Record<string, number>>
  /** Calls times the kinds of fault that can happen to each. */
  readonly positions: number
  /** What was tried: every position twice, and what was drawn. */
  readonly cases: number
  /** Cases in which the workload failed, as it may; in the others it did without what failed. */
  readonly refused: number
  readonly failures: ReadonlyArray<FaultFailure>
}

interface Position {
  readonly kind: FaultKind
  readonly at: number
}

const durations = ["once", "on"] as const

const positionsOf = (calls: ReadonlyArray<IoCall>): ReadonlyArray<Position> =>
  calls.flatMap((call, at) =>
    faultKinds.filter((kind) => faultApplies(kind, call)).map((kind) => ({ kind, at }))
  )

/** How many calls a workload may make under faults before it is taken for endless. */
const limitCallsOf = (calls: ReadonlyArray<IoCall>): number => 10_000 + 20 * calls.length

class Exploration<Found, Note> {
  readonly failures: Array<FaultFailure> = []
  cases = 0
  refused = 0
  private readonly options: ExploreFaultsOptions<Found, Note>
  private readonly limitCalls: number

  constructor(options: ExploreFaultsOptions<Found, Note>, limitCalls: number) {
    this.options = options
    this.limitCalls = limitCalls
  }

  get done(): boolean {
    return this.failures.length >= (this.options.maxFailures ?? 5)
  }

  /** `certain`: the workload has been seen to make the call that is to fail. */
  async try(tried: FaultCase, certain: boolean): Promise<void> {
    if (this.done) return
    const trial = await tryFaults(this.options, tried, this.limitCalls)
    this.cases++
    if (trial.refused) this.refused++
    const story =
      certain && trial.hit === undefined
        ? "the workload has not made this call again: it is another one whenever it runs"
        : trial.broken
    if (story !== undefined) this.failures.push({ at: faultAddress(tried), story: told(trial, story) })
  }

  async all(positions: ReadonlyArray<Position>, recoveryCalls: number): Promise<void> {
    for (const lasts of durations) {
      for (const position of positions) {
        await this.try({ workload: [{ ...position, lasts }], recovery: [] }, true)
      }
    }
    const random = new Random(this.options.seed ?? 1)
    const drawn = (): Fault => ({ ...random.oneOf(positions), lasts: random.oneOf(durations) })
    const { pairs = 0, recoveries = 0, recoveryKinds = faultKinds } = this.options
    for (let i = 0; i < pairs && positions.length > 0; i++) {
      await this.try({ workload: [drawn(), drawn()], recovery: [] }, false)
    }
    for (let i = 0; i < recoveries && positions.length > 0; i++) {
      const fault: Fault = {
        kind: random.oneOf(recoveryKinds),
        at: random.below(recoveryCalls + 1),
        lasts: random.oneOf(durations)
      }
      await this.try({ workload: [drawn()], recovery: [fault] }, false)
    }
  }
}

const told = ({ hit }: FaultTrial, story: string): string => {
  if (hit === undefined) return story
  const { call, fault } = hit
  const lasting = fault.lasts === "on" ? ", and all that it can happen to behind it" : ""
  return `${fault.kind} hit ${call.operation} of ${call.path}${lasting}: ${story}`
}

const countedBy = (calls: ReadonlyArray<IoCall>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { operation } of calls) counts[operation] = (counts[operation] ?? 0) + 1
  return counts
}

/** Tries all cases. Rejected where the preparation fails, or `at` is no address: that is no finding. */
export const exploreFaults = async <Found, Note>(
  options: ExploreFaultsOptions<Found, Note>
): Promise<FaultsExplored> => {
  const none: FaultCase = { workload: [], recovery: [] }
  const clean = await tryFaults(options, none)
  const positions = positionsOf(clean.calls)
  const exploration = new Exploration(options, limitCallsOf(clean.calls))
  const { at } = options
  if (at !== undefined) await exploration.try(faultCaseAt(at), false)
  else if (clean.broken !== undefined) {
    exploration.failures.push({ at: faultAddress(none), story: `without any fault: ${clean.broken}` })
  } else if (clean.refused) {
    exploration.failures.push({ at: faultAddress(none), story: "the workload fails without any fault" })
  } else await exploration.all(positions, clean.recoveryCalls)
  const { cases, failures, refused } = exploration
  return { calls: countedBy(clean.calls), positions: positions.length, cases, refused, failures }
}
