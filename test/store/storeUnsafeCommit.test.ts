/** `unsafe.commit`: the same durability on the caller's thread, and a refusal of whatever takes an Effect. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { onEachIo } from "../file/eachIo.ts"
import {
  gatedIo,
  holds,
  isPoisoned,
  isSound,
  joined,
  openOn,
  record,
  reopened,
  toldIo
} from "./storeHarness.ts"

const thrownBy = (body: () => void): { readonly _tag: string; readonly reason?: string } => {
  try {
    body()
  } catch (error) {
    return error as { readonly _tag: string; readonly reason?: string }
  }
  throw new Error("nothing was thrown")
}

describe("unsafe.commit", () => {
  onEachIo((test) => {
    test("writes and syncs as commit does, and what it acknowledged is there when opened anew", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const store = yield* openOn(told.io, directory)
        yield* store.append(record(100))
        yield* store.commit
        store.unsafe.append(record(50, 1))
        told.forget()
        store.unsafe.commit()
        expect(told.changes()).toEqual([
          "writeAt store.0.suffix",
          "sync store.0.suffix",
          "writeAt store.control",
          "sync store.control"
        ])
        expect(store.committedEnd()).toBe(150)
        told.forget()
        store.unsafe.commit()
        expect(told.calls).toEqual([])
        yield* store.close
        yield* reopened(told.io, directory, (again) =>
          Effect.andThen(holds(again, joined(record(100), record(50, 1))), isSound(again))
        )
      }))

    test("refuses where a file must be made: a new store, and what goes to a new chunk", (directory) =>
      Effect.gen(function* () {
        const store = yield* openOn(yield* Io, directory, { chunkSize: 100 })
        store.unsafe.append(record(60))
        expect(thrownBy(() => store.unsafe.commit())).toMatchObject({
          _tag: "Unsupported",
          operation: "unsafe.commit"
        })
        yield* store.commit
        store.unsafe.commit()
        yield* store.append(record(60, 1))
        expect(thrownBy(() => store.unsafe.commit())._tag).toBe("Unsupported")
        expect(store.committedEnd()).toBe(60)
        yield* store.commit
        store.unsafe.append(record(60, 2))
        store.unsafe.commit()
        yield* holds(store, joined(record(60), record(60, 1), record(60, 2)))
        yield* store.split
        yield* isSound(store)
      }))

    test("refuses while another commit is being made durable, which goes on", (directory) =>
      Effect.gen(function* () {
        const gated = gatedIo(yield* Io, directory, (call) => call === "sync store.0.suffix")
        const store = yield* openOn(gated.io, directory)
        yield* store.append(record(100))
        const committing = yield* Effect.forkChild(store.commit)
        yield* gated.arrived
        store.unsafe.append(record(50, 1))
        expect(thrownBy(() => store.unsafe.commit())._tag).toBe("Unsupported")
        yield* gated.open
        yield* Fiber.join(committing)
        store.unsafe.commit()
        expect(store.committedEnd()).toBe(150)
      }))

    test("refuses while a flush is on the thread pool, which goes on", (directory) =>
      Effect.gen(function* () {
        const gate = gatedIo(yield* Io, directory, (call) => call === "writeAt store.0.suffix")
        const store = yield* openOn(gate.io, directory)
        yield* store.append(record(100))
        yield* store.commit
        yield* store.append(record(3 << 20, 1))
        const flush = yield* Effect.forkChild(store.append(record(10, 2)), { startImmediately: true })
        yield* gate.arrived
        expect(thrownBy(() => store.unsafe.commit())).toMatchObject({
          _tag: "Unsupported",
          reason: "a flush of another fiber is under way"
        })
        expect(store.committedEnd()).toBe(100)
        yield* gate.open
        yield* Fiber.join(flush)
        store.unsafe.commit()
        const all = joined(record(100), record(3 << 20, 1), record(10, 2))
        expect(store.committedEnd()).toBe(all.length)
        yield* holds(store, all)
        yield* isSound(store)
      }))

    test("poisons when an fsync fails, acknowledges nothing, and not before", (directory) =>
      Effect.gen(function* () {
        for (const [index, failing] of [
          "sync store.0.suffix",
          "writeAt store.control",
          "sync store.control"
        ].entries()) {
          const inside = `${directory}/${index}`
          const told = toldIo(yield* Io, inside)
          const store = yield* openOn(told.io, inside)
          yield* store.append(record(100))
          yield* store.commit
          store.unsafe.append(record(50, 1))
          told.failing = (call) => call === failing
          expect(thrownBy(() => store.unsafe.commit())._tag, failing).toBe("IoFailed")
          expect(store.committedEnd()).toBe(100)
          expect(thrownBy(() => store.unsafe.commit())._tag).toBe("Poisoned")
          yield* isPoisoned(store)
        }
      }))

    test("after a write that failed nothing is lost, and it works once the device does", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const store = yield* openOn(told.io, directory)
        yield* store.append(record(100))
        yield* store.commit
        store.unsafe.append(record(50, 1))
        told.failing = (call) => call === "writeAt store.0.suffix"
        expect(thrownBy(() => store.unsafe.commit())._tag).toBe("IoFailed")
        told.failing = () => false
        store.unsafe.commit()
        yield* holds(store, joined(record(100), record(50, 1)))
      }))

    test("is not for readers, nor for a closed store", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* openOn(io, directory)
        const reader = yield* openOn(io, directory, { readonly: true })
        expect(thrownBy(() => reader.unsafe.commit())._tag).toBe("RoNotAllowed")
        yield* store.close
        expect(thrownBy(() => store.unsafe.commit())._tag).toBe("Closed")
      }))
  })
})
