/**
 * Opening a store after somebody or something has been at its files: what no commit has made part
 * of it is ignored, what is of no use is removed, and what is damaged is refused and left alone.
 */
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { afterEach, assert, beforeAll, describe, it } from "vitest"
import { Io, type IoService } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { Store } from "../../src/store/Store.ts"
import type { StoreOptions, StoreService } from "../../src/store/storeService.ts"
import { scratchDirectory } from "../io/scratch.ts"
import { expectedFiles, filesOf } from "../process/storeFiles.ts"

const scratch = scratchDirectory()
const whole = join(scratch, "whole")
const directory = join(scratch, "store")
const chunkSize = 200_000
const recordBytes = 30_000
const records = 30
/** In the midst of a record and of a chunk. */
const upTo = 10 * recordBytes + 5000
const slotBytes = 65_536

const recordAt = (index: number): Uint8Array => {
  const bytes = new Uint8Array(recordBytes)
  for (let i = 0; i < recordBytes; i++) bytes[i] = index * 31 + i * 7 + (i >>> 8)
  return bytes
}

const run = <A, E>(effect: Effect.Effect<A, E, Io | Scope.Scope>): Promise<A> =>
  effect.pipe(
    Effect.scoped,
    Effect.provide(IoNode.layer),
    // What is ignored is told as a warning.
    Effect.provide(Logger.layer([])),
    Effect.runPromise
  )

const open = (options: Omit<StoreOptions, "directory"> = {}) =>
  Store.open({ directory, chunkSize, ...options })

const reading = { readonly: true }

/** Every second record of those before `upTo`, and all behind. */
const isLive = (index: number): boolean => index * recordBytes >= upTo || index % 2 === 0

/**
 * A store with a prefix, several sealed chunks and an active one, that was written in commits of a
 * record each. Its first chunk begins before the suffix does.
 */
const makeWhole = Effect.gen(function* () {
  const store = yield* Store.open({ directory: whole, create: true, chunkSize })
  for (let index = 0; index < records; index++) {
    yield* store.append(recordAt(index))
    yield* store.commit
    if (index === 15) {
      const live = Array.from({ length: 11 }, (_, i) => ({ offset: i * recordBytes, length: recordBytes }))
      yield* store.collect({ live: live.filter((_, i) => isLive(i)), upTo })
    }
  }
  yield* store.close
})

const statsOf = (store: StoreService) => {
  const { chunks, generation } = store.stats()
  const active = chunks[chunks.length - 1]
  return { chunks, generation, active, sealed: chunks[1] }
}

/** The paths of what the whole store consists of. */
const parts = await run(
  Effect.gen(function* () {
    yield* makeWhole
    const store = yield* Store.open({ directory: whole, readonly: true })
    const { active, chunks, generation, sealed } = statsOf(store)
    assert.isAbove(chunks.length, 3)
    assert.strictEqual(generation, 1)
    assert.isBelow(chunks[0].offset, upTo)
    assert.isAbove(active.length, 0)
    return {
      active: { path: join(directory, `store.${active.number}.suffix`), ...active },
      sealed: { path: join(directory, `store.${sealed.number}.suffix`), ...sealed },
      first: chunks[0].number,
      prefix: join(directory, "store.1.prefix"),
      map: join(directory, "store.1.prefix.map"),
      control: join(directory, "store.control"),
      files: filesOf(whole)
    }
  })
)

beforeAll(() => fs.cpSync(whole, directory, { recursive: true }))
afterEach(() => {
  fs.rmSync(directory, { recursive: true, force: true })
  fs.cpSync(whole, directory, { recursive: true })
})

/** What is in the directory, byte for byte. */
const snapshot = (): ReadonlyMap<string, string> =>
  new Map(
    filesOf(directory).map((name) => {
      const path = join(directory, name)
      const content = fs.statSync(path).isFile() ? fs.readFileSync(path).toString("base64") : "a directory"
      return [name, content]
    })
  )

/** The first `count` records are there, as far as they are live, and nothing behind them. */
const judge = (store: StoreService, count = records) =>
  Effect.gen(function* () {
    assert.strictEqual(store.committedEnd(), count * recordBytes)
    for (let index = 0; index < count; index++) {
      const found = yield* Effect.result(store.read(index * recordBytes, recordBytes))
      const told = found._tag === "Success" ? "bytes" : found.failure._tag
      if (isLive(index)) assert.strictEqual(told, "bytes", `record ${index}`)
      else assert.notStrictEqual(told, "bytes", `record ${index}`)
      if (found._tag === "Success") {
        assert.isTrue(Buffer.from(recordAt(index)).equals(found.success), `record ${index}`)
      }
    }
    const beyond = yield* Effect.flip(store.read(count * recordBytes, 1))
    assert.strictEqual(beyond._tag, "ReadOutOfBounds")
  })

