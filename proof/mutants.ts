/**
 * The mutation run: the engine with one barrier broken after the other, under the same power cuts. The
 * simulation must find every one of them; a barrier that nothing needs has no place in the engine.
 *
 *     npm run mutants -- [--checks] [--only TEXT] [--seed S] [--json]
 *
 * With --checks it is the checks of what comes from outside that are broken, one after the other (checks.ts), under
 * forgeries, damage and fuzzing. Of those that are said to be noticed by nothing, none may be noticed.
 *
 * Each run is a process of its own, in which that one place of the source is another text.
 */
import { spawn } from "node:child_process"
import os from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type Barrier, fsyncs, otherOrderings } from "./barriers.ts"
import { checks } from "./checks.ts"
import type { PartReport } from "./part.ts"
import type { PartOrder } from "./partProcess.ts"

const run = fileURLToPath(new URL("../scripts/runTypeScript.mjs", import.meta.url))
const partProcess = fileURLToPath(new URL("partProcess.ts", import.meta.url))

/** How much is tried before a barrier counts as one that nothing needs. */
const effort = 2
const maxSeconds = 300

/** The parts that use a file of the engine, the likeliest first. */
const partsFor = ({ file }: Barrier): ReadonlyArray<string> => {
  const name = file.slice(file.lastIndexOf("/") + 1)
  if (name.startsWith("extent")) return ["crashExtent", "crashExtentClosed"]
  if (name.startsWith("appendOnly")) return ["crashAppend"]
  if (name.startsWith("temporaryFile")) return ["crashMaterialise"]
  if (name.startsWith("sparse")) return ["crashSparse", "crashStore"]
  if (name === "storeBackup.ts" || name === "newFile.ts") return ["crashBackup", "crashStore"]
  if (name === "controlFile.ts") return ["crashSlots", "crashBackup", "crashStore"]
  return ["crashStore", "crashBackup"]
}

/** What is broken, and under what it is run. */
interface Mutant extends Barrier {
  readonly orders: ReadonlyArray<Omit<PartOrder, "seed" | "at">>
  /** Why nothing can notice it. */
  readonly neutral: string | undefined
}

const brokenBarriers = (): ReadonlyArray<Mutant> =>
  [...fsyncs(), ...otherOrderings()].map((barrier) => ({
    ...barrier,
    orders: partsFor(barrier).map((name) => ({ name, effort })),
    neutral: undefined
  }))

/** A decoder is fuzzed for some seconds; of damage all is tried that is in these cases. */
const effortOf = (name: string): number => (name.startsWith("fuzz") ? 0.3 : 1)

const brokenChecks = (): ReadonlyArray<Mutant> =>
  checks().map((check) => ({
    ...check,
    orders: check.parts.map((text) => {
      const [name, cases = ""] = text.split("/")
      return { name, cases, effort: effortOf(name), untilFailure: true }
    })
  }))

interface Verdict {
  readonly barrier: Mutant
  readonly caught: { readonly part: string; readonly at: string; readonly story: string } | undefined
  readonly seconds: number
}

/** The report of a part; a run that ends otherwise, or isn't over in time, has caught nothing. */
const reportOf = (barrier: Barrier, order: PartOrder): Promise<PartReport> => {
  const { end, file, start, text } = barrier
  const child = spawn(process.execPath, [run, partProcess, JSON.stringify(order)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LACUNA_MUTANT: JSON.stringify({ file, start, end, text }) },
    timeout: maxSeconds * 1000
  })
  let output = ""
  let errors = ""
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
  return new Promise((resolve) =>
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(JSON.parse(output) as PartReport)
      const how = `${order.name} ended with ${signal ?? code} ${errors.slice(0, 500)}`
      process.stderr.write(`${barrier.name}: ${how}\n`)
      resolve({ counts: {}, failures: [] })
    })
  )
}

const judge = async (barrier: Mutant, seed: number): Promise<Verdict> => {
  const since = performance.now()
  let caught: Verdict["caught"]
  for (const order of barrier.orders) {
    const [failure] = (await reportOf(barrier, { ...order, seed, at: undefined })).failures
    if (failure === undefined) continue
    caught = { part: order.name, ...failure }
    break
  }
  return { barrier, caught, seconds: (performance.now() - since) / 1000 }
}

/** Whether it was met as it must be. */
const isRight = ({ barrier, caught }: Verdict): boolean =>
  (caught === undefined) === (barrier.neutral !== undefined)

const shown = (one: Verdict): string => {
  const { barrier, caught, seconds } = one
  const how = caught === undefined ? "neutral" : `caught by ${caught.part} at ${caught.at}`
  const verdict = isRight(one) ? how : caught === undefined ? "NOT CAUGHT" : `NOT NEUTRAL: ${how}`
  const story = caught === undefined ? (barrier.neutral ?? barrier.why) : caught.story.split("\n")[0]
  return `${verdict.padEnd(40)} ${seconds.toFixed(0).padStart(4)} s  ${barrier.name}\n    ${story.slice(0, 160)}`
}

export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      checks: { type: "boolean", default: false }
    }
  })
  const all = values.checks ? brokenChecks() : brokenBarriers()
  const barriers = all.filter(({ name }) => name.includes(values.only))
  const left = [...barriers]
  const verdicts: Array<Verdict> = []
  const work = async (): Promise<void> => {
    for (let barrier = left.shift(); barrier !== undefined; barrier = left.shift()) {
      const verdict = await judge(barrier, Number(values.seed))
      verdicts.push(verdict)
      if (!values.json) process.stdout.write(`${shown(verdict)}\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(2, os.availableParallelism()) }, work))
  const missed = verdicts.filter((verdict) => !isRight(verdict))
  if (values.json) process.stdout.write(`${JSON.stringify(verdicts)}\n`)
  else
    process.stdout.write(
      values.checks
        ? `${verdicts.length - missed.length} of ${verdicts.length} broken checks were met as they must be\n`
        : `${verdicts.length - missed.length} of ${verdicts.length} broken barriers were caught\n`
    )
  if (barriers.length === 0 || missed.length > 0) process.exitCode = 1
}
