/** Power cuts of a sparse file in the making: it is there whole under its name, or it is not there. */
import * as Effect from "effect/Effect"
import type { Extent } from "../src/bytes/extent.ts"
import { SparseFile } from "../src/file/SparseFile.ts"
import { Io } from "../src/io/Io.ts"
import type { CrashStory } from "../src/testing/exploreCrashes.ts"
import { LawBroken } from "../src/testing/law.ts"
import { Random } from "../src/testing/random.ts"
import { crashPart } from "./crashPart.ts"
import { hex } from "./hex.ts"
import { checkPromises, type Promised } from "./promises.ts"

const path = "/sparse"
const sourcePath = "/source"
const nothing = "no sparse file"

/** The readable runs of extents that may touch or lie close together. */
const contentOf = (source: Uint8Array, extents: ReadonlyArray<Extent>): string =>
  extents.map(({ length, offset }) => `${offset}:${hex(source.subarray(offset, offset + length))}`).join(" ")

const randomExtents = (random: Random, end: number): Array<Extent> => {
  const extents: Array<Extent> = []
  for (let offset = random.below(100); offset < end;) {
    const length = Math.min(end - offset, random.between(1, random.percent(20) ? 900 : 60))
    extents.push({ offset, length })
    offset += length + random.between(1, 300)
  }
  return extents
}

const workload = (random: Random, note: (note: Promised) => void) =>
  Effect.gen(function* () {
    const io = yield* Io
    const source = random.bytes(random.between(0, 2500))
    const sourceFile = yield* io.create(sourcePath, { overwrite: false })
    yield* sourceFile.writeAt(0, source)
    yield* sourceFile.sync
    yield* io.syncDirectory("/")
    if (random.percent(30)) {
      // Somebody began, and was killed.
      yield* Effect.scoped(
        Effect.flatMap(SparseFile.create(path), (writer) => writer.appendBytes(random.bytes(700)))
      )
    }
    const extents = randomExtents(random, source.length)
    const content = contentOf(source, extents)
    note({ begun: content })
    const writer = yield* SparseFile.create(path, { maxGap: 0 })
    if (random.percent(50)) yield* writer.appendExtents(sourceFile, extents)
    else {
      for (const extent of extents) yield* writer.appendFrom(sourceFile, { ...extent, updateMap: true })
    }
    yield* writer.close
    note({ done: content })
    if (random.percent(30)) yield* opened
  }).pipe(Effect.scoped)

const opened = Effect.gen(function* () {
  const reader = yield* SparseFile.open(path, { verifyReads: true })
  const runs: Array<string> = []
  for (const { length, offset } of reader.extents()) {
    const bytes = new Uint8Array(length)
    yield* reader.read(offset, bytes)
    runs.push(`${offset}:${hex(bytes)}`)
  }
  return runs.join(" ")
}).pipe(Effect.scoped)

const recover = opened.pipe(Effect.catchTag(["Incomplete", "NoSuchFile"], () => Effect.succeed(nothing)))

/** What isn't there can be made; what is there is verified. */
const goOn = Effect.fnUntraced(function* (found: string) {
  if (found !== nothing) {
    yield* SparseFile.verify(path)
    return
  }
  const writer = yield* SparseFile.create(path)
  yield* writer.appendBytes(Uint8Array.of(1, 2, 3))
  yield* writer.mapAdd(7, 0, 3)
  yield* writer.close
  const again = yield* opened
  if (again !== "7:010203") throw new LawBroken(`made anew, it has ${again}`)
})

/** The next writer makes what isn't there. */
const resume = Effect.fnUntraced(function* (found: string, note: (note: Promised) => void) {
  if (found !== nothing) return
  note({ begun: "7:010203" })
  yield* goOn(found)
  note({ done: "7:010203" })
})

const story = (seed: number): CrashStory<string, Promised> => ({
  workload: (note) => Effect.suspend(() => workload(new Random(seed), note)),
  recover,
  law: (found, notes) => checkPromises(found, notes, nothing),
  shown: (found) => (found === nothing ? { begun: found } : { done: found }),
  resume,
  goOn
})

export const part = crashPart(story, {
  states: 50_000,
  exploration: { kills: 1 / 8, within: { exhaustivePieces: 6, samples: 24 } }
})
