/**
 * A SparseIo between a source and a store that misbehave, told step by step beside the flat bytes of the object.
 *
 * What is demanded of every step: what it gives are the bytes of the version that was opened; it fails only
 * where something of it did; what is covered is in the store, and right; nothing that was there is fetched
 * again; the budget is kept; and nothing is under way when it is done.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import type { SourceFailed } from "../src/bytes/errors.ts"
import type { SparseIoService } from "../src/fetch/sparseIoService.ts"
import {
  instanceOf,
  type SourceFault,
  type StoreFailed,
  type TestInstance,
  TestSource,
  TestStore
} from "../test/fetch/sparseIoDoubles.ts"
import { deviceBytes } from "./pageCacheDevice.ts"
import { sameBytes } from "./pageCacheWatch.ts"

export interface SparseIoSetting {
  readonly length: number
  readonly streams: boolean
  readonly most: number
  readonly tells: boolean
  readonly answers: boolean
  readonly hasIdentity: boolean
  readonly seed: number
}

export interface SparseIoSizes {
  readonly chunkSize: number
  readonly concurrency: number
  /** In chunks. */
  readonly request: number
  readonly readAheadBytes: number
  /** In chunks; 0 for none. */
  readonly budget: number
  readonly onStoreFailure: "readThrough" | "fail"
}

export type SparseIoStep =
  | { readonly verb: "read" | "stream" | "prefetch" | "view"; readonly at: number; readonly length: number }
  | { readonly verb: "readChunk" | "lose" | "take"; readonly at: number }
  | { readonly verb: "fault"; readonly fault: SourceFault; readonly after: number }
  | { readonly verb: "storeFails"; readonly operation: "create" | "read" | "delete" }
  | { readonly verb: "storeWorks" | "change" }
  | { readonly verb: "reopen"; readonly sizes: SparseIoSizes }

type Service = SparseIoService<SourceFailed | StoreFailed>

const failures = new Set(["SourceFailed", "SourceChanged", "StoreFailed"])

export class SparseIoPair {
  private readonly setting: SparseIoSetting
  private readonly source: TestSource
  private readonly store: TestStore
  private version = 0
  /** Of the version that was opened. */
  private bytes: Uint8Array
  private sizes: SparseIoSizes
  private scope = Scope.makeUnsafe()
  private instance!: TestInstance
  private viewed = 0
  private viewer!: ReturnType<Service["viewer"]>
  private isChanged = false

  constructor(setting: SparseIoSetting, sizes: SparseIoSizes) {
    this.setting = setting
    this.sizes = sizes
    this.source = new TestSource({ ...setting, identity: setting.hasIdentity ? "0" : undefined })
    this.store = new TestStore(setting)
    this.bytes = this.bytesOf(0)
    this.source.bytesAt = (offset, length) => {
      const bytes = new Uint8Array(length)
      bytes.set(this.bytesOf(this.version).subarray(offset, offset + length))
      return bytes
    }
  }

