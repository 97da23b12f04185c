/**
 * A store beside a state of its model: what it contains, what it tells of itself, and what lies in
 * its directory.
 */
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import type { Extent } from "../src/bytes/extent.ts"
import { attempt } from "../src/io/attempt.ts"
import type { IoService } from "../src/io/Io.ts"
import { defaultChunkSize, type StoreService, type StoreStats } from "../src/store/storeService.ts"
import { united } from "../src/testing/commands/storeCollections.ts"
import { storeReadOffset } from "../src/testing/commands/storeSteps.ts"
import type { StoreModelOutcome, StoreModelState } from "../src/testing/models/store.ts"
import type { ReadChoice } from "./storeSteps.ts"

interface Told {
  readonly _tag: string
  readonly path?: string
  readonly end?: number
}

/** What an Effect gave, in the model's words. Whatever isn't typed stays a defect, and fails the test. */
export const outcome = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.match(effect, {
    onSuccess: (value): StoreModelOutcome<A> => ({ value }),
    onFailure: (error): StoreModelOutcome<A> => {
      const { _tag, end } = error as Told
      return _tag === "ReadOutOfBounds" && end !== undefined ? { failure: _tag, end } : { failure: _tag }
    }
  })

/** A record that was appended, and how: what is told of chunks depends on it. */
export interface StoreRecord {
  readonly offset: number
  readonly length: number
  readonly unsafe: boolean
}

/** deepStrictEqual takes seconds over a megabyte. */
const sameBytes = (real: Uint8Array, expected: Uint8Array, what: string): void =>
  assert.strictEqual(Buffer.compare(real, expected), 0, `other bytes: ${what}`)

/** Every byte of `run` is what `state` has there. */
export const sameRun = (store: StoreService, state: StoreModelState, { length, offset }: Extent): void => {
  const buffer = new Uint8Array(length)
  store.unsafe.readInto(offset, buffer)
  sameBytes(buffer, Uint8Array.from(state.bytes.slice(offset, offset + length)), `${length} at ${offset}`)
}

/** The store has exactly the bytes of `state`, as far as `committed` of it committed. */
export const sameContent = (
  store: StoreService,
  state: StoreModelState,
  committed: StoreModelState
): void => {
  assert.strictEqual(store.end(), state.end, "end")
  assert.strictEqual(store.committedEnd(), committed.end, "committedEnd")
  const runs = state.extents()
  assert.deepStrictEqual(united(store.extents()), runs, "extents")
  for (const run of runs) sameRun(store, state, run)
}

/** Where things may go wrong: the ends of runs and chunks. */
const edgesOf = (store: StoreService, state: StoreModelState): ReadonlyArray<number> => [
  ...state.extents().flatMap(({ length, offset }) => [offset, offset + length]),
  ...store.stats().chunks.flatMap(({ length, offset }) => [offset, offset + length]),
  state.suffixStart,
  state.end
]

const readOne = (store: StoreService, { how, length }: ReadChoice, offset: number) => {
  // What is no length at all can only be told to `read`.
  if (how === "read" || !(length >= 0 && length <= 2 ** 30 && Number.isInteger(length))) {
    return store.read(offset, length)
  }
  const buffer = new Uint8Array(length)
  return how === "readInto"
    ? Effect.as(store.readInto(offset, buffer), buffer)
    : attempt<Uint8Array, unknown>(() => {
        store.unsafe.readInto(offset, buffer)
        return buffer
      })
}

/** Reads as `choices` say, one by one and all at once, and compares what is read and refused. */
export const sameReads = (
  store: StoreService,
  state: StoreModelState,
  choices: ReadonlyArray<ReadChoice>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const edges = edgesOf(store, state)
    const ranges = choices.map((choice) => ({ choice, offset: storeReadOffset(choice, edges, state.end) }))
    for (const { choice, offset } of ranges) {
      const expected = state.read(offset, choice.length)
      const what = `${choice.how} of ${choice.length} at ${offset}`
      const read = readOne(store, choice, offset).pipe(
        Effect.tapError((error) =>
          Effect.sync(() => {
            const { _tag, path } = error as Told
            if (_tag !== "InvalidArgument") assert.strictEqual(path, store.directory, `${what}: path`)
          })
        )
      )
      const real = yield* outcome(read)
      if ("value" in real && "value" in expected) sameBytes(real.value, expected.value, what)
      else assert.deepStrictEqual(real, expected, what)
    }
    yield* sameMany(
      store,
      state,
      ranges.map(({ choice, offset }) => ({ offset, length: choice.length }))
    )
  })

/** All that can be read at once; and with the others among them, the error of any of those. */
const sameMany = (store: StoreService, state: StoreModelState, ranges: ReadonlyArray<Extent>) =>
  Effect.gen(function* () {
    const many = (of: ReadonlyArray<Extent>) =>
      store.readMany(
        of.map(({ offset }) => offset),
        of.map(({ length }) => length)
      )
    const expected = ranges.map(({ length, offset }) => state.read(offset, length))
    const good = ranges.filter((_, i) => "value" in expected[i])
    const found = yield* Effect.orDie(many(good))
    assert.strictEqual(found.length, good.length)
    good.forEach(({ length, offset }, i) => {
      const alone = state.read(offset, length)
      if ("value" in alone) sameBytes(found[i], alone.value, `readMany of ${length} at ${offset}`)
    })
    if (good.length === ranges.length) return
    const refused = yield* outcome(many(ranges))
    const tags = expected.flatMap((one) => ("failure" in one ? [one.failure] : []))
    assert.include(tags, "failure" in refused ? refused.failure : "none", "readMany of what can't be read")
  })

