/**
 * Collections: what they keep, what they tell, and what goes on meanwhile.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { describe, expect } from "vitest"
import { Io, type IoService } from "../../src/io/Io.ts"
import type { StoreCollected, StoreService } from "../../src/store/Store.ts"
import { onEachIo } from "../file/eachIo.ts"
import {
  bytesOnDisk,
  damage,
  debrisIn,
  expectBytes,
  gatedIo,
  holds,
  isSound,
  joined,
  openOn,
  record,
  reopened,
  toldIo,
  turns
} from "./storeHarness.ts"

const lengthsOf = (store: StoreService) => store.stats().chunks.map(({ length }) => length)

/** Reads fail with this where bytes were collected. */
const gone = (store: StoreService, offset: number, reason: string) =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(store.read(offset, 1))
    expect(error).toMatchObject({ _tag: "InvalidSparseRead", path: store.directory, offset, reason })
  })

/** Five records of 100 bytes, committed, in chunks of 250. */
const five = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory, { chunkSize: 250 })
    for (let i = 0; i < 5; i++) yield* store.append(record(100, i))
    yield* store.commit
    expect(lengthsOf(store)).toEqual([200, 200, 100])
    return store
  })
const fiveBytes = joined(...[0, 1, 2, 3, 4].map((i) => record(100, i)))

describe("what a collection seals", () => {
  onEachIo((test) => {
    for (const [name, autoFlushThreshold, count] of [
      ["in memory only", 1 << 20, 2],
      ["flushed", 1, 2],
      ["over several chunks, in memory", 1 << 20, 9],
      ["over several chunks, flushed", 1, 9]
    ] as const) {
      test(`uncommitted bytes, ${name}, are neither lost nor committed`, (directory) =>
        Effect.gen(function* () {
          const io = yield* Io
          for (const commits of [false, true]) {
            const at = `${directory}/${commits}`
            const parts = Array.from({ length: count }, (_, i) => record(30 + i, 10 + i))
            const all = joined(record(60, 1), ...parts, record(40, 99))
            yield* Effect.scoped(
              Effect.gen(function* () {
                const store = yield* openOn(io, at, { chunkSize: 100, autoFlushThreshold })
                yield* store.append(record(60, 1))
                yield* store.commit
                for (const part of parts) yield* store.append(part)
                yield* store.collect({ live: [{ offset: 0, length: 60 }], upTo: 60 })
                expect(store.committedEnd()).toBe(60)
                yield* holds(store, joined(record(60, 1), ...parts))
                yield* isSound(store)
                yield* store.append(record(40, 99))
                yield* holds(store, all)
                if (!commits) return
                yield* store.commit
                yield* isSound(store)
                // No record spans two chunks.
                const starts = new Set([0, 60])
                for (const part of parts) starts.add(Math.max(...starts) + part.length)
                for (const { offset } of store.stats().chunks) expect(starts).toContain(offset)
              })
            )
            yield* reopened(io, at, (again) =>
              Effect.gen(function* () {
                yield* holds(again, commits ? all : record(60, 1))
                yield* isSound(again)
              })
            )
            expect(yield* debrisIn(io, at)).toEqual([])
          }
        }))
    }

    test("a rollback behind it takes away exactly what was not committed", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* openOn(io, directory, { chunkSize: 100, autoFlushThreshold: 1 })
        yield* store.append(record(60, 1))
        yield* store.commit
        for (let i = 0; i < 6; i++) yield* store.append(record(70, i))
        yield* store.collect({ live: [{ offset: 50, length: 10 }], upTo: 60 })
        yield* store.rollback
        expect(store.end()).toBe(60)
        yield* store.append(record(70, 50))
        yield* store.commit
        expectBytes(yield* store.read(50, 80), joined(record(60, 1).subarray(50), record(70, 50)))
        yield* isSound(store)
        yield* store.close
        expect(yield* debrisIn(io, directory)).toEqual([])
        yield* reopened(io, directory, (again) =>
          Effect.gen(function* () {
            expectBytes(yield* again.read(50, 80), joined(record(60, 1).subarray(50), record(70, 50)))
            yield* isSound(again)
          })
        )
      }))
  })
})

