/**
 * How long these tests run, from which seed, and how a failure is replayed.
 *
 * - `LACUNA_ALL=1` runs everything, at the size of `npm run check-all`; without it, what is quick and needs no root.
 * - `LACUNA_RUNS` multiplies the number of kills; the default is 1.
 * - `LACUNA_ROUNDS` sets the number of kills, power cuts or failing calls, to try fewer of them (or more).
 * - `LACUNA_SECONDS` is how long writer and readers run beside each other; the default is 60.
 * - `LACUNA_SEED` and `LACUNA_PATH` (one of the stores that are killed one after the other) replay a
 *   failure: the same steps and the same plan of kills. At which instruction a kill comes is the
 *   system's choice, so a replay may take some attempts.
 * - `LACUNA_KEEP=1` keeps the store of a failure, and tells where.
 */
import fs from "node:fs"
import os from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

const numberFrom = (name: string): number | undefined => {
  const text = process.env[name]
  if (text === undefined || text === "") return undefined
  const value = Number(text)
  if (!Number.isFinite(value)) throw new Error(`${name} must be a number, not ${text}`)
  return value
}

export const all = process.env["LACUNA_ALL"] === "1"
export const runs = numberFrom("LACUNA_RUNS") ?? 1
export const seconds = numberFrom("LACUNA_SECONDS") ?? 60
export const onlyRounds = numberFrom("LACUNA_ROUNDS")
export const seed = numberFrom("LACUNA_SEED") ?? Math.floor(Math.random() * 2 ** 31)
/** The one part of a test that is to be run. */
export const onlyPart = numberFrom("LACUNA_PATH")
export const keepsFailures = process.env["LACUNA_KEEP"] === "1"

/** The command that runs a test again, with more settings where those that are always told are not enough. */
export const replayCommand = (
  file: string,
  part?: number,
  more: Record<string, string | number> = {}
): string => {
  const settings: Record<string, string | number | undefined> = {
    LACUNA_ALL: all ? 1 : undefined,
    LACUNA_SEED: seed,
    LACUNA_PATH: part,
    LACUNA_ROUNDS: onlyRounds,
    ...more
  }
  const told = Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${value}`
  )
  return `${told.join(" ")} npx vitest run --config vitest.process.config.ts test/process/${file}`
}

/** Memory that looks like a disk, where there is such a thing: for tests in which no disk matters. */
export const memoryDirectory = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir()

/** A directory for the stores of one file, removed after its tests. */
export const scratchDirectory = (home = os.tmpdir()): string => {
  const directory = fs.mkdtempSync(join(home, "lacuna-process-"))
  afterAll(() => {
    if (!keepsFailures) fs.rmSync(directory, { recursive: true, force: true })
  })
  return directory
}
