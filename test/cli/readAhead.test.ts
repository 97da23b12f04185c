import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { piecesOf, readAhead } from "../../src/cli/readAhead.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"

const size = 3_000_000
const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) ^ (i >> 10))

/** Reads ahead in a file of `bytes`, and counts the reads that reach the file. */
const reading = (use: (read: ReturnType<typeof readAhead>["read"], calls: () => number) => void) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* (yield* Io).create("/file", { overwrite: false })
        yield* file.writeAt(0, bytes)
        let calls = 0
        const readSomeAt = (offset: number, buffer: Uint8Array): number => {
          calls++
          return file.unsafe.readSomeAt(offset, buffer)
        }
        use(readAhead({ ...file, unsafe: { ...file.unsafe, readSomeAt } }).read, () => calls)
      })
    ).pipe(Effect.provide(IoMemory.layer))
  )

it("reading ahead gives the bytes of the file, forwards, backwards and by leaps", () =>
  reading((read) => {
    let offset = 0
    for (let i = 0; i < 2000; i++) {
      const length = (i * 7919) % 40_000
      expect(Buffer.compare(read(offset, length), bytes.subarray(offset, offset + length))).toBe(0)
      offset = i % 5 === 0 ? Math.max(0, offset - 30_000) : (offset + length * (i % 3)) % size
    }
  }))

it("reading ahead gives fewer bytes at the end of the file, and none beyond it", () =>
  reading((read) => {
    expect(read(size - 10, 20)).toEqual(bytes.slice(size - 10))
    expect(read(size, 5)).toHaveLength(0)
    expect(read(size + 100, 5)).toHaveLength(0)
    expect(read(5, 5)).toEqual(bytes.slice(5, 10))
  }))

it("reading ahead takes few calls when it goes forwards", () =>
  reading((read, calls) => {
    for (let offset = 0; offset + 1000 <= size; offset += 1000) read(offset, 1000)
    expect(calls()).toBeLessThan(12)
  }))

it("bindings are cut into pieces without losing a byte, and points have none", () => {
  const pieces = [
    ...piecesOf([
      { virtual: 5, physical: 0, length: 0 },
      { virtual: 10, physical: 100, length: 600_000 },
      { virtual: 700_000, physical: 5, length: 1 }
    ])
  ]
  expect(pieces).toEqual([
    { virtual: 10, physical: 100, length: 262_144 },
    { virtual: 262_154, physical: 262_244, length: 262_144 },
    { virtual: 524_298, physical: 524_388, length: 75_712 },
    { virtual: 700_000, physical: 5, length: 1 }
  ])
})
