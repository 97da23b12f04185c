/**
 * Collections that end too early: by an interruption, a failure or a close, at any of their calls.
 * The store is then as it was, and nothing is left behind.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { expect } from "vitest"
import { Io, type IoService } from "../../src/io/Io.ts"
import type { StoreService } from "../../src/store/Store.ts"
import { onEachIo, openHandles } from "../file/eachIo.ts"
import {
  debrisIn,
  expectBytes,
  gatedIo,
  isPoisoned,
  isSound,
  joined,
  openOn,
  record,
  reopened,
  toldIo,
  turns
} from "./storeHarness.ts"

const parts = [0, 1, 2, 3, 4].map((i) => record(100, i))
const uncommitted = record(30, 9)
const bytes = joined(...parts, uncommitted)
/** Of the second collection, which is the one that is disturbed. */
const request = {
  live: [
    { offset: 50, length: 20 },
    { offset: 210, length: 150 }
  ],
  upTo: 450
}

/** A prefix, three chunks, and uncommitted bytes that are flushed. */
const prepared = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory, { chunkSize: 150, autoFlushThreshold: 1 })
    for (const part of parts) yield* store.append(part)
    yield* store.commit
    yield* store.collect({ live: [{ offset: 0, length: 100 }], upTo: 100 })
    yield* store.append(uncommitted)
    return store
  })

/** As before the second collection, up to `end`. */
const isAsBefore = (store: StoreService, end: number) =>
  Effect.gen(function* () {
    expect(store.stats()).toMatchObject({ generation: 1, suffixStart: 100, end })
    expectBytes(yield* store.read(0, end), bytes.subarray(0, end))
    yield* isSound(store)
  })

const isCollected = (store: StoreService, end: number) =>
  Effect.gen(function* () {
    expect(store.stats()).toMatchObject({ generation: 2, suffixStart: 450, end })
    for (const { length, offset } of request.live) {
      expectBytes(yield* store.read(offset, length), bytes.subarray(offset, offset + length))
    }
    expectBytes(yield* store.read(450, end - 450), bytes.subarray(450, end))
    expect(yield* Effect.flip(store.read(360, 1))).toMatchObject({
      _tag: "InvalidSparseRead",
      reason: "hole"
    })
    yield* isSound(store)
  })

const isOpenable = (io: IoService, directory: string, collected: boolean) =>
  Effect.gen(function* () {
    yield* reopened(io, directory, (again) =>
      Effect.gen(function* () {
        yield* collected ? isCollected(again, 500) : isAsBefore(again, 500)
        if (!collected) yield* again.collect(request)
        yield* isCollected(again, 500)
        expect(yield* debrisIn(io, directory)).toEqual([])
      })
    )
    expect(openHandles(directory)).toEqual([])
  })

/** A failure there may be as good as none: what is not mapped is read, what is not removed is debris. */
const harmless = /^(map|remove) /

