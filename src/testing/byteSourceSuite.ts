/**
 * The conformance suite of `ByteSource`, for whoever reads objects from elsewhere.
 *
 * ```ts
 * const laws = byteSourceSuite((bytes) => Effect.map(upload(bytes), (key) => mySource(key)))
 * for (const law of laws) it(law.name, law.run)
 * ```
 *
 * Each law is given sources of its own, over some hundred thousand bytes, and reads them in ways that a cache
 * in chunks does. What a source fails with when the object changes, or when the world does, can't be told
 * from outside, and is not here.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ByteSource } from "../fetch/ByteSource.ts"
import { pattern } from "./ioLaw.ts"
import { check, checkBytes, checkEqual, type Law } from "./law.ts"

/** Gives a source whose object is `bytes`. */
export type MakeByteSource = (bytes: Uint8Array) => Effect.Effect<ByteSource<unknown>, unknown, Scope.Scope>

export interface ByteSourceSuiteOptions {
  /**
   * The size in bytes around whose multiples is read. The largest object has three times that, and some.
   * Default 131072.
   */
  readonly chunkSize?: number | undefined
}

interface SourceLaw {
  readonly name: string
  readonly body: (context: LawContext) => Effect.Effect<void, unknown, Scope.Scope>
}

interface LawContext {
  readonly make: MakeByteSource
  readonly chunkSize: number
  /** An object that ends within a chunk. */
  readonly bytes: Uint8Array
}

const sourceLaw = (
  name: string,
  body: (context: LawContext) => Generator<Effect.Effect<unknown, unknown, Scope.Scope>, void>
): SourceLaw => ({ name, body: (context) => Effect.gen(() => body(context)) })

/** What no pattern holds. */
const untouched = 0

/** Reads into the middle of a buffer, and demands the bytes, their number, and that nothing around them changed. */
const checkRead = (source: ByteSource<unknown>, bytes: Uint8Array, offset: number, length: number) =>
  Effect.gen(function* () {
    const margin = 7
    const around = new Uint8Array(length + 2 * margin).fill(untouched)
    const what = `${length} bytes at ${offset} of ${bytes.length}`
    const count = yield* source.readAt(offset, around.subarray(margin, margin + length))
    const expected = new Uint8Array(around.length).fill(untouched)
    const there = bytes.subarray(offset, offset + length)
    expected.set(there, margin)
    checkEqual(count, there.length, `${what}: number of bytes`)
    checkBytes(around, expected, `${what}, in their buffer`)
  })

/** Demands that the pieces of a stream are the bytes. */
const checkStream = (source: ByteSource<unknown>, bytes: Uint8Array, offset: number, length: number) =>
  Effect.gen(function* () {
    if (source.stream === undefined) return
    const found = new Uint8Array(length)
    let at = 0
    const what = `stream of ${length} bytes at ${offset}`
    yield* Stream.runForEach(source.stream(offset, length), (piece) =>
      Effect.sync(() => {
        check(at + piece.length <= length, `${what}: no more bytes than that`)
        found.set(piece, at)
        at += piece.length
        // What it gave is the taker's.
        piece.fill(untouched)
      })
    )
    checkEqual(at, length, `${what}: number of bytes`)
    checkBytes(found, bytes.subarray(offset, offset + length), what)
  })

const reading: ReadonlyArray<SourceLaw> = [
  sourceLaw("the length is that of the object, and stays", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    checkEqual(yield* source.length, bytes.length, "length")
    yield* checkRead(source, bytes, 0, 10)
    checkEqual(yield* source.length, bytes.length, "length, after a read")
  }),
  sourceLaw(
    "around the edges of chunks and the end, buffers of every size get what is there",
    function* (law) {
      const { bytes, chunkSize, make } = law
      const source = yield* make(bytes)
      const edges = [0, chunkSize, 2 * chunkSize, 3 * chunkSize, bytes.length]
      for (const edge of edges) {
        for (const offset of [edge - 1, edge, edge + 1]) {
          if (offset < 0) continue
          for (const length of [1, chunkSize - 1, chunkSize, chunkSize + 1]) {
            yield* checkRead(source, bytes, offset, length)
          }
        }
      }
    }
  ),
  sourceLaw("one read gives all of the object, and a larger buffer no more", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    yield* checkRead(source, bytes, 0, bytes.length)
    yield* checkRead(source, bytes, 0, bytes.length + 1000)
    yield* checkRead(source, bytes, 1, bytes.length + 1000)
  }),
  sourceLaw("at the end and beyond there are 0 bytes", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    for (const offset of [bytes.length, bytes.length + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      yield* checkRead(source, bytes, offset, 100)
    }
  }),
  sourceLaw("a buffer of 0 bytes gets 0 bytes, anywhere", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    for (const offset of [0, 1, bytes.length, bytes.length + 1]) yield* checkRead(source, bytes, offset, 0)
  }),
  sourceLaw("an empty object is one like any other", function* ({ make }) {
    const empty = new Uint8Array(0)
    const source = yield* make(empty)
    checkEqual(yield* source.length, 0, "length")
    yield* checkRead(source, empty, 0, 10)
    yield* checkRead(source, empty, 5, 10)
    yield* checkStream(source, empty, 0, 0)
  }),
  sourceLaw("an object of one byte is one like any other", function* ({ make }) {
    const one = pattern(1)
    const source = yield* make(one)
    checkEqual(yield* source.length, 1, "length")
    yield* checkRead(source, one, 0, 10)
    yield* checkStream(source, one, 0, 1)
  }),
  sourceLaw("the same read gives the same bytes again, in any order of reads", function* (law) {
    const { bytes, chunkSize, make } = law
    const source = yield* make(bytes)
    for (const offset of [2 * chunkSize, 0, chunkSize, 0, 2 * chunkSize, bytes.length - 5]) {
      yield* checkRead(source, bytes, offset, 1000)
    }
  })
]

