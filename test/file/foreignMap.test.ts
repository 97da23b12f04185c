/**
 * A map whose checksums hold, and which no writer of these data made: it binds what lies beyond them. Whoever
 * touches such a binding is told `Corrupt`; what lies within the data is served.
 */
import * as Effect from "effect/Effect"
import { assert, it } from "vitest"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Io } from "../../src/io/Io.ts"
import { rewriteMap } from "./foreignMaps.ts"
import { contentOf, inMemory, pattern, smallExtents, smallSparseFile } from "./sparseFileFiles.ts"

const [first, , last] = smallExtents

/** As `smallSparseFile`, but the map has one byte more of the last extent than there is. */
const foreign = Effect.gen(function* () {
  yield* smallSparseFile("/x")
  const reader = yield* SparseFile.open("/x")
  const bindings = [...reader.offmap.entries()]
  const longer = bindings.map((one) =>
    one.virtual === last.offset ? { ...one, length: last.length + 1 } : one
  )
  yield* reader.close
  yield* rewriteMap(yield* Io, "/x.map", longer)
})

const reason = "the binding of 201 bytes at 1000 reaches beyond the data"
const isBeyond = <A, E, R>(effect: Effect.Effect<A, E, R>, path = "/x.map") =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.deepInclude(error as object, { _tag: "Corrupt", path, offset: 0, reason })
  })

it(
  "is Corrupt to every read of the byte that isn't there, and to none of another",
  inMemory(
    Effect.gen(function* () {
      yield* foreign
      const reader = yield* SparseFile.open("/x")
      const length = last.length + 1
      yield* isBeyond(reader.read(last.offset, new Uint8Array(length)))
      yield* isBeyond(reader.read(last.offset, new Uint8Array(length + 1)))
      yield* isBeyond(reader.readMany([first.offset, last.offset], [1, length]))
      yield* isBeyond(reader.readRange(last.offset, { minLength: 1, maxLength: 1000 }))
      assert.throws(() => reader.unsafe.read(last.offset, new Uint8Array(length)), reason)
      const there = yield* reader.readMany([first.offset, last.offset], [first.length, last.length])
      assert.deepStrictEqual(there[0], pattern(2000).slice(first.offset, first.offset + first.length))
      assert.deepStrictEqual(there[1], pattern(2000).slice(last.offset, last.offset + last.length))
    })
  )
)

it(
  "is Corrupt to whoever verifies the file",
  inMemory(Effect.andThen(foreign, isBeyond(SparseFile.verify("/x"))))
)

it(
  "is Corrupt from afar, too",
  inMemory(
    Effect.gen(function* () {
      yield* foreign
      const afar = (name: string) =>
        Effect.map(contentOf(name), (bytes) => ({
          name,
          length: Effect.succeed(bytes.length),
          readAt: (offset: number, buffer: Uint8Array) =>
            Effect.sync(() => {
              const part = bytes.subarray(offset, offset + buffer.length)
              buffer.set(part)
              return part.length
            })
        }))
      const reader = yield* SparseFile.openRemote(yield* afar("/x"), yield* afar("/x.map"))
      yield* isBeyond(reader.read(last.offset, new Uint8Array(1)))
      yield* isBeyond(reader.readMany([first.offset, last.offset], [1, 1]))
      yield* isBeyond(reader.readRange(last.offset, { minLength: 1, maxLength: 1000 }))
      const [there] = yield* reader.readMany([first.offset], [first.length])
      assert.deepStrictEqual(there, pattern(2000).slice(first.offset, first.offset + first.length))
    })
  )
)
