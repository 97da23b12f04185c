/**
 * Large flushes, which are written while others go on: what a sync, a rollback or a close that comes
 * in between makes of them.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { expect } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import { gatedIo, holds, isSound, joined, openOn, record, reopened, toldIo } from "./storeHarness.ts"

/** More than is written on the caller's thread. */
const large = 3 << 20

/** The last write of chunk 1 is synced after it, and that before control is written for the last time. */
const syncedBeforeNamed = (changes: ReadonlyArray<string>): void => {
  const last = (call: string) => changes.lastIndexOf(call)
  expect(last("writeAt store.1.suffix")).toBeGreaterThan(-1)
  expect(last("sync store.1.suffix")).toBeGreaterThan(last("writeAt store.1.suffix"))
  expect(last("writeAt store.control")).toBeGreaterThan(last("sync store.1.suffix"))
}

onEachIo((test) => {
  test("what is written while a split syncs its chunk is synced again before control names it", (directory) =>
    Effect.gen(function* () {
      const told = toldIo(yield* Io, directory)
      const writing = gatedIo(told.io, directory, (call) => call === "writeAt store.1.suffix")
      let splits = false
      const syncing = gatedIo(writing.io, directory, (call) => splits && call === "sync store.0.suffix")
      const store = yield* openOn(syncing.io, directory)
      yield* store.append(record(100))
      yield* store.commit
      yield* store.append(record(100, 1))
      splits = true
      const split = yield* Effect.forkChild(store.split, { startImmediately: true })
      yield* syncing.arrived
      store.unsafe.append(record(large, 2))
      // It has nothing of its own that a later flush would write.
      const flush = yield* Effect.forkChild(store.append(record(0)), { startImmediately: true })
      yield* writing.arrived
      yield* syncing.open
      yield* Fiber.join(split)
      expect(store.committedEnd()).toBe(200)
      yield* writing.open
      yield* Fiber.join(flush)
      yield* store.commit
      syncedBeforeNamed(told.changes())
      const bytes = joined(record(100), record(100, 1), record(large, 2))
      yield* store.close
      yield* reopened(told.io, directory, (again) => Effect.andThen(holds(again, bytes), isSound(again)))
    }))

  test("what is written while a collection seals is synced by the next commit", (directory) =>
    Effect.gen(function* () {
      const told = toldIo(yield* Io, directory)
      const writing = gatedIo(told.io, directory, (call) => call === "writeAt store.1.suffix")
      const store = yield* openOn(writing.io, directory, { chunkSize: 100 })
      yield* store.append(record(100))
      yield* store.commit
      yield* store.append(record(large, 1))
      const flush = yield* Effect.forkChild(store.append(record(0)), { startImmediately: true })
      yield* writing.arrived
      yield* store.collect({ live: [{ offset: 10, length: 20 }], upTo: 100 })
      yield* writing.open
      yield* Fiber.join(flush)
      yield* store.commit
      syncedBeforeNamed(told.changes())
      yield* store.close
      yield* reopened(told.io, directory, isSound)
    }))

  test("a rollback overtakes a large flush, and the append that waits behind it ends", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      let armed = false
      const writing = gatedIo(io, directory, (call) => armed && call === "writeAt store.0.suffix")
      const store = yield* openOn(writing.io, directory)
      yield* store.append(record(100))
      yield* store.commit
      armed = true
      store.unsafe.append(record(large, 1))
      const fibers = []
      for (const call of [store.append(record(10)), store.rollback, store.append(record(20))]) {
        fibers.push(yield* Effect.forkDetach(call, { startImmediately: true }))
      }
      yield* writing.arrived
      yield* writing.open
      for (const fiber of fibers) yield* Effect.timeout(Fiber.join(fiber), "3 seconds")
      yield* Effect.timeout(store.rollback, "3 seconds")
      yield* Effect.timeout(store.append(record(30, 2)), "3 seconds")
      yield* Effect.timeout(store.commit, "3 seconds")
      yield* Effect.timeout(store.close, "3 seconds")
      yield* reopened(io, directory, (again) => holds(again, joined(record(100), record(30, 2))))
    }))
})
