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
 * from outside, and is not here; that a changed object has another identity is, where `change` tells how to change one.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import {
  type ChangeByteSource,
  checkRead,
  checkRefused,
  checkStream,
  type MakeByteSource,
  sourceLaw,
  type SourceLaw,
  untouched
} from "./byteSourceLaw.ts"
import { pattern } from "./ioLaw.ts"
import { check, checkBytes, checkEqual, type Law } from "./law.ts"

export type { ChangeByteSource, MakeByteSource } from "./byteSourceLaw.ts"

export interface ByteSourceSuiteOptions {
  /**
   * The size in bytes around whose multiples is read. The largest object has three times that, and some.
   * Default 131072.
   */
  readonly chunkSize?: number | undefined
  /**
   * Puts `bytes`, which are as many, in the place of the object of `source`, which a law was given before, and
   * gives a new source of it. Without it, the law about changed objects is left out.
   */
  readonly change?: ChangeByteSource | undefined
}

const reading: ReadonlyArray<SourceLaw> = [
  sourceLaw("the length is that of the object, and stays", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    checkEqual(yield* source.length, bytes.length, "length")
    yield* checkRead(source, bytes, { offset: 0, length: 10 })
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
            yield* checkRead(source, bytes, { offset, length })
          }
        }
      }
    }
  ),
  sourceLaw("one read gives all of the object, and a larger buffer no more", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    yield* checkRead(source, bytes, { offset: 0, length: bytes.length })
    yield* checkRead(source, bytes, { offset: 0, length: bytes.length + 1000 })
    yield* checkRead(source, bytes, { offset: 1, length: bytes.length + 1000 })
  }),
  sourceLaw("at the end and beyond there are 0 bytes", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    for (const offset of [bytes.length, bytes.length + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      yield* checkRead(source, bytes, { offset, length: 100 })
    }
  }),
  sourceLaw("a buffer of 0 bytes gets 0 bytes, anywhere", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    for (const offset of [0, 1, bytes.length, bytes.length + 1])
      yield* checkRead(source, bytes, { offset, length: 0 })
  }),
  sourceLaw("an empty object is one like any other", function* ({ make }) {
    const empty = new Uint8Array(0)
    const source = yield* make(empty)
    checkEqual(yield* source.length, 0, "length")
    yield* checkRead(source, empty, { offset: 0, length: 10 })
    yield* checkRead(source, empty, { offset: 5, length: 10 })
    yield* checkStream(source, empty, { offset: 0, length: 0 })
  }),
  sourceLaw("an object of one byte is one like any other", function* ({ make }) {
    const one = pattern(1)
    const source = yield* make(one)
    checkEqual(yield* source.length, 1, "length")
    yield* checkRead(source, one, { offset: 0, length: 10 })
    yield* checkStream(source, one, { offset: 0, length: 1 })
  }),
  sourceLaw("the same read gives the same bytes again, in any order of reads", function* (law) {
    const { bytes, chunkSize, make } = law
    const source = yield* make(bytes)
    for (const offset of [2 * chunkSize, 0, chunkSize, 0, 2 * chunkSize, bytes.length - 5]) {
      yield* checkRead(source, bytes, { offset, length: 1000 })
    }
  })
]

/** What is no offset. */
const noOffsets = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]

const refusing: ReadonlyArray<SourceLaw> = [
  sourceLaw("a read at what is no offset is a failure, and leaves its buffer alone", function* (law) {
    const source = yield* law.make(law.bytes)
    const buffer = new Uint8Array(10).fill(untouched)
    for (const offset of noOffsets) {
      yield* checkRefused(
        Effect.suspend(() => source.readAt(offset, buffer)),
        `a read at ${offset}`
      )
    }
    checkBytes(buffer, new Uint8Array(10).fill(untouched), "the buffer")
    yield* checkRead(source, law.bytes, { offset: 0, length: 10 })
  }),
  sourceLaw("a stream from what is no offset is a failure", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    if (source.stream === undefined) return
    for (const offset of noOffsets) {
      yield* checkRefused(
        Effect.suspend(() => Stream.runDrain(source.stream?.(offset, 10) ?? Stream.empty)),
        `a stream from ${offset}`
      )
    }
    yield* checkStream(source, bytes, { offset: 0, length: 10 })
  })
]

