/**
 * Copying the live extents of a source into a sparse file: `appendExtents`, and then `close`, against
 * C that reads ahead, gathers, checksums, writes with large buffers, and syncs and renames as lacuna
 * does. The outputs are compared byte for byte, and so are the checksums and the bindings.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { epsilonCells } from "../../src/format/offmapIndex.ts"
import { expect, expectSame } from "../expect.ts"
import { runJob } from "../jobProcess.ts"
import { loadNative } from "../native.ts"
import type { Native } from "../native.ts"
import type { Row } from "../result.ts"
import { compare } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { describeSource, writeSource } from "./source.ts"
import type { Source } from "./source.ts"

const maxGapBytes = 32
const megabytes = 1e6

interface Copied {
  /** Milliseconds until all is written, and until it is durable and has its names. */
  readonly written: number
  readonly durable: number
}

/** Copies with `appendExtents`, and closes. */
export const copyOurs = Effect.fnUntraced(function* (source: Source, target: string, maxGap: number) {
  const io = yield* Io
  const start = performance.now()
  const file = yield* io.open(source.path, { readonly: true })
  const writer = yield* SparseFile.create(target, { maxGap })
  yield* writer.appendExtents(file, source.live)
  const written = performance.now() - start
  yield* writer.close
  const copied: Copied = { written, durable: performance.now() - start }
  return copied
}, Effect.scoped)

interface CCopy extends Copied {
  readonly virtuals: Float64Array
  readonly physicals: Float64Array
  readonly lengths: Uint32Array
  readonly sums: Uint32Array
}

const copyInC = (native: Native, source: Source, target: string): CCopy => {
  const offsets = Float64Array.from(source.live, ({ offset }) => offset)
  const lengths = Uint32Array.from(source.live, ({ length }) => length)
  const directory = fs.openSync(path.dirname(target), "r")
  const start = performance.now()
  const from = fs.openSync(source.path, "r")
  const data = fs.openSync(`${target}.tmp`, "wx+")
  const map = fs.openSync(`${target}.map.tmp`, "wx+")
  const copied = native.copyLive(from, data, offsets, lengths, lengths.length, maxGapBytes)
  const written = performance.now() - start
  expect("C synced its copy", native.copyFinish(copied, data, map, target, directory, epsilonCells) === 0)
  for (const fd of [from, data, map]) fs.closeSync(fd)
  const durable = performance.now() - start
  fs.closeSync(directory)
  const count = native.copyCount(copied)
  const blocks = Math.ceil(native.copyBytes(copied) / 65_536)
  const report: CCopy = {
    written,
    durable,
    virtuals: new Float64Array(count),
    physicals: new Float64Array(count),
    lengths: new Uint32Array(count),
    sums: new Uint32Array(blocks)
  }
  native.copyReport(copied, report.virtuals, report.physicals, report.lengths, report.sums)
  native.copyFree(copied)
  return report
}

/** Throws unless the sparse file at `target` is what C copied to `other`. */
const checkCopies = Effect.fnUntraced(function* (target: string, other: string, c: CCopy) {
  expectSame("the copies", fs.readFileSync(other), fs.readFileSync(target))
  const reader = yield* SparseFile.open(target)
  let i = 0
  for (const { length, physical, virtual } of reader.offmap.entries()) {
    const same = virtual === c.virtuals[i] && physical === c.physicals[i] && length === c.lengths[i]
    expect(`binding ${i} is the same as C's`, same)
    i++
  }
  expect("there are as many bindings as C has", i === c.virtuals.length)
  // The checksums end the map's file, padded to eight bytes.
  const map = fs.readFileSync(`${target}.map`)
  const sums = map.subarray(map.length - Math.ceil(c.sums.length / 2) * 8).subarray(0, c.sums.length * 4)
  expectSame("the checksums", new Uint8Array(sums), new Uint8Array(c.sums.buffer))
}, Effect.scoped)

/** Removes the sparse file at `target`, finished or not. */
export const removeSparse = (target: string): void => {
  for (const end of ["", ".map", ".tmp", ".map.tmp"]) fs.rmSync(target + end, { force: true })
}

/** Alone in a process that does nothing else: for its memory. */
export const copyAloneCase = Effect.fnUntraced(function* (
  settings: Settings,
  place: { readonly path: string; readonly bytes: number }
) {
  yield* copyOurs(
    describeSource(place.path, place.bytes),
    path.join(settings.directory, "alone"),
    maxGapBytes
  )
})

export const copyCase = Effect.fnUntraced(function* (settings: Settings) {
  const source = writeSource(settings)
  const ours = path.join(settings.directory, "ours")
  const c = path.join(settings.directory, "c")
  const native = loadNative()
  const runOurs = () =>
    Effect.runPromise(copyOurs(source, ours, maxGapBytes).pipe(Effect.provide(IoNode.layer)))

  if (typeof native !== "string") {
    yield* Effect.promise(runOurs)
    const copied = copyInC(native, source, c)
    yield* checkCopies(ours, c, copied)
    removeSparse(ours)
    removeSparse(c)
  }
  const durable = { ours: new Map<number, number>(), c: new Map<number, number>() }
  const gigabyte = (millis: number): number => (millis * 1e9) / source.liveBytes
  const written: Array<Side> = [
    {
      name: "lacuna",
      goal: { most: 1, of: "ratio", to: "C" },
      run: async (round) => {
        const copied = await runOurs()
        removeSparse(ours)
        durable.ours.set(round, gigabyte(copied.durable))
        return gigabyte(copied.written)
      }
    }
  ]
  if (typeof native !== "string") {
    written.push({
      name: "C",
      note: "read ahead, gather, checksum, large writes",
      run: (round) => {
        const copied = copyInC(native, source, c)
        removeSparse(c)
        durable.c.set(round, gigabyte(copied.durable))
        return gigabyte(copied.written)
      }
    })
  }
  const variant = `${source.live.length} extents, ${Math.round(source.liveBytes / megabytes)} MB of ${source.bytes / 2 ** 20} MiB`
  const report = (what: string, sides: ReadonlyArray<Side>, rehearsed: boolean) =>
    compare({
      case: "appendExtents",
      variant: `${variant}, ${what}`,
      unit: "ms a GB of live",
      rounds: settings.rounds,
      rehearsed,
      sides
    })
  const rows = [...(yield* Effect.promise(() => report("before fsync", written, true)))]
  // The same runs, at their other moment: what was measured above is looked up, not run again.
  const synced = written.map((side): Side => {
    const measured = side.name === "C" ? durable.c : durable.ours
    return { ...side, run: (round) => measured.get(round) ?? Number.NaN }
  })
  rows.push(...(yield* Effect.promise(() => report("closed, fsync included", synced, false))))
  const alone = yield* Effect.promise(() =>
    runJob("copyAlone", settings, { path: source.path, bytes: source.bytes })
  )
  const memory: Row = {
    case: "appendExtents",
    variant: `${variant}, memory`,
    side: "lacuna",
    value: alone.peakRssAnonBytes / megabytes,
    unit: "MB peak RssAnon",
    goal: { most: 300, of: "value" }
  }
  return [...rows, memory]
})
