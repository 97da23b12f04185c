/**
 * Fuzzing of every decoder of bytes that others have had in their hands, guided by which blocks of code are
 * reached, and aware of structure: checksums are put right behind a change, so that it gets behind them.
 *
 * The laws: `Corrupt` with a place in the file (of texts, the refusal that is documented), or a value that is the same
 * when it is encoded and decoded again. No defect, nothing that doesn't end, no memory beyond what the input deserves.
 */
import { installMeter } from "./damageHooks.ts"
import { keep, readCorpus } from "./fuzzCorpus.ts"
import { BlockCoverage } from "./fuzzCoverage.ts"
import { extentTarget } from "./fuzzExtentTarget.ts"
import { Random } from "./fuzzMutation.ts"
import { offmapTarget } from "./fuzzOffmapTarget.ts"
import { decodeInput, Fuzzing } from "./fuzzRun.ts"
import { sectionTargets } from "./fuzzSectionTargets.ts"
import { textTargets } from "./fuzzTextTargets.ts"
import type { PartFailure, PartOptions, PartReport } from "./part.ts"

export const fuzzTargets = [...sectionTargets, extentTarget, offmapTarget, ...textTargets]

const millisOfEffort = 10_000

/** What is under test: the floors that decode. */
export const isUnderTest = (url: string): boolean =>
  /\/src\/(format|bytes|file|fetch|cli)\//.test(url) && !url.includes("/node_modules/")

const replay = (at: string): PartReport => {
  const slash = at.indexOf("/")
  const target = fuzzTargets.find(({ name }) => name === at.slice(0, slash))
  if (target === undefined) return { counts: {}, failures: [{ at, story: "there is no such decoder" }] }
  const coverage = new BlockCoverage(isUnderTest)
  const fuzzing = new Fuzzing(target, { coverage, meter: installMeter(), random: new Random(1) })
  const story = fuzzing.tryOne(decodeInput(at.slice(slash + 1)))
  return { counts: { executions: 1 }, failures: story === undefined ? [] : [{ at, story }] }
}

export const part = {
  run: async ({ at, cases = "", effort, seed, untilFailure = false }: PartOptions): Promise<PartReport> => {
    if (at !== undefined) return replay(at)
    const coverage = new BlockCoverage(isUnderTest)
    const meter = installMeter()
    const failures: Array<PartFailure> = []
    const counts = { executions: 0, refused: 0, "inputs kept": 0, "new inputs": 0, "blocks covered": 0 }
    const chosen = fuzzTargets.filter(({ name }) => name.startsWith(cases))
    for (const [i, target] of fuzzTargets.entries()) {
      if (!chosen.includes(target)) continue
      if (untilFailure && failures.length > 0) break
      const fuzzing = new Fuzzing(target, { coverage, meter, random: new Random(seed * 1000 + i) })
      fuzzing.seed(readCorpus(target.name))
      fuzzing.fuzz((millisOfEffort * effort) / chosen.length)
      for (const bytes of fuzzing.found) keep(target.name, bytes)
      counts.executions += fuzzing.executions
      counts.refused += fuzzing.refused
      counts["inputs kept"] += fuzzing.corpus.length
      counts["new inputs"] += fuzzing.found.length
      failures.push(...fuzzing.failures)
    }
    counts["blocks covered"] = coverage.blocks
    coverage.stop()
    return { counts, failures }
  }
}
