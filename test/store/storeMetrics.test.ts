/** What a store counts: every commit that wrote control, whichever way it was asked for. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { expect } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import { openOn, record } from "./storeHarness.ts"

const counted = Effect.map(Metric.snapshot, (snapshot) =>
  ["commits", "committed_bytes"].map((name) => {
    const found = snapshot.find(({ id }) => id === `lacuna_store_${name}`)
    return (found?.state as { readonly count: number } | undefined)?.count ?? 0
  })
)

onEachIo((test) => {
  test("unsafe.commit is counted as commit is, and what wrote nothing isn't", (directory) =>
    Effect.gen(function* () {
      const store = yield* openOn(yield* Io, directory)
      const now = (body: () => void) => Effect.sync(body)
      yield* store.append(record(1))
      yield* store.commit
      for (const [commit, commits, bytes] of [
        [store.commit, 1, 30],
        [now(() => store.unsafe.commit()), 1, 30],
        [Effect.andThen(store.commit, store.commit), 1, 30],
        [now(() => (store.unsafe.commit(), store.unsafe.commit())), 1, 30],
        [store.rollback, 0, 0]
      ] as const) {
        const before = yield* counted
        store.unsafe.append(record(10))
        store.unsafe.append(record(20))
        yield* commit
        expect((yield* counted).map((count, index) => count - before[index])).toEqual([commits, bytes])
      }
    }))
})
