/**
 * An offloaded file and its clones beside their models: every step is taken by both, and what they give
 * and what they consist of is compared.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { assert } from "vitest"
import { MemoryLimiter } from "../src/bytes/memoryLimiter.ts"
import { OffloadedFile } from "../src/file/OffloadedFile.ts"
import type { OffloadedCursor, OffloadedFileService } from "../src/file/offloadedFileService.ts"
import { Io } from "../src/io/Io.ts"
import {
  type OffloadedCursorModel,
  OffloadedFileModel,
  OffloadedModelLimit
} from "../src/testing/models/offloadedFile.ts"
import { noise, TestBacking } from "./offloadedFileBacking.ts"
import { now, offsetOf, outcome, sameBytes } from "./offloadedFileOutcome.ts"
import type { OffloadedStep, OffloadedStory, Source } from "./offloadedFileSteps.ts"

interface Cursors {
  readonly real: OffloadedCursor
  readonly model: OffloadedCursorModel
}

interface Entry {
  readonly file: OffloadedFileService
  readonly model: OffloadedFileModel
  readonly scope: Scope.Closeable
  readonly cursors: Array<Cursors>
}

/** No more files than this at once. */
const maxFiles = 4

export class OffloadedPair {
  private readonly entries: Array<Entry> = []
  private readonly directory: string
  private readonly backing: TestBacking
  private readonly limit: OffloadedModelLimit
  private readonly limiter: number | MemoryLimiter | undefined
  private paths = 0

  constructor(
    { limit, shared }: OffloadedStory,
    options: { readonly backingBytes: number; readonly directory: string }
  ) {
    this.directory = options.directory
    this.backing = new TestBacking(options.backingBytes)
    this.limit = new OffloadedModelLimit(limit)
    this.limiter = limit === undefined || !shared ? limit : MemoryLimiter.make(limit)
  }

