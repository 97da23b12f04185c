/**
 * Kill -9: a process that appends, commits and collects is killed at any moment, again and again,
 * and whatever it was acknowledged is there.
 */
import fs from "node:fs"
import { join } from "node:path"
import { assert, expect, it } from "vitest"
import { type Child, startChildren } from "./children.ts"
import type { KillMessage, KillOrder } from "./killedWriter.ts"
import { Ledger } from "./ledger.ts"
import { Random, seedOf } from "../../src/testing/random.ts"
import {
  all,
  keepsFailures,
  onlyPart,
  onlyRounds,
  replayCommand,
  runs,
  scratchDirectory,
  seed
} from "./runs.ts"
import { fileBytes } from "./storeFiles.ts"
import { Acknowledged, judgeStore, type StoreSetup, storeSetup } from "./storeJudge.ts"

const rounds = Math.max(1, onlyRounds ?? Math.round((all ? 1000 : 200) * runs))
const roundsPerStore = 40
/** A child that says nothing for so long is killed as well, and the test goes on. */
const patienceMillis = 30_000
/** Much more than a store is let grow to before it is collected. */
const maxDiskBytes = 64 << 20

const children = startChildren("killedWriter.ts", 2)
const directory = scratchDirectory()

/** What the kills met. */
const met = {
  ...{ rounds: 0, kills: 0, opening: 0, commits: 0, commitsInFlight: 0, survivingCommits: 0 },
  ...{ collections: 0, collectionsInFlight: 0, survivingCollections: 0, interruptedRecoveries: 0 },
  ...{ debris: 0, tornTails: 0, controlRepaired: 0 }
}

/** Kills the child while it opens, after so many messages, or once a collection has begun. */
const killAtRandom = (child: Child, random: Random, hear: (message: KillMessage) => void): Promise<void> =>
  new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined
    const killIn = (millis: number): void => {
      clearTimeout(timer)
      timer = setTimeout(() => child.kill(), millis)
    }
    const way = random.below(100)
    const messages = random.between(1, 60)
    const kind = way < 50 ? undefined : way < 85 ? "collecting" : "committing"
    const delay = random.percent(40) ? random.below(4) : random.below(kind === undefined ? 60 : 25)
    let heard = 0
    let planned = false
    child.heard = (message: KillMessage) => {
      hear(message)
      if (planned) return
      heard++
      planned = kind === undefined ? heard >= messages : message.told === kind && random.percent(40)
      killIn(planned ? delay : patienceMillis)
    }
    planned = way < 18
    killIn(planned ? random.below(40) : patienceMillis)
    void child.ended.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })

/** Judges the store as its next writer, or beside it. */
const judge = async (setup: StoreSetup, acknowledged: Acknowledged, random: Random, asWriter: boolean) => {
  const { controlRepaired, debris, tornTail } = await judgeStore(setup, acknowledged, random, asWriter)
  met.debris += debris ? 1 : 0
  met.tornTails += tornTail ? 1 : 0
  met.controlRepaired += controlRepaired ? 1 : 0
}

const oneRound = async (setup: StoreSetup, part: number, round: number, ledger: Ledger): Promise<boolean> => {
  const random = new Random(seedOf(seed, part, round))
  const { options, mapping } = setup
  const acknowledged = new Acknowledged(ledger)
  const child = children.take()
  await child.ready
  const order: KillOrder = {
    ...{ options, mapping, round },
    ...{ seed: seedOf(seed, part, round, 1), ledger: ledger.toNumbers() }
  }
  child.order(order)
  await killAtRandom(child, random, (message) => acknowledged.hear(message))
  const ended = await child.ended
  if (ended.signal !== "SIGKILL" && ended.code !== 0) throw new Error(`the child failed:\n${child.complaint}`)
  const { collectionInFlight, collections, commitInFlight, opened } = acknowledged
  const end = ledger.end
  met.rounds++
  met.kills += ended.signal === "SIGKILL" ? 1 : 0
  met.opening += opened ? 0 : 1
  met.commits += acknowledged.commits
  met.commitsInFlight += commitInFlight ? 1 : 0
  met.collectionsInFlight += collectionInFlight ? 1 : 0
  // A reader changes nothing: the next child recovers, and may be killed meanwhile.
  const asWriter = ledger.end === 0 || round % roundsPerStore === roundsPerStore - 1 || random.percent(65)
  await judge(setup, acknowledged, random, asWriter)
  met.interruptedRecoveries += asWriter ? 0 : 1
  met.survivingCommits += ledger.end > end ? 1 : 0
  met.collections += acknowledged.collections
  met.survivingCollections += acknowledged.collections > collections ? 1 : 0
  assert.isBelow(fileBytes(options.directory), maxDiskBytes, "bytes in the directory")
  return asWriter
}

const onePart = async (part: number): Promise<void> => {
  const setup = storeSetup(part, join(directory, `${part}`))
  const ledger = new Ledger()
  const last = Math.min(rounds - part * roundsPerStore, roundsPerStore)
  for (let round = 0; round < last; round++) {
    try {
      await oneRound(setup, part, round, ledger)
    } catch (cause) {
      const kept = keepsFailures ? `\nstore: ${setup.options.directory}` : ""
      const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
      const where = `round ${round} of store ${part} (${JSON.stringify(setup)})`
      const replay = `seed: ${seed}\nreplay: ${replayCommand("kill.test.ts", part)}`
      throw new Error(`${where}: ${reason}${kept}\n\n${replay}`, { cause })
    }
  }
  fs.rmSync(setup.options.directory, { recursive: true, force: true })
}

it(
  `nothing acknowledged is lost in ${rounds} kills`,
  { timeout: Math.max(600_000, 3000 * rounds) },
  async () => {
    const parts = Array.from({ length: Math.ceil(rounds / roundsPerStore) }, (_, part) => part)
    const started = Date.now()
    for (const part of onlyPart === undefined ? parts : [onlyPart]) await onePart(part)
    console.log(`kill.test.ts, seed ${seed}, ${Date.now() - started} ms: ${JSON.stringify(met)}`)
    if (met.rounds < 200) return
    // That the kills come at moments that matter is part of what is tested.
    expect(met.kills).toBeGreaterThan(met.rounds / 2)
    // A torn slot of control is not asked for. kill -9 doesn't tear one: it is written by one system call,
    // which completes before the process ends (a record longer than a page could at most end at one).
    for (const count of Object.values({ ...met, controlRepaired: 1 })) expect(count).toBeGreaterThan(0)
  }
)