onEachIo((test) => {
  test("a failure at any call: typed, and the store is as it was; afterwards it works", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      for (let number = 1; ; number++) {
        const at = `${directory}/${number}`
        const told = toldIo(io, at)
        let failing = ""
        let collected = false
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* prepared(told.io, at)
            told.forget()
            told.failing = (call, n) => {
              if (n === number) failing = call
              return n === number
            }
            const exit = yield* Effect.exit(store.collect(request))
            told.failing = () => false
            if (failing === "" || (harmless.test(failing) && Exit.isSuccess(exit))) {
              expect(Exit.isSuccess(exit), failing).toBe(true)
              collected = true
              yield* isCollected(store, 530)
              return
            }
            expect(Exit.isFailure(exit), failing).toBe(true)
            const error = yield* Effect.flip(Effect.flatten(Effect.succeed(exit)))
            expect(["IoFailed"], failing).toContain(error._tag)
            yield* isAsBefore(store, 530)
            const again = yield* Effect.exit(store.append(record(0)))
            if (Exit.isFailure(again)) {
              yield* isPoisoned(store)
              expect(failing).toMatch(/^(sync|writeAt) store.control$|^sync(Directory)? |^sync store/)
              return
            }
            expect(yield* debrisIn(io, at), failing).toEqual([])
            yield* store.collect(request)
            collected = true
            yield* isCollected(store, 530)
            yield* store.commit
            yield* store.rollback
            expectBytes(yield* store.read(450, 80), bytes.subarray(450))
          })
        )
        yield* reopened(io, at, (again) =>
          Effect.gen(function* () {
            const { end, generation } = again.stats()
            // Of control both states are whole: either may be found after a failure there.
            if (failing.endsWith("store.control")) expect([1, 2]).toContain(generation)
            else expect(generation, failing).toBe(collected ? 2 : 1)
            yield* generation === 2 ? isCollected(again, end) : isAsBefore(again, end)
            expect(yield* debrisIn(io, at)).toEqual([])
          })
        )
        expect(openHandles(at)).toEqual([])
        if (failing === "") break
      }
    }))

  test("an interruption at any call: the store is as it was, or collected, and nothing is left", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      let befores = 0
      let afters = 0
      for (let number = 1; ; number++) {
        const at = `${directory}/${number}`
        let since = Number.POSITIVE_INFINITY
        let calls = 0
        const gate = gatedIo(io, at, (_, n) => {
          if (n <= since) return false
          calls++
          return calls === number
        })
        let ended = false
        const generation = yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* prepared(gate.io, at)
            since = 0
            const collecting = yield* Effect.forkChild(store.collect(request), { startImmediately: true })
            ended = yield* Effect.raceFirst(
              Effect.as(gate.arrived, false),
              Effect.as(Fiber.await(collecting), true)
            )
            const stopping = yield* Effect.forkChild(Fiber.interrupt(collecting), { startImmediately: true })
            yield* turns(2)
            yield* gate.open
            yield* Fiber.join(stopping)
            const { generation } = store.stats()
            if (ended) {
              yield* isCollected(store, 530)
              return generation
            }
            expect(Cause.hasInterruptsOnly(yield* Effect.flip(Effect.sandbox(Fiber.join(collecting))))).toBe(
              true
            )
            yield* generation === 1 ? isAsBefore(store, 530) : isCollected(store, 530)
            expect(yield* debrisIn(io, at)).toEqual([])
            yield* store.append(record(0))
            if (generation === 1 && number % 3 === 0) {
              yield* store.collect(request)
              yield* isCollected(store, 530)
              return 2
            }
            return generation
          })
        )
        if (generation === 1) befores++
        else afters++
        yield* isOpenable(io, at, generation === 2)
        if (ended) break
      }
      expect(befores).toBeGreaterThan(20)
      expect(afters).toBeGreaterThan(3)
    }))

  test("close during one: it is Closed, and nothing of it is left", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      for (const stop of [
        "create store.2.prefix.tmp",
        "writeAt store.2.prefix.map.tmp",
        "sync store.2.prefix.map.tmp",
        "rename store.2.prefix.tmp"
      ]) {
        const at = `${directory}/${stop.replace(" ", "-")}`
        const gate = gatedIo(io, at, (call) => call === stop)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* prepared(gate.io, at)
            yield* store.rollback
            const collecting = yield* Effect.forkChild(store.collect(request), { startImmediately: true })
            yield* gate.arrived
            const closing = yield* Effect.forkChild(store.close, { startImmediately: true })
            yield* turns(5)
            yield* gate.open
            yield* Fiber.join(closing)
            expect(yield* Effect.flip(Fiber.join(collecting)), stop).toMatchObject({
              _tag: "Closed",
              path: at,
              operation: "collect"
            })
            expect(yield* debrisIn(io, at)).toEqual([])
            expect(openHandles(at)).toEqual([])
          })
        )
        yield* isOpenable(io, at, false)
      }
    }))

  test("close while it publishes: what is told is what is true", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      let since = false
      let controls = 0
      const gate = gatedIo(io, directory, (call) => {
        if (since && call === "writeAt store.control") controls++
        return controls === 2
      })
      const collected = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* prepared(gate.io, directory)
          yield* store.rollback
          since = true
          const collecting = yield* Effect.forkChild(store.collect(request), { startImmediately: true })
          yield* gate.arrived
          const closing = yield* Effect.forkChild(store.close, { startImmediately: true })
          yield* turns(5)
          yield* gate.open
          yield* Fiber.join(closing)
          return Exit.isSuccess(yield* Fiber.await(collecting))
        })
      )
      yield* isOpenable(io, directory, collected)
    }))

  test("the end of its scope during one: nothing of it is left", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      for (const stop of [
        "create store.2.prefix.tmp",
        "sync store.2.prefix.tmp",
        "rename store.2.prefix.tmp"
      ]) {
        const at = `${directory}/${stop.replace(" ", "-")}`
        const gate = gatedIo(io, at, (call) => call === stop)
        const scope = yield* Scope.make()
        const store = yield* Scope.provide(prepared(gate.io, at), scope)
        const collecting = yield* Effect.forkChild(store.collect(request), { startImmediately: true })
        yield* gate.arrived
        const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
        yield* turns(5)
        yield* gate.open
        yield* Fiber.join(closing)
        expect(yield* Effect.flip(Fiber.join(collecting))).toMatchObject({ _tag: "Closed" })
        const left = yield* debrisIn(io, at)
        expect(left.filter((name) => name.includes("prefix"))).toEqual([])
        expect(openHandles(at)).toEqual([])
        yield* isOpenable(io, at, false)
      }
    }))

  test("a callback or an iterable that throws is the program's own defect, and leaves nothing", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* prepared(io, directory)
      const broken = (function* () {
        yield { offset: 0, length: 1 }
        throw new Error("mine")
      })()
      const onProgress = () => {
        throw new Error("mine")
      }
      for (const collect of [
        store.collect({ live: broken, upTo: 450 }),
        store.collect({ ...request, onProgress })
      ]) {
        expect(Exit.isFailure(yield* Effect.exit(collect))).toBe(true)
        yield* isAsBefore(store, 530)
        expect(yield* debrisIn(io, directory)).toEqual([])
      }
      yield* store.collect(request)
      yield* isCollected(store, 530)
    }))

  test("what a failed one could not remove is removed before the next", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const told = toldIo(io, directory)
      const store = yield* prepared(told.io, directory)
      told.failing = (call) => /^(open store\.2\.prefix|remove store\.2\.prefix(\.map)?)$/.test(call)
      expect(yield* Effect.flip(store.collect(request))).toMatchObject({ _tag: "IoFailed" })
      expect(yield* debrisIn(io, directory)).toEqual(["store.2.prefix", "store.2.prefix.map"])
      told.failing = () => false
      yield* isAsBefore(store, 530)
      yield* store.collect(request)
      yield* isCollected(store, 530)
      expect(yield* debrisIn(io, directory)).toEqual([])
    }))
})
