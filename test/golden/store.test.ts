/** Stores of every version stay readable: this one was written once, and is never written anew. */
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import { scratchDirectory } from "../io/scratch.ts"

const golden = join(import.meta.dirname, "store-1")

/** Records of 100 bytes, each of which is its number over and over. */
const recordBytes = 100
const record = (number: number): Uint8Array => new Uint8Array(recordBytes).fill(number)

/** Of the records before `upTo` every third was kept; behind it there are all. */
const records = 200
const upTo = 90 * recordBytes
const isLive = (number: number): boolean => number * recordBytes >= upTo || number % 3 === 0

const write = (directory: string) =>
  Effect.gen(function* () {
    const store = yield* Store.open({ directory, create: true, chunkSize: 40 * recordBytes })
    for (let number = 0; number < records; number++) yield* store.append(record(number))
    yield* store.commit
    const live = Array.from({ length: records }, (_, number) => number)
      .filter(isLive)
      .map((number) => ({ offset: number * recordBytes, length: recordBytes }))
    yield* store.collect({ live, upTo })
    yield* store.close
  }).pipe(Effect.scoped)

const readAll = (directory: string, readonly: boolean) =>
  Effect.gen(function* () {
    const store = yield* Store.open({ directory, readonly, verifyReads: true })
    for (let number = 0; number < records; number++) {
      const found = yield* Effect.result(store.read(number * recordBytes, recordBytes))
      if (isLive(number)) {
        assert.isTrue(
          found._tag === "Success" && Buffer.from(found.success).equals(record(number)),
          `${number}`
        )
      } else {
        assert.isTrue(found._tag === "Failure" && found.failure._tag === "InvalidSparseRead", `${number}`)
      }
    }
    assert.deepStrictEqual((yield* store.check()).damage, [])
    return store
  })

describe("a store of version 1", () => {
  const scratch = scratchDirectory()

  it("is whole, and holds each live record at its offset", async () => {
    if (process.env["LACUNA_WRITE_GOLDEN"] !== undefined && !fs.existsSync(golden)) {
      await Effect.runPromise(Effect.provide(write(golden), IoNode.layer))
      fs.rmSync(join(golden, "store.lock"))
    }
    const stats = await Effect.runPromise(
      readAll(golden, true).pipe(
        Effect.map((store) => store.stats()),
        Effect.scoped,
        Effect.provide(IoNode.layer)
      )
    )
    assert.deepStrictEqual(
      stats.chunks.map(({ length, number, sealed }) => ({ number, length, sealed })),
      [
        { number: 2, length: 40 * recordBytes, sealed: true },
        { number: 3, length: 40 * recordBytes, sealed: true },
        { number: 4, length: 40 * recordBytes, sealed: true },
        { number: 5, length: 0, sealed: false }
      ]
    )
    assert.strictEqual(stats.prefix?.extents, 30)
  })

  it("goes on: it is appended to, committed and collected", async () => {
    const directory = join(scratch, "store")
    fs.cpSync(golden, directory, { recursive: true })
    await Effect.runPromise(
      Effect.gen(function* () {
        const store = yield* readAll(directory, false)
        assert.strictEqual(yield* store.append(record(200)), records * recordBytes)
        yield* store.commit
        const collected = yield* store.collect({ live: [...store.extents()], upTo: store.committedEnd() })
        assert.strictEqual(collected.bytesFreed, 0)
        assert.deepStrictEqual(yield* store.read(records * recordBytes, recordBytes), record(200))
        assert.deepStrictEqual(yield* store.read(0, recordBytes), record(0))
      }).pipe(Effect.scoped, Effect.provide(IoNode.layer))
    )
  })
})
