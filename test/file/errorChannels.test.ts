/**
 * Error channels list exactly what can occur. The compiler checks these; running them checks nothing
 * that it doesn't.
 */
import type * as Effect from "effect/Effect"
import { describe, expectTypeOf, it } from "vitest"
import type { Offmap } from "../../src/file/Offmap.ts"
import type { SparseFileReader } from "../../src/file/SparseFileReader.ts"
import type { SparseFileWriter } from "../../src/file/SparseFileWriter.ts"

type Tags<T> = T extends Effect.Effect<unknown, { readonly _tag: infer Tag }, never> ? Tag : never
type TagsOf<F extends (...args: never) => unknown> =
  ReturnType<F> extends Effect.Effect<unknown, { readonly _tag: infer Tag }, infer _> ? Tag : never
type Reader = SparseFileReader["Service"]

describe("the error channel", () => {
  it("of opening an offmap holds nothing about a file of our own", () => {
    expectTypeOf<TagsOf<typeof Offmap.open>>().toEqualTypeOf<
      "Corrupt" | "IoFailed" | "NoSuchFile" | "NotADirectory" | "NotAFile"
    >()
  })

  it("of appending bytes holds nothing about arguments that no caller gives", () => {
    expectTypeOf<TagsOf<SparseFileWriter["Service"]["appendBytes"]>>().toEqualTypeOf<
      "Closed" | "IoFailed" | "NoSpace" | "Poisoned"
    >()
  })

  it("of reads at physical offsets holds nothing about holes", () => {
    expectTypeOf<TagsOf<Reader["readPhysical"]>>().toEqualTypeOf<
      "Closed" | "Corrupt" | "InvalidArgument" | "IoFailed" | "ReadOutOfBounds"
    >()
    expectTypeOf<Tags<Reader["close"]>>().toEqualTypeOf<"DoubleClose">()
  })
})
