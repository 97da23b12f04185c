/**
 * Commits: in which order the system is called, who does the work of many, and what is left when any
 * call fails.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"
import { Io, type IoService } from "../../src/io/Io.ts"
import type { StoreService } from "../../src/store/Store.ts"
import { onEachIo } from "../file/eachIo.ts"
import {
  debrisIn,
  expectBytes,
  gatedIo,
  holds,
  interposedIo,
  isPoisoned,
  isSound,
  joined,
  openOn,
  record,
  reopened,
  toldIo,
  turns
} from "./storeHarness.ts"

const suffix = (n: number) => `store.${n}.suffix`
const written = (n: number) => [`writeAt ${suffix(n)}`]
const made = (n: number) => [`create ${suffix(n)}`, ...written(n)]
const synced = (n: number) => [`sync ${suffix(n)}`]
const summed = (n: number) => ["create", "writeAt", "sync"].map((call) => `${call} ${suffix(n)}.sum`)
const named = ["syncDirectory ."]
const controlled = ["writeAt store.control", "sync store.control"]

const lengthsOf = (store: StoreService) => store.stats().chunks.map(({ length }) => length)

describe("what a commit asks of the system", () => {
  onEachIo((test) => {
    test("bytes, then their fsync, names, then theirs, control, then its own, and nothing more", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const store = yield* openOn(told.io, directory)
        told.forget()
        yield* store.append(record(10))
        expect(told.calls).toEqual([])
        yield* store.commit
        expect(told.calls).toEqual([...made(0), ...synced(0), ...named, ...controlled])
        told.forget()
        yield* store.append(record(10))
        yield* store.commit
        expect(told.calls).toEqual([...written(0), ...synced(0), ...controlled])
      }))

    test("a commit, a split or a rollback of nothing asks nothing", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const store = yield* openOn(told.io, directory)
        told.forget()
        for (const nothing of [store.commit, store.split, store.rollback]) yield* nothing
        expect(told.calls).toEqual([])
        expect(store.stats().sequence).toBe(1)
        yield* store.append(record(10))
        yield* store.split
        told.forget()
        for (const nothing of [store.commit, store.split, store.rollback]) yield* nothing
        expect(told.calls).toEqual([])
        expect(lengthsOf(store)).toEqual([10, 0])
      }))

    test("chunks sealed since have their checksums synced after them, and before any name", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const store = yield* openOn(told.io, directory, { chunkSize: 100 })
        yield* store.append(record(60))
        yield* store.commit
        told.forget()
        for (let i = 0; i < 3; i++) yield* store.append(record(70))
        yield* store.commit
        expect(told.changes()).toEqual([
          ...[...made(1), ...made(2), ...made(3)],
          ...[...synced(1), ...synced(2), ...synced(3)],
          ...[...summed(0), ...summed(1), ...summed(2)],
          ...named,
          ...controlled
        ])
        told.forget()
        yield* store.append(record(1))
        yield* store.commit
        expect(told.calls).toEqual([...written(3), ...synced(3), ...controlled])
      }))

    test("a split writes the checksums of what was active, and the file of the new chunk", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const store = yield* openOn(told.io, directory)
        yield* store.append(record(60))
        told.forget()
        yield* store.split
        expect(told.changes()).toEqual([
          ...made(0),
          ...synced(0),
          `create ${suffix(1)}`,
          ...synced(1),
          ...summed(0),
          ...named,
          ...controlled
        ])
        yield* store.append(record(60))
        yield* store.commit
        told.forget()
        yield* store.split
        expect(told.changes()).toEqual([
          `create ${suffix(2)}`,
          ...synced(2),
          ...summed(1),
          ...named,
          ...controlled
        ])
      }))

    test("a collection seals in the same order, and writes nothing of what isn't committed", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const store = yield* openOn(told.io, directory)
        yield* store.append(record(60))
        yield* store.commit
        yield* store.append(record(40))
        told.forget()
        yield* store.collect({ live: [{ offset: 5, length: 5 }], upTo: 60 })
        const changes = told.changes().filter((call) => !call.startsWith("remove store.1.prefix"))
        const sealed = [`create ${suffix(1)}`, ...synced(1), ...summed(0), ...named, ...controlled]
        expect(changes.slice(0, 8)).toEqual(sealed)
        const prefix = changes.slice(8)
        const at = (call: string) => prefix.lastIndexOf(call)
        const renamed = at("rename store.1.prefix.tmp")
        const order = [
          at("sync store.1.prefix.tmp"),
          at("sync store.1.prefix.map.tmp"),
          prefix.indexOf("syncDirectory ."),
          renamed,
          prefix.indexOf("syncDirectory .", renamed),
          at("rename store.1.prefix.map.tmp"),
          at("syncDirectory ."),
          prefix.indexOf("sync store.control"),
          at("sync store.control"),
          prefix.indexOf(`remove ${suffix(0)}`),
          at(`remove ${suffix(0)}.sum`)
        ]
        expect(order).toEqual([...new Set(order)].sort((a, b) => a - b))
        expect(order).not.toContain(-1)
        expect(prefix.filter((call) => call === "sync store.control").length).toBe(2)
      }))
  })
})

describe("many that commit", () => {
  onEachIo((test) => {
    test("a hundred fibers share a few fsyncs, and what each appended is durable when it goes on", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        // As on a disk, an fsync takes its time.
        const slow = interposedIo(io, (operation) => (operation === "sync" ? turns(3) : Effect.void))
        const told = toldIo(slow, directory)
        const store = yield* openOn(told.io, directory)
        told.forget()
        const one = (i: number) =>
          Effect.gen(function* () {
            const offset = yield* store.append(record(100, i))
            yield* store.commit
            expect(store.committedEnd()).toBeGreaterThanOrEqual(offset + 100)
          })
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, i) => i),
          one,
          {
            concurrency: "unbounded",
            discard: true
          }
        )
        const syncs = told.calls.filter((call) => call === "sync store.control").length
        expect(syncs).toBeLessThanOrEqual(3)
        expect(store.committedEnd()).toBe(10_000)
      }))

    test("interrupting one that waits, or the one that works, disturbs no other", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const gate = gatedIo(io, directory, (call) => call === "sync store.0.suffix")
        const store = yield* openOn(gate.io, directory)
        yield* store.append(record(10, 1))
        const working = yield* Effect.forkChild(store.commit, { startImmediately: true })
        yield* gate.arrived
        yield* store.append(record(10, 2))
        const waiting = yield* Effect.forkChild(store.commit, { startImmediately: true })
        const other = yield* Effect.forkChild(store.commit, { startImmediately: true })
        yield* turns(3)
        yield* Fiber.interrupt(waiting)
        const ending = yield* Effect.forkChild(Fiber.interrupt(working), { startImmediately: true })
        yield* turns(3)
        expect(store.committedEnd()).toBe(0)
        yield* gate.open
        yield* Fiber.join(ending)
        yield* Fiber.join(other)
        expect(store.committedEnd()).toBe(20)
        yield* store.close
        yield* reopened(io, directory, (again) => holds(again, joined(record(10, 1), record(10, 2))))
      }))

    test("while a split makes its file, others flush to the same chunk and lose nothing", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const gate = gatedIo(io, directory, (call) => call === "create store.1.suffix")
        const store = yield* openOn(gate.io, directory, { autoFlushThreshold: 10 })
        yield* store.append(record(60, 1))
        const split = yield* Effect.forkChild(store.split, { startImmediately: true })
        yield* gate.arrived
        yield* store.append(record(20, 2))
        const append = yield* Effect.forkChild(store.append(record(20, 3)), { startImmediately: true })
        yield* turns(10)
        yield* gate.open
        yield* Fiber.join(split)
        expect(yield* Fiber.join(append)).toBe(80)
        const all = joined(record(60, 1), record(20, 2), record(20, 3))
        yield* holds(store, all)
        yield* store.commit
        yield* holds(store, all)
        yield* isSound(store)
        yield* store.close
        yield* reopened(io, directory, (again) => holds(again, all))
      }))

    test("a split whose new chunk gets its file by a flush meanwhile makes no second one", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const making = gatedIo(told.io, directory, (call) => call === "create store.1.suffix")
        const syncing = gatedIo(making.io, directory, (call) => call === "sync store.0.suffix")
        const store = yield* openOn(syncing.io, directory)
        yield* store.append(record(60, 1))
        const split = yield* Effect.forkChild(store.split, { startImmediately: true })
        yield* syncing.arrived
        // More than may wait in memory: this one goes to the new chunk, and the next flushes it.
        yield* store.append(record(3 << 20, 2))
        const append = yield* Effect.forkChild(store.append(record(10, 3)), { startImmediately: true })
        yield* making.arrived
        yield* syncing.open
        yield* turns(10)
        yield* making.open
        yield* Fiber.join(split)
        yield* Fiber.join(append)
        expect(told.calls.filter((call) => call === "create store.1.suffix").length).toBe(1)
        yield* store.commit
        yield* isSound(store)
        yield* holds(store, joined(record(60, 1), record(3 << 20, 2), record(10, 3)))
      }))

    test("what is appended while a commit runs is of the next one", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const told = toldIo(io, directory)
        const gate = gatedIo(told.io, directory, (call) => call === "sync store.0.suffix")
        const store = yield* openOn(gate.io, directory, { autoFlushThreshold: 10 })
        yield* store.append(record(100, 1))
        const commit = yield* Effect.forkChild(store.commit, { startImmediately: true })
        yield* gate.arrived
        for (let i = 0; i < 5; i++) yield* store.append(record(20, i))
        yield* store.append(record(0)) // the last of them is flushed, too
        yield* gate.open
        yield* Fiber.join(commit)
        expect([store.committedEnd(), store.end()]).toEqual([100, 200])
        yield* Effect.scoped(
          Effect.gen(function* () {
            const reader = yield* openOn(told.io, directory, { readonly: true })
            expect(reader.end()).toBe(100)
          })
        )
        told.forget()
        yield* store.commit
        // What was flushed while the fsync ran needs another one.
        expect(told.changes()).toContain("sync store.0.suffix")
        expect(store.committedEnd()).toBe(200)
        yield* isSound(store)
      }))
  })
})

/** A store with committed and uncommitted bytes in several chunks: 60 bytes are acknowledged. */
const acknowledged = record(60, 1)
const later = [record(30, 2), record(70, 3), record(70, 4), record(10, 5)]

