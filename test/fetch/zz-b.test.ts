import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { describe, expect, it } from "vitest"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { SparseIo } from "../../src/fetch/SparseIo.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { instanceOf, TestSource, TestStore } from "./sparseIoDoubles.ts"
import * as fs from "node:fs"

const nothing = { createExtent: () => Effect.void, readExtent: () => Effect.succeed(new Uint8Array(0)), deleteExtent: () => Effect.void, extents: () => [] }

describe("T3 queue of isolated chunks", () => {
  it.each([10_000, 20_000, 40_000, 80_000])("%d", (n) => run(Effect.gen(function* () {
    const source = { length: Effect.succeed(16 * 2 * n), readAt: (_o: number, b: Uint8Array) => Effect.as(Effect.yieldNow, b.length) }
    const io = yield* SparseIo.make({ source, store: nothing, chunkSize: 16 })
    const t0 = performance.now()
    const fibers: Array<Fiber.Fiber<number, unknown>> = []
    for (let i = 0; i < n; i++) fibers.push(yield* Effect.forkChild(io.read(i * 32, new Uint8Array(1))))
    for (const f of fibers) yield* Fiber.join(f)
    console.log("T3", n, "isolated chunks", Math.round(performance.now() - t0), "ms")
  }).pipe(Effect.scoped))())
})

describe("T4 span", () => {
  it("requests are children of the ended span of make", run(Effect.gen(function* () {
    const spans: Array<string> = []
    const source = { length: Effect.succeed(1000), readAt: (_o: number, b: Uint8Array) =>
      Effect.map(Effect.option(Effect.currentSpan), (s) => { spans.push(Option.match(s, { onNone: () => "none", onSome: (s) => `${s.name} ${s.status._tag}` })); return b.length }) }
    const io = yield* SparseIo.make({ source, store: nothing, chunkSize: 16 })
    yield* io.read(0, new Uint8Array(3)).pipe(Effect.withSpan("the reader"))
    console.log("T4", spans)
  }).pipe(Effect.scoped)))
})

describe("T5 budget with another chunk size", () => {
  it.each([1000, 4000])("%d extents", (n) => run(Effect.gen(function* () {
    const dir = fs.mkdtempSync("/tmp/review-sparse/x-")
    const size = 4096
    const source = { length: Effect.succeed(n * size), identity: Effect.succeed("a"), readAt: (o: number, b: Uint8Array) => Effect.sync(() => { b.fill(1); return Math.min(b.length, n * size - o) }) }
    yield* Effect.scoped(Effect.gen(function* () {
      const store = yield* ExtentFile.open(`${dir}/c`)
      const io = yield* SparseIo.make({ source, store, chunkSize: size })
      const t = performance.now()
      yield* io.prefetch({ offset: 0, length: n * size })
      yield* io.flush
      console.log("T5 fill", n, Math.round(performance.now() - t), "ms")
    }))
    yield* Effect.scoped(Effect.gen(function* () {
      const store = yield* ExtentFile.open(`${dir}/c`)
      const t = performance.now()
      const io = yield* SparseIo.make({ source, store, chunkSize: 2 * size, budgetBytes: n * size })
      console.log("T5 make over", n, "extents of another chunk size, budget is enough for all:", Math.round(performance.now() - t), "ms", "kept", (yield* io.coverage()).length, io.stats())
    }))
    fs.rmSync(dir, { recursive: true })
  }).pipe(Effect.provide(IoNode.layer)))())
  it("steady state: a full durable cache", run(Effect.gen(function* () {
    const dir = fs.mkdtempSync("/tmp/review-sparse/x-")
    const size = 131072, n = 400
    const source = { length: Effect.succeed(2 * n * size), identity: Effect.succeed("a"), readAt: (o: number, b: Uint8Array) => Effect.sync(() => { b.fill(1); return Math.min(b.length, 2 * n * size - o) }) }
    for (const budgetBytes of [undefined, n * size]) {
    yield* Effect.scoped(Effect.gen(function* () {
      const store = yield* ExtentFile.open(`${dir}/c${budgetBytes}`)
      const io = yield* SparseIo.make({ source, store, budgetBytes })
      yield* io.prefetch({ offset: 0, length: n * size })
      yield* io.flush
      const t = performance.now()
      yield* io.prefetch({ offset: n * size, length: n * size })
      console.log("T5b second half, budget", budgetBytes, Math.round(performance.now() - t), "ms")
    })) }
    fs.rmSync(dir, { recursive: true })
  }).pipe(Effect.provide(IoNode.layer))))
})
