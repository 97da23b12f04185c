/**
 * Forged maps beside data, and sources that say of themselves what is not so: each is whole by itself.
 */
import * as Effect from "effect/Effect"
import type { Binding, Extent } from "../src/bytes/extent.ts"
import { AppendOnlyFile } from "../src/file/AppendOnlyFile.ts"
import { Offmap } from "../src/file/Offmap.ts"
import { SparseFile } from "../src/file/SparseFile.ts"
import { remoteOf } from "./damageSums.ts"
import { DamageWorld } from "./damageWorld.ts"
import { changed, corrupt, type Forgery, forgedPath as path, setWide } from "./forgery.ts"
import { repairImage } from "./fuzzOffmapTarget.ts"

/** A sparse file of these extents, with other bindings in its map: as many, so that the map is as long. */
export const sparseWorld = (
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

export const extents = [
  { offset: 100, length: 50 },
  { offset: 300, length: 50 }
]

/** The last extent is a byte longer than the data goes. */
export const longer = (bindings: ReadonlyArray<Binding>): ReadonlyArray<Binding> =>
  bindings.map((one, i) => (i === bindings.length - 1 ? { ...one, length: one.length + 1 } : one))

export const mapPath = `${path}.map`

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

/** A map that counts one binding more than it has. */
export const miscounted = (map: Uint8Array): Uint8Array =>
  changed(map, (copy, view) => {
    setWide(copy, 24, Number(view.getBigUint64(24, true)) + 1)
    repairImage(copy)
  })

const sparse = (): ReadonlyArray<Forgery> => [
  {
    name: "files: a map of one binding less than it counts, verified",
    read: () => {
      const world = sparseWorld(extents, (bindings) => bindings)
      const map = miscounted(world.get(mapPath)!)
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

/** A file that is shorter than whoever wrote it has noted. */
const appended = (): ReadonlyArray<Forgery> =>
  [true, false].map((readonly) => ({
    name: `files: an append-only file that was cut off, ${readonly ? "read" : "written"}`,
    read: () => {
      const world = new DamageWorld()
      world.put(path, new Uint8Array(99))
      const place = { path, endPoff: 90, deadHeaderSize: 10 }
      return world.run<unknown, unknown>(
        readonly ? AppendOnlyFile.openRo(place) : AppendOnlyFile.openRw(place)
      )
    },
    expected: { tag: "InconsistentStore", path }
  }))

export const fileForgeries = (): ReadonlyArray<Forgery> => [...sparse(), ...claims(), ...appended()]