const beforeCommit = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory, { chunkSize: 100 })
    yield* store.append(acknowledged)
    yield* store.commit
    for (const part of later) yield* store.append(part)
    return store
  })

describe("a commit that fails", () => {
  onEachIo((test) => {
    test("at any of its calls: typed, never acknowledged, and reads go on; opened anew it is as before", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const failed = new Map<string, "poisoned" | "works again">()
        for (let number = 1; ; number++) {
          const at = `${directory}/${number}`
          const told = toldIo(io, at)
          let failing = ""
          const done = yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* beforeCommit(told.io, at)
              told.forget()
              told.failing = (call, n) => {
                if (n === number) failing = call
                return n === number
              }
              const exit = yield* Effect.exit(store.commit)
              const unneeded = failing === "" || failing.startsWith("map ")
              if (unneeded) {
                expect(Exit.isSuccess(exit)).toBe(true)
                return failing === ""
              }
              expect(Exit.isFailure(exit), failing).toBe(true)
              expect(yield* Effect.flip(Effect.flatten(Effect.succeed(exit)))).toMatchObject({
                _tag: "IoFailed"
              })
              expect(store.committedEnd()).toBe(60)
              told.failing = () => false
              yield* holds(store, joined(acknowledged, ...later))
              const again = yield* Effect.exit(store.commit)
              if (Exit.isSuccess(again)) {
                failed.set(failing, "works again")
                expect(store.committedEnd()).toBe(240)
                yield* isSound(store)
              } else {
                failed.set(failing, "poisoned")
                yield* isPoisoned(store)
                yield* holds(store, joined(acknowledged, ...later))
              }
              return false
            })
          )
          // Control was written when its fsync failed: this system, which didn't crash, shows it.
          const lost = failed.get(failing) === "poisoned" && failing !== "sync store.control"
          const kept = lost ? [] : later
          yield* reopened(io, at, (store) =>
            Effect.gen(function* () {
              yield* holds(store, joined(acknowledged, ...kept))
              yield* isSound(store)
              yield* store.append(record(90, 9))
              yield* store.commit
            })
          )
          expect(yield* debrisIn(io, at)).toEqual([])
          yield* reopened(io, at, (store) => holds(store, joined(acknowledged, ...kept, record(90, 9))))
          if (done) break
        }
        expect(Object.fromEntries(failed)).toMatchObject({
          "sync store.0.suffix": "poisoned",
          "sync store.1.suffix": "poisoned",
          "syncDirectory .": "poisoned",
          "writeAt store.control": "poisoned",
          "sync store.control": "poisoned",
          "writeAt store.0.suffix": "works again",
          "create store.1.suffix": "works again",
          "create store.1.suffix.sum": "works again",
          // Nothing but a new file depends on these: the next commit makes another.
          "sync store.0.suffix.sum": "works again",
          "sync store.1.suffix.sum": "works again"
        })
      }))

    test("a poisoned store can be closed, and opened at once", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const told = toldIo(io, directory)
        const store = yield* beforeCommit(told.io, directory)
        told.failing = (call) => call === "sync store.control"
        expect(yield* Effect.flip(store.commit)).toMatchObject({ _tag: "IoFailed", syscall: "sync" })
        told.failing = () => false
        yield* isPoisoned(store)
        yield* store.close
        // Control was written, and only its fsync failed: either state may be found, whole.
        yield* reopened(io, directory, (again) =>
          Effect.gen(function* () {
            yield* holds(again, joined(acknowledged, ...later))
            yield* isSound(again)
          })
        )
      }))

    test("after a failed split bytes go on where they belong, and the next one works", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const told = toldIo(io, directory)
        const store = yield* openOn(told.io, directory)
        yield* store.append(record(50, 1))
        told.failing = (call) => call === "create store.1.suffix"
        expect(yield* Effect.flip(store.split)).toMatchObject({ _tag: "IoFailed", syscall: "create" })
        yield* holds(store, record(50, 1))
        told.failing = () => false
        yield* store.append(record(50, 2))
        yield* store.split
        const all = joined(record(50, 1), record(50, 2))
        yield* holds(store, all)
        yield* isSound(store)
        yield* store.append(record(50, 3))
        yield* store.commit
        yield* store.close
        yield* reopened(io, directory, (again) => holds(again, joined(all, record(50, 3))))
      }))
  })
})

