/**
 * Stores that fail, lose what they had, or were filled otherwise: reads are served all the same, or fail
 * where they are to.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { describe, expect, it } from "vitest"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { collect, instanceOf, quietly, StoreFailed, TestSource, TestStore, until } from "./sparseIoDoubles.ts"

const length = 200

/** Runs with the messages of what is logged. */
const logged = <A, E, R>(body: (messages: ReadonlyArray<string>) => Effect.Effect<A, E, R>) => {
  const messages: Array<string> = []
  const logger = Logger.make(({ message }) => void messages.push(String(message)))
  return Effect.provide(body(messages), Logger.layer([logger]))
}

describe.each([false, true])("a store (that answers at once: %s)", (answers) => {
  it(
    "that can't keep serves what was fetched, with one warning, and fetches it again",
    run(
      logged((messages) =>
        Effect.gen(function* () {
          const source = new TestSource({ length })
          const store = new TestStore({ answers })
          const { service: io } = yield* instanceOf(source, store)
          store.failing.add("create")
          for (let round = 0; round < 3; round++) {
            expect(yield* io.readChunk(20)).toEqual(bytesAt(16, 16))
          }
          expect(source.calls).toHaveLength(3)
          expect(yield* io.coverage()).toEqual([])
          expect(io.stats()).toMatchObject({ storeFailures: 3, hits: 0 })
          expect(messages).toHaveLength(1)
          expect(messages[0]).toContain("the store can't create")
          expect(messages[0]).toContain("the object")
          store.failing.clear()
          yield* io.readChunk(20)
          yield* io.readChunk(20)
          expect(source.calls).toHaveLength(4)
        }).pipe(Effect.scoped)
      )
    )
  )

  it(
    "that can't be read is served from the source, with one warning",
    run(
      logged((messages) =>
        Effect.gen(function* () {
          const source = new TestSource({ length })
          const store = new TestStore({ answers })
          const { service: io } = yield* instanceOf(source, store)
          expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
          store.failing.add("read")
          const buffer = new Uint8Array(100)
          yield* io.read(50, buffer)
          expect(buffer).toEqual(bytesAt(50, 100))
          expect(messages).toHaveLength(1)
          expect(io.stats().storeFailures).toBe(7)
          yield* io.read(50, buffer)
          store.failing.clear()
          source.takeCalls()
          yield* io.read(50, buffer)
          expect(buffer).toEqual(bytesAt(50, 100))
          expect(source.calls).toEqual([])
        }).pipe(Effect.scoped)
      )
    )
  )

  it(
    "that is to fail does",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore({ answers })
        const { isIdle, service: io } = yield* instanceOf(source, store, { onStoreFailure: "fail" })
        yield* io.readChunk(0)
        for (const operation of ["read", "create"] as const) {
          store.failing.add(operation)
          const failure = new StoreFailed({ operation })
          expect(yield* Effect.flip(io.read(operation === "read" ? 3 : 20, new Uint8Array(9)))).toEqual(
            failure
          )
          store.failing.clear()
        }
        expect(yield* io.readChunk(0)).toEqual(bytesAt(0, 16))
        expect(source.calls).toHaveLength(2)
        expect(io.stats().storeFailures).toBe(0)
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that has lost an extent, or gives a part of it, is filled again",
    run(
      Effect.gen(function* () {
        for (const lose of [
          (store: TestStore) => void store.kept.delete(32),
          (store: TestStore) => void store.kept.set(32, bytesAt(32, 15)),
          (store: TestStore) => void store.kept.clear()
        ]) {
          const source = new TestSource({ length })
          const store = new TestStore({ answers })
          const { service: io } = yield* instanceOf(source, store)
          yield* io.prefetch({ offset: 0, length })
          source.takeCalls()
          lose(store)
          const buffer = new Uint8Array(150)
          yield* io.read(10, buffer)
          expect(buffer).toEqual(bytesAt(10, 150))
          expect(source.takeCalls().length).toBe(1)
          yield* io.read(10, buffer)
          expect(source.calls).toEqual([])
        }
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that was filled with another chunk size is used as far as it goes",
    run(
      Effect.gen(function* () {
        for (const [before, after] of [
          [8, 16],
          [16, 8],
          [7, 16],
          [100, 16]
        ] as const) {
          const source = new TestSource({ length })
          const store = new TestStore({ answers })
          yield* Effect.scoped(
            Effect.flatMap(instanceOf(source, store, { chunkSize: before }), ({ service }) =>
              Effect.andThen(service.prefetch({ offset: 10, length: 100 }), service.readChunk(199))
            )
          )
          source.takeCalls()
          const { service: io } = yield* instanceOf(source, store, { chunkSize: after })
          expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
          expect(yield* io.coverage()).toEqual([{ offset: 0, length }])
          const fetched = source.takeCalls().reduce((sum, [, bytes]) => sum + bytes, 0)
          if (answers) expect(fetched).toBeLessThan(length - 100 + 2 * after)
          expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
          expect(source.calls).toEqual([])
        }
      }).pipe(Effect.scoped)
    )
  )
})

describe("a store of three operations", () => {
  it(
    "is asked once for each chunk that is not known to be there",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore({ tells: false, answers: false, pins: false })
        store.kept.set(16, bytesAt(16, 16))
        store.kept.set(32, bytesAt(32, 9))
        store.kept.set(48, bytesAt(48, 16))
        const { service: io } = yield* instanceOf(source, store)
        const readers = yield* Effect.forEach(Array.from({ length: 20 }), () =>
          start(io.read(0, new Uint8Array(80)))
        )
        for (const reader of readers) yield* Fiber.join(reader)
        expect(store.takeCalls().filter(([operation]) => operation === "read")).toHaveLength(5)
        expect(source.takeCalls()).toEqual([
          [0, 16],
          [32, 16],
          [64, 16]
        ])
        expect(io.stats().hits).toBe(40)
        store.kept.clear()
        const buffer = new Uint8Array(80)
        yield* io.read(0, buffer)
        expect(buffer).toEqual(bytesAt(0, 80))
        expect(source.takeCalls()).toEqual([[0, 80]])
      }).pipe(Effect.scoped)
    )
  )
})

