/**
 * A reader of readers.test.ts: reads anywhere, refreshes and reopens until its time is over, and
 * ends with the first byte or error that is not as it must be.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { StoreReadError, StoreService } from "../../src/store/storeService.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import { tell, waitForOrder } from "./messages.ts"
import { blockBytes, Collections, contentAt } from "./offsetContent.ts"
import { Random } from "../../src/testing/random.ts"
import { type Resources, resources } from "./resources.ts"
import type { SteadyOrder } from "./steadyWriter.ts"

export interface ReaderReport {
  readonly told: "ended"
  /** Reads that gave bytes, those of what was collected, those that came to an end too early. */
  readonly right: number
  readonly dead: number
  readonly short: number
  /** Reads of more than a slice, while the store was refreshed. */
  readonly large: number
  readonly refreshes: number
  /** States that were seen. */
  readonly states: number
  readonly opened: number
  readonly checks: number
  /** Before, and after the last close. */
  readonly samples: ReadonlyArray<Resources>
}

type Failed = StoreReadError | { readonly _tag: "none" }

const counts = { right: 0, dead: 0, short: 0, large: 0, refreshes: 0, states: 0, opened: 0, checks: 0 }

class SteadyReader {
  private readonly store: StoreService
  private readonly collections: Collections
  private readonly random: Random
  private readonly rulesPath: string
  private end = 0
  private generation = 0

  constructor(store: StoreService, collections: Collections, random: Random, rulesPath: string) {
    this.store = store
    this.collections = collections
    this.random = random
    this.rulesPath = rulesPath
    this.look()
  }

  readonly runUntil = (until: number) =>
    Effect.gen({ self: this }, function* () {
      const { random } = this
      while (performance.now() < until) {
        for (let left = 20; left > 0; left--) yield* this.read
        if (random.percent(60)) yield* this.refresh
        if (random.percent(15)) yield* this.readLarge
        if (random.percent(1)) yield* this.check
        yield* Effect.sleep(random.below(6))
      }
    })

  /** Takes in the state that the store is in now. */
  private look(): void {
    const { generation } = this.store.stats()
    const end = this.store.committedEnd()
    if (end < this.end || generation < this.generation) throw new Error("the store went backwards")
    if (end % blockBytes !== 0) throw new Error(`the end is ${end}, which is not the end of a commit`)
    if (end !== this.end || generation !== this.generation) counts.states++
    this.end = end
    this.generation = generation
    const { upTos } = this.collections
    if (upTos.length < generation) {
      // The last line may be just being written; no generation that was seen is that new.
      const lines = fs.readFileSync(this.rulesPath, "utf8").split("\n").slice(0, -1)
      upTos.push(...lines.slice(upTos.length).map(Number))
    }
  }

  private readonly refresh = Effect.gen({ self: this }, function* () {
    yield* this.store.refresh
    this.look()
    counts.refreshes++
  })

  /** Somewhere: anywhere, or where things may still be alive, or near an end. */
  private somewhere(): number {
    const { collections, end, generation, random } = this
    const choice = random.below(10)
    if (choice < 2 || end === 0) return random.below(end + 10)
    const oldest = collections.upTos[Math.max(0, generation - 12)] ?? 0
    if (choice < 7) return random.between(Math.min(oldest, end), end)
    const edges = [end, collections.upTos[generation - 1] ?? 0, oldest]
    return Math.max(0, Math.min(end + 10, random.oneOf(edges) + random.between(-600, 600)))
  }

  /** One read or a batch of them; what it gives is known before. */
  private readonly read = Effect.gen({ self: this }, function* () {
    const { random, store } = this
    const offset = this.somewhere()
    const length = random.percent(10) ? random.below(100_000) : random.below(900)
    const way = random.below(3)
    if (way === 0) {
      this.judge(offset, length, yield* Effect.result(store.read(offset, length)))
    } else if (way === 1) {
      const found = yield* Effect.result(
        store.readMany([offset, this.end], [length, 0]).pipe(Effect.map(([bytes]) => bytes))
      )
      this.judge(offset, length, found)
    } else {
      const bytes = new Uint8Array(length)
      this.judge(offset, length, yield* Effect.result(Effect.as(store.readInto(offset, bytes), bytes)))
    }
  })

