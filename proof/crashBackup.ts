/** Power cuts of a backup: the store stays what it is, and the copy is whole once it was acknowledged. */
import * as Effect from "effect/Effect"
import { Store } from "../src/store/Store.ts"
import type { CrashStory } from "../src/testing/exploreCrashes.ts"
import { Random } from "../src/testing/random.ts"
import { crashPart } from "./crashPart.ts"
import { checkPromises, type Promised } from "./promises.ts"
import { foundIn } from "./storeStates.ts"

const directory = "/store"
const target = "/backup"
const nothing = "no copy"

const workload = (random: Random, note: (note: Promised) => void) =>
  Effect.gen(function* () {
    const store = yield* Store.open({ directory, create: true, chunkSize: random.oneOf([64, 300]) })
    for (let left = random.between(1, 4); left > 0; left--) {
      yield* store.append(random.bytes(random.between(1, 200)))
      if (random.percent(50)) yield* store.commit
    }
    yield* store.commit
    if (random.percent(50)) {
      const upTo = random.between(0, store.committedEnd())
      yield* store.collect({ live: upTo > 1 ? [{ offset: 1, length: upTo - 1 }] : [], upTo })
    }
    const committed = foundIn(store)
    yield* store.append(random.bytes(10))
    note({ begun: committed })
    yield* store.backup(target)
    note({ done: committed })
    yield* store.rollback
  }).pipe(Effect.scoped)

const recover = Effect.gen(function* () {
  return yield* Store.open({ directory: target }).pipe(
    Effect.map(foundIn),
    // What was interrupted has no control yet. One that has it is a store, and nobody was to be told of less.
    Effect.catchTag("NoSuchFile", () => Effect.succeed(nothing)),
    Effect.catchTag("Corrupt", (corrupt) =>
      corrupt.path === `${target}/store.control` ? Effect.succeed(nothing) : Effect.fail(corrupt)
    )
  )
})

const story = (seed: number): CrashStory<string, Promised> => ({
  workload: (note) => Effect.suspend(() => workload(new Random(seed), note)),
  recover,
  law: (found, notes) => checkPromises(found, notes, nothing)
})

export const part = crashPart(story, { states: 8_000 })
