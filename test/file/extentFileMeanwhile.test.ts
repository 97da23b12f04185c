/**
 * What comes in between: damage that is met while something else is under way, writes amid long reads, and
 * extents that lie within one that is lost. Nothing wrong is ever served, and what is not concerned stays.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { Closed, Unsupported } from "../../src/bytes/errors.ts"
import { ExtentFile, type ExtentFileService } from "../../src/file/ExtentFile.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { watchedIo } from "./watchedIo.ts"

const path = "/object"
const megabyte = 2 ** 20

const run = (body: Effect.Effect<void, unknown, Io | Scope.Scope>): Promise<void> =>
  body.pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise)

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

const turns = (count: number) =>
  Effect.gen(function* () {
    for (let i = 0; i < count; i++) yield* Effect.yieldNow
  })

/** Changes the data behind everybody's back. */
const damage = (...places: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const data = yield* (yield* Io).open(path, { readonly: false })
    for (const at of places) {
      const byte = new Uint8Array(1)
      yield* data.readAt(at, byte)
      yield* data.writeAt(at, Uint8Array.of(byte[0] ^ 1))
    }
  }).pipe(Effect.scoped)

const cutOff = (size: number) =>
  Effect.flatMap(Io, (io) =>
    Effect.scoped(Effect.flatMap(io.open(path, { readonly: false }), (data) => data.truncate(size)))
  )

/** Makes a file of extents of these lengths, by their offsets in this order, flushed and closed. */
const making = (extents: ReadonlyArray<readonly [offset: number, length: number, value: number]>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* ExtentFile.open(path)
      for (const [offset, length, value] of extents) yield* file.createExtent(offset, filled(length, value))
      yield* file.close
    })
  )

/** As the files are when the process is killed behind `use`. */
const killedAfter = (use: (file: ExtentFileService) => Effect.Effect<void, unknown>) =>
  Effect.gen(function* () {
    const io = yield* Io
    const names = [path, `${path}.extents`]
    const get = (name: string) =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* io.open(name, { readonly: true })
          const bytes = new Uint8Array(yield* file.size)
          yield* file.readAt(0, bytes)
          return bytes
        })
      )
    const contents = yield* Effect.scoped(
      Effect.gen(function* () {
        yield* use(yield* ExtentFile.open(path))
        return yield* Effect.forEach(names, get)
      })
    )
    for (const [i, name] of names.entries()) {
      yield* Effect.scoped(
        Effect.flatMap(io.create(name, { overwrite: true }), (file) => file.writeAt(0, contents[i]))
      )
    }
  })

const offsets = (file: ExtentFileService) => file.extents().map(({ offset }) => offset)

const isRead = (file: ExtentFileService, at: number, length: number, value: number): boolean => {
  const buffer = new Uint8Array(length)
  return file.unsafe.read(at, buffer) && buffer.every((byte) => byte === value)
}

describe("damage that is met while a long write is under way", () => {
  it("is not served, and is lost when the write is done", () =>
    run(
      Effect.gen(function* () {
        yield* making([
          [10 * megabyte, 1000, 7],
          [20 * megabyte, 1000, 8],
          [30 * megabyte, 1000, 9]
        ])
        yield* damage(10 * megabyte + 5)
        const file = yield* ExtentFile.open(path)
        yield* cutOff(30 * megabyte + 5)
        const writing = yield* Effect.forkChild(file.createExtent(0, filled(5 * megabyte, 1)))
        yield* turns(2)
        assert.isFalse(isRead(file, 10 * megabyte, 10, 7))
        assert.isFalse(isRead(file, 10 * megabyte, 1000, 7))
        assert.strictEqual((yield* file.readExtent(10 * megabyte)).length, 0)
        for (let time = 0; time < 2; time++) assert.isFalse(isRead(file, 30 * megabyte, 10, 9))
        assert.isTrue(isRead(file, 20 * megabyte, 1000, 8))
        assert.strictEqual(file.stats().forgotten, 0)
        yield* Fiber.join(writing)
        assert.deepStrictEqual(offsets(file), [0, 20 * megabyte])
        assert.strictEqual(file.stats().forgotten, 2)
      })
    ))

  it("is no damage any more where that has written over it", () =>
    run(
      Effect.gen(function* () {
        for (let delay = 0; delay < 12; delay++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* making([[4 * megabyte, 1000, 7]])
              yield* damage(4 * megabyte + 5)
              const file = yield* ExtentFile.open(path)
              const writing = yield* Effect.forkChild(file.createExtent(0, filled(5 * megabyte, 1)))
              yield* turns(delay)
              assert.isFalse(isRead(file, 4 * megabyte, 1000, 7))
              yield* Fiber.join(writing)
              assert.strictEqual((yield* file.readExtent(0)).length, 5 * megabyte)
              assert.isTrue(isRead(file, 4 * megabyte, 1000, 1))
              yield* file.clear
            })
          )
        }
      })
    ))
})

