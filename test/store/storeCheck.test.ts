/**
 * The check: each kind of damage is told, with its file and where it is.
 */
import * as Effect from "effect/Effect"
import { expect } from "vitest"
import { NotAFile } from "../../src/bytes/errors.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { Store, type StoreDamage, type StoreService } from "../../src/store/Store.ts"
import { onEachIo } from "../file/eachIo.ts"
import { damage, debrisIn, interposedIo, isSound, openOn, record, toldIo, truncate } from "./storeHarness.ts"

const size = 150_000

/** A prefix of 150,000 bytes, a sealed chunk, another one, and an active chunk of 1000 bytes. */
const prepared = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory, { chunkSize: size })
    for (let i = 0; i < 3; i++) yield* store.append(record(size, i))
    yield* store.commit
    yield* store.collect({ live: [{ offset: 0, length: size }], upTo: size })
    yield* store.append(record(1000, 3))
    yield* store.commit
    yield* store.append(record(10, 4))
    return store
  })

/** What the check finds after each harm; the harm is undone by writing the file anew. */
const harms: ReadonlyArray<{
  readonly name: string
  readonly file: string
  readonly harm: (io: IoService, path: string) => Effect.Effect<unknown, unknown>
  readonly found: Partial<StoreDamage>
}> = [
  {
    name: "a byte of a sealed chunk",
    file: "store.1.suffix",
    harm: (io, path) => damage(io, path, 70_000),
    found: { kind: "chunk", offset: 65_536 }
  },
  {
    name: "the last byte of a sealed chunk",
    file: "store.2.suffix",
    harm: (io, path) => damage(io, path, size - 1),
    found: { kind: "chunk", offset: 131_072 }
  },
  {
    name: "a byte of the prefix",
    file: "store.1.prefix",
    harm: (io, path) => damage(io, path, 0),
    found: { kind: "prefix", offset: 0 }
  },
  {
    name: "a byte of the checksums",
    file: "store.1.suffix.sum",
    harm: (io, path) => damage(io, path, 40),
    found: { kind: "sums" }
  },
  {
    name: "a byte of the map",
    file: "store.1.prefix.map",
    harm: (io, path) => damage(io, path, 20),
    found: { kind: "map" }
  },
  {
    name: "the first slot of control",
    file: "store.control",
    harm: (io, path) => damage(io, path, 30),
    found: { kind: "control" }
  },
  {
    name: "the second slot of control",
    file: "store.control",
    harm: (io, path) => damage(io, path, 65_536 + 30),
    found: { kind: "control" }
  },
  {
    name: "an active chunk that ends early",
    file: "store.3.suffix",
    harm: (io, path) => truncate(io, path, 400),
    found: { kind: "file", offset: 400 }
  },
  {
    name: "a sealed chunk that ends early, between two blocks",
    file: "store.1.suffix",
    harm: (io, path) => truncate(io, path, 65_536),
    found: { kind: "file", offset: 65_536 }
  },
  {
    name: "a sealed chunk that ends early, within a block",
    file: "store.1.suffix",
    harm: (io, path) => truncate(io, path, 100_000),
    found: { kind: "file", offset: 100_000 }
  },
  ...["store.1.suffix", "store.3.suffix", "store.1.suffix.sum", "store.1.prefix", "store.1.prefix.map"].map(
    (file) => ({
      name: `a missing ${file}`,
      file,
      harm: (io: IoService, path: string) => io.remove(path),
      found: { kind: "file" as const, offset: 0 }
    })
  )
]

const contentOf = (io: IoService, path: string) =>
  Effect.gen(function* () {
    const bytes = new Uint8Array(yield* io.sizeOf(path))
    yield* (yield* io.open(path, { readonly: true })).readAt(0, bytes)
    return bytes
  }).pipe(Effect.scoped)