describe("what a collection keeps", () => {
  onEachIo((test) => {
    test("extents in any order, twice, overlapping, touching, empty, and beyond upTo", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* five(io, directory)
        const live = [
          { offset: 340, length: 30 }, // straddles upTo
          { offset: 100, length: 50 },
          { offset: 120, length: 80 }, // overlaps
          { offset: 100, length: 50 }, // twice
          { offset: 200, length: 10 }, // touches, in the next chunk
          { offset: 7, length: 0 },
          { offset: 350, length: 1 }, // at upTo
          { offset: 400, length: 2 ** 52 }, // beyond everything
          { offset: 0, length: 1 }
        ]
        const collected = yield* store.collect({ live, upTo: 350 })
        expect(collected).toMatchObject({
          dryRun: false,
          generation: 1,
          upTo: 350,
          extentsGiven: 9,
          extents: 3,
          bytesKept: 121,
          bytesFreed: 229,
          chunksRemoved: 1
        })
        expect([...store.extents()]).toEqual([
          { offset: 0, length: 1 },
          { offset: 100, length: 110 },
          { offset: 340, length: 10 },
          { offset: 350, length: 150 }
        ])
        const look = (it: StoreService) =>
          Effect.gen(function* () {
            expectBytes(yield* it.read(0, 1), fiveBytes.subarray(0, 1))
            expectBytes(yield* it.read(100, 110), fiveBytes.subarray(100, 210))
            expectBytes(yield* it.read(340, 160), fiveBytes.subarray(340))
            yield* gone(it, 1, "hole")
            yield* gone(it, 210, "hole")
            expect(yield* Effect.flip(it.read(150, 61))).toMatchObject({
              ...{ _tag: "ReadOutOfBounds", path: directory, offset: 150, length: 61, end: 210 }
            })
            yield* isSound(it)
          })
        yield* look(store)
        yield* store.close
        yield* reopened(io, directory, look)
      }))

    test("a stream, in chunks; and one that fails passes its error on, and nothing has changed", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* five(io, directory)
        const broken = Stream.concat(
          Stream.make({ offset: 0, length: 10 }),
          Stream.fail({ _tag: "Mine" as const })
        )
        expect(yield* Effect.flip(store.collect({ live: broken, upTo: 500 }))).toEqual({ _tag: "Mine" })
        yield* holds(store, fiveBytes)
        expect(lengthsOf(store)).toEqual([200, 200, 100])
        expect(store.stats().generation).toBe(0)
        const live = Stream.fromIterable(
          Array.from({ length: 50 }, (_, i) => ({ offset: i * 10, length: 5 }))
        )
        expect(yield* store.collect({ live, upTo: 500 })).toMatchObject({ extents: 50, bytesKept: 250 })
        expectBytes(yield* store.read(495, 0), record(0))
        expectBytes(yield* store.read(490, 5), fiveBytes.subarray(490, 495))
        yield* gone(store, 495, "after")
        yield* isSound(store)
      }))

    test("bytes that are not there any more are refused, and nothing has changed", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* five(io, directory)
        yield* store.collect({ live: [{ offset: 100, length: 50 }], upTo: 300 })
        const names = yield* io.list(directory)
        const before = store.stats()
        const refused = (offset: number, length: number, upTo: number) =>
          Effect.flip(
            Effect.scoped(
              store.collect({
                live: [
                  { offset: 400, length: 10 },
                  { offset, length }
                ],
                upTo
              })
            )
          )
        const path = directory
        expect(yield* refused(99, 2, 400)).toMatchObject({
          ...{ _tag: "InvalidSparseRead", path, offset: 99, reason: "before" }
        })
        expect(yield* refused(150, 1, 400)).toMatchObject({ _tag: "InvalidSparseRead", reason: "hole" })
        expect(yield* refused(140, 20, 400)).toMatchObject({
          ...{ _tag: "ReadOutOfBounds", path, offset: 140, length: 20, end: 150 }
        })
        expect(yield* refused(100, 300, 400)).toMatchObject({ _tag: "ReadOutOfBounds", end: 150 })
        for (const [offset, length, upTo] of [
          [-1, 5, 400],
          [1.5, 5, 400],
          [0, Number.NaN, 400],
          [0, 2 ** 53, 400],
          [100, 1, 299],
          [100, 1, 501],
          [100, 1, -1],
          [100, 1, 300.5]
        ]) {
          expect(yield* refused(offset, length, upTo)).toMatchObject({
            _tag: "InvalidArgument",
            operation: "collect"
          })
        }
        expect(store.stats()).toEqual(before)
        expect(yield* io.list(directory)).toEqual(names)
        yield* isSound(store)
      }))

    test("upTo may be any committed offset from the last one on: inside a chunk, the same again, the end", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* five(io, directory)
        const all = [{ offset: 0, length: 500 }]
        const freed: Array<number> = []
        for (const upTo of [0, 0, 1, 199, 200, 201, 399, 399, 400, 500, 500]) {
          const collected = yield* store.collect({ live: all, upTo })
          freed.push(collected.chunksRemoved)
          expect(collected).toMatchObject({ bytesFreed: 0, bytesKept: upTo })
          yield* holds(store, fiveBytes)
          yield* isSound(store)
          expect(collected.diskBytesAfter).toBe(yield* bytesOnDisk(io, directory))
          expect(store.stats().diskBytes).toBe(collected.diskBytesAfter)
        }
        expect(freed).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0])
        expect(yield* debrisIn(io, directory)).toEqual([])
        yield* store.append(record(10, 5))
        yield* store.commit
        yield* store.close
        yield* reopened(io, directory, (again) => holds(again, joined(fiveBytes, record(10, 5))))
      }))

    test("nothing live: all is gone, offsets go on, and the store opens again", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* five(io, directory)
        expect(yield* store.collect({ live: [], upTo: 500 })).toMatchObject({
          ...{ extents: 0, bytesKept: 0, bytesFreed: 500, chunksRemoved: 3 }
        })
        expect([...store.extents()]).toEqual([])
        yield* gone(store, 499, "after")
        expect(yield* store.append(record(10))).toBe(500)
        yield* gone(store, 499, "before")
        yield* store.commit
        yield* isSound(store)
        yield* store.close
        yield* reopened(io, directory, (again) =>
          Effect.gen(function* () {
            expectBytes(yield* again.read(500, 10), record(10))
            yield* isSound(again)
          })
        )
      }))

    test("an empty store, and one of which nothing is committed, can be collected", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* openOn(io, directory)
        yield* store.collect({ live: [], upTo: 0 })
        yield* store.append(record(10))
        expect(yield* store.collect({ live: [{ offset: 0, length: 10 }], upTo: 0 })).toMatchObject({
          generation: 2,
          extentsGiven: 1,
          extents: 0
        })
        yield* holds(store, record(10))
        yield* store.commit
        yield* isSound(store)
        yield* store.close
        yield* reopened(io, directory, (again) => holds(again, record(10)))
      }))
  })
})

