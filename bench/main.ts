/**
 * The bench: lacuna against C, and on request against its peers, side by side in one run.
 *
 *     npm run bench -- [--json] [--quick] [--only NAME] [--rounds N] [--peers]
 *
 * Figures are medians of at least five rounds, ratios medians of the rounds' ratios. A quick run is
 * for trying the bench, not for figures. Data lies in LACUNA_BENCH_DIR (default: the system's
 * directory for temporary files; 5 GB at the most) and is removed at the end, however it ends.
 */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { parseArgs } from "node:util"
import { runJob, stopJobs } from "./jobProcess.ts"
import { describeMachine, machineLine } from "./machine.ts"
import { buildNative } from "./native.ts"
import { installPeers } from "./peersInstall.ts"
import { planRuns, runNames } from "./plan.ts"
import { reached } from "./result.ts"
import type { Row } from "./result.ts"
import { formatTable } from "./table.ts"

const usage = `usage: npm run bench -- [--json] [--quick] [--only ${runNames.join("|")}] [--rounds N] [--peers]`

const fail = (message: string): never => {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

const readOptions = () => {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        peers: { type: "boolean", default: false },
        only: { type: "string" },
        rounds: { type: "string", default: "5" }
      }
    })
    const rounds = Number(values.rounds)
    if (!Number.isSafeInteger(rounds) || rounds < 1) return fail(usage)
    const only = values.only
    if (only !== undefined && !runNames.some((name) => name === only)) return fail(usage)
    return { ...values, only, rounds, peers: values.peers || only === "peers" }
  } catch {
    return fail(usage)
  }
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

const options = readOptions()
const directory = fs.mkdtempSync(path.join(process.env.LACUNA_BENCH_DIR ?? os.tmpdir(), "lacuna-bench-"))
const removeDirectory = (): void => fs.rmSync(directory, { recursive: true, force: true })
process.on("exit", removeDirectory)
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    stopJobs()
    process.exit(130)
  })
}

const machine = describeMachine(directory)
say(machineLine(machine))
if (options.json) process.stdout.write(`${JSON.stringify({ machine, rounds: options.rounds })}\n`)
if (options.rounds < 5 || options.quick) say("a trial run: its figures are not for publishing")
const nativeFault = buildNative()
if (nativeFault !== undefined) say(`no C side: ${nativeFault}`)
const peersFault = options.peers ? installPeers() : undefined
if (peersFault !== undefined) say(`no peers: they can't be installed here (${peersFault})`)

const rows: Array<Row> = []
for (const run of planRuns({ ...options, peers: options.peers && peersFault === undefined })) {
  say(`${run.name} ${run.input === undefined ? "" : Object.values(run.input as object).join(" ")}`)
  try {
    const outcome = await runJob<ReadonlyArray<Row>>(
      run.job,
      { directory, quick: options.quick, rounds: options.rounds },
      run.input
    )
    rows.push(...outcome.result)
    if (!options.json) continue
    for (const row of outcome.result)
      process.stdout.write(`${JSON.stringify({ ...row, reached: reached(row) })}\n`)
  } catch (cause) {
    say(`${run.name} failed: ${cause instanceof Error ? cause.message : String(cause)}`)
    process.exitCode = 1
  }
}
const table = formatTable(rows)
if (options.json) say(table)
else process.stdout.write(`${table}\n`)
