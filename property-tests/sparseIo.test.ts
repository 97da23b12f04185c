/**
 * Law: what is read through a SparseIo are the bytes of one version of its source, whatever the source and
 * the store do wrong, whatever was read before, and however it is read.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ChunkPresence } from "../src/fetch/chunkPresence.ts"
import { ChunkGrid } from "../src/fetch/chunkGrid.ts"
import { runProperty } from "./runs.ts"
import { SparseIoPair, type SparseIoSetting, type SparseIoSizes, type SparseIoStep } from "./sparseIoStory.ts"

const settings: fc.Arbitrary<SparseIoSetting> = fc.record({
  length: fc.oneof(fc.nat(40), fc.nat(3000)),
  streams: fc.boolean(),
  most: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(Infinity)),
  tells: fc.constantFrom(true, true, false),
  answers: fc.boolean(),
  hasIdentity: fc.boolean(),
  seed: fc.nat(1000)
})

const sizes: fc.Arbitrary<SparseIoSizes> = fc.record({
  chunkSize: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 400 })),
  concurrency: fc.integer({ min: 1, max: 5 }),
  request: fc.integer({ min: 1, max: 12 }),
  readAheadBytes: fc.nat(500),
  budget: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 })),
  onStoreFailure: fc.constantFrom("readThrough" as const, "readThrough" as const, "fail" as const)
})

const at = fc.nat(1000)
const length = fc.oneof(fc.nat(40), fc.nat(3000))

const steps: fc.Arbitrary<SparseIoStep> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ verb: fc.constant("read" as const), at, length }) },
  {
    weight: 5,
    arbitrary: fc.record({ verb: fc.constantFrom("stream", "prefetch", "view"), at, length })
  },
  {
    weight: 4,
    arbitrary: fc.record({ verb: fc.constantFrom("readChunk", "readChunk", "lose", "take"), at })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: fc.constant("fault" as const),
      fault: fc.constantFrom("fails", "short", "excess", "negative", "fraction", "dies", "interrupts"),
      after: fc.nat(3)
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      verb: fc.constant("storeFails" as const),
      operation: fc.constantFrom("create", "read", "delete")
    })
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constantFrom("storeWorks", "storeWorks", "change") }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant("reopen" as const), sizes }) }
)

describe("a SparseIo", () => {
  it("reads what a flat copy of its object has", async () => {
    await runProperty(
      fc.asyncProperty(settings, sizes, fc.array(steps, { maxLength: 30 }), (setting, first, story) =>
        Effect.gen(function* () {
          const pair = new SparseIoPair(setting, first)
          yield* pair.open()
          for (const step of story) yield* pair.take(step)
          yield* pair.close()
        }).pipe(Effect.provide(Logger.layer([])), Effect.runPromise)
      ),
      { runs: 600 }
    )
  })
})

describe("the chunks that are there", () => {
  it("are those that were added and not taken out since", async () => {
    const index = fc
      .tuple(fc.constantFrom(0, 32_768, 2 ** 32, 2 ** 53 - 1 - 70_000), fc.oneof(fc.nat(100), fc.nat(70_000)))
      .map(([base, i]) => base + i)
    const change = fc.record({
      verb: fc.constantFrom("add", "delete", "addAll"),
      index,
      more: fc.oneof(fc.nat(40), fc.nat(70_000))
    })
    await runProperty(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const presence = new ChunkPresence()
        let model: Array<{ first: number; last: number }> = []
        const without = (first: number, last: number) =>
          model.flatMap((run) => [
            ...(run.first < first ? [{ first: run.first, last: Math.min(run.last, first - 1) }] : []),
            ...(run.last > last ? [{ first: Math.max(run.first, last + 1), last: run.last }] : [])
          ])
        for (const { index, more, verb } of changes) {
          const last = verb === "addAll" ? Math.min(index + more, 2 ** 53 - 1) : index
          model = without(index, last)
          if (verb === "delete") presence.delete(index)
          else {
            if (verb === "add") presence.add(index)
            else presence.addAll({ first: index, last })
            model.push({ first: index, last })
          }
          for (const at of [index - 1, index, last, last + 1]) {
            if (at < 0 || at > 2 ** 53 - 1) continue
            const isThere = model.some((run) => run.first <= at && at <= run.last)
            assert.strictEqual(presence.has(at), isThere, `${at}`)
          }
          assert.strictEqual(presence.hasAll(index, last), verb !== "delete")
        }
        const united: Array<{ first: number; last: number }> = []
        for (const run of model.sort((a, b) => a.first - b.first)) {
          const before = united.at(-1)
          if (before !== undefined && before.last + 1 === run.first) before.last = run.last
          else united.push({ ...run })
        }
        assert.deepStrictEqual([...presence.runs()], united)
      }),
      { runs: 300 }
    )
  })

  it("of a grid lie where division without rounding says", async () => {
    const offset = fc.oneof(
      fc.nat(1000),
      fc.maxSafeNat(),
      fc.nat(1000).map((i) => 2 ** 53 - 1 - i)
    )
    await runProperty(
      fc.property(offset, fc.integer({ min: 1, max: 2 ** 30 }), fc.nat(5), (length, size, small) => {
        for (const chunkSize of [size, small + 1]) {
          const grid = new ChunkGrid(length, chunkSize)
          if (length === 0) return assert.strictEqual(grid.count, 0)
          const exact = Number(BigInt(length - 1) / BigInt(chunkSize))
          assert.strictEqual(grid.count, exact + 1)
          assert.strictEqual(grid.indexOf(length - 1), exact)
          assert.strictEqual(grid.endOf(exact), length)
          assert.strictEqual(grid.startOf(exact), Number(BigInt(exact) * BigInt(chunkSize)))
        }
      }),
      { runs: 1000 }
    )
  })
})
