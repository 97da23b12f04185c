/** Many fibers at one extent file: reads see one moment, writes complete, and deletions share what they wait for. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { watchedIo } from "./watchedIo.ts"

const path = "/object"
const megabyte = 2 ** 20

const run = (body: Effect.Effect<void, unknown, Io | Scope.Scope>): Promise<void> =>
  body.pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise)

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

/** The value that all of `bytes` have, or undefined. */
const uniform = (bytes: Uint8Array): number | undefined =>
  bytes.every((byte) => byte === bytes[0]) ? bytes[0] : undefined

const turns = (count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* Effect.yieldNow
  })

describe("an extent file", () => {
  it("gives a long read the bytes of one moment, whenever they are written over", () =>
    run(
      Effect.gen(function* () {
        for (let delay = 0; delay < 20; delay++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const file = yield* ExtentFile.open(`${path}-${delay}`)
              yield* file.createExtent(0, filled(4 * megabyte, 1))
              const reading = yield* Effect.forkChild(file.readExtent(0))
              yield* turns(delay)
              yield* file.createExtent(0, filled(4 * megabyte, 2))
              const value = uniform(yield* Fiber.join(reading))
              assert.isTrue(value === 1 || value === 2, `after ${delay} turns`)
              assert.strictEqual(uniform(yield* file.readExtent(0)), 2)
            })
          )
        }
      })
    ))

  it("gives a read in the midst of a long write what was there before or after it", () =>
    run(
      Effect.gen(function* () {
        for (let delay = 0; delay < 16; delay++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const file = yield* ExtentFile.open(`${path}-${delay}`)
              yield* file.createExtent(megabyte, filled(megabyte, 1))
              if (delay % 2 === 0) yield* file.flush
              const writing = yield* Effect.forkChild(file.createExtent(0, filled(6 * megabyte, 2)))
              yield* turns(delay)
              const buffer = new Uint8Array(4096)
              if (file.unsafe.read(megabyte + 5, buffer)) assert.isDefined(uniform(buffer))
              const bytes = yield* file.readExtent(megabyte)
              assert.strictEqual(bytes.length, megabyte)
              assert.include([1, 2], uniform(bytes), `after ${delay} turns`)
              yield* Fiber.join(writing)
              assert.strictEqual(uniform(yield* file.readExtent(megabyte)), 2)
            })
          )
        }
      })
    ))

  it("gives a long read of an extent that is deleted meanwhile all of it, or nothing", () =>
    run(
      Effect.gen(function* () {
        for (let delay = 0; delay < 16; delay++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const file = yield* ExtentFile.open(`${path}-${delay}`)
              yield* file.createExtent(0, filled(4 * megabyte, 1))
              if (delay % 2 === 0) yield* file.flush
              const reading = yield* Effect.forkChild(file.readExtent(0))
              yield* turns(delay)
              yield* file.deleteExtent(0)
              const bytes = yield* Fiber.join(reading)
              assert.isTrue(bytes.length === 0 || uniform(bytes) === 1, `after ${delay} turns`)
              assert.include([0, 4 * megabyte], bytes.length)
            })
          )
        }
      })
    ))

  it("completes a write that has begun, whoever is interrupted, and begins none for him who waited", () =>
    run(
      Effect.gen(function* () {
        for (let delay = 0; delay < 10; delay++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const file = yield* ExtentFile.open(`${path}-${delay}`)
              const first = yield* Effect.forkChild(file.createExtent(0, filled(5 * megabyte, 1)))
              const second = yield* Effect.forkChild(file.createExtent(8 * megabyte, filled(2 * megabyte, 2)))
              yield* turns(delay)
              yield* Fiber.interrupt(second)
              yield* Fiber.interrupt(first)
              for (const { length, offset } of file.extents()) {
                const bytes = yield* file.readExtent(offset)
                assert.strictEqual(bytes.length, length)
                assert.strictEqual(uniform(bytes), offset === 0 ? 1 : 2)
              }
              const { bytes, extents } = file.stats()
              assert.strictEqual(
                bytes,
                file.extents().reduce((sum, { length }) => sum + length, 0)
              )
              assert.isAtMost(extents, 2)
              yield* file.createExtent(0, filled(10, 3))
              assert.strictEqual(uniform(yield* file.readExtent(0)), 3)
            })
          )
        }
      })
    ))

  it("makes one fsync for many extents that are deleted at once", () =>
    run(
      Effect.gen(function* () {
        let syncs = 0
        const io = watchedIo(yield* Io, {
          before: (operation, at) => {
            if (operation === "sync" && at === `${path}.extents`) syncs++
          },
          pause: Effect.yieldNow
        })
        const file = yield* Effect.provideService(ExtentFile.open(path), Io, io)
        for (let i = 0; i < 100; i++) yield* file.createExtent(i * 100, filled(100, i))
        yield* file.flush
        syncs = 0
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, i) => i * 100),
          (offset) => file.deleteExtent(offset),
          { concurrency: "unbounded", discard: true }
        )
        assert.isAtMost(syncs, 2)
        assert.deepStrictEqual(file.extents(), [])
        // What was never flushed needs none.
        syncs = 0
        for (let i = 0; i < 100; i++) yield* file.createExtent(i * 100, filled(100, i))
        for (let i = 0; i < 100; i++) yield* file.deleteExtent(i * 100)
        assert.strictEqual(syncs, 0)
      })
    ))

  it("deletes nothing for one who was interrupted while he waited for his turn", () =>
    run(
      Effect.gen(function* () {
        const file = yield* ExtentFile.open(path)
        yield* file.createExtent(10 * megabyte, filled(100, 7))
        const writing = yield* Effect.forkChild(file.createExtent(0, filled(5 * megabyte, 1)))
        yield* turns(2)
        const deleting = yield* Effect.forkChild(file.deleteExtent(10 * megabyte))
        const other = yield* Effect.forkChild(file.deleteExtent(0))
        yield* turns(1)
        yield* Fiber.interrupt(deleting)
        yield* Fiber.join(writing)
        yield* Fiber.join(other)
        assert.deepStrictEqual(file.extents(), [{ offset: 10 * megabyte, length: 100 }])
      })
    ))

  it("closes after what is under way, and refuses what waited behind it", () =>
    run(
      Effect.gen(function* () {
        const file = yield* ExtentFile.open(path)
        const writing = yield* Effect.forkChild(file.createExtent(0, filled(5 * megabyte, 1)))
        yield* turns(2)
        const closing = yield* Effect.forkChild(file.close)
        yield* turns(1)
        const late = yield* Effect.forkChild(Effect.flip(file.createExtent(0, filled(2 * megabyte, 1))))
        yield* Fiber.join(writing)
        yield* Fiber.join(closing)
        assert.strictEqual((yield* Fiber.join(late))._tag, "Closed")
        const again = yield* ExtentFile.open(path)
        assert.strictEqual((yield* again.readExtent(0)).length, 5 * megabyte)
      })
    ))
})
