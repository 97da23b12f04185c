/**
 * A store and its model, side by side: a writer that comes and goes, up to three readers beside it,
 * and every step taken by both.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { assert } from "vitest"
import { attempt } from "../src/io/attempt.ts"
import { Io, type IoService } from "../src/io/Io.ts"
import { Store } from "../src/store/Store.ts"
import {
  defaultChunkSize,
  type StoreCollected,
  type StoreCollectOptions,
  type StoreOptions,
  type StoreService
} from "../src/store/storeService.ts"
import {
  collectionOf,
  illegalCollection,
  type StoreCollection
} from "../src/testing/commands/storeCollections.ts"
import type { StoreCollectChoice, StoreCollectFault } from "../src/testing/commands/storeSteps.ts"
import {
  StoreModel,
  type StoreModelCollected,
  type StoreModelReader,
  type StoreModelState
} from "../src/testing/models/store.ts"
import {
  noDebris,
  outcome,
  sameContent,
  sameReads,
  sameRun,
  sameStats,
  type StoreRecord
} from "./storeComparison.ts"
import type { StoreStep, WriterOptions, WriterStep } from "./storeSteps.ts"

interface Opened {
  readonly store: StoreService
  readonly scope: Scope.Closeable
}

interface Reader extends Opened {
  readonly model: StoreModelReader
}

/** An instance, and what it should contain. */
interface Instance {
  readonly store: StoreService
  readonly state: StoreModelState
  readonly committed: StoreModelState
}

type Stepping = Effect.Effect<void, unknown>

const maxReaders = 3

export const yields = (times: number): Effect.Effect<void> =>
  Effect.forEach(Array.from({ length: times }), () => Effect.yieldNow, { discard: true })

/** The part of what a collection tells that the model knows too. */
const toldBy = (collected: StoreCollected): StoreModelCollected => {
  const { bytesFreed, bytesKept, extents, extentsGiven, generation, upTo } = collected
  return { generation, upTo, extentsGiven, extents, bytesKept, bytesFreed }
}

/** Collections that end because their fiber was told to, and not otherwise. */
export const isInterruption = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)

export class StorePair {
  readonly model = new StoreModel()
  readonly io: IoService
  readonly directory: string
  records: ReadonlyArray<StoreRecord> = []
  private writer: Opened | undefined
  private readers: Array<Reader> = []
  /** The largest of all writers: chunks stay as long as they are. */
  private chunkSize = 0
  private counter = 0
  private backups = 0

  constructor(io: IoService, directory: string) {
    this.io = io
    this.directory = directory
  }

  /** The writer's instance, of a pair that has one. */
  get store(): StoreService {
    if (this.writer === undefined) throw new Error("there is no writer")
    return this.writer.store
  }

