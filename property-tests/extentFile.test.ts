/**
 * Law: an extent file is what its model is, whatever is created, deleted and cleared, through clean openings, kills
 * and power cuts. After a cut every extent that is reported is one that was there at one moment since the last
 * flush, byte for byte; what was flushed and not touched since is there; and what nobody holds is zeros.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ExtentFile, type ExtentFileService } from "../src/file/ExtentFile.ts"
import { Io } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { choices, CrashingDevice, type Trouble } from "./extentFileDevice.ts"
import { cases, path, type Step, tell, type Turn, turnsOf } from "./extentFileStory.ts"
import { runProperty } from "./runs.ts"

/** The calls of a flush: the sync of the data, the write of the mark, the sync of the record. */
const flushSyncs = [0, 2]

describe("an extent file", () => {
  it.each(flushSyncs)(
    "loses nothing that is flushed after a flush of which a sync failed: call %i",
    async (after) => {
      const turn = (step: Step, trouble?: Trouble): Turn => ({ step, trouble })
      const create = (offset: number) => turn({ kind: "create", offset, length: 600 })
      for (let seed = 0; seed < 50; seed++) {
        const turns = [
          create(0),
          turn({ kind: "end", how: "close" }),
          create(1_000),
          turn({ kind: "flush" }, { kind: "EIO", after, lasting: false }),
          turn({ kind: "end", how: "kill" }),
          create(2_000),
          turn({ kind: "flush" }),
          turn({ kind: "end", how: "cut" })
        ]
        await Effect.runPromise(tell(seed, turns, { zeros: false, rots: false }))
      }
    }
  )

  it("does not lose what shares a checksum with bytes that were given up, when these are written over", async () => {
    const part = (value: number, length: number) => new Uint8Array(length).fill(value)
    const run = (seed: number) =>
      Effect.gen(function* () {
        const inner = yield* Effect.provide(Io, IoMemory.layer)
        const device = new CrashingDevice(inner, choices(seed))
        const open = <A, E>(on: CrashingDevice, use: (file: ExtentFileService) => Effect.Effect<A, E>) =>
          Effect.scoped(Effect.flatMap(Effect.provideService(ExtentFile.open(path), Io, on.io), use))
        yield* open(device, (file) =>
          Effect.gen(function* () {
            yield* file.createExtent(3_000, part(1, 4_000))
            yield* file.createExtent(500, part(2, 3_000))
            yield* file.createExtent(400, part(3, 600))
          })
        )
        yield* device.rot(path, 600)
        yield* open(device, (file) =>
          Effect.gen(function* () {
            yield* file.createExtent(12_000, part(7, 10))
            assert.strictEqual((yield* file.readExtent(500)).length, 0)
            yield* file.createExtent(2_000, part(6, 500))
            device.stop()
          })
        ).pipe(Effect.exit)
        const after = new CrashingDevice(yield* Effect.provide(Io, IoMemory.layer), choices(seed))
        yield* after.begin(device.afterCut())
        const kept = yield* open(after, (file) => file.readExtent(3_000))
        assert.strictEqual(kept.length, 4_000)
      }).pipe(Effect.provide(Logger.layer([])), Effect.runPromise)
    for (let seed = 0; seed < 100; seed++) await run(seed)
  })

  it("does not lose what shares a checksum with bytes that an opening gives up, wherever that is stopped", async () => {
    const part = (value: number, length: number) => new Uint8Array(length).fill(value)
    const opened = <A, E>(device: CrashingDevice, use: (file: ExtentFileService) => Effect.Effect<A, E>) =>
      Effect.scoped(Effect.flatMap(Effect.provideService(ExtentFile.open(path), Io, device.io), use))
    const afterCut = (device: CrashingDevice) =>
      Effect.gen(function* () {
        const next = new CrashingDevice(yield* Effect.provide(Io, IoMemory.layer), device.choose)
        yield* next.begin(device.afterCut())
        return next
      })
    const run = (seed: number, stopAfter: number) =>
      Effect.gen(function* () {
        const first = new CrashingDevice(yield* Effect.provide(Io, IoMemory.layer), choices(seed))
        yield* opened(first, (file) =>
          Effect.gen(function* () {
            yield* file.createExtent(3_000, part(1, 4_000))
            yield* file.createExtent(0, part(2, 4_000))
            yield* file.flush
            // Two splits, void, the sync of these, and no byte written any more.
            first.arm({ kind: "stop", after: 4, lasting: false })
            yield* file.createExtent(10, part(3, 100))
          })
        ).pipe(Effect.exit)
        const second = yield* afterCut(first)
        second.arm({ kind: "stop", after: stopAfter, lasting: false })
        yield* opened(second, () => Effect.void).pipe(Effect.exit)
        const kept = yield* opened(yield* afterCut(second), (file) => file.readExtent(3_000))
        assert.strictEqual(kept.length, 4_000)
        return second.hit
      }).pipe(Effect.provide(Logger.layer([])), Effect.runPromise)
    for (let seed = 0; seed < 20; seed++) {
      for (let stopAfter = 0; await run(seed, stopAfter); stopAfter++);
    }
  })

  it.each(cases)("is what its model is: %s", async (_, kinds, laws, runs) => {
    await runProperty(
      fc.asyncProperty(fc.nat(2 ** 31), turnsOf(kinds), (seed, turns) =>
        Effect.runPromise(tell(seed, turns, laws))
      ),
      { runs }
    )
  })
})
