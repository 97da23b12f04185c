/**
 * A process made a store and was killed before the name of its control file was durable. The next
 * writer found the store, empty, and said so; then power failed, and there was no store at all. Now
 * a writer that finds a store in which nothing was committed yet makes that name durable first.
 */
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { Store } from "../../src/store/Store.ts"
import { exploreCrashes } from "../../src/testing/exploreCrashes.ts"
import { LawBroken } from "../../src/testing/law.ts"

const directory = "/store"

describe("power cuts and kills while a store is made", () => {
  it("never take back a store that a writer has found", async () => {
    const report = await Effect.runPromise(
      exploreCrashes(
        {
          workload: (note: (found: string) => void) =>
            Effect.map(Store.open({ directory, create: true }), () => note("a store")),
          recover: Store.open({ directory }).pipe(
            Effect.map((store) => (store.end() === 0 ? "a store" : "more than was written")),
            Effect.catchTag("NoSuchFile", () => Effect.succeed("none"))
          ),
          law: (found, notes) => {
            if (found === "none" ? notes.includes("a store") : found !== "a store") {
              throw new LawBroken(`there is ${found}`)
            }
          },
          shown: (found) => found
        },
        { kills: 1, inside: 1 }
      )
    )
    assert.deepStrictEqual(report.failures, [])
    assert.isAbove(report.killed, 5)
  })
})
