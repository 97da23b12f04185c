import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { crc32 } from "../../src/bytes/crc32.ts"
import { IoFailed } from "../../src/bytes/errors.ts"
import { FixedData, mapFixedData } from "../../src/file/fixedData.ts"
import { Io, type IoFile } from "../../src/io/Io.ts"
import { onEachIo } from "./eachIo.ts"
import { fileOf, pattern } from "./sparseFileFiles.ts"
import { watchedIo } from "./watchedIo.ts"

const block = 65_536
/** Three whole blocks, a short one, and then bytes of the file that are not of the data. */
const length = 3 * block + 100
const bytes = pattern(length + 500)
const sums = Uint32Array.from({ length: 4 }, (_, i) =>
  crc32(bytes.subarray(i * block, Math.min((i + 1) * block, length)))
)

const copied = (data: FixedData, physical: number, count: number): Uint8Array => {
  const buffer = new Uint8Array(count + 2)
  data.copy(physical, buffer, 1, count)
  return buffer.slice(1, count + 1)
}

/** Whether a range is given as it is. (Vitest compares arrays of this size slowly.) */
const gives = (data: FixedData, at: number, count: number): boolean =>
  Buffer.compare(copied(data, at, count), bytes.subarray(at, at + count)) === 0

/** The data of a file with one wrong byte at `wrong`, mapped or not, and the reads made of it. */
const dataOf = Effect.fnUntraced(function* (directory: string, wrong: number, mapped: boolean) {
  const content = bytes.slice()
  content[wrong] ^= 1
  yield* Effect.scoped(fileOf(`${directory}/x`, content))
  const reads: Array<string> = []
  const io = watchedIo(yield* Io, { before: (operation) => void reads.push(operation) })
  const file = yield* io.open(`${directory}/x`, { readonly: true })
  const windows = mapped ? yield* mapFixedData(file, length) : undefined
  reads.length = 0
  return { data: new FixedData({ file, length, sums, windows }), reads, mapped: windows !== undefined }
})

const ranges: ReadonlyArray<readonly [at: number, count: number]> = [
  [0, 1],
  [block - 1, 2],
  [block + 7, 2 * block],
  [3 * block, 100],
  [length - 1, 1],
  [0, length]
]

onEachIo((test) => {
  for (const mapped of [true, false]) {
    const how = mapped ? "mapped" : "read"

    test(`${how}, all of it is given as it is, verified on the way`, (directory) =>
      Effect.gen(function* () {
        // A wrong byte behind the data is nobody's.
        const { data } = yield* dataOf(directory, length, mapped)
        for (const [at, count] of ranges) {
          expect(gives(data, at, count)).toBe(true)
        }
      }))

    test(`${how}, a wrong byte is Corrupt at its block, each time, and nowhere else`, (directory) =>
      Effect.gen(function* () {
        for (const wrong of [0, block + 3, 2 * block - 1, length - 1]) {
          const { data } = yield* dataOf(directory, wrong, mapped)
          const damaged = Math.floor(wrong / block)
          const error = { _tag: "Corrupt", path: `${directory}/x`, offset: damaged * block }
          for (const [at, count] of ranges) {
            const first = Math.floor(at / block)
            const last = Math.floor((at + count - 1) / block)
            if (first <= damaged && damaged <= last) {
              expect(() => data.verify(at, count)).toThrow(expect.objectContaining(error))
              expect(() => copied(data, at, count)).toThrow(expect.objectContaining(error))
            } else {
              data.verify(at, count)
              expect(gives(data, at, count)).toBe(true)
            }
          }
        }
      }))
  }

  test("mapped blocks are verified in place, others are read once", (directory) =>
    Effect.gen(function* () {
      const first = yield* dataOf(directory, length, true)
      first.data.verify(0, length)
      first.data.verify(0, length)
      expect(first.reads).toEqual(first.mapped ? [] : Array(4).fill("readAt"))
      const second = yield* dataOf(directory, length, false)
      second.data.verify(block, 2)
      second.data.verify(0, length)
      second.data.verify(0, length)
      expect(second.reads).toEqual(Array(4).fill("readAt"))
    }))

  test("without sums nothing is verified", (directory) =>
    Effect.gen(function* () {
      const { data } = yield* dataOf(directory, 5, false)
      const trusting = new FixedData({ file: data.file, length, sums: undefined, windows: undefined })
      trusting.verify(0, length)
      expect(copied(trusting, 5, 1)[0]).toBe(bytes[5] ^ 1)
    }))

  test("a file that was truncated meanwhile is Corrupt at its end, where it is read", (directory) =>
    Effect.gen(function* () {
      const { data } = yield* dataOf(directory, length, false)
      const file = yield* (yield* Io).open(`${directory}/x`, { readonly: false })
      yield* file.truncate(block + 10)
      expect(copied(data, 0, 10)).toEqual(bytes.slice(0, 10))
      const error = expect.objectContaining({ _tag: "Corrupt", offset: block + 10 })
      expect(() => data.verify(block, 1)).toThrow(error)
    }))

  test("what can't be read is told as the system tells it", (directory) =>
    Effect.gen(function* () {
      yield* Effect.scoped(fileOf(`${directory}/x`, bytes))
      const io = watchedIo(yield* Io, {
        before: (operation, path) => {
          if (operation === "readAt")
            throw new IoFailed({ syscall: "read", path, code: "EIO", cause: "test" })
        }
      })
      const file = yield* io.open(`${directory}/x`, { readonly: true })
      for (const verified of [undefined, sums]) {
        const data = new FixedData({ file, length, sums: verified, windows: undefined })
        expect(() => copied(data, 5, 10)).toThrow(expect.objectContaining({ _tag: "IoFailed", code: "EIO" }))
      }
    }))
})

it("a read across the end of a mapping goes on in the next one", () => {
  // Of a gigabyte only what is touched takes memory.
  const windows = [new Uint8Array(2 ** 30), bytes.slice(0, 1000)]
  windows[0].set(bytes.subarray(5000, 6000), 2 ** 30 - 1000)
  const file = { path: "/x" } as IoFile
  const data = new FixedData({ file, length: 2 ** 30 + 1000, sums: undefined, windows })
  const around = new Uint8Array(2000)
  around.set(bytes.subarray(5000, 6000))
  around.set(bytes.subarray(0, 1000), 1000)
  for (const [at, count] of [
    [0, 2000],
    [999, 2],
    [990, 10],
    [1000, 1],
    [1, 1998]
  ]) {
    expect(copied(data, 2 ** 30 - 1000 + at, count)).toEqual(around.slice(at, at + count))
  }
})
