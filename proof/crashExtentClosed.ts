/**
 * Power cuts behind the close of an extent file: that all of its record was durable is durable too, so
 * that what is missing from it later is known to be damage, and is not taken for what a crash left.
 */
import * as Effect from "effect/Effect"
import { ExtentFile } from "../src/file/ExtentFile.ts"
import { Io } from "../src/io/Io.ts"
import type { CrashStory } from "../src/testing/exploreCrashes.ts"
import { LawBroken } from "../src/testing/law.ts"
import { Random } from "../src/testing/random.ts"
import { crashPart } from "./crashPart.ts"

const path = "/object"

type Found = "Corrupt" | "opened"

const workload = (random: Random, note: (note: "closed" | "open") => void) =>
  Effect.gen(function* () {
    for (let lives = random.between(1, 3); lives > 0; lives--) {
      const file = yield* ExtentFile.open(path)
      for (let left = random.between(1, 5); left > 0; left--) {
        note("open")
        yield* file.createExtent(random.below(3000), random.bytes(random.between(1, 100)))
        if (random.percent(20)) yield* file.flush
      }
      yield* file.close
      note("closed")
    }
  }).pipe(Effect.scoped)

/** The end of the record goes missing, and then somebody opens the file. */
const recover: Effect.Effect<Found, unknown, Io> = Effect.gen(function* () {
  const io = yield* Io
  const record = yield* io.open(`${path}.extents`, { readonly: false })
  const size = yield* record.size
  if (size > 0) yield* record.truncate(size - 1)
  yield* record.close
  yield* ExtentFile.open(path)
  return "opened" as const
}).pipe(
  Effect.catchTag("Corrupt", () => Effect.succeed("Corrupt" as const)),
  Effect.catchTag("NoSuchFile", () => Effect.succeed("opened" as const)),
  Effect.scoped
)

const story = (seed: number): CrashStory<Found, "closed" | "open"> => ({
  workload: (note) => Effect.suspend(() => workload(new Random(seed), note)),
  recover,
  law: (found, notes) => {
    if (notes.at(-1) === "closed" && found !== "Corrupt") {
      throw new LawBroken("the record of a closed file lost its end, and the file was opened all the same")
    }
  }
})

export const part = crashPart(story, { states: 3_000, exploration: { kills: 0, inside: 0 } })
