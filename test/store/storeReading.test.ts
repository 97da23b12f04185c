/**
 * Reads: wherever the bytes lie, and what is said when they lie nowhere.
 */
import * as Effect from "effect/Effect"
import { expect } from "vitest"
import { Io, type IoService } from "../../src/io/Io.ts"
import type { StoreService } from "../../src/store/Store.ts"
import { onEachIo } from "../file/eachIo.ts"
import { damage, expectBytes, joined, openOn, record, reopened, toldIo, truncate } from "./storeHarness.ts"

/**
 * 1000 bytes: [0, 100) dead, [100, 200) live, [200, 250) dead, [250, 300) live and touching the
 * suffix, which has chunks [300, 400), [400, 600), [600, 800), the last with uncommitted bytes from 700
 * on, and [800, 1000), of which 900 on is not flushed.
 */
const bytes = joined(...Array.from({ length: 10 }, (_, i) => record(100, i)))

const mixed = (io: IoService, directory: string) =>
  Effect.gen(function* () {
    const store = yield* openOn(io, directory, { chunkSize: 200, autoFlushThreshold: 1000 })
    for (let i = 0; i < 7; i++) yield* store.append(bytes.subarray(i * 100, i * 100 + 100))
    yield* store.commit
    const live = [
      { offset: 250, length: 50 },
      { offset: 100, length: 100 }
    ]
    yield* store.collect({ live, upTo: 300 })
    for (let i = 7; i < 10; i++) yield* store.append(bytes.subarray(i * 100, i * 100 + 100))
    expect(store.end()).toBe(1000)
    return store
  })

/** Whether [offset, offset + length) can be read, and what is said otherwise. */
const expected = (directory: string, offset: number, length: number): object | undefined => {
  const kept: ReadonlyArray<readonly [number, number]> = [
    [100, 200],
    [250, 1000]
  ]
  const run = kept.find(([start, end]) => offset >= start && offset < end)
  if (length === 0 && offset <= 1000) return undefined
  if (run === undefined && offset < 1000) {
    return { _tag: "InvalidSparseRead", path: directory, offset, reason: offset < 100 ? "before" : "hole" }
  }
  const end = run?.[1] ?? 1000
  if (offset + length <= end) return undefined
  return { _tag: "ReadOutOfBounds", path: directory, offset, length, end }
}

const thrownBy = (body: () => void): unknown => {
  try {
    body()
  } catch (error) {
    return error
  }
  return undefined
}

