/**
 * The writer of readers.test.ts: appends, commits, splits and collects until its time is over.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Extent } from "../../src/bytes/extent.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreOptions, StoreService } from "../../src/store/storeService.ts"
import { tell, waitForOrder } from "./messages.ts"
import { blockBytes, Collections, fill } from "./offsetContent.ts"
import { Random } from "../../src/testing/random.ts"
import { openDescriptors, type Resources, resources } from "./resources.ts"

export interface SteadyOrder {
  readonly options: StoreOptions
  readonly mapping: "auto" | "off"
  readonly seed: number
  readonly seconds: number
  /** Where the writer notes the `upTo` of each collection before it begins, one a line. */
  readonly rulesPath: string
}

export interface WriterReport {
  readonly told: "ended"
  readonly commits: number
  readonly collections: number
  readonly appendedBytes: number
  /** The most that were open between two collections, apart from one a chunk. */
  readonly mostDescriptors: number | undefined
  /** Before the store was opened; after a while; before it was closed; after. */
  readonly samples: ReadonlyArray<Resources>
}

export type WriterMessage = { readonly told: "opened" } | WriterReport

/** A collection begins with so much to look at, or after so long. */
const muchBytes = 2 << 20
const longMillis = 120

class SteadyWriter {
  private readonly store: StoreService
  private readonly order: SteadyOrder
  private readonly random: Random
  private readonly collections = new Collections()
  private live: ReadonlyArray<Extent> = []
  private suffixStart = 0
  private collecting: Fiber.Fiber<unknown, unknown> | undefined
  private collectedAt = performance.now()
  commits = 0
  mostDescriptors: number | undefined

  constructor(store: StoreService, order: SteadyOrder) {
    this.store = store
    this.order = order
    this.random = new Random(order.seed)
  }

  get generation(): number {
    return this.collections.upTos.length
  }

  readonly runFor = (seconds: number) =>
    Effect.gen({ self: this }, function* () {
      const until = performance.now() + seconds * 1000
      while (performance.now() < until) {
        yield* this.batch
        if (this.collecting?.pollUnsafe() !== undefined) yield* this.settle
        if (this.collecting === undefined && this.isDue) yield* this.collect
      }
      if (this.collecting !== undefined) yield* this.settle
    })

  private get isDue(): boolean {
    const bytes = this.store.committedEnd() - this.suffixStart
    return bytes > muchBytes || (bytes > 0 && performance.now() - this.collectedAt > longMillis)
  }

  private readonly batch = Effect.gen({ self: this }, function* () {
    const { random, store } = this
    const doomed = random.percent(10)
    for (let left = random.below(6); left >= 0; left--) {
      yield* this.append(random.percent(5) ? random.below(300_000) : random.below(4000), doomed)
      if (random.percent(20)) yield* Effect.yieldNow
    }
    if (doomed) return yield* store.rollback
    const beyond = store.end() % blockBytes
    if (beyond > 0) yield* this.append(blockBytes - beyond, false)
    yield* random.percent(4) ? store.split : store.commit
    this.commits++
    if (random.percent(30)) yield* Effect.sleep(random.below(6))
  })

  private append(length: number, doomed: boolean) {
    const bytes = new Uint8Array(length)
    fill(this.store.end(), bytes, doomed)
    return this.random.percent(20)
      ? Effect.sync(() => this.store.unsafe.append(bytes))
      : this.store.append(bytes)
  }

  private readonly collect = Effect.gen({ self: this }, function* () {
    const { collections, random, store, suffixStart } = this
    const end = store.committedEnd()
    const upTo = random.percent(60) ? end : random.between(suffixStart, end)
    // Told before it can be seen.
    fs.appendFileSync(this.order.rulesPath, `${upTo}\n`)
    collections.upTos.push(upTo)
    const candidates = [...this.live, { offset: suffixStart, length: upTo - suffixStart }]
    this.live = [...collections.kept(candidates, this.generation)]
    this.suffixStart = upTo
    this.collecting = yield* Effect.forkChild(store.collect({ live: this.live, upTo }))
  })

  private readonly settle = Effect.gen({ self: this }, function* () {
    yield* Fiber.join(this.collecting!)
    this.collecting = undefined
    this.collectedAt = performance.now()
    const { chunks, generation } = this.store.stats()
    if (generation !== this.generation) {
      throw new Error(`the generation is ${generation}, not ${this.generation}`)
    }
    const open = openDescriptors()
    if (open !== undefined) this.mostDescriptors = Math.max(this.mostDescriptors ?? 0, open - chunks.length)
  })
}

const order = waitForOrder<SteadyOrder>()
const sample = Effect.promise(resources)

const program = Effect.gen(function* () {
  const samples = [yield* sample]
  const report = yield* Effect.scoped(
    Effect.gen(function* () {
      const store = yield* Store.open({ ...order.options, create: true })
      tell({ told: "opened" } satisfies WriterMessage)
      const writer = new SteadyWriter(store, order)
      yield* writer.runFor(order.seconds / 3)
      samples.push(yield* sample)
      yield* writer.runFor((order.seconds * 2) / 3)
      samples.push(yield* sample)
      const { commits, generation, mostDescriptors } = writer
      const appendedBytes = store.committedEnd()
      yield* store.close
      return { commits, collections: generation, appendedBytes, mostDescriptors }
    })
  )
  samples.push(yield* sample)
  tell({ told: "ended", ...report, samples } satisfies WriterMessage)
}).pipe(Effect.provide(IoNode.layerWith({ mapping: order.mapping })))

Effect.runPromise(program).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  }
)
