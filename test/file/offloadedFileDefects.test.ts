/**
 * What went wrong in the original, one test each: none of it may come back.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"
import { Corrupt } from "../../src/bytes/errors.ts"
import { MemoryLimiter } from "../../src/bytes/memoryLimiter.ts"
import { OffloadedFile } from "../../src/file/OffloadedFile.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { bytesOf, expectContent, fails, layoutOf, overAll, test } from "./offloadedFiles.ts"

const none = new Uint8Array(0)
const patch = bytesOf(10, 5)
const backing = bytesOf(100)

/** The bytes of all buffers of this process, after those that nobody needs have been collected. */
const heldBytes = Effect.promise(async () => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  for (let times = 0; times < 3; times++) {
    collect()
    await new Promise((done) => setImmediate(done))
  }
  return process.memoryUsage().arrayBuffers
})

describe("an offloaded file", () => {
  test("is not extended or cut up by writes of nothing", () =>
    Effect.gen(function* () {
      const empty = yield* OffloadedFile.make({ backing })
      for (const data of [none, { backingOffset: 7, length: 0 }, backing.subarray(4, 4)]) {
        yield* empty.writeAt(10, data)
        expect(yield* empty.cursor().write(data)).toBe(0)
      }
      expect([empty.length(), empty.extents()]).toEqual([0, []])
      const file = yield* overAll({ backing })
      for (let i = 0; i < 1000; i++) yield* file.writeAt(50, none)
      yield* file.resize(100, 9)
      yield* file.clone
      yield* file.writeAt(200, none)
      expect(layoutOf(file)).toEqual(["backing 0+100 @0"])
    }))

  test("leaves a hole where a cursor has gone beyond the end and writes, and writes where it was told", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      const cursor = file.cursor()
      expect(yield* cursor.seek({ from: "start", offset: 150 })).toBe(150)
      expect(yield* cursor.write(patch)).toBe(10)
      expect(layoutOf(file)).toEqual(["backing 0+100 @0", "repeat 100+50 =0", "memory 150+10"])
    }))

  test("refuses a range that its backing does not have when it is written, not when it is read", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      for (const data of [
        { backingOffset: 91, length: 10 },
        { backingOffset: 100, length: 1 },
        { backingOffset: Number.MAX_SAFE_INTEGER, length: 1 },
        { backingOffset: 1, length: Number.MAX_SAFE_INTEGER }
      ]) {
        yield* fails(file.writeAt(0, data), { _tag: "InvalidArgument", operation: "writeAt" })
      }
      yield* file.writeAt(0, { backingOffset: 90, length: 10 })
      expectContent(file, backing.subarray(90), backing.subarray(10))
    }))

  test("leaves a cursor where it was when a read fails", () =>
    Effect.gen(function* () {
      const io = yield* Io
      const store = yield* io.create("/store", { overwrite: false })
      yield* store.writeAt(0, backing)
      const file = yield* overAll({ backing: store })
      yield* file.writeAt(100, patch)
      yield* store.truncate(60)
      const cursor = file.cursor()
      yield* cursor.seek({ from: "start", offset: 30 })
      yield* fails(cursor.read(new Uint8Array(50)), { _tag: "Corrupt", path: "/store" })
      expect(cursor.position()).toBe(30)
      // And what lies in the same extent, but not beyond what there is, is read.
      expect(yield* cursor.read(new Uint8Array(30))).toBe(30)
      expect(cursor.position()).toBe(60)
      expect(yield* file.readAt(100, new Uint8Array(50))).toBe(10)
    }).pipe(Effect.provide(IoMemory.layer)))

  test("asks its limiter", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing, memoryLimit: MemoryLimiter.make(9) })
      yield* fails(file.writeAt(0, patch), { _tag: "MemoryLimit", limit: 9, wanted: 10 })
    }))

  test("has one extent after a thousand appends of a byte, or a thousand writes to one place", () =>
    Effect.gen(function* () {
      const file = yield* OffloadedFile.make({ backing })
      for (let i = 0; i < 1000; i++) yield* file.writeAt(i, Uint8Array.of(i))
      for (let i = 0; i < 1000; i++) yield* file.writeAt(500, Uint8Array.of(i))
      expect([layoutOf(file), file.memoryBytes()]).toEqual([["memory 0+1000"], 1000])
    }))

  test("does not hold on to bytes that were overwritten or cut off, whatever is left of them", () =>
    Effect.gen(function* () {
      const file = yield* OffloadedFile.make({ backing: new Uint8Array(1 << 20) })
      const piece = bytesOf(1 << 20)
      const before = yield* heldBytes
      for (let i = 0; i < 64; i++) {
        const at = i * piece.length
        yield* file.writeAt(at, piece)
        yield* file.writeAt(at, { backingOffset: 0, length: 1 << 19 })
        yield* file.writeAt(at + (1 << 19) + 1, { backingOffset: 1, length: (1 << 19) - 1 })
      }
      for (let i = 0; i < 256; i++) {
        const at = (i << 18) + 7
        yield* file.writeAt(at, piece.subarray(0, 1 << 16))
        yield* file.writeAt(at + 1, { backingOffset: 0, length: (1 << 16) - 1 })
      }
      expect(file.memoryBytes()).toBe(64 + 256)
      expect((yield* heldBytes) - before).toBeLessThan(2 << 20)
    }))

  test("knows bytes of its backing by whichever view they come", () =>
    Effect.gen(function* () {
      const memory = new ArrayBuffer(300)
      const middle = new Uint8Array(memory, 100, 100)
      middle.set(backing)
      const file = yield* OffloadedFile.make({ backing: middle, memoryLimit: 30 })
      yield* file.writeAt(0, new Uint8Array(memory, 150, 50))
      yield* file.writeAt(50, Buffer.from(memory, 100, 20))
      yield* file.writeAt(70, middle.subarray(99))
      expect(layoutOf(file)).toEqual(["backing 0+50 @50", "backing 50+20 @0", "backing 70+1 @99"])
      // Beside the backing, in the same memory, lies what may change.
      yield* file.writeAt(0, new Uint8Array(memory, 95, 10))
      yield* file.writeAt(10, new Uint8Array(memory, 195, 10))
      new Uint8Array(memory, 0, 100).fill(1)
      expect(layoutOf(file)[0]).toBe("memory 0+20")
      expectContent(
        file,
        new Uint8Array(5),
        backing.subarray(0, 5),
        backing.subarray(95),
        new Uint8Array(5),
        backing.subarray(70),
        backing.subarray(0, 20),
        backing.subarray(99)
      )
    }))

  test("reads 0 bytes by a cursor that a cut has left behind, and writes where it stands", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      const cursor = file.cursor()
      yield* cursor.seek({ from: "end", offset: -10 })
      yield* file.resize(20)
      expect(yield* cursor.read(new Uint8Array(10))).toBe(0)
      expect(cursor.position()).toBe(90)
      yield* cursor.write(patch)
      expectContent(file, backing.subarray(0, 20), new Uint8Array(70), patch)
    }))

  test("fills a gap with zeros, and replaces at 0 what a write at 0 covers", () =>
    Effect.gen(function* () {
      const file = yield* OffloadedFile.make({ backing })
      yield* file.writeAt(5, patch)
      yield* file.writeAt(0, backing.subarray(0, 15))
      expectContent(file, backing.subarray(0, 15))
    }))

  test("says Corrupt, not undefined bytes, where the memory of its backing was given away", () =>
    Effect.gen(function* () {
      const gone = bytesOf(100)
      const file = yield* overAll({ backing: gone })
      structuredClone(gone, { transfer: [gone.buffer as ArrayBuffer] })
      expect(() => file.unsafe.readAt(0, new Uint8Array(10))).toThrow(Corrupt)
    }))
})
