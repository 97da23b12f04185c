/**
 * Sources that don't do what they say: nothing wrong is served or kept, and whoever asks again asks anew.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { SourceChanged } from "../../src/bytes/errors.ts"
import { bytesAt, run, start } from "../file/pageDevices.ts"
import { collect, instanceOf, type SourceFault, TestSource, TestStore, until } from "./sparseIoDoubles.ts"

const length = 200

describe.each([false, true])("a source (of streams: %s)", (streams) => {
  it.each<[SourceFault, string]>([
    ["fails", "it is broken"],
    ["short", "before the end"],
    ["excess", "were asked for|more bytes than"],
    ["negative", "were asked for|before the end"],
    ["fraction", "were asked for|before the end"],
    ["interrupts", "interrupted"]
  ])("that %s is a failure, keeps nothing wrong, and is asked again", (fault, reason) =>
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams })
        const store = new TestStore()
        const { isIdle, service: io } = yield* instanceOf(source, store)
        source.faults.push(fault)
        const buffer = new Uint8Array(40)
        const failure = yield* Effect.flip(io.read(50, buffer))
        expect(failure).toMatchObject({ _tag: "SourceFailed", source: "the object" })
        expect(failure.message).toMatch(new RegExp(reason))
        for (const [offset, bytes] of store.kept) expect(bytes).toEqual(bytesAt(offset, bytes.length))
        yield* io.read(50, buffer)
        expect(buffer).toEqual(bytesAt(50, 40))
        yield* Effect.yieldNow
        expect([isIdle(), source.underWay.size]).toEqual([true, 0])
      }).pipe(Effect.scoped)
    )()
  )

  it(
    "with a bug is a defect of those who wait, and of nobody else",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams })
        const { isIdle, service: io } = yield* instanceOf(source, new TestStore())
        source.faults.push("dies")
        const exit = yield* Effect.exit(io.readChunk(50))
        expect(Exit.hasDies(exit)).toBe(true)
        expect(yield* io.readChunk(50)).toEqual(bytesAt(48, 16))
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that is shorter than it said is a failure where it ends, every time",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams })
        const { service: io } = yield* instanceOf(source, new TestStore())
        source.currentLength = 100
        for (let round = 0; round < 2; round++) {
          expect(yield* Effect.flip(io.readChunk(99))).toMatchObject({ _tag: "SourceFailed", offset: 100 })
          expect(yield* Effect.flip(io.readChunk(150))).toMatchObject({ _tag: "SourceFailed" })
        }
        expect(yield* io.readChunk(95)).toEqual(bytesAt(80, 16))
        expect(yield* io.coverage()).toEqual([{ offset: 80, length: 16 }])
        expect(yield* Effect.flip(collect(io.stream()))).toMatchObject({ _tag: "SourceFailed" })
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that uses its memory again is read as it was",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams, most: 48 })
        const memory = new Uint8Array(length)
        source.bytesAt = (offset, bytes) => {
          memory.set(bytesAt(offset, bytes))
          return memory.subarray(0, bytes)
        }
        const { service: io } = yield* instanceOf(source, new TestStore(), { readAheadBytes: 64 })
        const chunk = yield* io.readChunk(0)
        expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
        memory.fill(0xee)
        expect(chunk).toEqual(bytesAt(0, 16))
        expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that changes serves what was kept, and nothing else, ever",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams, identity: "one" })
        const store = new TestStore()
        const { isIdle, service: io } = yield* instanceOf(source, store)
        expect(yield* io.identity!).toBe("one")
        yield* io.readChunk(0)
        source.currentIdentity = "two"
        source.bytesAt = (_, bytes) => new Uint8Array(bytes).fill(0xee)
        const changed = new SourceChanged({ source: "the object", expected: "one", found: "two" })
        expect(yield* Effect.flip(io.readChunk(20))).toEqual(changed)
        expect(yield* io.readChunk(0)).toEqual(bytesAt(0, 16))
        expect(yield* io.identity!).toBe("one")
        source.takeCalls()
        source.currentIdentity = "one"
        expect(yield* Effect.flip(io.readChunk(40))).toEqual(changed)
        expect(yield* Effect.flip(io.prefetch({ offset: 0, length }))).toEqual(changed)
        expect(source.calls).toEqual([])
        expect([...store.kept.keys()]).toEqual([0])
        yield* Effect.yieldNow
        expect(isIdle()).toBe(true)
      }).pipe(Effect.scoped)
    )
  )

  it(
    "that changes while a range comes keeps nothing of what came after",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, streams, most: 20, identity: "one" })
        const store = new TestStore()
        const { service: io } = yield* instanceOf(source, store)
        store.wait = (operation, offset) =>
          Effect.sync(() => {
            // It changes after the second chunk was read, before the third is whole.
            if (operation === "create" && offset === 16) source.currentIdentity = "two"
          })
        expect(yield* Effect.flip(io.read(0, new Uint8Array(100)))).toMatchObject({ _tag: "SourceChanged" })
        expect([...store.kept.keys()]).toEqual([0, 16])
      }).pipe(Effect.scoped)
    )
  )
})

describe("a source that says itself that it has changed", () => {
  it(
    "is not asked again, and nothing that was under way is stored",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length })
        const store = new TestStore()
        const { service: io } = yield* instanceOf(source, store, { concurrency: 2 })
        const changed = new SourceChanged({ source: "the object", expected: "a", found: "b" })
        let calls = 0
        source.wait = Effect.suspend((): Effect.Effect<unknown, never> =>
          calls++ === 0 ? Effect.sleep(2000) : (Effect.fail(changed) as never)
        )
        const slow = yield* start(io.readChunk(0))
        yield* until(() => calls > 0)
        expect(yield* Effect.flip(io.readChunk(100))).toBe(changed)
        expect(yield* Effect.flip(Fiber.join(slow))).toBe(changed)
        expect(yield* Effect.flip(io.readChunk(0))).toBe(changed)
        expect([source.calls.length, store.kept.size]).toEqual([2, 0])
      }).pipe(Effect.scoped)
    )
  )
})

describe("a store that was filled", () => {
  const filled = Effect.gen(function* () {
    const store = new TestStore()
    const source = new TestSource({ length, identity: "one" })
    yield* Effect.scoped(Effect.flatMap(instanceOf(source, store), ({ service }) => service.readChunk(40)))
    return store
  })

  it(
    "from another version of the object is refused, or cleared by option",
    run(
      Effect.gen(function* () {
        for (const other of [
          { length, identity: "two" },
          { length: 190, identity: "one" },
          { length, identity: undefined }
        ]) {
          const store = yield* filled
          const source = new TestSource(other)
          const failure = yield* Effect.flip(instanceOf(source, store))
          expect(failure).toMatchObject({ _tag: "SourceChanged", source: "the object", expected: "one" })
          expect(store.kept.size).toBe(1)
          const { service: io } = yield* instanceOf(source, store, { onSourceChanged: "clear" })
          expect(yield* io.coverage()).toEqual([])
          expect(store.pin_).toEqual({ identity: other.identity ?? "", length: other.length })
          yield* io.readChunk(40)
          expect(store.kept.size).toBe(1)
        }
      }).pipe(Effect.scoped)
    )
  )

  it(
    "from this version goes on",
    run(
      Effect.gen(function* () {
        const store = yield* filled
        const source = new TestSource({ length, identity: "one" })
        const { service: io } = yield* instanceOf(source, store, { onSourceChanged: "clear" })
        expect(yield* io.coverage()).toEqual([{ offset: 32, length: 16 }])
        expect(yield* io.readChunk(40)).toEqual(bytesAt(32, 16))
        expect(source.calls).toEqual([])
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is not opened over a source that changes while it tells its length",
    run(
      Effect.gen(function* () {
        const source = new TestSource({ length, identity: "one" })
        const moving = {
          ...source,
          length: Effect.suspend(() => {
            source.currentIdentity = "two"
            return source.length
          })
        }
        const store = new TestStore()
        expect(yield* Effect.flip(instanceOf(moving, store))).toMatchObject({
          _tag: "SourceChanged",
          expected: "one",
          found: "two"
        })
        expect(store.pin_).toBe(undefined)
      }).pipe(Effect.scoped)
    )
  )
})