/** With hundreds of chunks they grow: "doubles with every 256 of them". */
const longestChunk = (chunkSize: number | undefined, chunks: number): number =>
  (chunkSize ?? defaultChunkSize) * 2 ** Math.floor(chunks / 256)

/**
 * What a store tells of itself fits the state, and its chunks fit the records: none is in two chunks,
 * and no chunk is longer than `chunkSize` but for a record of its own, or for an unsafe append.
 */
export const sameStats = (
  store: StoreService,
  state: StoreModelState,
  committed: StoreModelState,
  records: ReadonlyArray<StoreRecord>,
  chunkSize: number | undefined
): void => {
  const stats = store.stats()
  const { chunks, prefix } = stats
  assert.strictEqual(stats.directory, store.directory)
  assert.strictEqual(stats.readonly, store.readonly)
  assert.strictEqual(stats.end, state.end, "stats().end")
  assert.strictEqual(stats.committedEnd, committed.end, "stats().committedEnd")
  assert.strictEqual(stats.suffixStart, committed.suffixStart, "stats().suffixStart")
  assert.strictEqual(stats.generation, committed.generation, "stats().generation")
  assert.strictEqual(stats.recovery === undefined, store.readonly, "recovery is told by writers")
  if (committed.generation === 0) assert.isUndefined(prefix)
  else {
    const { bytes, suffixStart } = committed
    const below = committed.united(committed.extents(), suffixStart)
    assert.strictEqual(prefix?.extents, below.length, "extents of the prefix")
    assert.strictEqual(prefix?.dataBytes, committed.readableBefore(suffixStart), "bytes of the prefix")
    assert.isAtLeast(bytes.length, suffixStart)
  }
  sameChunks(stats)
  const bounds = chunks.map(({ length, offset }) => offset + length)
  for (const { length, offset } of records) {
    if (offset + length > committed.end) continue
    assert.isUndefined(
      bounds.find((bound) => offset < bound && bound < offset + length),
      `the record of ${length} at ${offset} spans chunks`
    )
  }
  for (const { length, number, offset } of chunks) {
    const inside = records.filter(
      (record) => record.length > 0 && record.offset >= offset && record.offset < offset + length
    )
    if (inside.length === 1 || inside.some(({ unsafe }) => unsafe)) continue
    assert.isAtMost(length, longestChunk(chunkSize, chunks.length), `length of chunk ${number}`)
  }
}

/** Chunks follow each other without a gap, from at or before `suffixStart` to the committed end. */
const sameChunks = ({ chunks, committedEnd, suffixStart }: StoreStats): void => {
  let end = chunks.length === 0 ? suffixStart : chunks[0].offset
  assert.isAtMost(end, suffixStart, "the first chunk begins before suffixStart, or there")
  chunks.forEach(({ length, number, offset, sealed }, i) => {
    assert.strictEqual(number, chunks[0].number + i, "chunks are numbered one by one")
    assert.strictEqual(offset, end, `offset of chunk ${number}`)
    assert.strictEqual(sealed, i < chunks.length - 1, "the last chunk is active")
    end = offset + length
    if (!sealed) return
    assert.isAbove(length, 0, "no sealed chunk is empty")
    assert.isAbove(end, suffixStart, `chunk ${number} lies wholly before suffixStart, and is still there`)
  })
  assert.strictEqual(end, committedEnd, "chunks end at the committed end")
}

const controlBytes = 2 * 65_536

/** The files that `stats` tells of, and the least that each must hold. */
const filesOf = ({ chunks, generation, prefix }: StoreStats): Map<string, number> => {
  const files = new Map([
    ["store.control", controlBytes],
    ["store.lock", 0]
  ])
  for (const { length, number, sealed } of chunks) {
    files.set(`store.${number}.suffix`, length)
    if (sealed) files.set(`store.${number}.suffix.sum`, 0)
  }
  if (prefix !== undefined) {
    files.set(`store.${generation}.prefix`, prefix.dataBytes)
    files.set(`store.${generation}.prefix.map`, prefix.mapBytes)
  }
  return files
}

/**
 * The directory holds what stats() tells of, and besides it nothing but chunks that no commit has
 * listed yet: `unlisted` of them at most.
 */
export const noDebris = (
  io: IoService,
  store: StoreService,
  unlisted: number
): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const stats = store.stats()
    const files = filesOf(stats)
    const names = yield* io.list(store.directory)
    assert.deepStrictEqual(
      [...files.keys()].filter((name) => !names.includes(name)),
      [],
      "files that are missing"
    )
    const last = stats.chunks[stats.chunks.length - 1]?.number ?? -1
    const rest = names.filter((name) => !files.has(name))
    const isUnlisted = (name: string): boolean => {
      const number = /^store\.(\d+)\.suffix(\.sum)?$/.exec(name)?.[1]
      return number !== undefined && Number(number) > last
    }
    assert.deepStrictEqual(
      rest.filter((name) => !isUnlisted(name)),
      [],
      "debris"
    )
    assert.isAtMost(rest.length, unlisted, `chunks that are not listed: ${rest.join(" ")}`)
    let diskBytes = 0
    for (const [name, least] of files) {
      const size = yield* io.sizeOf(`${store.directory}/${name}`)
      const exact = !name.endsWith(".suffix") && !name.endsWith(".sum")
      if (exact) assert.strictEqual(size, least, `size of ${name}`)
      else assert.isAtLeast(size, least, `size of ${name}`)
      diskBytes += name.endsWith(".sum") ? size : least
    }
    assert.strictEqual(stats.diskBytes, diskBytes, "diskBytes")
  })
