/**
 * An offloaded file over a file: what it reads of it, when it asks for its size, and what it says when
 * the file is not what it was.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect } from "vitest"
import { IoFailed } from "../../src/bytes/errors.ts"
import { OffloadedFile } from "../../src/file/OffloadedFile.ts"
import { Io, type IoFile } from "../../src/io/Io.ts"
import { onEachIo } from "./eachIo.ts"
import { bytesOf, expectContent, fails, layoutOf, overAll } from "./offloadedFiles.ts"
import { watchedIo } from "./watchedIo.ts"

const mib = 1 << 20
const patch = bytesOf(10, 5)

/** A new file with these bytes. */
const storing = Effect.fnUntraced(function* (path: string, bytes: Uint8Array) {
  const file = yield* (yield* Io).create(path, { overwrite: false })
  yield* file.writeAt(0, bytes)
  return file
})

/** The same, and the calls that are made to it from now on. */
const watched = Effect.fnUntraced(function* (path: string, bytes: Uint8Array) {
  const calls: Array<string> = []
  yield* storing(path, bytes)
  const io = watchedIo(yield* Io, { before: (operation) => void calls.push(operation) })
  const file = yield* io.open(path, { readonly: false })
  calls.length = 0
  return { file, calls }
})

/** Writes every other byte of 4000 into an overlay: 2000 ranges of the backing are left. */
const riddle = (
  file: { readonly unsafe: { writeAt: (at: number, data: Uint8Array) => void } },
  at: number
) => {
  for (let i = 0; i < 4000; i += 2) file.unsafe.writeAt(at + i, Uint8Array.of(77))
}

