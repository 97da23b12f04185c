/**
 * A disk that is full: a store appends, commits, splits and collects with every amount of room from nothing to what it
 * needs, in steps of 4 KiB. It is told `NoSpace`, with the file's path; nothing acknowledged is lost; a collection that
 * had no room leaves the store as it was; and with room again it is opened, has no debris, and goes on.
 */
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { assert, expect } from "vitest"
import { IoNode } from "../../src/io/IoNode.ts"
import { itWith } from "./abilities.ts"
import { Ballast } from "./ballast.ts"
import { count, type Met } from "./cutSubject.ts"
import { Ledger } from "./ledger.ts"
import { Random, seedOf } from "../../src/testing/random.ts"
import { onlyPart, onlyRounds, replayCommand, scratchDirectory, seed } from "./runs.ts"
import { Acknowledged, judgeStore, type StoreSetup } from "./storeJudge.ts"
import { type Failed, StoreToil } from "./storeToil.ts"
import { type FileSystem, Volume } from "./volume.ts"

const stepBytes = 4096
/** So many steps in a row without a failure, and the workload needs no more. */
const easySteps = 4
const scratch = scratchDirectory()

const toil = async (
  setup: StoreSetup,
  acknowledged: Acknowledged,
  round: number
): Promise<ReadonlyArray<Failed>> => {
  const { ledger } = acknowledged
  const work = new StoreToil({
    ...{ store: setup.options, ledger, round, seed: seedOf(seed, round), steps: 13, mostBytes: 9000 },
    hear: (message) => acknowledged.hear(message)
  })
  const io = IoNode.layerWith({ mapping: setup.mapping })
  await work.run.pipe(Effect.provide(io), Effect.provide(Logger.layer([])), Effect.runPromise)
  return work.failed
}

const judge = async (setup: StoreSetup, acknowledged: Acknowledged, step: number) =>
  judgeStore(setup, acknowledged, new Random(seedOf(seed, step)), true)

/** One workload with so much room, and one after it with enough. Gives whether the room was enough. */
const oneStep = async (
  setup: StoreSetup,
  base: Ledger,
  ballast: Ballast,
  step: number,
  met: Met
): Promise<boolean> => {
  const acknowledged = new Acknowledged(Ledger.fromNumbers(base.toNumbers()))
  ballast.leave(step * stepBytes)
  const failed = await toil(setup, acknowledged, 1)
  ballast.drop()
  for (const { code, operation, path, tag } of failed) {
    count(met, `${operation}:${tag}`)
    const isLate = operation === "close" && tag === "PendingFlush"
    assert.isTrue(tag === "NoSpace" || tag === "Poisoned" || isLate, `${operation}: ${tag} ${code} ${path}`)
    assert.isTrue(path?.startsWith(setup.options.directory), `${operation}: the path is ${path}`)
  }
  if (failed.length > 0) assert.strictEqual(failed[0].tag, "NoSpace", "the first that fails says why")
  const { debris } = await judge(setup, acknowledged, step)
  count(met, "withDebris", debris)
  assert.deepStrictEqual(await toil(setup, acknowledged, 2), [], "with room again it goes on")
  await judge(setup, acknowledged, step)
  return failed.length === 0
}

const sweep = async (system: FileSystem, sizeBytes: number, met: Met): Promise<void> => {
  const volume = new Volume(system, { sizeBytes })
  const directory = join(volume.root, "store")
  const ballast = new Ballast(volume.root)
  const template = join(scratch, `${system}-template`)
  const stride = onlyRounds === undefined ? 1 : Math.max(1, Math.floor(200 / onlyRounds))
  let step = onlyPart ?? 0
  try {
    // With what a store has after a while, and without a store: a creation needs room as well.
    for (const [part, isNew] of [true, false].entries()) {
      const options = { directory, chunkSize: 20_000, autoFlushThreshold: part === 0 ? 5000 : undefined }
      const setup: StoreSetup = { options, mapping: part === 0 ? "off" : "auto" }
      const base = new Acknowledged(new Ledger())
      if (!isNew) {
        fs.rmSync(directory, { recursive: true, force: true })
        assert.deepStrictEqual(await toil(setup, base, 0), [])
        await judge(setup, base, 0)
        fs.cpSync(directory, template, { recursive: true })
      }
      let easy = 0
      for (step = onlyPart ?? 0; easy < easySteps; step += stride) {
        fs.rmSync(directory, { recursive: true, force: true })
        if (!isNew) fs.cpSync(template, directory, { recursive: true })
        easy = (await oneStep(setup, base.ledger, ballast, step, met)) ? easy + 1 : 0
        count(met, "steps")
        if (onlyPart !== undefined) break
      }
      met[`${system}:${isNew ? "new" : "old"}:peakBytes`] = (step - easySteps * stride) * stepBytes
    }
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    const where = `${step * stepBytes} bytes of room on ${system}`
    throw new Error(`${where}: ${reason}\n\nreplay: ${replayCommand("noSpace.test.ts", step)}`, { cause })
  } finally {
    ballast.close()
    volume.destroy()
  }
}

const test = (system: FileSystem, sizeBytes: number, needs: ReadonlyArray<"loop" | "ext4">): void => {
  const name = `a store on ${system} with every amount of room`
  const all = ["all", "linux", "root", "mount", ...needs] as const
  itWith(name, { needs: all, timeout: 1_800_000 }, async () => {
    const met: Met = {}
    const started = Date.now()
    await sweep(system, sizeBytes, met)
    console.log(
      `noSpace.test.ts, ${system}, seed ${seed}, ${Date.now() - started} ms: ${JSON.stringify(met)}`
    )
    if (onlyPart !== undefined || onlyRounds !== undefined) return
    for (const what of ["open", "commit", "collect"]) expect(met[`${what}:NoSpace`]).toBeGreaterThan(0)
    expect(met["withDebris"]).toBeGreaterThan(0)
  })
}

test("tmpfs", 4 << 20, [])
test("ext4", 16 << 20, ["loop", "ext4"])
