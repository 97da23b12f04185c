/**
 * lacuna's own store as an engine, in a directory of an Io.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Io, type IoService } from "../../io/Io.ts"
import { Store } from "../../store/Store.ts"
import type { StoreOptions, StoreService } from "../../store/storeService.ts"
import type { StoreEngine, StoreReading } from "./storeEngine.ts"

const readingOf = (store: StoreService): StoreReading => ({
  read: (offset, length) => store.read(offset, length),
  extents: () => store.extents(),
  end: () => store.end()
})

/** Warnings of torn tails and of what stayed uncommitted are expected here. */
const quietly = Effect.provide(Logger.layer([]))

/** The store that `options` open: made where it is missing, and the same for readers. */
export const lacunaStore = (
  io: IoService,
  options: Omit<StoreOptions, "create" | "readonly">
): StoreEngine => {
  const opened = (more: Pick<StoreOptions, "create" | "readonly">, scope: Scope.Scope) =>
    Store.open({ ...options, ...more }).pipe(Effect.provideService(Io, io), Scope.provide(scope), quietly)
  let writing = Scope.makeUnsafe()
  return {
    open: () =>
      Effect.gen(function* () {
        yield* quietly(Scope.close(writing, Exit.void))
        writing = Scope.makeUnsafe()
        const store = yield* opened({ create: true }, writing)
        return {
          ...readingOf(store),
          append: (bytes) => store.append(bytes),
          appendAll: (records) => store.appendAll(records),
          commit: () => store.commit,
          rollback: () => store.rollback,
          split: () => store.split,
          committedEnd: () => store.committedEnd(),
          collect: ({ live, upTo }, { dryRun, streamed }) =>
            store.collect({ live: streamed ? Stream.fromIterable(live) : live, upTo, dryRun })
        }
      }),
    openReader: () =>
      Effect.gen(function* () {
        const scope = Scope.makeUnsafe()
        const store = yield* opened({ readonly: true }, scope)
        return {
          ...readingOf(store),
          refresh: () => store.refresh,
          close: () => Effect.andThen(store.close, Scope.close(scope, Exit.void))
        }
      })
  }
}
