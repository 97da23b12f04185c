/**
 * Reading what has been fetched: 4 KiB at random offsets of an object that lies in the store whole, against
 * `readSync` from the same file; and many readers of one chunk that nobody has fetched yet.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { ByteSource } from "../../src/fetch/ByteSource.ts"
import { SparseIo } from "../../src/fetch/SparseIo.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { expect } from "../expect.ts"
import { makeRandom } from "../random.ts"
import type { Row } from "../result.ts"
import { compare, median } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { randomBytes, writeWarmFile } from "./randomFile.ts"

const readBytes = 4096
const readers = 10_000

export const sparseIoReadCase = Effect.fnUntraced(function* (settings: Settings) {
  const objectBytes = settings.quick ? 2 ** 24 : 2 ** 30
  const count = settings.quick ? 20_000 : 100_000
  const objectPath = path.join(settings.directory, "object")
  const content = randomBytes(objectBytes, 71)
  writeWarmFile(objectPath, content)
  const source = yield* ByteSource.fromFile(objectPath)
  const kept = path.join(settings.directory, "kept")
  const store = yield* ExtentFile.open(kept)
  const io = yield* SparseIo.make({ source, store })
  yield* io.prefetch({ offset: 0, length: objectBytes })
  const fd = fs.openSync(kept, "r")
  yield* Effect.addFinalizer(() => Effect.sync(() => fs.closeSync(fd)))
  const buffer = Buffer.alloc(readBytes)
  const offsetsIn = (round: number): Float64Array => {
    const draw = makeRandom(7100 + round)
    return Float64Array.from({ length: count }, () => draw.below(objectBytes - readBytes))
  }

  for (const offset of offsetsIn(0).subarray(0, 1000)) {
    expect("a read is whole", (yield* io.read(offset, buffer)) === readBytes)
    expect(
      `the bytes at ${offset} are the object's`,
      buffer.equals(content.subarray(offset, offset + readBytes))
    )
  }
  const inEffects = (offsets: Float64Array) =>
    Effect.gen(function* () {
      for (let i = 0; i < offsets.length; i++) yield* io.read(offsets[i], buffer)
    })
  const each = (start: number): number => ((performance.now() - start) * 1e6) / count
  const fetches = io.stats().fetches
  const rows = yield* Effect.promise(() =>
    compare({
      case: "sparse-read",
      variant: `4 KiB at random of ${objectBytes / 2 ** 20} MiB, all of it kept`,
      unit: "ns",
      rounds: settings.rounds,
      to: "readSync",
      sides: [
        {
          name: "read",
          note: "an Effect",
          goal: { most: 2, of: "ratio", to: "readSync" },
          run: async (round) => {
            const offsets = offsetsIn(round)
            const start = performance.now()
            await Effect.runPromise(inEffects(offsets))
            return each(start)
          }
        },
        {
          name: "readSync",
          run: (round) => {
            const offsets = offsetsIn(round)
            const start = performance.now()
            for (let i = 0; i < offsets.length; i++) fs.readSync(fd, buffer, 0, readBytes, offsets[i])
            return each(start)
          }
        }
      ]
    })
  )
  expect("nothing was fetched again", io.stats().fetches === fetches)
  return [...rows, yield* coldReaders(settings, objectPath)]
})

/** How long it takes until all of many readers of one chunk have it. */
const coldReaders = Effect.fnUntraced(function* (settings: Settings, objectPath: string) {
  const source = yield* ByteSource.fromFile(objectPath)
  const measures: Array<number> = []
  for (let round = 0; round <= settings.rounds; round++) {
    const store = yield* ExtentFile.open(path.join(settings.directory, `cold-${round}`))
    const io = yield* SparseIo.make({ source, store })
    const start = performance.now()
    const reads = Array.from({ length: readers }, () => io.readChunk(0))
    const chunks = yield* Effect.all(reads, { concurrency: "unbounded" })
    const millis = performance.now() - start
    expect(
      "all have the chunk",
      chunks.every((chunk) => chunk.length === io.chunkSize)
    )
    expect("it was fetched once", io.stats().fetches === 1)
    if (round > 0) measures.push(millis)
  }
  const row: Row = {
    case: "sparse-read",
    variant: `${readers} readers of one chunk that is not there`,
    side: "readChunk",
    value: median(measures),
    unit: "ms",
    rounds: measures,
    goal: { most: 500, of: "value" },
    note: "one fetch"
  }
  return row
})
