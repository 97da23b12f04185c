/**
 * Forged files beside files that are right: each is whole by itself, and says of another what is not so.
 */
import * as Effect from "effect/Effect"
import type { Binding, Extent } from "../src/bytes/extent.ts"
import { Offmap } from "../src/file/Offmap.ts"
import { SparseFile } from "../src/file/SparseFile.ts"
import { encodeBlockSums } from "../src/format/blockSums.ts"
import { decodeControlSlots } from "../src/format/controlSlots.ts"
import { Store } from "../src/store/Store.ts"
import { control, directory, type StoreImage } from "./damageStoreImage.ts"
import { Tried } from "./damageStoreLook.ts"
import { remoteOf } from "./damageSums.ts"
import { DamageWorld } from "./damageWorld.ts"
import { changed, corrupt, type Forgery, forgedPath as path, setWide } from "./forgery.ts"
import { repairImage } from "./fuzzOffmapTarget.ts"

/** A sparse file of these extents, with other bindings in its map: as many, so that the map is as long. */
const sparseWorld = (
  extents: ReadonlyArray<Extent>,
  change: (bindings: ReadonlyArray<Binding>) => ReadonlyArray<Binding>
): DamageWorld => {
  const world = new DamageWorld()
  world.put("/source", new Uint8Array(20_000).fill(7))
  world.run(
    Effect.gen(function* () {
      const source = yield* world.io.open("/source", { readonly: true })
      const writer = yield* SparseFile.create(path, { maxGap: 0 })
      yield* writer.appendExtents(source, extents)
      yield* writer.close
      const file = yield* world.io.open(`${path}.map`, { readonly: false })
      const before = [...(yield* Offmap.over(file)).entries()]
      const builder = Offmap.builder()
      for (const { length, physical, virtual } of change(before)) builder.add(virtual, physical, length)
      yield* Offmap.write(builder.build(), file, 0)
    })
  )
  return world
}

const extents = [
  { offset: 100, length: 50 },
  { offset: 300, length: 50 }
]

/** The last extent is a byte longer than the data goes. */
const longer = (bindings: ReadonlyArray<Binding>): ReadonlyArray<Binding> =>
  bindings.map((one, i) => (i === bindings.length - 1 ? { ...one, length: one.length + 1 } : one))

const mapPath = `${path}.map`

const beyondData = (
  name: string,
  look: (world: DamageWorld) => Effect.Effect<unknown, unknown, never>
): Forgery => ({
  name: `files: a binding behind the data, ${name}`,
  read: () => {
    const world = sparseWorld(extents, longer)
    return world.run(look(world))
  },
  expected: { tag: "Corrupt", path: mapPath, offset: 0 }
})

type Need = Effect.Effect<unknown, unknown, never>

const near = (read: (reader: Effect.Success<ReturnType<typeof SparseFile.open>>) => Need): Need =>
  Effect.flatMap(SparseFile.open(path), read) as unknown as Need

const afar = (world: DamageWorld): Need =>
  Effect.gen(function* () {
    const reader = yield* SparseFile.openRemote(remoteOf(world, path), remoteOf(world, mapPath))
    yield* reader.read(300, new Uint8Array(51))
  })

const sparse = (): ReadonlyArray<Forgery> => [
  {
    name: "files: a map of one binding less than it counts, verified",
    read: () => {
      const world = sparseWorld(extents, (bindings) => bindings)
      const map = changed(world.get(mapPath)!, (copy) => {
        setWide(copy, 24, extents.length + 1)
        repairImage(copy)
      })
      world.put(mapPath, map)
      return world.run(SparseFile.verify(path))
    },
    expected: { tag: "Corrupt", path: mapPath, offset: 24 }
  },
  beyondData("read", () => near((reader) => Effect.sync(() => reader.unsafe.read(300, new Uint8Array(51))))),
  beyondData("read on", () => near((reader) => reader.read(300, new Uint8Array(52)))),
  beyondData("read as a run", () => near((reader) => reader.readRange(300, { minLength: 1, maxLength: 99 }))),
  beyondData("verified", () => SparseFile.verify(path) as unknown as Need),
  beyondData("from afar", afar)
]

/** What a file that lies elsewhere says of itself. */
const claims = (): ReadonlyArray<Forgery> => {
  const world = sparseWorld(extents, (bindings) => bindings)
  const failed = { tag: "SourceFailed" }
  const open = (change: (file: ReturnType<typeof remoteOf>) => object) => () => {
    const map = { ...remoteOf(world, mapPath), ...change(remoteOf(world, mapPath)) }
    return world.run(SparseFile.openRemote(remoteOf(world, path), map as ReturnType<typeof remoteOf>))
  }
  return [
    ...[-1, 0.5, NaN, 2 ** 53].map((length) => ({
      name: `files: a source of ${length} bytes`,
      read: open(() => ({ length: Effect.succeed(length) })),
      expected: failed
    })),
    ...[0, -1, 0.5, NaN, 1000].map((count) => ({
      name: `files: a source that has read ${count} bytes`,
      read: open(() => ({ readAt: () => Effect.succeed(count) })),
      expected: failed
    })),
    {
      name: "files: a source that gives a byte at a time",
      read: () => {
        const give = remoteOf(world, mapPath)
        open(() => ({ readAt: (at: number, buffer: Uint8Array) => give.readAt(at, buffer.subarray(0, 1)) }))()
        return true
      },
      expected: (isOpen: unknown) => isOpen === true
    },
    corrupt("files: data from afar that are shorter than their map says", undefined, () => {
      const data = { ...remoteOf(world, path), name: path, length: Effect.succeed(99) }
      return world.run(SparseFile.openRemote(data, remoteOf(world, mapPath)))
    })
  ]
}