const sharing: ReadonlyArray<SourceLaw> = [
  sourceLaw("readers at once get each their own bytes", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    const step = Math.floor(bytes.length / 16)
    const offsets = Array.from({ length: 16 }, (_, i) => i * step)
    yield* Effect.forEach(offsets, (offset) => checkRead(source, bytes, offset, step + 3), {
      concurrency: "unbounded"
    })
    yield* Effect.forEach([0, 0, 0, 0], (offset) => checkRead(source, bytes, offset, bytes.length), {
      concurrency: "unbounded"
    })
  }),
  sourceLaw("a read that is interrupted changes its buffer no more, and disturbs no other", function* (law) {
    const { bytes, make } = law
    const source = yield* make(bytes)
    const buffer = new Uint8Array(bytes.length)
    const fiber = yield* Effect.forkChild(source.readAt(0, buffer), { startImmediately: true })
    const other = yield* Effect.forkChild(checkRead(source, bytes, 0, bytes.length), {
      startImmediately: true
    })
    yield* Fiber.interrupt(fiber)
    buffer.fill(untouched)
    yield* Fiber.join(other)
    check(
      buffer.every((byte) => byte === untouched),
      "no byte came after the interruption was over"
    )
    yield* checkRead(source, bytes, 3, 1000)
  })
]

const streaming: ReadonlyArray<SourceLaw> = [
  sourceLaw("a stream gives the bytes of its range, and pieces that are the taker's", function* (law) {
    const { bytes, chunkSize, make } = law
    const source = yield* make(bytes)
    for (const [offset, end] of [
      [0, bytes.length],
      [0, 0],
      [bytes.length, bytes.length],
      [0, 1],
      [chunkSize - 1, chunkSize + 1],
      [chunkSize, 2 * chunkSize],
      [1, bytes.length - 1],
      [bytes.length - 1, bytes.length]
    ]) {
      yield* checkStream(source, bytes, offset, end - offset)
    }
    yield* checkRead(source, bytes, 0, bytes.length)
  }),
  sourceLaw("a stream that is left early disturbs nothing", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    if (source.stream === undefined) return
    for (let i = 0; i < 4; i++) {
      const taken = yield* Stream.runCollect(Stream.take(source.stream(i, bytes.length - i), 1))
      const first = taken[0] ?? new Uint8Array(0)
      check(first.length > 0, "a first piece")
      checkBytes(first, bytes.subarray(i, i + first.length), "the first piece")
    }
    yield* checkStream(source, bytes, 0, bytes.length)
  })
]

const identifying: ReadonlyArray<SourceLaw> = [
  sourceLaw("the identity stays while the object does", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    if (source.identity === undefined) return
    const first = yield* source.identity
    checkEqual(typeof first, "string", "the type of the identity")
    yield* checkRead(source, bytes, 0, bytes.length)
    checkEqual(yield* source.identity, first, "identity, after a read")
  }),
  sourceLaw("an object of another length has another identity", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    const other = yield* make(bytes.subarray(0, bytes.length - 1))
    if (source.identity === undefined || other.identity === undefined) return
    check((yield* source.identity) !== (yield* other.identity), "two identities")
  })
]

/** What every source of bytes obeys. A law is rejected with `LawBroken`, or with the source's own error. */
export const byteSourceSuite = (
  make: MakeByteSource,
  options: ByteSourceSuiteOptions = {}
): ReadonlyArray<Law> => {
  const chunkSize = options.chunkSize ?? 131_072
  return [...reading, ...sharing, ...streaming, ...identifying].map(({ body, name }) => ({
    name,
    run: () =>
      Effect.suspend(() => body({ make, chunkSize, bytes: pattern(3 * chunkSize + 17) })).pipe(
        Effect.scoped,
        Effect.runPromise
      )
  }))
}
