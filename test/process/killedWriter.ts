/**
 * The process that kill.test.ts kills, and that powerCut.test.ts cuts off from its disk: it opens a store, writes and collects, and tells what it was
 * acknowledged before it goes on. It ends by itself only when something is wrong.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreOptions, StoreService } from "../../src/store/storeService.ts"
import { cutAtCall, type CutOrder } from "./cutMoment.ts"
import { type CollectRule, Ledger, pieceBytes, type Placed } from "./ledger.ts"
import { failWith, tell, waitForOrder } from "./messages.ts"
import { Random } from "../../src/testing/random.ts"
import { described, recordBytes, recordHeaderBytes } from "./records.ts"

export interface KillOrder {
  readonly options: StoreOptions
  readonly mapping: "auto" | "off"
  readonly seed: number
  readonly round: number
  /** What the store contains. */
  readonly ledger: ReadonlyArray<number>
  /** When the power goes, if this process has to see to it. */
  readonly cut?: CutOrder | undefined
}

export type KillMessage =
  | { readonly told: "opened"; readonly generation: number; readonly end: number }
  /** These were appended, and a commit is about to begin. */
  | { readonly told: "committing"; readonly records: ReadonlyArray<Placed> }
  /** Everything before `end` was acknowledged. */
  | { readonly told: "committed"; readonly end: number }
  /** What was about to be committed was forgotten. */
  | { readonly told: "rolledBack" }
  | { readonly told: "collecting"; readonly rule: CollectRule }
  /** The collection ended: acknowledged, if this is the next generation. */
  | { readonly told: "collected"; readonly generation: number }

/** From so many readable bytes on, most of them are collected. */
const muchBytes = 3 << 20
/** A child that nobody kills ends all the same. */
const maxSteps = 3000

const expect = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(what)
}

class Writer {
  private readonly store: StoreService
  private readonly ledger: Ledger
  private readonly random: Random
  private readonly round: number
  private counter = 0
  private collecting = false

  constructor(store: StoreService, order: KillOrder) {
    this.store = store
    this.ledger = Ledger.fromNumbers(order.ledger)
    this.random = new Random(order.seed)
    this.round = order.round
  }

  readonly run = Effect.gen({ self: this }, function* () {
    const { ledger, random, store } = this
    const { generation } = store.stats()
    tell({ told: "opened", generation, end: store.committedEnd() } satisfies KillMessage)
    expect(store.committedEnd() === ledger.end, `the end is ${store.committedEnd()}, not ${ledger.end}`)
    for (let step = 0; step < maxSteps; step++) {
      const choice = random.below(100)
      if (choice < 55) yield* this.batch
      else if (choice < 63) yield* this.commitTogether
      else if (choice < 67) yield* store.split
      else if (choice < 77) yield* this.look
      else if (choice < 79) yield* this.check
      else yield* this.collect
    }
  })

  private makeRecord(doomed: boolean): Placed {
    const { random } = this
    const most = random.percent(3) ? 200_000 : random.percent(10) ? 20_000 : 1200
    const length = random.between(recordHeaderBytes, most)
    return { round: this.round, counter: this.counter++, length, doomed, offset: this.store.end() }
  }

  /** Some records, and a commit, a split or a rollback. */
  private readonly batch = Effect.gen({ self: this }, function* () {
    const { random, store } = this
    const doomed = random.percent(15)
    const records: Array<Placed> = []
    if (random.percent(30)) {
      for (let left = random.below(6); left >= 0; left--) {
        const record = this.makeRecord(doomed)
        const offset = record.offset + records.reduce((sum, { length }) => sum + length, 0)
        records.push({ ...record, offset })
      }
      const offset = yield* store.appendAll(records.map(recordBytes))
      expect(offset === records[0].offset, `appendAll gave ${offset}, not ${records[0].offset}`)
    } else {
      for (let left = random.below(8); left >= 0; left--) {
        const record = this.makeRecord(doomed)
        const bytes = recordBytes(record)
        const offset = random.percent(20) ? store.unsafe.append(bytes) : yield* store.append(bytes)
        expect(offset === record.offset, `append gave ${offset}, not ${record.offset}`)
        records.push(record)
        if (random.percent(20)) yield* Effect.yieldNow
      }
    }
    if (doomed) {
      yield* store.rollback
      expect(store.end() === this.ledger.end, "a rollback leads back to the committed end")
      return
    }
    tell({ told: "committing", records } satisfies KillMessage)
    yield* random.percent(10) ? store.split : store.commit
    for (const record of records) this.ledger.commit(record)
    tell({ told: "committed", end: this.ledger.end } satisfies KillMessage)
  })

