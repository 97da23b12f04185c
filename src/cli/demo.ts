/**
 * `lacuna demo`: the whole idea in a few seconds, on data made for it and removed again.
 *
 * A log is written, most of its records die, the rest are compacted, and every survivor is read at
 * the offset it always had. The random numbers are seeded: every run shows the same.
 */
import fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import type { Extent } from "../bytes/extent.ts"
import { SparseFile } from "../file/SparseFile.ts"
import { Io } from "../io/Io.ts"
import { DemoFailed } from "./errors.ts"
import { count, counted, duration, share, size, table } from "./figures.ts"
import { print } from "./output.ts"
import { inspectSparse } from "./sparseInspection.ts"

const logBytes = 48 << 20
const longestRecordBytes = 4096
const shortestRecordBytes = 64
const livingShare = 0.3

export const demo = Command.make("demo", {}, () => Effect.scoped(run)).pipe(
  Command.withDescription(
    "Make a log, let most of it die, compact it, and read every survivor where it was."
  ),
  Command.withShortDescription("show it all on data made for it")
)

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "lacuna-demo-"))),
  (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
)

const run = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const source = join(directory, "events.log")
  const out = join(directory, "events.sparse")
  const random = seededRandom(42)

  const log = makeLog(random)
  const io = yield* Io
  const file = yield* io.create(source, { overwrite: false })
  yield* file.writeAt(0, log.bytes)
  yield* print(
    `A log of ${counted(log.records.length, "record")}, ${size(logBytes)}, each known by its offset:`,
    `  ${source}`
  )

  const living = survivors(log.records, random)
  yield* print(
    `Of them ${count(living.length)} live on (${share(living.length, log.records.length)}), more of the young than of the old.`,
    ""
  )

  const started = performance.now()
  const writer = yield* SparseFile.create(out)
  yield* writer.appendExtents(file, living)
  yield* writer.close
  const compacted = performance.now()

  yield* checkSurvivors(out, living, log.bytes)
  const verified = performance.now()
  yield* print(
    `Compacted in ${duration(compacted - started)}; in ${duration(verified - compacted)} every survivor was read at its old offset, and is the same byte for byte.`,
    ""
  )

  const inspection = yield* inspectSparse(out, Math.min(120, process.stdout.columns ?? 80))
  yield* print(...table(inspection.figures), "", ...inspection.picture)
})

/** mulberry32: small, and good enough to draw a picture from. */
const seededRandom = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Log {
  readonly bytes: Uint8Array
  readonly records: ReadonlyArray<Extent>
}

/** Records back to back, of random lengths and bytes. */
const makeLog = (random: () => number): Log => {
  const bytes = new Uint8Array(logBytes)
  const words = new Uint32Array(bytes.buffer)
  for (let i = 0; i < words.length; i++) words[i] = random() * 2 ** 32
  const records: Array<Extent> = []
  for (let offset = 0; offset < logBytes;) {
    const spread = longestRecordBytes - shortestRecordBytes
    const length = Math.min(logBytes - offset, shortestRecordBytes + Math.floor(random() * spread))
    records.push({ offset, length })
    offset += length
  }
  return { bytes, records }
}

/** About `livingShare` of the records: few of the oldest, many of the youngest, with bald patches. */
const survivors = (records: ReadonlyArray<Extent>, random: () => number): ReadonlyArray<Extent> =>
  records.filter((_, i) => {
    const age = i / records.length
    const patch = Math.sin(age * 40) > -0.6 ? 1.25 : 0.1
    return random() < livingShare * patch * 2 * age
  })

const checkSurvivors = Effect.fnUntraced(function* (
  path: string,
  living: ReadonlyArray<Extent>,
  original: Uint8Array
) {
  const reader = yield* SparseFile.open(path)
  const buffer = new Uint8Array(longestRecordBytes)
  for (const { length, offset } of living) {
    const record = buffer.subarray(0, length)
    yield* reader.read(offset, record)
    if (Buffer.compare(record, original.subarray(offset, offset + length)) !== 0) {
      yield* new DemoFailed({ reason: `the record at offset ${offset} came back changed` })
    }
  }
})
