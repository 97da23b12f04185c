import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Deferred from "effect/Deferred"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { collect, instanceOf, quietly, TestSource, TestStore } from "./sparseIoDoubles.ts"

const length = 1000

describe("T1 shared memory", () => {
  it("two readChunk share one array, and a read() gets what a readChunk caller wrote", run(Effect.gen(function* () {
    const source = new TestSource({ length })
    const gate = yield* Deferred.make<void>()
    source.wait = Deferred.await(gate)
    const { service: io } = yield* instanceOf(source, new TestStore())
    const a = yield* start(Effect.map(io.readChunk(0), (b) => { b.fill(0xff); return b }))
    const b = yield* start(io.readChunk(0))
    const buffer = new Uint8Array(16)
    const c = yield* start(io.read(0, buffer))
    const d = yield* start(collect(io.stream(0, 16)))
    yield* Effect.sleep(2)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(a)
    const second = yield* Fiber.join(b)
    yield* Fiber.join(c)
    console.log("T1 second readChunk", second.slice(0, 4), "read()", buffer.slice(0, 4), "stream", (yield* Fiber.join(d)).slice(0, 4))
  }).pipe(Effect.scoped)))
})

describe("T2 stream fails early", () => {
  it("a failure ahead ends the stream before the bytes before it", run(Effect.gen(function* () {
    const source = new TestSource({ length })
    let calls = 0
    const { service: io } = yield* instanceOf(source, new TestStore(), { readAheadBytes: 160, requestBytes: 16, concurrency: 8 })
    source.onCall = ([offset]) => {
      calls++
      if (offset === 64 && calls < 9) { source.faults.length = 0; source.faults.push("fails"); source.wait = Effect.void }
      else source.wait = Effect.sleep(5)
    }
    const seen: Array<number> = []
    const exit = yield* Effect.exit(Stream.runForEach(io.stream(), (p) => Effect.sync(() => void seen.push(...p))))
    console.log("T2 bytes seen before failure at 64:", seen.length, JSON.stringify(exit).slice(0, 200), "given up", source.givenUp.size)
  }).pipe(Effect.scoped)))
})

describe("T6 extents that throw on the way", () => {
  it("defect", run(Effect.gen(function* () {
    const source = new TestSource({ length })
    const store = new TestStore()
    Object.assign(store, { extents: function* () { yield { offset: 0, length: 16 }; throw Object.assign(new Error("x"), { _tag: "StoreFailed" }) } })
    const exit = yield* Effect.exit(instanceOf(source, store))
    console.log("T6", Exit.isFailure(exit) && exit.cause.reasons.map((r) => r._tag))
  }).pipe(Effect.scoped)))
})

describe("T8 budget with a store that tells nothing", () => {
  it("never deletes while reads find chunks", run(Effect.gen(function* () {
    const source = new TestSource({ length })
    const store = new TestStore({ tells: false })
    for (let i = 0; i < 50; i++) store.kept.set(i * 16, bytesAt(i * 16, 16))
    const { service: io } = yield* instanceOf(source, store, { budgetBytes: 32 })
    for (let r = 0; r < 3; r++) for (let i = 0; i < 50; i++) yield* io.readChunk(i * 16)
    console.log("T8 store bytes", store.bytes, "budget 32", io.stats(), source.calls.length)
  }).pipe(Effect.scoped)))
})

describe("T27 untagged throw of unsafe.read", () => {
  it("dies", run(Effect.gen(function* () {
    const source = new TestSource({ length })
    const store = new TestStore()
    const { service: io } = yield* instanceOf(source, store)
    yield* io.readChunk(0)
    Object.assign(store.unsafe!, { read: () => { throw new TypeError("bug") } })
    const exit = yield* Effect.exit(io.read(0, new Uint8Array(3)))
    console.log("T27", Exit.isFailure(exit) && exit.cause.reasons.map((r) => r._tag))
  }).pipe(Effect.scoped)))
})

describe("T32 release one after another", () => {
  it("second is interrupted after the first has ended", run(Effect.gen(function* () {
    const source = new TestSource({ length, streams: true, most: 16 })
    const { service: io } = yield* instanceOf(source, new TestStore(), { readAheadBytes: 64, requestBytes: 16, concurrency: 8 })
    const t0 = performance.now()
    const times: Array<number> = []
    source.waitPiece = Effect.suspend(() => source.calls.length <= 3 ? Effect.void : Effect.never)
    source.wait = Effect.suspend(() => source.calls.length > 4 ? Effect.never : Effect.void)
    source.abort = Effect.suspend(() => { times.push(performance.now() - t0); return Effect.sleep(50) })
    const f = yield* start(Stream.runDrain(io.stream()))
    yield* Effect.sleep(20)
    console.log("T32 under way", source.underWay.size, source.calls.length)
    yield* Fiber.interrupt(f)
    console.log("T32 aborts begun at", times.map((t) => Math.round(t)))
  }).pipe(Effect.scoped)))
})
