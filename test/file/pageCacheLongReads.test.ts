/**
 * Reads of a page cache that are long, or that find a call at its very beginning: what was reported of
 * them, and did not hold.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { PageCache } from "../../src/file/PageCache.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { run, start, TestDevice, thrownBy } from "./pageDevices.ts"

const mebibyte = 1 << 20

/** A device of this many zeros that answers at once. */
const zeros = (length: number) => (position: number, wanted: number) =>
  new Uint8Array(Math.max(0, Math.min(wanted, length - position)))

describe("a call that is just being launched", () => {
  it(
    "is joined by who is woken by its first step, and ends with who waits for it",
    run(
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        let calls = 0
        let ended = 0
        const map = () =>
          Effect.suspend(() => {
            calls++
            // Whoever waits for this goes on before the call has taken its second step.
            return Deferred.succeed(begun, undefined).pipe(
              Effect.andThen(Effect.never),
              Effect.onInterrupt(() => Effect.sync(() => ended++))
            )
          })
        const cache = yield* PageCache.make({ map })
        const woken = yield* start(Effect.andThen(Deferred.await(begun), cache.getUint8(1)))
        const first = yield* start(cache.getUint8(0))
        yield* Effect.sleep(5)
        expect(calls).toBe(1)
        expect(woken.pollUnsafe()).toBeUndefined()
        yield* Fiber.interrupt(first)
        expect(ended).toBe(0)
        yield* Fiber.interrupt(woken)
        expect(ended).toBe(1)
      })
    )
  )
})

describe("a long read", () => {
  it(
    "of a device that grows while its end is looked for is out of bounds where it was first found to end",
    run(
      Effect.gen(function* () {
        const length = 3 * mebibyte
        for (const later of [false, true]) {
          const device = new TestDevice(1000)
          const read = (position: number, wanted: number): Uint8Array => {
            const bytes = device.map(position, wanted)
            // It was asked for its last byte first.
            device.size = 2 * length
            return bytes
          }
          const map = later
            ? (position: number, wanted: number) =>
                Effect.suspend(() => Effect.succeed(read(position, wanted)))
            : read
          const cache = yield* PageCache.make({ map })
          const page = length - 4096
          const error = later
            ? yield* Effect.flip(cache.getBytes(0, length))
            : thrownBy(() => cache.unsafe.getBytes(0, length))
          expect(error).toMatchObject({ _tag: "ReadOutOfBounds", offset: 0, length, end: page })
          yield* Effect.asVoid(cache.getBytes(0, length))
        }
      })
    )
  )

  it(
    "lets others run, and can be interrupted",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ map: zeros(64 * mebibyte) })
        const out = new Uint8Array(64 * mebibyte)
        for (const read of [
          cache.blit(0, out, 0, out.length),
          Effect.asVoid(cache.getBytes(0, out.length)),
          cache.iterate(0, { length: 8 * mebibyte }, () => {})
        ]) {
          const misses = cache.cacheMiss()
          const reading = yield* start(read)
          for (let i = 0; i < 3; i++) yield* Effect.yieldNow
          expect(reading.pollUnsafe()).toBeUndefined()
          yield* Fiber.interrupt(reading)
          expect(cache.cacheMiss() - misses).toBeLessThan((8 * mebibyte) / 4096)
        }
      })
    )
  )

  it(
    "lets others run where all of it is cached",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ cacheSize: 4096, map: zeros(8 * mebibyte) })
        yield* cache.getBytes(0, 8 * mebibyte)
        yield* cache.getBytes(0, 8 * mebibyte)
        const reading = yield* start(cache.getBytes(0, 8 * mebibyte))
        for (let i = 0; i < 2; i++) yield* Effect.yieldNow
        expect(reading.pollUnsafe()).toBeUndefined()
        expect((yield* Fiber.join(reading)).length).toBe(8 * mebibyte)
      })
    )
  )

  it.each([0, 1, 4095, 4096, 5000, 12_288, 3 * mebibyte, 3 * mebibyte + 1])(
    "that goes beyond a device of %i bytes says where that ends",
    (size) =>
      run(
        Effect.gen(function* () {
          const cache = yield* PageCache.make({ map: zeros(size) })
          for (const length of [4 * mebibyte, 4 * mebibyte + 17, 2 ** 40]) {
            for (const address of [0, Math.floor(size / 2)]) {
              const wanted = { _tag: "ReadOutOfBounds", offset: address, length, end: size }
              expect(yield* Effect.flip(cache.getBytes(address, length))).toMatchObject(wanted)
              expect(thrownBy(() => cache.unsafe.getBytes(address, length))).toMatchObject(wanted)
            }
          }
        })
      )()
  )

  it(
    "that goes beyond a run of a sparse file says where that ends",
    run(
      Effect.gen(function* () {
        const io = yield* Io
        const source = yield* io.create("/source", { overwrite: false })
        yield* source.writeAt(0, new Uint8Array(3 * mebibyte))
        const writer = yield* SparseFile.create("/sparse")
        yield* writer.appendExtents(source, [
          { offset: 0, length: 100 },
          { offset: 1000, length: 2 * mebibyte }
        ])
        yield* writer.close
        const cache = yield* PageCache.overReader(yield* SparseFile.open("/sparse"))
        const beyond = yield* Effect.flip(cache.getBytes(1500, 8 * mebibyte))
        expect(beyond).toMatchObject({ _tag: "ReadOutOfBounds", offset: 1500, end: 1000 + 2 * mebibyte })
        const hole = yield* Effect.flip(cache.getBytes(500, 8 * mebibyte))
        expect(hole).toMatchObject({ _tag: "InvalidSparseRead", offset: 500, reason: "hole" })
      }).pipe(Effect.scoped, Effect.provide(IoMemory.layer))
    )
  )
})

describe("a page that the device ended on", () => {
  it(
    "is loaded anew when more of it is asked for than there was",
    run(
      Effect.gen(function* () {
        let size = 1
        const cache = yield* PageCache.make({ pageSize: 4, map: (at, length) => zeros(size)(at, length) })
        expect(yield* cache.getUint8(0)).toBe(0)
        size = 3
        expect(yield* cache.load(0, { length: 3 })).toEqual({
          offset: 0,
          length: 3,
          bytes: new Uint8Array(3)
        })
        expect(yield* cache.load(0, { length: 4 })).toBeUndefined()
      })
    )
  )
})

describe("a string that is longer than any can be", () => {
  it(
    "is refused",
    run(
      Effect.gen(function* () {
        const cache = yield* PageCache.make({ map: zeros(2 ** 30) })
        const refused = yield* Effect.flip(cache.getString(0, 600 * mebibyte))
        expect(refused).toMatchObject({ _tag: "InvalidArgument", operation: "getString" })
      })
    ),
    60_000
  )
})
