/**
 * Law: an append-only file does what its model does, whatever the sequence of operations, in both
 * modes, over memory and over a disk, with writes and syncs that fail.
 *
 * After every step the outcome, the end, the buffer's emptiness and every byte of the file itself
 * are compared.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import { IoFailed, NoSpace } from "../src/bytes/errors.ts"
import { attempt } from "../src/io/attempt.ts"
import { Io, type IoFile, type IoService, type SyncError, type WriteError } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { IoNode } from "../src/io/IoNode.ts"
import {
  AppendOnlyFile,
  type AppendOnlyFileService,
  type AppendOnlyFlushError,
  type AutoFlushProcedure
} from "../src/file/AppendOnlyFile.ts"
import {
  AppendOnlyFileModel,
  ModelDisk,
  modelOpenFailure,
  type ModelOptions,
  type ModelOutcome,
  type ModelProcedure,
  procedureFailure
} from "../src/testing/models/appendOnlyFile.ts"
import { runProperty } from "./runs.ts"

class ProcedureRefused extends Data.TaggedError(procedureFailure) {}

type Instance = AppendOnlyFileService<unknown>

/** The faults that the model's disk has too. */
interface Faults {
  failingWrite: number
  failingWriteBytes: number
  failsNextSync: boolean
}

const withFaults = (io: IoService, faults: Faults): IoService => {
  const wrap = (file: IoFile): IoFile => {
    const writeAt = (offset: number, bytes: Uint8Array): void => {
      if (faults.failingWrite > 0) {
        faults.failingWrite -= 1
        if (faults.failingWrite === 0) {
          const written = Math.min(bytes.length, faults.failingWriteBytes)
          if (written > 0) file.unsafe.writeAt(offset, bytes.subarray(0, written))
          throw new NoSpace({ path: file.path, syscall: "write" })
        }
      }
      file.unsafe.writeAt(offset, bytes)
    }
    return {
      ...file,
      writeAt: (offset, bytes) => attempt<void, WriteError>(() => writeAt(offset, bytes)),
      sync: Effect.suspend((): Effect.Effect<void, SyncError> => {
        if (!faults.failsNextSync) return file.sync
        faults.failsNextSync = false
        return Effect.fail(new IoFailed({ syscall: "fsync", path: file.path, code: "EIO", cause: "told to" }))
      }),
      unsafe: { ...file.unsafe, writeAt }
    }
  }
  return {
    ...io,
    create: (path, options) => Effect.map(io.create(path, options), wrap),
    open: (path, options) => Effect.map(io.open(path, options), wrap)
  }
}

type Step =
  | { readonly step: "append" | "unsafeAppend"; readonly size: number }
  | { readonly step: "appendAll"; readonly sizes: ReadonlyArray<number> }
  | { readonly step: "flush" | "fsync" | "close" | "failSync" }
  | {
      readonly step: "read" | "readInto" | "unsafeReadInto"
      readonly offset: number
      readonly length: number
    }
  | { readonly step: "refreshEndPoff"; readonly end: number }
  | { readonly step: "failWrite"; readonly after: number; readonly written: number }
  | { readonly step: "create"; readonly options: WriteChoices }
  | {
      readonly step: "open"
      readonly readonly: boolean
      /** Where in the file, and beyond it: 1,000 is its size. */
      readonly endPermille: number
      readonly deadHeaderSize: number
      readonly options: WriteChoices
    }

interface WriteChoices {
  readonly autoFlushThreshold: number
  readonly procedure: ModelProcedure
  readonly readsBuffer: boolean
}

const choices: fc.Arbitrary<WriteChoices> = fc.record({
  autoFlushThreshold: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(1, 16, 64, 100, 300) },
    { weight: 1, arbitrary: fc.constantFrom(0, 2 ** 53 - 1) },
    { weight: 1, arbitrary: fc.constantFrom(-1, 0.5, 2 ** 53) }
  ),
  procedure: fc.constantFrom("internal", "internal", "flushes", "does nothing", "fails"),
  readsBuffer: fc.boolean()
})

const size = fc.oneof({ weight: 6, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.nat(1500) })
const offset = fc.oneof(
  { weight: 8, arbitrary: fc.nat(400) },
  { weight: 2, arbitrary: fc.integer({ min: -80, max: -1 }) },
  { weight: 1, arbitrary: fc.constantFrom(0.5, NaN, 2 ** 53 - 1, 2 ** 53, -Infinity) }
)
const length = fc.oneof(
  { weight: 8, arbitrary: fc.nat(200) },
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 1.5, 2 ** 53 - 1) }
)
const reading = (step: "read" | "readInto" | "unsafeReadInto") =>
  fc.record({ step: fc.constant(step), offset, length: step === "read" ? length : fc.nat(200) })

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ step: fc.constant("append" as const), size }) },
  { weight: 4, arbitrary: fc.record({ step: fc.constant("unsafeAppend" as const), size }) },
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constant("appendAll" as const),
      sizes: fc.array(size, { maxLength: 6 })
    })
  },
  { weight: 4, arbitrary: fc.record({ step: fc.constantFrom("flush" as const, "fsync" as const) }) },
  { weight: 6, arbitrary: fc.oneof(reading("read"), reading("readInto"), reading("unsafeReadInto")) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant("refreshEndPoff" as const), end: offset }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constantFrom("close" as const, "failSync" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant("failWrite" as const),
      after: fc.integer({ min: 1, max: 3 }),
      written: fc.nat(50)
    })
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant("create" as const), options: choices }) },
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constant("open" as const),
      readonly: fc.boolean(),
      endPermille: fc.oneof(
        { weight: 3, arbitrary: fc.nat(1000) },
        { weight: 2, arbitrary: fc.constant(1000) },
        { weight: 1, arbitrary: fc.integer({ min: 1001, max: 1200 }) },
        { weight: 1, arbitrary: fc.constantFrom(-1, 0.0001) }
      ),
      deadHeaderSize: fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(0, 0, 1, 16, 100) },
        { weight: 1, arbitrary: fc.constantFrom(-1, 2.5, 2 ** 53 - 1) }
      ),
      options: choices
    })
  }
)

