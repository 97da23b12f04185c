/**
 * A store that may keep so many bytes: what makes room, and that nothing wrong is read meanwhile.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { collect, instanceOf, quietly, TestSource, TestStore } from "./sparseIoDoubles.ts"

const length = 1000

describe("a budget", () => {
  it.each([16, 40, 64, 160, 2000])("of %d bytes is kept, whatever is read", (budgetBytes) =>
    run(
      Effect.gen(function* () {
        for (const answers of [false, true]) {
          const source = new TestSource({ length, streams: true })
          const store = new TestStore({ answers })
          let most = 0
          store.wait = () => Effect.sync(() => void (most = Math.max(most, store.bytes)))
          const { service: io } = yield* instanceOf(source, store, { budgetBytes })
          expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
          const buffer = new Uint8Array(100)
          for (let i = 0; i < 60; i++) {
            const offset = (i * 7919) % 900
            yield* io.read(offset, buffer)
            expect(buffer).toEqual(bytesAt(offset, 100))
          }
          expect(Math.max(most, store.bytes)).toBeLessThanOrEqual(budgetBytes)
          const covered = (yield* io.coverage()).reduce((sum, extent) => sum + extent.length, 0)
          expect(covered).toBe(store.bytes)
          expect(io.stats().evictedBytes > 0).toBe(budgetBytes < length)
        }
      }).pipe(Effect.scoped)
    )()
  )

  it(
    "keeps what is used again, and lets a scan go by",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 100_000 })
        const { service: io } = yield* instanceOf(source, new TestStore(), { budgetBytes: 1600 })
        const hot = Effect.forEach(Array.from({ length: 50 }), (_, i) => io.readChunk(i * 16))
        for (let round = 0; round < 3; round++) yield* hot
        yield* collect(io.stream(50_000, 20_000))
        source.takeCalls()
        yield* hot
        expect(source.calls).toEqual([])
      }).pipe(Effect.scoped)
    )
  )

  it.each([1, 5, 80, 160])("leaves all of a prefetch of %d chunks that it has room for", (chunks) =>
    run(
      Effect.gen(function* () {
        for (const before of ["nothing", "prefetch", "reads", "part"]) {
          const source = new TestSource({ length: 16_000 })
          const store = new TestStore()
          const { service: io } = yield* instanceOf(source, store, { budgetBytes: 16 * 160 })
          if (before === "prefetch") yield* io.prefetch({ offset: 0, length: 16 * 160 })
          if (before !== "nothing") yield* io.read(0, new Uint8Array(16 * 200))
          if (before !== "nothing") yield* io.read(0, new Uint8Array(16 * 300))
          if (before === "part") yield* collect(io.stream(8000, 100))
          const range = { offset: 8000, length: 16 * chunks }
          yield* io.prefetch(range)
          const there = (yield* io.coverage()).find(({ offset }) => offset === 8000)
          expect(there?.length).toBeGreaterThanOrEqual(range.length)
          source.takeCalls()
          yield* io.prefetch(range)
          expect(source.calls).toEqual([])
          expect(store.bytes).toBeLessThanOrEqual(16 * 160)
        }
      }).pipe(Effect.scoped)
    )()
  )

  it(
    "is kept of what is found in a store that can't tell what it has",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore({ tells: false })
        for (let offset = 0; offset < 800; offset += 16) store.kept.set(offset, bytesAt(offset, 16))
        const { service: io } = yield* instanceOf(source, store, { budgetBytes: 32 })
        for (let offset = 0; offset < 800; offset += 16) {
          expect(yield* io.readChunk(offset)).toEqual(bytesAt(offset, 16))
          expect(store.bytes).toBe(Math.min(800, 800 - offset + 16))
        }
        expect([store.bytes, source.calls.length]).toEqual([32, 0])
        expect(io.stats()).toMatchObject({ evictedBytes: 768, hits: 50 })
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is kept of what is found as far as the store can delete",
    run(
      Effect.gen(function* () {
        for (const onStoreFailure of ["readThrough", "fail"] as const) {
          const store = new TestStore({ tells: false })
          for (let offset = 0; offset < 160; offset += 16) store.kept.set(offset, bytesAt(offset, 16))
          store.failing.add("delete")
          const source = new TestSource({ length })
          const { service: io } = yield* instanceOf(source, store, { budgetBytes: 16, onStoreFailure })
          yield* io.readChunk(0)
          const second = yield* Effect.exit(io.readChunk(16))
          expect(second._tag).toBe(onStoreFailure === "fail" ? "Failure" : "Success")
          store.failing.clear()
          expect(yield* io.readChunk(32)).toEqual(bytesAt(32, 16))
          expect([store.kept.has(0), store.kept.has(16), store.kept.has(32)]).toEqual([false, false, true])
        }
      }).pipe(Effect.scoped, quietly)
    )
  )

  it(
    "deletes many at a time of what it has no room for, or can't give up chunk by chunk",
    run(
      Effect.gen(function* () {
        const store = new TestStore()
        for (let i = 0; i < 1000; i++) store.kept.set(i * 8, bytesAt(i * 8, 8))
        let [now, most] = [0, 0]
        store.wait = (operation) =>
          operation !== "delete"
            ? Effect.void
            : Effect.suspend(() => {
                most = Math.max(most, ++now)
                return Effect.andThen(
                  Effect.sleep(1),
                  Effect.sync(() => now--)
                )
              })
        const source = new TestSource({ length: 8000 })
        const { service: io } = yield* instanceOf(source, store, { budgetBytes: 8000 })
        expect([store.kept.size, (yield* io.coverage()).length]).toEqual([0, 0])
        expect(io.stats().evictedBytes).toBe(8000)
        expect(most).toBeGreaterThan(50)
        expect(most).toBeLessThan(500)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "counts what the store has when it is opened",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore()
        yield* Effect.scoped(
          Effect.flatMap(instanceOf(source, store), ({ service }) =>
            service.prefetch({ offset: 0, length: 800 })
          )
        )
        store.kept.set(900, bytesAt(900, 10)) // of another chunk size
        const { service: io } = yield* instanceOf(source, store, { budgetBytes: 170 })
        expect(store.bytes).toBe(160)
        expect((yield* io.coverage()).reduce((sum, extent) => sum + extent.length, 0)).toBe(160)
        for (let offset = 0; offset < length; offset += 16) {
          const bytes = yield* io.readChunk(offset)
          expect(bytes).toEqual(bytesAt(offset, bytes.length))
          expect(store.bytes).toBeLessThanOrEqual(170)
        }
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is kept by a store that can't delete: it is given nothing more until it can",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore()
        const { service: io } = yield* instanceOf(source, store, { budgetBytes: 64 })
        store.failing.add("delete")
        expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
        expect(store.bytes).toBe(64)
        const covered = (yield* io.coverage()).reduce((sum, extent) => sum + extent.length, 0)
        expect(covered, "one chunk is given up, and no other").toBe(48)
        expect(io.stats().storeFailures).toBeGreaterThan(10)
        store.failing.clear()
        yield* io.readChunk(500)
        source.takeCalls()
        yield* io.readChunk(500)
        expect(source.calls).toEqual([])
        expect(store.bytes).toBeLessThanOrEqual(64)
      }).pipe(Effect.scoped, quietly)
    )
  )

  it(
    "never gives up what is being stored, with as many requests as there may be",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore()
        const storing = new Set<number>()
        store.wait = (operation, offset) =>
          Effect.gen(function* () {
            if (operation === "delete") expect(storing.has(offset)).toBe(false)
            if (operation !== "create") return
            storing.add(offset)
            yield* Effect.sleep(1)
            storing.delete(offset)
          })
        const { service: io } = yield* instanceOf(source, store, {
          budgetBytes: 32,
          concurrency: 8,
          requestBytes: 16
        })
        const readers = yield* Effect.forEach(Array.from({ length: 40 }), (_, i) =>
          start(io.readChunk((i * 37 * 16) % 900))
        )
        for (const [i, reader] of readers.entries()) {
          const offset = (i * 37 * 16) % 900
          expect(yield* Fiber.join(reader)).toEqual(bytesAt(offset - (offset % 16), 16))
        }
        expect(store.bytes).toBeLessThanOrEqual(32)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "does not serve what was deleted while it was read",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore({ answers: false })
        const { service: io } = yield* instanceOf(source, store, { budgetBytes: 16 })
        yield* io.readChunk(0)
        const gate = yield* Deferred.make<void>()
        // A store that gives zeros for what is deleted while it reads.
        const readExtent = store.readExtent
        Object.assign(store, {
          readExtent: (offset: number) =>
            Effect.andThen(
              Deferred.await(gate),
              Effect.map(readExtent(offset), (bytes) => (bytes.length > 0 ? bytes : new Uint8Array(16)))
            )
        })
        const reader = yield* start(io.readChunk(0))
        yield* Effect.sleep(1)
        yield* io.readChunk(100)
        yield* Deferred.succeed(gate, undefined)
        expect(yield* Fiber.join(reader)).toEqual(bytesAt(0, 16))
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is kept by what was interrupted while it was stored",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore()
        const { isIdle, service: io } = yield* instanceOf(source, store, { budgetBytes: 48 })
        const { createExtent } = store
        // It is stored, and the answer comes late.
        let isSlow = true
        Object.assign(store, {
          createExtent: (offset: number, bytes: Uint8Array) =>
            Effect.andThen(createExtent(offset, bytes), isSlow ? Effect.sleep(3) : Effect.void)
        })
        for (let chunk = 0; chunk < 10; chunk++) {
          const reader = yield* start(io.readChunk(chunk * 16))
          yield* Effect.sleep(1)
          yield* Fiber.interrupt(reader)
          expect(store.bytes).toBeLessThanOrEqual(48)
        }
        isSlow = false
        expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
        expect(store.bytes).toBeLessThanOrEqual(48)
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )
})
