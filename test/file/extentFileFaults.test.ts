/**
 * Calls that fail: with every operation each call is made to fail once. The error is typed, nothing wrong is served
 * before or after the file is opened again, and what is not concerned stays.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Logger from "effect/Logger"
import { assert, describe, it } from "vitest"
import { IoFailed, NoSpace, Unsupported } from "../../src/bytes/errors.ts"
import { ExtentFile, type ExtentFileService } from "../../src/file/ExtentFile.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { ExtentFileModel } from "../../src/testing/models/extentFile.ts"
import { watchedIo } from "./watchedIo.ts"

const path = "/object"
const objectBytes = 4 * 2 ** 20

const bytesOf = (length: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = 1 + ((i * 7 + seed * 31) % 255)
  return bytes
}

type Failure = "EIO" | "ENOSPC"

const failureOf = (kind: Failure, operation: string): IoFailed | NoSpace =>
  kind === "ENOSPC" && ["writeAt", "sync", "create", "truncate"].includes(operation)
    ? new NoSpace({ path, syscall: operation })
    : new IoFailed({ syscall: operation, path, code: "EIO", cause: new Error("made up") })

interface Operation {
  readonly name: string
  readonly run: (file: ExtentFileService) => Effect.Effect<unknown, unknown>
  readonly model: (model: ExtentFileModel) => void
  /** What it may have changed. */
  readonly from: number
  readonly to: number
}

const creating = (offset: number, bytes: Uint8Array, to = offset + bytes.length): Operation => ({
  name: `creating ${bytes.length} bytes at ${offset}`,
  run: (file) => file.createExtent(offset, bytes),
  model: (model) => model.createExtent(offset, bytes),
  from: offset,
  to
})

const deleting = (offset: number, to: number): Operation => ({
  name: `deleting what is at ${offset}`,
  run: (file) => file.deleteExtent(offset),
  model: (model) => model.deleteExtent(offset),
  from: offset,
  to
})

const operations: ReadonlyArray<Operation> = [
  creating(50_000, bytesOf(1_000, 9)),
  creating(1_500, bytesOf(1_000, 9)),
  creating(1_000, bytesOf(10, 9), 3_000),
  creating(20_500, bytesOf(2_000, 9)),
  creating(500, bytesOf(2 * 2 ** 20, 9)),
  deleting(1_000, 3_000),
  deleting(20_000, 21_000),
  {
    name: "flushing",
    run: (file) => file.flush,
    model: () => {},
    // What was not durable when a sync failed is not believed any more.
    from: 20_000,
    to: 22_000
  },
  {
    name: "clearing",
    run: (file) => file.clear,
    model: (model) => model.clear(),
    from: 0,
    to: objectBytes
  },
  {
    name: "closing",
    run: (file) => file.close,
    model: () => {},
    from: 20_000,
    to: 22_000
  }
]

/** Flushed extents, and two that are not. */
const prepare = (file: ExtentFileService) =>
  Effect.gen(function* () {
    const model = new ExtentFileModel(objectBytes)
    const create = (offset: number, bytes: Uint8Array) => {
      model.createExtent(offset, bytes)
      return file.createExtent(offset, bytes)
    }
    yield* create(0, bytesOf(1_200, 1))
    yield* create(1_000, bytesOf(2_000, 2))
    yield* create(2_500, bytesOf(3_000, 3))
    yield* create(3_000_000, bytesOf(100, 4))
    yield* file.flush
    yield* create(20_000, bytesOf(1_000, 5))
    yield* create(20_900, bytesOf(1_000, 6))
    return model
  })

/** Demands that each extent is as in one of the models, and that those an operation left alone are there. */
const judge = (file: ExtentFileService, models: ReadonlyArray<ExtentFileModel>, operation: Operation) =>
  Effect.gen(function* () {
    const { from, to } = operation
    const found = new Set<number>()
    for (const { length, offset } of file.extents()) {
      const bytes = yield* file.readExtent(offset)
      assert.strictEqual(bytes.length, length)
      assert.isTrue(models.some((model) => Buffer.compare(model.readExtent(offset), bytes) === 0))
      found.add(offset)
    }
    for (const { length, offset } of models[0].extents()) {
      if (offset < to && offset + length > from) continue
      assert.isTrue(found.has(offset), `the extent at ${offset}`)
    }
  })

