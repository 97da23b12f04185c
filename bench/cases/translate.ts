/**
 * Lookups of random keys, one in ten in a hole: `translate` one by one, `translateMany` of 1,024,
 * and C's guarded interpolation search over plain sorted arrays. Both sides search files mapped into
 * memory. Every round has its own keys, the same for all sides. Also: the size of the map.
 */
import * as Effect from "effect/Effect"
import path from "node:path"
import { Offmap } from "../../src/file/Offmap.ts"
import type { Offmap as OffmapTag } from "../../src/file/Offmap.ts"
import { expectSame } from "../expect.ts"
import { extentArrays, randomKeys } from "../extents.ts"
import type { Gaps } from "../extents.ts"
import { loadNative } from "../native.ts"
import type { Row } from "../result.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { writeMapFile } from "./mapFile.ts"

type Map = OffmapTag["Service"]

export interface TranslateInput {
  readonly count: number
  readonly gaps: Gaps
}

const ratioGoals = {
  uniform: { single: 1.15, batch: 0.55 },
  "log-normal": { single: 0.95, batch: 0.55 },
  clustered: { single: 0.5, batch: 0.35 }
} as const
const bytesGoal = 8.6
const batchKeys = 1024
const keysARound = 1 << 20

const oneByOne = (map: Map, keys: Float64Array, out: Float64Array): void => {
  for (let i = 0; i < keys.length; i++) out[i] = map.translate(keys[i])
}

const inBatches = (map: Map, batches: ReadonlyArray<readonly [Float64Array, Float64Array]>): void => {
  for (const [keys, out] of batches) map.translateMany(keys, out)
}

const batchesOf = (keys: Float64Array, out: Float64Array): Array<readonly [Float64Array, Float64Array]> =>
  Array.from({ length: keys.length / batchKeys }, (_, b) => {
    const range = [b * batchKeys, (b + 1) * batchKeys] as const
    return [keys.subarray(...range), out.subarray(...range)] as const
  })

export const translateCase = Effect.fnUntraced(function* (
  settings: Settings,
  { count, gaps }: TranslateInput
) {
  const variant = `${count / 1e6}M ${gaps}`
  const extents = extentArrays(gaps, count)
  const mapPath = path.join(settings.directory, "translate.map")
  const plainPath = path.join(settings.directory, "translate.plain")
  const imageBytes = yield* writeMapFile(mapPath, extents)
  const map = yield* Offmap.open(mapPath)
  const native = loadNative()
  const plain = typeof native === "string" ? undefined : openPlain(plainPath)
  const outOurs = new Float64Array(keysARound)
  const outMany = new Float64Array(keysARound)
  const outC = new Float64Array(keysARound)

  function openPlain(file: string) {
    if (
      typeof native === "string" ||
      native.plainWrite(file, extents.virtuals, extents.lengths, count) !== 0
    ) {
      throw new Error("C could not write its arrays")
    }
    const pointer = native.plainOpen(file, count)
    if (pointer === null) throw new Error("C could not map its arrays")
    return { native, pointer }
  }

  let keysOf: { round: number; keys: Float64Array } = { round: -1, keys: new Float64Array(0) }
  const keysIn = (round: number): Float64Array => {
    if (keysOf.round !== round) keysOf = { round, keys: randomKeys(extents, keysARound, 1000 + round) }
    return keysOf.keys
  }
  /** Warms what every round's first lookups would pay for, with keys of no round. */
  const others = randomKeys(extents, 4 * batchKeys, 5)
  const goals = ratioGoals[gaps]
  const sides: Array<Side> = [
    {
      name: "translate",
      goal: { most: goals.single, of: "ratio", to: "C" },
      run: (round) => {
        const keys = keysIn(round)
        oneByOne(map, others, outOurs)
        return nanosEach(keys.length, () => oneByOne(map, keys, outOurs))
      }
    },
    {
      name: "translateMany",
      goal: { most: goals.batch, of: "ratio", to: "C" },
      run: (round) => {
        const batches = batchesOf(keysIn(round), outMany)
        inBatches(map, batchesOf(others, outMany))
        return nanosEach(keysARound, () => inBatches(map, batches))
      }
    }
  ]
  if (plain !== undefined) {
    sides.push({
      name: "C",
      note: "guarded interpolation, sorted arrays",
      run: (round) => {
        const keys = keysIn(round)
        plain.native.plainTranslate(plain.pointer, others, others.length, outC)
        return nanosEach(keys.length, () =>
          plain.native.plainTranslate(plain.pointer, keys, keys.length, outC)
        )
      }
    })
  }
  // The answers, before any of them is timed.
  const keys = keysIn(0)
  for (let i = 0; i < keys.length; i++) outOurs[i] = map.translate(keys[i])
  for (const [some, out] of batchesOf(keys, outMany)) map.translateMany(some, out)
  expectSame("translateMany and translate", outMany, outOurs)
  if (plain !== undefined) {
    plain.native.plainTranslate(plain.pointer, keys, keys.length, outC)
    expectSame("C and translate", outC, outOurs)
  }
  const rows = yield* Effect.promise(() =>
    compare({ case: "translate", variant, unit: "ns", rounds: settings.rounds, sides })
  )
  if (plain !== undefined) plain.native.plainClose(plain.pointer)
  const size: Row = {
    case: "offmap size",
    variant: `${variant}, ascending`,
    side: "lacuna",
    value: imageBytes / count,
    unit: "bytes an extent",
    goal: { most: bytesGoal, of: "value" }
  }
  return [...rows, size]
})
