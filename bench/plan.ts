/** The runs that make a bench, in order, and the names by which `--only` picks them. */
import type { JobName } from "./cases/jobs.ts"
import { allGaps } from "./extents.ts"

export interface Run {
  /** What `--only` is compared with. */
  readonly name: string
  readonly job: JobName
  readonly input?: unknown
}

export interface PlanOptions {
  readonly quick: boolean
  readonly peers: boolean
  readonly only: string | undefined
}

export const planRuns = ({ only, peers, quick }: PlanOptions): ReadonlyArray<Run> => {
  const runs: Array<Run> = []
  for (const count of quick ? [1_000_000] : [10_000_000, 30_000_000]) {
    for (const gaps of allGaps) runs.push({ name: "translate", job: "translate", input: { count, gaps } })
  }
  runs.push(
    { name: "size", job: "size" },
    { name: "open", job: "open" },
    { name: "build", job: "build" },
    { name: "append", job: "append" },
    { name: "read", job: "read" },
    { name: "copy", job: "copy" }
  )
  if (peers) {
    const [few, many] = quick ? [100_000, 200_000] : [1_000_000, 10_000_000]
    runs.push({ name: "peers", job: "peers", input: { count: few, lmdbOnly: false } })
    runs.push({ name: "peers", job: "peers", input: { count: many, lmdbOnly: true } })
  }
  return only === undefined ? runs : runs.filter(({ name }) => name === only)
}

export const runNames = ["translate", "size", "open", "build", "append", "read", "copy", "peers"] as const
