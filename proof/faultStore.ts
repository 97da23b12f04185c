/**
 * Faults of a store: every call that opening, creating, appending, committing, splitting, rolling back, collecting,
 * checking, reading, refreshing and closing makes, with the prefix mapped and read, and blocks verified or not.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Corrupt } from "../src/bytes/errors.ts"
import { attempt } from "../src/io/attempt.ts"
import { Io } from "../src/io/Io.ts"
import { Store } from "../src/store/Store.ts"
import type { StoreOptions, StoreReadError, StoreService } from "../src/store/storeService.ts"
import type { ExploreFaultsOptions } from "../src/testing/exploreFaults.ts"
import { Random } from "../src/testing/random.ts"
import { demand, faultPart } from "./faultPart.ts"
import { directory, FaultyStore, type StoreSteps } from "./faultyStore.ts"
import { memoryImage } from "./memoryImage.ts"
import { checkPromises, type Promised } from "./promises.ts"
import { foundIn } from "./storeStates.ts"
import { withoutMapping } from "./unmapped.ts"

type Scenario = ExploreFaultsOptions<string, Promised>

const nothing = "no store"

const contentOf = (store: StoreService) => attempt<string, StoreReadError>(() => foundIn(store))

/** As the next writer finds it, and whole. */
const recover = Effect.gen(function* () {
  const store = yield* Store.open({ directory })
  const found = yield* contentOf(store)
  const { damage } = yield* store.check()
  if (damage.length > 0) return yield* new Corrupt(damage[0])
  return found
}).pipe(Effect.catchTag("NoSuchFile", () => Effect.succeed(nothing)))

/** As a user would: some bytes more, which are there. The one before it has left nothing to be removed. */
const goOn = Effect.fnUntraced(function* (found: string, note: (note: Promised) => void) {
  const store = yield* Store.open({ directory, create: true })
  const removed = store.stats().recovery?.removed ?? []
  demand(found === nothing || removed.length === 0, `the recovery has left ${removed.join(", ")}`)
  const bytes = Uint8Array.of(1, 2, 3, 4, 5)
  const offset = yield* store.append(bytes)
  yield* store.split
  demand(Buffer.from(bytes).equals(yield* store.read(offset, 5)), "other bytes than were appended")
  note({ done: foundIn(store) })
  yield* store.close
})

/** And a collection, where it was one that failed. */
const collectOn = Effect.fnUntraced(function* (found: string, note: (note: Promised) => void) {
  yield* Effect.scoped(goOn(found, note))
  const store = yield* Store.open({ directory })
  const upTo = store.committedEnd()
  const live = [{ offset: upTo - 5, length: 2 }]
  yield* store.collect({ live, upTo })
  const collected = foundIn(store)
  demand(collected.endsWith(`: ${upTo - 5}:0102`), `after a collection there is ${collected}`)
  note({ done: collected })
  yield* store.close
})

const scenario = (steps: StoreSteps, more: Partial<Scenario> = {}): Scenario => ({
  workload: FaultyStore.workload(steps),
  recover,
  law: (found, notes) => checkPromises(found, notes, nothing),
  goOn,
  ...more
})

/** A store that steps have left, and how scenarios begin with it. */
const stored = async (steps: StoreSteps, debris: ReadonlyArray<string> = []) => {
  const make = Effect.gen(function* () {
    const store = new FaultyStore(() => {}, undefined)
    yield* Effect.scoped(steps(store))
    yield* store.refusals.end
    const io = yield* Io
    for (const name of debris) {
      const file = yield* io.create(`${directory}/${name}`, { overwrite: false })
      yield* file.writeAt(0, Uint8Array.of(9, 9, 9))
    }
    return store.model.committed
  })
  const { lay, value } = await memoryImage(make)
  return (taken: StoreSteps, more: Partial<Scenario> = {}): Scenario =>
    scenario(taken, { prepare: lay, workload: FaultyStore.workload(taken, value), ...more })
}

const small: Partial<StoreOptions> = { chunkSize: 100, autoFlushThreshold: 20 }

/** One step after the other. */
const steps =
  (list: (store: FaultyStore) => ReadonlyArray<Effect.Effect<void, never, Io | Scope.Scope>>): StoreSteps =>
  (store) =>
    Effect.forEach(list(store), (step) => step, { discard: true })

