import fs from "node:fs"
import * as Effect from "effect/Effect"
import { expect, it, vi } from "vitest"
import { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { startChild } from "./childProcess.ts"
import { scratchDirectory } from "./scratch.ts"

// Processes start slowly on a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

const directory = scratchDirectory()
const koffi = IoNode.providers().find(({ name }) => name === "koffi")

const tryLock = (path: string) =>
  Effect.gen(function* () {
    const io = yield* Io
    return yield* Effect.match(Effect.scoped(io.lock(path)), {
      onFailure: (error) => error,
      onSuccess: () => "taken" as const
    })
  }).pipe(Effect.provide(IoNode.layer), Effect.runPromise)

/** What Linux tells of a process that holds a lock. */
const holder = (pid: number | undefined): string | undefined =>
  process.platform === "linux"
    ? `process ${pid} (${fs.readFileSync(`/proc/${pid}/comm`, "utf8").trim()})`
    : undefined

// A machine that is busy finds no holder in the time it has.
it(
  "a lock of another process is Locked, and ends with that process, killed or not",
  { retry: 3 },
  async () => {
    const path = `${directory}/lock`
    const child = startChild("holdLock.ts", [path])
    await child.printed("locked")
    expect(await tryLock(path)).toMatchObject({ _tag: "Locked", path, holder: holder(child.process.pid) })
    child.process.kill("SIGKILL")
    expect(await child.ended).toMatchObject({ signal: "SIGKILL" })
    expect(await tryLock(path)).toBe("taken")
    expect(fs.readFileSync(path)).toHaveLength(0)
  }
)

const skipped = koffi?.available === true ? "" : ` (skipped: koffi can't be loaded: ${koffi?.reason})`

it.skipIf(skipped !== "")(`views beyond 4 GiB are right, and stale views are zeros${skipped}`, async () => {
  const child = startChild("staleViews.ts", [directory])
  expect(await child.ended, child.output()).toEqual({ code: 0, signal: null })
  expect(child.output()).toContain("all views behaved")
})

it("no optional package is loaded before it is needed", async () => {
  const child = startChild("lazyLoading.ts", [directory])
  expect(await child.ended, child.output()).toEqual({ code: 0, signal: null })
  expect(child.output()).toContain("reading and writing: \n")
  if (koffi?.available === true) expect(child.output()).toContain("mapping: koffi\n")
})