/** Writer and reader refuse the store with this error, and change nothing. */
const refused = (expected: Record<string, unknown>) =>
  Effect.gen(function* () {
    const before = snapshot()
    for (const options of [{}, { create: true }, reading]) {
      const error = yield* Effect.flip(open(options))
      assert.deepInclude({ ...error, _tag: error._tag }, expected)
      assert.isAbove(error.message.length, 20)
      assert.deepStrictEqual(snapshot(), before)
    }
  })

const flip = (path: string, at: number): void => {
  const file = fs.openSync(path, "r+")
  const byte = new Uint8Array(1)
  fs.readSync(file, byte, 0, 1, at)
  fs.writeSync(file, Uint8Array.of(byte[0] ^ 1), 0, 1, at)
  fs.closeSync(file)
}

describe("a torn tail", () => {
  const garbage = new Uint8Array(50_000).fill(0xab)
  const tear = Effect.sync(() => fs.appendFileSync(parts.active.path, garbage))

  it("is ignored by a reader", () =>
    run(
      Effect.gen(function* () {
        yield* tear
        const before = snapshot()
        const store = yield* open(reading)
        yield* judge(store)
        assert.deepStrictEqual((yield* store.check()).damage, [])
        yield* store.close
        assert.deepStrictEqual(snapshot(), before)
      })
    ))

  it("is told by a writer, and overwritten by what is appended", () =>
    run(
      Effect.gen(function* () {
        yield* tear
        const store = yield* open({ chunkSize: 1 << 20 })
        const { controlRepaired, removed, tornTailBytes } = store.stats().recovery!
        assert.deepStrictEqual(
          { controlRepaired, removed, tornTailBytes },
          { controlRepaired: false, removed: [], tornTailBytes: garbage.length }
        )
        yield* judge(store)
        yield* store.append(recordAt(records))
        yield* store.commit
        yield* judge(store, records + 1)
        yield* store.close
        // What the record did not reach is of no commit still.
        const again = yield* open({ chunkSize: 1 << 20 })
        assert.strictEqual(again.stats().recovery!.tornTailBytes, garbage.length - recordBytes)
        yield* again.append(recordAt(records + 1))
        yield* again.commit
        yield* judge(again, records + 2)
        yield* again.close
        const last = yield* open()
        assert.strictEqual(last.stats().recovery!.tornTailBytes, 0)
        yield* judge(last, records + 2)
      })
    ))

  it("stays behind a chunk that is sealed, and does no harm there", () =>
    run(
      Effect.gen(function* () {
        yield* tear
        const store = yield* open()
        yield* store.split
        yield* store.append(recordAt(records))
        yield* store.commit
        yield* judge(store, records + 1)
        assert.deepStrictEqual((yield* store.check()).damage, [])
        yield* store.close
        const again = yield* open()
        assert.strictEqual(again.stats().recovery!.tornTailBytes, 0)
        yield* judge(again, records + 1)
        yield* again.collect({ live: [], upTo: again.committedEnd() })
        assert.deepStrictEqual(filesOf(directory), expectedFiles(again.stats()))
      })
    ))

  it("of an append that was flushed and never committed is one, too", () =>
    run(
      Effect.gen(function* () {
        const bytes = yield* Effect.scoped(
          Effect.gen(function* () {
            const store = yield* open({ chunkSize: 1 << 20, autoFlushThreshold: 1 })
            yield* store.append(recordAt(records))
            yield* store.append(recordAt(records + 1))
            return store.end() - store.committedEnd()
          })
        )
        assert.strictEqual(bytes, 2 * recordBytes)
        const store = yield* open()
        assert.isAtLeast(store.stats().recovery!.tornTailBytes, recordBytes)
        yield* judge(store)
      })
    ))
})

