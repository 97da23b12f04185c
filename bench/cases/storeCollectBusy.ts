/**
 * The collection of `storeCollect` while another fiber appends, reads and commits: what that costs
 * the collection, and what the collection costs the fiber.
 *
 * The fiber comes to a turn of the event loop with a burst of records of 128 bytes to append, then
 * reads a few, and gives up the turn; it commits every so many bursts. The pause of an append is the
 * time from the moment its burst was ready, so before the turn was given up, to its own end: it holds
 * whatever a slice of the collection kept the event loop busy with, and nothing of a commit, whose own
 * time is a row apart. A fiber that gave up no turn would never let the collection in, nor be paused.
 *
 * Each round: a collection alone, twice, the first one unmeasured, for the memory (see `rehearsed`
 * in rounds.ts); one beside the fiber; and the fiber alone for as long, on a store of its own. What
 * is reported of pauses is drawn from those of all rounds; a maximum is that of all rounds.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import type { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreService } from "../../src/store/Store.ts"
import { expect, expectSame } from "../expect.ts"
import { makeRandom } from "../random.ts"
import type { Goal, Row } from "../result.ts"
import { median } from "../rounds.ts"
import { SampleRounds, Samples } from "../samples.ts"
import type { Settings } from "../settings.ts"
import { writeSource } from "./source.ts"
import type { Source } from "./source.ts"
import { collectionVariant, runCollect } from "./storeCollect.ts"
import { checkCollected, fillStore, linkStore } from "./storeSource.ts"

const recordBytes = 128
const burstRecords = 32
const burstReads = 8
const burstsACommit = 32
/** Far beyond what a round appends: a fiber that comes so far ends. */
const mostAppends = 1 << 23
const longestPauseMillis = 10

interface Traffic {
  /** Milliseconds of each append since its burst was ready. */
  readonly pauses: Samples
  /** Milliseconds of each commit. */
  readonly commits: Samples
}

/** Appends, reads and commits until `done`, and gives how many records it appended. */
const appendAndRead = Effect.fnUntraced(function* (
  store: StoreService,
  { reads, traffic }: { readonly reads: Float64Array; readonly traffic: Traffic },
  done: () => boolean
) {
  const { commits, pauses } = traffic
  const record = Buffer.alloc(recordBytes)
  const buffer = new Uint8Array(recordBytes)
  let appended = 0
  for (let burst = 1; !done() && appended + burstRecords <= mostAppends; burst++) {
    const ready = performance.now()
    yield* Effect.yieldNow
    for (let i = 0; i < burstRecords; i++) {
      record.writeUInt32LE(appended++)
      yield* store.append(record)
      pauses.add(performance.now() - ready)
    }
    for (let i = 0; i < burstReads; i++) {
      yield* store.readInto(reads[(burst * burstReads + i) % reads.length], buffer)
    }
    if (burst % burstsACommit !== 0) continue
    const start = performance.now()
    yield* store.commit
    commits.add(performance.now() - start)
  }
  yield* store.commit
  return appended
})

/** Throws unless the records lie behind the source, whole and in order. */
const checkAppended = Effect.fnUntraced(function* (store: StoreService, source: Source, appended: number) {
  expect("all appended is there", store.committedEnd() === source.bytes + appended * recordBytes)
  const wanted = Buffer.alloc(recordBytes)
  for (let i = 0; i < appended; i += Math.ceil(appended / 1000)) {
    wanted.writeUInt32LE(i)
    const found = yield* store.read(source.bytes + i * recordBytes, recordBytes)
    expectSame(`record ${i}`, found, new Uint8Array(wanted))
  }
})

interface Beside {
  readonly collectMillis: number
  readonly trafficMillis: number
  readonly appended: number
}

/** The fiber beside a collection, or, with `forMillis`, without one for so long. */
const runTraffic = Effect.fnUntraced(function* (
  directory: string,
  source: Source,
  options: { readonly reads: Float64Array; readonly traffic: Traffic; readonly forMillis: number | undefined }
) {
  const store = yield* Store.open({ directory })
  const start = performance.now()
  let collectMillis = 0
  let done = (): boolean => performance.now() - start >= (options.forMillis ?? 0)
  let collecting: Effect.Effect<unknown, unknown, Io> = Effect.void
  if (options.forMillis === undefined) {
    let collected = false
    done = () => collected
    const settled = Effect.sync(() => {
      collected = true
      collectMillis = performance.now() - start
    })
    collecting = store
      .collect({ live: source.live, upTo: store.committedEnd() })
      .pipe(Effect.ensuring(settled))
  }
  const [appended, trafficMillis] = yield* Effect.all(
    [
      appendAndRead(store, options, done).pipe(
        Effect.map((count): readonly [number, number] => [count, performance.now() - start])
      ),
      collecting
    ],
    { concurrency: 2 }
  ).pipe(Effect.map(([ended]) => ended))
  yield* checkAppended(store, source, appended)
  if (options.forMillis === undefined) yield* checkCollected(store, source)
  yield* store.close
  const beside: Beside = { collectMillis, trafficMillis, appended }
  return beside
}, Effect.scoped)

