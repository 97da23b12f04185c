/**
 * Appending records of 128 bytes to a store: with a commit each, with a commit every 1,000, and with
 * none, beside C that does the bare file work and peers that put the same records by key.
 *
 * Each run fills a new store. The files and the first commit are made before the clock starts, on
 * every side; without commits it stops before the end of the buffer (at most 1 MiB) is written.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import type { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import { expect, expectSame } from "../expect.ts"
import { loadNative } from "../native.ts"
import { randomWords } from "../random.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Goal } from "../result.ts"
import type { Settings } from "../settings.ts"
import { openPeer } from "./storePeers.ts"
import type { PeerStore, StoreInput } from "./storePeers.ts"

type Service = Store["Service"]

const recordBytes = 128
const variety = 64
const controlBytes = 1 << 17
const checkedRecords = 1000

interface Plan {
  /** Records that go into one commit, or, without commits, into one call or transaction of each side. */
  readonly ours: number
  readonly peers: number
  readonly commits: boolean
  readonly count: number
  readonly rehearsed: boolean
}

const plans = {
  one: (quick: boolean): Plan => ({
    ours: 1,
    peers: 1,
    commits: true,
    count: quick ? 20 : 500,
    rehearsed: false
  }),
  thousand: (quick: boolean): Plan => ({
    ours: 1000,
    peers: 1000,
    commits: true,
    count: (quick ? 5 : 200) * 1000,
    rehearsed: false
  }),
  /** More than one chunk of 64 MiB, so that beginning another is part of it. */
  none: (quick: boolean): Plan => ({
    ours: 256,
    peers: 10_240,
    commits: false,
    count: (quick ? 4 : 54) * 10_240,
    rehearsed: true
  })
}

/** How many records there are to a commit. */
export type StoreCommits = keyof typeof plans

export interface StoreAppendInput extends StoreInput {
  readonly commits: StoreCommits
}

interface Way {
  readonly name: string
  readonly goal?: Goal
  readonly work: (store: Service) => Effect.Effect<void, unknown, Io>
}

const waysOf = (
  commits: StoreCommits,
  { count, ours: each }: Plan,
  records: ReadonlyArray<Uint8Array>
): ReadonlyArray<Way> => {
  const many = Array.from({ length: each }, (_, i) => records[i % variety])
  const inBatches = Effect.fnUntraced(function* (store: Service) {
    for (let i = 0; i < count; i += each) yield* store.appendAll(many)
  })
  const inBatchesCommitted = Effect.fnUntraced(function* (store: Service) {
    for (let i = 0; i < count; i += each) {
      yield* store.appendAll(many)
      yield* store.commit
    }
  })
  const oneByOne = (store: Service) =>
    Effect.sync(() => {
      for (let i = 0; i < count; i++) store.unsafe.append(records[i % variety])
    })
  const oneByOneCommitted = Effect.fnUntraced(function* (store: Service) {
    for (let i = 0; i < count; i += each) {
      for (let k = 0; k < each; k++) store.unsafe.append(records[k % variety])
      yield* store.commit
    }
  })
  const atOnce = (store: Service) =>
    Effect.sync(() => {
      for (let i = 0; i < count; i += each) {
        for (let k = 0; k < each; k++) store.unsafe.append(records[k % variety])
        store.unsafe.commit()
      }
    })
  const asEffects = Effect.fnUntraced(function* (store: Service) {
    for (let i = 0; i < count; i++) yield* store.append(records[i % variety])
  })
  const asEffectsCommitted = Effect.fnUntraced(function* (store: Service) {
    for (let i = 0; i < count; i += each) {
      for (let k = 0; k < each; k++) yield* store.append(records[k % variety])
      yield* store.commit
    }
  })
  switch (commits) {
    case "one": {
      const goal: Goal = { most: 1.2, of: "ratio", to: "C" }
      return [
        { name: "append, commit", goal, work: asEffectsCommitted },
        { name: "unsafe.append, unsafe.commit", goal, work: atOnce }
      ]
    }
    case "thousand": {
      const goal: Goal = { most: 1 / 2, of: "ratio", to: "lmdb" }
      return [
        { name: "appendAll of 1,000, commit", goal, work: inBatchesCommitted },
        { name: "unsafe.append, commit", goal, work: oneByOneCommitted },
        { name: "unsafe.append, unsafe.commit", goal, work: atOnce },
        { name: "append, commit", work: asEffectsCommitted }
      ]
    }
    case "none": {
      const goal: Goal = { most: 1 / 8, of: "ratio", to: "lmdb" }
      return [
        { name: "appendAll of 256", goal, work: inBatches },
        { name: "unsafe.append", goal, work: oneByOne },
        { name: "append, an Effect", work: asEffects }
      ]
    }
  }
}

