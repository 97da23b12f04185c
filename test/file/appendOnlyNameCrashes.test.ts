/**
 * A process made an append-only file and was killed before its name was durable. The next one opened it,
 * appended and synced, and was told that its bytes were durable; then power failed, and there was no such
 * file. Now the first fsync of whoever has opened a file makes its name durable too.
 */
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { AppendOnlyFile } from "../../src/file/AppendOnlyFile.ts"
import { Io } from "../../src/io/Io.ts"
import { exploreCrashes } from "../../src/testing/exploreCrashes.ts"
import { LawBroken } from "../../src/testing/law.ts"

const path = "/log"

const size = Effect.flatMap(Io, (io) => io.sizeOf(path)).pipe(
  Effect.catchTag("NoSuchFile", () => Effect.succeed(0))
)

describe("the name of an append-only file that somebody made who was killed", () => {
  it("is durable once the next process was told that its bytes are", async () => {
    const report = await Effect.runPromise(
      exploreCrashes(
        {
          workload: () =>
            Effect.gen(function* () {
              const file = yield* AppendOnlyFile.createRw({ path, overwrite: false })
              yield* file.append(Uint8Array.of(1, 2, 3))
              yield* file.flush
            }),
          recover: size,
          law: (found, notes: ReadonlyArray<number>) => {
            const promised = notes.at(-1) ?? 0
            if (found < promised) throw new LawBroken(`${promised} bytes were synced, and ${found} are there`)
          },
          resume: (found, note) =>
            Effect.gen(function* () {
              const file = yield* found === 0
                ? AppendOnlyFile.createRw({ path, overwrite: true })
                : AppendOnlyFile.openRw({ path, endPoff: found, deadHeaderSize: 0 })
              yield* file.append(Uint8Array.of(4))
              yield* file.flush
              yield* file.fsync
              note(found + 1)
            })
        },
        { kills: 1 }
      )
    )
    assert.deepStrictEqual(report.failures, [])
    assert.isAbove(report.killed, 2)
  })
})