const creating = steps((store) => [
  store.open(small),
  store.append([30], "append"),
  store.append([20], "unsafe"),
  store.commit(),
  store.read,
  store.close
])

const committing = steps((store) => [
  store.open(small),
  store.append([40, 40, 40]),
  store.commit(),
  store.append([15], "unsafe"),
  store.commit("unsafe"),
  store.read
])

const rollingBack = steps((store) => [
  store.open(small),
  store.append([90, 40]),
  store.rollback,
  store.append([25], "append"),
  store.commit("split"),
  store.append([15], "append"),
  store.close
])

/** With bytes that are flushed and not committed, which go into the chunk behind the one that is sealed. */
const collecting = steps((store) => [
  store.open(small),
  store.append([30]),
  store.collect(130),
  store.read,
  store.commit()
])

const collectingAgain = steps((store) => [
  store.open({ ...small, verifyReads: true }),
  store.collect(1000),
  store.read
])

const refreshing = steps((store) => [
  store.open(small),
  store.openReader,
  store.append([60]),
  store.commit(),
  store.refresh,
  store.collect(1000),
  store.refresh,
  store.closeReader
])

const reading = steps((store) => [
  store.open(small),
  store.read,
  store.check,
  store.openReader,
  store.closeReader
])

const readingVerified = steps((store) => [
  store.open({ ...small, verifyReads: true }),
  store.read,
  store.close
])

const randomSteps = (seed: number): StoreSteps => {
  const random = new Random(seed)
  const sizes = () => Array.from({ length: random.between(1, 4) }, () => random.between(1, 90))
  const options: Partial<StoreOptions> = {
    chunkSize: random.oneOf([1, 50, 100, 400]),
    autoFlushThreshold: random.oneOf([0, 1, 20, 1000]),
    verifyReads: random.percent(50)
  }
  const draw = (): StoreSteps => {
    const choice = random.below(100)
    const drawn = sizes()
    const upTo = random.below(600)
    const append = random.oneOf(["append", "appendAll", "unsafe"] as const)
    const commit = random.oneOf(["commit", "split", "unsafe"] as const)
    if (choice < 30) return (store) => store.append(drawn, append)
    if (choice < 50) return (store) => store.commit(commit)
    if (choice < 57) return (store) => store.rollback
    if (choice < 70) return (store) => store.collect(upTo)
    if (choice < 76) return (store) => store.open()
    if (choice < 82) return (store) => store.read
    if (choice < 86) return (store) => store.check
    if (choice < 92) return (store) => store.refresh
    return (store) => Effect.andThen(store.closeReader, store.openReader)
  }
  const drawn = Array.from({ length: random.between(6, 16) }, draw)
  return steps((store) => [store.open(options), ...drawn.map((step) => step(store))])
}

export const scenarios = async (): Promise<Readonly<Record<string, Scenario>>> => {
  // The newest record is in the second slot of control, which a short read does not reach.
  const chunks = steps((store) => [
    store.open(small),
    store.append([60, 60]),
    store.commit(),
    store.append([60]),
    store.commit()
  ])
  const collected = steps((store) => [chunks(store), store.collect(130), store.append([10]), store.commit()])
  const inChunks = await stored(chunks)
  const withPrefix = await stored(collected)
  const interrupted = ["store.2.prefix.tmp", "store.2.prefix.map.tmp", "store.2.prefix", "store.9.suffix"]
  const withDebris = await stored(collected, interrupted)
  const unmapped = { io: withoutMapping }
  return {
    create: scenario(creating),
    commit: inChunks(committing),
    rollback: inChunks(rollingBack),
    collect: inChunks(collecting),
    "collect-again": withPrefix(collectingAgain, { ...unmapped, goOn: collectOn }),
    refresh: withPrefix(refreshing),
    read: withDebris(reading),
    "read-unmapped": withPrefix(readingVerified, unmapped)
  }
}

export const part = faultPart<string, Promised>({
  scenarios,
  random: (seed) => scenario(randomSteps(seed), seed % 2 === 0 ? {} : { io: withoutMapping })
})
