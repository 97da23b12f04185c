/**
 * A list of chunks that is full: what still works, and how room is made.
 */
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { crc32 } from "../../src/bytes/crc32.ts"
import { type ControlRecord, maxChunks } from "../../src/format/controlRecord.ts"
import { Io, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { writeSums } from "../../src/store/chunkSums.ts"
import { createControl } from "../../src/store/controlFile.ts"
import { storePaths } from "../../src/store/storePaths.ts"
import { expectBytes, isSound, openOn, record, reopened } from "./storeHarness.ts"

const directory = "/store"

/** A store of so many chunks of one byte: files made by hand, since splits would take a minute. */
const storeOfChunks = (io: IoService, count: number) =>
  Effect.gen(function* () {
    const paths = storePaths(directory)
    const bytes = record(count)
    yield* io.makeDirectory(directory)
    for (let number = 0; number < count; number++) {
      const byte = bytes.subarray(number, number + 1)
      const create = io.create(paths.chunk(number), { overwrite: false })
      yield* Effect.scoped(Effect.flatMap(create, (file) => file.writeAt(0, byte)))
      if (number < count - 1) yield* writeSums(io, paths.sums(number), 1, Uint32Array.of(crc32(byte)))
    }
    const control: ControlRecord = {
      sequence: 1,
      generation: 0,
      suffixStart: 0,
      prefixDataBytes: 0,
      prefixMapBytes: 0,
      firstChunk: 0,
      firstChunkOffset: 0,
      chunkLengths: Array.from({ length: count }, () => 1)
    }
    yield* createControl(io, paths, control)
    return bytes
  })

const inMemory = (name: string, body: Effect.Effect<void, unknown, Io>) =>
  it(name, () => body.pipe(Effect.provide(IoMemory.layer), Effect.runPromise), 30_000)

inMemory(
  "a split of a full list only commits, and a collection makes room",
  Effect.gen(function* () {
    const io = yield* Io
    const count = maxChunks - 1
    const bytes = yield* storeOfChunks(io, count)
    yield* reopened(io, directory, (store) =>
      Effect.gen(function* () {
        yield* store.append(record(5, 1))
        yield* store.split
        expect(store.committedEnd()).toBe(count + 5)
        expect(store.stats().chunks.length).toBe(count)
        const { chunksRemoved } = yield* store.collect({ live: [{ offset: 7, length: 9 }], upTo: count - 1 })
        expect(chunksRemoved).toBe(count - 1)
        expectBytes(yield* store.read(7, 9), bytes.subarray(7, 16))
        yield* store.append(record(1))
        yield* store.split
        expect(store.stats().chunks.at(-1)).toMatchObject({ length: 0, offset: count + 6 })
        yield* isSound(store)
      })
    )
  })
)

inMemory(
  "with no room to seal, a collection up to the active chunk works, and one into it says so",
  Effect.gen(function* () {
    const io = yield* Io
    const bytes = yield* storeOfChunks(io, maxChunks)
    const active = maxChunks - 1
    yield* reopened(io, directory, (store) =>
      Effect.gen(function* () {
        const { chunks, generation } = store.stats()
        expect(chunks.length).toBe(maxChunks)
        const live = [{ offset: 3, length: 4 }]
        expect(yield* Effect.flip(store.collect({ live, upTo: maxChunks }))).toMatchObject({
          _tag: "InvalidArgument",
          operation: "collect",
          reason: expect.stringContaining(`collect up to ${active} first`)
        })
        expect(store.stats()).toMatchObject({ chunks, generation })
        // Nothing is freed, but nothing stands in its way.
        expect(yield* store.collect({ live: [], upTo: 0 })).toMatchObject({ chunksRemoved: 0 })
        yield* store.append(record(1, 1))
        yield* store.commit
        expect(store.stats().chunks.length).toBe(maxChunks)
        expect(yield* store.collect({ live, upTo: active })).toMatchObject({ chunksRemoved: active })
        expect(yield* store.collect({ live, upTo: maxChunks })).toMatchObject({ bytesKept: 4 })
        expectBytes(yield* store.read(3, 4), bytes.subarray(3, 7))
        expectBytes(yield* store.read(maxChunks, 1), record(1, 1))
        yield* isSound(store)
      })
    )
    yield* Effect.scoped(Effect.flatMap(openOn(io, directory), isSound))
  })
)
