/**
 * What a SparseIo counts: for its `stats`, and for whoever collects Effect's metrics.
 *
 * Metrics cost more than a cached read. So they are told of what was counted since the last time, with
 * every request and every thousand hits, and when the instance ends.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { SparseIoStats } from "./sparseIoService.ts"

type Name = keyof SparseIoStats

const counter = (name: string, description: string) =>
  Metric.counter(name, { description, incremental: true })

const metrics: { readonly [N in Name]: Metric.Counter<number> } = {
  hits: counter("lacuna_sparse_hits", "Chunks that reads found in the store"),
  fetches: counter("lacuna_sparse_fetches", "Requests made of sources"),
  sharedWaits: counter(
    "lacuna_sparse_shared_waits",
    "Reads that waited for a chunk that another had asked for"
  ),
  fetchedBytes: counter("lacuna_sparse_fetched_bytes", "Bytes that came from sources"),
  evictedBytes: counter("lacuna_sparse_evicted_bytes", "Bytes deleted from stores for the sake of others"),
  storeFailures: counter(
    "lacuna_sparse_store_failures",
    "Failures of stores that reads were served in spite of"
  )
}

const names = Object.keys(metrics) as ReadonlyArray<Name>
const hitsBetween = 1024

export class SparseIoCounters {
  private readonly counts = zeros()
  private readonly told = zeros()
  private readonly context: Context.Context<never>

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  add(name: Name, amount: number): void {
    this.counts[name] += amount
  }

  hit(chunks: number): void {
    this.counts.hits += chunks
    if (this.counts.hits - this.told.hits >= hitsBetween) this.tell()
  }

  /** Brings the metrics up to date. */
  tell(): void {
    for (const name of names) {
      const more = this.counts[name] - this.told[name]
      if (more === 0) continue
      this.told[name] += more
      metrics[name].updateUnsafe(more, this.context)
    }
  }

  stats(): SparseIoStats {
    return { ...this.counts }
  }
}

const zeros = (): Record<Name, number> => ({
  hits: 0,
  fetches: 0,
  sharedWaits: 0,
  fetchedBytes: 0,
  evictedBytes: 0,
  storeFailures: 0
})