describe("damage below the committed length is refused, by writers and readers, and nothing is changed", () => {
  const { active, control, map, prefix, sealed } = parts
  const cases: ReadonlyArray<readonly [string, () => void, Record<string, unknown>]> = [
    ...[active, sealed].flatMap(({ length, path, sealed }) => {
      const kind = sealed ? "a sealed chunk" : "the active chunk"
      const shortened = (to: number) => () => fs.truncateSync(path, to)
      return [
        [`${kind} one byte too short`, shortened(length - 1), { _tag: "Corrupt", path, offset: length - 1 }],
        [`${kind} cut to nothing`, shortened(0), { _tag: "Corrupt", path, offset: 0 }],
        [`${kind} missing`, () => fs.rmSync(path), { _tag: "Corrupt", path }]
      ] as const
    }),
    ["the sums of a sealed chunk missing", () => fs.rmSync(`${sealed.path}.sum`), { _tag: "Corrupt" }],
    [
      "the sums damaged",
      () => flip(`${sealed.path}.sum`, 44),
      { _tag: "Corrupt", path: `${sealed.path}.sum` }
    ],
    ["the sums cut", () => fs.truncateSync(`${sealed.path}.sum`, 20), { path: `${sealed.path}.sum` }],
    ["the prefix missing", () => fs.rmSync(prefix), { _tag: "Corrupt" }],
    ["the prefix too short", () => fs.truncateSync(prefix, 1000), { _tag: "Corrupt", path: prefix }],
    ["its map missing", () => fs.rmSync(map), { _tag: "Corrupt" }],
    ["prefix and map missing", () => [prefix, map].forEach((path) => fs.rmSync(path)), { _tag: "Corrupt" }],
    ["the header of the map damaged", () => flip(map, 20), { _tag: "Corrupt", path: map }],
    ["the map cut", () => fs.truncateSync(map, 100), { _tag: "Corrupt", path: map }],
    [
      "both slots of control damaged",
      () => [16, slotBytes + 16].forEach((at) => flip(control, at)),
      { _tag: "Corrupt", path: control }
    ],
    ["control cut", () => fs.truncateSync(control, slotBytes), { _tag: "Corrupt", path: control }],
    ["control empty", () => fs.truncateSync(control, 0), { _tag: "Corrupt", path: control, offset: 0 }],
    ["control too long", () => fs.appendFileSync(control, "x"), { _tag: "Corrupt", path: control }],
    ["control missing", () => fs.rmSync(control), { _tag: "Corrupt", path: control, offset: 0 }]
  ]
  for (const [name, damage, expected] of cases) {
    it(name, () =>
      run(
        Effect.suspend(() => {
          damage()
          return refused(expected)
        })
      )
    )
  }

  it("the control file of another store", () =>
    run(
      Effect.gen(function* () {
        const other = yield* Store.open({ directory: join(scratch, "other"), create: true })
        yield* other.append(new Uint8Array(1 << 20))
        yield* other.commit
        yield* other.close
        fs.copyFileSync(join(scratch, "other", "store.control"), control)
        // It names a chunk that isn't there: nothing of this store is removed as debris.
        yield* refused({ _tag: "Corrupt", path: join(directory, "store.0.suffix") })
      })
    ))
})

describe("one slot of control", () => {
  /** The sequence numbers of the slots. */
  const sequences = (): ReadonlyArray<bigint> => {
    const bytes = fs.readFileSync(parts.control)
    return [bytes.readBigUInt64LE(16), bytes.readBigUInt64LE(slotBytes + 16)]
  }
  const newer = (): number => (sequences()[0] > sequences()[1] ? 0 : slotBytes)

  it("that holds the older record and is damaged is written anew, and nothing is lost", () =>
    run(
      Effect.gen(function* () {
        flip(parts.control, ((slotBytes - newer()) % (2 * slotBytes)) + 30)
        const before = snapshot()
        const reader = yield* open(reading)
        yield* judge(reader)
        assert.deepInclude((yield* reader.check()).damage[0], { kind: "control", path: parts.control })
        yield* reader.close
        assert.deepStrictEqual(snapshot(), before)
        const store = yield* open()
        assert.isTrue(store.stats().recovery!.controlRepaired)
        yield* judge(store)
        assert.deepStrictEqual((yield* store.check()).damage, [])
        yield* store.close
        const again = yield* open()
        assert.isFalse(again.stats().recovery!.controlRepaired)
      })
    ))

  it("that holds the newer record and is damaged leaves the state before it", () =>
    run(
      Effect.gen(function* () {
        assert.notStrictEqual(...(sequences() as [bigint, bigint]))
        flip(parts.control, newer() + 30)
        yield* judge(yield* open(reading), records - 1)
        const store = yield* open()
        const { controlRepaired, tornTailBytes } = store.stats().recovery!
        assert.deepStrictEqual(
          { controlRepaired, tornTailBytes },
          { controlRepaired: true, tornTailBytes: recordBytes }
        )
        yield* judge(store, records - 1)
        yield* store.append(recordAt(records - 1))
        yield* store.commit
        yield* judge(store)
      })
    ))

  it("that holds nothing but zeros is written anew", () =>
    run(
      Effect.gen(function* () {
        const bytes = fs.readFileSync(parts.control)
        bytes.fill(0, newer() === 0 ? slotBytes : 0, newer() === 0 ? 2 * slotBytes : slotBytes)
        fs.writeFileSync(parts.control, bytes)
        const store = yield* open()
        assert.isTrue(store.stats().recovery!.controlRepaired)
        yield* judge(store)
      })
    ))
})

