/** Power cuts while an offloaded file is written out: the new file is there whole, or it is not there. */
import * as Effect from "effect/Effect"
import { OffloadedFile } from "../src/file/OffloadedFile.ts"
import { Io } from "../src/io/Io.ts"
import type { CrashStory } from "../src/testing/exploreCrashes.ts"
import { Random } from "../src/testing/random.ts"
import { crashPart } from "./crashPart.ts"
import { hex } from "./hex.ts"
import { checkPromises, type Promised } from "./promises.ts"

const path = "/written"
const nothing = "no file"

const workload = (random: Random, note: (note: Promised) => void) =>
  Effect.gen(function* () {
    const file = yield* OffloadedFile.make({ backing: random.bytes(600) })
    for (let left = random.between(1, 4); left > 0; left--) {
      const length = random.between(1, 400)
      const place = random.below(1500)
      yield* file.writeAt(place, random.percent(50) ? random.bytes(length) : { backingOffset: 100, length })
    }
    const content = new Uint8Array(file.length())
    yield* file.readAt(0, content)
    note({ begun: hex(content) })
    // An attempt before it, which is given up: something is in its way.
    if (random.percent(30)) {
      const io = yield* Io
      // An empty file of that name may come back.
      note({ begun: "" })
      yield* Effect.scoped(io.create(path, { overwrite: false }))
      yield* Effect.ignore(file.materialise(path))
      yield* io.remove(path)
    }
    yield* file.materialise(path)
    note({ done: hex(content) })
  }).pipe(Effect.scoped)

const recover = Effect.gen(function* () {
  const io = yield* Io
  const file = yield* io.open(path, { readonly: true })
  const bytes = new Uint8Array(yield* file.size)
  yield* file.readAt(0, bytes)
  return hex(bytes)
}).pipe(Effect.catchTag("NoSuchFile", () => Effect.succeed(nothing)))

const story = (seed: number): CrashStory<string, Promised> => ({
  workload: (note) => Effect.suspend(() => workload(new Random(seed), note)),
  recover,
  law: (found, notes) => checkPromises(found, notes, nothing)
})

export const part = crashPart(story, { states: 5_000 })