describe("a long read", () => {
  it("amid which a little is written gives what was there before it, or after it", () =>
    run(
      Effect.gen(function* () {
        for (const reopened of [false, true]) {
          for (let delay = 0; delay < 10; delay++) {
            yield* Effect.scoped(
              Effect.gen(function* () {
                if (reopened) yield* making([[0, 4 * megabyte, 1]])
                const file = yield* ExtentFile.open(path)
                if (!reopened) yield* file.createExtent(0, filled(4 * megabyte, 1))
                const reading = yield* Effect.forkChild(file.readExtent(0))
                yield* turns(delay)
                // One that has nothing to do with it, and one in the midst of it.
                yield* file.createExtent(20 * megabyte, filled(10, 3))
                yield* file.createExtent(3 * megabyte, filled(10, 2))
                const bytes = yield* Fiber.join(reading)
                assert.strictEqual(bytes.length, 4 * megabyte)
                const written = bytes.subarray(3 * megabyte, 3 * megabyte + 10)
                assert.include(["1".repeat(10), "2".repeat(10)], written.join(""), `after ${delay} turns`)
                bytes.fill(1, 3 * megabyte, 3 * megabyte + 10)
                assert.isTrue(bytes.every((byte) => byte === 1))
                yield* file.clear
              })
            )
          }
        }
      })
    ))

  it("gives nothing where a piece is damaged, cut off before it or on the way, or lost on the way", () =>
    run(
      Effect.gen(function* () {
        const harms: ReadonlyArray<(file: ExtentFileService) => Effect.Effect<unknown, unknown, Io>> = [
          () => damage(2.5 * megabyte),
          () => damage(0),
          () => cutOff(3.5 * megabyte),
          (file) =>
            Effect.andThen(
              damage(3.5 * megabyte),
              Effect.sync(() => isRead(file, 3.5 * megabyte, 10, 1))
            )
        ]
        for (const harm of harms) {
          for (let delay = 0; delay < 10; delay++) {
            yield* Effect.scoped(
              Effect.gen(function* () {
                yield* making([
                  [0, 4 * megabyte, 1],
                  [20 * megabyte, 10, 2]
                ])
                const file = yield* ExtentFile.open(path)
                const reading = yield* Effect.forkChild(file.readExtent(0))
                yield* turns(delay)
                // What somebody else writes is seen up to the moment in which it is proved.
                yield* harm(file)
                const bytes = yield* Fiber.join(reading)
                if (bytes.length > 0) assert.strictEqual(bytes.length, 4 * megabyte)
                if (delay === 0) {
                  assert.strictEqual(bytes.length, 0)
                  assert.deepStrictEqual(
                    offsets(file).filter((offset) => offset === 0),
                    []
                  )
                }
                yield* file.clear
              })
            )
          }
        }
      })
    ))
})

describe("an extent within a longer one that is lost", () => {
  /** Three megabytes in pieces of one, over one in the second piece and one in the third. */
  const nested = [
    [1.2 * megabyte, 1000, 2],
    [2.2 * megabyte, 1000, 3],
    [0, 3 * megabyte, 1]
  ].map(([offset, length, value]) => [Math.floor(offset), length, value] as const)
  const [second, third] = nested.map(([offset]) => offset)

  it("stays where its own bytes are whole, and what lies around them is given up", () =>
    run(
      Effect.gen(function* () {
        yield* making(nested)
        yield* damage(5)
        const file = yield* ExtentFile.open(path)
        assert.isFalse(isRead(file, 0, 10, 1))
        assert.deepStrictEqual(offsets(file), [second, third])
        assert.isTrue(isRead(file, second, 1000, 1) && isRead(file, third, 1000, 1))
        assert.isFalse(isRead(file, second - 1, 1, 1))
      })
    ))

  it("is lost with it where the piece that it lies in is damaged, too, and another stays", () =>
    run(
      Effect.gen(function* () {
        yield* making(nested)
        yield* damage(5, second + 5000)
        const file = yield* ExtentFile.open(path)
        assert.isFalse(isRead(file, 0, 10, 1))
        assert.deepStrictEqual(offsets(file), [third])
        assert.isTrue(isRead(file, third, 1000, 1))
        yield* file.close
        const again = yield* ExtentFile.open(path)
        assert.deepStrictEqual(offsets(again), [third])
      })
    ))

  it("is judged in the same way when the file is opened", () =>
    run(
      Effect.gen(function* () {
        yield* making(nested)
        // The first bytes are written anew, and not flushed: they have to prove themselves.
        yield* killedAfter((file) => file.createExtent(0, filled(3 * megabyte, 1)))
        yield* making([])
        yield* killedAfter((file) => file.createExtent(10, filled(10, 4)))
        yield* damage(15, second + 5000)
        const file = yield* ExtentFile.open(path)
        assert.deepStrictEqual(offsets(file), [third])
        assert.isTrue(isRead(file, third, 1000, 1))
        assert.isFalse(isRead(file, second, 10, 1))
      })
    ))
})

