/**
 * The proof: what the tools of lacuna/testing find when they are turned on lacuna itself.
 *
 *     npm run prove -- [--only NAME] [--states N] [--seed S] [--at CASE] [--json]
 *
 * Parts run two at a time, each in a process of its own. `--states` is the number of distinct crash
 * states to be visited by all of them together, 200,000 unless said; everything else grows with it.
 * A failure prints the command that replays it: the part, the seed and the case are all it takes.
 */
import { spawn } from "node:child_process"
import os from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { PartReport } from "./part.ts"
import type { PartOrder } from "./partProcess.ts"
import { parts } from "./parts.ts"

const usage = `usage: npm run prove -- [--only ${Object.keys(parts).join("|")}] [--states N] [--seed S] [--at CASE] [--json]`

/** The number of states that an effort of 1 stands for. */
const statesOfEffort = 200_000

class UsageError extends Error {}

interface Settings {
  readonly names: ReadonlyArray<string>
  readonly effort: number
  readonly seed: number
  readonly at: string | undefined
  readonly json: boolean
}

interface Outcome {
  readonly name: string
  readonly seconds: number
  readonly report: PartReport
}

const wholeNumber = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new UsageError(usage)
  return value
}

const readSettings = (args: ReadonlyArray<string>): Settings => {
  const options = {
    only: { type: "string" },
    states: { type: "string", default: String(statesOfEffort) },
    seed: { type: "string", default: "1" },
    at: { type: "string" },
    json: { type: "boolean", default: false }
  } as const
  try {
    const { values } = parseArgs({ args: [...args], options })
    const { at, json, only } = values
    const names = Object.keys(parts).filter((name) => only === undefined || name === only)
    if (names.length === 0 || (at !== undefined && names.length > 1)) throw new UsageError(usage)
    const effort = wholeNumber(values.states) / statesOfEffort
    return { names, effort, seed: wholeNumber(values.seed), at, json }
  } catch {
    throw new UsageError(usage)
  }
}

const run = fileURLToPath(new URL("../scripts/runTypeScript.mjs", import.meta.url))
const partProcess = fileURLToPath(new URL("partProcess.ts", import.meta.url))

/** A part that dies, or says nothing that can be read, has failed too. */
const died = (code: number | null, signal: string | null, errors: string): PartReport => ({
  counts: {},
  failures: [{ at: "", story: `the process ended with ${signal ?? code}: ${errors.slice(-4000)}` }]
})

const runPart = (order: PartOrder): Promise<Outcome> => {
  const since = performance.now()
  const child = spawn(process.execPath, ["--expose-gc", run, partProcess, JSON.stringify(order)], {
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  let errors = ""
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
  return new Promise((resolve) =>
    child.on("close", (code, signal) => {
      let report: PartReport
      try {
        report = code === 0 ? (JSON.parse(output) as PartReport) : died(code, signal, errors)
      } catch {
        report = died(code, signal, output.slice(0, 1000))
      }
      resolve({ name: order.name, seconds: (performance.now() - since) / 1000, report })
    })
  )
}

const replay = (name: string, { effort, seed }: Settings, at: string): string => {
  const states = effort === 1 ? "" : ` --states ${Math.round(effort * statesOfEffort)}`
  return `npm run prove -- --only ${name} --seed ${seed}${states}${at === "" ? "" : ` --at '${at}'`}`
}

const shown = ({ name, report, seconds }: Outcome, settings: Settings): string => {
  const counts = Object.entries(report.counts).map(([what, count]) => `${count.toLocaleString("en")} ${what}`)
  const line = `${name.padEnd(16)} ${seconds.toFixed(0).padStart(5)} s  ${counts.join(", ")}`
  const failures = report.failures.map(
    ({ at, story }) => `\n  ${story}\n  replay: ${replay(name, settings, at)}`
  )
  return [line, ...failures].join("")
}

const totals = (outcomes: ReadonlyArray<Outcome>): Record<string, number> => {
  const sums: Record<string, number> = {}
  for (const { report } of outcomes) {
    for (const [what, count] of Object.entries(report.counts)) sums[what] = (sums[what] ?? 0) + count
  }
  return sums
}

export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  try {
    await prove(readSettings(args))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  }
}

const prove = async (settings: Settings): Promise<void> => {
  const { at, effort, json, names, seed } = settings
  const since = performance.now()
  const left = [...names]
  const outcomes: Array<Outcome> = []
  const work = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const outcome = await runPart({ name, seed, effort, at })
      outcomes.push(outcome)
      if (!json) process.stdout.write(`${shown(outcome, settings)}\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(2, os.availableParallelism()) }, work))
  const seconds = (performance.now() - since) / 1000
  const sums = totals(outcomes)
  const failed = outcomes.filter(({ report }) => report.failures.length > 0)
  if (json) process.stdout.write(`${JSON.stringify({ seed, effort, seconds, totals: sums, outcomes })}\n`)
  else {
    const all = Object.entries(sums).map(([what, count]) => `${count.toLocaleString("en")} ${what}`)
    process.stdout.write(`in ${seconds.toFixed(0)} s: ${all.join(", ")}\n`)
  }
  if (failed.length > 0) {
    process.stderr.write(`${failed.length} of ${outcomes.length} parts failed\n`)
    process.exitCode = 1
  }
}
