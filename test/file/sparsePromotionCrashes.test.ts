/**
 * A writer that gave up had made `<path>.map.tmp` and removed it again. The next one made its own, and
 * gave the data its final name before any of these names was durable. A power cut that kept the rename
 * and the first writer's empty file, and lost the second's name, left data beside a map of nobody: the
 * pair was `Corrupt`, where it should have been not there yet. Now the directory is synced before the
 * data is renamed.
 */
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { exploreCrashes } from "../../src/testing/exploreCrashes.ts"
import { LawBroken } from "../../src/testing/law.ts"

const path = "/pair"

const made = (byte: number, finish: boolean) =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* SparseFile.create(path)
      yield* writer.appendBytes(Uint8Array.of(byte, byte, byte))
      yield* writer.mapAdd(100, 0, 3)
      if (finish) yield* writer.close
    })
  )

const firstByte = Effect.gen(function* () {
  const reader = yield* SparseFile.open(path, { verifyReads: true })
  const found = new Uint8Array(3)
  yield* reader.read(100, found)
  return found[0]
}).pipe(Effect.catchTag(["Incomplete", "NoSuchFile"], () => Effect.succeed(0)))

describe("a power cut in the promotion of a sparse file", () => {
  it("never leaves the data beside a map that an earlier writer gave up", async () => {
    const report = await Effect.runPromise(
      exploreCrashes(
        {
          workload: (note: (note: number) => void) =>
            Effect.gen(function* () {
              yield* made(1, false)
              yield* made(2, true)
              note(2)
            }),
          recover: firstByte,
          law: (found, notes) => {
            const allowed = notes.length > 0 ? [2] : [0, 2]
            if (!allowed.includes(found)) throw new LawBroken(`the first byte is ${found}`)
          }
        },
        { exhaustivePieces: 14 }
      )
    )
    assert.deepStrictEqual(report.failures, [])
    assert.isAbove(report.distinctStates, 30)
  })
})