onEachIo((test) => {
  test("any range over prefix, chunks and what isn't flushed, by every way of reading", (directory) =>
    Effect.gen(function* () {
      const store = yield* mixed(yield* Io, directory)
      const places = [
        0, 1, 99, 100, 101, 199, 200, 249, 250, 299, 300, 301, 399, 400, 599, 600, 699, 700, 799, 800, 900,
        999, 1000, 1001
      ]
      const lengths = [0, 1, 2, 50, 51, 99, 100, 101, 200, 300, 750, 751, 1000]
      for (const offset of places) {
        for (const length of lengths) {
          const said = expected(directory, offset, length)
          const buffer = new Uint8Array(length)
          if (said === undefined) {
            const right = bytes.subarray(offset, offset + length)
            expectBytes(yield* store.read(offset, length), right)
            yield* store.readInto(offset, buffer)
            expectBytes(buffer, right)
            buffer.fill(0)
            store.unsafe.readInto(offset, buffer)
            expectBytes(buffer, right)
            expectBytes((yield* store.readMany([offset, 0], [length, 0]))[0], right)
          } else {
            expect(yield* Effect.flip(store.read(offset, length)), `${offset} ${length}`).toMatchObject(said)
            expect(yield* Effect.flip(store.readInto(offset, buffer))).toMatchObject(said)
            expect(thrownBy(() => store.unsafe.readInto(offset, buffer))).toMatchObject(said)
            const many = store.readMany([300, offset], [10, length])
            expect(yield* Effect.flip(many)).toMatchObject(said)
          }
        }
      }
    }))

  test("offsets and lengths that are none are refused, by every way of reading", (directory) =>
    Effect.gen(function* () {
      const store = yield* mixed(yield* Io, directory)
      for (const [offset, length] of [
        [-1, 1],
        [0.5, 1],
        [Number.NaN, 1],
        [2 ** 53, 0],
        [300, -1],
        [300, 1.5],
        [300, Number.NaN],
        [300, 2 ** 53 - 300]
      ]) {
        expect(yield* Effect.flip(store.read(offset, length)), `${offset} ${length}`).toMatchObject({
          _tag: "InvalidArgument"
        })
        expect(yield* Effect.flip(store.readMany([offset], [length]))).toMatchObject({
          _tag: "InvalidArgument"
        })
        if (length !== 1) continue
        expect(yield* Effect.flip(store.readInto(offset, new Uint8Array(1)))).toMatchObject({
          _tag: "InvalidArgument"
        })
      }
      expect(yield* Effect.flip(store.readMany([1, 2], [1]))).toMatchObject({ _tag: "InvalidArgument" })
    }))

  test("a length that is not there costs no memory", (directory) =>
    Effect.gen(function* () {
      const store = yield* mixed(yield* Io, directory)
      const before = process.memoryUsage().arrayBuffers
      for (const length of [2 ** 21, 2 ** 32, 2 ** 45, 2 ** 53 - 1 - 300]) {
        const said = { _tag: "ReadOutOfBounds", path: directory, offset: 300, length, end: 1000 }
        expect(yield* Effect.flip(store.read(300, length))).toMatchObject(said)
        expect(yield* Effect.flip(store.readMany([300, 300], [1, length]))).toMatchObject(said)
        expect(yield* Effect.flip(store.read(0, length))).toMatchObject({ _tag: "InvalidSparseRead" })
      }
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20)
    }))

  test("many reads of a megabyte each beyond the end are out of bounds, and cost no memory", (directory) =>
    Effect.gen(function* () {
      const store = yield* mixed(yield* Io, directory)
      const many = Array.from({ length: 1 << 14 }, () => 300)
      const error = yield* Effect.flip(
        store.readMany(
          many,
          many.map(() => 1 << 20)
        )
      )
      expect(error).toMatchObject({ _tag: "ReadOutOfBounds", path: directory, offset: 300, end: 1000 })
    }))

  test("many reads give their bytes in the order asked for, each its own, or none", (directory) =>
    Effect.gen(function* () {
      const store = yield* mixed(yield* Io, directory)
      const offsets = [999, 250, 100, 500, 100, 1000]
      const lengths = [1, 500, 100, 0, 100, 0]
      const found = yield* store.readMany(Float64Array.from(offsets), Float64Array.from(lengths))
      expect(found.length).toBe(6)
      offsets.forEach((offset, i) => expectBytes(found[i], bytes.subarray(offset, offset + lengths[i])))
      found[2].fill(0)
      expectBytes(found[4], bytes.subarray(100, 200))
      expect(yield* store.readMany([], [])).toEqual([])
      expect(yield* Effect.flip(store.readMany([300, 300, 150], [1, 700, 51]))).toMatchObject({
        _tag: "ReadOutOfBounds",
        end: 200
      })
    }))

  test("reads of many megabytes, across chunks, the prefix and memory", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const mega = 1 << 20
      const parts = Array.from({ length: 9 }, (_, i) => record(mega + i, i))
      const all = joined(...parts)
      const look = (store: StoreService, end: number) =>
        Effect.gen(function* () {
          for (const [offset, to] of [
            [0, end],
            [mega - 1, end - 1],
            [4 * mega, 4 * mega + mega + 1]
          ]) {
            expectBytes(yield* store.read(offset, to - offset), all.subarray(offset, to))
          }
          const [first, second] = yield* store.readMany([1, 2 * mega], [3 * mega, end - 2 * mega])
          expectBytes(first, all.subarray(1, 3 * mega + 1))
          expectBytes(second, all.subarray(2 * mega, end))
        })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* openOn(io, directory, {
            chunkSize: 2 * mega + 100,
            autoFlushThreshold: 3 * mega
          })
          for (const part of parts.slice(0, 6)) yield* store.append(part)
          yield* store.commit
          yield* store.collect({ live: [{ offset: 0, length: 3 * mega }], upTo: 3 * mega })
          for (const part of parts.slice(6)) yield* store.append(part)
          yield* look(store, all.length)
        })
      )
      const end = joined(...parts.slice(0, 6)).length
      yield* reopened(io, directory, (store) => look(store, end))
      yield* Effect.scoped(
        Effect.flatMap(openOn(io, directory, { verifyReads: true }), (store) => look(store, end))
      )
    }))

  test("what is readable is told ascending, the suffix as one, uncommitted bytes with it", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory, { chunkSize: 100 })
      expect([...store.extents()]).toEqual([])
      yield* store.append(record(250))
      expect([...store.extents()]).toEqual([{ offset: 0, length: 250 }])
      yield* store.rollback
      expect([...store.extents()]).toEqual([])
      yield* store.append(record(250))
      yield* store.commit
      yield* store.collect({
        live: [
          { offset: 200, length: 50 },
          { offset: 20, length: 10 }
        ],
        upTo: 250
      })
      expect([...store.extents()]).toEqual([
        { offset: 20, length: 10 },
        { offset: 200, length: 50 }
      ])
      yield* store.append(record(5))
      const looking = store.extents()
      expect(looking.next()).toEqual({ done: false, value: { offset: 20, length: 10 } })
      // Each step looks at the store as it is then.
      yield* store.commit
      yield* store.collect({ live: [{ offset: 251, length: 2 }], upTo: 255 })
      expect([...looking]).toEqual([{ offset: 251, length: 2 }])
      const late = store.extents()
      late.next()
      yield* store.close
      expect(thrownBy(() => late.next())).toMatchObject({ _tag: "Closed", path: directory })
    }))

  test("verified reads find damage in the prefix and in sealed chunks; others read what is there", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const size = 140_000
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* openOn(io, directory, { chunkSize: size })
          for (let i = 0; i < 3; i++) yield* store.append(record(size, i))
          yield* store.commit
          yield* store.collect({ live: [{ offset: 0, length: size }], upTo: size })
        })
      )
      yield* damage(io, `${directory}/store.1.prefix`, 70_000)
      yield* damage(io, `${directory}/store.1.suffix`, 139_999)
      const bad: ReadonlyArray<readonly [number, string, number]> = [
        [65_536, "store.1.prefix", 65_536],
        [size + 131_072, "store.1.suffix", 131_072]
      ]
      for (const readonly of [false, true]) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* openOn(io, directory, { verifyReads: true, readonly })
            for (const [offset, name, block] of bad) {
              const said = { _tag: "Corrupt", path: `${directory}/${name}`, offset: block }
              expect(yield* Effect.flip(store.read(offset, 10))).toMatchObject(said)
              expect(thrownBy(() => store.unsafe.readInto(offset, new Uint8Array(1)))).toMatchObject(said)
            }
            expectBytes(yield* store.read(0, 65_536), record(65_536, 0))
            expectBytes(yield* store.read(size, 131_072), record(131_072, 1))
            expectBytes(yield* store.read(2 * size, 10), record(10, 2))
          })
        )
      }
      yield* reopened(io, directory, (store) =>
        Effect.gen(function* () {
          const [byte] = yield* store.read(70_000, 1)
          expect(byte).toBe(record(size, 0)[70_000] ^ 0xff)
        })
      )
    }))

  test("a chunk that became shorter than what was committed is Corrupt where it ends", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* openOn(io, directory)
      yield* store.append(record(1000))
      yield* store.commit
      yield* truncate(io, `${directory}/store.0.suffix`, 400)
      expectBytes(yield* store.read(0, 400), record(400))
      expect(yield* Effect.flip(store.read(300, 200))).toMatchObject({
        _tag: "Corrupt",
        path: `${directory}/store.0.suffix`,
        offset: 400
      })
      yield* store.close
      expect(yield* Effect.flip(Effect.scoped(openOn(io, directory)))).toMatchObject({
        _tag: "Corrupt",
        path: `${directory}/store.0.suffix`,
        offset: 400
      })
    }))

  test("many reads give large ones and small ones alike, in their order", (directory) =>
    Effect.gen(function* () {
      const store = yield* openOn(yield* Io, directory, { chunkSize: 1 << 20 })
      const all = record(5 << 20)
      for (let at = 0; at < all.length; at += 1 << 19) yield* store.append(all.subarray(at, at + (1 << 19)))
      const ranges = [
        [5, 10],
        [1, 3 << 20],
        [900_000, 300_000],
        [0, (1 << 20) + 1],
        [7, 0],
        [77, 1 << 20]
      ] as const
      const found = yield* store.readMany(
        ranges.map(([offset]) => offset),
        ranges.map(([, length]) => length)
      )
      ranges.forEach(([offset, length], i) => expectBytes(found[i], all.subarray(offset, offset + length)))
    }))

  test("a file that can't be read is told as the system tells it, with its path", (directory) =>
    Effect.gen(function* () {
      const told = toldIo(yield* Io, directory)
      const store = yield* openOn(told.io, directory)
      yield* store.append(record(100))
      yield* store.commit
      told.failing = (call) => call === "readAt store.0.suffix"
      const error = { _tag: "IoFailed", path: `${directory}/store.0.suffix`, code: "EIO" }
      expect(yield* Effect.flip(store.read(10, 20))).toMatchObject(error)
      told.failing = () => false
      expectBytes(yield* store.read(10, 20), record(100).subarray(10, 30))
    }))
})