const tell = (operation: Operation, failure: Failure, call: number, lasting: boolean) =>
  Effect.gen(function* () {
    const inner = yield* Io
    let left = -1
    let hit: string | undefined
    const io: IoService = watchedIo(inner, {
      before: (name) => {
        if (["readAt", "readSomeAt", "size", "classify", "open"].includes(name) || left < 0) return
        if (left > 0) left--
        else {
          if (!lasting) left = -1
          hit ??= name
          throw failureOf(failure, name)
        }
      }
    })
    const { after, before } = yield* Effect.scoped(
      Effect.gen(function* () {
        const file = yield* ExtentFile.open(path)
        const model = yield* prepare(file)
        const changed = model.copy()
        operation.model(changed)
        left = call
        const exit = yield* Effect.exit(operation.run(file))
        left = -1
        if (Exit.isFailure(exit)) {
          const error = Cause.squash(exit.cause) as { readonly _tag?: string }
          assert.include(["IoFailed", "NoSpace", "Poisoned"], error._tag, String(error))
        }
        if (operation.name !== "closing") {
          yield* judge(file, [model, changed], operation)
          // What comes after it is none the worse for it, unless a sync has failed.
          const overlapping = bytesOf(300, 8)
          const created = yield* Effect.exit(file.createExtent(20_800, overlapping))
          for (const each of [model, changed]) {
            if (Exit.isSuccess(created)) each.createExtent(20_800, overlapping)
          }
        }
        return { before: model, after: changed }
      }).pipe(Effect.provideService(Io, io))
    )
    const again = yield* Effect.scoped(
      Effect.gen(function* () {
        const file = yield* ExtentFile.open(path)
        yield* judge(file, [before, after], operation)
        yield* file.createExtent(100_000, bytesOf(10, 1))
        return file.stats()
      })
    )
    assert.strictEqual(again.holes, "supported")
    return hit
  }).pipe(Effect.provide(IoMemory.layer), Effect.provide(Logger.layer([])), Effect.scoped)

