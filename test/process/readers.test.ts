/**
 * One process writes and collects, four read beside it: no wrong byte, and no error but those that
 * the state a reader is in gives reason for.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreStats } from "../../src/store/storeService.ts"
import { type Child, startChildren } from "./children.ts"
import { seedOf } from "../../src/testing/random.ts"
import { replayCommand, scratchDirectory, seconds, seed } from "./runs.ts"
import type { ReaderReport } from "./steadyReader.ts"
import type { SteadyOrder, WriterMessage, WriterReport } from "./steadyWriter.ts"
import { deviceBytes, expectedFiles, filesOf } from "./storeFiles.ts"

const readers = 4
const mebibyte = 1 << 20

const writers = startChildren("steadyWriter.ts", 1)
const readingChildren = startChildren("steadyReader.ts", readers)
const directory = scratchDirectory()
const store = join(directory, "store")

const orderFor = (index: number, forSeconds: number): SteadyOrder => ({
  options: {
    directory: store,
    ...(index === 0
      ? { chunkSize: 1 << 20, autoFlushThreshold: 10_000 }
      : { readonly: true, verifyReads: index % 2 === 1 })
  },
  mapping: index < 3 ? "auto" : "off",
  seed: seedOf(seed, index),
  seconds: forSeconds,
  rulesPath: join(directory, "rules")
})

/** What a child tells at its end, which must come. */
const report = async <Report extends { readonly told: "ended" }>(
  child: Child,
  started: () => void
): Promise<Report> => {
  let last: Report | undefined
  child.heard = (message: Report | { readonly told: "opened" }) => {
    if (message.told === "opened") started()
    else last = message
  }
  const { code, signal } = await child.ended
  if (last === undefined || code !== 0) throw new Error(`${signal ?? code}: ${child.complaint}`)
  return last
}

const beside = async (): Promise<readonly [WriterReport, ReadonlyArray<ReaderReport>]> => {
  const writer = writers.take()
  const reading = Array.from({ length: readers }, () => readingChildren.take())
  const all = [writer, ...reading]
  try {
    await Promise.all(all.map((child) => child.ready))
    const reports = reading.map((child) => report<ReaderReport>(child, () => {}))
    const written = report<Extract<WriterMessage, { told: "ended" }>>(writer, () => {
      for (const [index, child] of reading.entries()) child.order(orderFor(index + 1, seconds))
    })
    // One that fails ends the test at once, and not only its own turn.
    const together = Promise.all([written, Promise.all(reports)])
    writer.order(orderFor(0, seconds))
    return await together
  } finally {
    for (const child of all) child.kill()
    await Promise.all(all.map((child) => child.ended))
  }
}

/** What the store is when all have ended. */
const statsNow = (): Promise<StoreStats> =>
  Store.open({ directory: store, readonly: true }).pipe(
    Effect.map((opened) => opened.stats()),
    Effect.scoped,
    Effect.provide(IoNode.layer),
    Effect.runPromise
  )

const judgeWriter = ({ collections, mostDescriptors, samples }: WriterReport): void => {
  const [before, early, late, after] = samples
  expect(collections).toBeGreaterThanOrEqual(Math.min(20, Math.floor(seconds / 3)))
  if (before.descriptors !== undefined) {
    // Control, the lock, the prefix and its map.
    expect(mostDescriptors! - before.descriptors).toBeLessThanOrEqual(4)
    expect(after.descriptors).toBe(before.descriptors)
    expect(late.mappings! - early.mappings!).toBeLessThan(200)
  }
  expect(late.heapBytes - early.heapBytes).toBeLessThan(32 * mebibyte)
  expect(late.residentBytes - early.residentBytes).toBeLessThan(200 * mebibyte)
}

const judgeReader = ({ dead, opened, refreshes, right, samples, short, states }: ReaderReport): void => {
  const [before, after] = samples
  expect(right + dead + short).toBeGreaterThan(50 * seconds)
  for (const count of [right, dead, short]) expect(count).toBeGreaterThan(0)
  expect(refreshes).toBeGreaterThan(2 * seconds)
  expect(states).toBeGreaterThan(seconds / 2)
  expect(opened).toBeGreaterThan(seconds / 4)
  expect(after.descriptors).toBe(before.descriptors)
  expect(after.heapBytes - before.heapBytes).toBeLessThan(64 * mebibyte)
}

it(
  `readers of a store that is written and collected for ${seconds} s never read a wrong byte`,
  { timeout: seconds * 1000 + 300_000 },
  async () => {
    try {
      const [written, reads] = await beside()
      console.log(`readers.test.ts, seed ${seed}: ${JSON.stringify({ written, reads })}`)
      judgeWriter(written)
      for (const read of reads) judgeReader(read)
      expect(filesOf(store)).toEqual(expectedFiles(await statsNow()))
      // A store that was collected all the time is small, however much went through it.
      expect(deviceBytes(store)).toBeLessThan(64 * mebibyte)
    } catch (cause) {
      const reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
      throw new Error(`${reason}\n\nseed: ${seed}\nreplay: ${replayCommand("readers.test.ts")}`, { cause })
    }
  }
)
