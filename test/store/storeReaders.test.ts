/**
 * Readers beside a writer: each keeps what it saw, and moves only forward.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { expect } from "vitest"
import { Io, type IoService } from "../../src/io/Io.ts"
import type { StoreService } from "../../src/store/Store.ts"
import { onEachIo, openHandles } from "../file/eachIo.ts"
import {
  expectBytes,
  holds,
  interposedIo,
  isSound,
  joined,
  nameIn,
  openOn,
  record,
  truncate
} from "./storeHarness.ts"

const reader = (io: IoService, directory: string, verifyReads = false) =>
  openOn(io, directory, { readonly: true, verifyReads })

const parts = Array.from({ length: 20 }, (_, i) => record(100, i))
const bytesTo = (count: number) => joined(...parts.slice(0, count))

onEachIo((test) => {
  test("a reader keeps what it saw across commits, splits, collections and removed files", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory, { chunkSize: 250 })
      const none = yield* reader(io, directory)
      const readers: Array<readonly [StoreService, number]> = [[none, 0]]
      for (let i = 0; i < 10; i++) {
        yield* writer.append(parts[i])
        yield* i % 3 === 0 ? writer.split : writer.commit
        readers.push([yield* reader(io, directory, i % 2 === 0), i + 1])
      }
      yield* writer.append(parts[10])
      yield* writer.collect({ live: [{ offset: 5, length: 5 }], upTo: 950 })
      const behind = yield* reader(io, directory)
      yield* writer.rollback
      yield* writer.append(record(77, 50))
      yield* writer.split
      yield* writer.collect({ live: [], upTo: writer.committedEnd() })
      for (const [it, count] of readers) {
        yield* holds(it, bytesTo(count))
        expect(it.stats().generation).toBe(0)
        expect(it.committedEnd()).toBe(count * 100)
      }
      expectBytes(yield* behind.read(5, 5), parts[0].subarray(5, 10))
      expectBytes(yield* behind.read(950, 50), parts[9].subarray(50))
      expect(behind.end()).toBe(1000)
    }))

  test("refreshed, it sees what is committed now; again, it stays; files of before are let go", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory, { chunkSize: 250 })
      const it = yield* reader(io, directory, true)
      for (let i = 0; i < 6; i++) {
        yield* writer.append(parts[i])
        yield* it.refresh
        yield* holds(it, bytesTo(i))
        yield* writer.commit
        yield* holds(it, bytesTo(i))
        yield* it.refresh
        yield* it.refresh
        yield* holds(it, bytesTo(i + 1))
        expect(it.stats().sequence).toBe(writer.stats().sequence)
        expect(it.stats().chunks).toEqual(writer.stats().chunks)
      }
      const late = yield* reader(io, directory)
      // Several generations at once.
      for (let upTo = 100; upTo <= 600; upTo += 100) {
        yield* writer.collect({ live: [{ offset: 20, length: 30 }], upTo })
        if (upTo !== 300) continue
        yield* it.refresh
        expect([...it.extents()]).toEqual([
          { offset: 20, length: 30 },
          { offset: 300, length: 300 }
        ])
        expectBytes(yield* it.read(300, 300), bytesTo(6).subarray(300))
      }
      yield* writer.append(parts[6])
      yield* writer.commit
      for (const one of [it, late]) {
        yield* one.refresh
        expect([...one.extents()]).toEqual([
          { offset: 20, length: 30 },
          { offset: 600, length: 100 }
        ])
        expectBytes(yield* one.read(20, 30), parts[0].subarray(20, 50))
        expectBytes(yield* one.read(600, 100), parts[6])
        expect(yield* Effect.flip(one.read(300, 1))).toMatchObject({
          _tag: "InvalidSparseRead",
          path: directory,
          reason: "hole"
        })
        yield* isSound(one)
      }
      expect(openHandles(directory).filter((name) => name.includes("(deleted)"))).toEqual([])
    }))

  test("it never moves backwards, whatever control says", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory)
      yield* writer.append(parts[0])
      yield* writer.commit
      const older = new Uint8Array(131_072)
      const control = yield* io.open(`${directory}/store.control`, { readonly: false })
      yield* control.readAt(0, older)
      yield* writer.append(parts[1])
      yield* writer.commit
      const it = yield* reader(io, directory)
      yield* control.writeAt(0, older)
      yield* it.refresh
      yield* holds(it, bytesTo(2))
    }))

  test("opening while collections finish reads control again, until its files are there", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory, { chunkSize: 250 })
      for (let i = 0; i < 10; i++) yield* writer.append(parts[i])
      yield* writer.commit
      const open = /^open store\.[0-9]+\.(suffix|suffix.sum|prefix|prefix.map)$/
      // Whatever it opens, a collection has finished just before.
      for (let skipped = 0; skipped < 6; skipped++) {
        let left = skipped
        let upTo = 0
        let collections = 0
        const busy = interposedIo(io, (operation, path) =>
          Effect.suspend(() => {
            if (!open.test(`${operation} ${nameIn(directory, path)}`)) return Effect.void
            if (left-- > 0 || collections >= 3) return Effect.void
            left = skipped
            collections++
            upTo = writer.committedEnd()
            return Effect.orDie(
              Effect.gen(function* () {
                yield* writer.collect({ live: [{ offset: 0, length: 0 }], upTo })
                yield* writer.append(record(50, 40))
                yield* writer.split
                yield* writer.append(record(50, 41))
                yield* writer.split
              })
            )
          })
        )
        yield* Effect.scoped(
          Effect.gen(function* () {
            const it = yield* reader(busy, directory)
            const start = it.stats().suffixStart
            const expected = joined(
              ...Array.from({ length: (it.end() - start) / 50 }, (_, i) => record(50, 40 + (i % 2)))
            )
            if (it.stats().generation > 0) expectBytes(yield* it.read(start, it.end() - start), expected)
            else yield* holds(it, bytesTo(10))
          })
        )
        expect(collections).toBeGreaterThan(0)
      }
    }))

  test("refreshing while a collection finishes ends in a state that is whole", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory, { chunkSize: 250 })
      for (let i = 0; i < 4; i++) yield* writer.append(parts[i])
      yield* writer.commit
      let armed = false
      const busy = interposedIo(io, (operation, path) =>
        Effect.suspend(() => {
          if (!armed || operation !== "open" || !path.endsWith(".suffix")) return Effect.void
          armed = false
          return Effect.orDie(writer.collect({ live: [{ offset: 10, length: 300 }], upTo: 800 }))
        })
      )
      const it = yield* reader(busy, directory)
      for (let i = 4; i < 10; i++) yield* writer.append(parts[i])
      yield* writer.commit
      armed = true
      yield* it.refresh
      expect(it.stats().generation).toBe(1)
      expectBytes(yield* it.read(10, 300), bytesTo(10).subarray(10, 310))
      expectBytes(yield* it.read(800, 200), bytesTo(10).subarray(800))
    }))

  test("a refresh that fails leaves the reader where it was, and the next one works", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory, { chunkSize: 250 })
      yield* writer.append(parts[0])
      yield* writer.commit
      const it = yield* reader(io, directory)
      for (let i = 1; i < 6; i++) yield* writer.append(parts[i])
      yield* writer.commit
      const last = `${directory}/store.2.suffix`
      const file = yield* io.open(last, { readonly: false })
      const content = new Uint8Array(200)
      yield* file.readAt(0, content)
      yield* truncate(io, last, 100)
      const handles = openHandles(directory)
      for (let i = 0; i < 3; i++) {
        expect(yield* Effect.flip(it.refresh)).toMatchObject({ _tag: "Corrupt", path: last, offset: 100 })
        yield* holds(it, bytesTo(1))
      }
      expect(openHandles(directory)).toEqual(handles)
      yield* file.writeAt(0, content)
      yield* it.refresh
      yield* holds(it, bytesTo(6))
    }))

  test("a reader refuses to write, a writer to refresh, and both to be used closed", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory)
      yield* writer.append(parts[0])
      yield* writer.commit
      const it = yield* reader(io, directory)
      const calls = (store: StoreService): Record<string, Effect.Effect<unknown, unknown>> => ({
        append: store.append(record(1)),
        appendAll: store.appendAll([]),
        commit: store.commit,
        rollback: store.rollback,
        split: store.split,
        collect: store.collect({ live: [], upTo: 0 })
      })
      for (const [operation, call] of Object.entries(calls(it))) {
        expect(yield* Effect.flip(call)).toMatchObject({ _tag: "RoNotAllowed", path: directory, operation })
      }
      expect(() => it.unsafe.append(record(1))).toThrow(
        expect.objectContaining({ _tag: "RoNotAllowed", operation: "append" })
      )
      expect(yield* Effect.flip(writer.refresh)).toMatchObject({
        _tag: "RwNotAllowed",
        path: directory,
        operation: "refresh"
      })
      for (const store of [it, writer]) {
        yield* store.close
        const all: Record<string, Effect.Effect<unknown, unknown>> = {
          ...calls(store),
          refresh: store.refresh,
          read: store.read(0, 1),
          readMany: store.readMany([0], [1]),
          check: store.check(),
          backup: store.backup(`${directory}/backup`)
        }
        for (const [operation, call] of Object.entries(all)) {
          expect(yield* Effect.flip(call), operation).toMatchObject({
            _tag: "Closed",
            path: directory,
            operation
          })
        }
        expect(yield* Effect.flip(store.readInto(0, new Uint8Array(0)))).toMatchObject({ _tag: "Closed" })
        expect(yield* Effect.flip(store.close)).toMatchObject({ _tag: "DoubleClose", path: directory })
      }
      expect(openHandles(directory)).toEqual([])
    }))

  test("closed in the midst of a large read, it ends the read with Closed, and gives no zeros", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory, { chunkSize: 3 << 20 })
      for (let i = 0; i < 3; i++) yield* writer.append(record(3 << 20, i))
      yield* writer.commit
      yield* writer.collect({ live: [{ offset: 0, length: 3 << 20 }], upTo: 3 << 20 })
      for (const one of [yield* reader(io, directory), writer]) {
        const reading = yield* Effect.forkChild(one.read(0, 9 << 20), { startImmediately: true })
        yield* Effect.yieldNow
        yield* one.close
        expect(yield* Effect.flip(Fiber.join(reading))).toMatchObject({ _tag: "Closed", operation: "read" })
      }
    }))

  test("a second writer is Locked; a reader needs no lock, and a store", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      expect(yield* Effect.flip(reader(io, directory))).toMatchObject({ _tag: "NoSuchFile" })
      const writer = yield* openOn(io, directory)
      expect(yield* Effect.flip(openOn(io, directory))).toMatchObject({ _tag: "Locked" })
      yield* Effect.scoped(reader(io, directory))
      yield* writer.close
      yield* Effect.scoped(openOn(io, directory))
    }))

  test("of a store without a byte, refreshed, it is empty still, and then sees what comes", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const writer = yield* openOn(io, directory)
      const it = yield* reader(io, directory)
      yield* writer.collect({ live: [], upTo: 0 })
      yield* it.refresh
      expect(it.stats().generation).toBe(1)
      yield* holds(it, new Uint8Array(0))
      expect([...it.extents()]).toEqual([])
      yield* writer.append(parts[0])
      yield* writer.commit
      yield* it.refresh
      yield* holds(it, parts[0])
    }))
})
