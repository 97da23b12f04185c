/**
 * Power cuts: a process works on a file system of its own, which stops at any moment; when it is mounted again,
 * everything that was acknowledged is there and right, nothing is there that was never written, and work goes on.
 *
 * The set-ups are ten: five file systems, each stopped in two ways (volume.ts). What a cut may do there, and why the
 * promise is the same in all of them:
 *
 * - A journal makes the file system's own names, sizes and blocks agree. It never speaks for bytes that were not
 *   synced: with `data=writeback`, or where allocation is delayed, these may come back as zeros, as nothing, or as what
 *   the blocks held before, at any length of the file. FORMAT.md assumes just that, so nothing more is excused.
 * - `noauto_da_alloc` takes away the flush that ext4 slips in where a file is renamed over another or truncated: who
 *   relies on it instead of an fsync is found out.
 * - Without a journal nothing but fsync orders anything. What agrees no more is put right by `e2fsck -y` before the
 *   mount, as a start of the machine would. That may lose names, sizes and blocks of what was not synced, and leave
 *   pieces in `lost+found`. It may not touch a file that was synced under a name whose directory was synced, and it is
 *   held to that. It could where damage reaches what files share, say an inode table that a cut tore; a device writes its
 *   sectors whole here, so it doesn't. `log lost` keeps metadata there that was in memory, and loses data; `unplugged`
 *   loses both.
 * - What a file system does wrong after an honest fsync is no defect of ours, and would fail here all the same: it would
 *   have to be looked at.
 *
 * Of every ten cuts six come at a counted system call of the writer, and follow from the seed but for what its threads
 * are about; often some of the last writes are on their way to the device by then. Four come from outside, some
 * milliseconds after a counted message, in the middle of whatever it is: there a replay goes through the same steps and
 * cuts at about the same moment, and may take some attempts. What is acknowledged from the beginning of such a cut on does
 * not count: a process outlives the stop of its file system by a moment, and an fsync that meets the stop may succeed for
 * nothing (plain writes and fsyncs: 3 of 60 on XFS, 7 of 60 on ext4). Power that is gone takes the process with it.
 */
import { execFile } from "node:child_process"
import { expect } from "vitest"
import { itWith } from "./abilities.ts"
import { type Child, startChildren } from "./children.ts"
import { cutCommand, type Cut, type FileSystem, Volume } from "./volume.ts"
import { count, type Met, type Subject } from "./cutSubject.ts"
import { makeSubject } from "./cutSubjects.ts"
import type { CutSubject } from "./cutMessages.ts"
import { Random, seedOf } from "../../src/testing/random.ts"
import { onlyPart, onlyRounds, replayCommand, runs, seed } from "./runs.ts"

const rounds = Math.max(1, onlyRounds ?? Math.round(1000 * runs))
/** On the same files, on a volume that is made for them. */
const roundsPerSeries = 10
/** A writer that says nothing for so long has hung. */
const patienceMillis = 30_000

interface Setup {
  readonly system: FileSystem
  readonly cut: Cut
}

const setups: ReadonlyArray<Setup> = [
  { system: "ext4", cut: "log lost" },
  { system: "ext4", cut: "log flushed" },
  { system: "ext4 data=writeback", cut: "log lost" },
  { system: "ext4 data=writeback", cut: "log flushed" },
  { system: "ext4 noauto_da_alloc", cut: "log lost" },
  { system: "ext4 noauto_da_alloc", cut: "log flushed" },
  { system: "ext4 without journal", cut: "log lost" },
  { system: "ext4 without journal", cut: "unplugged" },
  { system: "XFS", cut: "log lost" },
  { system: "XFS", cut: "log flushed" }
]

const subjects: ReadonlyArray<CutSubject | "store"> = [
  ...(["store", "sparse files", "store", "extent file", "store"] as const),
  ...(["append-only file", "store", "store", "sparse files", "store"] as const)
]

/** Ten series go through all set-ups and through all subjects; a hundred bring each subject to each set-up. */
const planOf = (series: number): { readonly setup: Setup; readonly kind: CutSubject | "store" } => ({
  setup: setups[series % setups.length],
  kind: subjects[(3 * series + Math.floor(series / setups.length)) % subjects.length]
})

/**
 * Cuts the power after so many messages and some milliseconds, and ends what is cut off. Gives what waits for a cut
 * that is under way: who died of it may be faster.
 */
