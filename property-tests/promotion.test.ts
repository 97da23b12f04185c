/**
 * Law: wherever a promotion stops, what is found afterwards is the whole file or none.
 *
 * Every prefix of the calls that `close` makes is tried: the next one fails, alone or with all that
 * follow it (as when the process dies). Once the data has its final name, opening must give all of
 * it; before that, `Incomplete` or `NoSuchFile`. Then openers are stopped in the same way, and run at
 * the same time.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import { IoFailed } from "../src/bytes/errors.ts"
import { SparseFile } from "../src/file/SparseFile.ts"
import { Io, type IoService } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { IoNode } from "../src/io/IoNode.ts"
import { watchedIo } from "../test/file/watchedIo.ts"
import { runProperty } from "./runs.ts"

interface Content {
  readonly dataBytes: number
  readonly extents: number
}

/** One call fails, or all from one on do. */
type Stop = "one call" | "everything"

const contents: fc.Arbitrary<Content> = fc.record({
  dataBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 }), fc.constantFrom(65_536, 150_000)),
  extents: fc.integer({ min: 1, max: 9 })
})

const bytesOf = ({ dataBytes }: Content): Uint8Array =>
  Uint8Array.from({ length: dataBytes }, (_, i) => (i * 31 + (i >> 8)) & 255)

/** An Io that works until `arm`, and fails at the n-th call after it. */
const stoppingIo = (io: IoService, calls: number, stop: Stop) => {
  const state = { armed: false, left: calls, stopped: false }
  const before = (operation: string, path: string): void => {
    if (!state.armed) return
    if (state.left > 0) {
      state.left--
    } else if (stop === "everything" || !state.stopped) {
      state.stopped = true
      throw new IoFailed({ syscall: operation, path, code: "EIO", cause: new Error("stopped") })
    }
  }
  return { io: watchedIo(io, { before }), state }
}

/** Virtual offsets: extents with a hole of 100 bytes before each. */
const place = (content: Content) =>
  Array.from({ length: content.extents }, (_, i) => {
    const from = Math.floor((content.dataBytes * i) / content.extents)
    const to = Math.floor((content.dataBytes * (i + 1)) / content.extents)
    return { virtual: from + 100 * (i + 1), physical: from, length: to - from }
  }).filter(({ length }) => length > 0)

/** Writes `content` to `path`, calling `atClose` just before it is closed. */
const write = (path: string, content: Content, atClose: () => void) =>
  Effect.gen(function* () {
    const writer = yield* SparseFile.create(path)
    yield* writer.appendBytes(bytesOf(content))
    for (const { length, physical, virtual } of place(content)) {
      yield* writer.mapAdd(virtual, physical, length)
    }
    atClose()
    yield* writer.close
  }).pipe(Effect.scoped)

const checkWhole = (path: string, content: Content) =>
  Effect.gen(function* () {
    const bytes = bytesOf(content)
    const reader = yield* SparseFile.open(path, { verifyReads: true })
    assert.strictEqual(reader.dataLength, bytes.length)
    const expected = place(content)
    assert.deepStrictEqual(
      [...reader.extents()],
      expected.map(({ length, virtual }) => ({ offset: virtual, length }))
    )
    for (const { length, physical, virtual } of expected) {
      const buffer = new Uint8Array(length)
      yield* reader.read(virtual, buffer)
      assert.strictEqual(Buffer.compare(buffer, bytes.subarray(physical, physical + length)), 0)
    }
  }).pipe(Effect.scoped)

/** What is at `path` is whole once the data has its name, and nothing before that. */
const checkWholeOrNothing = (path: string, content: Content) =>
  Effect.gen(function* () {
    const io = yield* Io
    if ((yield* io.classify(path)) === "none") {
      const error = yield* Effect.flip(Effect.scoped(SparseFile.open(path)))
      assert.include(["Incomplete", "NoSuchFile"], error._tag)
      return false
    }
    yield* checkWhole(path, content)
    assert.strictEqual(yield* io.classify(`${path}.map`), "file")
    assert.strictEqual(yield* io.classify(`${path}.map.tmp`), "none")
    return true
  })

const anotherCreate = (path: string, content: Content, finished: boolean) =>
  Effect.gen(function* () {
    const again = yield* Effect.exit(write(path, content, () => {}))
    if (finished) assert.deepStrictEqual(again.toString().includes("FileExists"), true, String(again))
    else assert.isTrue(Exit.isSuccess(again), String(again))
    yield* checkWhole(path, content)
  })

