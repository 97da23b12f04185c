/**
 * Law: a sparse file gives back, at their old offsets, exactly the bytes that its model has there,
 * and refuses what its model refuses, in the same words; and so it does from afar.
 *
 * Small sources try every constellation of extents; large ones cross blocks, buffers and pieces.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import type { Extent } from "../src/bytes/extent.ts"
import { SparseFile, type RemoteFile, type SparseRemoteReader } from "../src/file/SparseFile.ts"
import type { SparseFileReaderService } from "../src/file/SparseFileReader.ts"
import { attempt } from "../src/io/attempt.ts"
import { Io, type IoFile } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { IoNode } from "../src/io/IoNode.ts"
import { sparseFileWriting } from "../src/testing/commands/lacunaSparseFile.ts"
import { sparseFileModel, takeSparseFileWriting } from "../src/testing/commands/sparseFileCommands.ts"
import {
  smallSparseFiles,
  sparseFileReads,
  type SparseFileScale,
  sparseFileWritingSteps,
  type SparseFileWritingStep
} from "../src/testing/commands/sparseFileSteps.ts"
import { pattern } from "../src/testing/ioLaw.ts"
import type { SparseFileModel, SparseModelOutcome } from "../src/testing/models/sparseFile.ts"
import { runProperty } from "./runs.ts"

interface Story {
  readonly maxGap: number
  readonly verifyReads: boolean
  readonly steps: ReadonlyArray<SparseFileWritingStep>
  readonly reads: ReadonlyArray<Extent>
}

const dense: SparseFileScale = { sourceBytes: 700_000, extentBytes: 3_000, gapBytes: 3_000, extents: 300 }
const large: SparseFileScale = { sourceBytes: 2_500_000, extentBytes: 90_000, gapBytes: 80_000, extents: 40 }

const stories = (scale: SparseFileScale): fc.Arbitrary<Story> =>
  fc.record({
    maxGap: fc.constantFrom(0, 1, 32, 100),
    verifyReads: fc.boolean(),
    steps: fc.array(sparseFileWritingSteps(fc, scale), { maxLength: 8 }),
    reads: fc.array(sparseFileReads(fc, scale), { minLength: 5, maxLength: 25 })
  })

/** What an Effect gave, in the model's words. */
const outcome = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<SparseModelOutcome<A>, never, R> =>
  effect.pipe(
    Effect.map((value): SparseModelOutcome<A> => ({ value })),
    Effect.catch((error: E) => {
      const { _tag, end, reason } = error as E & { end?: number; reason?: string }
      return Effect.succeed({
        failure: _tag,
        ...(_tag === "InvalidSparseRead" ? { reason: String(reason) } : {}),
        ...(_tag === "ReadOutOfBounds" ? { end: Number(end) } : {})
      })
    })
  )

const write = (path: string, story: Story, source: { readonly file: IoFile; readonly bytes: Uint8Array }) =>
  Effect.gen(function* () {
    const writer = yield* SparseFile.create(path, { maxGap: story.maxGap })
    const model = sparseFileModel(source.bytes, story.maxGap)
    const writing = sparseFileWriting(writer, source.file)
    for (const step of story.steps) {
      const sides = [
        { file: model, source: source.bytes },
        { engine: {}, writing }
      ] as const
      yield* Effect.promise(() => takeSparseFileWriting(step, ...sides))
    }
    if (!model.poisoned && model.dangling) {
      assert.deepStrictEqual(yield* outcome(writer.close), { failure: "InvalidArgument" })
      const filler = new Uint8Array(4 * large.extentBytes)
      yield* writer.appendBytes(filler)
      model.appendBytes(filler)
    }
    const closed = yield* outcome(writer.close)
    assert.deepStrictEqual(closed, model.poisoned ? { failure: "Poisoned" } : { value: undefined })
    return model
  }).pipe(Effect.scoped, Effect.orDie)

/** What both kinds of reader answer. */
type Answers = Pick<
  SparseRemoteReader<{ readonly _tag: string }>,
  "read" | "readMany" | "readPhysical" | "readRange"
> & {
  readonly nextValidOffset: (offset: number) => Effect.Effect<number | undefined, unknown>
  readonly mapFind: (offset: number) => Effect.Effect<number | undefined, unknown>
}

const answersOf = (reader: SparseFileReaderService): Answers => ({
  ...reader,
  nextValidOffset: (offset) => Effect.sync(() => reader.nextValidOffset(offset)),
  mapFind: (offset) => Effect.sync(() => reader.mapFind(offset))
})

const compareReads = (answers: Answers, model: SparseFileModel, story: Story) =>
  Effect.gen(function* () {
    const edges = model.bindings.slice(0, 20).flatMap(({ length, virtual }) => [
      { offset: virtual, length },
      { offset: virtual + (length >> 1), length },
      { offset: Math.max(0, virtual - 1), length: 2 },
      { offset: virtual + length, length: 1 }
    ])
    for (const { length, offset } of [...story.reads, ...edges]) {
      yield* compareRead(answers, model, { offset, length })
    }
    const good = story.reads.filter(({ length, offset }) => "value" in model.read(offset, length))
    const many = yield* answers.readMany(
      good.map(({ offset }) => offset),
      good.map(({ length }) => length)
    )
    good.forEach(({ length, offset }, i) => sameBytes({ value: many[i] }, model.read(offset, length)))
  })