  private expected(offset: number, length: number): { readonly tag: string; readonly end: number } {
    const { collections, end, generation } = this
    if (length === 0) return { tag: offset <= end ? "none" : "ReadOutOfBounds", end }
    if (offset >= end) return { tag: "ReadOutOfBounds", end }
    const limit = Math.min(offset + length, end)
    const runEnd = collections.runEnd(offset, limit, generation)
    if (runEnd === offset) return { tag: "InvalidSparseRead", end: offset }
    return { tag: runEnd === offset + length ? "none" : "ReadOutOfBounds", end: runEnd }
  }

  private judge(
    offset: number,
    length: number,
    found:
      | { readonly _tag: "Success"; readonly success: Uint8Array }
      | { readonly _tag: "Failure"; readonly failure: Failed }
  ): void {
    const expected = this.expected(offset, length)
    const failure: Failed = found._tag === "Failure" ? found.failure : { _tag: "none" }
    const where = `${length} bytes at ${offset} (generation ${this.generation}, end ${this.end})`
    if (failure._tag !== expected.tag) {
      throw new Error(`a read of ${where}: ${expected.tag} expected`, { cause: failure })
    }
    if (found._tag === "Success") {
      counts.right++
      this.compare(offset, found.success, where)
    } else if (failure._tag === "ReadOutOfBounds") {
      counts.short++
      if (failure.end !== expected.end)
        throw new Error(`${where} ends at ${failure.end}, not ${expected.end}`)
    } else {
      counts.dead++
    }
  }

  private compare(offset: number, bytes: Uint8Array, where: string): void {
    const expected = contentAt(offset, bytes.length)
    if (Buffer.compare(bytes, expected) === 0) return
    const first = bytes.findIndex((byte, i) => byte !== expected[i])
    throw new Error(`a wrong byte at ${offset + first}, of ${where}`)
  }

  /** A read that takes several turns, while the store goes on to a newer state. */
  private readonly readLarge = Effect.gen({ self: this }, function* () {
    const { random, store } = this
    const suffixStart = store.stats().suffixStart
    const length = (1 << 20) + random.below(1 << 20)
    if (suffixStart + length > this.end) return
    const offset = random.between(suffixStart, this.end - length)
    const refreshing = yield* Effect.forkChild(store.refresh)
    const found = yield* Effect.result(store.read(offset, length))
    yield* Fiber.join(refreshing)
    this.look()
    counts.large++
    const where = `${length} bytes at ${offset} during a refresh to generation ${this.generation}`
    if (found._tag === "Success") return this.compare(offset, found.success, where)
    const { _tag } = found.failure
    // It may have been collected in between; else there is no reason to fail.
    const mayFail = this.expected(offset, length).tag !== "none"
    if (!mayFail || (_tag !== "InvalidSparseRead" && _tag !== "ReadOutOfBounds")) {
      throw new Error(`a read of ${where}`, { cause: found.failure })
    }
  })

  private readonly check = Effect.gen({ self: this }, function* () {
    const { damage } = yield* this.store.check()
    if (damage.length > 0) throw new Error(`damage: ${JSON.stringify(damage)}`)
    counts.checks++
  })
}

const order = waitForOrder<SteadyOrder>()
const sample = Effect.promise(resources)

const program = Effect.gen(function* () {
  const { options, rulesPath, seconds, seed } = order
  const samples = [yield* sample]
  const random = new Random(seed)
  const collections = new Collections()
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    const some = Math.min(until, performance.now() + random.oneOf([20, 50, 200, 2000]))
    yield* Effect.gen(function* () {
      const store = yield* Store.open({ ...options, readonly: true })
      counts.opened++
      yield* new SteadyReader(store, collections, random, rulesPath).runUntil(some)
      if (random.percent(50)) yield* store.close
    }).pipe(Effect.scoped)
  }
  samples.push(yield* sample)
  tell({ told: "ended", ...counts, samples } satisfies ReaderReport)
}).pipe(Effect.provide(IoNode.layerWith({ mapping: order.mapping })))

Effect.runPromise(program).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  }
)