describe("a store that takes its time", () => {
  it(
    "has what it took, though nobody waits for it any more",
    run(
      Effect.gen(function* () {
        for (const budgetBytes of [Infinity, 32]) {
          const source = new TestSource({ length })
          const store = new TestStore()
          store.wait = (operation) => (operation === "create" ? Effect.sleep(10) : Effect.void)
          const { isIdle, service: io } = yield* instanceOf(source, store, { budgetBytes })
          const reader = yield* start(io.readChunk(0))
          yield* Effect.sleep(3)
          yield* Fiber.interrupt(reader)
          expect(isIdle()).toBe(true)
          expect(yield* io.coverage()).toEqual([{ offset: 0, length: 16 }])
          expect(yield* io.readChunk(0)).toEqual(bytesAt(0, 16))
          expect(source.calls).toHaveLength(1)
        }
      }).pipe(Effect.scoped)
    )
  )
})

describe("a store that throws its errors", () => {
  it(
    "is one that fails with them",
    run(
      Effect.gen(function* () {
        const thrower = (operation: string) => () => {
          throw new StoreFailed({ operation })
        }
        for (const tells of [true, false]) {
          const source = new TestSource({ length })
          const store = new TestStore({ tells, answers: false })
          const { createExtent } = store
          const { service: io } = yield* instanceOf(source, store, { budgetBytes: 48 })
          const other = yield* instanceOf(source, store, { onStoreFailure: "fail" })
          Object.assign(store, { createExtent: thrower("create") })
          expect(yield* io.readChunk(0)).toEqual(bytesAt(0, 16))
          const failure = yield* Effect.flip(other.service.readChunk(0))
          expect(failure).toEqual(new StoreFailed({ operation: "create" }))
          Object.assign(store, { createExtent, readExtent: thrower("read"), deleteExtent: thrower("delete") })
          for (let round = 0; round < 2; round++) {
            expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
          }
          expect(store.bytes).toBeLessThanOrEqual(48)
          expect(io.stats().storeFailures).toBeGreaterThan(3)
          Object.assign(store, { pin: thrower("pin") })
          expect(yield* Effect.flip(instanceOf(source, store))).toEqual(new StoreFailed({ operation: "pin" }))
        }
      }).pipe(Effect.scoped, quietly)
    )
  )
})

