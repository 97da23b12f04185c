/** The runs that make a bench, in order, and the names by which `--only` picks them. */
import type { JobName } from "./cases/jobs.ts"
import type { StoreAppendInput } from "./cases/storeAppend.ts"
import { allGaps } from "./extents.ts"
import { memoryPeerNames, peerNames } from "./peerStores.ts"
import type { MemoryPeers } from "./peerStores.ts"

export interface Run {
  /** What `--only` is compared with: all of it, or what stands before its first hyphen. */
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
  const beside = { peers: peers ? peerNames : [] }
  const memory: MemoryPeers = { peers: peers ? memoryPeerNames : [] }
  const appends = (name: string, commits: StoreAppendInput["commits"]): Run => ({
    name,
    job: "storeAppend",
    input: { ...beside, commits } satisfies StoreAppendInput
  })
  runs.push(
    appends("store-commit-1", "one"),
    appends("store-commit-1000", "thousand"),
    appends("store-append", "none"),
    { name: "store-read", job: "storeRead", input: beside },
    { name: "store-collect", job: "storeCollect" },
    { name: "store-collect-busy", job: "storeCollectBusy" },
    { name: "pages-get", job: "pageGet", input: memory },
    { name: "pages-miss", job: "pageMiss", input: memory },
    { name: "pages-offmap", job: "offmapUnmapped" },
    { name: "pages-policies", job: "pagePolicies" },
    { name: "offloaded-write", job: "offloadedWrite", input: memory },
    { name: "offloaded-read", job: "offloadedRead", input: memory },
    { name: "sparse-read", job: "sparseIoRead" },
    { name: "sparse-fetch", job: "sparseIoFetch" }
  )
  if (peers) {
    const [few, many] = quick ? [100_000, 200_000] : [1_000_000, 10_000_000]
    runs.push({ name: "peers", job: "peers", input: { count: few, lmdbOnly: false } })
    runs.push({ name: "peers", job: "peers", input: { count: many, lmdbOnly: true } })
  }
  return only === undefined ? runs : runs.filter(({ name }) => name === only || name.split("-")[0] === only)
}

export const runNames = [
  "translate",
  "size",
  "open",
  "build",
  "append",
  "read",
  "copy",
  "store",
  "store-commit-1",
  "store-commit-1000",
  "store-append",
  "store-read",
  "store-collect",
  "store-collect-busy",
  "pages",
  "pages-get",
  "pages-miss",
  "pages-offmap",
  "pages-policies",
  "offloaded",
  "offloaded-write",
  "offloaded-read",
  "sparse",
  "sparse-read",
  "sparse-fetch",
  "peers"
] as const
