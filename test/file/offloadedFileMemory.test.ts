/**
 * What offloaded files hold in memory: how much, who counts it, and what clones share.
 */
import * as Effect from "effect/Effect"
import { describe, expect, vi } from "vitest"
import { MemoryLimiter } from "../../src/bytes/memoryLimiter.ts"
import { OffloadedFile } from "../../src/file/OffloadedFile.ts"
import { bytesOf, contentOf, expectContent, fails, layoutOf, overAll, test } from "./offloadedFiles.ts"

const backing = bytesOf(100)
const ten = bytesOf(10, 5)
const large = bytesOf(300_000, 6)

/** Makes a write where only so much memory can be had, in buffers. False where it said `MemoryLimit`. */
const allocatingOnly = (buffers: number, write: () => void): boolean => {
  let left = buffers
  for (const name of ["Uint8Array", "Float64Array"] as const) {
    const construct = (original: object, args: ReadonlyArray<unknown>): object => {
      if (left-- <= 0) throw new RangeError("Array buffer allocation failed")
      return Reflect.construct(original as typeof Uint8Array, args) as object
    }
    vi.stubGlobal(name, new Proxy(globalThis[name], { construct }))
  }
  try {
    write()
    return true
  } catch (cause) {
    expect(cause).toMatchObject({ _tag: "MemoryLimit" })
    return false
  } finally {
    vi.unstubAllGlobals()
  }
}

describe("the memory limit", () => {
  test("that is a number is checked when the file is made", () =>
    Effect.gen(function* () {
      for (const memoryLimit of [-1, 0.5, Number.NaN]) {
        yield* fails(OffloadedFile.make({ backing, memoryLimit }), { _tag: "InvalidArgument" })
      }
    }))

  test("refuses a write as a whole: nothing has changed, not even the length", () =>
    Effect.gen(function* () {
      const limiter = MemoryLimiter.make(25)
      const file = yield* overAll({ backing, memoryLimit: limiter })
      yield* file.writeAt(20, ten)
      const before = layoutOf(file)
      for (const [at, data] of [
        [15, bytesOf(26)],
        [95, bytesOf(20)],
        [500, bytesOf(16)],
        [0, large]
      ] as const) {
        yield* fails(file.writeAt(at, data), { _tag: "MemoryLimit", limit: 25 })
        expect(() => file.unsafe.writeAt(at, data)).toThrow(expect.objectContaining({ _tag: "MemoryLimit" }))
      }
      expect(layoutOf(file)).toEqual(before)
      expectContent(file, backing.subarray(0, 20), ten, backing.subarray(30))
      expect(limiter.used()).toBe(10)
    }))

  test("counts only what a write adds, so that a full file can be written over", () =>
    Effect.gen(function* () {
      const limiter = MemoryLimiter.make(20)
      const file = yield* overAll({ backing, memoryLimit: limiter })
      yield* file.writeAt(20, bytesOf(20))
      yield* file.writeAt(22, ten)
      yield* fails(file.writeAt(31, ten), { _tag: "MemoryLimit", wanted: 21 })
      yield* file.writeAt(30, ten)
      expect(limiter.used()).toBe(20)
    }))

  test("gets back what is referred to instead, cut off, emptied, or at the end of its scope", () =>
    Effect.gen(function* () {
      const limiter = MemoryLimiter.make(1_000_000)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const file = yield* overAll({ backing, memoryLimit: limiter })
          yield* file.writeAt(0, large)
          yield* file.writeAt(100_000, { backingOffset: 0, length: 100 })
          expect(limiter.used()).toBe(299_900)
          yield* file.resize(150_000)
          expect(limiter.used()).toBe(149_900)
          yield* file.truncate
          expect([limiter.used(), file.memoryBytes()]).toEqual([0, 0])
          yield* file.writeAt(0, ten)
        })
      )
      expect(limiter.used()).toBe(0)
    }))

  test("can be shared by files, each of which takes from the others", () =>
    Effect.gen(function* () {
      const limiter = MemoryLimiter.make(25)
      const one = yield* overAll({ backing, memoryLimit: limiter })
      const other = yield* overAll({ backing, memoryLimit: limiter })
      yield* one.writeAt(0, ten)
      yield* other.writeAt(0, ten)
      yield* fails(one.writeAt(10, ten), { _tag: "MemoryLimit", limit: 25, wanted: 30 })
      yield* other.truncate
      yield* one.writeAt(10, ten)
      expect([one.memoryBytes(), other.memoryBytes(), limiter.used()]).toEqual([20, 0, 20])
    }))

  test("is what is said where the system has no memory to give, and nothing has changed then", () =>
    Effect.gen(function* () {
      const limiter = MemoryLimiter.make(2 ** 30)
      const file = yield* overAll({ backing, memoryLimit: limiter })
      yield* file.writeAt(20, ten)
      const writes = [
        [0, 5000],
        [50, 300_000],
        [1000, 300_000],
        [2000, 5000],
        [15, 65_537]
      ] as const
      for (const [at, length] of writes) {
        const bytes = bytesOf(length, 9)
        let refused = 0
        yield* Effect.scoped(
          Effect.gen(function* () {
            const clone = yield* file.clone
            while (!allocatingOnly(refused, () => clone.unsafe.writeAt(at, bytes))) {
              refused++
              expectContent(clone, backing.subarray(0, 20), ten, backing.subarray(30))
              expect(limiter.used()).toBe(20)
            }
            expect(limiter.used() - 10).toBe(clone.memoryBytes())
            expect(Buffer.compare(contentOf(clone).subarray(at, at + length), bytes)).toBe(0)
          })
        )
        expect(refused).toBeGreaterThan(1)
      }
      yield* file.writeAt(0, large)
      expect(limiter.used()).toBe(300_000)
    }))
})

