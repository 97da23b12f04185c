/**
 * Cursors of an offloaded file: where they go, and where they don't.
 */
import * as Effect from "effect/Effect"
import { describe, expect } from "vitest"
import type { SeekTarget } from "../../src/file/OffloadedFile.ts"
import { bytesOf, expectContent, fails, overAll, test } from "./offloadedFiles.ts"

const backing = bytesOf(100)
const patch = bytesOf(10, 5)

describe("a cursor", () => {
  test("begins at 0, and moves behind what it reads and writes", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      const cursor = file.cursor()
      const buffer = new Uint8Array(30)
      expect(cursor.position()).toBe(0)
      expect(yield* cursor.read(buffer)).toBe(30)
      expect(Buffer.compare(buffer, backing.subarray(0, 30))).toBe(0)
      expect(yield* cursor.write(patch)).toBe(10)
      expect(yield* cursor.write({ backingOffset: 0, length: 5 })).toBe(5)
      expect(cursor.position()).toBe(45)
      expectContent(file, backing.subarray(0, 30), patch, backing.subarray(0, 5), backing.subarray(45))
      yield* cursor.seek({ from: "end", offset: -5 })
      expect(yield* cursor.read(buffer)).toBe(5)
      expect(yield* cursor.read(buffer)).toBe(0)
      expect(cursor.position()).toBe(100)
    }))

  test("seeks from the start, the end and where it stands, beyond the end too", () =>
    Effect.gen(function* () {
      const cursor = (yield* overAll({ backing })).cursor()
      const seeks: ReadonlyArray<readonly [SeekTarget["from"], number, number]> = [
        ["start", 7, 7],
        ["current", 3, 10],
        ["current", -10, 0],
        ["end", 0, 100],
        ["end", -100, 0],
        ["end", 50, 150],
        ["current", 50, 200],
        ["start", Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]
      ]
      for (const [from, offset, position] of seeks) {
        expect(yield* cursor.seek({ from, offset })).toBe(position)
        expect(cursor.position()).toBe(position)
      }
    }))

  test("that clamps goes no further than the end", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      const cursor = file.cursor({ clamp: true })
      expect(yield* cursor.seek({ from: "start", offset: 150 })).toBe(100)
      expect(yield* cursor.seek({ from: "end", offset: 1 })).toBe(100)
      expect(yield* cursor.seek({ from: "start", offset: 99 })).toBe(99)
      expect(yield* cursor.seek({ from: "current", offset: 7 })).toBe(100)
      yield* cursor.write(patch)
      expectContent(file, backing, patch)
    }))

  test("stays where it is when told to go before byte 0, or nowhere", () =>
    Effect.gen(function* () {
      for (const clamp of [false, true]) {
        const cursor = (yield* overAll({ backing })).cursor({ clamp })
        yield* cursor.seek({ from: "start", offset: 50 })
        const wrong = [
          { from: "start", offset: -1 },
          { from: "current", offset: -51 },
          { from: "end", offset: -101 },
          { from: "start", offset: 0.5 },
          { from: "start", offset: Number.NaN },
          { from: "start", offset: 2 ** 53 },
          { from: "current", offset: Number.MAX_SAFE_INTEGER },
          { from: "middle" as "end", offset: 0 }
        ] as const
        for (const target of wrong) {
          yield* fails(cursor.seek(target), { _tag: "InvalidArgument", operation: "seek" })
          expect(cursor.position()).toBe(50)
        }
      }
    }))

  test("stays where it is when a write is refused", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing, memoryLimit: 9 })
      const cursor = file.cursor()
      yield* cursor.seek({ from: "start", offset: 50 })
      yield* fails(cursor.write(patch), { _tag: "MemoryLimit" })
      yield* fails(cursor.write({ backingOffset: 91, length: 10 }), { _tag: "InvalidArgument" })
      expect(cursor.position()).toBe(50)
      yield* cursor.seek({ from: "start", offset: Number.MAX_SAFE_INTEGER })
      yield* fails(cursor.write(patch.subarray(0, 1)), { _tag: "InvalidArgument" })
    }))

  test("knows nothing of other cursors of its file", () =>
    Effect.gen(function* () {
      const file = yield* overAll({ backing })
      const [one, other] = [file.cursor(), file.cursor()]
      yield* one.seek({ from: "end", offset: 0 })
      yield* one.write(patch)
      expect([one.position(), other.position()]).toEqual([110, 0])
      yield* other.seek({ from: "end", offset: -10 })
      const buffer = new Uint8Array(20)
      expect(yield* other.read(buffer)).toBe(10)
      expect(Buffer.compare(buffer.subarray(0, 10), patch)).toBe(0)
    }))
})
