/**
 * Backups: whole, of one committed state, and never half a store.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { expect } from "vitest"
import { NoSuchFile } from "../../src/bytes/errors.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import type { StoreService } from "../../src/store/Store.ts"
import { onEachIo, openHandles } from "../file/eachIo.ts"
import { watchedIo } from "../file/watchedIo.ts"
import {
  damage,
  expectBytes,
  gatedIo,
  interposedIo,
  isSound,
  joined,
  openOn,
  record,
  reopened,
  toldIo,
  turns
} from "./storeHarness.ts"

const size = 100_000

/** What a copy that failed has left, its lock aside, which is never removed. */
const leftIn = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    if ((yield* io.classify(directory)) === "none") return []
    return (yield* io.list(directory)).filter((name) => name !== "store.lock")
  })

/** A prefix with two extents, a chunk that straddles its end, a sealed one, an active one, a tail. */
const prepared = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory, { chunkSize: 2 * size, autoFlushThreshold: 1 })
    for (let i = 0; i < 5; i++) yield* store.append(record(size, i))
    yield* store.commit
    const live = [
      { offset: 10, length: 90_000 },
      { offset: 2 * size, length: size }
    ]
    yield* store.collect({ live, upTo: 3 * size })
    yield* store.append(record(size, 5))
    yield* store.commit
    yield* store.append(record(77, 6))
    yield* store.append(record(78, 7))
    return store
  })

const isCopy = (copy: StoreService) =>
  Effect.gen(function* () {
    expect(copy.end()).toBe(6 * size)
    expect([...copy.extents()]).toEqual([
      { offset: 10, length: 90_000 },
      { offset: 2 * size, length: size },
      { offset: 3 * size, length: 3 * size }
    ])
    expectBytes(yield* copy.read(10, 90_000), record(size, 0).subarray(10, 90_010))
    expectBytes(yield* copy.read(2 * size, 4 * size), joined(...[2, 3, 4, 5].map((i) => record(size, i))))
    yield* isSound(copy)
  })