describe("a rollback", () => {
  onEachIo((test) => {
    test("removes the files of all chunks that no commit has, and their checksums", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const told = toldIo(io, directory)
        const store = yield* beforeCommit(told.io, directory)
        told.failing = (call) => call === "create store.1.suffix.sum"
        yield* Effect.flip(store.commit)
        told.failing = () => false
        expect(yield* io.list(directory)).toContain("store.2.suffix")
        yield* store.rollback
        const left = (yield* io.list(directory)).filter((name) => name !== "store.0.suffix.sum")
        expect(left).toEqual(["store.0.suffix", "store.control", "store.lock"])
        yield* holds(store, acknowledged)
        yield* isSound(store)
        yield* store.close
        yield* reopened(io, directory, (again) => holds(again, acknowledged))
        expect(yield* io.list(directory)).toEqual(["store.0.suffix", "store.control", "store.lock"])
      }))

    test("removes the checksums of chunks that it takes away, and of no other", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const told = toldIo(io, directory)
        const store = yield* beforeCommit(told.io, directory)
        yield* store.append(record(95, 6))
        const sums = ["store.0.suffix.sum", "store.1.suffix.sum"]
        told.failing = (call) => call === "create store.2.suffix.sum"
        yield* Effect.flip(store.commit)
        told.failing = () => false
        expect((yield* io.list(directory)).filter((name) => name.endsWith(".sum"))).toEqual(sums)
        told.forget()
        yield* store.rollback
        const removed = told.calls.filter((call) => /^remove .*sum$/.test(call))
        expect(removed).toEqual(["remove store.1.suffix.sum"])
        yield* holds(store, acknowledged)
        // Chunks that take their numbers are sealed with sums of their own.
        for (let i = 0; i < 4; i++) yield* store.append(record(90, 30 + i))
        yield* store.commit
        yield* isSound(store)
      }))

    test("leaves a commit that waited behind it nothing to do, and that one asks nothing", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const told = toldIo(io, directory)
        const gate = gatedIo(told.io, directory, (call) => call === "remove store.0.suffix")
        const store = yield* openOn(gate.io, directory, { autoFlushThreshold: 0 })
        yield* store.append(record(100))
        // Its flush makes the file; the rollback waits where it removes that.
        yield* store.append(record(10))
        const first = yield* Effect.forkChild(store.rollback, { startImmediately: true })
        yield* gate.arrived
        yield* store.append(record(50, 1))
        const second = yield* Effect.forkChild(store.rollback, { startImmediately: true })
        const commit = yield* Effect.forkChild(store.commit, { startImmediately: true })
        const { sequence } = store.stats()
        told.forget()
        yield* gate.open
        for (const fiber of [first, second, commit]) yield* Fiber.join(fiber)
        expect(store.end()).toBe(0)
        expect(store.stats()).toMatchObject({ sequence })
        expect(told.changes().filter((call) => !call.startsWith("remove"))).toEqual([])
      }))

    test("during many large reads of what it takes away, they never mix old bytes with new", (directory) =>
      Effect.gen(function* () {
        const store = yield* openOn(yield* Io, directory, { chunkSize: 1 << 30 })
        const size = 700_000
        const offsets = [0, 1, 2, 3, 4].map((i) => i * size)
        yield* store.append(record(5 * size, 1))
        const lengths = offsets.map(() => size)
        const reading = yield* Effect.forkChild(store.readMany(offsets, lengths), { startImmediately: true })
        yield* store.rollback
        yield* store.append(record(5 * size, 2))
        const found = yield* Fiber.join(reading)
        expectBytes(joined(...found), record(5 * size, 2))
      }))

    test("then other bytes, then a commit: they are there, and no others, when opened anew", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* openOn(io, directory, { chunkSize: 100, autoFlushThreshold: 1 })
        yield* store.rollback
        for (const part of later) yield* store.append(part)
        yield* store.rollback
        expect(store.end()).toBe(0)
        yield* store.append(acknowledged)
        yield* store.commit
        for (let round = 0; round < 3; round++) {
          for (const part of later) yield* store.append(part)
          yield* store.rollback
          yield* holds(store, acknowledged)
        }
        const other = [record(30, 12), record(70, 13), record(5, 14)]
        for (const part of other) yield* store.append(part)
        yield* holds(store, joined(acknowledged, ...other))
        yield* store.commit
        yield* isSound(store)
        expect(lengthsOf(store)).toEqual([90, 75])
        yield* store.close
        yield* reopened(io, directory, (again) => holds(again, joined(acknowledged, ...other)))
      }))

    test("behind a commit that failed after it summed: the checksums are those of the new bytes", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const told = toldIo(io, directory)
        const store = yield* beforeCommit(told.io, directory)
        // The sums of chunk 0 are written, those of chunk 1 are not.
        told.failing = (call) => call === "create store.1.suffix.sum"
        expect(yield* Effect.flip(store.commit)).toMatchObject({ _tag: "IoFailed" })
        told.failing = () => false
        yield* store.rollback
        // As long as before, and other bytes.
        const other = later.map((part, i) => record(part.length, 20 + i))
        for (const part of other) yield* store.append(part)
        yield* store.commit
        yield* isSound(store)
        yield* store.collect({ live: [{ offset: 0, length: 230 }], upTo: 230 })
        yield* holds(store, joined(acknowledged, ...other))
        yield* store.close
        yield* reopened(io, directory, (again) =>
          Effect.gen(function* () {
            yield* holds(again, joined(acknowledged, ...other))
            yield* isSound(again)
          })
        )
      }))

    test("behind such a commit, and other lengths: a chunk sealed elsewhere has sums of its own", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const told = toldIo(io, directory)
        const store = yield* beforeCommit(told.io, directory)
        told.failing = (call) => call === "create store.1.suffix.sum"
        yield* Effect.flip(store.commit)
        told.failing = () => false
        yield* store.rollback
        yield* store.append(record(7, 20))
        yield* store.split
        expect(lengthsOf(store)).toEqual([67, 0])
        yield* isSound(store)
        yield* store.append(record(100, 21))
        yield* store.append(record(100, 22))
        yield* store.commit
        yield* isSound(store)
        yield* store.close
        const all = joined(acknowledged, record(7, 20), record(100, 21), record(100, 22))
        yield* reopened(io, directory, (again) =>
          Effect.gen(function* () {
            yield* holds(again, all)
            yield* isSound(again)
          })
        )
      }))

    test("during a large read of what it takes away, the read never mixes old bytes with new", (directory) =>
      Effect.gen(function* () {
        const store = yield* openOn(yield* Io, directory, { chunkSize: 1 << 30 })
        yield* store.append(record(3 << 20, 1))
        const reading = yield* Effect.forkChild(Effect.exit(store.read(0, 3 << 20)), {
          startImmediately: true
        })
        yield* store.rollback
        yield* store.append(record(3 << 20, 2))
        const exit = yield* Fiber.join(reading)
        if (Exit.isSuccess(exit)) expectBytes(exit.value, record(3 << 20, exit.value[0] === 60 ? 1 : 2))
        else
          expect(yield* Effect.flip(Effect.flatten(Effect.succeed(exit)))).toMatchObject({
            _tag: "ReadOutOfBounds"
          })
      }))
  })
})

