/**
 * The mutation run: the engine with one barrier broken after the other, under the same power cuts. The
 * simulation must find every one of them; a barrier that nothing needs has no place in the engine.
 *
 *     npm run mutants -- [--only TEXT] [--seed S] [--json]
 *
 * Each run is a process of its own, in which that one place of the source is another text.
 */
import { spawn } from "node:child_process"
import os from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type Barrier, fsyncs, otherOrderings } from "./barriers.ts"
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
  return ["crashStore", "crashBackup"]
}

interface Verdict {
  readonly barrier: Barrier
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

const judge = async (barrier: Barrier, seed: number): Promise<Verdict> => {
  const since = performance.now()
  let caught: Verdict["caught"]
  for (const name of partsFor(barrier)) {
    const [failure] = (await reportOf(barrier, { name, seed, effort, at: undefined })).failures
    if (failure === undefined) continue
    caught = { part: name, ...failure }
    break
  }
  return { barrier, caught, seconds: (performance.now() - since) / 1000 }
}

const shown = ({ barrier, caught, seconds }: Verdict): string => {
  const verdict = caught === undefined ? "NOT CAUGHT" : `caught by ${caught.part} at ${caught.at}`
  const story = caught === undefined ? barrier.why : caught.story.split("\n")[0]
  return `${verdict.padEnd(40)} ${seconds.toFixed(0).padStart(4)} s  ${barrier.name}\n    ${story.slice(0, 160)}`
}

export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false }
    }
  })
  const barriers = [...fsyncs(), ...otherOrderings()].filter(({ name }) => name.includes(values.only))
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
  const missed = verdicts.filter(({ caught }) => caught === undefined)
  if (values.json) process.stdout.write(`${JSON.stringify(verdicts)}\n`)
  else
    process.stdout.write(
      `${verdicts.length - missed.length} of ${verdicts.length} broken barriers were caught\n`
    )
  if (barriers.length === 0 || missed.length > 0) process.exitCode = 1
}
