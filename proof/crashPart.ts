/**
 * A part that cuts power: stories, one after the other, each from a seed of its own, until as many
 * distinct states were visited as the effort asks for.
 */
import * as Effect from "effect/Effect"
import { DigestSet } from "../src/testing/digestSet.ts"
import { type CrashOptions, type CrashStory, exploreCrashes } from "../src/testing/exploreCrashes.ts"
import { seedOf } from "../src/testing/random.ts"
import type { Part, PartFailure, PartOptions, PartReport } from "./part.ts"

export interface CrashPartOptions {
  /** Distinct states at an effort of 1. */
  readonly states: number
  readonly exploration?: Omit<CrashOptions, "at" | "seed" | "visited" | "maxFailures">
}

const maxFailures = 3

/** A case is the number of the story, and what `exploreCrashes` calls it: `3@17:0a3`. */
export const crashPart = <Found, Note>(
  story: (seed: number) => CrashStory<Found, Note>,
  { exploration = {}, states }: CrashPartOptions
): Part => ({
  run: async ({ at, effort, seed }: PartOptions): Promise<PartReport> => {
    // Spans and errors by the million: nobody reads where they were made.
    if (at === undefined) Error.stackTraceLimit = 0
    const visited = new DigestSet()
    const failures: Array<PartFailure> = []
    const counts = {
      "distinct states": 0,
      "states judged": 0,
      "inside recovery": 0,
      "processes killed": 0,
      "gone on with": 0,
      stories: 0,
      moments: 0,
      "moments in samples": 0
    }
    const [only, inner] = at === undefined ? [] : at.split("@")
    const tell = async (number: number): Promise<void> => {
      const storySeed = seedOf(seed, number)
      const exploring = exploreCrashes(story(storySeed), {
        ...exploration,
        seed: storySeed,
        at: inner,
        visited,
        maxFailures
      })
      const report = await Effect.runPromise(exploring)
      counts["distinct states"] += report.distinctStates
      counts["states judged"] += report.states
      counts["inside recovery"] += report.insideRecovery
      counts["processes killed"] += report.killed
      counts["gone on with"] += report.goneOn
      counts["moments"] += report.moments
      counts["moments in samples"] += report.sampledMoments
      counts["stories"]++
      for (const failure of report.failures) failures.push({ ...failure, at: `${number}@${failure.at}` })
    }
    if (only !== undefined) await tell(Number(only))
    else {
      const wanted = states * effort
      // A story adds at least its own bytes; the second bound is there for stories that do nothing.
      for (let number = 1; counts["distinct states"] < wanted && number < wanted; number++) {
        await tell(number)
        if (failures.length >= maxFailures) break
      }
    }
    return { counts, failures }
  }
})
