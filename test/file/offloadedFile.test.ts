/**
 * An offloaded file: what is written is read, and is kept as what it is.
 */
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"
import { OffloadedFile } from "../../src/file/OffloadedFile.ts"
import { bytesOf, contentOf, expectContent, fails, layoutOf, overAll, test } from "./offloadedFiles.ts"

const maxOffset = Number.MAX_SAFE_INTEGER
const notOffsets = [-1, 0.5, Number.NaN, 2 ** 53]
const backing = bytesOf(100)
const patch = bytesOf(10, 5)

const make = OffloadedFile.make({ backing })

describe("an offloaded file", () => {
  test("does what the original's one test does", () =>
    Effect.gen(function* () {
      const twelve = new Uint8Array(100).fill(12)
      const file = yield* OffloadedFile.make({ backing: twelve })
      const cursor = file.cursor({ clamp: true })
      expect(yield* cursor.write(new Uint8Array(100).fill(56))).toBe(100)
      yield* cursor.seek({ from: "start", offset: 50 })
      yield* cursor.write(twelve)
      expectContent(file, new Uint8Array(50).fill(56), twelve)
      yield* file.resize(200, 99)
      expectContent(file, new Uint8Array(50).fill(56), twelve, new Uint8Array(50).fill(99))
      expect(layoutOf(file)).toEqual(["memory 0+50", "backing 50+100 @0", "repeat 150+50 =99"])
      yield* file.resize(33, 1)
      yield* file.writeAt(10, new Uint8Array(10).fill(74))
      expectContent(
        file,
        new Uint8Array(10).fill(56),
        new Uint8Array(10).fill(74),
        new Uint8Array(13).fill(56)
      )
    }))

  test("begins empty, and reads nothing then", () =>
    Effect.gen(function* () {
      const file = yield* make
      expect([file.length(), file.memoryBytes(), file.extents(), file.holes()]).toEqual([0, 0, [], []])
      expect(yield* file.readAt(0, new Uint8Array(4))).toBe(0)
      expect(yield* file.readAt(maxOffset - 4, new Uint8Array(4))).toBe(0)
    }))

  test("copies bytes, so that they may change afterwards", () =>
    Effect.gen(function* () {
      const file = yield* make
      const bytes = patch.slice()
      yield* file.writeAt(0, bytes)
      bytes.fill(0)
      expectContent(file, patch)
    }))

  test("splits what is written into, wherever in it", () =>
    Effect.gen(function* () {
      for (const at of [0, 1, 45, 90]) {
        const file = yield* overAll({ backing })
        yield* file.writeAt(at, patch)
        expectContent(file, backing.subarray(0, at), patch, backing.subarray(at + 10))
        expect(file.memoryBytes()).toBe(10)
      }
      const file = yield* overAll({ backing })
      yield* file.writeAt(45, patch)
      expect(layoutOf(file)).toEqual(["backing 0+45 @0", "memory 45+10", "backing 55+45 @55"])
    }))

  test("makes one extent of what could be one: references, repeats, and bytes in memory", () =>
    Effect.gen(function* () {
      const file = yield* make
      for (const at of [40, 0, 60, 20]) yield* file.writeAt(at, { backingOffset: at, length: 20 })
      expect(layoutOf(file)).toEqual(["backing 0+80 @0"])
      yield* file.resize(90, 3)
      yield* file.resize(100, 3)
      yield* file.resize(110, 4)
      expect(layoutOf(file).slice(1)).toEqual(["repeat 80+20 =3", "repeat 100+10 =4"])
      for (const at of [30, 10, 20]) yield* file.writeAt(at, patch)
      expect(layoutOf(file).slice(0, 3)).toEqual(["backing 0+10 @0", "memory 10+30", "backing 40+40 @40"])
      yield* file.writeAt(10, { backingOffset: 10, length: 30 })
      expect(layoutOf(file)[0]).toBe("backing 0+80 @0")
    }))

  test("fills the gap before a write beyond the end with zeros that take no memory", () =>
    Effect.gen(function* () {
      const file = yield* make
      yield* file.writeAt(1000, patch)
      expect(layoutOf(file)).toEqual(["repeat 0+1000 =0", "memory 1000+10"])
      expect(file.holes()).toEqual([{ offset: 0, length: 1000 }])
      yield* file.writeAt(2 ** 50, { backingOffset: 5, length: 1 })
      expect(layoutOf(file).slice(2)).toEqual([`repeat 1010+${2 ** 50 - 1010} =0`, `backing ${2 ** 50}+1 @5`])
      expect(file.memoryBytes()).toBe(10)
      const end = new Uint8Array(8)
      expect(yield* file.readAt(2 ** 50 - 3, end)).toBe(4)
      expect([...end]).toEqual([0, 0, 0, backing[5], 0, 0, 0, 0])
    }))

  test("reaches as far as there are offsets", () =>
    Effect.gen(function* () {
      const file = yield* make
      yield* file.writeAt(maxOffset - 10, patch)
      expect(file.length()).toBe(maxOffset)
      yield* fails(file.writeAt(maxOffset - 9, patch), { _tag: "InvalidArgument" })
      yield* file.resize(1000)
      yield* file.resize(maxOffset, 255)
      expect(layoutOf(file)).toEqual(["repeat 0+1000 =0", `repeat 1000+${maxOffset - 1000} =255`])
    }))

  test("keeps large writes whole, over whatever was there", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      const large = bytesOf(1_300_001, 3)
      yield* file.writeAt(50, large)
      expectContent(file, backing.subarray(0, 50), large)
      expect(layoutOf(file)).toEqual(["backing 0+50 @0", "memory 50+1300001"])
      yield* file.writeAt(2_000_000, large)
      yield* file.writeAt(100_000, { backingOffset: 7, length: 50 })
      yield* file.writeAt(1_200_000, large)
      expect(layoutOf(file).slice(1)).toEqual([
        "memory 50+99950",
        "backing 100000+50 @7",
        "memory 100050+3199951"
      ])
      const joined = contentOf(file)
      expect(Buffer.compare(joined.subarray(1_200_000, 2_500_001), large)).toBe(0)
      expect(Buffer.compare(joined.subarray(2_500_001), large.subarray(500_001))).toBe(0)
    }))

  test("is emptied by truncate, and can be filled again", () =>
    Effect.gen(function* () {
      const file = yield* overAll()
      yield* file.writeAt(5, patch)
      yield* file.truncate
      expect([file.length(), file.memoryBytes(), file.extents()]).toEqual([0, 0, []])
      yield* file.writeAt(0, patch)
      yield* file.flush
      expectContent(file, patch)
    }))

  test("refuses what is no offset, no length and no byte, and has not changed then", () =>
    Effect.gen(function* () {
      const file = yield* overAll()
      const refused = { _tag: "InvalidArgument" }
      for (const wrong of notOffsets) {
        yield* fails(file.readAt(wrong, new Uint8Array(1)), refused)
        yield* fails(file.writeAt(wrong, patch), refused)
        yield* fails(file.writeAt(wrong, new Uint8Array(0)), refused)
        yield* fails(file.writeAt(0, { backingOffset: wrong, length: 1 }), refused)
        yield* fails(file.writeAt(0, { backingOffset: 0, length: wrong }), refused)
        yield* fails(file.resize(wrong), refused)
        expect(() => file.unsafe.readAt(wrong, new Uint8Array(1))).toThrow(expect.objectContaining(refused))
        expect(() => file.unsafe.writeAt(wrong, patch)).toThrow(expect.objectContaining(refused))
      }
      for (const fill of [-1, 256, 1.5, Number.NaN]) yield* fails(file.resize(200, fill), refused)
      expect(layoutOf(file)).toEqual(["backing 0+100 @0"])
    }))

  test("is closed at the end of its scope: everything is refused from then on", () =>
    Effect.gen(function* () {
      const file = yield* Effect.scoped(overAll())
      const cursor = file.cursor()
      const calls: Record<string, Effect.Effect<unknown, unknown>> = {
        readAt: file.readAt(0, patch),
        writeAt: file.writeAt(0, patch),
        resize: file.resize(5),
        truncate: file.truncate,
        flush: file.flush,
        clone: Effect.scoped(file.clone),
        seek: cursor.seek({ from: "start", offset: 0 })
      }
      for (const [operation, call] of Object.entries(calls)) {
        yield* fails(call, { _tag: "Closed", operation, path: "an offloaded file" })
      }
      yield* fails(cursor.read(patch.slice()), { _tag: "Closed" })
      yield* fails(cursor.write(patch), { _tag: "Closed" })
      for (const call of [() => file.extents(), () => file.holes(), () => file.unsafe.readAt(0, patch)]) {
        expect(call).toThrow(expect.objectContaining({ _tag: "Closed" }))
      }
    }))

  test("can be a program's one file", () =>
    Effect.gen(function* () {
      const file = yield* OffloadedFile
      yield* file.writeAt(0, { backingOffset: 90, length: 10 })
      expectContent(file, backing.subarray(90))
    }).pipe(Effect.provide(OffloadedFile.layer({ backing, memoryLimit: 0 }))))
})
