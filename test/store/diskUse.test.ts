/**
 * What a store takes of the disk: after each of ten collections no more than its live bytes, its
 * map, and the chunks that reach beyond `upTo`.
 */
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import type { Extent } from "../../src/bytes/extent.ts"
import { crc32 } from "../../src/bytes/crc32.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreService } from "../../src/store/storeService.ts"
import { scratchDirectory } from "../io/scratch.ts"
import { deviceBytes, expectedFiles, fileBytes, filesOf } from "../process/storeFiles.ts"

const rounds = 10
const roundBytes = 20 << 20
const chunkSize = 3_000_000
const longestRecord = 8000
const controlBytes = 131_072
const blockBytes = 65_536
/** A file takes whole pages of the device, and its system some for itself. */
const slackBytesPerFile = 2 * 4096

const directory = scratchDirectory()

/** Which records live on: three of ten, another three of them each time. */
const lives = ({ offset }: Extent, round: number): boolean =>
  crc32(Uint8Array.of(round, offset, offset >>> 8, offset >>> 16, offset >>> 24)) % 10 < 3

const recordAt = (offset: number): Uint8Array => {
  const length = 1000 + ((offset * 7) % (longestRecord - 1000))
  return new Uint8Array(length).fill(offset % 251)
}

const sumsBytes = (length: number): number => 40 + Math.ceil(length / blockBytes / 2) * 8

/** So large a map may be: FORMAT.md has some 9 bytes an extent, and a page of index for many. */
const mapLimit = (extents: number, dataBytes: number): number => 4096 + 12 * extents + sumsBytes(dataBytes)

class GrownStore {
  private readonly store: StoreService
  private records: Array<Extent> = []

  constructor(store: StoreService) {
    this.store = store
  }

  readonly grow = Effect.gen({ self: this }, function* () {
    const { store } = this
    for (const limit = store.end() + roundBytes; store.end() < limit;) {
      const bytes = recordAt(store.end())
      this.records.push({ offset: yield* store.append(bytes), length: bytes.length })
    }
    yield* store.commit
  })

  collect(round: number, upTo: number) {
    return Effect.gen({ self: this }, function* () {
      const { store } = this
      const live = this.records.filter((record) => record.offset < upTo && lives(record, round))
      const beyond = this.records.filter(({ offset }) => offset >= upTo)
      const liveBytes = live.reduce((sum, { length, offset }) => sum + Math.min(length, upTo - offset), 0)
      const told = yield* store.collect({ live, upTo })
      assert.strictEqual(told.bytesKept, liveBytes, "bytes kept")
      this.records = [...live, ...beyond]
      return liveBytes
    })
  }

  /** Compares the disk with what is allowed, and gives what was allowed. */
  judge(liveBytes: number, upTo: number): number {
    const { store } = this
    const stats = store.stats()
    const { chunks, directory: path, prefix } = stats
    const files = filesOf(path)
    assert.deepStrictEqual(files, expectedFiles(stats))
    const mapBytes = fs.statSync(join(path, `store.${stats.generation}.prefix.map`)).size
    assert.isAtMost(mapBytes, mapLimit(prefix!.extents, liveBytes), "bytes of the map")
    // What is not eligible: chunks that end beyond upTo, of which one may begin before.
    const remaining = chunks.filter(({ length }) => length > 0)
    for (const { length, offset } of remaining) assert.isAbove(offset + length, upTo, "the end of a chunk")
    const remainingBytes = remaining.reduce((sum, { length }) => sum + length, 0)
    assert.isAtMost(remainingBytes, stats.committedEnd - upTo + chunkSize, "bytes of chunks")
    const sums = remaining.reduce((sum, { length }) => sum + sumsBytes(length), 0)
    const limit = liveBytes + mapBytes + controlBytes + remainingBytes + sums
    assert.isAtMost(fileBytes(path), limit, "bytes of all files")
    assert.isAtMost(deviceBytes(path), limit + files.length * slackBytesPerFile, "bytes of the device")
    return limit
  }

  /** The bytes of some records, all of which are there. */
  readonly look = Effect.gen({ self: this }, function* () {
    for (let i = 0; i < this.records.length; i += 97) {
      const { length, offset } = this.records[i]
      const bytes = yield* this.store.read(offset, length)
      assert.isTrue(Buffer.from(recordAt(offset)).equals(bytes), `the record at ${offset}`)
    }
  })
}

/** Grows and collects a store ten times; `upToOf` chooses between the last `upTo` and the end. */
const grownAndCollected = (path: string, upToOf: (suffixStart: number, end: number) => number) =>
  Effect.gen(function* () {
    const store = yield* Store.open({ directory: path, create: true, chunkSize })
    const grown = new GrownStore(store)
    for (let round = 1; round <= rounds; round++) {
      yield* grown.grow
      const upTo = upToOf(store.stats().suffixStart, store.committedEnd())
      const limit = grown.judge(yield* grown.collect(round, upTo), upTo)
      yield* grown.look
      // Far less than what went through it: what is live shrinks to three tenths each time.
      assert.isBelow(limit, 2.2 * roundBytes)
    }
    assert.isAbove(store.committedEnd(), rounds * roundBytes - 1)
    yield* store.close
  }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

describe("a store that is grown and collected ten times", () => {
  it("takes its live bytes and its map when all of it was collected", () =>
    grownAndCollected(join(directory, "whole"), (_, end) => end))

  it("takes the chunks beyond `upTo` as well, and the one that `upTo` lies in", () =>
    grownAndCollected(join(directory, "middle"), (suffixStart, end) =>
      Math.max(suffixStart, end - 5 * chunkSize - 1_234_567)
    ))
})
