/**
 * Error channels list exactly what can occur. The compiler checks these; running them checks nothing that it
 * doesn't.
 */
import type * as Effect from "effect/Effect"
import { describe, expectTypeOf, it } from "vitest"
import type { ExtentFile } from "../../src/file/ExtentFile.ts"
import type { ExtentFileError } from "../../src/file/extentFileService.ts"
import type { ExtentStore } from "../../src/file/extentStore.ts"

type Tags<T> = T extends Effect.Effect<unknown, { readonly _tag: infer Tag }, infer _> ? Tag : never
type Service = ExtentFile["Service"]

describe("the error channel of an extent file", () => {
  it("of reading holds nothing about writing", () => {
    expectTypeOf<Tags<ReturnType<Service["readExtent"]>>>().toEqualTypeOf<
      "Closed" | "InvalidArgument" | "IoFailed"
    >()
  })

  it("of a report holds nothing about locks and space", () => {
    expectTypeOf<Tags<ReturnType<typeof ExtentFile.report>>>().toEqualTypeOf<
      "Corrupt" | "Incomplete" | "IoFailed" | "NoSuchFile" | "NotADirectory" | "NotAFile"
    >()
  })

  it("of opening holds nothing about a file that is open", () => {
    expectTypeOf<Tags<ReturnType<typeof ExtentFile.open>>>().toEqualTypeOf<
      | "Corrupt"
      | "FileExists"
      | "Incomplete"
      | "IoFailed"
      | "Locked"
      | "NoSpace"
      | "NoSuchFile"
      | "NotADirectory"
      | "NotAFile"
      | "Unsupported"
    >()
  })

  it("is that of a store, for whoever takes any", () => {
    expectTypeOf<Service>().toExtend<ExtentStore<ExtentFileError>>()
  })
})
