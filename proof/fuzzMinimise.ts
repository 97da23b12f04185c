/**
 * Makes the corpus of the repository from what was found: `node scripts/runTypeScript.mjs proof/fuzzMinimise.ts`.
 *
 * Of the inputs of each decoder, small ones first, some are kept that reach what no one before has. What is in the
 * repository already stays.
 */
import { installMeter } from "./damageHooks.ts"
import { commit, readCorpus } from "./fuzzCorpus.ts"
import { BlockCoverage } from "./fuzzCoverage.ts"
import { fuzzTargets, isUnderTest } from "./fuzzFormats.ts"
import { Random } from "./fuzzMutation.ts"
import { Fuzzing } from "./fuzzRun.ts"

/** Large ones reach a little that small ones don't; the next run finds it again. */
const maxBytes = 1500
/** The first ones reach most. */
const maxInputs = 10

export const main = async (): Promise<void> => {
  const coverage = new BlockCoverage(isUnderTest)
  const meter = installMeter()
  for (const target of fuzzTargets) {
    const inputs = readCorpus(target.name).filter(({ length }) => length <= maxBytes)
    const order = [...inputs].sort((a, b) => a.length - b.length)
    const middle = order.splice(Math.floor(order.length / 2), 1)
    const fuzzing = new Fuzzing(target, { coverage, meter, random: new Random(1) })
    fuzzing.sift([...middle, ...order])
    for (const bytes of fuzzing.found.slice(0, maxInputs)) commit(target.name, bytes)
    process.stdout.write(`${target.name}: ${Math.min(maxInputs, fuzzing.found.length)} of ${inputs.length}\n`)
  }
  coverage.stop()
}
