/**
 * Opening a map: milliseconds until it can answer, and by how much anonymous memory grew. Each round
 * is a new process, which opens a small map first, so that the code and the mapping's provider are
 * loaded and their memory is not counted; then the big one, cold in that process.
 */
import * as Effect from "effect/Effect"
import path from "node:path"
import { Offmap } from "../../src/file/Offmap.ts"
import { extentArrays } from "../extents.ts"
import { rssAnonBytes, runJob } from "../jobProcess.ts"
import type { Row } from "../result.ts"
import { median } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { writeMapFile } from "./mapFile.ts"

interface Opening {
  readonly millis: number
  readonly grownBytes: number
}

/** In a process of its own: opens the small map, then measures opening the other. */
export const openOnceCase = Effect.fnUntraced(function* (
  _settings: Settings,
  input: { readonly small: string; readonly map: string }
) {
  const small = yield* Offmap.open(input.small)
  if (small.translate(0) !== -1) return yield* Effect.die("offset 0 is in the hole before the first extent")
  globalThis.gc?.()
  const before = rssAnonBytes("self")
  const start = performance.now()
  const map = yield* Offmap.open(input.map)
  const millis = performance.now() - start
  if (map.translate(0) !== -1) return yield* Effect.die("offset 0 is in the hole before the first extent")
  const opening: Opening = { millis, grownBytes: rssAnonBytes("self") - before }
  return opening
})

export const openCase = Effect.fnUntraced(function* (settings: Settings) {
  const counts = settings.quick ? [100_000, 1_000_000] : [1_000_000, 30_000_000]
  const small = path.join(settings.directory, "small.map")
  yield* writeMapFile(small, extentArrays("uniform", 1000))
  const rows: Array<Row> = []
  for (const count of counts) {
    const map = path.join(settings.directory, "open.map")
    yield* writeMapFile(map, extentArrays("uniform", count))
    const openings: Array<Opening> = []
    for (let round = 0; round < settings.rounds; round++) {
      openings.push(
        (yield* Effect.promise(() => runJob<Opening>("openOnce", settings, { small, map }))).result
      )
    }
    const largest = count === counts[counts.length - 1]
    const variant = `${count / 1e6}M uniform`
    const millis = openings.map((opening) => opening.millis)
    const grown = openings.map((opening) => opening.grownBytes / 1e6)
    rows.push({
      case: "open a map",
      variant,
      side: "lacuna",
      value: median(millis),
      unit: "ms",
      rounds: millis,
      ...(largest ? { goal: { most: 5, of: "value" as const } } : {})
    })
    rows.push({
      case: "open a map",
      variant: `${variant}, memory`,
      side: "lacuna",
      value: median(grown),
      unit: "MB RssAnon",
      rounds: grown,
      note: "growth in a new process"
    })
  }
  return rows
})
