import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { describe, expect, expectTypeOf, it } from "vitest"
import type {
  Closed,
  InvalidArgument,
  IoFailed,
  NoSuchFile,
  NotADirectory,
  NotAFile,
  SourceChanged,
  SourceFailed
} from "../../src/bytes/errors.ts"
import { ByteSource } from "../../src/fetch/ByteSource.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { byteSourceSuite } from "../../src/testing/byteSourceSuite.ts"
import { fileOf, pattern } from "../../src/testing/ioLaw.ts"
import { onEachIo } from "../file/eachIo.ts"

describe("bytes as a source", () => {
  const change = (_: ByteSource<unknown>, bytes: Uint8Array) => ByteSource.fromBytes(bytes)
  for (const law of byteSourceSuite((bytes) => ByteSource.fromBytes(bytes), { change })) {
    it(law.name, law.run)
  }
  for (const law of byteSourceSuite((bytes) => ByteSource.fromBytes(Buffer.from(bytes)))) {
    it(`that are a Buffer: ${law.name}`, law.run)
  }

  it("is a source at once, and the same when it is yielded", async () => {
    const bytes = pattern(100)
    const source = ByteSource.fromBytes(bytes, { name: "the example" })
    expectTypeOf(source).toExtend<ByteSource<InvalidArgument>>()
    expect(source.name).toBe("the example")
    expect(await Effect.runPromise(source)).toBe(source)
  })

  it("has an identity that other bytes of the same length don't have", async () => {
    const identities = [1, 2, 1].map((seed) =>
      Effect.runSync(ByteSource.fromBytes(pattern(1000, seed)).identity)
    )
    expect(identities[0]).toBe(identities[2])
    expect(identities[0]).not.toBe(identities[1])
    expect(identities[0]).toMatch(/^crc32 [0-9a-f]{8}, length 1000$/)
    expect(Effect.runSync(ByteSource.fromBytes(pattern(10)).isVersioned)).toBe(true)
  })

  it("refuses what is no offset, and streams beyond the end", () => {
    const source = ByteSource.fromBytes(pattern(10))
    const refused = { _tag: "InvalidArgument" }
    for (const offset of [-1, 0.5, NaN, 2 ** 53]) {
      expect(Effect.runSync(Effect.flip(source.readAt(offset, new Uint8Array(1))))).toMatchObject(refused)
    }
    expect(Effect.runSync(Effect.flip(Stream.runDrain(source.stream(5, 6))))).toMatchObject(refused)
  })
})

describe("what sources fail with", () => {
  it("is in the types", () => {
    expectTypeOf(ByteSource.fromHttp).returns.toEqualTypeOf<
      Effect.Effect<ByteSource<InvalidArgument | SourceChanged | SourceFailed>, InvalidArgument>
    >()
    expectTypeOf(ByteSource.fromBytes(pattern(1)).length).toEqualTypeOf<Effect.Effect<number>>()
    expectTypeOf(ByteSource.fromFile).returns.toEqualTypeOf<
      Effect.Effect<
        ByteSource<Closed | InvalidArgument | IoFailed | SourceChanged>,
        Closed | InvalidArgument | IoFailed | NoSuchFile | NotADirectory | NotAFile,
        Io | Scope.Scope
      >
    >()
  })
})

describe("a file as a source", () => {
  const files = Effect.runSync(Effect.provide(Io, IoMemory.layer))
  let number = 0
  const laws = byteSourceSuite(
    (bytes) =>
      Effect.gen(function* () {
        const path = `/${number++}`
        yield* fileOf(files, path, bytes)
        return yield* ByteSource.fromFile(path)
      }).pipe(Effect.provideService(Io, files)),
    {
      change: ({ name = "" }, bytes) =>
        Effect.gen(function* () {
          yield* (yield* files.open(name, { readonly: false })).writeAt(0, bytes)
          return yield* ByteSource.fromFile(name)
        }).pipe(Effect.provideService(Io, files))
    }
  )
  for (const law of laws) it(law.name, law.run)

  onEachIo((test) => {
    test("is SourceChanged when it grew or was cut, whatever is asked of it", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/file`
        const file = yield* fileOf(yield* Io, path, pattern(1000))
        for (const size of [1001, 999]) {
          yield* file.truncate(1000)
          const source = yield* ByteSource.fromFile(path)
          yield* source.readAt(0, new Uint8Array(10))
          yield* file.truncate(size)
          const changed = {
            _tag: "SourceChanged",
            source: path,
            expected: "length 1000",
            found: `length ${size}`
          }
          expect(yield* source.length).toBe(1000)
          expect(yield* Effect.flip(source.readAt(0, new Uint8Array(10)))).toMatchObject(changed)
          expect(yield* Effect.flip(source.readAt(990, new Uint8Array(100)))).toMatchObject(changed)
          expect(yield* Effect.flip(source.identity!)).toMatchObject(changed)
        }
      }))

    test("has another identity where the first or the last bytes differ", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/file`
        const file = yield* fileOf(yield* Io, path, pattern(300_000))
        const identity = Effect.scoped(
          Effect.flatMap(ByteSource.fromFile(path), (source) => source.identity!)
        )
        const first = yield* identity
        expect(yield* identity).toBe(first)
        yield* file.writeAt(0, Uint8Array.of(0))
        const second = yield* identity
        yield* file.writeAt(299_999, Uint8Array.of(0))
        const third = yield* identity
        expect(new Set([first, second, third]).size).toBe(3)
        const source = yield* ByteSource.fromFile(path)
        expect(yield* source.isVersioned!).toBe(true)
      }))

    test("refuses what is no offset", (directory) =>
      Effect.gen(function* () {
        yield* fileOf(yield* Io, `${directory}/file`, pattern(10))
        const source = yield* ByteSource.fromFile(`${directory}/file`)
        const refused = { _tag: "InvalidArgument" }
        for (const offset of [-1, 0.5, NaN, 2 ** 53]) {
          expect(yield* Effect.flip(source.readAt(offset, new Uint8Array(1)))).toMatchObject(refused)
        }
      }))

    test("that is missing is NoSuchFile", (directory) =>
      Effect.gen(function* () {
        const path = `${directory}/nothing`
        expect(yield* Effect.flip(ByteSource.fromFile(path))).toMatchObject({ _tag: "NoSuchFile", path })
      }))
  })
})