describe("memory that the system does not give", () => {
  test("is MemoryLimit without a limit, too: that of what the file has already", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      yield* file.writeAt(20, ten)
      const refused = { _tag: "MemoryLimit", limit: 10, wanted: 10 + large.length }
      let error: unknown
      expect(
        allocatingOnly(0, () => {
          try {
            file.unsafe.writeAt(0, large)
          } catch (cause) {
            error = cause
            throw cause
          }
        })
      ).toBe(false)
      expect(error).toMatchObject(refused)
      expectContent(file, backing.subarray(0, 20), ten, backing.subarray(30))
    }))

  // A range of the backing takes no memory of its own, but a leaf may: its RangeError came through as it was.
  test("is MemoryLimit for ranges of the backing, too, which change nothing then", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      for (let at = 0; at < 100; at += 4) yield* file.writeAt(at, Uint8Array.of(at))
      const expected = [contentOf(file)]
      let refused = 0
      // Sooner or later a leaf is full, and must be split.
      for (let at = 100; refused === 0; at += 2) {
        expect(at).toBeLessThan(10_000)
        if (!allocatingOnly(0, () => file.unsafe.writeAt(at, { backingOffset: 50, length: 1 }))) {
          refused++
          expectContent(file, ...expected)
          yield* file.writeAt(at, { backingOffset: 50, length: 1 })
        }
        expected.push(new Uint8Array(at === 100 ? 0 : 1), backing.subarray(50, 51))
      }
      expectContent(file, ...expected)
    }))

  /** A hundred bytes of a file are left in a block of sixty thousand, if `body` can't make a smaller one. */
  const wasting = (body: (change: () => void) => void) =>
    Effect.gen(function* () {
      const limiter = MemoryLimiter.make(2 ** 40)
      const [bytes, other] = [bytesOf(60_000, 6), bytesOf(60_000, 7)]
      const file = yield* overAll({ backing: other, memoryLimit: limiter })
      yield* file.writeAt(0, bytes)
      body(() => file.unsafe.writeAt(0, { backingOffset: 0, length: 59_900 }))
      expect([file.memoryBytes(), limiter.used()]).toEqual([100, 100])
      expectContent(file, other.subarray(0, 59_900), bytes.subarray(59_900))
      yield* file.writeAt(59_950, ten)
      expectContent(
        file,
        other.subarray(0, 59_900),
        bytes.subarray(59_900, 59_950),
        ten,
        bytes.subarray(59_960)
      )
    })

  test("to save memory with it is saved another time: the change is made", () =>
    wasting((change) => expect(allocatingOnly(0, change)).toBe(true)))

  test("is no excuse for any other error", () =>
    wasting((change) => {
      const construct = (): never => {
        throw new RangeError("Invalid typed array length")
      }
      vi.stubGlobal("Uint8Array", new Proxy(Uint8Array, { construct }))
      try {
        expect(change).toThrow("Invalid typed array length")
      } finally {
        vi.unstubAllGlobals()
      }
      change()
    }))
})

