/**
 * The process that powerCut.test.ts cuts off from its disk while it works on single files: an append-only file, sparse
 * files in the making, or an extent file. It tells what it is about to do, and what it was acknowledged.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { AppendOnlyFile } from "../../src/file/AppendOnlyFile.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import type { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { type CutFilesMessage, type CutFilesOrder, type CutSubject, slotBytes, slots } from "./cutMessages.ts"
import { cutAtCall } from "./cutMoment.ts"
import type { Placed } from "./ledger.ts"
import { failWith, tell, waitForOrder } from "./messages.ts"
import { Random } from "../../src/testing/random.ts"
import { recordBytes, recordHeaderBytes, type RecordId } from "./records.ts"
import { makeSparseFile } from "./sparseRecipe.ts"

/** A child that nobody cuts off ends all the same. */
const maxSteps = 2000

const order = waitForOrder<CutFilesOrder>()
if (order.cut !== undefined) cutAtCall(order.cut)
const random = new Random(order.seed)
let counter = 0

const makeRecord = (most: number): RecordId => ({
  round: order.round,
  counter: counter++,
  length: random.between(recordHeaderBytes, most),
  doomed: false
})

const appendOnly = Effect.gen(function* () {
  const path = join(order.directory, "file")
  const options = { autoFlushThreshold: random.oneOf([0, 5000, 1 << 20]) }
  const file = yield* order.end === 0
    ? AppendOnlyFile.createRw({ path, overwrite: true, ...options })
    : AppendOnlyFile.openRw({ path, endPoff: order.end, deadHeaderSize: 0, ...options })
  for (let step = 0; step < maxSteps; step++) {
    const records: Array<Placed> = []
    for (let left = random.below(6); left >= 0; left--) {
      const record = makeRecord(random.percent(20) ? 40_000 : 2000)
      records.push({ ...record, offset: file.endPoff() })
      yield* file.append(recordBytes(record))
    }
    tell({ told: "appending", records } satisfies CutFilesMessage)
    yield* file.flush
    yield* file.fsync
    tell({ told: "synced", end: file.endPoff() } satisfies CutFilesMessage)
  }
}).pipe(Effect.scoped)

const sparseFiles = Effect.gen(function* () {
  for (let index = 0; index < maxSteps; index++) {
    tell({ told: "making", index } satisfies CutFilesMessage)
    yield* makeSparseFile(order.directory, order.round, index)
    tell({ told: "made", index } satisfies CutFilesMessage)
  }
})

const extentFile = Effect.gen(function* () {
  const path = join(order.directory, "file")
  for (let session = 0; session < maxSteps; session++) {
    const file = yield* ExtentFile.open(path)
    for (let left = random.below(60); left >= 0; left--) {
      const slot = random.below(slots)
      if (random.percent(12)) {
        yield* file.flush
        tell({ told: "flushed" } satisfies CutFilesMessage)
      } else if (random.percent(15)) {
        tell({ told: "changing", slot, record: null } satisfies CutFilesMessage)
        yield* file.deleteExtent(slot * slotBytes)
      } else {
        const record = makeRecord(random.percent(50) ? slotBytes : 3000)
        tell({ told: "changing", slot, record } satisfies CutFilesMessage)
        yield* file.createExtent(slot * slotBytes, recordBytes(record))
      }
    }
    yield* file.close
    tell({ told: "flushed" } satisfies CutFilesMessage)
  }
}).pipe(Effect.scoped)

const programs: Record<CutSubject, Effect.Effect<void, unknown, Io>> = {
  "append-only file": appendOnly,
  "sparse files": sparseFiles,
  "extent file": extentFile
}

programs[order.subject]
  .pipe(
    Effect.provide(IoNode.layerWith({ mapping: order.mapping })),
    // What a crash has left is told as warnings.
    Effect.provide(Logger.layer([])),
    Effect.runPromise
  )
  .then(() => process.exit(0), failWith)
