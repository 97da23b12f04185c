/**
 * Single files that are cut off from their disk, one class a kind: what each promises.
 */
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { assert } from "vitest"
import { AppendOnlyFile } from "../../src/file/AppendOnlyFile.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import type { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { type CutFilesMessage, type CutFilesOrder, type CutSubject, slotBytes, slots } from "./cutMessages.ts"
import { count, type Met, type Round, type Subject } from "./cutSubject.ts"
import { Ledger, type Placed } from "./ledger.ts"
import type { Random } from "../../src/testing/random.ts"
import { described, recordBytes, type RecordId } from "./records.ts"
import { makeSparseFile, sparseName, sparseRecords } from "./sparseRecipe.ts"

const run = <A, E>(effect: Effect.Effect<A, E, Io>, mapping: "auto" | "off"): Promise<A> =>
  effect.pipe(
    Effect.provide(IoNode.layerWith({ mapping })),
    // What a crash has left is told as warnings.
    Effect.provide(Logger.layer([])),
    Effect.runPromise
  )

/** What the subjects of cutFiles.ts have in common. */
abstract class CutFile implements Subject {
  readonly program = "cutFiles.ts"
  abstract readonly subject: CutSubject
  protected readonly directory: string
  protected readonly mapping: "auto" | "off"
  protected round = 0

  constructor(series: number, root: string) {
    this.directory = root
    this.mapping = series % 2 === 0 ? "auto" : "off"
  }

  order({ cut, round, seed }: Round): CutFilesOrder {
    this.round = round
    const { directory, mapping, subject } = this
    return { subject, directory, mapping, round, seed, cut, end: this.end }
  }

  protected get end(): number {
    return 0
  }

  abstract hear(message: CutFilesMessage, late?: boolean): void
  abstract judge(random: Random, met: Met): Promise<void>
}

/** What an append-only file acknowledged by an fsync is there, in the file that has the name. */
export class CutAppendOnlyFile extends CutFile {
  readonly subject = "append-only file"
  private readonly ledger = new Ledger()
  private inFlight: ReadonlyArray<Placed> = []
  private syncs = 0

  protected override get end(): number {
    return this.ledger.end
  }

  hear(message: CutFilesMessage, late = false): void {
    if (message.told === "appending") this.inFlight = message.records
    if (message.told !== "synced" || late) return
    for (const record of this.inFlight) this.ledger.commit(record)
    assert.strictEqual(this.ledger.end, message.end)
    this.inFlight = []
    this.syncs++
  }

  async judge(_random: Random, met: Met): Promise<void> {
    const { directory, ledger } = this
    const { end, pieces } = ledger
    count(met, "appendOnlyCuts")
    count(met, "fsyncs", this.syncs)
    ;[this.inFlight, this.syncs] = [[], 0]
    if (end === 0) return
    const judged = Effect.gen(function* () {
      const file = yield* AppendOnlyFile.openRo({
        path: join(directory, "file"),
        endPoff: end,
        deadHeaderSize: 0
      })
      for (const { record } of pieces) {
        const found = yield* file.read(record.offset, record.length)
        if (Buffer.compare(found, recordBytes(record)) !== 0) {
          assert.fail(
            `the record at ${record.offset} of ${end} acknowledged bytes reads as ${described(found)}`
          )
        }
      }
    })
    await run(Effect.scoped(judged), this.mapping)
  }
}

/** A sparse file that was closed is there, whole; one in the making is whole, or can be made anew. */
export class CutSparseFiles extends CutFile {
  readonly subject = "sparse files"
  private making = -1
  private made = 0

  override order(round: Round): CutFilesOrder {
    this.making = -1
    this.made = 0
    return super.order(round)
  }

  hear(message: CutFilesMessage, late = false): void {
    if (message.told === "making") this.making = message.index
    if (message.told === "made" && !late) this.made = message.index + 1
  }