describe("the end of a writer", () => {
  onEachIo((test) => {
    test("close with uncommitted bytes is PendingFlush, and nothing has happened", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* beforeCommit(io, directory)
        expect(yield* Effect.flip(store.close)).toMatchObject({
          _tag: "PendingFlush",
          path: directory,
          bytes: 180
        })
        yield* store.commit
        yield* store.close
        expect(yield* Effect.flip(store.close)).toMatchObject({ _tag: "DoubleClose", path: directory })
        for (const call of [
          store.commit,
          store.rollback,
          store.split,
          store.append(record(1)),
          store.check()
        ]) {
          expect(yield* Effect.flip(call as Effect.Effect<unknown, unknown>)).toMatchObject({
            _tag: "Closed",
            path: directory
          })
        }
        expect(() => store.stats()).toThrow(expect.objectContaining({ _tag: "Closed" }))
        expect(() => [...store.extents()]).toThrow(expect.objectContaining({ _tag: "Closed" }))
        yield* reopened(io, directory, (again) => holds(again, joined(acknowledged, ...later)))
      }))

    test("a scope that ends during a commit waits for it: what it acknowledged is there", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        for (const stop of ["writeAt store.0.suffix", "sync store.0.suffix", "writeAt store.control"]) {
          const at = `${directory}/${stop.replace(" ", "-")}`
          const gate = gatedIo(io, at, (call, n) => n > 20 && call === stop)
          let commit: Fiber.Fiber<unknown, unknown> | undefined
          const program = Effect.gen(function* () {
            const store = yield* openOn(gate.io, at)
            yield* store.append(record(10, 1))
            commit = yield* Effect.forkDetach(store.commit, { startImmediately: true })
            yield* turns(5)
          })
          const ended = yield* Effect.forkChild(Effect.scoped(program), { startImmediately: true })
          yield* turns(20)
          yield* gate.open
          yield* Fiber.join(ended)
          const exit = yield* Fiber.await(commit!)
          yield* reopened(io, at, (again) =>
            Exit.isSuccess(exit) ? holds(again, record(10, 1)) : Effect.void
          )
          expect(Exit.isSuccess(exit) ? "" : Cause.pretty(exit.cause), stop).toBe("")
        }
      }))
  })
})