describe("damage that no opening looks for", () => {
  const cases = [
    ["in a sealed chunk", parts.sealed.path, 70_000, "chunk"],
    ["in the prefix", parts.prefix, 40_000, "prefix"]
  ] as const
  for (const [name, path, at, kind] of cases) {
    it(`${name} is found by check, by verified reads and by a collection, which changes nothing`, () =>
      run(
        Effect.gen(function* () {
          flip(path, at)
          const store = yield* open({ verifyReads: true })
          const { damage } = yield* store.check()
          assert.lengthOf(damage, 1)
          assert.deepInclude(damage[0], { kind, path })
          assert.isAtMost(damage[0].offset, at)
          assert.isAbove(damage[0].offset, at - slotBytes)
          const before = filesOf(directory)
          const extents = [...store.extents()]
          const whole = { live: extents, upTo: store.committedEnd() }
          const error = yield* Effect.flip(store.collect(whole))
          assert.deepInclude({ ...error, _tag: error._tag }, { _tag: "Corrupt", path })
          // But for the active chunk, which is sealed now.
          const after = filesOf(directory).filter((name) => !before.includes(name))
          assert.isTrue(
            after.every((name) => name.includes(".suffix")),
            after.join()
          )
          assert.strictEqual(store.stats().generation, 1)
          let corrupt = 0
          for (const { length, offset } of extents) {
            const found = yield* Effect.result(store.read(offset, length))
            if (found._tag === "Success") continue
            assert.strictEqual(found.failure._tag, "Corrupt")
            corrupt++
          }
          // As many as share the block.
          assert.isAbove(corrupt, 0)
          assert.isBelow(corrupt, extents.length)
        })
      ))
  }
})

describe("what control does not name", () => {
  const { active, first } = parts
  const debris = [
    "store.control.tmp",
    `store.${first - 1}.suffix`,
    `store.${first - 1}.suffix.sum`,
    `store.${active.number}.suffix.sum`,
    `store.${active.number + 1}.suffix`,
    "store.4096.suffix",
    "store.4096.suffix.sum",
    "store.1.prefix.tmp",
    "store.1.prefix.map.tmp",
    "store.2.prefix",
    "store.2.prefix.map",
    "store.2.prefix.tmp",
    "store.3.prefix.map.tmp"
  ].sort()
  const foreign = [
    "notes.txt",
    "store.007.suffix",
    `store.0${active.number}.suffix`,
    "store.1.suffix.bak",
    "store.1.suffix.sum.tmp",
    "store.0.prefix",
    "store.-1.suffix",
    "store.2.prefix.map.bak",
    "store.controls",
    "Store.control"
  ].sort()
  const litter = (names: ReadonlyArray<string>): void => {
    for (const name of names) fs.writeFileSync(join(directory, name), `whatever ${name} is`)
  }

  it("is left alone by a reader", () =>
    run(
      Effect.gen(function* () {
        litter([...debris, ...foreign])
        const before = snapshot()
        const store = yield* open(reading)
        yield* judge(store)
        yield* store.refresh
        assert.deepStrictEqual((yield* store.check()).damage, [])
        yield* store.close
        assert.deepStrictEqual(snapshot(), before)
      })
    ))

  it("is removed by a writer, as far as the name is exactly one of ours", () =>
    run(
      Effect.gen(function* () {
        litter([...debris, ...foreign])
        fs.mkdirSync(join(directory, "somebody's"))
        const contents = foreign.map((name) => snapshot().get(name))
        const store = yield* open()
        assert.deepStrictEqual([...store.stats().recovery!.removed].sort(), debris)
        assert.deepStrictEqual(
          filesOf(directory),
          [...parts.files, ...foreign, "somebody's"].sort(),
          "the store's own files and the foreign ones"
        )
        assert.deepStrictEqual(
          foreign.map((name) => snapshot().get(name)),
          contents
        )
        yield* judge(store)
        yield* store.append(recordAt(records))
        yield* store.split
        yield* store.collect({ live: [], upTo: store.committedEnd() })
        yield* store.close
        const again = yield* open()
        assert.deepStrictEqual(again.stats().recovery!.removed, [])
      })
    ))
})