onEachIo((test) => {
  test("a copy is the committed state, of a writer and of a reader, and goes its own way", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const at = `${directory}/store`
      const writer = yield* prepared(io, at)
      const reader = yield* openOn(io, at, { readonly: true })
      yield* io.makeDirectory(`${directory}/empty`)
      for (const [store, to] of [
        [writer, `${directory}/new`],
        [reader, `${directory}/empty`],
        [writer, `${directory}/slash/`]
      ] as const) {
        const told = yield* store.backup(to)
        const names = (yield* io.list(to)).filter((name) => name !== "store.lock")
        expect(told).toMatchObject({ generation: 1, committedEnd: 6 * size, files: names.length })
        expect(names).toEqual((yield* io.list(at)).filter((name) => name !== "store.lock"))
        yield* reopened(io, to, (copy) =>
          Effect.gen(function* () {
            yield* isCopy(copy)
            expect(copy.stats().recovery).toEqual({ tornTailBytes: 0, removed: [], controlRepaired: false })
            yield* copy.append(record(5, 50))
            yield* copy.commit
            yield* copy.collect({ live: [{ offset: 20, length: 20 }], upTo: 6 * size })
            expectBytes(yield* copy.read(20, 20), record(size, 0).subarray(20, 40))
            yield* isSound(copy)
          })
        )
      }
      yield* writer.rollback
      yield* isCopy(writer)
    }))

  test("a store of which nothing was ever committed is copied, too", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, `${directory}/store`)
      yield* store.append(record(10))
      expect(yield* store.backup(`${directory}/copy`)).toMatchObject({ committedEnd: 0, files: 1 })
      yield* reopened(io, `${directory}/copy`, (copy) => Effect.sync(() => expect(copy.end()).toBe(0)))
    }))

  test("while others append, commit and collect, the copy is of one state", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const at = `${directory}/store`
      const gate = gatedIo(io, at, (call) => call === "readAt store.1.suffix")
      // The writer's own calls go past the gate: the copy is read through a reader's.
      const writer = yield* prepared(io, at)
      const reader = yield* openOn(gate.io, at, { readonly: true })
      const copying = yield* Effect.forkChild(reader.backup(`${directory}/copy`), { startImmediately: true })
      yield* Effect.timeout(gate.arrived, "5 seconds")
      yield* writer.commit
      yield* writer.append(record(3 * size, 9))
      yield* writer.commit
      yield* writer.collect({ live: [], upTo: writer.committedEnd() })
      yield* writer.append(record(3, 10))
      yield* writer.commit
      yield* gate.open
      expect(yield* Fiber.join(copying)).toMatchObject({ generation: 1, committedEnd: 6 * size })
      yield* reopened(io, `${directory}/copy`, isCopy)
    }))

  test("collections that finish while its files are opened make it copy what is newest", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const at = `${directory}/store`
      const writer = yield* prepared(io, at)
      yield* writer.commit
      for (let skipped = 0; skipped < 8; skipped++) {
        let left = skipped
        let armed = false
        const busy = interposedIo(io, (operation, path) =>
          Effect.suspend(() => {
            if (!armed || operation !== "open" || !path.startsWith(at) || path.endsWith("control"))
              return Effect.void
            if (left-- > 0) return Effect.void
            armed = false
            return Effect.orDie(
              writer.collect({ live: [{ offset: 6 * size, length: 100 }], upTo: writer.committedEnd() })
            )
          })
        )
        const reader = yield* openOn(busy, at, { readonly: true })
        armed = true
        const to = `${directory}/copy-${skipped}`
        yield* reader.backup(to)
        yield* reopened(io, to, (copy) =>
          Effect.gen(function* () {
            expectBytes(yield* copy.read(6 * size, 77), record(77, 6))
            yield* isSound(copy)
          })
        )
        yield* writer.append(record(50, skipped))
        yield* writer.commit
      }
    }))

  test("a target that holds something, is a file, lies nowhere, or is the store itself is refused", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const at = `${directory}/store`
      const store = yield* prepared(io, at)
      const file = `${directory}/file`
      yield* Effect.scoped(io.create(file, { overwrite: false }))
      const before = yield* io.list(at)
      for (const [to, said] of [
        [directory, { _tag: "FileExists", path: directory }],
        [at, { _tag: "FileExists", path: at }],
        [file, { _tag: "NotADirectory", path: file }],
        [`${directory}/no/copy`, { _tag: "NoSuchFile" }],
        [`${file}/copy`, { _tag: "NotADirectory" }]
      ] as const) {
        expect(yield* Effect.flip(store.backup(to)), to).toMatchObject(said)
      }
      expect(yield* io.list(at)).toEqual(before)
      expect(yield* io.list(directory)).toEqual(["file", "store"])
      expect(Exit.isFailure(yield* Effect.exit(store.backup("")))).toBe(true)
    }))

  test("what is damaged is not passed on: it is Corrupt, and leaves no store behind", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const at = `${directory}/store`
      const store = yield* prepared(io, at)
      for (const [name, offset, said] of [
        ["store.1.suffix", 70_000, 65_536],
        ["store.1.prefix", 180_000, 131_072],
        ["store.1.suffix.sum", 40, undefined],
        ["store.1.prefix.map", 20, undefined]
      ] as const) {
        yield* damage(io, `${at}/${name}`, offset)
        const error = yield* Effect.flip(store.backup(`${directory}/copy`))
        expect(error).toMatchObject({ _tag: "Corrupt", path: `${at}/${name}` })
        if (said !== undefined) expect(error).toMatchObject({ offset: said })
        yield* damage(io, `${at}/${name}`, offset)
        expect(yield* leftIn(io, `${directory}/copy`)).toEqual([])
        expect(openHandles(`${directory}/copy`)).toEqual([])
      }
      yield* store.backup(`${directory}/copy`)
      yield* reopened(io, `${directory}/copy`, isCopy)
    }))

  test("failing or interrupted at any call it leaves no file, and works the next time", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const at = `${directory}/store`
      yield* Effect.scoped(prepared(io, at))
      const to = `${directory}/copy`
      let failures = 0
      for (let number = 1; ; number++) {
        const told = toldIo(io, directory)
        const store = yield* openOn(told.io, at, { readonly: true })
        told.forget()
        told.failing = (_, n) => n === number
        const exit = yield* Effect.exit(store.backup(to))
        const failing = told.calls[number - 1]
        told.failing = () => false
        if (Exit.isSuccess(exit)) {
          yield* reopened(io, to, isCopy)
          if (failing === undefined) break
          expect(failing).toMatch(/^(map|remove) /)
          for (const name of yield* io.list(to)) yield* io.remove(`${to}/${name}`)
          continue
        }
        failures++
        expect(yield* Effect.flip(Effect.flatten(Effect.succeed(exit)))).toMatchObject({ _tag: "IoFailed" })
        expect(yield* leftIn(io, to), failing).toEqual([])
      }
      expect(failures).toBeGreaterThan(20)
      for (const name of yield* io.list(to)) yield* io.remove(`${to}/${name}`)
      for (let number = 1; number < 40; number += 3) {
        let left = Number.POSITIVE_INFINITY
        const gate = gatedIo(io, directory, () => left-- === 0)
        const store = yield* openOn(gate.io, at, { readonly: true })
        left = number
        const copying = yield* Effect.forkChild(store.backup(to), { startImmediately: true })
        yield* turns(10)
        const stopping = yield* Effect.forkChild(Fiber.interrupt(copying), { startImmediately: true })
        yield* turns(2)
        yield* gate.open
        yield* Fiber.join(stopping)
        const names = yield* leftIn(io, to)
        if (names.includes("store.control")) yield* reopened(io, to, isCopy)
        else expect(names).toEqual([])
        for (const name of (yield* io.classify(to)) === "none" ? [] : yield* io.list(to)) {
          yield* io.remove(`${to}/${name}`)
        }
      }
    }))

  test("the name of a new directory is durable before it is told that the copy is there", (directory) =>
    Effect.gen(function* () {
      const told = toldIo(yield* Io, directory)
      const store = yield* prepared(told.io, `${directory}/store`)
      told.forget()
      yield* store.backup(`${directory}/copy`)
      const changes = told.changes()
      const at = (call: string) => changes.lastIndexOf(call)
      expect(at("makeDirectory copy")).toBeLessThan(changes.indexOf("syncDirectory ."))
      expect(changes.indexOf("syncDirectory .")).toBeLessThan(at("rename copy/store.control.tmp"))
      expect(changes.indexOf("syncDirectory copy")).toBeLessThan(at("rename copy/store.control.tmp"))
      expect(at("syncDirectory copy")).toBeGreaterThan(at("rename copy/store.control.tmp"))
      const created = changes.filter((call) => call.startsWith("create copy/"))
      for (const call of created) {
        const sync = at(call.replace("create", "sync"))
        expect(sync).toBeGreaterThan(at(call))
        expect(sync).toBeLessThan(at("rename copy/store.control.tmp"))
      }
    }))

  test("a prefix that is always gone when its turn comes is Corrupt, and nothing is made", (directory) =>
    Effect.gen(function* () {
      const at = `${directory}/store`
      yield* prepared(yield* Io, at)
      let opened = 0
      // Whoever opens it twice finds it once.
      const io = watchedIo(yield* Io, {
        before: (operation, path) => {
          const isPrefix = operation === "open" && path.endsWith(".prefix")
          if (isPrefix && ++opened % 2 === 0) throw new NoSuchFile({ path })
        }
      })
      const reader = yield* openOn(io, at, { readonly: true })
      opened = 0
      const to = `${directory}/copy`
      expect(yield* Effect.flip(reader.backup(to))).toMatchObject({
        _tag: "Corrupt",
        path: `${at}/store.1.prefix`,
        reason: "control names this file, and it is gone"
      })
      expect(opened).toBeGreaterThan(100)
      expect(yield* io.classify(to)).toBe("none")
    }))
})