describe("what a collection tells", () => {
  onEachIo((test) => {
    test("a dry run tells what the real one then does, and changes nothing", (directory) =>
      Effect.gen(function* () {
        const told = toldIo(yield* Io, directory)
        const store = yield* five(told.io, directory)
        const requests = [
          {
            live: [
              { offset: 10, length: 40 },
              { offset: 150, length: 100 },
              { offset: 250, length: 9 }
            ],
            upTo: 401
          },
          {
            live: [
              { offset: 10, length: 40 },
              { offset: 401, length: 99 }
            ],
            upTo: 500
          },
          { live: [], upTo: 500 }
        ]
        for (const request of requests) {
          told.forget()
          const before = store.stats()
          const foreseen = yield* store.collect({ ...request, dryRun: true })
          expect(told.changes()).toEqual([])
          expect(store.stats()).toEqual(before)
          expect(foreseen.millis).toMatchObject({ seal: 0, copy: 0, promote: 0, publish: 0, remove: 0 })
          const done = yield* store.collect(request)
          const same = (told: StoreCollected) => ({
            ...told,
            ...{ dryRun: undefined, millis: undefined, peakMemoryBytes: undefined },
            diskBytesAfter: undefined
          })
          expect(same(foreseen)).toEqual(same(done))
          // The size of the new map is an estimate.
          expect(Math.abs(foreseen.diskBytesAfter - done.diskBytesAfter)).toBeLessThan(200)
        }
      }))

    test("the figures are those of the files", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* five(io, directory)
        const before = yield* bytesOnDisk(io, directory)
        const names = yield* io.list(directory)
        const done = yield* store.collect({ live: [{ offset: 0, length: 250 }], upTo: 400 })
        expect(done.diskBytesBefore).toBe(before)
        expect(done.diskBytesAfter).toBe(yield* bytesOnDisk(io, directory))
        expect(done.bytesKept).toBe(yield* io.sizeOf(`${directory}/store.1.prefix`))
        expect(done.bytesKept + done.bytesFreed).toBe(400)
        const removed = names.filter((name) => name.endsWith(".suffix"))
        expect(done.chunksRemoved).toBe(2)
        expect(removed.length - done.chunksRemoved + 1).toBe(
          (yield* io.list(directory)).filter((name) => name.endsWith(".suffix")).length
        )
        const { millis } = done
        const { total, ...steps } = millis
        const sum = Object.values(steps).reduce((all, one) => all + one, 0)
        // How much of so short a time lies between the steps is the machine's business.
        expect(sum).toBeLessThanOrEqual(total)
        for (const step of Object.values(steps)) expect(step).toBeGreaterThan(0)
        expect(done.peakMemoryBytes).toBeGreaterThan(0)
        expect(done.peakMemoryBytes).toBeLessThan(2 << 20)
        expect(yield* debrisIn(io, directory)).toEqual([])
      }))

    test("progress never goes back, ends with all, and totals what is copied", (directory) =>
      Effect.gen(function* () {
        const store = yield* openOn(yield* Io, directory, { chunkSize: 3 << 20 })
        for (let i = 0; i < 8; i++) yield* store.append(record(1 << 20, i))
        yield* store.commit
        const seen: Array<{ readonly bytes: number; readonly total: number }> = []
        const live = Array.from({ length: 8 }, (_, i) => ({ offset: i << 20, length: 700_000 }))
        yield* store.collect({ live, upTo: 8 << 20, onProgress: (progress) => seen.push(progress) })
        expect(seen.length).toBeGreaterThan(2)
        expect(seen.map(({ total }) => total)).toEqual(seen.map(() => 5_600_000))
        const bytes = seen.map((progress) => progress.bytes)
        expect(bytes).toEqual([...bytes].sort((a, b) => a - b))
        expect(bytes[bytes.length - 1]).toBe(5_600_000)
      }))

    test("every step has a span, and the metrics count it", (directory) =>
      Effect.gen(function* () {
        const store = yield* five(yield* Io, directory)
        const names: Array<string> = []
        const tracer = Tracer.make({
          span: (options) => {
            names.push(options.name)
            return new Tracer.NativeSpan(options)
          }
        })
        const count = Effect.gen(function* () {
          const snapshot = yield* Metric.snapshot
          const of = (id: string) => snapshot.find((metric) => metric.id === id)?.state as { count?: number }
          return ["collections", "kept_bytes", "freed_bytes", "collection_millis"].map(
            (name) => of(`lacuna_store_${name}`)?.count ?? 0
          )
        })
        const before = yield* count
        yield* store
          .collect({ live: [{ offset: 0, length: 70 }], upTo: 300, dryRun: true })
          .pipe(Effect.withTracer(tracer))
        expect(yield* count).toEqual(before)
        names.splice(0)
        yield* store.collect({ live: [{ offset: 0, length: 70 }], upTo: 300 }).pipe(Effect.withTracer(tracer))
        const after = yield* count
        expect(after.map((one, i) => one - before[i])).toEqual([1, 70, 230, 1])
        for (const step of ["gather", "seal", "copy", "promote", "publish", "remove"]) {
          expect(names).toContain(`Store.collect.${step}`)
        }
        expect(names).toContain("Store.collect")
      }))
  })
})

