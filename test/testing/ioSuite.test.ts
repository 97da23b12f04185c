/** The laws about Io, as a stranger meets them: with a layer and nothing else. Each of many defects breaks some. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert, describe, it } from "vitest"
import { Locked, Unsupported } from "../../src/bytes/errors.ts"
import { Io, type IoFile, type IoService } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"
import { ioSuite, type IoSuiteOptions } from "../../src/testing/ioSuite.ts"

describe("with a layer alone, IoMemory obeys", () => {
  for (const law of ioSuite(IoMemory.layer)) it(law.name, law.run)
})

type Spoil = (io: IoService) => Partial<IoService>

/** IoMemory, of which a part is replaced. */
const spoiled = (spoil: Spoil): Layer.Layer<Io> =>
  Layer.effect(
    Io,
    Effect.map(Io, (io) => Io.of({ ...io, ...spoil(io) }))
  ).pipe(Layer.provide(IoMemory.layer))

/** IoMemory with files of which a part is replaced. */
const spoiledFiles = (spoil: (file: IoFile) => Partial<IoFile>): Layer.Layer<Io> => {
  const of = (file: IoFile): IoFile => ({ ...file, ...spoil(file) })
  return spoiled((io) => ({
    create: (path, options) => Effect.map(io.create(path, options), of),
    open: (path, options) => Effect.map(io.open(path, options), of)
  }))
}

const brokenBy = async (
  layer: Layer.Layer<Io>,
  options: IoSuiteOptions = {},
  isTried: (name: string) => boolean = () => true
): Promise<ReadonlyArray<string>> => {
  const broken: Array<string> = []
  for (const law of ioSuite(layer, options).filter(({ name }) => isTried(name)))
    await law.run().catch(() => broken.push(law.name))
  return broken
}

const unmapped = () => Effect.fail(new Unsupported({ operation: "map", reason: "not here" }))

/** What is wrong, and a law that must not hold any more. */
const defects: Record<string, readonly [Layer.Layer<Io>, string]> = {
  "a write beyond the end that is put at the end": [
    spoiledFiles((file) => ({
      writeAt: (offset, bytes) =>
        Effect.flatMap(file.size, (size) => file.writeAt(Math.min(offset, size), bytes))
    })),
    "a write beyond the end leaves zeros between"
  ],
  "a large write that loses its last byte": [
    spoiledFiles((file) => ({
      writeAt: (offset, bytes) => file.writeAt(offset, bytes.length > 1 << 20 ? bytes.subarray(0, -1) : bytes)
    })),
    "transfers larger than 1 MiB are whole, at odd places too"
  ],
  "offsets of 32 bits": [
    spoiledFiles((file) => ({
      writeAt: (offset, bytes) => file.writeAt(offset % 2 ** 32, bytes),
      readAt: (offset, buffer) => file.readAt(offset % 2 ** 32, buffer)
    })),
    "offsets beyond 4 GiB are offsets like any other"
  ],
  "a synchronous read that gives zeros": [
    spoiledFiles((file) => ({
      unsafe: { ...file.unsafe, readAt: (_, buffer) => void buffer.fill(0) }
    })),
    "what is written anywhere is read back, by either twin and by another handle"
  ],
  "a short read in place of a refusal": [
    spoiledFiles((file) => ({ readAt: (offset, buffer) => Effect.asVoid(file.readSomeAt(offset, buffer)) })),
    "readAt past the end is ReadOutOfBounds and tells where the end is"
  ],
  "a close that closes nothing": [
    spoiledFiles((file) => ({ close: Effect.as(file.size, undefined).pipe(Effect.orDie) })),
    "a second close is DoubleClose"
  ],
  "a truncation that only shortens": [
    spoiledFiles((file) => ({
      truncate: (size) => Effect.flatMap(file.size, (now) => (size < now ? file.truncate(size) : Effect.void))
    })),
    "truncate shortens, and extends with zeros"
  ],
  "a hole that ends at a block's edge": [
    spoiledFiles((file) => ({
      punchHole: (offset, length) => file.punchHole(offset, Math.max(0, length - (length % 4096)))
    })),
    "punchHole zeroes exactly its range and keeps the size"
  ],
  "a rename that keeps the old name": [
    spoiled((io) => ({
      rename: (from, to) =>
        Effect.gen(function* () {
          const file = yield* io.open(from, { readonly: true }).pipe(Effect.orDie)
          const bytes = new Uint8Array(yield* file.size.pipe(Effect.orDie))
          yield* file.readAt(0, bytes).pipe(Effect.orDie)
          const copy = yield* io.create(to, { overwrite: true }).pipe(Effect.orDie)
          yield* copy.writeAt(0, bytes).pipe(Effect.orDie)
        }).pipe(Effect.scoped)
    })),
    "rename moves a file, open or not, and replaces the file at its target"
  ],
  "a lock that excludes nobody": [
    spoiled((io) => ({
      lock: (path) => Effect.catchTag(io.lock(path), "Locked", () => Effect.void)
    })),
    "a lock excludes all others until its scope ends"
  ],
  "a lock that is never given back": [
    spoiled((io) => {
      const held = new Set<string>()
      return {
        lock: (path) =>
          Effect.suspend(() => {
            if (held.has(path)) return Effect.fail(new Locked({ path }))
            return Effect.tap(io.lock(path), () => Effect.sync(() => held.add(path)))
          })
      }
    }),
    "a lock excludes all others until its scope ends"
  ],
  "a list that isn't sorted": [
    spoiled((io) => ({ list: (path) => Effect.map(io.list(path), (names) => [...names].reverse()) })),
    "list gives the names in a directory, sorted"
  ],
  "writing through a file that is open for reading": [
    spoiled((io) => ({ open: (path) => io.open(path, { readonly: false }) })),
    "a read-only handle reads, and refuses every change with RoNotAllowed"
  ],
  "a map that is there for some files": [
    spoiledFiles((file) => ({
      map: (offset, length) => (length > 100 ? unmapped() : file.map(offset, length))
    })),
    "a view shows what readAt reads, from any offset and of any length, where files can be mapped"
  ],
  "a view that shows other bytes": [
    spoiledFiles((file) => ({
      map: (offset, length) => Effect.map(file.map(offset, length), (view) => view.slice().reverse())
    })),
    "a view shows what readAt reads, from any offset and of any length, where files can be mapped"
  ],
  "a defect in place of a typed failure": [
    spoiled((io) => ({ open: (path, options) => Effect.orDie(io.open(path, options)) })),
    "what is missing is NoSuchFile, under its own path"
  ]
}

