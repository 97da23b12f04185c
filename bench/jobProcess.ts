/**
 * Every case runs in a process of its own, so that none meets code that another has taught the
 * compiler bad habits, or memory that another has left behind; and one that crashes takes no other
 * along. The parent watches the child's memory from outside, since a busy child can't.
 */
import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import type { Settings } from "./settings.ts"

const sampleMillis = 2
const jobFile = fileURLToPath(new URL("./job.js", import.meta.url))
const running = new Set<ChildProcess>()

export interface JobOutcome<A> {
  readonly result: A
  /** The peak of anonymous resident memory, as far as sampling saw it. */
  readonly peakRssAnonBytes: number
}

/** Anonymous resident memory of a process ("self" or its number), 0 where the system doesn't tell. */
export const rssAnonBytes = (processId: number | "self"): number => {
  try {
    const status = fs.readFileSync(`/proc/${processId}/status`, "utf8")
    return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Ends the children that are left. */
export const stopJobs = (): void => {
  for (const child of running) child.kill("SIGKILL")
}

/** Runs the job of that name in a new process, with a directory of its own that is removed afterwards. */
export const runJob = async <A>(
  name: string,
  settings: Settings,
  input: unknown = null
): Promise<JobOutcome<A>> => {
  const directory = fs.mkdtempSync(path.join(settings.directory, `${name}-`))
  try {
    return await watchJob<A>(name, { ...settings, directory }, input)
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

const watchJob = <A>(name: string, settings: Settings, input: unknown): Promise<JobOutcome<A>> =>
  new Promise((resolve, reject) => {
    const flags = process.env.LACUNA_BENCH_NODE_FLAGS?.split(" ").filter((flag) => flag !== "") ?? []
    const child = fork(jobFile, [name, JSON.stringify(settings), JSON.stringify(input)], {
      execArgv: ["--expose-gc", ...flags],
      stdio: ["ignore", 2, 2, "ipc"]
    })
    running.add(child)
    let peakRssAnonBytes = 0
    let result: { readonly value: A } | undefined
    const sampler = setInterval(() => {
      if (child.pid !== undefined) peakRssAnonBytes = Math.max(peakRssAnonBytes, rssAnonBytes(child.pid))
    }, sampleMillis)
    child.on("message", (message) => {
      result = message as { readonly value: A }
    })
    child.on("error", reject)
    child.on("exit", (code, signal) => {
      clearInterval(sampler)
      running.delete(child)
      if (code === 0 && result !== undefined) resolve({ result: result.value, peakRssAnonBytes })
      else reject(new Error(`${name} ended with ${signal ?? `status ${code}`}`))
    })
  })