const procedureOf = (
  procedure: ModelProcedure
): AutoFlushProcedure<AppendOnlyFlushError | ProcedureRefused> => {
  switch (procedure) {
    case "internal":
      return "internal"
    case "flushes":
      return { external: (file) => file.flush }
    case "does nothing":
      return { external: () => Effect.void }
    case "fails":
      return { external: () => Effect.fail(new ProcedureRefused()) }
  }
}

/** The implementation and the model, side by side. */
class Pair {
  readonly disk = new ModelDisk()
  readonly faults: Faults = { failingWrite: 0, failingWriteBytes: 0, failsNextSync: false }
  readonly path: string
  private readonly io: IoService
  private readonly wrapped: IoService
  private exists = false
  private open:
    | { readonly file: Instance; readonly scope: Scope.Closeable; readonly model: AppendOnlyFileModel }
    | undefined
  private counter = 0

  constructor(io: IoService, path: string) {
    this.io = io
    this.path = path
    this.wrapped = withFaults(io, this.faults)
  }

  private async outcomeOf<A>(effect: Effect.Effect<A, unknown>): Promise<ModelOutcome<A>> {
    const exit = await Effect.runPromise(
      Effect.match(effect, {
        onSuccess: (value): ModelOutcome<A> => ({ value }),
        onFailure: (error) => ({ failure: (error as { readonly _tag: string })._tag })
      })
    )
    return exit
  }