describe("an offloaded file over a file", () => {
  onEachIo((test) => {
    test("reads it where it refers to it, and is called as it is", (directory) =>
      Effect.gen(function* () {
        const bytes = bytesOf(10_000)
        const file = yield* overAll({ backing: yield* storing(`${directory}/store`, bytes) })
        yield* file.writeAt(5000, patch)
        yield* file.writeAt(0, { backingOffset: 9000, length: 1000 })
        expectContent(file, bytes.subarray(9000), bytes.subarray(1000, 5000), patch, bytes.subarray(5010))
        expect([file.path, file.memoryBytes()]).toEqual([`${directory}/store`, 10])
      }))

    test("reads ranges that lie near each other in one call", (directory) =>
      Effect.gen(function* () {
        const bytes = bytesOf(50_000)
        const { calls, file: store } = yield* watched(`${directory}/store`, bytes)
        const file = yield* overAll({ backing: store })
        riddle(file, 1000)
        const wanted = bytes.slice()
        for (let i = 0; i < 4000; i += 2) wanted[1000 + i] = 77
        calls.length = 0
        expectContent(file, wanted)
        expect(calls).toEqual(["readAt"])
        yield* file.writeAt(10_000, bytesOf(5000, 3))
        wanted.set(bytesOf(5000, 3), 10_000)
        calls.length = 0
        expectContent(file, wanted)
        expect(calls).toEqual(["readAt", "readAt"])
      }))

    test("asks for its size only where what is known does not suffice, and so follows its growth", (directory) =>
      Effect.gen(function* () {
        const { calls, file: store } = yield* watched(`${directory}/store`, bytesOf(100))
        const file = yield* OffloadedFile.make({ backing: store })
        expect(calls).toEqual([])
        yield* file.writeAt(0, { backingOffset: 0, length: 100 })
        yield* file.writeAt(0, { backingOffset: 50, length: 50 })
        yield* file.writeAt(50, patch)
        expect(calls).toEqual(["size"])
        yield* fails(file.writeAt(100, { backingOffset: 100, length: 10 }), { _tag: "InvalidArgument" })
        yield* store.writeAt(100, patch)
        yield* file.writeAt(100, { backingOffset: 100, length: 10 })
        expect(layoutOf(file).at(-1)).toBe("backing 60+50 @60")
        expect(calls.filter((call) => call === "size").length).toBe(3)
      }))

    test("says Corrupt where it has become shorter, and reads what is left of it", (directory) =>
      Effect.gen(function* () {
        const bytes = bytesOf(3 * mib)
        const store = yield* storing(`${directory}/store`, bytes)
        const file = yield* overAll({ backing: store })
        yield* store.truncate(2 * mib)
        const corrupt = { _tag: "Corrupt", path: `${directory}/store`, offset: 2 * mib }
        yield* fails(file.readAt(2 * mib - 5, new Uint8Array(10)), corrupt)
        yield* fails(file.readAt(0, new Uint8Array(3 * mib)), corrupt)
        expect(() => file.unsafe.readAt(0, new Uint8Array(3 * mib))).toThrow(expect.objectContaining(corrupt))
        expect(yield* file.readAt(0, new Uint8Array(2 * mib))).toBe(2 * mib)
      }))

    test("fills a large buffer as far as it goes, where that is little", (directory) =>
      Effect.gen(function* () {
        const bytes = bytesOf(1000)
        const file = yield* overAll({ backing: yield* storing(`${directory}/store`, bytes) })
        const buffer = new Uint8Array(3 * mib).fill(7)
        expect(yield* file.readAt(10, buffer)).toBe(990)
        expect(Buffer.compare(buffer.subarray(0, 990), bytes.subarray(10))).toBe(0)
        expect(buffer.subarray(990).every((byte) => byte === 7)).toBe(true)
      }))

    test("says Closed of it where it was closed before its time", (directory) =>
      Effect.gen(function* () {
        const store = yield* storing(`${directory}/store`, bytesOf(100))
        const file = yield* overAll({ backing: store })
        yield* store.close
        const closed = { _tag: "Closed", path: `${directory}/store` }
        yield* fails(file.readAt(0, new Uint8Array(10)), { ...closed, operation: "readAt" })
        yield* fails(file.writeAt(0, { backingOffset: 99, length: 10 }), { ...closed, operation: "size" })
        yield* file.writeAt(0, bytesOf(100))
        expect(yield* file.readAt(0, new Uint8Array(100))).toBe(100)
      }))

    test("gives by a long read what the file was when the read began", (directory) =>
      Effect.gen(function* () {
        const bytes = bytesOf(5 * mib)
        const file = yield* overAll({ backing: yield* storing(`${directory}/store`, bytes) })
        riddle(file, 3 * mib)
        const wanted = new Uint8Array(file.length())
        file.unsafe.readAt(0, wanted)
        const buffer = new Uint8Array(file.length() + 7)
        const reading = yield* Effect.forkChild(file.readAt(0, buffer), { startImmediately: true })
        yield* file.writeAt(4 * mib, patch)
        yield* file.resize(10)
        yield* file.writeAt(0, patch)
        expect(yield* Fiber.join(reading)).toBe(wanted.length)
        expect(Buffer.compare(buffer.subarray(0, wanted.length), wanted)).toBe(0)
        expect([...buffer.subarray(wanted.length)]).toEqual([0, 0, 0, 0, 0, 0, 0])
      }))

    test("passes on that it can't be read", (directory) =>
      Effect.gen(function* () {
        yield* storing(`${directory}/store`, bytesOf(100))
        const failing: IoFile = yield* failingReads(`${directory}/store`)
        const file = yield* overAll({ backing: failing })
        const failed = { _tag: "IoFailed", path: `${directory}/store` }
        yield* fails(file.readAt(0, new Uint8Array(10)), failed)
        yield* fails(file.cursor().read(new Uint8Array(10)), failed)
      }))
  })
})

const failingReads = Effect.fnUntraced(function* (path: string) {
  const before = (operation: string): void => {
    if (operation === "readAt") throw new IoFailed({ syscall: "read", path, code: "EIO", cause: undefined })
  }
  return yield* watchedIo(yield* Io, { before }).open(path, { readonly: true })
})
