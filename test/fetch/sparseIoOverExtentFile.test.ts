/**
 * A SparseIo over the store that comes with lacuna: what was fetched outlives the program.
 */
import * as Effect from "effect/Effect"
import { expect } from "vitest"
import { SourceFailed } from "../../src/bytes/errors.ts"
import { SparseIo } from "../../src/fetch/SparseIo.ts"
import { ExtentFile } from "../../src/file/ExtentFile.ts"
import { onEachIo } from "../file/eachIo.ts"
import { bytesAt, differenceOf } from "../file/pageDevices.ts"
import { collect, quietly, TestSource } from "./sparseIoDoubles.ts"

const length = 300_000
const chunkSize = 4096

/** Opens everything anew, as another run of a program does. */
const opened = <A, E>(
  path: string,
  source: TestSource,
  body: (io: SparseIo["Service"]) => Effect.Effect<A, E>,
  options: { readonly budgetBytes?: number; readonly onSourceChanged?: "clear" } = {}
) =>
  Effect.gen(function* () {
    const store = yield* ExtentFile.open(path)
    const io = yield* SparseIo.make({ source, store, chunkSize, ...options })
    return yield* body(io)
  }).pipe(Effect.scoped)

onEachIo((test) => {
  test("what was fetched is there after a restart, and is not fetched again", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/object`
      for (const streams of [false, true]) {
        const source = new TestSource({ length, streams, identity: `streams: ${streams}` })
        const options = { onSourceChanged: "clear" } as const
        yield* opened(
          path,
          source,
          (io) => Effect.andThen(io.prefetch({ offset: 50_000, length: 100_000 }), io.readChunk(length - 1)),
          options
        )
        source.takeCalls()
        yield* opened(
          path,
          source,
          (io) =>
            Effect.gen(function* () {
              const buffer = new Uint8Array(100_000)
              yield* io.read(50_000, buffer)
              expect(differenceOf(buffer, bytesAt(50_000, buffer.length))).toBe(-1)
              expect(source.calls).toEqual([])
              expect(differenceOf(yield* collect(io.stream()), bytesAt(0, length))).toBe(-1)
              expect(yield* io.coverage()).toEqual([{ offset: 0, length }])
              yield* io.flush
            }),
          options
        )
        expect(source.takeCalls().reduce((sum, [, bytes]) => sum + bytes, 0)).toBeLessThan(length - 100_000)
      }
    }))

  test("a store of another version of the object is refused", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/object`
      yield* opened(path, new TestSource({ length, identity: "one" }), (io) => io.readChunk(0))
      const other = new TestSource({ length, identity: "two" })
      const failure = yield* Effect.flip(opened(path, other, (io) => io.readChunk(0)))
      expect(failure).toMatchObject({ _tag: "SourceChanged", source: "the object" })
      expect(other.calls).toEqual([])
    }))

  test("a budget is kept, also by what an earlier run left", (directory) =>
    Effect.gen(function* () {
      const path = `${directory}/object`
      const source = new TestSource({ length, streams: true })
      const budgetBytes = 10 * chunkSize
      yield* opened(path, source, (io) => io.prefetch({ offset: 0, length }))
      yield* opened(
        path,
        source,
        (io) =>
          Effect.gen(function* () {
            for (let i = 0; i < 200; i++) {
              const offset = (i * 7919 * 13) % (length - 6000)
              const buffer = new Uint8Array(6000)
              yield* io.read(offset, buffer)
              expect(differenceOf(buffer, bytesAt(offset, 6000))).toBe(-1)
              const covered = yield* io.coverage()
              expect(covered.reduce((sum, extent) => sum + extent.length, 0)).toBeLessThanOrEqual(budgetBytes)
            }
          }),
        { budgetBytes }
      )
      const report = yield* ExtentFile.report(path)
      expect(report.coverage.reduce((sum, extent) => sum + extent.length, 0)).toBeLessThanOrEqual(budgetBytes)
    }))

  test("a store that is closed is read through", (directory) =>
    Effect.gen(function* () {
      const source = new TestSource({ length })
      const store = yield* ExtentFile.open(`${directory}/object`)
      const io = yield* SparseIo.make({ source, store, chunkSize })
      yield* io.readChunk(0)
      yield* store.close
      expect(differenceOf(yield* io.readChunk(0), bytesAt(0, chunkSize))).toBe(-1)
      expect(io.stats()).toMatchObject({ storeFailures: 2, hits: 0 })
      source.faults.push("fails")
      expect(yield* Effect.flip(io.readChunk(0))).toBeInstanceOf(SourceFailed)
    }).pipe(quietly))
})
