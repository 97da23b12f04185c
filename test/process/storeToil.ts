/**
 * A store at work where calls fail: the same steps for the same seed, and whatever fails is taken as a program would
 * take it. What was acknowledged is told as killedWriter.ts tells it.
 *
 * After a failure: once more, for what failed may be over; else back to what is committed; and nothing more with a
 * store that is poisoned. Defects, and errors without a tag, are not caught.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Io } from "../../src/io/Io.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreOptions, StoreService } from "../../src/store/storeService.ts"
import type { KillMessage } from "./killedWriter.ts"
import { type CollectRule, Ledger, type Placed } from "./ledger.ts"
import { Random } from "../../src/testing/random.ts"
import { recordBytes, recordHeaderBytes } from "./records.ts"

/** An error that was met, in short. */
export interface Failed {
  readonly operation: string
  readonly tag: string
  readonly path?: string | undefined
  readonly code?: string | undefined
}

export interface ToilOptions {
  readonly store: StoreOptions
  readonly seed: number
  /** Marks the records. */
  readonly round: number
  /** What the store contains. */
  readonly ledger: Ledger
  readonly steps: number
  readonly mostBytes: number
  readonly hear: (message: KillMessage) => void
}

interface Tagged {
  readonly _tag: string
  readonly path?: string
  readonly code?: string
}

/** Failures after which it gives up. */
const enough = 4

export class StoreToil {
  /** What failed, in order. */
  readonly failed: Array<Failed> = []
  private readonly options: ToilOptions
  private readonly random: Random
  /** As the store should be, apart from what it has in its memory alone. */
  private readonly ledger: Ledger
  private pending: Array<Placed> = []
  /** How many of these were told to be committed. */
  private told = 0
  private counter = 0
  /** Whether a collection has failed, and was not told to be over. */
  private collectionFailed = false

  constructor(options: ToilOptions) {
    this.options = options
    this.random = new Random(options.seed)
    this.ledger = Ledger.fromNumbers(options.ledger.toNumbers())
  }

  /** Never fails: what failed is in `failed`. */
  readonly run: Effect.Effect<void, never, Io> = Effect.suspend(() =>
    Effect.gen({ self: this }, function* () {
      const { steps, store: options } = this.options
      const store = yield* this.tried("open", Store.open({ ...options, create: true }))
      if (store === undefined) return
      for (let step = 0; step < steps && this.failed.length < enough; step++) {
        if (!(yield* this.step(store, step))) break
      }
      if (this.pending.length > 0) yield* this.tried("rollback", store.rollback)
      yield* this.tried("close", store.close)
    }).pipe(Effect.scoped)
  )

  private tried<A, R>(
    operation: string,
    effect: Effect.Effect<A, Tagged, R>
  ): Effect.Effect<A | undefined, never, R> {
    return Effect.map(Effect.result(effect), (result) => {
      if (result._tag === "Success") return result.success
      const { _tag, code, path } = result.failure
      this.failed.push({ operation, tag: _tag, path, code })
      return undefined
    })
  }

  /** One step and, where it failed, what comes after that. Gives whether to go on. */
  private step(store: StoreService, step: number): Effect.Effect<boolean, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const before = this.failed.length
      yield* step % 7 === 5 ? this.collect(store) : this.write(store, step % 5 === 3)
      if (this.failed.length === before) return true
      if (this.failed[before].tag === "Poisoned") return false
      const [was] = this.failed.splice(before) // told again if it is met again
      this.failed.push(was)
      if (yield* this.commit(store, false)) return true
      if (this.failed[this.failed.length - 1].tag === "Poisoned") return false
      const result = yield* Effect.result(store.rollback)
      if (result._tag === "Failure") return false
      this.forgetPending()
      this.options.hear({ told: "rolledBack" })
      return true
    })
  }

  private write(store: StoreService, splits: boolean) {
    const { mostBytes, round } = this.options
    return Effect.gen({ self: this }, function* () {
      for (let left = this.random.below(4); left >= 0; left--) {
        const length = this.random.between(recordHeaderBytes, mostBytes)
        const record = { round, counter: this.counter++, length, doomed: false, offset: store.end() }
        const offset = yield* this.tried("append", store.append(recordBytes(record)))
        if (offset === undefined) return
        this.pending.push(record)
      }
      yield* this.commit(store, splits)
    })
  }

  private commit(store: StoreService, splits: boolean): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const { hear } = this.options
      const records = this.pending
      const untold = records.slice(this.told)
      if (untold.length > 0) hear({ told: "committing", records: untold })
      this.told = records.length
      const failures = this.failed.length
      yield* this.tried(splits ? "split" : "commit", splits ? store.split : store.commit)
      if (this.failed.length > failures) return false
      for (const record of records) this.ledger.commit(record)
      this.forgetPending()
      if (records.length > 0) hear({ told: "committed", end: this.ledger.end })
      return true
    })
  }

  private forgetPending(): void {
    this.pending = []
    this.told = 0
  }

  private collect(store: StoreService) {
    return Effect.gen({ self: this }, function* () {
      const { ledger, options, random } = this
      if (ledger.end === 0) return
      const rule: CollectRule = { upTo: ledger.end, percent: 60, salt: random.below(2 ** 30) }
      const { generation } = store.stats()
      // A store that goes on after a failure has not been collected.
      if (this.collectionFailed) options.hear({ told: "collected", generation })
      options.hear({ told: "collecting", rule })
      const failures = this.failed.length
      yield* this.tried("collect", store.collect({ live: ledger.live(rule), upTo: rule.upTo }))
      const now = store.stats().generation
      if (now > generation) ledger.collect(rule)
      // Where writing or syncing control has failed, either generation may be found later. No disk is too full for it.
      const why = this.failed[failures]
      const isControl = why?.path?.endsWith("store.control") === true
      const isKnown = now > generation || (why?.tag === "NoSpace" && !isControl)
      const hasFailed = this.failed.length > failures
      this.collectionFailed = hasFailed && !isKnown
      if (isKnown || !hasFailed) options.hear({ told: "collected", generation: now })
    })
  }
}