  async judge(_random: Random, met: Met): Promise<void> {
    const { directory, mapping, round } = this
    count(met, "sparseCuts")
    count(met, "sparseFiles", this.made)
    for (let index = 0; index < this.made; index++)
      await run(judgeSparseFile(directory, round, index), mapping)
    for (let index = this.made; index <= this.making; index++) {
      const found = await run(Effect.result(judgeSparseFile(directory, round, index)), mapping)
      if (found._tag === "Failure") {
        const { _tag } = found.failure
        assert.include(["Incomplete", "NoSuchFile"], _tag, "a sparse file in the making")
        count(met, `cutWhileMade:${_tag}`)
        await this.makeAnew(index, met)
      } else {
        count(met, "cutWhileMade:whole")
      }
    }
    for (const name of fs.readdirSync(directory)) {
      if (name.startsWith("sparse-")) fs.rmSync(join(directory, name))
    }
  }

  /** What is left is claimed by the next who makes it; but data under its final name is nobody's to take. */
  private async makeAnew(index: number, met: Met): Promise<void> {
    const { directory, mapping, round } = this
    const path = join(directory, sparseName(round, index))
    if (fs.existsSync(path)) {
      count(met, "dataWithoutMap")
      const refused = await run(Effect.flip(makeSparseFile(directory, round, index)), mapping)
      assert.strictEqual(refused._tag, "FileExists")
      fs.rmSync(path)
    }
    await run(makeSparseFile(directory, round, index), mapping)
    await run(judgeSparseFile(directory, round, index), mapping)
    const names = fs.readdirSync(directory).filter((name) => name.startsWith(sparseName(round, index)))
    assert.deepStrictEqual(names.sort(), [sparseName(round, index), `${sparseName(round, index)}.map`])
  }
}

/** Every byte of a sparse file, and that there is no other. Fails where it can't be opened. */
const judgeSparseFile = (directory: string, round: number, index: number) =>
  Effect.gen(function* () {
    const path = join(directory, sparseName(round, index))
    const file = yield* SparseFile.open(path)
    const records = sparseRecords(round, index)
    const extents = records.map(({ offset, record }) => ({ offset, length: record.length }))
    assert.deepStrictEqual([...file.extents()], extents)
    for (const { offset, record } of records) {
      const found = new Uint8Array(record.length)
      yield* file.read(offset, found)
      assert.isTrue(Buffer.compare(found, recordBytes(record)) === 0, `${path}: the bytes at ${offset}`)
    }
    yield* SparseFile.verify(path)
  }).pipe(Effect.scoped)

const nameOf = (record: RecordId | null): string =>
  record === null ? "nothing" : `${record.round}/${record.counter}`

/** What was flushed, and not touched since, is there; what was touched is one of the states that it had, or nothing. */
export class CutExtentFile extends CutFile {
  readonly subject = "extent file"
  private readonly durable = new Array<RecordId | null>(slots).fill(null)
  private readonly since = Array.from({ length: slots }, (): Array<RecordId | null> => [])
  private flushes = 0

  hear(message: CutFilesMessage, late = false): void {
    if (message.told === "changing") this.since[message.slot].push(message.record)
    if (message.told !== "flushed" || late) return
    this.flushes++
    for (const [slot, states] of this.since.entries()) {
      if (states.length > 0) this.durable[slot] = states[states.length - 1]
      states.length = 0
    }
  }

  async judge(_random: Random, met: Met): Promise<void> {
    const { directory, durable, since } = this
    const path = join(directory, "file")
    count(met, "extentFileCuts")
    count(met, "flushes", this.flushes)
    this.flushes = 0
    const judged = Effect.gen(function* () {
      const file = yield* ExtentFile.open(path)
      for (const { offset } of file.extents())
        assert.strictEqual(offset % slotBytes, 0, "an extent nobody made")
      for (const [slot, states] of since.entries()) {
        const found = yield* file.readExtent(slot * slotBytes)
        const may = states.length === 0 ? [durable[slot]] : [durable[slot], null, ...states]
        const is = may.find((record) =>
          record === null ? found.length === 0 : Buffer.compare(found, recordBytes(record)) === 0
        )
        if (is === undefined) {
          const reads = found.length === 0 ? "nothing" : described(found)
          assert.fail(`slot ${slot} reads as ${reads}; it may be ${may.map(nameOf).join(" or ")}`)
        }
        count(met, "extentsUnflushed", states.length > 0)
        count(met, "extentsUnflushedAndThere", states.length > 0 && is !== null)
        durable[slot] = is
        states.length = 0
      }
    })
    await run(Effect.scoped(judged), this.mapping)
  }
}
