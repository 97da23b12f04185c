/**
 * The error channels of a store list exactly what can occur. The compiler checks these; running them
 * checks nothing that it doesn't.
 */
import type * as Effect from "effect/Effect"
import { describe, expectTypeOf, it } from "vitest"
import type { Store, StoreService } from "../../src/store/Store.ts"

type Tags<T> = T extends Effect.Effect<unknown, { readonly _tag: infer Tag }, infer _> ? Tag : never
type TagsOf<F extends (...args: never) => unknown> = Tags<ReturnType<F>>
/** Of a collection whose live extents have no errors of their own. */
type Collecting = (store: StoreService) => ReturnType<typeof store.collect<never, never>>

type FileTags = "IoFailed" | "NoSpace" | "NoSuchFile" | "NotADirectory" | "NotAFile"
type WriterTags = "Closed" | "Poisoned" | "RoNotAllowed"
type ReadTags =
  "Closed" | "Corrupt" | "InvalidArgument" | "InvalidSparseRead" | "IoFailed" | "ReadOutOfBounds"

describe("the error channel", () => {
  it("of opening tells a store that is not there, somebody else's, or damaged", () => {
    expectTypeOf<TagsOf<typeof Store.open>>().toEqualTypeOf<
      "Corrupt" | "FileExists" | "InvalidArgument" | "Locked" | "Unsupported" | FileTags
    >()
  })

  it("of reads holds nothing about files that are opened", () => {
    expectTypeOf<TagsOf<StoreService["read"]>>().toEqualTypeOf<ReadTags>()
    expectTypeOf<TagsOf<StoreService["readInto"]>>().toEqualTypeOf<ReadTags>()
    expectTypeOf<TagsOf<StoreService["readMany"]>>().toEqualTypeOf<ReadTags>()
  })

  it("of appending holds nothing about reading", () => {
    type AppendTags = "FileExists" | "InvalidArgument" | "MemoryLimit" | WriterTags | FileTags
    expectTypeOf<TagsOf<StoreService["append"]>>().toEqualTypeOf<AppendTags>()
    expectTypeOf<TagsOf<StoreService["appendAll"]>>().toEqualTypeOf<AppendTags>()
  })

  it("of commits holds nothing about arguments, and that of rollbacks nothing about the system", () => {
    type CommitTags = "Corrupt" | "FileExists" | WriterTags | FileTags
    expectTypeOf<Tags<StoreService["commit"]>>().toEqualTypeOf<CommitTags>()
    expectTypeOf<Tags<StoreService["split"]>>().toEqualTypeOf<CommitTags>()
    expectTypeOf<Tags<StoreService["rollback"]>>().toEqualTypeOf<WriterTags>()
  })

  it("of refreshing holds nothing about writing", () => {
    expectTypeOf<Tags<StoreService["refresh"]>>().toEqualTypeOf<
      "Closed" | "Corrupt" | "IoFailed" | "NoSuchFile" | "NotADirectory" | "NotAFile" | "RwNotAllowed"
    >()
  })

  it("of collecting holds what reading, copying, making files and committing say, and Locked", () => {
    expectTypeOf<TagsOf<Collecting>>().toEqualTypeOf<
      | "FileExists"
      | "InconsistentStore"
      | "Locked"
      | "MemoryLimit"
      | "Unsupported"
      | ReadTags
      | WriterTags
      | FileTags
    >()
  })

  it("of checking holds no damage, which is what it gives", () => {
    type ScanTags = "IoFailed" | "NoSuchFile" | "NotADirectory"
    expectTypeOf<TagsOf<StoreService["check"]>>().toEqualTypeOf<"Closed" | ScanTags>()
    expectTypeOf<TagsOf<typeof Store.check>>().toEqualTypeOf<ScanTags>()
  })

  it("of backups holds nothing about a writer, but the lock of the copy", () => {
    expectTypeOf<TagsOf<StoreService["backup"]>>().toEqualTypeOf<
      "Closed" | "Corrupt" | "FileExists" | "InvalidArgument" | "Locked" | "Unsupported" | FileTags
    >()
  })

  it("of closing tells what is uncommitted, and nothing else that fails", () => {
    expectTypeOf<Tags<StoreService["close"]>>().toEqualTypeOf<"DoubleClose" | "PendingFlush">()
  })
})