  /** Bytes that nobody wrote before, so that a stale one shows. */
  private fresh(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => (this.counter = (this.counter + 7) % 251) + 1)
  }

  async endScope(): Promise<void> {
    if (this.open === undefined) return
    const { model, scope } = this.open
    await Effect.runPromise(Effect.provide(Scope.close(scope, Exit.void), quiet))
    model.endScope()
    this.open = undefined
  }

  private async opening(
    expected: string | undefined,
    options: ModelOptions,
    effect: Effect.Effect<Instance, unknown, Io | Scope.Scope>
  ): Promise<boolean> {
    const scope = Scope.makeUnsafe()
    const outcome = await this.outcomeOf(
      effect.pipe(Scope.provide(scope), Effect.provideService(Io, this.wrapped), Effect.provide(quiet))
    )
    if (expected !== undefined) {
      assert.deepStrictEqual(outcome, { failure: expected })
      // Nothing is leaked though the scope lives on: the lock is free.
      if (this.exists) await Effect.runPromise(Effect.scoped(this.io.lock(this.path)))
      await Effect.runPromise(Scope.close(scope, Exit.void))
      return false
    }
    if (!("value" in outcome)) assert.fail(`opening failed: ${outcome.failure}`)
    this.open = { file: outcome.value, scope, model: new AppendOnlyFileModel(this.disk, options) }
    return true
  }

  async create(choices: WriteChoices, overwrite: boolean): Promise<void> {
    await this.endScope()
    const { autoFlushThreshold, procedure, readsBuffer } = choices
    const options: ModelOptions = { readonly: false, endPoff: 0, deadHeaderSize: 0, ...choices }
    const valid = Number.isSafeInteger(autoFlushThreshold) && autoFlushThreshold >= 0
    const expected = !valid ? "InvalidArgument" : this.exists && !overwrite ? "FileExists" : undefined
    if (expected === undefined) this.disk.bytes = []
    const created = await this.opening(
      expected,
      options,
      AppendOnlyFile.createRw({
        path: this.path,
        overwrite,
        autoFlushThreshold,
        autoFlushProcedure: procedureOf(procedure),
        readsBuffer
      })
    )
    if (created) this.exists = true
  }

  private async reopen(step: Extract<Step, { step: "open" }>): Promise<void> {
    await this.endScope()
    const { deadHeaderSize, endPermille, readonly } = step
    const size =
      this.disk.bytes.length - (deadHeaderSize < this.disk.bytes.length ? Math.floor(deadHeaderSize) : 0)
    const endPoff = Number.isInteger(endPermille) ? Math.round((size * endPermille) / 1000) : endPermille
    const { procedure, ...rest } = step.options
    const options: ModelOptions = { readonly, endPoff, deadHeaderSize, ...step.options }
    const place = { path: this.path, endPoff, deadHeaderSize }
    await this.opening(
      modelOpenFailure(this.disk, options),
      options,
      readonly
        ? AppendOnlyFile.openRo(place)
        : AppendOnlyFile.openRw({ ...place, ...rest, autoFlushProcedure: procedureOf(procedure) })
    )
  }

  private async same<A>(
    effect: Effect.Effect<A, unknown>,
    expected: () => ModelOutcome<unknown>,
    what: string
  ): Promise<void> {
    const outcome = await this.outcomeOf(effect)
    assert.deepStrictEqual<unknown>(outcome, expected(), what)
  }

  async run(step: Step): Promise<void> {
    const what = JSON.stringify(step)
    if (step.step === "open") return this.reopen(step)
    if (step.step === "create") return this.create(step.options, this.counter % 2 === 0)
    if (step.step === "failWrite") {
      this.faults.failingWrite = this.disk.failingWrite = step.after
      this.faults.failingWriteBytes = this.disk.failingWriteBytes = step.written
      return
    }
    if (step.step === "failSync") {
      this.faults.failsNextSync = this.disk.failsNextSync = true
      return
    }
    if (this.open === undefined) return
    const { file, model } = this.open
    switch (step.step) {
      case "append":
      case "unsafeAppend": {
        const bytes = this.fresh(step.size)
        const unsafe = step.step === "unsafeAppend"
        const plain = Array.from(bytes)
        await this.same(
          unsafe ? attempt(() => file.unsafe.append(bytes)) : file.append(bytes),
          () => (unsafe ? model.unsafeAppend(plain) : model.append(plain)),
          what
        )
        bytes.fill(0) // its own copy: what is done to the caller's bytes afterwards doesn't show
        break
      }
      case "appendAll": {
        const records = step.sizes.map((size) => this.fresh(size))
        const plain = records.map((record) => Array.from(record))
        await this.same(file.appendAll(records), () => model.appendAll(plain), what)
        for (const record of records) record.fill(0)
        break
      }
      case "flush":
        await this.same(file.flush, () => model.flush(), what)
        break
      case "fsync":
        await this.same(file.fsync, () => model.fsync(), what)
        break
      case "close":
        await this.same(file.close, () => model.close(), what)
        break
      case "refreshEndPoff":
        await this.same(file.refreshEndPoff(step.end), () => model.refreshEndPoff(step.end), what)
        break
      case "read":
        await this.same(
          Effect.map(file.read(step.offset, step.length), (bytes) => Array.from(bytes)),
          () => model.read(step.offset, step.length),
          what
        )
        break
      case "readInto":
      case "unsafeReadInto": {
        const buffer = new Uint8Array(step.length)
        const into = attempt(() => file.unsafe.readInto(step.offset, buffer))
        await this.same(
          Effect.map(step.step === "readInto" ? file.readInto(step.offset, buffer) : into, () =>
            Array.from(buffer)
          ),
          () => model.read(step.offset, step.length),
          what
        )
      }
    }
    assert.strictEqual(file.endPoff(), model.endPoff(), `endPoff after ${what}`)
    assert.strictEqual(file.emptyBuffer(), model.emptyBuffer(), `emptyBuffer after ${what}`)
  }

  /** The file itself, byte by byte: header, persisted part and stale tail. */
  async compareDisk(): Promise<void> {
    const size = await Effect.runPromise(this.io.sizeOf(this.path))
    const bytes = new Uint8Array(size)
    await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(this.io.open(this.path, { readonly: true }), (file) => file.readAt(0, bytes))
      )
    )
    assert.deepStrictEqual(Array.from(bytes), this.disk.bytes, "the bytes of the file")
  }
}

/** The warnings about tails and the errors about lost bytes are expected here. */
const quiet = Logger.layer([])

const directory = mkdtempSync(join(tmpdir(), "lacuna-append-only-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

const platforms: ReadonlyArray<{ name: string; layer: Layer.Layer<Io>; path: () => string; runs: number }> = [
  { name: "memory", layer: IoMemory.layer, path: () => "/file", runs: 1200 },
  { name: "node:fs", layer: IoNode.layer, path: () => join(directory, `file-${files++}`), runs: 450 }
]

describe.each(platforms)("an append-only file over $name", ({ layer, path, runs }) => {
  it("does what its model does", async () => {
    const property = fc.asyncProperty(
      choices.filter(
        ({ autoFlushThreshold }) => Number.isSafeInteger(autoFlushThreshold) && autoFlushThreshold >= 0
      ),
      fc.array(step, { maxLength: 40, size: "max" }),
      async (first, steps) => {
        const io = await Effect.runPromise(Effect.provide(Io, layer))
        const pair = new Pair(io, path())
        try {
          await pair.create(first, false)
          for (const one of steps) {
            await pair.run(one)
            await pair.compareDisk()
          }
          await pair.endScope()
          await pair.compareDisk()
        } finally {
          await pair.endScope()
          await Effect.runPromise(Effect.ignore(io.remove(pair.path)))
        }
      }
    )
    await runProperty(property, { runs })
  })
})