const compareLocal = (reader: SparseFileReaderService, model: SparseFileModel, story: Story) =>
  Effect.gen(function* () {
    assert.deepStrictEqual([...reader.extents()], model.extents())
    assert.deepStrictEqual([...reader.offmap.entries()], model.sortedBindings())
    yield* compareReads(answersOf(reader), model, story)
    for (const { length, offset } of story.reads) {
      const buffer = new Uint8Array(length)
      const now = attempt<Uint8Array, { readonly _tag: string }>(() => {
        reader.unsafe.read(offset, buffer)
        return buffer
      })
      sameBytes(yield* outcome(now), model.read(offset, length))
    }
  })

const compareRead = (answers: Answers, model: SparseFileModel, { length, offset }: Extent) =>
  Effect.gen(function* () {
    const expected = model.read(offset, length)
    const buffer = new Uint8Array(length)
    sameBytes(yield* outcome(Effect.as(answers.read(offset, buffer), buffer)), expected)
    for (const minLength of [0, length]) {
      const range = yield* outcome(answers.readRange(offset, { minLength, maxLength: length }))
      sameBytes(range, model.readRange(offset, minLength, length))
    }
    assert.strictEqual(yield* answers.nextValidOffset(offset), model.next(offset))
    assert.strictEqual(yield* answers.mapFind(offset), model.mapFind(offset))
    const physical = new Uint8Array(length)
    const found = yield* outcome(Effect.as(answers.readPhysical(Number(offset), physical), physical))
    const inData = Uint8Array.from(model.data.slice(offset, offset + length))
    sameBytes(
      found,
      offset + length <= model.data.length
        ? { value: inData }
        : { failure: "ReadOutOfBounds", end: model.data.length }
    )
  })

/** A file from afar: it answers later, and now and then with less than it was asked for. */
const fromAfar = (
  path: string
): Effect.Effect<RemoteFile<{ readonly _tag: string }>, never, Io | Scope.Scope> =>
  Effect.gen(function* () {
    const file = yield* (yield* Io).open(path, { readonly: true })
    let reads = 0
    return {
      length: file.size,
      readAt: (offset: number, buffer: Uint8Array) =>
        Effect.andThen(
          Effect.yieldNow,
          file.readSomeAt(offset, reads++ % 3 === 0 ? buffer.subarray(0, (buffer.length >> 1) + 1) : buffer)
        )
    }
  }).pipe(Effect.orDie)

const compareRemote = (path: string, model: SparseFileModel, story: Story) =>
  Effect.gen(function* () {
    const { verifyReads } = story
    const remote = yield* SparseFile.openRemote(yield* fromAfar(path), yield* fromAfar(`${path}.map`), {
      verifyReads
    })
    const answers: Answers = {
      read: (offset, buffer) => remote.read(offset, buffer),
      readMany: (offsets, lengths) => remote.readMany(offsets, lengths),
      readPhysical: (physical, buffer) => remote.readPhysical(physical, buffer),
      readRange: (offset, range) => remote.readRange(offset, range),
      nextValidOffset: (offset) => remote.nextValidOffset(offset),
      mapFind: (offset) => remote.mapFind(offset)
    }
    assert.deepStrictEqual(yield* Stream.runCollect(remote.extents()), model.extents())
    yield* compareReads(answers, model, story)
  })

/** deepStrictEqual takes seconds over a megabyte. */
const sameBytes = (real: SparseModelOutcome<Uint8Array>, expected: SparseModelOutcome<Uint8Array>): void => {
  if ("value" in real && "value" in expected) {
    assert.strictEqual(Buffer.compare(real.value, expected.value), 0, "other bytes were read")
  } else {
    assert.deepStrictEqual(real, expected)
  }
}

const directory = mkdtempSync(join(tmpdir(), "lacuna-sparse-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

const tell = (story: Story, scale: SparseFileScale): Effect.Effect<void, never, Io | Scope.Scope> =>
  Effect.gen(function* () {
    const io = yield* Io
    const root = (yield* io.classify(directory)) === "directory" ? directory : ""
    const bytes = pattern(scale.sourceBytes)
    const file = yield* io.create(`${root}/source${files++}`, { overwrite: false })
    yield* file.writeAt(0, bytes)
    const path = `${root}/sparse${files++}`
    const model = yield* write(path, story, { file, bytes })
    if (model.poisoned) {
      assert.deepStrictEqual(yield* outcome(SparseFile.open(path)), { failure: "NoSuchFile" })
    } else {
      const reader = yield* SparseFile.open(path, { verifyReads: story.verifyReads })
      yield* compareLocal(reader, model, story)
      yield* compareRemote(path, model, story)
      const { bytes, extents } = yield* SparseFile.verify(path)
      assert.deepStrictEqual(
        { bytes, extents },
        { bytes: model.data.length, extents: model.extents().length }
      )
    }
    for (const name of [file.path, path, `${path}.map`]) yield* Effect.ignore(io.remove(name))
  }).pipe(Effect.orDie)

const layers: Record<string, Layer.Layer<Io>> = {
  "in memory": IoMemory.layer,
  "on a disk, mapped where possible": IoNode.layer,
  "on a disk, not mapped": IoNode.layerWith({ mapping: "off" })
}

describe.each(Object.entries(layers))("a sparse file %s", (_, layer) => {
  it.each([
    ["small", smallSparseFiles, 150],
    ["dense", dense, 4],
    ["large", large, 4]
  ] as const)("does what its model does: %s sources", async (_, scale, runs) => {
    await runProperty(
      fc.asyncProperty(stories(scale), (story) =>
        tell(story, scale).pipe(Effect.scoped, Effect.provide(layer), Effect.runPromise)
      ),
      { runs }
    )
  })
})