/** Puts the first record, then times the others: nanoseconds each. */
const timePeer = async (peer: PeerStore, plan: Plan, records: ReadonlyArray<Uint8Array>): Promise<number> => {
  const many = Array.from({ length: plan.peers }, (_, i) => records[(i % plan.ours) % variety])
  const offsets = new Float64Array(plan.peers)
  await peer.putMany([0], [records[0]])
  const start = performance.now()
  for (let i = 0; i < plan.count; i += plan.peers) {
    for (let k = 0; k < plan.peers; k++) offsets[k] = (1 + i + k) * recordBytes
    const put = peer.putMany(offsets, many)
    if (put !== undefined) await put
  }
  return ((performance.now() - start) * 1e6) / plan.count
}

export const storeAppendCase = Effect.fnUntraced(function* (
  settings: Settings,
  { commits, peers }: StoreAppendInput
) {
  const plan = plans[commits](settings.quick)
  const { count } = plan
  const word = randomWords(61)
  const bytes = Uint8Array.from({ length: variety * recordBytes }, () => word())
  const records = Array.from({ length: variety }, (_, i) =>
    Buffer.from(bytes.buffer, i * recordBytes, recordBytes)
  )
  /** The record that every side has at this place, the first being put before the clock starts. */
  const recordAt = (i: number): Uint8Array => records[i === 0 ? 0 : ((i - 1) % plan.ours) % variety]
  const directory = path.join(settings.directory, "store")

  const timeOurs = (work: Way["work"]): Promise<number> =>
    Effect.gen(function* () {
      const store = yield* Store.open({ directory, create: true })
      yield* store.append(records[0])
      yield* store.commit
      const start = performance.now()
      yield* work(store)
      const nanos = ((performance.now() - start) * 1e6) / count
      yield* store.commit
      yield* store.close
      return nanos
    }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

  const native = loadNative()
  const timeC = (): number => {
    if (typeof native === "string") throw new Error(native)
    fs.mkdirSync(directory)
    const data = fs.openSync(path.join(directory, "data"), "wx")
    const control = fs.openSync(path.join(directory, "control"), "wx")
    fs.writeSync(control, new Uint8Array(controlBytes))
    // Both files, so that the first commit doesn't pay for what was made before.
    for (const fd of [data, control]) fs.fsyncSync(fd)
    const work = plan.commits
      ? () => native.commitRecords(data, control, bytes, count / plan.ours, plan.ours)
      : () => native.appendRecords(data, bytes, count)
    try {
      return nanosEach(count, () => expect("C appended", work() === 0))
    } finally {
      for (const fd of [data, control]) fs.closeSync(fd)
    }
  }
  const unit = plan.ours === 1 ? { name: "us a commit", nanos: 1000 } : { name: "ns a record", nanos: 1 }
  /** Runs what gives nanoseconds, and removes what that left. */
  const inNewDirectory = (run: () => number | Promise<number>) => async () => {
    try {
      return (await run()) / unit.nanos
    } finally {
      fs.rmSync(directory, { recursive: true, force: true })
    }
  }

  const ways = waysOf(commits, plan, records)
  const sides = ways.map((way): Side => ({
    name: way.name,
    ...(way.goal === undefined ? {} : { goal: way.goal }),
    run: inNewDirectory(() => timeOurs(way.work))
  }))
  if (typeof native !== "string") {
    const note = plan.commits ? "pwrite, fsync, control, fsync" : "memcpy, 1 MiB writes"
    sides.push({ name: "C", note, run: inNewDirectory(timeC) })
  }
  for (const name of peers) {
    let putBy = ""
    const timed = async (check: boolean): Promise<number> => {
      fs.mkdirSync(directory)
      const peer = await openPeer(name, directory, { durable: plan.commits })
      putBy = peer.putBy
      const nanos = await timePeer(peer, plan, records)
      for (let i = 0; check && i <= count; i += Math.ceil(count / checkedRecords)) {
        expectSame(`record ${i} of ${name}`, Uint8Array.from(peer.get(i * recordBytes)), recordAt(i))
      }
      await peer.close()
      return nanos
    }
    yield* Effect.promise(inNewDirectory(() => timed(true)))
    sides.push({ name, note: putBy, run: inNewDirectory(() => timed(false)) })
  }

  const wanted = new Uint8Array((1 + count) * recordBytes)
  for (let i = 0; i <= count; i++) wanted.set(recordAt(i), i * recordBytes)
  for (const { name, work } of ways) {
    yield* Effect.promise(() => timeOurs(work))
    const store = yield* Store.open({ directory, readonly: true })
    expectSame(`what ${name} appended`, yield* store.read(0, store.end()), wanted)
    yield* store.close
    fs.rmSync(directory, { recursive: true })
  }
  return yield* Effect.promise(() =>
    compare({
      case: plan.commits ? `store-commit-${plan.ours}` : "store-append",
      variant: `${recordBytes} bytes`,
      unit: unit.name,
      rounds: settings.rounds,
      rehearsed: plan.rehearsed,
      ...(commits === "one" || peers.length === 0 ? {} : { to: "lmdb" }),
      sides
    })
  )
})