  /** Bytes that nobody wrote just before, so that a stale one shows. */
  fresh(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => (this.counter = (this.counter + 7) % 251) + 1)
  }

  // Instances.

  private opening(options: StoreOptions) {
    const scope = Scope.makeUnsafe()
    return Store.open(options).pipe(
      Effect.provideService(Io, this.io),
      Scope.provide(scope),
      Effect.map((store): Opened => ({ store, scope })),
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
  }

  /** A writer, in the place of the one before, which ends by its scope. */
  openWriter(options: WriterOptions): Stepping {
    return Effect.gen({ self: this }, function* () {
      yield* this.dropWriter()
      this.chunkSize = Math.max(this.chunkSize, options.chunkSize ?? defaultChunkSize)
      this.writer = yield* this.opening({ directory: this.directory, create: true, ...options })
      yield* noDebris(this.io, this.store, 1)
    })
  }

  /** The end of the writer's scope: as if it had crashed, except that it unlocks. */
  private dropWriter(): Stepping {
    return Effect.gen({ self: this }, function* () {
      if (this.writer === undefined) return
      yield* Scope.close(this.writer.scope, Exit.void)
      this.writer = undefined
      this.model.reopen()
      this.forgetRecords()
    })
  }

  private forgetRecords(): void {
    this.records = this.records.filter(({ length, offset }) => offset + length <= this.model.committedEnd)
  }

  private openReader(verifyReads: boolean): Stepping {
    return Effect.gen({ self: this }, function* () {
      if (this.readers.length === maxReaders) return
      const before = yield* this.io.list(this.directory)
      const opened = yield* this.opening({ directory: this.directory, readonly: true, verifyReads })
      assert.deepStrictEqual(yield* this.io.list(this.directory), before, "a reader changes no name")
      this.readers.push({ ...opened, model: this.model.reader() })
    })
  }

  private closeReader(who: number): Stepping {
    return Effect.gen({ self: this }, function* () {
      const [reader] = this.readers.splice(who, 1)
      if (reader === undefined) return
      if (who % 2 === 0) yield* reader.store.close
      yield* Scope.close(reader.scope, Exit.void)
    })
  }

  /** What all of them leave behind when the story is over. */
  end(): Effect.Effect<void> {
    const open = [...this.readers, ...(this.writer === undefined ? [] : [this.writer])]
    return Effect.forEach(open, ({ scope }) => Scope.close(scope, Exit.void), { discard: true })
  }

  private instance(who: number): Instance | undefined {
    if (who === 0 && this.writer !== undefined) {
      return { store: this.writer.store, state: this.model.now, committed: this.model.committed }
    }
    const reader = this.readers[who - 1]
    return reader && { store: reader.store, state: reader.model.seen, committed: reader.model.seen }
  }

  /** Every instance has what it should have, and tells of itself what it should. */
  compare(): void {
    for (let who = 0; who <= maxReaders; who++) {
      const instance = this.instance(who)
      if (instance === undefined) continue
      const { committed, state, store } = instance
      sameContent(store, state, committed)
      sameStats(store, state, committed, this.records, this.chunkSize)
    }
  }

  // Steps.

  take(step: StoreStep): Stepping {
    switch (step.step) {
      case "open":
        return Effect.andThen(step.clean ? this.close() : Effect.void, () => this.openWriter(step.options))
      case "close":
        return this.close()
      case "second writer":
        return this.secondWriter()
      case "collect":
      case "dry run":
        return this.collect(step.choice, step.step === "dry run")
      case "collect meanwhile":
        return this.collectMeanwhile(step)
      case "illegal collect":
        return this.illegalCollect(step.fault, step.at)
      case "open reader":
        return this.openReader(step.verifyReads)
      case "close reader":
        return this.closeReader(step.who)
      case "refresh":
        return this.refresh(step.who)
      case "check":
        return this.check(step.who)
      case "backup":
        return this.backup(step.who, step.made)
      case "reads": {
        const instance = this.instance(step.who)
        return instance === undefined ? Effect.void : sameReads(instance.store, instance.state, step.reads)
      }
      default:
        return this.write(step)
    }
  }

  write(step: WriterStep): Stepping {
    return Effect.gen({ self: this }, function* () {
      if (this.writer === undefined) return
      const { model, store } = this
      switch (step.step) {
        case "append":
        case "unsafe.append": {
          const unsafe = step.step === "unsafe.append"
          const bytes = this.fresh(step.size)
          const offset = unsafe ? store.unsafe.append(bytes) : yield* store.append(bytes)
          assert.strictEqual(offset, this.appended([bytes], unsafe))
          break
        }
        case "appendAll": {
          const records = step.sizes.map((size) => this.fresh(size))
          assert.strictEqual(yield* store.appendAll(records), this.appended(records, false))
          break
        }
        case "commit":
          yield* store.commit
          model.commit()
          break
        case "rollback":
          yield* store.rollback
          model.rollback()
          this.forgetRecords()
          break
        case "split": {
          yield* store.split
          model.split()
          const { chunks } = store.stats()
          assert.strictEqual(chunks[chunks.length - 1]?.length ?? 0, 0, "a split begins a chunk")
          break
        }
        case "commits":
          yield* this.commits(step.sizes, step.interruptedAfter)
      }
    })
  }

  /** Tells the model, and overwrites the caller's bytes: what is done to them later must not show. */
  private appended(records: ReadonlyArray<Uint8Array>, unsafe: boolean): number {
    const first = this.model.end
    for (const record of records) {
      const offset = this.model.append(record)
      this.records = [...this.records, { offset, length: record.length, unsafe }]
      record.fill(0)
    }
    return first
  }

  private commits(sizes: ReadonlyArray<number>, interruptedAfter: ReadonlyArray<number>): Stepping {
    return Effect.gen({ self: this }, function* () {
      const { model, store } = this
      const committing = yield* Effect.forEach(sizes, (size) => {
        const bytes = this.fresh(size)
        return store.append(bytes).pipe(
          Effect.tap(() => store.commit),
          Effect.map((offset) => ({ offset, bytes })),
          Effect.forkChild
        )
      })
      yield* Effect.forEach(
        interruptedAfter,
        (times) =>
          Effect.gen(function* () {
            const impatient = yield* Effect.forkChild(store.commit)
            yield* yields(times)
            yield* Fiber.interrupt(impatient)
            const exit = yield* Fiber.await(impatient)
            assert.isTrue(Exit.isSuccess(exit) || isInterruption(exit), String(exit))
          }),
        { concurrency: "unbounded" }
      )
      const appended = yield* Effect.forEach(committing, Fiber.join)
      for (const { bytes, offset } of appended.sort((a, b) => a.offset - b.offset)) {
        assert.strictEqual(offset, this.appended([bytes], false))
      }
      model.commit()
    })
  }

  private collectOptions({ live, upTo }: StoreCollection, streamed: boolean): StoreCollectOptions {
    let copied = 0
    return {
      live: streamed ? Stream.fromIterable(live) : live,
      upTo,
      onProgress: ({ bytes, total }) => {
        assert.isAtLeast(bytes, copied, "progress")
        assert.isAtMost(bytes, total, "progress")
        copied = bytes
      }
    }
  }

  private collect(choice: StoreCollectChoice, dryRun: boolean): Stepping {
    return Effect.gen({ self: this }, function* () {
      if (this.writer === undefined) return
      const { model, store } = this
      const collection = collectionOf(model, choice)
      const before = store.stats()
      const names = yield* this.io.list(this.directory)
      const options = { ...this.collectOptions(collection, choice.streamed), dryRun }
      const collected = yield* store.collect(options)
      const { live, upTo } = collection
      const expected = dryRun ? model.collectDry(live, upTo) : model.collect(live, upTo)
      assert.deepStrictEqual<unknown>({ value: toldBy(collected) }, expected)
      assert.strictEqual(collected.dryRun, dryRun)
      const chunksRemoved = before.chunks.filter(
        ({ length, offset }) => length > 0 && offset + length <= upTo
      )
      assert.strictEqual(collected.chunksRemoved, chunksRemoved.length, "chunksRemoved")
      assert.strictEqual(collected.diskBytesBefore, before.diskBytes, "diskBytesBefore")
      if (dryRun) {
        assert.deepStrictEqual(store.stats(), before, "a dry run changes nothing")
        assert.deepStrictEqual(yield* this.io.list(this.directory), names, "a dry run makes no file")
      } else {
        assert.strictEqual(collected.diskBytesAfter, store.stats().diskBytes, "diskBytesAfter")
        yield* noDebris(this.io, store, Infinity)
      }
    })
  }

  private illegalCollect(fault: StoreCollectFault, thousandths: number): Stepping {
    return Effect.gen({ self: this }, function* () {
      const collection = illegalCollection(this.model, fault, thousandths)
      if (this.writer === undefined || collection === undefined) return
      const { live, upTo } = collection
      const expected = this.model.collectDry(live, upTo)
      if (!("failure" in expected)) assert.fail(`the model takes what is illegal: ${fault}`)
      for (const dryRun of [true, false]) {
        const refused = yield* outcome(this.store.collect({ live, upTo, dryRun }))
        const tag = "failure" in refused ? refused.failure : "none"
        assert.strictEqual(tag, expected.failure, `${fault}: ${JSON.stringify(collection)}`)
      }
    })
  }

  /** A collection in one fiber, and appends, commits, rollbacks and reads in another. */
  private collectMeanwhile(step: StoreStep & { readonly step: "collect meanwhile" }): Stepping {
    return Effect.gen({ self: this }, function* () {
      if (this.writer === undefined) return
      const { model, store } = this
      const { generation } = model
      const collection = collectionOf(model, step.choice)
      const { live, upTo } = collection
      const options = this.collectOptions(collection, step.choice.streamed)
      const collecting = yield* Effect.forkChild(store.collect(options), { startImmediately: true })
      const second = yield* outcome(store.collect({ live: [], upTo, dryRun: true }))
      // This fiber's budget may have run out in between, and the first collection have ended meanwhile.
      if (collecting.pollUnsafe() === undefined) assert.deepStrictEqual(second, { failure: "Locked" })
      for (const { then, yields: times } of step.meanwhile) {
        yield* yields(times)
        yield* this.write(then)
        // Whether what is dead can still be read, nobody knows now; all else can.
        const kept = model.now.collected(live, upTo)
        for (const run of kept.extents()) sameRun(store, kept, run)
        assert.strictEqual(store.end(), model.end)
        assert.strictEqual(store.committedEnd(), model.committedEnd)
      }
      if (step.interrupted) yield* Fiber.interrupt(collecting)
      const exit = yield* Fiber.await(collecting)
      if (Exit.isSuccess(exit)) {
        const expected = model.collect(live, upTo)
        assert.deepStrictEqual<unknown>({ value: toldBy(exit.value) }, expected)
      } else {
        assert.isTrue(step.interrupted && isInterruption(exit), String(exit))
        // What was published before the fiber heard of it stays published.
        if (store.stats().generation > generation) model.collect(live, upTo)
      }
    })
  }

  private refresh(who: number): Stepping {
    return Effect.gen({ self: this }, function* () {
      if (who === 0) {
        if (this.writer === undefined) return
        assert.deepStrictEqual(yield* outcome(this.store.refresh), { failure: "RwNotAllowed" })
        return
      }
      const reader = this.readers[who - 1]
      if (reader === undefined) return
      yield* reader.store.refresh
      reader.model.refresh()
      const { store } = reader
      const writing = [
        store.append(new Uint8Array(1)),
        store.commit,
        store.rollback,
        store.split,
        store.collect({ live: [], upTo: 0 }),
        attempt(() => store.unsafe.append(new Uint8Array(1)))
      ]
      for (const one of writing) assert.deepStrictEqual(yield* outcome(one), { failure: "RoNotAllowed" })
    })
  }

  private check(who: number): Stepping {
    return Effect.gen({ self: this }, function* () {
      const instance = this.instance(who)
      if (instance === undefined) return
      const { damage, extents, unverifiedBytes } = yield* instance.store.check()
      assert.deepStrictEqual(damage, [])
      // It looks at what is on the disk now, which a reader may not have seen yet.
      if (who > 0) return
      const { chunks, prefix } = instance.store.stats()
      assert.strictEqual(unverifiedBytes, chunks[chunks.length - 1]?.length ?? 0, "unverifiedBytes")
      assert.strictEqual(extents, prefix?.extents ?? 0, "extents that were checked")
    })
  }

  private backup(who: number, made: boolean): Stepping {
    return Effect.gen({ self: this }, function* () {
      const instance = this.instance(who)
      if (instance === undefined) return
      // A reader's too: what is committed now, not what the reader saw last.
      const { committed } = this.model
      const { store } = instance
      const directory = `${this.directory}-backup${this.backups++}`
      if (made) yield* this.io.makeDirectory(directory)
      const copied = yield* store.backup(directory)
      assert.strictEqual(copied.directory, directory)
      assert.strictEqual(copied.generation, committed.generation)
      assert.strictEqual(copied.committedEnd, committed.end)
      const copy = yield* this.opening({ directory })
      yield* noDebris(this.io, copy.store, 1)
      sameContent(copy.store, committed, committed)
      sameStats(copy.store, committed, committed, this.records, this.chunkSize)
      assert.deepStrictEqual((yield* copy.store.check()).damage, [])
      yield* copy.store.close
      yield* Scope.close(copy.scope, Exit.void)
    })
  }

  private secondWriter(): Stepping {
    return Effect.gen({ self: this }, function* () {
      if (this.writer === undefined) return
      assert.deepStrictEqual(yield* outcome(this.opening({ directory: this.directory })), {
        failure: "Locked"
      })
    })
  }

  /** Closes as a program should: what is not committed stands in the way once, and is then rolled back. */
  private close(): Stepping {
    return Effect.gen({ self: this }, function* () {
      if (this.writer === undefined) return
      const { model, store } = this
      const bytes = model.end - model.committedEnd
      if (bytes > 0) {
        const pending = yield* Effect.flip(store.close)
        assert.deepInclude({ ...pending }, { _tag: "PendingFlush", bytes })
        this.compare()
        yield* this.write({ step: "rollback" })
      }
      yield* store.close
      assert.deepStrictEqual(yield* outcome(store.close), { failure: "DoubleClose" })
      const late: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
        store.read(0, 0),
        store.readMany([0], [0]),
        store.append(new Uint8Array(1)),
        store.commit,
        store.rollback,
        store.split,
        store.collect({ live: [], upTo: 0 }),
        store.check(),
        store.backup(`${this.directory}-late`),
        attempt(() => [...store.extents()]),
        attempt(() => store.unsafe.readInto(0, new Uint8Array(0))),
        attempt(() => store.unsafe.append(new Uint8Array(1)))
      ]
      for (const one of late) assert.deepStrictEqual(yield* outcome(one), { failure: "Closed" })
      yield* this.dropWriter()
    })
  }
}
