/** What an extent file keeps, through openings, and what it refuses to open. */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert, describe } from "vitest"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { onDisk, onEachIo } from "./eachIo.ts"

const bytesOf = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => 1 + ((i * 7 + seed * 31) % 255))

const same = (actual: Uint8Array, expected: Uint8Array, what = "the bytes"): void =>
  assert.isTrue(Buffer.compare(actual, expected) === 0, what)

const contentOf = (io: IoService, path: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* io.open(path, { readonly: true })
      const bytes = new Uint8Array(yield* file.size)
      yield* file.readAt(0, bytes)
      return bytes
    })
  )

const tagOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.match(effect, { onFailure: (error): string => error._tag, onSuccess: () => "success" })

describe("an extent file", () => {
  onEachIo((test) => {
    test("has the bytes at their offsets in its data, and zeros elsewhere", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        const file = yield* ExtentFile.open(path)
        yield* file.createExtent(10_000, bytesOf(3_000))
        yield* file.createExtent(11_000, bytesOf(500, 2))
        yield* file.createExtent(20_000, bytesOf(100, 3))
        yield* file.deleteExtent(20_000)
        const expected = new Uint8Array(20_100)
        expected.set(bytesOf(3_000), 10_000)
        expected.set(bytesOf(500, 2), 11_000)
        same(yield* contentOf(io, path), expected)
        assert.deepInclude(file.stats(), { extents: 2, bytes: 3_000, forgotten: 0, unflushedBytes: 3_000 })
        yield* file.flush
        assert.strictEqual(file.stats().unflushedBytes, 0)
      }))

    test("zeroes what an extent had beyond a shorter one that replaces it", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        const file = yield* ExtentFile.open(path)
        for (const flushed of [false, true]) {
          yield* file.createExtent(0, bytesOf(9_000))
          yield* file.createExtent(5_000, bytesOf(1_000, 2))
          if (flushed) yield* file.flush
          yield* file.createExtent(0, bytesOf(10, 3))
          const expected = new Uint8Array(9_000)
          expected.set(bytesOf(10, 3))
          expected.set(bytesOf(1_000, 2), 5_000)
          same(yield* contentOf(io, path), expected)
        }
      }))

    test("knows its extents and its pin when it is opened again, and reads each before it believes it", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/object`
        const pin = { identity: '"etag"', length: 1_000_000 }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* ExtentFile.open(path)
            yield* file.pin(pin, "the object")
            for (let i = 0; i < 20; i++) yield* file.createExtent(i * 1_000, bytesOf(1_000, i))
          })
        )
        const io = yield* Io
        assert.strictEqual(yield* io.sizeOf(path), pin.length)
        const data = yield* io.open(path, { readonly: false })
        yield* data.writeAt(5_500, Uint8Array.of(0))
        const file = yield* ExtentFile.open(path)
        assert.deepStrictEqual(file.pinned(), pin)
        assert.strictEqual(file.extents().length, 20)
        const buffer = new Uint8Array(3_000)
        assert.isTrue(file.unsafe.read(1_500, buffer))
        same(buffer.subarray(500, 1_500), bytesOf(1_000, 2))
        assert.isFalse(file.unsafe.read(4_500, buffer), "it reaches into damaged bytes")
        assert.strictEqual((yield* file.readExtent(5_000)).length, 0)
        assert.strictEqual(file.stats().forgotten, 1)
        assert.strictEqual(file.extents().length, 19)
        for (const i of [4, 6]) same(yield* file.readExtent(i * 1_000), bytesOf(1_000, i))
        yield* file.createExtent(5_000, bytesOf(1_000, 5))
        assert.isTrue(file.unsafe.read(4_500, buffer))
      }))

    test("forgets of overlapping extents only those that have a damaged byte", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/object`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* ExtentFile.open(path)
            yield* file.createExtent(0, bytesOf(4_000))
            yield* file.createExtent(3_000, bytesOf(4_000, 2))
            yield* file.createExtent(6_500, bytesOf(1_000, 3))
          })
        )
        const io = yield* Io
        const data = yield* io.open(path, { readonly: false })
        yield* data.writeAt(100, Uint8Array.of(0))
        const file = yield* ExtentFile.open(path)
        assert.strictEqual((yield* file.readExtent(0)).length, 0)
        assert.deepStrictEqual(
          file.extents().map(({ offset }) => offset),
          [3_000, 6_500]
        )
        assert.strictEqual((yield* file.readExtent(3_000)).length, 4_000)
        assert.deepInclude(file.stats(), { extents: 2, bytes: 4_500, forgotten: 1 })
        yield* file.close
        // The next opening makes a hole of what is nobody's any more.
        yield* Effect.scoped(ExtentFile.open(path))
        same((yield* contentOf(io, path)).subarray(0, 3_000), new Uint8Array(3_000))
      }))

    test("keeps extents beyond 4 GiB and at a terabyte, and reports them", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/object`
        const offsets = [2 ** 32 - 100, 2 ** 32 + 4_096, 2 ** 40]
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* ExtentFile.open(path)
            yield* file.pin({ identity: "", length: 2 ** 41 }, "the object")
            for (const offset of offsets) yield* file.createExtent(offset, bytesOf(300, offset % 7))
          })
        )
        const report = yield* ExtentFile.report(path)
        assert.strictEqual(report.size, 2 ** 41)
        assert.deepStrictEqual(
          report.coverage,
          offsets.map((offset) => ({ offset, length: 300 }))
        )
        const file = yield* ExtentFile.open(path)
        for (const offset of offsets) same(yield* file.readExtent(offset), bytesOf(300, offset % 7))
        yield* file.deleteExtent(2 ** 40)
        assert.strictEqual((yield* file.readExtent(2 ** 40)).length, 0)
      }))

    test("keeps an extent of many megabytes, also in part overwritten", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/object`
        const large = bytesOf(5 * 2 ** 20 + 77)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* ExtentFile.open(path)
            yield* file.createExtent(123, large)
            yield* file.flush
            yield* file.createExtent(123 + 2 ** 20 + 5, bytesOf(3 * 2 ** 20, 9))
          })
        )
        large.set(bytesOf(3 * 2 ** 20, 9), 2 ** 20 + 5)
        const file = yield* ExtentFile.open(path)
        same(yield* file.readExtent(123), large)
        const buffer = new Uint8Array(4 * 2 ** 20)
        assert.isTrue(file.unsafe.read(123, buffer))
        same(buffer, large.subarray(0, buffer.length))
        yield* file.deleteExtent(123)
        same(yield* file.readExtent(123 + 2 ** 20 + 5), bytesOf(3 * 2 ** 20, 9))
        assert.strictEqual(file.stats().bytes, 3 * 2 ** 20)
      }))

    test("refuses data without a record, and does not touch it", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/precious`
        yield* Effect.scoped(
          Effect.flatMap(io.create(path, { overwrite: false }), (file) => file.writeAt(0, bytesOf(5_000)))
        )
        assert.strictEqual(yield* tagOf(Effect.scoped(ExtentFile.open(path))), "Incomplete")
        assert.strictEqual(yield* tagOf(ExtentFile.report(path)), "Incomplete")
        same(yield* contentOf(io, path), bytesOf(5_000))
        assert.deepStrictEqual(yield* io.list(directory), ["precious"])
      }))

    test("takes an empty file for its own, and forgets what a missing data file had", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        yield* Effect.scoped(io.create(path, { overwrite: false }))
        yield* Effect.scoped(
          Effect.flatMap(ExtentFile.open(path), (file) => file.createExtent(100, bytesOf(1_000)))
        )
        yield* io.remove(path)
        const file = yield* ExtentFile.open(path)
        assert.deepStrictEqual(file.extents(), [])
        assert.deepInclude(file.stats(), { forgotten: 1, bytes: 0 })
        yield* file.createExtent(100, bytesOf(10))
        same(yield* file.readExtent(100), bytesOf(10))
      }))

    test("forgets what a data file that was cut off has lost, and no more", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* ExtentFile.open(path)
            for (let i = 0; i < 10; i++) yield* file.createExtent(i * 100, bytesOf(100, i))
          })
        )
        yield* Effect.scoped(Effect.flatMap(io.open(path, { readonly: false }), (data) => data.truncate(550)))
        const file = yield* ExtentFile.open(path)
        assert.strictEqual(file.extents().length, 5)
        assert.strictEqual(file.stats().forgotten, 5)
        same(yield* file.readExtent(400), bytesOf(100, 4))
      }))

    test("is Locked while it is open, and reported on all the same", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/object`
        const file = yield* ExtentFile.open(path)
        assert.strictEqual(yield* tagOf(Effect.scoped(ExtentFile.open(path))), "Locked")
        yield* file.createExtent(0, bytesOf(100))
        yield* file.createExtent(50, bytesOf(100))
        const { clean, coverage } = yield* ExtentFile.report(path)
        assert.isFalse(clean)
        assert.deepStrictEqual(coverage, [{ offset: 0, length: 150 }])
        yield* file.flush
        assert.isTrue((yield* ExtentFile.report(path)).clean)
        yield* file.close
        yield* Effect.scoped(ExtentFile.open(path))
      }))

    test("is reported on without being changed", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        assert.strictEqual(yield* tagOf(ExtentFile.report(path)), "NoSuchFile")
        yield* Effect.scoped(
          Effect.flatMap(ExtentFile.open(path), (file) => file.createExtent(100, bytesOf(1_000)))
        )
        const before = yield* contentOf(io, `${path}.extents`)
        yield* ExtentFile.report(path)
        same(yield* contentOf(io, `${path}.extents`), before)
        assert.deepStrictEqual(yield* io.list(directory), ["object", "object.extents"])
      }))

    test("refuses what is no offset, and everything once it is closed", (directory) =>
      Effect.gen(function* () {
        const file = yield* ExtentFile.open(`${directory}/object`)
        for (const offset of [-1, 0.5, NaN, 2 ** 53]) {
          assert.strictEqual(yield* tagOf(file.createExtent(offset, bytesOf(1))), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.readExtent(offset)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(file.deleteExtent(offset)), "InvalidArgument")
          assert.throws(() => file.unsafe.read(offset, new Uint8Array(1)), /offset/)
        }
        assert.strictEqual(yield* tagOf(file.createExtent(2 ** 53 - 1, bytesOf(2))), "InvalidArgument")
        const long = { identity: "x".repeat(40_000), length: 1 }
        assert.strictEqual(yield* tagOf(file.pin(long, "the object")), "InvalidArgument")
        assert.strictEqual(yield* tagOf(file.pin({ identity: "", length: -1 }, "")), "InvalidArgument")
        yield* file.close
        assert.strictEqual(yield* tagOf(file.close), "DoubleClose")
        assert.strictEqual(yield* tagOf(file.createExtent(0, bytesOf(1))), "Closed")
        assert.strictEqual(yield* tagOf(file.readExtent(0)), "Closed")
        assert.strictEqual(yield* tagOf(file.deleteExtent(0)), "Closed")
        assert.strictEqual(yield* tagOf(file.flush), "Closed")
        assert.strictEqual(yield* tagOf(file.clear), "Closed")
        assert.strictEqual(yield* tagOf(file.pin({ identity: "", length: 0 }, "")), "Closed")
        for (const call of [file.extents, file.stats, file.pinned, () => file.unsafe.read(0, bytesOf(1))]) {
          assert.throws(call, /closed/)
        }
      }))

    test("has the size of the object it is pinned to, and is empty once it was cleared", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        const file = yield* ExtentFile.open(path)
        for (const length of [70_000, 3_000, 50_000]) {
          yield* file.pin({ identity: "a", length }, "the object")
          assert.strictEqual(yield* io.sizeOf(path), length)
        }
        yield* file.createExtent(10, bytesOf(100))
        const changed = yield* Effect.flip(file.pin({ identity: "b", length: 50_000 }, "the object"))
        assert.deepInclude(changed, { _tag: "SourceChanged", source: "the object" })
        assert.include(changed.message, "it was a of 50000 bytes and is b of 50000 bytes")
        yield* file.clear
        assert.strictEqual(yield* io.sizeOf(path), 0)
        assert.isUndefined(file.pinned())
        yield* file.createExtent(10, bytesOf(100))
        assert.strictEqual(
          yield* tagOf(file.pin({ identity: "b", length: 50_000 }, "the object")),
          "SourceChanged",
          "nobody said what these extents are of"
        )
      }))

    test("writes its record anew when most of it is past, with or without a flush", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        const file = yield* ExtentFile.open(path)
        yield* file.createExtent(0, bytesOf(100))
        yield* file.flush
        for (let i = 0; i < 40_000; i++) {
          yield* file.createExtent(1_000 + (i % 5) * 10, bytesOf(10, i))
          if (i % 3 === 0) yield* file.deleteExtent(1_000 + (i % 5) * 10)
        }
        assert.isBelow(yield* io.sizeOf(`${path}.extents`), 1_200_000)
        const extents = file.extents()
        yield* file.close
        const again = yield* ExtentFile.open(path)
        assert.deepStrictEqual(again.extents(), extents)
        same(yield* again.readExtent(0), bytesOf(100))
        assert.strictEqual(again.stats().forgotten, 0)
      }))

    test("removes what an earlier writing of the record left behind", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        yield* Effect.scoped(ExtentFile.open(path))
        yield* Effect.scoped(io.create(`${path}.extents.tmp`, { overwrite: false }))
        yield* ExtentFile.open(path)
        assert.deepStrictEqual(yield* io.list(directory), ["object", "object.extents"])
      }))

    test("is what a layer gives to a program", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const read = Effect.gen(function* () {
          const file = yield* ExtentFile
          yield* file.createExtent(5, bytesOf(5))
          return yield* file.readExtent(5)
        })
        const layer = Layer.provide(ExtentFile.layer(`${directory}/object`), Layer.succeed(Io, io))
        same(yield* Effect.provide(read, layer), bytesOf(5))
      }))
  })

  onDisk((test) => {
    const usedBytes = (path: string): number => fs.statSync(path).blocks * 512

    test("gives back disk when extents are deleted, flushed or not, in pieces smaller than a block too", (directory) =>
      Effect.gen(function* () {
        const io = yield* Io
        const path = `${directory}/object`
        const file = yield* ExtentFile.open(path)
        for (const flushed of [false, true]) {
          for (let i = 0; i < 64; i++) yield* file.createExtent(i * 65_536, bytesOf(65_536, i))
          for (let i = 0; i < 100; i++) yield* file.createExtent(2 ** 23 + i * 1_000, bytesOf(1_000, i))
          if (flushed) yield* file.flush
          // Blocks are counted when they are allocated.
          yield* Effect.scoped(Effect.flatMap(io.open(path, { readonly: false }), (data) => data.sync))
          const before = usedBytes(path)
          assert.isAtLeast(before, 64 * 65_536 + 98_304)
          for (let i = 0; i < 64; i += 2) yield* file.deleteExtent(i * 65_536)
          // A file in many parts needs a block or two to say where they are.
          assert.isAtMost(usedBytes(path), before - 31 * 65_536)
          for (let i = 1; i < 64; i += 2) same(yield* file.readExtent(i * 65_536), bytesOf(65_536, i))
          for (let i = 0; i < 100; i++) yield* file.deleteExtent(2 ** 23 + i * 1_000)
          for (let i = 1; i < 64; i += 2) yield* file.deleteExtent(i * 65_536)
          assert.isAtMost(usedBytes(path), 65_536, "nothing is left")
          assert.strictEqual(file.stats().holes, "supported")
        }
      }))

    test("refuses a symbolic link, a directory, and a missing one", (directory) =>
      Effect.gen(function* () {
        fs.writeFileSync(`${directory}/target`, "")
        fs.symlinkSync(`${directory}/target`, `${directory}/link`)
        fs.mkdirSync(`${directory}/object.extents`)
        const opening = (path: string) => tagOf(Effect.scoped(ExtentFile.open(path)))
        assert.strictEqual(yield* opening(`${directory}/link`), "NotAFile")
        assert.strictEqual(yield* opening(directory), "NotAFile")
        assert.strictEqual(yield* opening(`${directory}/object`), "NotAFile")
        assert.strictEqual(yield* opening(`${directory}/none/object`), "NoSuchFile")
      }))
  })
})
