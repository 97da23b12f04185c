/**
 * Collecting a store of 1 GiB of which 30 % live on, alone, against bare `appendExtents` and `close`
 * of the same extents from a plain file. Both up to the moment when the copy is durable and has its
 * names, fsyncs included (the collection: control and the removal of names too), and up to the moment
 * when all is written but nothing synced (the collection: gathering, sealing and copying).
 *
 * A collection verifies all blocks of 64 KiB that it copies from, which is nearly all of them; bare
 * `appendExtents` of a plain file has nothing to verify against.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreCollected } from "../../src/store/Store.ts"
import { expect } from "../expect.ts"
import type { Row } from "../result.ts"
import { compare } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { copyOurs, removeSparse } from "./copy.ts"
import { writeSource } from "./source.ts"
import type { Source } from "./source.ts"
import { checkCollected, fillStore, linkStore } from "./storeSource.ts"

/** Gaps are never fused by a collection, so not here either. */
const maxGapBytes = 0
/** At least 0.6 times the speed. */
const goal = { most: 1 / 0.6, of: "ratio", to: "appendExtents" } as const

const collect = Effect.fnUntraced(function* (directory: string, source: Source, check: boolean) {
  const store = yield* Store.open({ directory })
  const start = performance.now()
  const collected = yield* store.collect({ live: source.live, upTo: store.committedEnd() })
  const millis = performance.now() - start
  expect("exactly the live bytes were kept", collected.bytesKept === source.liveBytes)
  if (check) yield* checkCollected(store, source)
  yield* store.close
  return { collected, millis }
}, Effect.scoped)

/** Collects the store in `directory`, and gives what that did and the milliseconds it took. */
export const runCollect = (directory: string, source: Source, check = false) =>
  Effect.runPromise(collect(directory, source, check).pipe(Effect.provide(IoNode.layer)))

/** How the case is called in the table. */
export const collectionVariant = (source: Source): string =>
  `${source.live.length} extents, ${Math.round(source.liveBytes / 1e6)} MB of ${source.bytes / 2 ** 20} MiB`

const stepNames = ["gather", "seal", "copy", "promote", "publish", "remove"] as const

/** One row a step of one collection that frees its disk. */
const stepRows = (variant: string, { millis, peakMemoryBytes }: StoreCollected): ReadonlyArray<Row> => {
  const row = (what: string, value: number, unit: string): Row => ({
    case: "store-collect",
    variant: `${variant}, once, the disk freed too`,
    side: what,
    value,
    unit
  })
  return [
    ...stepNames.map((step) => row(step, millis[step], "ms")),
    row("total", millis.total, "ms"),
    row("memory of its own", peakMemoryBytes / 1e6, "MB")
  ]
}

export const storeCollectCase = Effect.fnUntraced(function* (settings: Settings) {
  const source = writeSource(settings)
  const full = path.join(settings.directory, "full")
  const store = path.join(settings.directory, "store")
  const bare = path.join(settings.directory, "bare")
  yield* fillStore(full, source)
  const runOurs = async (check = false) => {
    linkStore(full, store)
    const outcome = await runCollect(store, source, check)
    fs.rmSync(store, { recursive: true })
    return outcome
  }
  yield* Effect.promise(() => runOurs(true))

  const gigabyte = (millis: number): number => (millis * 1e9) / source.liveBytes
  const written = { ours: new Map<number, number>(), bare: new Map<number, number>() }
  const sides: ReadonlyArray<Side> = [
    {
      name: "collect",
      goal,
      run: async (round) => {
        const { collected, millis } = await runOurs()
        const { copy, gather, seal } = collected.millis
        written.ours.set(round, gigabyte(gather + seal + copy))
        return gigabyte(millis)
      }
    },
    {
      name: "appendExtents",
      note: "from a plain file",
      run: async (round) => {
        const copied = await Effect.runPromise(
          copyOurs(source, bare, maxGapBytes).pipe(Effect.provide(IoNode.layer))
        )
        removeSparse(bare)
        written.bare.set(round, gigabyte(copied.written))
        return gigabyte(copied.durable)
      }
    }
  ]
  const variant = collectionVariant(source)
  const report = (what: string, some: ReadonlyArray<Side>, rehearsed: boolean) =>
    compare({
      case: "store-collect",
      variant: `${variant}, ${what}`,
      unit: "ms a GB of live",
      rounds: settings.rounds,
      rehearsed,
      to: "appendExtents",
      sides: some
    })
  const durableRows = yield* Effect.promise(() => report("fsync included", sides, true))
  // The same runs, at their other moment: what was measured above is looked up, not run again.
  const before = sides.map((side): Side => {
    const measured = side.name === "collect" ? written.ours : written.bare
    return { ...side, run: (round) => measured.get(round) ?? Number.NaN }
  })
  const writtenRows = yield* Effect.promise(() => report("before fsync", before, false))
  const { collected } = yield* Effect.promise(() => runCollect(full, source))
  return [...durableRows, ...writtenRows, ...stepRows(variant, collected)]
})
