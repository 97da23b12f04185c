/**
 * A part that makes calls fail: scenarios, each of which is explored whole. More effort draws pairs of faults,
 * faults in the recovery from one, and whatever scenarios a part makes up from a seed.
 */
import type { FaultKind } from "../src/testing/faults.ts"
import {
  exploreFaults,
  type ExploreFaultsOptions,
  type FaultsExplored
} from "../src/testing/exploreFaults.ts"
import type { FaultHit } from "../src/testing/IoFault.ts"
import { LawBroken } from "../src/testing/law.ts"
import { seedOf } from "../src/testing/random.ts"
import type { Part, PartFailure, PartOptions, PartReport } from "./part.ts"

export interface FaultPartOptions<Found, Note> {
  readonly scenarios: () => Promise<Readonly<Record<string, ExploreFaultsOptions<Found, Note>>>>
  /** One more, as it follows from a seed. */
  readonly random?: ((seed: number) => ExploreFaultsOptions<Found, Note>) | undefined
}

/** Pairs of faults, and as many with one of them in the recovery: drawn for each scenario at an effort of 1, and for each further unit of it. */
const drawn = 10
const drawnMore = 200
/** Scenarios from seeds for each further unit of effort. */
const randomMore = 4

const maxFailures = 3

/** What a failing call may be told as. Only who reads less than there was can take a file for damaged. */
const honest = new Set(["IoFailed", "NoSpace", "Poisoned"])
const cutShort = new Set(["Corrupt", "ReadOutOfBounds", "Incomplete", "InconsistentStore"])

export const mayFail = (error: unknown, faults: ReadonlyArray<{ readonly kind: FaultKind }>): boolean => {
  const { _tag } = error as { readonly _tag: string }
  return honest.has(_tag) || (cutShort.has(_tag) && faults.some(({ kind }) => kind === "short-read"))
}

/** A write or a sync that failed is never passed over. Each sync orders something before something else. */
const mustFail = ({ call }: FaultHit): boolean =>
  ["writeAt", "sync", "syncDirectory", "rename"].includes(call.operation)

/** A defect of whoever finds that the engine has done what it must not. */
export const demand = (condition: boolean, what: string): void => {
  if (!condition) throw new LawBroken(what)
}

/** A case is the scenario's name or number, and what `exploreFaults` calls it: `commit:EIO@17+`. */
export const faultPart = <Found, Note>({ random, scenarios }: FaultPartOptions<Found, Note>): Part => ({
  run: async ({ at, effort, seed }: PartOptions): Promise<PartReport> => {
    // Every error of a span or a failure would take a trace of the stack that nobody reads: a third of the time.
    Error.stackTraceLimit = 0
    const failures: Array<PartFailure> = []
    const named = await scenarios()
    const counts = { calls: 0, "fault positions": 0, "cases of faults": 0, refused: 0, scenarios: 0 }
    const [only, inner] = at === undefined ? [] : at.split(":")
    const pairs = Math.round(drawn + drawnMore * Math.max(0, effort - 1))
    const explore = async (name: string, scenario: ExploreFaultsOptions<Found, Note>): Promise<void> => {
      if (failures.length >= maxFailures) return
      const explored: FaultsExplored = await exploreFaults({
        mayFail,
        mustFail,
        ...scenario,
        ...{ seed, at: inner, pairs, recoveries: pairs, maxFailures }
      })
      for (const count of Object.values(explored.calls)) counts.calls += count
      counts["fault positions"] += explored.positions
      counts["cases of faults"] += explored.cases
      counts.refused += explored.refused
      counts.scenarios++
      for (const failure of explored.failures) failures.push({ ...failure, at: `${name}:${failure.at}` })
    }
    const numbered = (number: number) => random!(seedOf(seed, number))
    if (only !== undefined) {
      const scenario = /^[0-9]+$/.test(only) ? numbered(Number(only)) : named[only]
      if (scenario === undefined) throw new Error(`there is no scenario ${only}`)
      await explore(only, scenario)
      return { counts, failures }
    }
    for (const [name, scenario] of Object.entries(named)) await explore(name, scenario)
    const more = random === undefined ? 0 : Math.round(randomMore * Math.max(0, effort - 1))
    for (let number = 1; number <= more; number++) await explore(String(number), numbered(number))
    return { counts, failures }
  }
})
