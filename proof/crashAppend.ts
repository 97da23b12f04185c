/** Power cuts of an append-only file: what was flushed and synced is there, whatever comes behind it. */
import * as Effect from "effect/Effect"
import { AppendOnlyFile } from "../src/file/AppendOnlyFile.ts"
import { Io } from "../src/io/Io.ts"
import type { CrashStory } from "../src/testing/exploreCrashes.ts"
import { LawBroken } from "../src/testing/law.ts"
import { Random } from "../src/testing/random.ts"
import { crashPart } from "./crashPart.ts"
import { hex } from "./hex.ts"

const path = "/log"
const nothing = "no file"

/** The file begins with this from now on; undefined: it may be another one, or none. */
interface Promised {
  readonly begins: string | undefined
}

const workload = (random: Random, note: (note: Promised) => void) =>
  Effect.gen(function* () {
    const autoFlushThreshold = random.oneOf([1, 60, 2000])
    const options = { path, autoFlushThreshold, readsBuffer: random.percent(50) }
    let content: Array<number> = []
    for (let life = random.between(1, 3); life > 0; life--) {
      const anew = content.length === 0 || random.percent(25)
      if (anew) {
        note({ begins: undefined })
        content = []
      }
      const endPoff = content.length
      let syncedBytes = endPoff
      const file = yield* anew
        ? AppendOnlyFile.createRw({ ...options, overwrite: true })
        : AppendOnlyFile.openRw({ ...options, endPoff, deadHeaderSize: 0 })
      for (let left = random.between(1, 6); left > 0; left--) {
        const records = Array.from({ length: random.between(1, 3) }, () =>
          random.bytes(random.percent(20) ? random.between(500, 2500) : random.between(0, 80))
        )
        yield* file.appendAll(records)
        for (const record of records) content.push(...record)
        if (random.percent(30)) continue
        yield* file.flush
        if (random.percent(30)) continue
        yield* file.fsync
        syncedBytes = content.length
        note({ begins: hex(content) })
      }
      yield* file.flush
      yield* file.close
      // What was flushed and not synced: the next life goes over it.
      content = content.slice(0, syncedBytes)
    }
  }).pipe(Effect.scoped)

const recover = Effect.gen(function* () {
  const io = yield* Io
  const endPoff = yield* io.sizeOf(path)
  const file = yield* AppendOnlyFile.openRo({ path, endPoff, deadHeaderSize: 0 })
  return hex(yield* file.read(0, endPoff))
}).pipe(Effect.catchTag("NoSuchFile", () => Effect.succeed(nothing)))

const law = (found: string, notes: ReadonlyArray<Promised>): void => {
  const begins = notes.at(-1)?.begins
  if (begins === undefined || found.startsWith(begins)) return
  const at = [...begins].findIndex((digit, index) => digit !== found[index])
  throw new LawBroken(
    `of ${begins.length / 2} bytes that were synced, ${found === nothing ? 0 : at >> 1} are there`
  )
}

const goOn = Effect.fnUntraced(function* (found: string) {
  const bytes = Uint8Array.of(1, 2, 3)
  const endPoff = found === nothing ? 0 : found.length / 2
  const file = yield* found === nothing
    ? AppendOnlyFile.createRw({ path, overwrite: false })
    : AppendOnlyFile.openRw({ path, endPoff, deadHeaderSize: 0 })
  const offset = yield* file.append(bytes)
  yield* file.flush
  yield* file.fsync
  const begins = hex(yield* file.read(0, offset + bytes.length))
  if (begins !== `${found === nothing ? "" : found}010203`) throw new LawBroken(`found ${begins}`)
  yield* file.close
})

/** The next life goes on behind what it sees. */
const resume = Effect.fnUntraced(function* (found: string, note: (note: Promised) => void) {
  yield* goOn(found)
  note({ begins: `${found === nothing ? "" : found}010203` })
})

const story = (seed: number): CrashStory<string, Promised> => ({
  workload: (note) => Effect.suspend(() => workload(new Random(seed), note)),
  recover,
  law,
  resume,
  goOn
})

export const part = crashPart(story, { states: 90_000 })