describe("a clone", () => {
  test("begins as its original, and from then on neither changes the other", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      yield* file.writeAt(20, ten)
      const clone = yield* file.clone
      const further = yield* clone.clone
      yield* further.resize(25)
      yield* file.writeAt(25, bytesOf(1, 9))
      yield* clone.writeAt(20, { backingOffset: 20, length: 10 })
      expectContent(
        file,
        backing.subarray(0, 20),
        ten.subarray(0, 5),
        bytesOf(1, 9),
        ten.subarray(6),
        backing.subarray(30)
      )
      expectContent(clone, backing)
      expectContent(further, backing.subarray(0, 20), ten.subarray(0, 5))
      expect([file.memoryBytes(), clone.memoryBytes(), further.memoryBytes()]).toEqual([10, 0, 5])
    }))

  test("keeps what a change of the other reaches only with its end", () =>
    Effect.gen(function* () {
      const file = yield* OffloadedFile.make({ backing })
      for (let i = 0; i < 2000; i++) file.unsafe.writeAt(i * 20, ten)
      const wanted = contentOf(file)
      const clone = yield* file.clone
      const further = yield* clone.clone
      yield* file.writeAt(5005, { backingOffset: 0, length: 100 })
      for (let at = 105; at < 39_000; at += 5000) yield* clone.writeAt(at, bytesOf(6000, at))
      expectContent(further, wanted)
      expectContent(file, wanted.subarray(0, 5005), backing, wanted.subarray(5105))
    }))

  test("counts in full, since all of it may come to be held twice", () =>
    Effect.gen(function* () {
      const limiter = MemoryLimiter.make(25)
      const file = yield* overAll({ backing, memoryLimit: limiter })
      yield* file.writeAt(0, ten)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const clone = yield* file.clone
          yield* fails(Effect.scoped(file.clone), { _tag: "MemoryLimit", limit: 25, wanted: 30 })
          // What was reserved for it is enough to write over all of it.
          yield* clone.writeAt(0, bytesOf(10, 7))
          yield* file.writeAt(0, bytesOf(10, 8))
          expect(limiter.used()).toBe(20)
        })
      )
      expect(limiter.used()).toBe(10)
      expectContent(file, bytesOf(10, 8), backing.subarray(10))
    }))

  test("takes no time and no memory worth speaking of, however many extents there are", () =>
    Effect.gen(function* () {
      const file = yield* OffloadedFile.make({ backing })
      for (let i = 0; i < 100_000; i++) file.unsafe.writeAt(i * 30, ten)
      const started = performance.now()
      for (let i = 0; i < 100; i++) yield* Effect.scoped(file.clone)
      expect(performance.now() - started).toBeLessThan(1000)
      expect(file.extents().length).toBe(199_999)
    }))
})

describe("a million small writes", () => {
  const blockBytes = 16
  const blocks = 1_000_000

  test("that join up, in whatever order, are one extent, and were quick", () =>
    Effect.gen(function* () {
      const whole = bytesOf(blocks * blockBytes, 2)
      const file = yield* OffloadedFile.make({ backing: new Uint8Array(0), memoryLimit: whole.length })
      yield* file.resize(whole.length)
      const started = performance.now()
      // A step that has no divisor in common with their number meets all of them.
      for (let i = 0, block = 0; i < blocks; i++, block = (block + 618_033) % blocks) {
        const at = block * blockBytes
        file.unsafe.writeAt(at, whole.subarray(at, at + blockBytes))
      }
      // Where each takes as long as there are extents, it is hours.
      expect(performance.now() - started).toBeLessThan(60_000)
      expect([layoutOf(file), file.memoryBytes()]).toEqual([[`memory 0+${whole.length}`], whole.length])
      expect(Buffer.compare(contentOf(file), whole)).toBe(0)
    }))
})