onEachIo((test) => {
  test("of a store that is whole it tells what was verified, and what could not be", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* prepared(io, directory)
      const map = yield* io.sizeOf(`${directory}/store.1.prefix.map`)
      const checked = yield* store.check()
      expect(checked).toEqual({
        damage: [],
        verifiedBytes: 3 * size + map,
        unverifiedBytes: 1000,
        extents: 1
      })
      const reader = yield* openOn(io, directory, { readonly: true })
      expect(yield* reader.check()).toEqual(checked)
    }))

  for (const { file, found, harm, name } of harms) {
    test(`${name} is told, by writer and reader, and no other file; repaired, all is well`, (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const writer = yield* prepared(io, directory)
        const reader = yield* openOn(io, directory, { readonly: true })
        const path = `${directory}/${file}`
        const content = yield* contentOf(io, path)
        yield* harm(io, path)
        for (const store of [writer, reader] as ReadonlyArray<StoreService>) {
          const { damage: all } = yield* store.check()
          // A block that is cut off has the wrong checksum, too.
          expect(all[0]).toMatchObject({ ...found, path })
          expect(all.map((one) => one.path)).toEqual(all.map(() => path))
          expect(all[0].reason).not.toBe("")
        }
        yield* Effect.scoped(
          Effect.flatMap(io.create(path, { overwrite: true }), (again) => again.writeAt(0, content))
        )
        yield* isSound(reader)
      }))
  }

  test("damage of several kinds is told together, the first of each", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* prepared(io, directory)
      yield* damage(io, `${directory}/store.1.suffix`, 140_000)
      yield* damage(io, `${directory}/store.1.suffix`, 10)
      yield* damage(io, `${directory}/store.2.suffix`, 0)
      yield* damage(io, `${directory}/store.1.prefix`, 140_000)
      // The older one: with the newest gone the store would be that of the commit before.
      const older = store.stats().sequence % 2 === 0 ? 65_536 : 0
      yield* damage(io, `${directory}/store.control`, older + 20)
      yield* truncate(io, `${directory}/store.3.suffix`, 0)
      const { damage: found } = yield* store.check()
      const places = found.map(
        ({ kind, offset, path }) => `${kind} ${path.slice(directory.length + 1)} ${offset}`
      )
      expect(places.filter((place) => !place.startsWith("control")).sort()).toEqual([
        "chunk store.1.suffix 0",
        "file store.3.suffix 0",
        "prefix store.1.prefix 131072"
      ])
      expect(found.find(({ kind }) => kind === "control")).toMatchObject({
        path: `${directory}/store.control`
      })
    }))

  test("a collection that finishes during the check is no damage", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* prepared(io, directory)
      let armed = 0
      const busy = interposedIo(io, (operation, path) =>
        Effect.suspend(() => {
          if (armed === 0 || operation !== "open" || !/\.(suffix|prefix|sum|map)$/.test(path))
            return Effect.void
          armed--
          return Effect.orDie(
            store.collect({ live: [{ offset: 0, length: 10 }], upTo: store.committedEnd() })
          )
        })
      )
      const reader = yield* openOn(busy, directory, { readonly: true })
      for (const times of [1, 2, 1]) {
        armed = times
        yield* isSound(reader)
        yield* store.commit
        yield* store.append(record(1000, 7))
      }
    }))

  test("while another fiber commits and splits, nothing is found", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* prepared(io, directory)
      const reader = yield* openOn(io, directory, { readonly: true })
      let done = false
      const checking = Effect.gen(function* () {
        for (let i = 0; i < 5; i++) {
          yield* isSound(store)
          yield* isSound(reader)
        }
        done = true
      })
      const writing = Effect.gen(function* () {
        for (let i = 0; !done; i++) {
          yield* store.append(record(500, i))
          yield* i % 7 === 0 ? store.split : store.commit
          yield* Effect.yieldNow
        }
      })
      yield* Effect.all([checking, writing], { concurrency: 2 })
      expect(yield* debrisIn(io, directory)).toEqual([])
    }))

  test("a directory in the place of a chunk, or of the prefix, is told as what it is", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      for (const name of ["store.2.suffix", "store.1.prefix"]) {
        const at = `${directory}/${name}`
        yield* io.makeDirectory(at)
        const store = yield* prepared(io, `${at}/store`)
        const path = `${at}/store/${name}`
        yield* io.remove(path)
        yield* io.makeDirectory(path)
        const { damage: found } = yield* store.check()
        expect(found).toEqual([{ kind: "file", path, offset: 0, reason: new NotAFile({ path }).message }])
      }
    }))

  test("without control, or with none of its slots whole, that is the damage, and nothing else is looked at", (directory) =>
    Effect.gen(function* () {
      const told = toldIo(yield* Io, directory)
      const { io } = told
      const store = yield* prepared(io, directory)
      const control = `${directory}/store.control`
      const isControl = Effect.gen(function* () {
        told.forget()
        const checked = yield* Store.check(directory).pipe(Effect.provideService(Io, io))
        expect(checked).toMatchObject({ verifiedBytes: 0, unverifiedBytes: 0, extents: 0 })
        expect(checked.damage).toMatchObject([{ kind: "control", path: control }])
        expect(yield* store.check()).toEqual(checked)
        expect(told.calls.filter((call) => call.startsWith("open") && !call.endsWith("control"))).toEqual([])
        expect(told.changes()).toEqual([])
      })
      yield* damage(io, control, 20)
      yield* damage(io, control, 65_536 + 20)
      yield* isControl
      yield* io.remove(control)
      yield* isControl
    }))
})
