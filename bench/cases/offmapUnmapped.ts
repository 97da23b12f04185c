/**
 * What it costs an offmap that its file can't be mapped: `translate` of random keys, one in ten in a
 * hole, where its blocks are read instead, and the anonymous memory that this takes. Each round of
 * each side is a new process, so that neither meets the memory or the compiled code of the other.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { Offmap } from "../../src/file/Offmap.ts"
import type { Offmap as OffmapTag } from "../../src/file/Offmap.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import type { IoNodeOptions } from "../../src/io/IoNode.ts"
import { expectSame } from "../expect.ts"
import { extentArrays, randomKeys } from "../extents.ts"
import { rssAnonBytes, runJob } from "../jobProcess.ts"
import type { Row } from "../result.ts"
import { median, nanosEach } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { writeMapFile } from "./mapFile.ts"

type Mapping = NonNullable<IoNodeOptions["mapping"]>

interface OnceInput {
  readonly mapping: Mapping
  readonly map: string
  /** Files of doubles: the keys, and what they are translated to. */
  readonly keys: string
  readonly wanted: string
}

/** Nanoseconds a key, of the first pass over the keys and of later ones, and bytes. */
interface Lookups {
  readonly first: number
  readonly later: number
  readonly grownBytes: number
}

interface Opened {
  /** The path of the map. */
  readonly map: string
  readonly keys: Float64Array
  readonly wanted: Float64Array
}

const laterPasses = 3

/** Memory of large arrays is given back by a thread of the collector's own. */
const collectGarbage = Effect.andThen(
  Effect.sync(() => globalThis.gc?.()),
  Effect.sleep(100)
)

const translateEach = (map: OffmapTag["Service"], keys: Float64Array, out: Float64Array): void => {
  for (let i = 0; i < keys.length; i++) out[i] = map.translate(keys[i])
}

const readDoubles = (file: string): Float64Array =>
  new Float64Array(new Uint8Array(fs.readFileSync(file)).buffer)

/** Opens the map and translates the keys, again and again. */
const lookUp = Effect.fnUntraced(function* ({ keys, map, wanted }: Opened) {
  const out = new Float64Array(keys.length).fill(0)
  const opened = yield* Offmap.open(map)
  const first = nanosEach(keys.length, () => translateEach(opened, keys, out))
  expectSame("what was translated", out, wanted)
  const later: Array<number> = []
  for (let pass = 0; pass < laterPasses; pass++) {
    later.push(nanosEach(keys.length, () => translateEach(opened, keys, out)))
  }
  expectSame("what was translated again", out, wanted)
  // While the map is open.
  yield* collectGarbage
  return { first, later: median(later), residentBytes: rssAnonBytes("self") }
}, Effect.scoped)

const lookUpTwice = Effect.fnUntraced(function* (input: OnceInput) {
  const opened: Opened = {
    map: input.map,
    keys: readDoubles(input.keys),
    wanted: readDoubles(input.wanted)
  }
  // Teaches the compiler, loads the mapping's provider, and lets the heap grow.
  yield* lookUp(opened)
  yield* collectGarbage
  const before = rssAnonBytes("self")
  const { first, later, residentBytes } = yield* lookUp(opened)
  const lookups: Lookups = { first, later, grownBytes: residentBytes - before }
  return lookups
})

/** In a process of its own: opens the map in one of the two ways, and translates the keys. */
export const offmapUnmappedOnceCase = (_settings: Settings, input: OnceInput) =>
  lookUpTwice(input).pipe(Effect.provide(IoNode.layerWith({ mapping: input.mapping })))

const rowsOf = (count: number, lookups: { readonly [M in "auto" | "off"]: ReadonlyArray<Lookups> }) => {
  const sideNames = { auto: "mapped", off: "not mapped" } as const
  const row = (
    mapping: "auto" | "off",
    { measure, unit, variant }: { variant: string; unit: string; measure: (of: Lookups) => number }
  ): Row => {
    const rounds = lookups[mapping].map(measure)
    const ratios = rounds.map((value, i) => value / measure(lookups.auto[i]))
    return {
      case: "pages-offmap",
      variant: `${count / 1e6}M uniform, ${variant}`,
      side: sideNames[mapping],
      value: median(rounds),
      unit,
      rounds,
      ...(mapping === "off" && unit === "ns" ? { ratio: median(ratios) } : {})
    }
  }
  return (["auto", "off"] as const).flatMap((mapping) => [
    row(mapping, { variant: "translate, first pass", unit: "ns", measure: ({ first }) => first }),
    row(mapping, { variant: "translate, later passes", unit: "ns", measure: ({ later }) => later }),
    row(mapping, {
      variant: "memory after them",
      unit: "MB RssAnon",
      measure: ({ grownBytes }) => grownBytes / 1e6
    })
  ])
}

export const offmapUnmappedCase = Effect.fnUntraced(function* (settings: Settings) {
  const counts = settings.quick ? [100_000, 1_000_000] : [1_000_000, 10_000_000]
  const keyCount = settings.quick ? 1 << 16 : 1 << 19
  const at = (name: string): string => path.join(settings.directory, name)
  const files = { map: at("map"), keys: at("keys"), wanted: at("wanted") }
  const rows: Array<Row> = []
  for (const count of counts) {
    const extents = extentArrays("uniform", count)
    yield* writeMapFile(files.map, extents)
    const keys = randomKeys(extents, keyCount, 15)
    fs.writeFileSync(files.keys, keys)
    fs.writeFileSync(files.wanted, wantedOf(extents, keys))
    const lookups = { auto: [] as Array<Lookups>, off: [] as Array<Lookups> }
    for (let round = 0; round < settings.rounds; round++) {
      const order = round % 2 === 0 ? (["auto", "off"] as const) : (["off", "auto"] as const)
      for (const mapping of order) {
        const input: OnceInput = { ...files, mapping }
        const once = () => runJob<Lookups>("offmapUnmappedOnce", settings, input)
        lookups[mapping].push((yield* Effect.promise(once)).result)
      }
    }
    rows.push(...rowsOf(count, lookups))
  }
  return rows
})

/** What the keys translate to, by a binary search of the starts. */
const wantedOf = (
  { count, lengths, virtuals }: { count: number; lengths: Uint32Array; virtuals: Float64Array },
  keys: Float64Array
): Float64Array => {
  const physicals = new Float64Array(count)
  for (let i = 1; i < count; i++) physicals[i] = physicals[i - 1] + lengths[i - 1]
  return keys.map((key) => {
    let low = 0
    let high = count
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (virtuals[middle] <= key) low = middle
      else high = middle
    }
    const within = key - virtuals[low]
    return within >= 0 && within < lengths[low] ? physicals[low] + within : -1
  })
}
