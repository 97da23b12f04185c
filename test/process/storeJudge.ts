/**
 * Judges a store after a kill: that it is in a state that it may be in, and contains exactly what
 * belongs to that state.
 */
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { assert } from "vitest"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreOptions, StoreService } from "../../src/store/storeService.ts"
import type { KillMessage } from "./killedWriter.ts"
import { type CollectRule, type Ledger, pieceBytes, type Placed, united } from "./ledger.ts"
import type { Random } from "../../src/testing/random.ts"
import { described } from "./records.ts"
import { expectedFiles, filesOf } from "./storeFiles.ts"

/** How a store is opened, and through what its files are read. */
export interface StoreSetup {
  readonly options: StoreOptions
  readonly mapping: "auto" | "off"
}

/** The settings of the store with this number: they differ, so that many together try what there is. */
export const storeSetup = (part: number, directory: string): StoreSetup => {
  const chunkSize = [4096, 100_000, 1 << 20, undefined, 20_000][part % 5]
  const autoFlushThreshold = [undefined, 1, 5000, 70_000][part % 4]
  const verifyReads = part % 3 === 1
  return {
    options: { directory, chunkSize, autoFlushThreshold, verifyReads },
    mapping: part % 2 === 0 ? "auto" : "off"
  }
}

/** What one process has told, put into the ledger as far as it was acknowledged. */
export class Acknowledged {
  readonly ledger: Ledger
  /** Appended, and their commit may or may not have come to its end: lists, each committed whole. */
  private inFlight: Array<ReadonlyArray<Placed>> = []
  /** In order, each with the generation that it leads to. */
  private collecting: Array<{ readonly rule: CollectRule; readonly generation: number }> = []
  opened = false
  commits = 0
  collections = 0

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  get commitInFlight(): boolean {
    return this.inFlight.length > 0
  }

  get collectionInFlight(): boolean {
    return this.collecting.length > 0
  }

  /** With `late`, nothing is taken for acknowledged: what was about to be done may be there. */
  hear(message: KillMessage, late = false): void {
    switch (message.told) {
      case "opened":
        this.opened = true
        return
      case "committing":
        this.inFlight.push(message.records)
        return
      case "committed":
        if (late) return
        this.commits++
        return this.commitTo(message.end)
      case "rolledBack":
        this.inFlight = []
        return
      case "collecting": {
        const before = this.collecting[this.collecting.length - 1]?.generation ?? this.ledger.generation
        this.collecting.push({ rule: message.rule, generation: before + 1 })
        return
      }
      case "collected": {
        const last = this.collecting[this.collecting.length - 1]
        if (last !== undefined && message.generation < last.generation) this.collecting.pop()
        else if (!late) this.settleCollections(message.generation)
      }
    }
  }

  /** Takes over the state that was found after the kill, if it is one that may be. */
  settle(store: StoreService): void {
    const { committedEnd, generation, suffixStart } = store.stats()
    const ends = [this.ledger.end, ...this.inFlight.map(endOf)]
    assert.include(ends, committedEnd, "the end is what was acknowledged, or of a commit in flight")
    this.commitTo(committedEnd)
    this.inFlight = []
    this.settleCollections(generation)
    this.collecting = []
    assert.strictEqual(generation, this.ledger.generation, "generation")
    assert.strictEqual(suffixStart, this.ledger.suffixStart, "suffixStart")
  }

  private commitTo(end: number): void {
    while (this.inFlight.length > 0 && endOf(this.inFlight[0]) <= end) {
      for (const record of this.inFlight.shift()!) this.ledger.commit(record)
    }
    assert.isAtLeast(this.ledger.end, end, "what was committed was told before")
  }

  private settleCollections(generation: number): void {
    while (this.collecting.length > 0 && this.collecting[0].generation <= generation) {
      this.ledger.collect(this.collecting.shift()!.rule)
      this.collections++
    }
  }
}

const endOf = (records: ReadonlyArray<Placed>): number => {
  const { length, offset } = records[records.length - 1]
  return offset + length
}

/** What the next writer had to put right. */
export interface Recovered {
  readonly debris: boolean
  readonly tornTail: boolean
  readonly controlRepaired: boolean
}

/**
 * Opens the store as its next writer, or beside it, and judges it. A writer leaves exactly the files that belong
 * to the store, a reader leaves what it found.
 */
