/**
 * Opening and refreshing where files have gone: forward to what is newer, or Corrupt, and never
 * backwards, nor by putting another file in a missing one's place.
 */
import * as Effect from "effect/Effect"
import { expect } from "vitest"
import { NoSuchFile } from "../../src/bytes/errors.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { Store } from "../../src/store/Store.ts"
import { onEachIo } from "../file/eachIo.ts"
import { holds, interposedIo, joined, openOn, record, reopened, toldIo } from "./storeHarness.ts"

const controlBytes = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const bytes = new Uint8Array(yield* io.sizeOf(`${directory}/store.control`))
    const file = yield* io.open(`${directory}/store.control`, { readonly: true })
    yield* file.readAt(0, bytes)
    return bytes
  }).pipe(Effect.scoped)

onEachIo((test) => {
  test("a reader that looks again, and sees an older record than before, does not go back to it", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory)
      yield* writer.append(record(100))
      yield* writer.commit
      const older = yield* controlBytes(io, directory)
      yield* writer.append(record(100, 1))
      yield* writer.commit
      let missing = false
      // Its file seems to have gone once, and then control shows what a read does that straddles two commits.
      const shown: IoService = {
        ...io,
        open: (path, options) =>
          Effect.gen(function* () {
            if (missing && path.endsWith("store.1.suffix")) {
              missing = false
              const control = yield* io.open(`${directory}/store.control`, { readonly: false })
              yield* Effect.orDie(control.writeAt(0, older))
              return yield* new NoSuchFile({ path })
            }
            return yield* io.open(path, options)
          })
      }
      const reader = yield* openOn(shown, directory, { readonly: true })
      yield* writer.split
      yield* writer.append(record(100, 2))
      yield* writer.commit
      missing = true
      yield* reader.refresh
      expect(missing).toBe(false)
      yield* holds(reader, joined(record(100), record(100, 1), record(100, 2)))
      expect(reader.stats().sequence).toBe(writer.stats().sequence)
      yield* reader.refresh
      expect(reader.committedEnd()).toBe(300)
    }))

  test("a map that has only its temporary name is a missing file: nobody renames it", (directory) =>
    Effect.gen(function* () {
      const told = toldIo(yield* Io, directory)
      const { io } = told
      yield* reopened(io, directory, (store) =>
        Effect.gen(function* () {
          yield* store.append(record(100))
          yield* store.commit
          yield* store.collect({ live: [{ offset: 10, length: 20 }], upTo: 100 })
        })
      )
      const reader = yield* openOn(io, directory, { readonly: true })
      const map = `${directory}/store.1.prefix.map`
      yield* io.rename(map, `${map}.tmp`)
      const names = yield* io.list(directory)
      const control = yield* controlBytes(io, directory)
      told.forget()
      for (const options of [{ readonly: true }, { create: false }, { create: true }]) {
        expect(yield* Effect.flip(Effect.scoped(openOn(io, directory, options)))).toMatchObject({
          _tag: "Corrupt",
          path: map
        })
      }
      const { damage } = yield* Store.check(directory).pipe(Effect.provideService(Io, io))
      expect(damage).toMatchObject([{ kind: "file", path: map }])
      expect(yield* Effect.flip(reader.backup(`${directory}/copy`))).toMatchObject({
        _tag: "Corrupt",
        path: map
      })
      expect(told.changes()).toEqual([])
      expect(yield* io.list(directory)).toEqual(names)
      expect(yield* controlBytes(io, directory)).toEqual(control)
      // Put back by hand, it is as before.
      yield* io.rename(`${map}.tmp`, map)
      yield* reopened(io, directory, (store) => store.read(10, 20))
    }))

  test("debris that somebody else removes first is no failure", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      yield* reopened(io, directory, (store) => Effect.andThen(store.append(record(100)), store.commit))
      const debris = ["store.1.suffix", "store.2.suffix"]
      for (const name of debris) yield* Effect.scoped(io.create(`${directory}/${name}`, { overwrite: false }))
      const racing = interposedIo(io, (operation, path) =>
        operation === "remove" && path.endsWith(debris[0]) ? Effect.orDie(io.remove(path)) : Effect.void
      )
      yield* reopened(racing, directory, (store) =>
        Effect.gen(function* () {
          yield* holds(store, record(100))
          expect([...(store.stats().recovery?.removed ?? [])].sort()).toEqual(debris)
        })
      )
      expect(yield* io.list(directory)).toEqual(["store.0.suffix", "store.control", "store.lock"])
    }))
})
