/**
 * Sources that tell little of themselves: no version but their length, or no way to send a part.
 */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { bytesAt, run } from "../file/pageDevices.ts"
import { collect, instanceOf, TestSource, TestStore, type TestStoreOptions } from "./sparseIoDoubles.ts"

const length = 200

const unversioned = (identity: string | undefined): TestSource => {
  const source = new TestSource({ length, identity })
  return Object.assign(source, { isVersioned: Effect.succeed(false) })
}

describe.each(["one", undefined])("a source (of identity %s) that only its length tells", (identity) => {
  /** A store with a chunk of what the object was. */
  const filled = (options: TestStoreOptions = {}) =>
    Effect.gen(function* () {
      const store = new TestStore(options)
      const source = unversioned(identity)
      source.bytesAt = (_, bytes) => new Uint8Array(bytes).fill(0xee)
      yield* Effect.scoped(Effect.flatMap(instanceOf(source, store), ({ service }) => service.readChunk(40)))
      return store
    })

  it(
    "is not read through a store that has something, unless the length is trusted",
    run(
      Effect.gen(function* () {
        for (const pins of [true, false]) {
          const store = yield* filled({ pins })
          const failure = yield* Effect.flip(instanceOf(unversioned(identity), store))
          expect(failure).toMatchObject({ _tag: "SourceChanged", source: "the object" })
          expect(failure.message).toContain("nothing but its length of 200 bytes")
          expect(store.kept.size).toBe(1)
          const { service: io } = yield* instanceOf(unversioned(identity), store, { trustLength: true })
          expect(yield* io.coverage()).toEqual([{ offset: 32, length: 16 }])
        }
      }).pipe(Effect.scoped)
    )
  )

  it(
    "clears the store where that is wanted",
    run(
      Effect.gen(function* () {
        const store = yield* filled()
        const { service: io } = yield* instanceOf(unversioned(identity), store, { onSourceChanged: "clear" })
        expect([yield* io.coverage(), store.kept.size]).toEqual([[], 0])
        expect(store.pin_).toEqual({ identity: identity ?? "", length })
        expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is read anew where the store can't tell what it has",
    run(
      Effect.gen(function* () {
        const store = yield* filled({ tells: false, pins: false })
        const { service: io } = yield* instanceOf(unversioned(identity), store)
        expect(yield* io.readChunk(40)).toEqual(bytesAt(32, 16))
        const again = yield* instanceOf(unversioned(identity), store, { trustLength: true })
        expect(yield* again.service.readChunk(40)).toEqual(bytesAt(32, 16))
        expect(again.service.stats()).toMatchObject({ hits: 1, fetches: 0 })
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is told on by who reads it",
    run(
      Effect.gen(function* () {
        const { service: io } = yield* instanceOf(unversioned(identity), new TestStore())
        expect(yield* io.isVersioned!).toBe(false)
        const failure = yield* Effect.flip(instanceOf(io as never, yield* filled()))
        expect(failure).toMatchObject({ _tag: "SourceChanged" })
        const versioned = yield* instanceOf(new TestSource({ length, identity }), new TestStore())
        expect(yield* versioned.service.isVersioned!).toBe(true)
      }).pipe(Effect.scoped)
    )
  )
})

describe.each([false, true])("a source without ranges (of streams: %s)", (streams) => {
  const rangeless = (): TestSource => {
    const source = new TestSource({ length, streams })
    source.onCall = ([offset]) => {
      if (offset > 0) source.faults.push("fails")
    }
    return Object.assign(source, { hasRanges: Effect.succeed(false) })
  }

  it(
    "is fetched whole by one request, and read in any order then",
    run(
      Effect.gen(function* () {
        const buffer = new Uint8Array(length)
        for (const fetch of ["stream", "prefetch", "read"] as const) {
          const source = rangeless()
          const options = { requestBytes: 16, readAheadBytes: 16 }
          const { service: io } = yield* instanceOf(source, new TestStore(), options)
          expect(yield* io.hasRanges!).toBe(false)
          if (fetch === "stream") expect(yield* collect(io.stream(100, 50))).toEqual(bytesAt(100, 50))
          else if (fetch === "prefetch") yield* io.prefetch({ offset: 0, length })
          else yield* io.read(0, buffer)
          expect(source.takeCalls()).toEqual([[0, length]])
          expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
          expect(yield* io.readChunk(100)).toEqual(bytesAt(96, 16))
          expect(source.calls).toEqual([])
        }
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is fetched whole over a store that has a part of it",
    run(
      Effect.gen(function* () {
        for (const tells of [true, false]) {
          const source = rangeless()
          const store = new TestStore({ tells })
          store.kept.set(0, bytesAt(0, 16))
          store.kept.set(96, bytesAt(96, 16))
          const { service: io } = yield* instanceOf(source, store)
          expect(yield* Effect.flip(io.readChunk(50))).toMatchObject({ _tag: "SourceFailed", offset: 48 })
          expect(yield* collect(io.stream())).toEqual(bytesAt(0, length))
          expect(source.calls.at(-1)).toEqual([0, length])
          const { service: again } = yield* instanceOf(rangeless(), store)
          if (tells) expect(yield* again.coverage()).toEqual([{ offset: 0, length }])
        }
      }).pipe(Effect.scoped)
    )
  )

  it(
    "is refused where it can't be fetched and kept whole",
    run(
      Effect.gen(function* () {
        const budget = instanceOf(rangeless(), new TestStore(), { budgetBytes: 160 })
        expect((yield* Effect.flip(budget)).message).toContain("a budgetBytes of 208")
        const large = rangeless()
        large.currentLength = 16_385 * 16
        const failure = yield* Effect.flip(instanceOf(large, new TestStore()))
        expect(failure).toMatchObject({ _tag: "SourceFailed", source: "the object" })
        expect(failure.message).toContain("a chunkSize of 17")
        const empty = rangeless()
        empty.currentLength = 0
        const { service: io } = yield* instanceOf(empty, new TestStore())
        expect(yield* collect(io.stream())).toEqual(new Uint8Array(0))
      }).pipe(Effect.scoped)
    )
  )
})
