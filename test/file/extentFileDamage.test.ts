/**
 * A record that was damaged: whatever bit was flipped, and wherever it was cut off, opening it fails with
 * `Corrupt`, or what is served is right.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { ExtentFrame } from "../../src/format/extentFrame.ts"
import {
  encodeExtentRecordHeader,
  extentChainStart,
  extentRecordHeaderBytes
} from "../../src/format/extentRecord.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"

const objectBytes = 8_192
const object = Uint8Array.from({ length: objectBytes }, (_, i) => 1 + ((i * 13 + (i >> 7)) % 255))

const run = (body: Effect.Effect<void, unknown, Io | Scope.Scope>): Promise<void> =>
  body.pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise)

const put = (io: IoService, path: string, bytes: Uint8Array) =>
  Effect.scoped(Effect.flatMap(io.create(path, { overwrite: true }), (file) => file.writeAt(0, bytes)))

const get = (io: IoService, path: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* io.open(path, { readonly: true })
      const bytes = new Uint8Array(yield* file.size)
      yield* file.readAt(0, bytes)
      return bytes
    })
  )

/** Data and record of a file that has been flushed, changed, and closed or killed, with entries of most kinds. */
const makeFiles = (io: IoService, end: "closed" | "killed" = "closed") =>
  Effect.gen(function* () {
    const part = (offset: number, length: number) => object.subarray(offset, offset + length)
    let flushedBytes = 0
    const files = yield* Effect.scoped(
      Effect.gen(function* () {
        const file = yield* ExtentFile.open("/object")
        yield* file.pin({ identity: "v1", length: objectBytes }, "the object")
        yield* file.createExtent(0, part(0, 3_000))
        yield* file.createExtent(5_000, part(5_000, 700))
        yield* file.createExtent(7_000, part(7_000, 100))
        yield* file.flush
        yield* file.createExtent(2_000, part(2_000, 2_000))
        yield* file.deleteExtent(7_000)
        yield* file.flush
        flushedBytes = yield* io.sizeOf("/object.extents")
        yield* file.createExtent(6_000, part(6_000, 5))
        if (end === "killed") {
          return { data: yield* get(io, "/object"), record: yield* get(io, "/object.extents"), flushedBytes }
        }
      })
    )
    if (files !== undefined) return files
    const record = yield* get(io, "/object.extents")
    return { data: yield* get(io, "/object"), record, flushedBytes: record.length }
  })

/** The header has two slots, which say what is durable. */
const slots = { from: 40, to: extentRecordHeaderBytes }

/** Opens what was put there, and demands that nothing wrong is served. Gives how many extents there are, or -1. */
const judge = Effect.gen(function* () {
  const opened = yield* Effect.exit(Effect.scoped(ExtentFile.report("/object")))
  const found = yield* Effect.result(
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* ExtentFile.open("/object")
        for (const { length, offset } of file.extents()) {
          const bytes = yield* file.readExtent(offset)
          if (bytes.length === 0) continue
          assert.strictEqual(bytes.length, length)
          assert.isTrue(Buffer.compare(bytes, object.subarray(offset, offset + length)) === 0)
        }
        for (let offset = 0; offset < objectBytes; offset += 150) {
          const buffer = new Uint8Array(200)
          if (!file.unsafe.read(offset, buffer)) continue
          assert.isTrue(Buffer.compare(buffer, object.subarray(offset, offset + 200)) === 0)
        }
        return file.extents().length
      })
    )
  )
  if (found._tag === "Success") return found.success
  assert.strictEqual(found.failure._tag, "Corrupt")
  assert.strictEqual(opened._tag, "Failure", "a report says so too")
  return -1
})

describe("the record of an extent file", () => {
  it("is refused, or serves what is right, whichever of its bits is flipped", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        for (const end of ["closed", "killed"] as const) {
          yield* put(io, "/object", new Uint8Array(0))
          yield* io.remove("/object")
          yield* Effect.ignore(io.remove("/object.extents"))
          const { data, flushedBytes, record } = yield* makeFiles(io, end)
          assert.isBelow(record.length, 600)
          for (let bit = 0; bit < record.length * 8; bit++) {
            const damaged = record.slice()
            const at = bit >> 3
            damaged[at] ^= 1 << (bit & 7)
            yield* put(io, "/object", data)
            yield* put(io, "/object.extents", damaged)
            const inSlot = at >= slots.from && at < slots.to
            assert.strictEqual((yield* judge) === -1, at < flushedBytes && !inSlot, `byte ${at}`)
          }
        }
      })
    ))

  it("is refused, or serves what is right, wherever it is cut off", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        const { data, flushedBytes, record } = yield* makeFiles(io, "killed")
        const found: Array<number> = []
        for (let length = 0; length <= record.length; length++) {
          yield* put(io, "/object", data)
          yield* put(io, "/object.extents", record.subarray(0, length))
          found.push(yield* judge)
        }
        assert.deepStrictEqual([...new Set(found.slice(0, flushedBytes))], [-1], "it was longer")
        assert.deepStrictEqual([...new Set(found.slice(flushedBytes, -1))], [3])
        assert.strictEqual(found.at(-1), 4)
      })
    ))

  it("serves what is right whichever sector of the data is zeroed", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        const { data, record } = yield* makeFiles(io)
        for (let at = 0; at < objectBytes; at += 512) {
          yield* put(io, "/object", data.slice().fill(0, at, at + 512))
          yield* put(io, "/object.extents", record)
          assert.isAtLeast(yield* judge, 1)
        }
      })
    ))

  it("is refused when its checksums hold and what it says can't be", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        const impossible: ReadonlyArray<(frame: ExtentFrame) => void> = [
          (frame) => frame.create(0, 0, 1),
          (frame) => frame.create(0, 2 ** 20 + 1, 1),
          (frame) => frame.create(2 ** 53 - 1, 2, 1),
          (frame) => frame.extent(0, 2 ** 32),
          (frame) => frame.void(0, 0),
          (frame) => frame.split(10, 1, 1),
          (frame) => frame.split(0, 1, 2 ** 32),
          (frame) => {
            frame.create(0, 100, 1)
            frame.create(50, 100, 1)
          },
          (frame) => {
            frame.create(0, 100, 1)
            frame.void(10, 10)
          }
        ]
        for (const [i, add] of impossible.entries()) {
          const frame = new ExtentFrame()
          add(frame)
          const bytes = frame.seal(extentChainStart(3))
          const header = encodeExtentRecordHeader({ generation: 3, denseBytes: 0 })
          yield* put(io, "/object", object)
          yield* put(io, "/object.extents", Buffer.concat([header, bytes]))
          assert.strictEqual(yield* judge, -1, `impossible record ${i}`)
        }
      })
    ))

  it("takes no more memory than its own length deserves, whatever it claims", () =>
    run(
      Effect.gen(function* () {
        const io = yield* Io
        const frame = new ExtentFrame()
        frame.extent(0, 2 ** 32 - 1)
        for (let i = 0; i < 2_000; i++) frame.piece(i * 2 ** 20, 2 ** 20, 1)
        const header = encodeExtentRecordHeader({ generation: 0, denseBytes: 0 })
        const bytes = frame.seal(extentChainStart(0))
        yield* put(io, "/object", object)
        yield* Effect.scoped(
          Effect.flatMap(io.open("/object", { readonly: false }), (data) => data.truncate(2 ** 40))
        )
        yield* put(io, "/object.extents", Buffer.concat([header, bytes]))
        assert.strictEqual(yield* judge, 0)
      })
    ))
})
