/**
 * What a store counts while it runs, for whoever collects Effect's metrics.
 */
import * as Metric from "effect/Metric"

const counter = (name: string, description: string) =>
  Metric.counter(name, { description, incremental: true })

export const commitsMetric = counter("lacuna_store_commits", "Commits that wrote control")
export const committedBytesMetric = counter("lacuna_store_committed_bytes", "Bytes made durable by commits")
export const collectionsMetric = counter("lacuna_store_collections", "Collections that finished")
export const keptBytesMetric = counter("lacuna_store_kept_bytes", "Bytes that collections kept")
export const freedBytesMetric = counter("lacuna_store_freed_bytes", "Readable bytes that collections dropped")
export const collectionMillisMetric = Metric.histogram("lacuna_store_collection_millis", {
  description: "How long collections took, in milliseconds",
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 24 })
})