const directory = mkdtempSync(join(tmpdir(), "lacuna-promotion-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
let files = 0

const freshPath = Effect.gen(function* () {
  const io = yield* Io
  return `${(yield* io.classify(directory)) === "directory" ? directory : ""}/file${files++}`
})

const cleared = (path: string) =>
  Effect.gen(function* () {
    const io = yield* Io
    for (const name of [path, `${path}.map`, `${path}.tmp`, `${path}.map.tmp`]) {
      yield* Effect.ignore(io.remove(name))
    }
  })

/** Stops a close after every number of calls that it makes. */
const everyPrefixOfClose = (content: Content, stop: Stop) =>
  Effect.gen(function* () {
    const io = yield* Io
    const path = yield* freshPath
    for (let calls = 0; ; calls++) {
      const stopping = stoppingIo(io, calls, stop)
      const written = yield* Effect.exit(
        write(path, content, () => {
          stopping.state.armed = true
        }).pipe(Effect.provideService(Io, stopping.io))
      )
      if (!stopping.state.stopped) {
        assert.isTrue(Exit.isSuccess(written))
        assert.isAbove(calls, 10, "close makes more calls than that")
        return yield* cleared(path)
      }
      assert.isTrue(Exit.isFailure(written), "a failed call must not pass unnoticed")
      const finished = yield* checkWholeOrNothing(path, content)
      yield* anotherCreate(path, content, finished)
      yield* cleared(path)
    }
  })

/** A file whose data has its name and whose map hasn't. */
const halfPromoted = (path: string, content: Content) =>
  Effect.gen(function* () {
    const io = yield* Io
    yield* write(path, content, () => {})
    yield* io.rename(`${path}.map`, `${path}.map.tmp`)
  })

const everyPrefixOfOpen = (content: Content, stop: Stop) =>
  Effect.gen(function* () {
    const io = yield* Io
    const path = yield* freshPath
    for (let calls = 0; ; calls++) {
      yield* halfPromoted(path, content)
      const stopping = stoppingIo(io, calls, stop)
      stopping.state.armed = true
      yield* Effect.exit(Effect.scoped(SparseFile.open(path)).pipe(Effect.provideService(Io, stopping.io)))
      yield* checkWhole(path, content)
      yield* cleared(path)
      if (!stopping.state.stopped) return
    }
  })

/** An Io that lets other fibers run before its calls, as the numbers say. */
const dawdlingIo = (io: IoService, pauses: ReadonlyArray<number>): IoService => {
  let call = 0
  const pause = Effect.suspend(() => {
    const turns = pauses[call++ % pauses.length]
    return Effect.forEach(Array.from({ length: turns }), () => Effect.yieldNow, { discard: true })
  })
  return watchedIo(io, { before: () => {}, pause })
}

const openersAtOnce = (content: Content, pauses: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const io = yield* Io
    const path = yield* freshPath
    yield* halfPromoted(path, content)
    const opener = checkWhole(path, content).pipe(Effect.provideService(Io, dawdlingIo(io, pauses)))
    yield* Effect.all([opener, opener, opener], { concurrency: "unbounded" })
    assert.strictEqual(yield* io.classify(`${path}.map.tmp`), "none")
    yield* cleared(path)
  })

/** Openers come by while a writer closes: they see nothing or everything, and don't disturb it. */
const openersDuringClose = (content: Content, pauses: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const io = yield* Io
    const path = yield* freshPath
    let closing = true
    const opener = Effect.gen(function* () {
      while (closing) {
        yield* checkWhole(path, content).pipe(
          Effect.catchTag(["Incomplete", "NoSuchFile"], () => Effect.yieldNow)
        )
      }
    }).pipe(Effect.provideService(Io, dawdlingIo(io, pauses)))
    const writer = write(path, content, () => {}).pipe(
      Effect.provideService(Io, dawdlingIo(io, [...pauses].reverse())),
      Effect.ensuring(Effect.sync(() => (closing = false)))
    )
    yield* Effect.all([writer, opener, opener], { concurrency: "unbounded" })
    yield* checkWhole(path, content)
    yield* cleared(path)
  })

const layers: Record<string, Layer.Layer<Io>> = {
  "in memory": IoMemory.layer,
  "on a disk": IoNode.layer
}

const pauseLists = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 30 })

describe.each(Object.entries(layers))("a promotion %s", (_, layer) => {
  const holds = <E>(law: Effect.Effect<void, E, Io | Scope.Scope>): Promise<void> =>
    law.pipe(Effect.scoped, Effect.provide(layer), Effect.runPromise)

  it.each(["one call", "everything"] as const)(
    "leaves the whole file or none wherever close stops, when %s fails",
    async (stop) => {
      const property = fc.asyncProperty(contents, (content) => holds(everyPrefixOfClose(content, stop)))
      await runProperty(property, { runs: 5 })
    }
  )

  it.each(["one call", "everything"] as const)(
    "can still be finished wherever an opener stopped, when %s fails",
    async (stop) => {
      const property = fc.asyncProperty(contents, (content) => holds(everyPrefixOfOpen(content, stop)))
      await runProperty(property, { runs: 4 })
    }
  )

  it("can be finished by several openers at once", async () => {
    const property = fc.asyncProperty(contents, pauseLists, (content, pauses) =>
      holds(openersAtOnce(content, pauses))
    )
    await runProperty(property, { runs: 25 })
  })

  it("shows openers that come by nothing or everything, and is not disturbed by them", async () => {
    const property = fc.asyncProperty(contents, pauseLists, (content, pauses) =>
      holds(openersDuringClose(content, pauses))
    )
    await runProperty(property, { runs: 25 })
  })
})