describe("a store that fails to read what was replaced meanwhile", () => {
  it(
    "still has what replaced it",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore({ answers: false })
        const { isIdle, service: io } = yield* instanceOf(source, store, { budgetBytes: 16 })
        yield* io.readChunk(0)
        const gate = yield* Deferred.make<void>()
        const { readExtent } = store
        Object.assign(store, {
          readExtent: () => Effect.andThen(Deferred.await(gate), new StoreFailed({ operation: "read" }))
        })
        const reader = yield* start(io.readChunk(0))
        yield* Effect.sleep(1)
        yield* io.readChunk(100)
        yield* io.readChunk(0)
        source.takeCalls()
        Object.assign(store, { readExtent })
        yield* Deferred.succeed(gate, undefined)
        expect(yield* Fiber.join(reader)).toEqual(bytesAt(0, 16))
        expect(yield* io.coverage()).toEqual([{ offset: 0, length: 16 }])
        yield* Effect.yieldNow
        expect([source.calls, io.stats().storeFailures, isIdle()]).toEqual([[], 0, true])
      }).pipe(Effect.scoped, quietly)
    )
  )
})

describe("a store whose list of extents breaks off", () => {
  it.each([0, 1, 8192, 10_000])("after %d of them fails with what it throws", (count) =>
    run(
      Effect.gen(function* () {
        const failure = new StoreFailed({ operation: "read" })
        const extents = function* () {
          for (let i = 0; i < count; i++) yield { offset: i * 16, length: 16 }
          throw failure
        }
        const store = Object.assign(new TestStore(), { extents })
        const source = new TestSource({ length })
        expect(yield* Effect.flip(instanceOf(source, store))).toBe(failure)
        expect(yield* Effect.flip(instanceOf(source, store, { budgetBytes: 160 }))).toBe(failure)
      }).pipe(Effect.scoped)
    )()
  )
})

describe("a prefetch", () => {
  it(
    "fails where the store does not keep, whatever reads do, and disturbs no reader",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore()
        source.wait = Effect.sleep(5)
        const { isIdle, service: io } = yield* instanceOf(source, store)
        store.failing.add("create")
        const reader = yield* start(io.readChunk(40))
        const failure = yield* Effect.flip(io.prefetch({ offset: 0, length: 100 }))
        expect(failure).toEqual(new StoreFailed({ operation: "create" }))
        expect(yield* Fiber.join(reader)).toEqual(bytesAt(32, 16))
        yield* Effect.sleep(10)
        expect([isIdle(), source.underWay.size]).toEqual([true, 0])
      }).pipe(Effect.scoped, quietly)
    )
  )

  it(
    "fetches what is missing, in long requests, and holds nothing",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 10_000, streams: true })
        const { service: io } = yield* instanceOf(source, new TestStore(), { requestBytes: 160 })
        yield* io.readChunk(0)
        yield* io.readChunk(500)
        source.takeCalls()
        source.wait = Effect.sleep(1)
        yield* io.prefetch({ offset: 5, length: 1000 })
        expect(yield* io.coverage()).toEqual([{ offset: 0, length: 1008 }])
        for (const [, bytes] of source.calls) expect(bytes).toBeLessThanOrEqual(160)
        expect(source.calls.reduce((sum, [, bytes]) => sum + bytes, 0)).toBe(1008 - 32)
        expect(source.takeCalls()).toHaveLength(7)
        expect(source.mostUnderWay).toBe(3)
        yield* io.prefetch({ offset: 5, length: 1000 })
        yield* io.prefetch({ offset: 5, length: 0 })
        yield* io.prefetch({ offset: 10_000, length: 2 ** 50 })
        expect(source.calls).toEqual([])
        yield* io.prefetch({ offset: 0, length: 2 ** 53 - 1 })
        expect(yield* io.coverage()).toEqual([{ offset: 0, length: 10_000 }])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "of what a peer claims to have ends with the peer, and keeps no more in mind than a few requests",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 2 ** 53 - 1, streams: true })
        source.currentLength = 2 ** 53 - 1
        const { isIdle, service: io } = yield* instanceOf(source, new TestStore())
        source.currentLength = 100_000
        const failure = yield* Effect.flip(io.prefetch({ offset: 0, length: 2 ** 53 - 1 }))
        expect(failure).toMatchObject({ _tag: "SourceFailed" })
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that is interrupted leaves nothing under way",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 10_000 })
        source.wait = Effect.never
        const { isIdle, service: io } = yield* instanceOf(source, new TestStore(), { requestBytes: 160 })
        const fiber = yield* start(io.prefetch({ offset: 0, length: 10_000 }))
        yield* until(() => source.underWay.size >= 3)
        expect(source.underWay.size).toBe(3)
        yield* Fiber.interrupt(fiber)
        expect([source.underWay.size, isIdle(), Exit.hasInterrupts(yield* Fiber.await(fiber))]).toEqual([
          0,
          true,
          true
        ])
      }).pipe(Effect.scoped)
    )
  )
})
