/**
 * The error channels of an offloaded file list exactly what can occur. The compiler checks these; running
 * them checks nothing that it doesn't.
 */
import type * as Effect from "effect/Effect"
import { describe, expectTypeOf, it } from "vitest"
import type { OffloadedCursor, OffloadedFile } from "../../src/file/OffloadedFile.ts"

type File = OffloadedFile["Service"]
type Tags<T> = T extends Effect.Effect<unknown, { readonly _tag: infer Tag }, infer _> ? Tag : never
type TagsOf<F extends (...args: never) => unknown> = Tags<ReturnType<F>>

describe("the error channel", () => {
  it("of making one holds nothing about its backing, which is not looked at yet", () => {
    expectTypeOf<TagsOf<typeof OffloadedFile.make>>().toEqualTypeOf<"InvalidArgument">()
  })

  it("of what needs no memory holds no limit, and of what reads none either", () => {
    expectTypeOf<TagsOf<File["resize"]>>().toEqualTypeOf<"Closed" | "InvalidArgument">()
    expectTypeOf<Tags<File["truncate"]>>().toEqualTypeOf<"Closed">()
    expectTypeOf<Tags<File["flush"]>>().toEqualTypeOf<"Closed">()
    type ReadTags = "Closed" | "Corrupt" | "InvalidArgument" | "IoFailed"
    expectTypeOf<TagsOf<File["readAt"]>>().toEqualTypeOf<ReadTags>()
    expectTypeOf<TagsOf<OffloadedCursor["read"]>>().toEqualTypeOf<ReadTags>()
  })

  it("of what may need memory holds the limit", () => {
    expectTypeOf<Tags<File["clone"]>>().toEqualTypeOf<"Closed" | "MemoryLimit">()
    type WriteTags = "Closed" | "InvalidArgument" | "IoFailed" | "MemoryLimit"
    expectTypeOf<TagsOf<File["writeAt"]>>().toEqualTypeOf<WriteTags>()
    expectTypeOf<TagsOf<OffloadedCursor["write"]>>().toEqualTypeOf<WriteTags>()
  })

  it("of materialising one does not say that a new file is read-only or closed twice", () => {
    type Impossible = Extract<TagsOf<File["materialise"]>, "DoubleClose" | "MemoryLimit" | "RoNotAllowed">
    expectTypeOf<Impossible>().toEqualTypeOf<never>()
  })
})
