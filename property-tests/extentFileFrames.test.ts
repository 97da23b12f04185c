/**
 * The laws of extentFile.test.ts where the limits are small: what an operation says often takes several frames, and
 * many an extent several pieces.
 */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, it, vi } from "vitest"
import type * as Format from "../src/format/extentRecord.ts"
import { cases, tell, turnsOf } from "./extentFileStory.ts"
import { runProperty } from "./runs.ts"

vi.mock("../src/format/extentRecord.ts", async (original) => ({
  ...(await original<typeof Format>()),
  maxPieceBytes: 700,
  // Room for three entries.
  maxExtentFrameBytes: 80
}))

describe("an extent file of small frames and pieces", () => {
  it.each(cases)("is what its model is: %s", async (_, kinds, laws, runs) => {
    await runProperty(
      fc.asyncProperty(fc.nat(2 ** 31), turnsOf(kinds), (seed, turns) =>
        Effect.runPromise(tell(seed, turns, laws))
      ),
      { runs }
    )
  })
})
