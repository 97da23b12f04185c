/**
 * System calls that fail in a process that works on real files: each write, fsync, truncation, renaming, removal, opening
 * and punching on its own, once or from then on, by a library that stands in front of the C library (failingCalls.c).
 * What fails is told by a tag, with the path; nothing hangs; and nothing that was acknowledged is lost.
 */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, expect } from "vitest"
import { itWith } from "./abilities.ts"
import {
  callKinds,
  type CallFailure,
  type CallKind,
  type FailingCall,
  makeCallControl
} from "./callControl.ts"
import { startChildren } from "./children.ts"
import { count, type Met } from "./cutSubject.ts"
import { makeSubject } from "./cutSubjects.ts"
import type { FailingMessage, FailingRun, FailingSubject, RunEnded } from "./failingWriter.ts"
import type { CutFilesMessage } from "./cutMessages.ts"
import type { KillMessage } from "./killedWriter.ts"
import { Random, seedOf } from "../../src/testing/random.ts"
import { all, memoryDirectory, onlyPart, onlyRounds, replayCommand, scratchDirectory, seed } from "./runs.ts"

/** So many calls of the works, if there are as many; without a number, every one. */
const most = onlyRounds ?? (all ? undefined : 60)
/** A run takes some ten milliseconds. */
const patienceMillis = 30_000
const directory = scratchDirectory(memoryDirectory)
const library = join(directory, "failingCalls.so")
const controlPath = join(directory, "calls")
const children = startChildren("failingWriter.ts", 0)

const subjects: ReadonlyArray<FailingSubject> = ["store", "append-only file", "sparse files", "extent file"]
const failures: Record<CallKind, ReadonlyArray<CallFailure>> = {
  pwrite: ["EIO", "ENOSPC", "short"],
  fsync: ["EIO", "ENOSPC"],
  ftruncate: ["EIO", "ENOSPC"],
  rename: ["EIO", "ENOSPC"],
  unlink: ["EIO"],
  open: ["EIO", "ENOSPC", "EMFILE"],
  fallocate: ["EIO", "ENOSPC"]
}

const runOf = (subject: FailingSubject, run: number, failing?: FailingCall): FailingRun => ({
  ...{ subject, seed: seedOf(seed, subjects.indexOf(subject)), mapping: run % 2 === 0 ? "auto" : "off" },
  directory: join(directory, `${failing === undefined ? "count" : "run"}-${run}`),
  ...(failing === undefined ? {} : { failing })
})

type Judge = (
  run: FailingRun,
  heard: ReadonlyArray<CutFilesMessage | KillMessage>,
  ended: RunEnded
) => Promise<void>

/** Has a child do all runs, and judges each that has ended. Gives the first thing that is wrong, if any. */
const runAll = async (runs: ReadonlyArray<FailingRun>, judge: Judge): Promise<string | undefined> => {
  makeCallControl(controlPath)
  const environment = {
    ...{ LD_PRELOAD: library, LACUNA_CALLS: controlPath, LACUNA_CALLS_UNDER: join(directory, "run-") },
    // A ring would go around the C library.
    UV_USE_IO_URING: "0"
  }
  if (runs[0].failing === undefined) environment.LACUNA_CALLS_UNDER = join(directory, "count-")
  const child = children.start({ environment })
  const describe = (run: number): string => `run ${run}: ${JSON.stringify(runs[run])}`
  let wrong: string | undefined
  let running = 0
  let heard: Array<CutFilesMessage | KillMessage> = []
  let judged: Promise<void> = Promise.resolve()
  let alarm: NodeJS.Timeout | undefined
  const watch = (): void => {
    clearTimeout(alarm)
    alarm = setTimeout(() => {
      wrong ??= `${describe(running)} hangs`
      child.kill()
    }, patienceMillis)
  }
  child.heard = (message: FailingMessage) => {
    watch()
    if (message.told === "running") [running, heard] = [message.run, []]
    else if (message.told === "heard") heard.push(message.message)
    else {
      const [run, messages] = [runs[message.run], heard]
      judged = judged.then(async () => {
        if (wrong !== undefined) return
        await judge(run, messages, message).catch((cause: unknown) => {
          wrong ??= `${describe(message.run)}, after ${JSON.stringify(message.failed)}: ${(cause as Error).stack}`
        })
        if (wrong !== undefined) child.kill()
        fs.rmSync(run.directory, { recursive: true, force: true })
      })
    }
  }
  child.order({ controlPath, runs })
  const ended = await child.ended
  clearTimeout(alarm)
  await judged
  if (ended.code !== 0) wrong ??= `${describe(running)} ended the process: ${child.complaint}`
  return wrong
}

