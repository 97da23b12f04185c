/**
 * How the property tests run: how often, from which seed, and how a failure is replayed.
 *
 * - `LACUNA_RUNS` multiplies every property's number of runs (10, 0.1); the default is 1, with which
 *   all of them together take less than two minutes on two cores.
 * - `LACUNA_SEED` and `LACUNA_PATH` replay one failure; the failure itself prints the command.
 */
import { relative } from "node:path"
import * as fc from "fast-check"
import { expect } from "vitest"

const numberFrom = (name: string): number | undefined => {
  const text = process.env[name]
  if (text === undefined || text === "") return undefined
  const value = Number(text)
  if (!Number.isFinite(value)) throw new Error(`${name} must be a number, not ${text}`)
  return value
}

/** `runs`, multiplied by `LACUNA_RUNS`, and at least 1. */
export const scaledRuns = (runs: number): number =>
  Math.max(1, Math.round(runs * (numberFrom("LACUNA_RUNS") ?? 1)))

const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const patternOf = (testName: string): string => testName.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** The one command that runs the current test again from a seed, and only the failing case of it. */
export const replayCommand = (seed: number, path: string | null): string => {
  const { currentTestName, testPath } = expect.getState()
  const file = testPath === undefined ? "" : ` ${relative(process.cwd(), testPath)}`
  const only =
    currentTestName === undefined
      ? ""
      : ` -t ${shellQuoted(patternOf(currentTestName.replaceAll(" > ", " ")))}`
  const at = path === null ? "" : ` LACUNA_PATH=${path}`
  return `LACUNA_SEED=${seed}${at} npx vitest run --config vitest.property.config.ts${file}${only}`
}

/**
 * Tries a property `runs` times (multiplied by `LACUNA_RUNS`). The first counterexample is shrunk;
 * the test fails with it, its seed and the command that replays it.
 */
export const runProperty = async <Ts>(
  property: fc.IAsyncProperty<Ts> | fc.IProperty<Ts>,
  options: { readonly runs: number }
): Promise<void> => {
  const seed = numberFrom("LACUNA_SEED")
  const path = process.env["LACUNA_PATH"]
  const details = await fc.check(property, {
    numRuns: scaledRuns(options.runs),
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined || path === "" ? {} : { path })
  })
  if (!details.failed) return
  const { errorInstance } = details
  const stack = errorInstance instanceof Error ? `\n${errorInstance.stack ?? ""}` : ""
  throw new Error(
    `${fc.defaultReportMessage(details)}${stack}\n\nseed: ${details.seed}\nreplay: ${replayCommand(details.seed, details.counterexamplePath)}`,
    { cause: errorInstance }
  )
}
