/**
 * The process whose system calls fail: a small piece of work, from its beginning, for each call that is to fail. It
 * takes what fails as a program would, and tells what it was acknowledged, and every failure.
 */
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { AppendOnlyFile } from "../../src/file/AppendOnlyFile.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import type { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { CallControl, type CallKind, type FailingCall } from "./callControl.ts"
import { type CutFilesMessage, type CutSubject, slotBytes, slots } from "./cutMessages.ts"
import type { KillMessage } from "./killedWriter.ts"
import { Ledger, type Placed } from "./ledger.ts"
import { failWith, tell, waitForOrder } from "./messages.ts"
import { Random } from "../../src/testing/random.ts"
import { recordBytes, recordHeaderBytes, type RecordId } from "./records.ts"
import { makeSparseFile } from "./sparseRecipe.ts"
import { type Failed, StoreToil } from "./storeToil.ts"

export type FailingSubject = CutSubject | "store"

export interface FailingRun {
  readonly subject: FailingSubject
  /** Of its own, and missing. */
  readonly directory: string
  readonly mapping: "auto" | "off"
  readonly seed: number
  /** None: nothing fails, and calls are counted. */
  readonly failing?: FailingCall
}

export interface FailingOrder {
  readonly controlPath: string
  readonly runs: ReadonlyArray<FailingRun>
}

export interface RunEnded {
  readonly told: "ended"
  readonly run: number
  readonly failed: ReadonlyArray<Failed>
  readonly counts: Record<CallKind, number>
}

export type FailingMessage =
  | { readonly told: "running"; readonly run: number }
  | { readonly told: "heard"; readonly run: number; readonly message: CutFilesMessage | KillMessage }
  | RunEnded

/** One piece of work on single files. */
class FileToil {
  readonly failed: Array<Failed> = []
  private readonly hear: (message: CutFilesMessage) => void
  private readonly random: Random
  private counter = 0

  constructor(seed: number, hear: (message: CutFilesMessage) => void) {
    this.random = new Random(seed)
    this.hear = hear
  }

  private tried<A, E extends { readonly _tag: string }, R>(
    operation: string,
    effect: Effect.Effect<A, E, R>
  ) {
    return Effect.map(Effect.result(effect), (result): A | undefined => {
      if (result._tag === "Success") return result.success
      const { _tag, code, path } = result.failure as { readonly _tag: string; path?: string; code?: string }
      this.failed.push({ operation, tag: _tag, path, code })
      return undefined
    })
  }

  private makeRecord(most: number): RecordId {
    return {
      round: 0,
      counter: this.counter++,
      length: this.random.between(recordHeaderBytes, most),
      doomed: false
    }
  }

  appendOnly(directory: string) {
    return Effect.gen({ self: this }, function* () {
      const options = { path: join(directory, "file"), overwrite: true, autoFlushThreshold: 3000 }
      const file = yield* this.tried("createRw", AppendOnlyFile.createRw(options))
      if (file === undefined) return
      let records: Array<Placed> = []
      for (let step = 0; step < 6; step++) {
        const record = { ...this.makeRecord(5000), offset: file.endPoff() }
        // It is appended also where flushing it fails.
        yield* this.tried("append", file.append(recordBytes(record)))
        records = [...records, record]
        this.hear({ told: "appending", records })
        const failures = this.failed.length
        yield* this.tried("flush", file.flush)
        if (file.emptyBuffer()) yield* this.tried("fsync", file.fsync)
        if (this.failed.length > failures) continue
        this.hear({ told: "synced", end: file.endPoff() })
        records = []
      }
      yield* this.tried("close", file.close)
    })
  }

  sparse(directory: string) {
    return Effect.gen({ self: this }, function* () {
      for (let index = 0; index < 2; index++) {
        this.hear({ told: "making", index })
        yield* this.tried("make", makeSparseFile(directory, 0, index))
        if (this.failed.length > 0) return
        this.hear({ told: "made", index })
      }
    })
  }

  extents(directory: string) {
    return Effect.gen({ self: this }, function* () {
      const file = yield* this.tried("open", ExtentFile.open(join(directory, "file")))
      if (file === undefined) return
      yield* this.tried("pin", file.pin({ identity: "v1", length: slots * slotBytes }, "source"))
      for (let step = 0; step < 14 && this.failed.length === 0; step++) {
        const slot = this.random.below(5)
        const record = step % 5 === 4 ? null : this.makeRecord(9000)
        this.hear({ told: "changing", slot, record })
        yield* record === null
          ? this.tried("deleteExtent", file.deleteExtent(slot * slotBytes))
          : this.tried("createExtent", file.createExtent(slot * slotBytes, recordBytes(record)))
        if (step % 4 !== 3 || this.failed.length > 0) continue
        yield* this.tried("flush", file.flush)
        if (this.failed.length > 0) yield* this.tried("flush again", file.flush)
        else this.hear({ told: "flushed" })
      }
      const failures = this.failed.length
      yield* this.tried("close", file.close)
      if (failures === 0 && this.failed.length === 0) this.hear({ told: "flushed" })
    })
  }
}

const order = waitForOrder<FailingOrder>()
const control = new CallControl(order.controlPath)

const oneRun = async (
  { directory, failing, mapping, seed, subject }: FailingRun,
  run: number
): Promise<void> => {
  tell({ told: "running", run } satisfies FailingMessage)
  fs.mkdirSync(directory)
  const hear = (message: CutFilesMessage | KillMessage): void =>
    tell({ told: "heard", run, message } satisfies FailingMessage)
  const files = new FileToil(seed, hear)
  const ledger = new Ledger()
  const options = { directory: join(directory, "store"), chunkSize: 6000, autoFlushThreshold: 3000 }
  const store = new StoreToil({ store: options, seed, round: 0, ledger, steps: 10, mostBytes: 3000, hear })
  const works: Record<FailingSubject, Effect.Effect<void, never, Io>> = {
    store: store.run,
    "append-only file": Effect.scoped(files.appendOnly(directory)),
    "sparse files": files.sparse(directory),
    "extent file": Effect.scoped(files.extents(directory))
  }
  control.arm(failing)
  await works[subject].pipe(
    Effect.provide(IoNode.layerWith({ mapping })),
    Effect.provide(Logger.layer([])),
    Effect.runPromise
  )
  const counts = control.disarm()
  const { failed } = subject === "store" ? store : files
  tell({ told: "ended", run, failed, counts } satisfies FailingMessage)
}

const all = async (): Promise<void> => {
  for (const [run, options] of order.runs.entries()) await oneRun(options, run)
}

all().then(() => process.exit(0), failWith)