const tags = ["IoFailed", "NoSpace", "Poisoned", "PendingFlush"]

const judgeRun = async (
  { directory: root, failing, seed: runSeed, subject }: FailingRun,
  heard: ReadonlyArray<CutFilesMessage | KillMessage>,
  { counts, failed }: RunEnded,
  met: Met
): Promise<void> => {
  const { call, failure, kind } = failing!
  assert.isAtLeast(counts[kind], call, "the call that was to fail was made")
  for (const { operation, path, tag } of failed) {
    assert.include(tags, tag, operation)
    assert.isTrue(path?.startsWith(root), `${operation}: the path is ${path}`)
    count(met, tag)
  }
  if (failure === "short") assert.deepStrictEqual(failed, [], "a short write is gone on with")
  const judgment = makeSubject(subject, 0, root)
  judgment.order({ round: 0, seed: 0, cut: undefined })
  for (const message of heard) judgment.hear(message as never)
  await judgment.judge(new Random(runSeed), {})
  count(met, "runs")
  count(met, `${subject}:runs`)
  count(met, `${kind}:runs`)
  count(met, "withoutAFailureForTheCaller", failed.length === 0)
}

/** Every call of every work, failing in every way. */
const allFailures = async (): Promise<Array<FailingRun>> => {
  const runs: Array<FailingRun> = []
  const wrong = await runAll(
    subjects.map((subject, i) => runOf(subject, i)),
    async ({ subject }, _heard, { counts, failed }) => {
      assert.deepStrictEqual(failed, [], "nothing fails where nothing is made to")
      for (const kind of callKinds) {
        for (let call = 1; call <= counts[kind]; call++) {
          for (const failure of failures[kind]) {
            for (const onward of [false, true]) {
              runs.push(runOf(subject, runs.length, { kind, call, failure, onward }))
            }
          }
        }
      }
    }
  )
  if (wrong !== undefined) throw new Error(wrong)
  return runs
}

const needs = ["linux", "cc"] as const
itWith("each system call that fails is told, and loses nothing", { needs, timeout: 1_200_000 }, async () => {
  const source = fileURLToPath(new URL("failingCalls.c", import.meta.url))
  execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], { stdio: "inherit" })
  const met: Met = {}
  const started = Date.now()
  const every = await allFailures()
  const share = most === undefined ? 1 : most / every.length
  const random = new Random(seed)
  const chosen = every.filter((_, run) =>
    onlyPart === undefined ? random.below(2 ** 30) < share * 2 ** 30 : run === onlyPart
  )
  const wrong = await runAll(chosen, (run, heard, ended) => judgeRun(run, heard, ended, met))
  if (wrong !== undefined) {
    const part = /run-(\d+)/.exec(wrong)
    throw new Error(
      `${wrong}\n\nreplay: ${replayCommand("failingCalls.test.ts", part === null ? undefined : Number(part[1]))}`
    )
  }
  const told = { ofAll: every.length, ...met }
  console.log(`failingCalls.test.ts, seed ${seed}, ${Date.now() - started} ms: ${JSON.stringify(told)}`)
  if (most !== undefined || onlyPart !== undefined) return
  expect(met["runs"]).toBeGreaterThan(300)
  for (const what of [...callKinds, ...subjects]) expect(met[`${what}:runs`], what).toBeGreaterThan(0)
})
