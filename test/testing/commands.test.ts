/**
 * Model-based commands: lacuna's own engines obey their models; engines that a stranger would write obey them too, and
 * each of many defects in those is found, made small, and had again from what was printed.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import {
  allAppendOnlyFileFeatures,
  appendOnlyFileCommands,
  type AppendOnlyFileEngine,
  type AppendOnlyFileFeatures,
  appendOnlyFileSetup,
  lacunaAppendOnlyFile,
  lacunaOffmap,
  lacunaSparseFile,
  lacunaStore,
  type ModelCommand,
  type ModelSetup,
  offmapCommands,
  offmapSetup,
  sparseFileCommands,
  sparseFileSetup,
  storeCommands,
  storeSetup
} from "../../src/testing/index.ts"
import { plainLog, type LogDefect, logDefects } from "./plainLog.ts"
import { plainMap, type MapDefect, mapDefects } from "./plainMap.ts"
import { plainSparse, type SparseDefect, sparseDefects } from "./plainSparse.ts"
import { plainStore, type StoreDefect, storeDefects } from "./plainStore.ts"

const memory = () => Effect.runSync(Effect.provide(Io, IoMemory.layer))

type Setup<Model extends object, Real> = () => Promise<ModelSetup<Model, Real>> | ModelSetup<Model, Real>

const propertyOf = <Model extends object, Real>(
  command: fc.Arbitrary<ModelCommand<Model, Real>>,
  setup: Setup<Model, Real>,
  replayPath?: string
) =>
  fc.asyncProperty(
    fc.commands([command], {
      size: "max",
      maxCommands: 40,
      ...(replayPath === undefined ? {} : { replayPath })
    }),
    (commands) => fc.asyncModelRun(async () => setup(), commands)
  )

/** Demands that nothing is found. The seed is fixed: to run the test again is to have a failure again. */
const obeys = <Model extends object, Real>(
  command: fc.Arbitrary<ModelCommand<Model, Real>>,
  setup: Setup<Model, Real>,
  numRuns = 150
): Promise<void> => fc.assert(propertyOf(command, setup), { numRuns, seed: 1 })

/** Demands that something is found, that it is short, and that what is printed is enough to have it again. */
const isFound = async <Model extends object, Real>(
  command: fc.Arbitrary<ModelCommand<Model, Real>>,
  setup: Setup<Model, Real>
): Promise<void> => {
  const details = await fc.check(propertyOf(command, setup), { numRuns: 2000, seed: 7 })
  assert.isTrue(details.failed, "nothing was found")
  const report = fc.defaultReportMessage(details) ?? ""
  const replayPath = /replayPath="([^"]*)"/.exec(report)?.[1]
  const path = details.counterexamplePath ?? ""
  assert.isDefined(replayPath)
  assert.include(report, "seed: 7")
  const shown = [...(details.counterexample?.[0] ?? [])].filter((one) => one.toString() !== "")
  assert.isAtMost(shown.length, 6, report)
  const again = await fc.check(propertyOf(command, setup, replayPath), { seed: 7, path, endOnFailure: true })
  assert.isTrue(again.failed, "it is not had again")
  assert.strictEqual(String(again.errorInstance), String(details.errorInstance))
}

describe("append-only files", () => {
  const engine = () => lacunaAppendOnlyFile(memory(), "/file")
  /** What the stranger's log can. */
  const features: AppendOnlyFileFeatures = { thresholds: [64] }

  it("of lacuna obey the model, in all they can", () =>
    obeys(appendOnlyFileCommands(fc, allAppendOnlyFileFeatures), () => appendOnlyFileSetup(engine())))

  it("of lacuna obey it in what everybody can", () =>
    obeys(appendOnlyFileCommands(fc), () => appendOnlyFileSetup(engine())))

  it("of a stranger obey it", () =>
    obeys(appendOnlyFileCommands(fc, features), () => appendOnlyFileSetup(plainLog())))

  it.each(Object.entries(logDefects))("are found that have %s", (_, defect) =>
    isFound(appendOnlyFileCommands(fc, features), () => appendOnlyFileSetup(plainLog(defect as LogDefect)))
  )

  it("are found that die, or refuse in words of their own, and these can be translated", async () => {
    class Full extends Data.TaggedError("Full") {}
    const dying = (): AppendOnlyFileEngine => ({ ...engine(), open: () => Effect.die(new Full()) })
    const commands = appendOnlyFileCommands(fc)
    await isFound(commands, () => appendOnlyFileSetup(dying()))
    const own = plainLog("words of its own")
    await isFound(commands, () => appendOnlyFileSetup(plainLog("words of its own")))
    const refusalOf = (error: unknown) =>
      String(error).includes("EOF") ? { failure: "ReadOutOfBounds" } : own.refusalOf?.(error)
    await obeys(appendOnlyFileCommands(fc, features), () =>
      appendOnlyFileSetup({ ...plainLog("words of its own"), refusalOf })
    )
  })
})

describe("maps of offsets", () => {
  it("of lacuna obey the model", () => obeys(offmapCommands(fc), () => offmapSetup(lacunaOffmap()), 60))

  it("of a stranger obey it", () => obeys(offmapCommands(fc), () => offmapSetup(plainMap()), 60))

  it.each(Object.entries(mapDefects))("are found that have %s", (_, defect) =>
    isFound(offmapCommands(fc), () => offmapSetup(plainMap(defect as MapDefect)))
  )

  it("can be held to fewer promises", () => {
    const features = { points: false, overlaps: false, maxOffset: 2 ** 32 - 1 }
    return obeys(
      offmapCommands(fc, features),
      () => offmapSetup(plainMap("offsets of 32 bits"), features),
      60
    )
  })
})

describe("sparse files", () => {
  it("of lacuna obey the model", () =>
    obeys(sparseFileCommands(fc), () => sparseFileSetup(lacunaSparseFile(memory(), "/"))))

  it("of a stranger obey it", () => obeys(sparseFileCommands(fc), () => sparseFileSetup(plainSparse())))

  it.each(Object.entries(sparseDefects))("are found that have %s", (_, defect) =>
    isFound(sparseFileCommands(fc), () => sparseFileSetup(plainSparse(defect as SparseDefect)))
  )
})

describe("stores", () => {
  it.each([{ chunkSize: 16, autoFlushThreshold: 7 }, {}])("of lacuna obey the model, with %j", (options) =>
    obeys(storeCommands(fc), () => storeSetup(lacunaStore(memory(), { directory: "/store", ...options })), 60)
  )

  it("of a stranger obey it", () => obeys(storeCommands(fc), () => storeSetup(plainStore())))

  it.each(Object.entries(storeDefects))("are found that have %s", (_, defect) =>
    isFound(storeCommands(fc), () => storeSetup(plainStore(defect as StoreDefect)))
  )
})