const sharing: ReadonlyArray<SourceLaw> = [
  sourceLaw("readers at once get each their own bytes", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    const step = Math.floor(bytes.length / 16)
    const offsets = Array.from({ length: 16 }, (_, i) => i * step)
    yield* Effect.forEach(offsets, (offset) => checkRead(source, bytes, { offset, length: step + 3 }), {
      concurrency: "unbounded"
    })
    yield* Effect.forEach(
      [0, 0, 0, 0],
      (offset) => checkRead(source, bytes, { offset, length: bytes.length }),
      {
        concurrency: "unbounded"
      }
    )
  }),
  sourceLaw("a read that is interrupted changes its buffer no more, and disturbs no other", function* (law) {
    const { bytes, make } = law
    const source = yield* make(bytes)
    const buffer = new Uint8Array(bytes.length)
    const fiber = yield* Effect.forkChild(source.readAt(0, buffer), { startImmediately: true })
    const other = yield* Effect.forkChild(checkRead(source, bytes, { offset: 0, length: bytes.length }), {
      startImmediately: true
    })
    yield* Fiber.interrupt(fiber)
    buffer.fill(untouched)
    yield* Fiber.join(other)
    check(
      buffer.every((byte) => byte === untouched),
      "no byte came after the interruption was over"
    )
    yield* checkRead(source, bytes, { offset: 3, length: 1000 })
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
      yield* checkStream(source, bytes, { offset, length: end - offset })
    }
    yield* checkRead(source, bytes, { offset: 0, length: bytes.length })
  }),
  sourceLaw("around the edges of chunks a stream gives what reads give", function* (law) {
    const { bytes, chunkSize, make } = law
    const source = yield* make(bytes)
    for (const edge of [0, chunkSize, 2 * chunkSize, 3 * chunkSize]) {
      for (const offset of [edge - 1, edge, edge + 1]) {
        for (const length of [0, 1, chunkSize - 1, chunkSize, chunkSize + 1]) {
          if (offset < 0 || offset + length > bytes.length) continue
          yield* checkStream(source, bytes, { offset, length })
        }
      }
    }
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
    yield* checkStream(source, bytes, { offset: 0, length: bytes.length })
  })
]

const identifying: ReadonlyArray<SourceLaw> = [
  sourceLaw("the identity stays while the object does", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    if (source.identity === undefined) return
    const first = yield* source.identity
    checkEqual(typeof first, "string", "the type of the identity")
    yield* checkRead(source, bytes, { offset: 0, length: bytes.length })
    checkEqual(yield* source.identity, first, "identity, after a read")
  }),
  sourceLaw("an object of another length has another identity", function* ({ bytes, make }) {
    const source = yield* make(bytes)
    const other = yield* make(bytes.subarray(0, bytes.length - 1))
    if (source.identity === undefined || other.identity === undefined) return
    check((yield* source.identity) !== (yield* other.identity), "two identities")
  })
]

const changing: ReadonlyArray<SourceLaw> = [
  sourceLaw("an object that was changed, and is as long as before, has another identity", function* (law) {
    const { bytes, change, make } = law
    const source = yield* make(bytes)
    if (source.identity === undefined || change === undefined) return
    if (source.isVersioned !== undefined && !(yield* source.isVersioned)) return
    const before = yield* source.identity
    const other = pattern(bytes.length, 2)
    const anew = yield* change(source, other)
    yield* checkRead(anew, other, { offset: 0, length: other.length })
    check(anew.identity !== undefined && (yield* anew.identity) !== before, "another identity")
  })
]

/** What every source of bytes obeys. A law is rejected with `LawBroken`, or with the source's own error. */
export const byteSourceSuite = (
  make: MakeByteSource,
  options: ByteSourceSuiteOptions = {}
): ReadonlyArray<Law> => {
  const { change, chunkSize = 131_072 } = options
  const laws = [...reading, ...refusing, ...sharing, ...streaming, ...identifying]
  if (change !== undefined) laws.push(...changing)
  return laws.map(({ body, name }) => ({
    name,
    run: () =>
      Effect.suspend(() => body({ make, change, chunkSize, bytes: pattern(3 * chunkSize + 17) })).pipe(
        Effect.scoped,
        Effect.runPromise
      )
  }))
}