describe("a new extent over an edge of one", () => {
  it("that is damaged takes its place: the damaged one is lost, all of it", () =>
    run(
      Effect.gen(function* () {
        yield* making([
          [0, 1000, 1],
          [5000, 10, 3]
        ])
        yield* damage(900)
        const file = yield* ExtentFile.open(path)
        yield* file.createExtent(500, filled(1000, 2))
        assert.deepStrictEqual(file.extents(), [
          { offset: 500, length: 1000 },
          { offset: 5000, length: 10 }
        ])
        assert.isTrue(isRead(file, 500, 1000, 2))
        assert.isFalse(isRead(file, 0, 10, 1))
      })
    ))

  it("that can't be read because the data was closed is refused, and nothing is given up", () =>
    run(
      Effect.gen(function* () {
        yield* making([[0, 1000, 1]])
        let closed = false
        const io = watchedIo(yield* Io, {
          before: (operation, at) => {
            if (closed && operation === "readSomeAt" && at === path) throw new Closed({ path, operation })
          }
        })
        const file = yield* ExtentFile.open(path).pipe(Effect.provideService(Io, io))
        closed = true
        assert.strictEqual((yield* Effect.flip(file.createExtent(500, filled(1000, 2))))._tag, "Closed")
        closed = false
        assert.deepStrictEqual(offsets(file), [0])
        assert.isTrue(isRead(file, 0, 1000, 1))
      })
    ))
})

describe("what was cut off the data while nobody looked", () => {
  it("is not there, whether all of an extent is asked for or a part of it", () =>
    run(
      Effect.gen(function* () {
        yield* making([0, 100, 200, 300].map((offset) => [offset, 50, 1] as const))
        const file = yield* ExtentFile.open(path)
        yield* cutOff(110)
        assert.isFalse(isRead(file, 200, 50, 1))
        assert.isFalse(isRead(file, 305, 10, 1))
        assert.strictEqual((yield* file.readExtent(100)).length, 0)
        assert.deepStrictEqual(offsets(file), [0])
        assert.isTrue(isRead(file, 0, 50, 1))
      })
    ))

  it("is put back in its length by whoever pins the same version again", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        const pin = { identity: "v1", length: 10_000 }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* ExtentFile.open(path)
            yield* file.pin(pin, "the object")
            yield* file.createExtent(100, filled(50, 1))
          })
        )
        yield* cutOff(5_000)
        const file = yield* ExtentFile.open(path)
        const before = yield* io.sizeOf(`${path}.extents`)
        yield* file.pin(pin, "the object")
        assert.strictEqual(yield* io.sizeOf(path), 10_000)
        assert.isTrue(isRead(file, 100, 50, 1))
        assert.deepStrictEqual(file.pinned(), pin)
        const after = yield* io.sizeOf(`${path}.extents`)
        yield* file.pin(pin, "the object")
        assert.strictEqual(yield* io.sizeOf(`${path}.extents`), after)
        assert.isAtLeast(after, before)
      })
    ))
})

