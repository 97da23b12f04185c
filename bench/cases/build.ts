/**
 * Building a map of ascending extents and writing it: cells, index, a checksum for every page, fsync.
 * Both sides get the same three arrays, and write the same file, which is compared byte for byte.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { Offmap } from "../../src/file/Offmap.ts"
import { epsilonCells } from "../../src/format/offmapIndex.ts"
import { expect, expectSame } from "../expect.ts"
import { extentArrays, extentStream } from "../extents.ts"
import { runJob } from "../jobProcess.ts"
import { loadNative } from "../native.ts"
import type { Row } from "../result.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"

const countOf = (settings: Settings): number => (settings.quick ? 1_000_000 : 30_000_000)

/** Alone in a process, from a stream, so that its memory is the builder's. */
export const buildAloneCase = Effect.fnUntraced(function* (settings: Settings) {
  const count = countOf(settings)
  const io = yield* Io
  const file = yield* io.create(path.join(settings.directory, "alone.map"), { overwrite: true })
  const builder = Offmap.builder()
  const stream = extentStream("uniform")
  for (let i = 0; i < count; i++, stream.advance())
    builder.add(stream.virtual, stream.physical, stream.length)
  yield* Offmap.write(builder.build(), file, 0)
  yield* file.sync
})

export const buildCase = Effect.fnUntraced(function* (settings: Settings) {
  const count = countOf(settings)
  const { lengths, virtuals } = extentArrays("uniform", count)
  const physicals = new Float64Array(count)
  for (let i = 1; i < count; i++) physicals[i] = physicals[i - 1] + lengths[i - 1]
  const oursPath = path.join(settings.directory, "ours.map")
  const cPath = path.join(settings.directory, "c.map")

  type Builder = ReturnType<typeof Offmap.builder>
  const addEach = (builder: Builder): void => {
    for (let i = 0; i < count; i++) builder.add(virtuals[i], physicals[i], lengths[i])
  }
  const addMany = (builder: Builder): void => builder.addMany(virtuals, physicals, lengths)
  const build = Effect.fnUntraced(function* (fill: (builder: Builder) => void) {
    const io = yield* Io
    const file = yield* io.create(oursPath, { overwrite: true })
    const start = performance.now()
    const builder = Offmap.builder()
    fill(builder)
    yield* Offmap.write(builder.build(), file, 0)
    // The map, before anybody would be told that it is there.
    yield* file.sync
    return ((performance.now() - start) * 1e6) / count
  })
  const runOurs = (fill: (builder: Builder) => void) =>
    Effect.runPromise(build(fill).pipe(Effect.scoped, Effect.provide(IoNode.layer)))
  const side = (name: string, fill: (builder: Builder) => void): Side => ({
    name,
    goal: { most: 2, of: "ratio", to: "C" },
    run: async () => {
      const nanos = await runOurs(fill)
      fs.rmSync(oursPath)
      globalThis.gc?.()
      return nanos
    }
  })
  const sides: Array<Side> = [side("addMany", addMany), side("add", addEach)]
  const native = loadNative()
  if (typeof native !== "string") {
    const inC = (write: (fd: number) => () => void): number => {
      const fd = fs.openSync(cPath, "wx+")
      let drop = (): void => {}
      try {
        return nanosEach(count, () => (drop = write(fd)))
      } finally {
        drop()
        fs.closeSync(fd)
      }
    }
    const built = (fd: number) => {
      const image = native.offmapBuild(fd, virtuals, physicals, lengths, count, epsilonCells)
      if (image === null) throw new Error("C did not build its map")
      return () => native.offmapDrop(image, count)
    }
    const streamed = (fd: number) => {
      const failed = native.offmapStream(fd, virtuals, physicals, lengths, count, epsilonCells)
      expect("C wrote its map", failed === 0)
      return () => {}
    }
    const cSide = (name: string, note: string, write: (fd: number) => () => void): Side => ({
      name,
      note,
      run: () => {
        const nanos = inC(write)
        fs.rmSync(cPath)
        return nanos
      }
    })
    sides.push(cSide("C", "the same map in memory and on disk", built))
    sides.push(cSide("C, to disk alone", "through half a megabyte", streamed))
    const files: Array<Uint8Array> = []
    for (const write of [built, streamed]) {
      inC(write)
      files.push(fs.readFileSync(cPath))
      fs.rmSync(cPath)
    }
    for (const fill of [addMany, addEach]) {
      yield* Effect.promise(() => runOurs(fill))
      for (const file of files) expectSame("the maps", file, fs.readFileSync(oursPath))
      fs.rmSync(oursPath)
    }
  }
  const variant = `${count / 1e6}M ascending`
  const rows = yield* Effect.promise(() =>
    compare({
      case: "build and write",
      variant,
      unit: "ns a binding",
      rounds: settings.rounds,
      rehearsed: true,
      sides
    })
  )
  const alone = yield* Effect.promise(() => runJob("buildAlone", settings))
  const memory: Row = {
    case: "build and write",
    variant: `${variant}, memory`,
    side: "lacuna",
    value: alone.peakRssAnonBytes / 1e6,
    unit: "MB peak RssAnon"
  }
  return [...rows, memory]
})