const storePath = (name: string): string => `${directory}/${name}`

/** A store with other files in it; refused by whoever opens it, at this place. */
const store = (
  image: StoreImage,
  name: string,
  files: ReadonlyArray<readonly [string, Uint8Array]>,
  expected: { readonly path: string; readonly offset: number }
): ReadonlyArray<Forgery> => {
  const laid = (): Tried => {
    const tried = new Tried(image)
    for (const [file, bytes] of files) tried.put(file, bytes)
    return tried
  }
  const opens = [true, false].map((readonly) => ({
    name: `store: ${name}, ${readonly ? "read" : "written"}`,
    read: () => laid().world.run(Store.open({ directory, readonly })),
    expected: { tag: "Corrupt", ...expected }
  }))
  return [...opens, told(image, name, files)]
}

/** `check` says so. */
const told = (
  image: StoreImage,
  name: string,
  files: ReadonlyArray<readonly [string, Uint8Array]>
): Forgery => ({
  name: `store: ${name}, checked`,
  read: () => {
    const tried = new Tried(image)
    for (const [file, bytes] of files) tried.put(file, bytes)
    return tried.check()
  },
  expected: (found) => Number(found) > 0
})

/** The two files of a sparse file, under the names of a prefix. */
const prefixOf = (world: DamageWorld, name: string) =>
  [
    [name, world.get(path)!],
    [`${name}.map`, world.get(mapPath)!]
  ] as const

const stores = (image: StoreImage): ReadonlyArray<Forgery> => {
  const { record } = decodeControlSlots(image.files.get(control)!, control)
  const prefix = `store.${record.generation}.prefix`
  const mapBytes = image.files.get(`${prefix}.map`)!
  const sealed = `store.${record.firstChunk}.suffix`
  const [sealedLength] = record.chunkLengths
  const kept = image.files.get(prefix)!.length
  const active = `store.${record.firstChunk + record.chunkLengths.length - 1}.suffix`
  const short = (name: string) => image.files.get(name)!.subarray(0, record.chunkLengths.at(-1)! - 1)
  // As many bytes as were kept, in one piece: so that the map alone has another length.
  const piece = sparseWorld([{ offset: 0, length: kept }], (bindings) => bindings)
  const few = sparseWorld(extents, (bindings) => bindings)
  // A byte more of data, and a map that is as long.
  const more = sparseWorld(lengthened(mapBytes), (bindings) => bindings)
  const shiftedMap = shifted(mapBytes, record.suffixStart)
  const sums = encodeBlockSums(sealedLength - 1, Uint32Array.of(1))
  return [
    ...store(image, "a prefix of other data", prefixOf(few, prefix), {
      path: storePath(prefix),
      offset: 100
    }),
    ...store(image, "a prefix of a byte more", prefixOf(more, prefix), {
      path: storePath(prefix),
      offset: kept
    }),
    ...store(image, "a prefix with another map", prefixOf(piece, prefix), {
      path: storePath(`${prefix}.map`),
      offset: Math.min(mapBytes.length, piece.get(mapPath)!.length)
    }),
    ...store(image, "sums of a shorter chunk", [[`${sealed}.sum`, sums]], {
      path: storePath(`${sealed}.sum`),
      offset: 16
    }),
    ...store(image, "a sealed chunk that is cut off", [[sealed, image.files.get(sealed)!.subarray(0, 99)]], {
      path: storePath(sealed),
      offset: 99
    }),
    ...store(image, "the active chunk cut off", [[active, short(active)]], {
      path: storePath(active),
      offset: record.chunkLengths.at(-1)! - 1
    }),
    told(image, "a prefix that goes on behind its end", [[`${prefix}.map`, shiftedMap]]),
    {
      name: "store: a prefix behind its data, collected",
      read: () => {
        const tried = new Tried(image)
        tried.put(`${prefix}.map`, shifted(mapBytes, undefined))
        const collect = Effect.gen(function* () {
          const opened = yield* Store.open({ directory })
          yield* opened.collect({ live: [...opened.extents()], upTo: opened.committedEnd() })
        })
        return tried.world.runLater(collect)
      },
      expected: { tag: "Corrupt", path: storePath(`${prefix}.map`), offset: 0 }
    }
  ]
}

/** The extents of a map, the last one a byte longer. */
const lengthened = (bytes: Uint8Array): ReadonlyArray<Extent> => {
  const world = new DamageWorld()
  world.put(mapPath, bytes)
  const bindings = world.run(Effect.map(Offmap.open(mapPath), (map) => [...map.entries()]))
  return longer(bindings).map(({ length, virtual }) => ({ offset: virtual, length }))
}

/** The map, whose last extent begins at `start`, or is stored behind the data. */
const shifted = (bytes: Uint8Array, start: number | undefined): Uint8Array => {
  const world = new DamageWorld()
  world.put(mapPath, bytes)
  world.run(
    Effect.gen(function* () {
      const file = yield* world.io.open(mapPath, { readonly: false })
      const before = [...(yield* Offmap.over(file)).entries()]
      const builder = Offmap.builder()
      before.forEach(({ length, physical, virtual }, i) => {
        const isLast = i === before.length - 1
        if (isLast && start === undefined) builder.add(virtual, physical + 1, length)
        else builder.add(isLast ? start! : virtual, physical, length)
      })
      yield* Offmap.write(builder.build(), file, 0)
    })
  )
  return world.get(mapPath)!
}

export const fileForgeries = (image: StoreImage): ReadonlyArray<Forgery> => [
  ...sparse(),
  ...claims(),
  ...stores(image)
]