  open(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { budget, request, ...sizes } = this.sizes
      this.instance = yield* instanceOf(this.source, this.store, {
        ...sizes,
        requestBytes: request * sizes.chunkSize,
        onSourceChanged: "clear",
        ...(budget === 0 ? {} : { budgetBytes: budget * sizes.chunkSize })
      })
      this.isChanged = false
      this.bytes = this.bytesOf(this.version)
      this.viewer = this.instance.service.viewer()
      this.viewed = 0
      yield* this.checkStore()
    }).pipe(Scope.provide(this.scope), Effect.orDie)
  }

  close(): Effect.Effect<void> {
    return Scope.close(this.scope, Exit.void)
  }

  take(step: SparseIoStep): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { source, store } = this
      switch (step.verb) {
        case "fault":
          for (let i = 0; i < step.after; i++) source.faults.push(undefined)
          source.faults.push(step.fault)
          return
        case "storeFails":
          store.failing.add(step.operation)
          return
        case "storeWorks":
          store.failing.clear()
          return
        case "change":
          if (!this.setting.hasIdentity) return
          source.currentIdentity = String(++this.version)
          this.isChanged = true
          return
        case "lose": {
          const offsets = [...store.kept.keys()]
          if (offsets.length > 0) store.kept.delete(offsets[step.at % offsets.length]!)
          return
        }
        case "take": {
          const offsets = [...store.kept.keys()]
          const offset = offsets[step.at % Math.max(1, offsets.length)]
          if (offset !== undefined) store.kept.set(offset, store.kept.get(offset)!.slice(0, -1))
          return
        }
        case "reopen":
          yield* this.close()
          this.scope = Scope.makeUnsafe()
          this.sizes = step.sizes
          source.faults.length = 0
          store.failing.clear()
          return yield* this.open()
        default:
          yield* this.read(step)
          yield* this.checkStore()
      }
    })
  }

  private read(step: Extract<SparseIoStep, { readonly at: number }>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { source } = this
      const at = Math.floor((step.at * (this.setting.length + 10)) / 1000)
      const before = new Set(source.faults.length > 0 ? ["faults"] : [])
      const mayFail =
        this.isChanged ||
        before.size > 0 ||
        (this.sizes.onStoreFailure === "fail" && this.store.failing.size > 0)
      const isPrefetch = step.verb === "prefetch"
      const there = yield* this.reliable()
      source.onCall = ([offset, length]) => {
        assert.isAbove(length, 0, "a request asks for something")
        assert.isAtMost(offset + length, this.setting.length, "a request stays within the object")
        assert.isFalse(
          there.some((extent) => offset < extent.offset + extent.length && extent.offset < offset + length),
          "what the store has is not fetched again"
        )
      }
      const exit = yield* Effect.exit(this.readOnce(step, at))
      source.onCall = () => {}
      if (Exit.isSuccess(exit)) {
        if (exit.value !== undefined) sameBytes(exit.value.bytes, exit.value.expected, step.verb)
        return
      }
      const failure = Exit.findErrorOption(exit)
      if (failure._tag === "None") {
        assert.isTrue(Exit.hasDies(exit) && before.size > 0, "a defect nobody is to blame for")
        return
      }
      const tag = (failure.value as { readonly _tag: string })._tag
      if (tag === "ReadOutOfBounds") return assert.isAtLeast(at, this.setting.length)
      assert.isTrue(failures.has(tag), `${tag} is no failure of a read`)
      if (isPrefetch && this.store.failing.size > 0) return
      assert.isTrue(mayFail, `${step.verb} fails with ${tag}, and nothing is wrong`)
      if (tag === "SourceChanged") assert.isTrue(this.isChanged)
    })
  }

  private readOnce(
    step: Extract<SparseIoStep, { readonly at: number }>,
    at: number
  ): Effect.Effect<{ readonly bytes: Uint8Array; readonly expected: Uint8Array } | undefined, unknown> {
    const { bytes, instance } = this
    const { service } = instance
    switch (step.verb) {
      case "read":
        return Effect.suspend(() => {
          const buffer = new Uint8Array(step.length).fill(0xee)
          return Effect.map(service.read(at, buffer), (count) => {
            assert.strictEqual(count, Math.max(0, Math.min(step.length, bytes.length - at)), "bytes read")
            assert.isTrue(
              buffer.subarray(count).every((byte) => byte === 0xee),
              "behind what was read"
            )
            return { bytes: buffer.subarray(0, count), expected: bytes.subarray(at, at + count) }
          })
        })
      case "readChunk":
        return Effect.map(service.readChunk(at), (chunk) => {
          const start = at - (at % service.chunkSize)
          return { bytes: chunk, expected: bytes.subarray(start, start + service.chunkSize) }
        })
      case "stream":
        return Effect.map(Stream.runCollect(service.stream(at, step.length)), (pieces) => {
          for (const piece of pieces) assert.isAtMost(piece.length, service.chunkSize, "a piece")
          return { bytes: Buffer.concat([...pieces]), expected: bytes.subarray(at, at + step.length) }
        })
      case "prefetch":
        return Effect.gen({ self: this }, function* () {
          yield* service.prefetch({ offset: at, length: step.length })
          const end = Math.min(at + step.length, bytes.length)
          if (end <= at || this.sizes.budget > 0) return undefined
          const covering = (yield* service.coverage()).filter(
            ({ length, offset }) => offset <= at && end <= offset + length
          )
          assert.lengthOf(covering, 1, "what was prefetched is covered")
          return undefined
        })
      case "view":
        return Effect.gen({ self: this }, function* () {
          const { viewer } = this
          if (at <= bytes.length && at % 2 === 0) this.viewed = yield* viewer.seek(at)
          const buffer = new Uint8Array(step.length)
          const from = this.viewed
          assert.strictEqual(viewer.position(), from, "the position stays")
          const count = yield* viewer.read(buffer)
          this.viewed += count
          assert.strictEqual(viewer.position(), this.viewed, "the position behind what was read")
          return { bytes: buffer.subarray(0, count), expected: bytes.subarray(from, from + count) }
        })
      default:
        return Effect.undefined
    }
  }

  /** What is covered and will be read from the store, if nothing is wrong with it. */
  private reliable() {
    return Effect.gen({ self: this }, function* () {
      if (this.store.failing.size > 0 || this.sizes.budget > 0 || !this.setting.tells) return []
      const covered = yield* this.instance.service.coverage()
      return covered.filter(({ length, offset }) => this.has(offset, length))
    })
  }

  /** Whether the store has chunks of a range as extents of their own. */
  private has(offset: number, length: number): boolean {
    const { chunkSize } = this.sizes
    for (let at = offset; at < offset + length; at += chunkSize) {
      if (this.store.kept.get(at)?.length !== Math.min(chunkSize, this.setting.length - at)) return false
    }
    return true
  }

  private checkStore(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { bytes, instance, sizes, source, store } = this
      for (let i = 0; i < 10 && !instance.isIdle(); i++) yield* Effect.yieldNow
      assert.isTrue(instance.isIdle(), "something is left in the tables")
      assert.strictEqual(source.underWay.size, 0, "something is left under way")
      assert.isAtMost(source.mostUnderWay, sizes.concurrency, "requests under way")
      source.mostUnderWay = 0
      let end = -1
      for (const extent of yield* instance.service.coverage()) {
        assert.isAbove(extent.offset, end, "extents are apart, and ascend")
        end = extent.offset + extent.length
        assert.isTrue(extent.offset % sizes.chunkSize === 0 && extent.length > 0)
        assert.isTrue(end % sizes.chunkSize === 0 || end === bytes.length, "whole chunks")
      }
      assert.isAtMost(end, bytes.length)
      for (const [offset, kept] of store.kept) {
        sameBytes(kept, bytes.subarray(offset, offset + kept.length), "what is kept")
      }
      if (sizes.budget === 0 || store.failing.has("delete")) return
      // An extent that failed to be deleted before is deleted with the next chunk that is stored.
      if (!this.setting.tells) return
      assert.isAtMost(store.bytes, sizes.budget * sizes.chunkSize, "the budget")
    })
  }

  private bytesOf(version: number): Uint8Array {
    return deviceBytes(this.setting.length, this.setting.seed * 64 + version * 7 + 1)
  }
}