describe("damage that a collection meets", () => {
  onEachIo((test) => {
    test("in a block with live bytes, of a chunk or of the prefix, is told; nothing is copied or lost", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const size = 200_000
        const store = yield* openOn(io, directory, { chunkSize: size })
        for (let i = 0; i < 3; i++) yield* store.append(record(size, i))
        yield* store.commit
        yield* store.collect({ live: [{ offset: 0, length: size }], upTo: size })
        yield* store.close
        for (const [file, at, damagedLive, wholeLive] of [
          ["store.1.suffix", 70_000, size + 65_536, size],
          ["store.1.prefix", 140_000, 131_072, 0]
        ] as const) {
          yield* damage(io, `${directory}/${file}`, at)
          yield* reopened(io, directory, (again) =>
            Effect.gen(function* () {
              const before = again.stats()
              const live = [{ offset: damagedLive, length: 10 }]
              expect(yield* Effect.flip(again.collect({ live, upTo: 2 * size }))).toMatchObject({
                _tag: "Corrupt",
                path: `${directory}/${file}`,
                offset: at - (at % 65_536)
              })
              expect(again.stats().generation).toBe(before.generation)
              expect(again.stats().prefix).toEqual(before.prefix)
              expectBytes(yield* again.read(wholeLive, 100), record(100, wholeLive === 0 ? 0 : 1))
              expect(yield* debrisIn(io, directory)).toEqual([])
            })
          )
          yield* damage(io, `${directory}/${file}`, at)
        }
        // Damage where nothing is live is passed over, and removed with the rest.
        yield* damage(io, `${directory}/store.1.suffix`, 70_000)
        yield* damage(io, `${directory}/store.1.prefix`, 140_000)
        yield* reopened(io, directory, (again) =>
          Effect.gen(function* () {
            const live = [
              { offset: 0, length: 10 },
              { offset: size, length: 10 }
            ]
            expect(yield* again.collect({ live, upTo: 2 * size })).toMatchObject({ bytesKept: 20 })
            yield* isSound(again)
          })
        )
      }))
  })
})

