/**
 * Error channels list exactly what can occur. The compiler checks these; running them checks nothing
 * that it doesn't.
 */
import type * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expectTypeOf, it } from "vitest"
import type { Corrupt, InvalidSparseRead } from "../../src/bytes/errors.ts"
import type { Offmap } from "../../src/file/Offmap.ts"
import type { SparseFileReader } from "../../src/file/SparseFileReader.ts"
import type {
  AppendedExtents,
  SparseAppendFromError,
  SparseFileWriter,
  SparseSource
} from "../../src/file/SparseFileWriter.ts"
import type { IoFile } from "../../src/io/Io.ts"

type Tags<T> = T extends Effect.Effect<unknown, { readonly _tag: infer Tag }, never> ? Tag : never
type TagsOf<F extends (...args: never) => unknown> =
  ReturnType<F> extends Effect.Effect<unknown, { readonly _tag: infer Tag }, infer _> ? Tag : never
type Reader = SparseFileReader["Service"]
type Writer = SparseFileWriter["Service"]

describe("the error channel", () => {
  it("of opening an offmap holds nothing about a file of our own", () => {
    expectTypeOf<TagsOf<typeof Offmap.open>>().toEqualTypeOf<
      "Corrupt" | "IoFailed" | "NoSuchFile" | "NotADirectory" | "NotAFile"
    >()
  })

  it("of appending bytes holds nothing about arguments that no caller gives", () => {
    expectTypeOf<TagsOf<Writer["appendBytes"]>>().toEqualTypeOf<
      "Closed" | "IoFailed" | "NoSpace" | "Poisoned"
    >()
  })

  it("of appending holds what only another source than a file says only for such a source", () => {
    type Appending<E = never> = Effect.Effect<AppendedExtents, SparseAppendFromError | E>
    const fromFile = (writer: Writer, file: IoFile) => writer.appendExtents(file, [])
    expectTypeOf(fromFile).returns.toEqualTypeOf<Appending>()
    const oneFromFile = (writer: Writer, file: IoFile) =>
      writer.appendFrom(file, { offset: 0, length: 0, updateMap: true })
    expectTypeOf(oneFromFile).returns.toEqualTypeOf<Effect.Effect<void, SparseAppendFromError>>()
    const fromStore = (writer: Writer, source: SparseSource<Corrupt | InvalidSparseRead>) =>
      writer.appendExtents(source, Stream.fail("no more" as const))
    expectTypeOf(fromStore).returns.toEqualTypeOf<Appending<"no more" | Corrupt | InvalidSparseRead>>()
  })

  it("of reads at physical offsets holds nothing about holes", () => {
    expectTypeOf<TagsOf<Reader["readPhysical"]>>().toEqualTypeOf<
      "Closed" | "Corrupt" | "InvalidArgument" | "IoFailed" | "ReadOutOfBounds"
    >()
    expectTypeOf<Tags<Reader["close"]>>().toEqualTypeOf<"DoubleClose">()
  })
})
