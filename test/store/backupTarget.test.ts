/**
 * The directory that a backup is written to: its own until the copy is whole, and nobody's before.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { expect } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import { gatedIo, holds, interposedIo, isSound, openOn, record, reopened } from "./storeHarness.ts"

onEachIo((test) => {
  test("whoever makes a store there while it is copied to is refused, and the copy is whole", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const to = `${directory}/copy`
      // Once files are there it may look like a store that has lost its control.
      for (const [call, tags] of [
        ["create copy/store.0.suffix", ["Locked"]],
        ["writeAt copy/store.0.suffix", ["Locked", "Corrupt"]],
        ["rename copy/store.control.tmp", ["Locked", "Corrupt"]]
      ] as const) {
        const gate = gatedIo(io, directory, (made) => made === call)
        const source = `${directory}/store`
        const store = yield* openOn(gate.io, source)
        if (store.end() === 0) yield* store.append(record(50))
        yield* store.commit
        const backup = yield* Effect.forkChild(store.backup(to), { startImmediately: true })
        yield* gate.arrived
        const names = yield* io.list(to)
        const { _tag } = yield* Effect.ensuring(Effect.flip(Effect.scoped(openOn(io, to))), gate.open)
        expect(tags, call).toContain(_tag)
        expect(names).toContain("store.lock")
        expect(yield* Fiber.join(backup)).toMatchObject({ committedEnd: 50 })
        yield* store.close
        yield* reopened(io, to, (copy) => Effect.andThen(holds(copy, record(50)), isSound(copy)))
        for (const name of yield* io.list(to)) yield* io.remove(`${to}/${name}`)
      }
    }))

  test("a store that somebody made there before it was locked keeps all it has", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      for (const stays of [true, false]) {
        const to = `${directory}/copy-${stays}`
        let made = false
        const racing = interposedIo(io, (operation, path) => {
          if (made || operation !== "lock" || !path.startsWith(to)) return Effect.void
          made = true
          return Effect.orDie(
            Effect.gen(function* () {
              const other = yield* openOn(io, to)
              yield* other.append(record(70, 1))
              yield* other.commit
              if (!stays) yield* other.close
            }).pipe(Effect.provideService(Scope.Scope, scope), Effect.provideService(Io, io))
          )
        })
        const scope = yield* Scope.make()
        const store = yield* openOn(racing, `${directory}/store-${stays}`)
        yield* store.append(record(50))
        yield* store.commit
        expect(yield* Effect.flip(store.backup(to))).toMatchObject({ _tag: stays ? "Locked" : "FileExists" })
        yield* Scope.close(scope, Exit.void)
        yield* reopened(io, to, (other) => Effect.andThen(holds(other, record(70, 1)), isSound(other)))
      }
    }))

  test("one that holds nothing but a lock file is empty", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const to = `${directory}/copy`
      yield* io.makeDirectory(to)
      yield* Effect.scoped(io.create(`${to}/store.lock`, { overwrite: false }))
      const store = yield* openOn(io, `${directory}/store`)
      yield* store.append(record(50))
      yield* store.commit
      yield* store.backup(to)
      yield* reopened(io, to, (copy) => holds(copy, record(50)))
      expect(yield* Effect.flip(store.backup(to))).toMatchObject({ _tag: "FileExists", path: to })
    }))

  test("one without a name is an InvalidArgument", (directory) =>
    Effect.gen(function* () {
      const store = yield* openOn(yield* Io, directory)
      expect(yield* Effect.flip(store.backup(""))).toMatchObject({
        _tag: "InvalidArgument",
        operation: "backup"
      })
    }))
})
