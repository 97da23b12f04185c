import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { expect } from "vitest"
import { crc32 } from "../../src/bytes/crc32.ts"
import { NoSpace } from "../../src/bytes/errors.ts"
import { encodeBlockSums } from "../../src/format/blockSums.ts"
import { Io } from "../../src/io/Io.ts"
import { readSums, sumChunk, writeSums } from "../../src/store/chunkSums.ts"
import { onEachIo, openHandles } from "../file/eachIo.ts"
import { contentOf, fileOf, pattern } from "../file/sparseFileFiles.ts"
import { watchedIo } from "../file/watchedIo.ts"

const block = 65_536

const sumsOf = (bytes: Uint8Array): Uint32Array =>
  Uint32Array.from({ length: Math.ceil(bytes.length / block) }, (_, i) =>
    crc32(bytes.subarray(i * block, (i + 1) * block))
  )

const sums = Uint32Array.of(1, 0xffff_ffff, 0x8000_0001)
const length = 2 * block + 5

onEachIo((test) => {
  test("a chunk's sums are those of its blocks, the last one short, and of its length alone", (directory) =>
    Effect.gen(function* () {
      const bytes = pattern(2 * 1024 * 1024 + 3 * block + 9)
      const file = yield* fileOf(`${directory}/chunk`, bytes)
      for (const some of [0, 1, block - 1, block, block + 1, 1 << 20, (1 << 20) + 1, bytes.length]) {
        expect(yield* sumChunk(file, some), `${some} bytes`).toEqual(sumsOf(bytes.subarray(0, some)))
      }
    }))

  test("a file shorter than its chunk is Corrupt at its end, and nothing is allocated for it", (directory) =>
    Effect.gen(function* () {
      const file = yield* fileOf(`${directory}/chunk`, pattern(1000))
      for (const claimed of [1001, 3 << 20, 2 ** 53 - 1]) {
        expect(yield* Effect.flip(sumChunk(file, claimed))).toMatchObject({
          _tag: "Corrupt",
          path: `${directory}/chunk`,
          offset: 1000
        })
      }
    }))

  test("a file that shrinks while it is summed is Corrupt at its end", (directory) =>
    Effect.gen(function* () {
      const file = yield* fileOf(`${directory}/chunk`, pattern(3 << 20))
      const watched = watchedIo(yield* Io, {
        before: (operation) => {
          if (operation === "readAt") file.unsafe.truncate(700_000)
        }
      })
      const shrinking = yield* watched.open(`${directory}/chunk`, { readonly: true })
      const error = { _tag: "Corrupt", path: `${directory}/chunk`, offset: 700_000 }
      expect(yield* Effect.flip(sumChunk(shrinking, 3 << 20))).toMatchObject(error)
    }))

  test("other fibers run between the megabytes that are summed", (directory) =>
    Effect.gen(function* () {
      const file = yield* fileOf(`${directory}/chunk`, pattern(5 << 20))
      let done = false
      let turns = 0
      const other = yield* Effect.forkChild(
        Effect.gen(function* () {
          while (!done) {
            turns++
            yield* Effect.yieldNow
          }
        })
      )
      yield* sumChunk(file, 5 << 20)
      done = true
      yield* Fiber.await(other)
      expect(turns).toBeGreaterThanOrEqual(4)
    }))

  test("sums are read as they were written, over what was there, and no file stays open", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const path = `${directory}/s`
      yield* writeSums(io, path, 7 * block, new Uint32Array(7))
      yield* writeSums(io, path, length, sums)
      expect(yield* contentOf(path)).toEqual(encodeBlockSums(length, sums))
      expect(yield* readSums(io, path, length)).toEqual(sums)
      yield* writeSums(io, path, 0, new Uint32Array(0))
      expect(yield* readSums(io, path, 0)).toEqual(new Uint32Array(0))
      expect(openHandles(directory)).toEqual([])
    }))

  test("sums are synced once, after they are written", (directory) =>
    Effect.gen(function* () {
      const calls: Array<string> = []
      const io = watchedIo(yield* Io, { before: (operation) => void calls.push(operation) })
      yield* writeSums(io, `${directory}/s`, length, sums)
      expect(calls).toEqual(["create", "writeAt", "sync"])
      const full = watchedIo(yield* Io, {
        before: (operation, path) => {
          if (operation === "sync") throw new NoSpace({ path, syscall: "fsync" })
        }
      })
      const error = { _tag: "NoSpace", path: `${directory}/s` }
      expect(yield* Effect.flip(writeSums(full, `${directory}/s`, length, sums))).toMatchObject(error)
      expect(openHandles(directory)).toEqual([])
    }))

  test("a missing file of sums is NoSuchFile", (directory) =>
    Effect.gen(function* () {
      const error = { _tag: "NoSuchFile", path: `${directory}/s` }
      expect(yield* Effect.flip(readSums(yield* Io, `${directory}/s`, length))).toMatchObject(error)
    }))

  test("sums of another length are Corrupt, even where the number of blocks is the same", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      yield* writeSums(io, `${directory}/s`, length, sums)
      for (const other of [0, length - 1, length + 1, length + block]) {
        const error = { _tag: "Corrupt", path: `${directory}/s`, offset: 16 }
        expect(yield* Effect.flip(readSums(io, `${directory}/s`, other))).toMatchObject(error)
      }
    }))

  test("every byte that is flipped, and every length that is wrong, is Corrupt", (directory) =>
    Effect.gen(function* () {
      const io = yield* Io
      const path = `${directory}/s`
      const whole = encodeBlockSums(length, sums)
      const isCorrupt = Effect.fnUntraced(function* (bytes: Uint8Array, what: string) {
        yield* Effect.scoped(fileOf(path, bytes))
        const error = yield* Effect.flip(readSums(io, path, length))
        expect(error, what).toMatchObject({ _tag: "Corrupt", path })
        expect(openHandles(directory), what).toEqual([])
      })
      for (let at = 0; at < whole.length; at++) {
        for (const flip of [1, 0x80, 0xff]) {
          const bytes = whole.slice()
          bytes[at] ^= flip
          yield* isCorrupt(bytes, `byte ${at} ^ ${flip}`)
        }
      }
      for (let end = 0; end < whole.length; end++) yield* isCorrupt(whole.slice(0, end), `${end} bytes`)
      for (const more of [1, 8, 4096]) {
        const longer = new Uint8Array(whole.length + more)
        longer.set(whole)
        yield* isCorrupt(longer, `${more} bytes more`)
      }
      yield* Effect.scoped(fileOf(path, whole))
      expect(yield* readSums(io, path, length)).toEqual(sums)
    }))

  test("a file of sums that shrinks while it is read is Corrupt where it ends", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/s`
      const file = yield* fileOf(path, encodeBlockSums(length, sums))
      const watched = watchedIo(yield* Io, {
        before: (operation) => {
          if (operation === "readAt") file.unsafe.truncate(44)
        }
      })
      const error = yield* Effect.flip(readSums(watched, path, length))
      expect(error).toMatchObject({ _tag: "Corrupt", path, offset: 44 })
    }))
})
