/** Faults of a backup of a store: what was copied opens as a store of its own, or is none, and the store itself stays. */
import * as Effect from "effect/Effect"
import { attempt } from "../src/io/attempt.ts"
import { Io } from "../src/io/Io.ts"
import { Store } from "../src/store/Store.ts"
import type { StoreReadError } from "../src/store/storeService.ts"
import type { ExploreFaultsOptions } from "../src/testing/exploreFaults.ts"
import { demand, faultPart } from "./faultPart.ts"
import { memoryImage } from "./memoryImage.ts"
import { checkPromises, type Promised } from "./promises.ts"
import { foundIn } from "./storeStates.ts"

type Scenario = ExploreFaultsOptions<string, Promised>

const directory = "/store"
const copy = "/copy"
const noCopy = "no copy"

const make = Effect.gen(function* () {
  const store = yield* Store.open({ directory, create: true, chunkSize: 160 })
  yield* store.appendAll(Array.from({ length: 4 }, (_, i) => new Uint8Array(60).fill(i + 1)))
  yield* store.split
  yield* store.collect({ live: [{ offset: 10, length: 70 }], upTo: 130 })
  yield* store.append(new Uint8Array(20).fill(9))
  yield* store.commit
  return foundIn(store)
})

const contentAt = (path: string) =>
  Effect.scoped(
    Effect.flatMap(Store.open({ directory: path }), (store) =>
      attempt<string, StoreReadError>(() => foundIn(store))
    )
  )

/** A directory that is no whole store is no copy: it is either empty, or refused. */
const copyAt = (path: string) =>
  Effect.catchIf(
    contentAt(path),
    (error) => error._tag === "NoSuchFile" || error._tag === "Corrupt",
    () => Effect.succeed(noCopy)
  )

const scenarios = async (): Promise<Readonly<Record<string, Scenario>>> => {
  const { lay: prepare, value: content } = await memoryImage(make)
  const both = (copied: string): string => `${content} | ${copied}`
  const scenario: Scenario = {
    prepare,
    workload: (note) =>
      Effect.gen(function* () {
        note({ begun: both(content) })
        const store = yield* Store.open({ directory })
        const { committedEnd } = yield* store.backup(copy)
        note({ done: both(content) })
        demand(committedEnd === store.committedEnd(), "the copy ends elsewhere")
        yield* store.close
      }),
    recover: Effect.gen(function* () {
      return `${yield* contentAt(directory)} | ${yield* copyAt(copy)}`
    }),
    law: (found, notes) => checkPromises(found, notes, both(noCopy)),
    // What is left of a copy that could be neither finished nor removed is in the way of a second attempt there alone.
    goOn: (found, note) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* Store.open({ directory })
        const isThere = (yield* io.classify(copy)) === "directory"
        const names = isThere ? yield* io.list(copy) : []
        const isFree = names.every((name) => name === "store.lock")
        const to = isFree ? copy : "/another"
        yield* store.backup(to)
        demand((yield* contentAt(to)) === content, "the second copy is another")
        note({ done: isFree ? both(content) : found })
      })
  }
  return { backup: scenario }
}

export const part = faultPart<string, Promised>({ scenarios })
