/** Sparse files of every version, data and map, stay readable: these were written once, and are never written anew. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { IoNode } from "../../src/io/IoNode.ts"

const path = join(import.meta.dirname, "sparse-1")

/** The byte that the source had at `offset`. */
const sourceByte = (offset: number): number => (offset * 7 + (offset >> 8)) & 0xff

const extents = [
  { offset: 1_000, length: 30_000 },
  { offset: 100_000, length: 40_000 },
  { offset: 1_000_000, length: 1 }
]

describe("a sparse file of version 1", () => {
  it("is whole, holds the extents it was given, and each byte at its offset", async () => {
    const { found, kept } = await Effect.runPromise(
      Effect.gen(function* () {
        yield* SparseFile.verify(path)
        const reader = yield* SparseFile.open(path, { verifyReads: true })
        const read = yield* Effect.forEach(extents, ({ length, offset }) =>
          reader.readRange(offset, { minLength: length, maxLength: length })
        )
        return { found: read, kept: [...reader.extents()] }
      }).pipe(Effect.scoped, Effect.provide(IoNode.layer))
    )
    assert.deepStrictEqual(kept, extents)
    extents.forEach(({ length, offset }, i) => {
      const expected = Uint8Array.from({ length }, (_, at) => sourceByte(offset + at))
      assert.isTrue(Buffer.from(found[i]).equals(expected), `the extent at ${offset}`)
    })
  })
})
