/**
 * Openings beside a creation: whoever looks for control, finds none, and then meets the files of a
 * store that somebody else has made meanwhile.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { expect } from "vitest"
import { Io, type IoService } from "../../src/io/Io.ts"
import { Store, type StoreOptions } from "../../src/store/Store.ts"
import { onEachIo } from "../file/eachIo.ts"
import { holds, interposedIo, isSound, nameIn, openOn, record, reopened } from "./storeHarness.ts"

/** Makes a store, with something committed in it, before the first call of this name. */
const creationBefore = (io: IoService, directory: string, call: string) => {
  let created = false
  return interposedIo(io, (operation, path) => {
    if (created || `${operation} ${nameIn(directory, path)}` !== call) return Effect.void
    created = true
    return Effect.orDie(
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* openOn(io, directory)
          yield* store.append(record(50))
          yield* store.commit
        })
      )
    ).pipe(Effect.provideService(Io, io))
  })
}

onEachIo((test) => {
  test("a store made between looking for control and listing the directory is opened", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      for (const [name, options] of [
        ["reading", { readonly: true }],
        ["writing", { create: false }],
        ["creating", { create: true }]
      ] as const) {
        const at = `${directory}/${name}`
        yield* io.makeDirectory(at)
        const racing = creationBefore(io, at, "list .")
        yield* Effect.scoped(
          Effect.flatMap(openOn(racing, at, options), (store) =>
            Effect.andThen(holds(store, record(50)), isSound(store))
          )
        )
      }
    }))

  test("a store made while it is being looked for is checked", (directory) =>
    Effect.gen(function* () {
      const racing = creationBefore(yield* Io, directory, "list .")
      const checked = yield* Store.check(directory).pipe(Effect.provideService(Io, racing))
      expect(checked).toMatchObject({ damage: [], unverifiedBytes: 50 })
    }))

  test("files of a store beside which control stays away are Corrupt, and are left alone", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      yield* reopened(io, directory, (store) => Effect.andThen(store.append(record(50)), store.commit))
      yield* io.remove(`${directory}/store.control`)
      const names = yield* io.list(directory)
      for (const options of [{ readonly: true }, { create: false }, { create: true }]) {
        const error = yield* Effect.flip(Effect.scoped(openOn(io, directory, options)))
        expect(error).toMatchObject({ _tag: "Corrupt", path: `${directory}/store.control` })
      }
      expect(yield* io.list(directory)).toEqual(names)
    }))

  test("of two that create a store at once, one does, and the other is Locked", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      for (const [index, call] of ["makeDirectory .", "list .", "lock store.lock"].entries()) {
        const at = `${directory}/${index}`
        if (call !== "makeDirectory .") yield* io.makeDirectory(at)
        let winner: Store["Service"] | undefined
        const scope = yield* Effect.scope
        const racing = interposedIo(io, (operation, path) => {
          if (winner !== undefined || `${operation} ${nameIn(at, path)}` !== call) return Effect.void
          return openOn(io, at).pipe(
            Effect.provideService(Scope.Scope, scope),
            Effect.provideService(Io, io),
            Effect.map((store) => {
              winner = store
            }),
            Effect.orDie
          )
        })
        expect(yield* Effect.flip(openOn(racing, at)), call).toMatchObject({ _tag: "Locked" })
        yield* winner!.append(record(50))
        yield* winner!.commit
        yield* winner!.close
        yield* reopened(io, at, (store) => holds(store, record(50)))
      }
    }))

  test("one that finds a store made and closed before it had the lock goes on with that", (directory) =>
    Effect.gen(function* () {
      const racing = creationBefore(yield* Io, directory, "lock store.lock")
      yield* reopened(racing, directory, (store) => holds(store, record(50)))
    }))

  test("options that make no sense are InvalidArgument, and nothing is made", (directory) =>
    Effect.gen(function* () {
      const at = `${directory}/store`
      const wrong: ReadonlyArray<[Partial<StoreOptions>, string]> = [
        [{ directory: "" }, "no name"],
        [{ chunkSize: 0 }, "at least 1"],
        [{ chunkSize: -1 }, "chunkSize"],
        [{ chunkSize: 1.5 }, "chunkSize"],
        [{ autoFlushThreshold: -1 }, "autoFlushThreshold"],
        [{ readonly: true }, "read-only"]
      ]
      for (const [options, reason] of wrong) {
        const error = yield* Effect.flip(Store.open({ directory: at, create: true, ...options }))
        expect(error).toMatchObject({ _tag: "InvalidArgument", operation: "Store.open" })
        expect(error.message).toContain(reason)
      }
      expect(yield* (yield* Io).list(directory)).toEqual([])
    }))

  test("one for a program is open as long as its layer, and closed with it", (directory) =>
    Effect.gen(function* () {
      const at = `${directory}/store`
      const layer = Store.layer({ directory: at, create: true })
      const store = yield* Effect.gen(function* () {
        const store = yield* Store
        yield* store.append(record(50))
        yield* store.commit
        return store
      }).pipe(Effect.provide(layer))
      expect(yield* Effect.flip(store.read(0, 1))).toMatchObject({ _tag: "Closed", path: at })
      yield* reopened(yield* Io, at, (again) => holds(again, record(50)))
    }))
})