describe("the suite finds", () => {
  it.each(Object.entries(defects))("%s", async (_, [layer, law]) => {
    // One law alone: all of them take seconds.
    assert.deepStrictEqual(await brokenBy(layer, {}, (name) => name === law), [law])
  })
})

describe("what may be different from Io to Io", () => {
  const mapless = spoiledFiles((file) => ({
    map: (offset, length) => Effect.andThen(Effect.scoped(file.map(offset, length)), unmapped)
  }))
  const isOfMapping = (name: string) => /\b(view|map)\b/.test(name)
  const isOfHoles = (name: string) => name.startsWith("punchHole")

  it("is no defect where nothing is told of it, and one where something else is", async () => {
    assert.deepStrictEqual(await brokenBy(mapless), [])
    assert.deepStrictEqual(await brokenBy(mapless, { mapping: "unsupported" }, isOfMapping), [])
    assert.isNotEmpty(await brokenBy(mapless, { mapping: "zeroed" }, isOfMapping))
    assert.deepStrictEqual(await brokenBy(IoMemory.layer, { mapping: "unsupported" }, isOfMapping), [
      "map is Unsupported, whatever its length"
    ])
  })

  it("is told where it is holes that are missing", async () => {
    const unpunched = new Unsupported({ operation: "punchHole", reason: "not here" })
    const bare = spoiledFiles((file) => ({
      punchHole: () => Effect.fail(unpunched),
      unsafe: {
        ...file.unsafe,
        punchHole: () => {
          throw unpunched
        }
      }
    }))
    assert.deepStrictEqual(await brokenBy(bare, {}, isOfHoles), [
      "punchHole zeroes exactly its range and keeps the size"
    ])
    assert.deepStrictEqual(await brokenBy(bare, { holes: false }, isOfHoles), [])
  })

  it("a directory that can't be made is asked for", async () => {
    const nowhere = spoiled((io) => ({ makeDirectory: () => io.makeDirectory("/none/none") }))
    const law = ioSuite(nowhere)[0]
    const error = await law.run().then(
      () => undefined,
      (reason: unknown) => reason
    )
    assert.match(String(error), /\/lacuna-laws can't be made: .*Give the suite a `directory`/)
  })
})
