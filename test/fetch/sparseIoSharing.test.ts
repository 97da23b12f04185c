/**
 * What a SparseIo gives to several at once: whose bytes are whose.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { collect, instanceOf, TestSource, TestStore } from "./sparseIoDoubles.ts"

describe("a caller of readChunk that writes to what it got", () => {
  it.each([
    ["ranges", false, 1000],
    ["streams", true, 1000],
    ["streams of small pieces", true, 5]
  ] as const)("changes nothing of what reads, streams and the store have, over %s", (_, streams, most) =>
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length: 1000, streams, most })
        const store = new TestStore()
        const gate = yield* Deferred.make<void>()
        source.wait = Deferred.await(gate)
        const { service: io } = yield* instanceOf(source, store, { readAheadBytes: 0 })
        const spoil = Effect.map(io.readChunk(0), (bytes) => void bytes.fill(0xff))
        const first = yield* start(spoil)
        const buffers = [new Uint8Array(16), new Uint8Array(40)]
        const reads = [yield* start(io.read(0, buffers[0]!)), yield* start(io.read(0, buffers[1]!))]
        const long = yield* start(collect(io.stream(0, 40)))
        const short = yield* start(collect(io.stream(3, 5)))
        const last = yield* start(spoil)
        yield* Effect.repeat(Effect.yieldNow, { times: 10 })
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.joinAll([first, last, ...reads])
        expect(buffers).toEqual([bytesAt(0, 16), bytesAt(0, 40)])
        expect(yield* Fiber.join(long)).toEqual(bytesAt(0, 40))
        expect(yield* Fiber.join(short)).toEqual(bytesAt(3, 5))
        expect(yield* io.readChunk(0)).toEqual(bytesAt(0, 16))
        expect(source.takeCalls().filter(([offset]) => offset === 0)).toHaveLength(1)
      }).pipe(Effect.scoped)
    )()
  )
})