describe("an extent file of which a call fails", () => {
  for (const operation of operations) {
    for (const failure of ["EIO", "ENOSPC"] as const) {
      it(`keeps what is not concerned, and serves nothing wrong: ${failure} while ${operation.name}`, async () => {
        for (const lasting of [false, true]) {
          const calls: Array<string> = []
          for (let call = 0; ; call++) {
            const hit = await Effect.runPromise(tell(operation, failure, call, lasting))
            if (hit === undefined) break
            calls.push(hit)
          }
          assert.isAtLeast(calls.length, 2, calls.join(" "))
          assert.isBelow(calls.length, 40)
        }
      })
    }
  }

  it("opens once the failure is over, whichever call of opening it failed at", async () => {
    const program = (call: number) =>
      Effect.gen(function* () {
        const inner = yield* Io
        let left = -1
        let hit = false
        const io = watchedIo(inner, {
          before: (name) => {
            if (left < 0 || left-- > 0) return
            hit = true
            throw failureOf("EIO", name)
          }
        })
        const record = `${path}.extents`
        const { model, said } = yield* Effect.scoped(
          Effect.gen(function* () {
            const model = yield* Effect.flatMap(ExtentFile.open(path), prepare)
            const file = yield* inner.open(record, { readonly: true })
            const said = new Uint8Array(yield* file.size)
            yield* file.readAt(0, said)
            return { model, said }
          })
        )
        // As it was before it was closed: it ends with a frame that is torn, and not with a mark.
        yield* Effect.scoped(
          Effect.flatMap(inner.create(record, { overwrite: true }), (file) =>
            file.writeAt(0, said.subarray(0, said.length - 8))
          )
        )
        left = call
        const exit = yield* Effect.exit(
          Effect.scoped(ExtentFile.open(path)).pipe(Effect.provideService(Io, io))
        )
        left = -1
        if (Exit.isFailure(exit)) {
          assert.strictEqual((Cause.squash(exit.cause) as IoFailed)._tag, "IoFailed")
        }
        const file = yield* ExtentFile.open(path)
        const flushed = model.extents().filter(({ offset }) => offset < 20_000 || offset > 30_000)
        for (const { offset } of flushed) {
          const bytes = yield* file.readExtent(offset)
          assert.isTrue(Buffer.compare(bytes, model.readExtent(offset)) === 0)
        }
        return hit
      }).pipe(
        Effect.scoped,
        Effect.provide(IoMemory.layer),
        Effect.provide(Logger.layer([])),
        Effect.runPromise
      )
    let calls = 0
    while (await program(calls)) calls++
    assert.isAtLeast(calls, 15)
  })

  it("takes nothing more after a failed sync, and serves what it can still prove", async () => {
    await Effect.gen(function* () {
      const inner = yield* Io
      let failing = false
      const io = watchedIo(inner, {
        before: (name, at) => {
          if (failing && name === "sync" && at === path) throw failureOf("EIO", name)
        }
      })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const file = yield* ExtentFile.open(path)
          yield* file.createExtent(0, bytesOf(1_000, 1))
          yield* file.flush
          yield* file.createExtent(5_000, bytesOf(1_000, 2))
          failing = true
          assert.strictEqual((yield* Effect.flip(file.flush))._tag, "IoFailed")
          failing = false
          for (const refused of [
            file.createExtent(9_000, bytesOf(1, 1)),
            file.deleteExtent(0),
            file.clear,
            file.flush,
            file.pin({ identity: "", length: 1 }, "")
          ]) {
            assert.strictEqual((yield* Effect.flip(refused))._tag, "Poisoned")
          }
          assert.strictEqual((yield* file.readExtent(0)).length, 1_000)
          assert.strictEqual((yield* file.readExtent(5_000)).length, 1_000)
          // The system drops what it could not write, and shows what the device has.
          const data = yield* inner.open(path, { readonly: false })
          yield* data.writeAt(5_000, new Uint8Array(1_000))
          assert.isFalse(file.unsafe.read(5_000, new Uint8Array(10)))
          assert.strictEqual((yield* file.readExtent(5_000)).length, 0)
        }).pipe(Effect.provideService(Io, io))
      )
      const file = yield* ExtentFile.open(path)
      assert.deepStrictEqual(file.extents(), [{ offset: 0, length: 1_000 }])
    }).pipe(
      Effect.scoped,
      Effect.provide(IoMemory.layer),
      Effect.provide(Logger.layer([])),
      Effect.runPromise
    )
  })

  it("does without holes: it says so, and zeroes what is deleted", async () => {
    await Effect.gen(function* () {
      const inner = yield* Io
      const io = watchedIo(inner, {
        before: (name) => {
          if (name === "punchHole") throw new Unsupported({ operation: "punchHole", reason: "made up" })
        }
      })
      const file = yield* Effect.provideService(ExtentFile.open(path), Io, io)
      assert.strictEqual(file.stats().holes, "supported")
      yield* file.createExtent(100, bytesOf(3 * 2 ** 20, 1))
      yield* file.createExtent(2 ** 20, bytesOf(5_000, 2))
      yield* file.createExtent(3_500_000, bytesOf(5_000, 2))
      yield* file.flush
      yield* file.deleteExtent(3_500_000)
      const { holes } = file.stats()
      assert.notStrictEqual(holes, "supported")
      assert.deepInclude(holes, { _tag: "Unsupported", reason: "made up" })
      yield* file.deleteExtent(100)
      const model = new ExtentFileModel(objectBytes)
      model.createExtent(2 ** 20, bytesOf(5_000, 2))
      const data = yield* inner.open(path, { readonly: true })
      const bytes = new Uint8Array(yield* data.size)
      yield* data.readAt(0, bytes)
      assert.isTrue(Buffer.compare(bytes, model.bytes.subarray(0, bytes.length)) === 0)
      assert.strictEqual((yield* file.readExtent(2 ** 20)).length, 5_000)
    }).pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise)
  })
})