describe("a collection that finishes while a reader opens the files it has read of", () => {
  const theIo = Effect.gen(function* () {
    return yield* Io
  })
  /** Io that collects all of the store before each of the next `left` openings of a chunk. */
  const collecting = (writer: StoreService, disturbance: { left: number }) =>
    Effect.map(theIo, (io): IoService => {
      const collected = Effect.gen(function* () {
        yield* writer.append(recordAt(records))
        yield* writer.commit
        const upTo = writer.committedEnd()
        yield* writer.collect({ live: [{ offset: upTo - recordBytes, length: recordBytes }], upTo })
      }).pipe(Effect.orDie)
      return {
        ...io,
        open: (path, options) => {
          if (!path.endsWith(".suffix") || disturbance.left === 0) return io.open(path, options)
          disturbance.left--
          return Effect.andThen(collected, io.open(path, options))
        }
      }
    })

  it("makes it look at control again, however often, and open the newer state", () =>
    run(
      Effect.gen(function* () {
        const writer = yield* open()
        const io = yield* collecting(writer, { left: 5 })
        const reader = yield* open(reading).pipe(Effect.provideService(Io, io))
        assert.strictEqual(reader.stats().generation, writer.stats().generation)
        assert.strictEqual(writer.stats().generation, 6)
        assert.strictEqual(reader.end(), writer.end())
        const bytes = yield* reader.read(reader.end() - recordBytes, recordBytes)
        assert.isTrue(Buffer.from(recordAt(records)).equals(bytes))
      })
    ))

  it("and does so when it is refreshed, which keeps what was read before", () =>
    run(
      Effect.gen(function* () {
        const writer = yield* open()
        const disturbance = { left: 0 }
        const io = yield* collecting(writer, disturbance)
        const reader = yield* open(reading).pipe(Effect.provideService(Io, io))
        yield* writer.split
        yield* writer.append(recordAt(records))
        yield* writer.commit
        disturbance.left = 3
        yield* judge(reader)
        yield* reader.refresh
        assert.strictEqual(disturbance.left, 0)
        assert.strictEqual(reader.stats().generation, writer.stats().generation)
        assert.strictEqual(reader.end(), writer.end())
        const bytes = yield* reader.read(reader.end() - recordBytes, recordBytes)
        assert.isTrue(Buffer.from(recordAt(records)).equals(bytes))
      })
    ))
})

describe("a directory without control", () => {
  const empty = (names: ReadonlyArray<string>): void => {
    fs.rmSync(directory, { recursive: true })
    fs.mkdirSync(directory)
    for (const name of names) fs.writeFileSync(join(directory, name), "")
  }
  const traces = [
    "store.0.suffix",
    "store.5.suffix.sum",
    "store.1.prefix",
    "store.1.prefix.map",
    "store.2.prefix.tmp"
  ]

  for (const name of traces) {
    it(`is damaged, and not empty, when ${name} is there`, () =>
      run(
        Effect.suspend(() => {
          empty([name, "notes.txt"])
          return refused({ _tag: "Corrupt", path: parts.control, offset: 0 })
        })
      ))
  }

  it("is no store where a creation was interrupted; creating makes one, and removes what is left", () =>
    run(
      Effect.gen(function* () {
        empty(["store.lock", "store.control.tmp", "notes.txt"])
        const before = snapshot()
        for (const options of [{}, reading]) {
          const error = yield* Effect.flip(open(options))
          assert.deepInclude({ ...error, _tag: error._tag }, { _tag: "NoSuchFile", path: parts.control })
        }
        assert.deepStrictEqual(snapshot(), before)
        const store = yield* open({ create: true })
        assert.strictEqual(store.end(), 0)
        assert.deepStrictEqual(filesOf(directory), ["notes.txt", "store.control", "store.lock"])
      })
    ))
})
