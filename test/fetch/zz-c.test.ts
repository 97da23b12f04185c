import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Deferred from "effect/Deferred"
import { describe, it } from "vitest"
import { run, start } from "../file/pageDevices.ts"
import { SparseIo } from "../../src/fetch/SparseIo.ts"
import { SparseFlights } from "../../src/fetch/sparseFlights.ts"
import { SparsePresence } from "../../src/fetch/sparsePresence.ts"
import { SparseCounters } from "../../src/fetch/sparseCounters.ts"
import { ArrivedChunk } from "../../src/fetch/sparseArrival.ts"
import * as Stream from "effect/Stream"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import * as fs from "node:fs"
import * as http from "node:http"
import { ByteSource } from "../../src/fetch/ByteSource.ts"

describe("T3b flights alone", () => {
  it.each([50_000, 100_000, 200_000])("%d", (n) => run(Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const done = yield* Deferred.make<void>()
    let left = n
    const flights: SparseFlights<never> = new SparseFlights<never>({ presence: new SparsePresence(), counters: new SparseCounters(context), concurrency: 4, longest: 128,
      fetch: (f) => Effect.andThen(Effect.yieldNow, Effect.sync(() => flights.settle(f, f.first, new ArrivedChunk(new Uint8Array(1), false)))),
      interrupted: () => undefined as never, context })
    const t0 = performance.now()
    for (let i = 0; i < n; i++) flights.ask({ first: 2 * i, last: 2 * i }, { storedOnly: false, take() {}, fail() {}, finish() { if (--left === 0) Deferred.doneUnsafe(done, Effect.void as never) } }, () => {})
    const t1 = performance.now()
    yield* Deferred.await(done)
    console.log("T3b", n, "asked in", Math.round(t1 - t0), "ms; settled in", Math.round(performance.now() - t1), "ms")
  }))())
})

describe("T7 a server without validators", () => {
  it("is believed across restarts", run(Effect.gen(function* () {
    let body = Buffer.alloc(300_000, "A")
    const server = http.createServer((q, s) => {
      const m = /bytes=(\d+)-(\d+)/.exec(q.headers.range ?? "")!
      const a = Number(m[1]), b = Math.min(Number(m[2]), body.length - 1)
      s.writeHead(206, { "content-range": `bytes ${a}-${b}/${body.length}`, "content-length": b - a + 1 }); s.end(body.subarray(a, b + 1))
    })
    yield* Effect.promise(() => new Promise<void>((r) => server.listen(0, "127.0.0.1", r)))
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/x`
    const dir = fs.mkdtempSync("/tmp/review-sparse/x-")
    const open = Effect.gen(function* () {
      const source = yield* ByteSource.fromHttp(url)
      const io = yield* SparseIo.make({ source, store: yield* ExtentFile.open(`${dir}/c`) })
      return { io, source }
    })
    yield* Effect.scoped(Effect.flatMap(open, ({ io }) => io.read(0, new Uint8Array(10))))
    body = Buffer.alloc(300_000, "B")
    yield* Effect.scoped(Effect.gen(function* () {
      const { io, source } = yield* open
      const all = new Uint8Array(300_000)
      yield* io.read(0, all)
      console.log("T7 versioned?", yield* source.isVersioned!, "the SparseIo says", (io as ByteSource<unknown>).isVersioned, "torn object:", String.fromCharCode(all[0]!, all[299_999]!), "pin")
    }))
    server.closeAllConnections(); server.close(); fs.rmSync(dir, { recursive: true })
  }).pipe(Effect.provide(IoNode.layer))))
})

describe("T10 types", () => { it("x", () => {
  const layer = (source: ByteSource<import("../../src/fetch/ByteSource.ts").FileSourceError>, store: ExtentFile["Service"]) => SparseIo.layer({ source, store })
  void layer
}) })
