/**
 * What replacement policies make of the same lookups: the part that hits, in percent. Simulations,
 * the same in every run, but for lacuna's own policy, which is the code that the page cache runs.
 *
 * Lookups of one page in a row count as one, since every policy answers all but the first. The optimum
 * is that of a cache that knows the future.
 */
import * as Effect from "effect/Effect"
import path from "node:path"
import { arc } from "../policies/arc.ts"
import { clock } from "../policies/clock.ts"
import { direct } from "../policies/direct.ts"
import { lacuna } from "../policies/lacuna.ts"
import { lru } from "../policies/lru.ts"
import { optimalHits } from "../policies/optimum.ts"
import type { Lookup } from "../policies/policy.ts"
import { s3Fifo } from "../policies/s3Fifo.ts"
import { sieve } from "../policies/sieve.ts"
import { tinyLfu } from "../policies/tinyLfu.ts"
import { twoQueues } from "../policies/twoQueues.ts"
import { repository } from "../native.ts"
import type { Row } from "../result.ts"
import type { Settings } from "../settings.ts"
import { generatedTraces } from "../traces/generated.ts"
import { readMsrTrace } from "../traces/msr.ts"

const others = [direct, lru, clock, sieve, s3Fifo, twoQueues, arc, tinyLfu]
const pageSize = 4096
const leastLookups = 100_000
const lookupsASlot = 40

/** The part of the lookups that hit, in percent. */
const hitRate = (trace: Float64Array, lookup: Lookup): number => {
  let hits = 0
  let counted = 0
  for (let i = 0; i < trace.length; i++) {
    const hit = lookup(trace[i])
    if (i > 0 && trace[i] === trace[i - 1]) continue
    counted++
    if (hit) hits++
  }
  return (100 * hits) / counted
}

const optimalRate = (trace: Float64Array, slots: number): number => {
  const hits = optimalHits(trace, slots)
  let at = 0
  return hitRate(trace, () => hits[at++] === 1)
}

const measure = (name: string, trace: Float64Array, slots: number): Row => {
  const rates = others.map((policy) => `${policy.name} ${hitRate(trace, policy.make(slots)).toFixed(1)}`)
  return {
    case: "page policies",
    variant: `${slots} pages, ${name}`,
    side: lacuna.name,
    value: hitRate(trace, lacuna.make(slots)),
    unit: "% hits",
    note: [...rates, `optimum ${optimalRate(trace, slots).toFixed(1)}`].join(", ")
  }
}

export const pagePoliciesCase = (settings: Settings) =>
  Effect.sync(() => {
    const sizes = settings.quick ? [64, 1024] : [64, 1024, 16_384]
    const rows: Array<Row> = []
    for (const slots of sizes) {
      for (const { make, name } of generatedTraces) {
        rows.push(measure(name, make(slots, Math.max(leastLookups, lookupsASlot * slots)), slots))
      }
    }
    const sample = readMsrTrace(path.join(repository, "bench", "traces", "sqlite.csv"), pageSize)
    for (const slots of [64, 256]) rows.push(measure("SQLite", sample, slots))
    const given = process.env.LACUNA_BENCH_TRACE
    if (given === undefined) return rows
    const trace = readMsrTrace(given, pageSize)
    for (const slots of sizes) rows.push(measure(path.basename(given), trace, slots))
    return rows
  })