describe("deletions that wait", () => {
  it("of one extent twice are both done, and have one outcome each", () =>
    run(
      Effect.gen(function* () {
        yield* making([
          [0, 1000, 1],
          [5000, 10, 2]
        ])
        const file = yield* ExtentFile.open(path)
        const writing = yield* Effect.forkChild(file.createExtent(megabyte, filled(5 * megabyte, 1)))
        yield* turns(2)
        const deleting = yield* Effect.forEach([0, 0, 5000, 0], (offset) =>
          Effect.forkChild(file.deleteExtent(offset))
        )
        for (const fiber of [writing, ...deleting]) yield* Fiber.join(fiber)
        assert.deepStrictEqual(offsets(file), [megabyte])
      })
    ))

  it("behind a close are Closed, each of them, and have deleted nothing", () =>
    run(
      Effect.gen(function* () {
        yield* making([[10 * megabyte, 1000, 7]])
        const file = yield* ExtentFile.open(path)
        const writing = yield* Effect.forkChild(file.createExtent(0, filled(5 * megabyte, 1)))
        yield* turns(2)
        const closing = yield* Effect.forkChild(file.close)
        yield* turns(1)
        const late = yield* Effect.forEach([0, 1], () =>
          Effect.forkChild(Effect.flip(file.deleteExtent(10 * megabyte)))
        )
        yield* Fiber.join(writing)
        yield* Fiber.join(closing)
        for (const fiber of late) assert.strictEqual((yield* Fiber.join(fiber))._tag, "Closed")
        const again = yield* ExtentFile.open(path)
        assert.deepStrictEqual(offsets(again), [0, 10 * megabyte])
      })
    ))
})

describe("an extent file", () => {
  const refusing = (io: IoService, refused: (operation: string, at: string) => Error | undefined) =>
    watchedIo(io, {
      before: (operation, at) => {
        const error = refused(operation, at)
        if (error !== undefined) throw error
      }
    })

  it("zeroes megabytes, too, where there are no holes, and says so from then on", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        const reason = new Unsupported({ operation: "punchHole", reason: "made up" })
        const without = refusing(io, (operation) => (operation === "punchHole" ? reason : undefined))
        const file = yield* ExtentFile.open(path).pipe(Effect.provideService(Io, without))
        yield* file.createExtent(100, filled(3 * megabyte, 1))
        yield* file.createExtent(4 * megabyte, filled(10, 2))
        yield* file.deleteExtent(100)
        assert.strictEqual(file.stats().holes, reason)
        const bytes = new Uint8Array(4 * megabyte)
        yield* (yield* io.open(path, { readonly: true })).readAt(0, bytes)
        assert.isTrue(bytes.every((byte) => byte === 0))
        assert.isTrue(isRead(file, 4 * megabyte, 10, 2))
      })
    ))

  it("of thousands of extents, none of them flushed, has all of them after a kill", () =>
    run(
      Effect.gen(function* () {
        const count = 5_000
        yield* killedAfter((file) =>
          Effect.forEach(
            Array.from({ length: count }, (_, i) => i),
            (i) => file.createExtent(i * 20, filled(10, 1 + (i % 250))),
            {
              discard: true
            }
          )
        )
        // One of them was never written, as far as the device knows.
        yield* damage(20 * 77)
        let other = 0
        const counting = yield* Effect.forkChild(
          Effect.forever(
            Effect.andThen(
              Effect.sync(() => other++),
              Effect.yieldNow
            )
          ),
          { startImmediately: true }
        )
        const file = yield* ExtentFile.open(path)
        yield* Fiber.interrupt(counting)
        // Others had a turn now and then.
        assert.isAbove(other, 3)
        assert.strictEqual(file.extents().length, count - 1)
        for (let i = 0; i < count; i++) assert.strictEqual(isRead(file, i * 20, 10, 1 + (i % 250)), i !== 77)
      })
    ))

  it("is made where nothing can be locked, and opened though somebody else removes what was left over", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        const unlocked: IoService = { ...io, lock: () => Effect.void }
        yield* Effect.scoped(
          Effect.flatMap(ExtentFile.open(path), (file) => file.createExtent(5, filled(10, 1)))
        ).pipe(Effect.provideService(Io, unlocked))
        const left = `${path}.extents.tmp`
        yield* Effect.scoped(io.create(left, { overwrite: false }))
        const racing: IoService = { ...io, remove: (at) => Effect.andThen(io.remove(at), io.remove(at)) }
        const file = yield* ExtentFile.open(path).pipe(Effect.provideService(Io, racing))
        assert.strictEqual(yield* io.classify(left), "none")
        assert.isTrue(isRead(file, 5, 10, 1))
      })
    ))

  it("whose data is closed while it is opened is a defect, and no reason to forget anything", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        yield* killedAfter((file) => file.createExtent(0, filled(100, 1)))
        const closing = refusing(io, (operation, at) =>
          operation === "readSomeAt" && at === path ? new Closed({ path, operation }) : undefined
        )
        const exit = yield* Effect.exit(
          Effect.scoped(ExtentFile.open(path)).pipe(Effect.provideService(Io, closing))
        )
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        const file = yield* ExtentFile.open(path)
        assert.isTrue(isRead(file, 0, 100, 1))
      })
    ))
})
