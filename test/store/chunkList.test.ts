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
import { expectBytes, isSound, record, reopened } from "./storeHarness.ts"

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

it("with a full list of chunks a split only commits, and a collection up to the active one makes room", () =>
  Effect.gen(function* () {
    const io = yield* Io
    const count = maxChunks - 1
    const bytes = yield* storeOfChunks(io, count)
    const live = [{ offset: 3, length: 4 }]
    yield* reopened(io, directory, (store) =>
      Effect.gen(function* () {
        const chunkCount = () => store.stats().chunks.length
        yield* store.append(record(5, 1))
        yield* store.split
        expect(store.committedEnd()).toBe(count + 5)
        expect(chunkCount()).toBe(count)

        // A collection seals the active chunk, though nothing can be freed. Then there is no room to seal.
        expect(yield* store.collect({ live: [], upTo: 0 })).toMatchObject({ chunksRemoved: 0 })
        expect(chunkCount()).toBe(maxChunks)
        yield* store.append(record(3, 2))
        yield* store.commit
        const active = count + 5
        const { chunks, generation } = store.stats()
        expect(chunks.at(-1)).toMatchObject({ offset: active, length: 3, sealed: false })
        expect(yield* Effect.flip(store.collect({ live, upTo: active + 1 }))).toMatchObject({
          _tag: "InvalidArgument",
          operation: "collect",
          reason: expect.stringContaining(`collect up to ${active} first`)
        })
        expect(store.stats()).toMatchObject({ chunks, generation })
        expect(yield* store.collect({ live: [], upTo: 0 })).toMatchObject({ chunksRemoved: 0 })
        yield* store.append(record(2, 3))
        yield* store.split
        expect(chunkCount()).toBe(maxChunks)
        expect(store.committedEnd()).toBe(active + 5)

        // As it said.
        expect(yield* store.collect({ live, upTo: active })).toMatchObject({ chunksRemoved: count })
        expect(chunkCount()).toBe(1)
        expect(yield* store.collect({ live, upTo: active + 1 })).toMatchObject({ bytesKept: 4 })
        yield* store.split
        yield* store.append(record(1))
        yield* store.split
        expect(chunkCount()).toBe(3)
      })
    )
    yield* reopened(io, directory, (store) =>
      Effect.gen(function* () {
        expectBytes(yield* store.read(3, 4), bytes.subarray(3, 7))
        expectBytes(yield* store.read(count + 6, 2), record(3, 2).subarray(1))
        yield* isSound(store)
      })
    )
  }).pipe(Effect.provide(IoMemory.layer), Effect.runPromise))