  /** Fibers that each append a record and commit it, and so share commits. */
  private readonly commitTogether = Effect.gen({ self: this }, function* () {
    const { ledger, random, store } = this
    const records: Array<Placed> = []
    const appended = Effect.gen({ self: this }, function* () {
      const record = this.makeRecord(false)
      // In one step, so that they are told in the order of their offsets.
      store.unsafe.append(recordBytes(record))
      records.push(record)
      tell({ told: "committing", records: [record] } satisfies KillMessage)
      yield* store.commit
      tell({ told: "committed", end: record.offset + record.length } satisfies KillMessage)
    })
    yield* Effect.all(
      Array.from({ length: random.between(2, 6) }, () => appended),
      { concurrency: "unbounded", discard: true }
    )
    for (const record of records) ledger.commit(record)
  })

  /** Reads some pieces. Synchronously, so that no collection comes in between. */
  private readonly look = Effect.sync(() => {
    const { ledger, random, store } = this
    // A collection is published, and not yet in the ledger.
    if (store.stats().generation !== ledger.generation) return
    for (let left = 20; left > 0 && ledger.pieces.length > 0; left--) {
      const piece = random.oneOf(ledger.pieces)
      const found = new Uint8Array(piece.to - piece.from)
      store.unsafe.readInto(piece.from, found)
      const same = Buffer.compare(found, pieceBytes(piece)) === 0
      expect(same, `other bytes at ${piece.from}: ${described(found)}`)
    }
  })

  private readonly check = Effect.gen({ self: this }, function* () {
    const { damage } = yield* this.store.check()
    expect(damage.length === 0, `damage: ${JSON.stringify(damage)}`)
  })

  /** Begins a collection, beside which all goes on; now and then it is interrupted. */
  private readonly collect = Effect.gen({ self: this }, function* () {
    const { ledger, random, store } = this
    if (this.collecting || ledger.end === 0) return
    const much = ledger.readableBytes > muchBytes
    if (!much && random.percent(60)) return
    const upTo = much || random.percent(50) ? ledger.end : random.between(ledger.suffixStart, ledger.end)
    const percent = much ? 20 : random.oneOf([0, 30, 60, 90, 100])
    const rule: CollectRule = { upTo, percent, salt: random.below(2 ** 30) }
    const live = ledger.live(rule)
    if (random.percent(30)) live.reverse()
    this.collecting = true
    tell({ told: "collecting", rule } satisfies KillMessage)
    const before = ledger.generation
    const fiber = yield* Effect.forkChild(store.collect({ live, upTo }))
    // Called even if the fiber was interrupted before it began.
    fiber.addObserver((exit) => {
      if (exit._tag === "Failure" && !Cause.hasInterruptsOnly(exit.cause)) failWith(exit.cause)
      const { generation } = store.stats()
      if (generation > before) ledger.collect(rule)
      tell({ told: "collected", generation } satisfies KillMessage)
      this.collecting = false
    })
    if (random.percent(20)) {
      if (random.percent(50)) yield* Effect.sleep(random.below(10))
      yield* Fiber.interrupt(fiber)
    } else if (random.percent(30)) {
      yield* Fiber.await(fiber)
    }
  })
}

const order = waitForOrder<KillOrder>()
if (order.cut !== undefined) cutAtCall(order.cut)
const program = Effect.gen(function* () {
  const store = yield* Store.open({ ...order.options, create: true })
  yield* new Writer(store, order).run
}).pipe(Effect.scoped, Effect.provide(IoNode.layerWith({ mapping: order.mapping })))

Effect.runPromise(program).then(() => process.exit(0), failWith)