/** Three chunks of 2 MiB, committed, of which the first half of each is live. */
const chunkBytes = 2 << 20
const liveHalves = [0, 1, 2].map((i) => ({ offset: i * chunkBytes, length: chunkBytes / 2 }))
const large = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory, { chunkSize: chunkBytes, autoFlushThreshold: 1000 })
    for (let i = 0; i < 3; i++) yield* store.append(record(chunkBytes, i))
    yield* store.commit
    return store
  })

describe("what goes on during a collection", () => {
  onEachIo((test) => {
    for (const stop of [
      "create store.1.prefix.tmp",
      "sync store.1.prefix.tmp",
      "writeAt store.1.prefix.map.tmp",
      "rename store.1.prefix.tmp",
      "open store.1.prefix",
      "writeAt store.control",
      "remove store.0.suffix"
    ]) {
      test(`appends, reads, a rollback, splits and commits, while it waits at: ${stop}`, (directory) =>
        Effect.gen(function* () {
          const io = yield* Io
          let armed = false
          let controls = 0
          const gate = gatedIo(io, directory, (call) => {
            // The seal writes control first; the collection's own are behind it.
            if (armed && call === "writeAt store.control") controls++
            return armed && call === stop && (stop !== "writeAt store.control" || controls > 1)
          })
          const store = yield* large(gate.io, directory)
          armed = true
          const collecting = yield* Effect.forkChild(
            store.collect({ live: liveHalves, upTo: 3 * chunkBytes }),
            { startImmediately: true }
          )
          yield* gate.arrived
          const first = [1, 2, 3, 4].map((i) => record(700_000, 20 + i))
          const publishing = stop === "writeAt store.control" || stop === "open store.1.prefix"
          for (const part of first) yield* store.append(part)
          expectBytes(yield* store.read(3 * chunkBytes, 700_000), first[0])
          expectBytes(yield* store.read(chunkBytes + 5, 100), record(200, 1).subarray(5, 105))
          expect(yield* Effect.flip(store.collect({ live: [], upTo: 0 }))).toMatchObject({
            _tag: "Locked",
            path: directory
          })
          // While control is about to be written, who commits waits.
          const others = Effect.gen(function* () {
            yield* store.commit
            yield* store.append(record(10, 50))
            yield* store.rollback
            yield* store.append(record(20, 51))
            yield* store.split
            yield* store.append(record(30, 52))
            yield* store.commit
            yield* store.append(record(40, 53))
          })
          const working = yield* Effect.forkChild(others, { startImmediately: true })
          if (!publishing) yield* Fiber.join(working)
          yield* gate.open
          const collected = yield* Fiber.join(collecting)
          yield* Fiber.join(working)
          expect(collected).toMatchObject({ bytesKept: 3 << 20, bytesFreed: 3 << 20, chunksRemoved: 3 })
          const behind = joined(...first, record(20, 51), record(30, 52))
          const look = (it: StoreService, tail: Uint8Array) =>
            Effect.gen(function* () {
              for (let i = 0; i < 3; i++) {
                expectBytes(
                  yield* it.read(i * chunkBytes, chunkBytes / 2),
                  record(chunkBytes, i).subarray(0, chunkBytes / 2)
                )
              }
              expectBytes(yield* it.read(3 * chunkBytes, it.end() - 3 * chunkBytes), joined(behind, tail))
              yield* isSound(it)
            })
          yield* look(store, record(40, 53))
          yield* store.rollback
          yield* store.close
          expect(yield* debrisIn(io, directory)).toEqual([])
          yield* reopened(io, directory, (again) => look(again, record(0)))
        }))
    }

    test("appends and commits between any two slices of the copy", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const store = yield* large(io, directory)
        let copying = false
        const collecting = yield* Effect.forkChild(
          store.collect({ live: liveHalves, upTo: 3 * chunkBytes, onProgress: () => (copying = true) }),
          { startImmediately: true }
        )
        let appended = 0
        let meanwhile = 0
        for (; collecting.pollUnsafe() === undefined; appended++) {
          if (copying) meanwhile++
          yield* store.append(record(1000, appended))
          if (appended % 3 === 0) yield* store.commit
          expectBytes(yield* store.read(5, 1000), record(1005, 0).subarray(5))
          yield* Effect.yieldNow
        }
        yield* Fiber.join(collecting)
        expect(meanwhile).toBeGreaterThan(2)
        yield* store.commit
        const behind = joined(...Array.from({ length: appended }, (_, i) => record(1000, i)))
        expectBytes(yield* store.read(3 * chunkBytes, behind.length), behind)
        yield* isSound(store)
      }))

    test("appends of others while the sealing takes flushed bytes back, or makes its file", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        for (const stop of ["create store.1.suffix", "sync store.0.suffix", "create store.0.suffix.sum"]) {
          const at = `${directory}/${stop.replace(" ", "-")}`
          let armed = false
          const gate = gatedIo(io, at, (call) => armed && call === stop)
          const all = yield* Effect.scoped(
            Effect.gen(function* () {
              const store = yield* openOn(gate.io, at, { autoFlushThreshold: 10, chunkSize: 10_000 })
              yield* store.append(record(60, 1))
              yield* store.commit
              yield* store.append(record(3000, 2))
              yield* store.append(record(3000, 3))
              armed = true
              const collecting = yield* Effect.forkChild(
                store.collect({ live: [{ offset: 0, length: 60 }], upTo: 60 }),
                { startImmediately: true }
              )
              yield* gate.arrived
              const appends = yield* Effect.forkChild(
                Effect.forEach([4, 5, 6, 7, 8], (i) => store.append(record(2000, i))),
                { startImmediately: true }
              )
              yield* turns(10)
              yield* gate.open
              yield* Fiber.join(collecting)
              yield* Fiber.join(appends)
              const all = joined(
                ...[record(60, 1), record(3000, 2), record(3000, 3)],
                ...[4, 5, 6, 7, 8].map((i) => record(2000, i))
              )
              yield* holds(store, all)
              yield* store.commit
              yield* holds(store, all)
              yield* isSound(store)
              return all
            })
          )
          yield* reopened(io, at, (again) => holds(again, all))
        }
      }))
  })
})