  /** Begins with one file, over the backing in memory or in a file. */
  open(backingKind: OffloadedStory["backingKind"]): Effect.Effect<void, never, Io | Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      if (backingKind === "file") yield* this.backing.moveTo(`${this.directory}/backing`)
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
      const made = OffloadedFile.make({ backing: this.backing.real, memoryLimit: this.limiter })
      const file = yield* Effect.provideService(made, Scope.Scope, scope)
      this.add(file, new OffloadedFileModel(this.backing.model, this.limit), scope)
    }).pipe(Effect.orDie)
  }

  /** Takes a step with one of the files, and one of its cursors. */
  take(who: number, cursor: number, step: OffloadedStep): Effect.Effect<void, never, Io | Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const entry = this.entries[who % this.entries.length]
      const { cursors, file, model } = entry
      const at = cursors[cursor % cursors.length]
      switch (step.step) {
        case "write":
          return yield* this.write(entry, offsetOf(step.place, model), step.source, step.now)
        case "sprinkle":
          return yield* this.sprinkle(entry, step)
        case "resize": {
          const length = offsetOf(step.place, model)
          const real = yield* outcome(file.resize(length, step.fill))
          return assert.deepStrictEqual(real, model.resize(length, step.fill), "resize")
        }
        case "truncate":
          return assert.deepStrictEqual(yield* outcome(file.truncate), model.truncate(), "truncate")
        case "flush":
          return assert.deepStrictEqual(yield* outcome(file.flush), { value: undefined }, "flush")
        case "seek":
          return assert.deepStrictEqual(yield* outcome(at.real.seek(step)), at.model.seek(step), "seek")
        case "cursor read": {
          const buffer = new Uint8Array(step.length)
          const real = yield* outcome(Effect.map(at.real.read(buffer), (count) => buffer.subarray(0, count)))
          return sameBytes(real, at.model.read(step.length), "a cursor's read")
        }
        case "cursor write": {
          const data = this.backing.dataOf(step.source)
          const real = yield* outcome(at.real.write(data))
          return assert.deepStrictEqual(real, this.backing.writeBy(at.model, data), "a cursor's write")
        }
        case "cursor":
          cursors.push({
            real: file.cursor({ clamp: step.clamp }),
            model: model.cursor({ clamp: step.clamp })
          })
          return
        case "read":
          return yield* this.read(entry, offsetOf(step.place, model), step.length, step.now)
        case "grow backing":
          return yield* this.backing.grow(noise(step.length, step.seed))
        case "clone":
          return yield* this.clone(entry)
        case "close":
          return yield* this.close(entry)
        case "materialise":
          return yield* this.materialise(entry)
      }
    })
  }

  /** Compares all files: what they consist of, and, if `whole`, every byte. */
  compare(whole: boolean): Effect.Effect<void> {
    return Effect.forEach(this.entries, (entry) => this.compareOne(entry, whole), { discard: true })
  }

  private compareOne({ cursors, file, model }: Entry, whole: boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      assert.strictEqual(file.length(), model.size, "length")
      assert.strictEqual(file.memoryBytes(), model.memoryBytes, "bytes in memory")
      if (this.limiter instanceof MemoryLimiter) assert.strictEqual(this.limiter.used(), this.limit.used)
      for (const { model, real } of cursors) assert.strictEqual(real.position(), model.position, "position")
      if (!whole) return
      const buffer = new Uint8Array(model.size + 3)
      const count = yield* file.readAt(0, buffer)
      sameBytes({ value: buffer.subarray(0, count) }, model.readAt(0, buffer.length), "contents")
      assert.deepStrictEqual(file.extents(), model.extents(), "extents")
      assert.deepStrictEqual(file.holes(), model.holes(), "holes")
      const inMemory = file
        .extents()
        .reduce((sum, { kind, length }) => sum + (kind === "memory" ? length : 0), 0)
      assert.strictEqual(inMemory, file.memoryBytes(), "extents in memory")
    }).pipe(Effect.orDie)
  }

  private add(file: OffloadedFileService, model: OffloadedFileModel, scope: Scope.Closeable): void {
    this.entries.push({ file, model, scope, cursors: [{ real: file.cursor(), model: model.cursor() }] })
  }

  private write(
    { file, model }: Entry,
    offset: number,
    source: Source,
    atOnce: boolean
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      const data = this.backing.dataOf(source)
      const write = atOnce ? now(() => file.unsafe.writeAt(offset, data)) : file.writeAt(offset, data)
      return Effect.map(outcome(write), (real) => {
        assert.deepStrictEqual(real, this.backing.writeTo(model, offset, data), "write")
        if (source.from === "memory" && data instanceof Uint8Array) data.fill(0xee) // it was copied
      })
    })
  }

  private sprinkle(entry: Entry, step: Extract<OffloadedStep, { step: "sprinkle" }>): Effect.Effect<void> {
    const start = offsetOf(step.place, entry.model)
    const { count, length, order, sources, stride } = step
    return Effect.forEach(
      Array.from({ length: count }, (_, i) => i),
      (i) => {
        const nth = order === "forwards" ? i : order === "backwards" ? count - 1 - i : (i * 7919) % count
        const from = sources[i % sources.length]
        const source: Source =
          from === "memory"
            ? { from, length, seed: nth }
            : { from: from === "alias" ? "alias" : "range", at: (nth * 13) % 1001, length }
        return this.write(entry, start + nth * stride, source, i % 2 === 0)
      },
      { discard: true }
    )
  }

  private read({ file, model }: Entry, offset: number, length: number, atOnce: boolean): Effect.Effect<void> {
    const buffer = new Uint8Array(length)
    const read = atOnce ? now(() => file.unsafe.readAt(offset, buffer)) : file.readAt(offset, buffer)
    const given = Effect.map(read, (count) => buffer.subarray(0, count))
    return Effect.map(outcome(given), (real) => sameBytes(real, model.readAt(offset, length), "a read"))
  }

  private clone({ file, model }: Entry): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      if (this.entries.length === maxFiles) return
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
      const real = yield* outcome(Effect.provideService(file.clone, Scope.Scope, scope))
      const expected = model.clone()
      if ("value" in real && "value" in expected) this.add(real.value, expected.value, scope)
      else assert.deepStrictEqual<unknown>(real, expected, "clone")
    })
  }

  /** Closes all but the last. */
  private close(entry: Entry): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (this.entries.length === 1) return
      const { file, model, scope } = entry
      yield* Scope.close(scope, Exit.void)
      model.close()
      this.entries.splice(this.entries.indexOf(entry), 1)
      const closed = { failure: "Closed" }
      assert.deepStrictEqual(yield* outcome(file.writeAt(0, noise(3, 3))), closed)
      assert.deepStrictEqual(yield* outcome(file.readAt(0, new Uint8Array(3))), closed)
      assert.deepStrictEqual(yield* outcome(file.resize(9)), closed)
      assert.deepStrictEqual(yield* outcome(Effect.scoped(file.clone)), closed)
      assert.deepStrictEqual(yield* outcome(now(() => file.extents())), closed)
    })
  }

  private materialise({ file, model }: Entry): Effect.Effect<void, never, Io> {
    return Effect.gen({ self: this }, function* () {
      const io = yield* Io
      const path = `${this.directory}/whole${this.paths++}`
      yield* file.materialise(path)
      assert.deepStrictEqual(yield* outcome(file.materialise(path)), { failure: "FileExists" })
      const whole = yield* io.open(path, { readonly: true })
      const bytes = new Uint8Array(yield* whole.size)
      yield* whole.readAt(0, bytes)
      sameBytes({ value: bytes }, model.readAt(0, model.size), "the file that was made")
      yield* io.remove(path)
    }).pipe(Effect.scoped, Effect.orDie)
  }
}