export const judgeStore = (
  setup: StoreSetup,
  acknowledged: Acknowledged,
  random: Random,
  asWriter: boolean
): Promise<Recovered> =>
  Effect.gen(function* () {
    const { options } = setup
    const before = fs.existsSync(options.directory) ? filesOf(options.directory) : []
    const store = yield* Store.open({ ...options, create: asWriter, readonly: !asWriter })
    acknowledged.settle(store)
    yield* judgeContent(store, acknowledged.ledger, random)
    if (!asWriter) {
      assert.deepStrictEqual(filesOf(options.directory), before, "files beside a reader")
      return { debris: false, tornTail: false, controlRepaired: false }
    }
    const stats = store.stats()
    const files = expectedFiles(stats)
    assert.deepStrictEqual(filesOf(options.directory), files, "files")
    const { controlRepaired, removed, tornTailBytes } = stats.recovery!
    // A creation that was interrupted is begun anew: it makes this file again, and removes nothing.
    const isNew = !before.includes("store.control")
    const debris = before.filter((name) => !files.includes(name) && !(isNew && name === "store.control.tmp"))
    assert.deepStrictEqual([...removed].sort(), debris, "what is told to be removed")
    yield* store.close
    assert.deepStrictEqual(filesOf(options.directory), files, "files after close")
    return { debris: removed.length > 0, tornTail: tornTailBytes > 0, controlRepaired }
  }).pipe(
    Effect.scoped,
    Effect.provide(IoNode.layerWith({ mapping: setup.mapping })),
    // Torn tails are told as warnings.
    Effect.provide(Logger.layer([])),
    Effect.runPromise
  )

/** Every byte of the store is what the ledger says, and there is no other. */
export const judgeContent = (store: StoreService, ledger: Ledger, random: Random) =>
  Effect.gen(function* () {
    assert.strictEqual(store.end(), ledger.end, "end")
    assert.deepStrictEqual(united(store.extents()), ledger.extents(), "extents")
    const { pieces } = ledger
    const found = random.percent(50)
      ? yield* store.readMany(
          pieces.map(({ from }) => from),
          pieces.map(({ from, to }) => to - from)
        )
      : pieces.map(({ from, to }) => {
          const buffer = new Uint8Array(to - from)
          store.unsafe.readInto(from, buffer)
          return buffer
        })
    for (const [index, piece] of pieces.entries()) {
      const same = Buffer.compare(found[index], pieceBytes(piece)) === 0
      const { counter, round } = piece.record
      if (!same) {
        assert.fail(
          `record ${counter} of round ${round} at ${piece.from} reads as ${described(found[index])}${differences(found[index], pieceBytes(piece))}`
        )
      }
    }
    yield* judgeHoles(store, ledger, random)
    const { damage } = yield* store.check()
    assert.deepStrictEqual(damage, [], "damage")
  })

/** Where bytes begin to be others than they should be, in words. */
const differences = (found: Uint8Array, expected: Uint8Array): string => {
  const first = found.findIndex((byte, i) => byte !== expected[i])
  const wrong = found.reduce((sum, byte, i) => sum + (byte === expected[i] ? 0 : 1), 0)
  const zeros = found.subarray(first).findIndex((byte) => byte !== 0)
  return `; ${wrong} of ${found.length} bytes are wrong, from ${first} on, beginning with ${zeros < 0 ? "nothing but" : zeros} zeros`
}

/** What was collected, and what is beyond the end, is told as that. */
const judgeHoles = (store: StoreService, ledger: Ledger, random: Random) =>
  Effect.gen(function* () {
    let before = 0
    for (const { length, offset } of ledger.extents()) {
      if (offset > before) {
        for (const at of [before, offset - 1, random.between(before, offset - 1)]) {
          const refused = yield* Effect.flip(store.read(at, 1))
          assert.strictEqual(refused._tag, "InvalidSparseRead", `a read at ${at}, which was collected`)
        }
        if (before > 0) {
          const refused = yield* Effect.flip(store.read(before - 1, 2))
          assert.strictEqual(refused._tag, "ReadOutOfBounds", `a read across ${before}`)
        }
      }
      before = offset + length
    }
    const refused = yield* Effect.flip(store.read(ledger.end, 1))
    assert.strictEqual(refused._tag, "ReadOutOfBounds", "a read at the end")
  })
