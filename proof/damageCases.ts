/**
 * The cases of a part of the proof: files, each with what is damaged of it and who judges. A case is named in
 * the address of a failure, before the damage: `closed record/flip:12:3`.
 */
import { exploreDamage, type ExploreDamageOptions } from "../src/testing/exploreDamage.ts"
import { guard, installMeter } from "./damageHooks.ts"
import type { PartFailure, PartOptions, PartReport } from "./part.ts"

export interface DamageCase extends Omit<ExploreDamageOptions, "guard" | "meter" | "at" | "untilFailure"> {
  /** Unique in its part. */
  readonly name: string
}

/** Of all cases together. */
const maxFailures = 12

/** Tries all cases, or the one that is asked for, and counts. */
export const runDamageCases = async (
  cases: Iterable<DamageCase>,
  { at, cases: begin = "", untilFailure }: PartOptions
): Promise<PartReport> => {
  const meter = installMeter()
  // Most of what a short decoder takes is the stack of its error, which only a replay is curious about.
  if (at === undefined) Error.stackTraceLimit = 0
  const counts = { "flipped bits": 0, sectors: 0, lengths: 0, detected: 0, harmless: 0, "damaged files": 0 }
  const failures: Array<PartFailure> = []
  let failed = 0
  const cut = at?.lastIndexOf("/") ?? -1
  let found = at === undefined
  for (const { name, ...options } of cases) {
    if (at === undefined ? !name.startsWith(begin) : name !== at.slice(0, cut)) continue
    if (untilFailure === true && failed > 0) break
    found = true
    const one = at === undefined ? {} : { at: at.slice(cut + 1) }
    const explored = await exploreDamage({ ...options, ...one, guard, meter, untilFailure })
    const { flip, grow, stale, swap, zero } = explored.kinds
    counts["flipped bits"] += flip
    counts.sectors += zero + swap + stale
    counts.lengths += explored.kinds.cut + grow
    counts.detected += explored.detected
    counts.harmless += explored.harmless
    counts["damaged files"]++
    failed += explored.failed
    for (const failure of explored.failures) {
      failures.push({ at: `${name}/${failure.at}`, story: `${name}, ${failure.at}: ${failure.story}` })
    }
  }
  if (!found) failures.push({ at: "", story: `there is no case of this name: ${at}` })
  const told = failures.slice(0, maxFailures)
  if (failed > told.length) told.push({ at: "", story: `and ${failed - told.length} more` })
  return { counts, failures: told }
}
