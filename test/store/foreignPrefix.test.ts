/**
 * A prefix that no collection of this store made, though all its checksums hold: what control says of it is
 * checked when it is opened, and what its map says when it is used. Never is a byte given that nobody kept.
 */
import * as Effect from "effect/Effect"
import { expect } from "vitest"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { Store } from "../../src/store/Store.ts"
import { onEachIo } from "../file/eachIo.ts"
import { rewriteMap } from "../file/foreignMaps.ts"
import { expectBytes, openOn, record } from "./storeHarness.ts"

const content = record(1000)

/** Keeps the first ten bytes of every fifty below 500. */
const live = Array.from({ length: 10 }, (_, i) => ({ offset: 50 * i, length: 10 }))

const collected = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory)
    yield* store.append(content)
    yield* store.commit
    yield* store.collect({ live, upTo: 500 })
    return store
  })

/** Puts a sparse file of these extents of `content` in the place of the prefix. */
const replacePrefix = (directory: string, extents: typeof live) =>
  Effect.gen(function* () {
    const io = yield* Io
    const path = `${directory}/store.1.prefix`
    for (const name of [path, `${path}.map`]) yield* io.remove(name)
    const source = yield* io.create(`${directory}/source`, { overwrite: true })
    yield* source.writeAt(0, content)
    const writer = yield* SparseFile.create(path, { maxGap: 0 })
    yield* writer.appendExtents(source, extents)
    yield* writer.close
  }).pipe(Effect.scoped)

onEachIo((test) => {
  test("of another length, in its data or in its map, is Corrupt to whoever opens the store", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      yield* Effect.scoped(collected(io, directory))
      const length = 10 * live.length
      const others = [
        { extents: [...live, { offset: 499, length: 1 }], name: "store.1.prefix", found: length + 1 },
        { extents: live.slice(1), name: "store.1.prefix", found: length - 10 },
        { extents: [{ offset: 0, length }], name: "store.1.prefix.map", found: undefined }
      ]
      for (const { extents, found, name } of others) {
        yield* replacePrefix(directory, extents)
        const path = `${directory}/${name}`
        const size = found ?? (yield* io.sizeOf(path))
        for (const options of [{ readonly: true }, { create: false }]) {
          const error = yield* Effect.flip(Effect.scoped(openOn(io, directory, options)))
          expect(error).toMatchObject({ _tag: "Corrupt", path })
          expect(error.message).toContain(`the file has ${size} bytes, and control says`)
        }
        const { damage } = yield* Store.check(directory)
        expect(damage.find(({ kind }) => kind === "file")).toMatchObject({ path })
      }
      yield* replacePrefix(directory, live)
      expect((yield* Store.check(directory)).damage).toEqual([])
    }))

  test("with a map that binds what lies beyond the data is Corrupt when that is collected, and before", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* collected(io, directory)
      const map = `${directory}/store.1.prefix.map`
      // The last of ten extents is twice as long, and the data ends with what it was.
      const last = { virtual: 450, physical: 90, length: 20 }
      const bindings = live.map(({ offset, length }, i) => ({
        virtual: offset,
        physical: i * length,
        length
      }))
      yield* rewriteMap(io, map, [...bindings.slice(0, 9), last])
      const again = yield* openOn(io, directory, { readonly: true })
      expect(yield* Effect.flip(again.read(450, 20))).toMatchObject({ _tag: "Corrupt", path: map })
      expectBytes(yield* again.read(450, 10), content.subarray(450, 460))
      const names = yield* io.list(directory)
      yield* store.close
      const writer = yield* openOn(io, directory)
      for (const length of [20, 11]) {
        const request = { live: [{ offset: 450, length }], upTo: 1000 }
        const error = yield* Effect.flip(writer.collect(request))
        expect(error).toMatchObject({ _tag: "Corrupt", path: map })
        expect(error.message).toContain("the binding of 20 bytes at 450 reaches beyond the data")
      }
      expect((yield* io.list(directory)).filter((name) => name.includes("prefix"))).toEqual(
        names.filter((name) => name.includes("prefix"))
      )
      expectBytes(yield* writer.read(50, 10), content.subarray(50, 60))
    }))

  test("with a point behind an extent is Corrupt when that is collected with the next: no collection keeps one", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      yield* Effect.scoped(collected(io, directory))
      const map = `${directory}/store.1.prefix.map`
      const bindings = live.map(({ offset, length }, i) => ({
        virtual: offset,
        physical: i * length,
        length
      }))
      const point = { virtual: 60, physical: 20, length: 0 }
      yield* rewriteMap(io, map, [...bindings.slice(0, 2), point, ...bindings.slice(2)])
      const writer = yield* openOn(io, directory)
      const error = yield* Effect.flip(writer.collect({ live, upTo: 500 }))
      expect(error).toMatchObject({ _tag: "Corrupt", path: map })
      expect(error.message).toContain("the binding of 0 bytes at 60")
      expectBytes(yield* writer.read(100, 10), content.subarray(100, 110))
    }))

  test("with a map that binds what lies in the suffix is damage that the check tells", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* collected(io, directory)
      const map = `${directory}/store.1.prefix.map`
      const bindings = live.map(({ offset, length }, i) => ({
        virtual: offset,
        physical: i * length,
        length
      }))
      yield* rewriteMap(io, map, [...bindings.slice(0, 9), { virtual: 600, physical: 90, length: 10 }])
      const { damage } = yield* store.check()
      expect(damage).toEqual([
        { kind: "map", path: map, offset: 0, reason: "the map binds 600, and the prefix ends at 500" }
      ])
    }))

  test("that is gone is Corrupt to a collection, which changes nothing, and reads go on", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* collected(io, directory)
      for (const name of ["store.1.prefix", "store.1.prefix.map"]) {
        const path = `${directory}/${name}`
        yield* io.rename(path, `${path}.away`)
        expect(yield* Effect.flip(store.collect({ live, upTo: 500 }))).toMatchObject({
          _tag: "Corrupt",
          path,
          reason: "control names this file, and it is gone"
        })
        yield* io.rename(`${path}.away`, path)
        expect(store.stats().generation).toBe(1)
        expectBytes(yield* store.read(50, 10), content.subarray(50, 60))
      }
      yield* store.collect({ live, upTo: 500 })
      expectBytes(yield* store.read(450, 10), content.subarray(450, 460))
    }))
})