/** Offsets from which 128 bytes live on, in random order. */
const readableOffsets = (source: Source): Float64Array => {
  const random = makeRandom(91)
  const long = source.live.filter(({ length }) => length >= recordBytes)
  return Float64Array.from({ length: 1 << 16 }, () => {
    const { length, offset } = long[random.below(long.length)]
    return offset + random.below(length - recordBytes + 1)
  })
}

const percentiles = [
  { name: "p50", share: 0.5 },
  { name: "p99", share: 0.99 },
  { name: "p99.9", share: 0.999 },
  { name: "maximum", share: 1 }
]

const without = "without a collection"
const during = "during a collection"

/** Rows of what both took, and, for pauses, of what the collection added. */
const percentileRows = (
  variant: string,
  { busy, quiet }: { readonly busy: SampleRounds; readonly quiet: SampleRounds },
  goal?: Goal
): ReadonlyArray<Row> => {
  if (busy.empty || quiet.empty) return []
  return percentiles.flatMap(({ name, share }) => {
    const unloaded = quiet.at(share)
    const loaded = busy.at(share)
    const row = { case: "store-collect-busy", variant: `${variant}, ${name}`, unit: "ms" }
    const rows: Array<Row> = [
      { ...row, side: without, ...unloaded },
      { ...row, side: during, ...loaded }
    ]
    const added: Row = { ...row, side: "added", value: loaded.value - unloaded.value }
    if (goal !== undefined) rows.push(name === "p99.9" ? { ...added, goal } : added)
    return rows
  })
}

const rate = ({ appended, trafficMillis }: Beside): number => (trafficMillis * 1000) / appended

export const storeCollectBusyCase = Effect.fnUntraced(function* (settings: Settings) {
  const source = writeSource(settings)
  const full = path.join(settings.directory, "full")
  yield* fillStore(full, source)
  const reads = readableOffsets(source)
  const onCopy = async <A>(run: (directory: string) => Promise<A>): Promise<A> => {
    const directory = path.join(settings.directory, "store")
    linkStore(full, directory)
    try {
      return await run(directory)
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  }
  const samples: Traffic = { pauses: new Samples(mostAppends), commits: new Samples(mostAppends) }
  const withTraffic = (forMillis?: number): Promise<Beside> =>
    onCopy((directory) =>
      Effect.runPromise(
        runTraffic(directory, source, { reads, traffic: samples, forMillis }).pipe(
          Effect.provide(IoNode.layer)
        )
      )
    )
  const pauses = { busy: new SampleRounds(), quiet: new SampleRounds() }
  const commits = { busy: new SampleRounds(), quiet: new SampleRounds() }
  const take = (side: "busy" | "quiet", counts: boolean): void => {
    if (counts) {
      pauses[side].add(samples.pauses)
      commits[side].add(samples.commits)
    }
    samples.pauses.clear()
    samples.commits.clear()
  }
  const alone: Array<number> = []
  const beside: Array<Beside> = []
  const unburdened: Array<Beside> = []
  for (let round = 0; round <= settings.rounds; round++) {
    // Round 0 is for warming up.
    const counts = round > 0
    yield* Effect.promise(() => onCopy((directory) => runCollect(directory, source)))
    const { millis } = yield* Effect.promise(() => onCopy((directory) => runCollect(directory, source)))
    const busy = yield* Effect.promise(() => withTraffic())
    take("busy", counts)
    const quiet = yield* Effect.promise(() => withTraffic(busy.collectMillis))
    take("quiet", counts)
    if (!counts) continue
    alone.push(millis)
    beside.push(busy)
    unburdened.push(quiet)
  }

  const gigabyte = (millis: number): number => (millis * 1e9) / source.liveBytes
  const row = (variant: string, side: string, unit: string, rounds: ReadonlyArray<number>): Row => ({
    case: "store-collect-busy",
    variant,
    side,
    value: median(rounds),
    unit,
    rounds
  })
  const ratio = (loaded: ReadonlyArray<number>, unloaded: ReadonlyArray<number>): { ratio: number } => ({
    ratio: median(loaded.map((value, i) => value / unloaded[i]))
  })
  const collection = `collection, ${collectionVariant(source)}`
  const collections = beside.map(({ collectMillis }) => collectMillis)
  const appends = `appends of ${recordBytes} bytes, a read every ${burstRecords / burstReads}, a commit every ${burstRecords * burstsACommit}`
  const loaded = beside.map(rate)
  const unloaded = unburdened.map(rate)
  const rows: ReadonlyArray<Row> = [
    row(collection, "alone", "ms a GB of live", alone.map(gigabyte)),
    {
      ...row(collection, "beside appends", "ms a GB of live", collections.map(gigabyte)),
      ...ratio(collections, alone)
    },
    row(appends, without, "us a record", unloaded),
    { ...row(appends, during, "us a record", loaded), ...ratio(loaded, unloaded) },
    ...percentileRows("pause of an append", pauses, { most: longestPauseMillis, of: "value" }),
    ...percentileRows("commit", commits)
  ]
  return rows
})