const cutByMessages = (
  child: Child,
  random: Random,
  command: ReadonlyArray<string>,
  hear: (message: never, late: boolean) => void
) => {
  const messages = random.percent(20) ? 0 : random.between(1, 80)
  const delay = random.percent(50) ? 0 : random.below(12)
  let heard = 0
  let planned = false
  let ended: Promise<void> | undefined
  const cut = (): void => {
    const [program, ...args] = command
    ended = new Promise((resolve) => {
      execFile(program, args, () => {
        child.kill()
        resolve()
      })
    })
  }
  const plan = (): void => {
    if (planned || heard < messages) return
    planned = true
    setTimeout(cut, delay)
  }
  child.heard = (message: never) => {
    hear(message, ended !== undefined)
    heard++
    plan()
  }
  plan()
  return async (): Promise<void> => ended
}

/** What a writer that was cut off may die of, before it is killed: its errors, in their own words, or what a check met. */
const typed = /_tag: '(?:IoFailed|Poisoned|NoSpace)'|\bEIO\b/

const oneRound = async (
  volume: Volume,
  setup: Setup,
  subject: Subject,
  met: Met,
  seeds: ReadonlyArray<number>
) => {
  const round = seeds[seeds.length - 1]
  const random = new Random(seedOf(...seeds))
  const command = cutCommand(setup.cut, volume.root)
  const counted = random.percent(60)
  const call = random.percent(35) ? random.between(1, 30) : random.between(1, 400)
  const writtenBack = random.percent(50) ? 0 : random.between(1, 12)
  const cut = counted ? { call, after: random.percent(50), command, writtenBack } : undefined
  const child = writers[subject.program].take()
  await child.ready
  const order = subject.order({ round, seed: random.below(2 ** 31), cut })
  let cutEnded = async (): Promise<void> => {}
  if (counted) child.heard = (message: never) => subject.hear(message)
  else cutEnded = cutByMessages(child, random, command, (message, late) => subject.hear(message, late))
  child.order(order)
  let hung = false
  const alarm = setTimeout(() => {
    hung = true
    child.kill()
  }, patienceMillis)
  const ended = await child.ended
  await cutEnded()
  clearTimeout(alarm)
  if (hung) throw new Error(`the writer was not cut off within ${patienceMillis} ms, ${JSON.stringify(cut)}`)
  const diedOfIt = !counted && ended.code !== 0 && typed.test(child.complaint)
  if (ended.signal !== "SIGKILL" && !diedOfIt)
    throw new Error(`the writer ended (${ended.code}):\n${child.complaint}`)
  const started = performance.now()
  volume.restart(setup.cut)
  count(met, "restartMillis", Math.round(performance.now() - started))
  await subject.judge(random, met)
  count(met, "cuts")
  count(met, "cutsAtCountedCalls", counted)
  count(met, "writersThatSawIt", diedOfIt)
}

const oneSeries = async (series: number, met: Met): Promise<void> => {
  const { kind, setup } = planOf(series)
  const last = Math.min(rounds - series * roundsPerSeries, roundsPerSeries)
  const volume = new Volume(setup.system)
  let round = 0
  try {
    const subject = makeSubject(kind, series, volume.root)
    for (; round < last; round++) await oneRound(volume, setup, subject, met, [seed, series, round])
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    const where = `cut ${round} of series ${series} (${setup.system}, ${setup.cut}; ${kind})`
    throw new Error(`${where}: ${reason}\n\nreplay: ${replayCommand("powerCut.test.ts", series)}`, { cause })
  } finally {
    volume.destroy()
  }
}

const name = `nothing acknowledged is lost in ${rounds} power cuts`
const needs = ["all", "linux", "root", "mount", "loop", "ext4", "xfs", "xfs_io"] as const
const willRun = itWith(name, { needs, timeout: Math.max(600_000, 5000 * rounds) }, async () => {
  const all = Array.from({ length: Math.ceil(rounds / roundsPerSeries) }, (_, series) => series)
  const met: Met = {}
  const bySetup: Record<string, number> = {}
  const started = Date.now()
  for (const series of onlyPart === undefined ? all : [onlyPart]) {
    const { system, cut } = planOf(series).setup
    const before = met["cuts"] ?? 0
    await oneSeries(series, met)
    count(bySetup, `${system}, ${cut}`, met["cuts"] - before)
  }
  const told = { ...bySetup, ...met }
  console.log(`powerCut.test.ts, seed ${seed}, ${Date.now() - started} ms: ${JSON.stringify(told)}`)
  if (met["cuts"] < 500) return
  // That the cuts come at moments that matter is part of what is tested.
  // A torn slot of control is not asked for: a record lies in one page, which these devices write whole.
  for (const [what, times] of Object.entries({ ...met, withTornControl: 1 }))
    expect(times, what).toBeGreaterThan(0)
})
const writers = {
  "killedWriter.ts": startChildren("killedWriter.ts", willRun ? 2 : 0),
  "cutFiles.ts": startChildren("cutFiles.ts", willRun ? 1 : 0)
}
