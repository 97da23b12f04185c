/**
 * The end of a scope beside a close that is under way elsewhere: the lock is needed until both are over.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { expect } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { onEachIo, openHandles } from "../file/eachIo.ts"
import { debrisIn, expectBytes, gatedIo, isSound, openOn, record, reopened } from "./storeHarness.ts"

/** Calls of a collection that a close waits for, and what the collection comes to. */
const waitedFor = [
  ["open store.1.prefix", { _tag: "Failure", failure: { _tag: "Closed" } }],
  ["remove store.0.suffix", { _tag: "Success", success: { generation: 1, bytesKept: 50 } }],
  ["remove store.0.suffix.sum", { _tag: "Success", success: { generation: 1, bytesKept: 50 } }]
] as const

onEachIo((test) => {
  test("while a close waits for a collection, the end of the scope does not free the lock", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      for (const [index, [waiting, outcome]] of waitedFor.entries()) {
        const at = `${directory}/${index}`
        const gate = gatedIo(io, at, (call) => call === waiting)
        const scope = yield* Scope.make()
        const store = yield* openOn(gate.io, at).pipe(Scope.provide(scope))
        yield* store.append(record(100))
        yield* store.commit
        const request = { live: [{ offset: 20, length: 50 }], upTo: 100 }
        const collection = yield* Effect.forkDetach(store.collect(request), { startImmediately: true })
        yield* gate.arrived
        const close = yield* Effect.forkDetach(store.close, { startImmediately: true })
        yield* Effect.sleep("10 millis")
        const end = yield* Effect.forkDetach(Scope.close(scope, Exit.void), { startImmediately: true })
        yield* Effect.sleep("30 millis")
        for (const fiber of [collection, close, end]) expect(fiber.pollUnsafe(), waiting).toBeUndefined()
        expect(yield* Effect.flip(Effect.scoped(openOn(io, at))), waiting).toMatchObject({ _tag: "Locked" })
        yield* gate.open
        expect(yield* Effect.result(Fiber.join(collection)), waiting).toMatchObject(outcome)
        yield* Fiber.join(close)
        yield* Fiber.join(end)
        yield* reopened(io, at, (again) =>
          Effect.gen(function* () {
            expect(again.stats().recovery).toEqual({ tornTailBytes: 0, removed: [], controlRepaired: false })
            expectBytes(yield* again.read(20, 50), record(100).subarray(20, 70))
            yield* isSound(again)
            expect(yield* debrisIn(io, at)).toEqual([])
          })
        )
        expect(openHandles(at)).toEqual([])
      }
    }))
})
