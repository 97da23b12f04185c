/** Stores of which a file was forged, that is whole by itself: it is not the one that control or another file tells of. */
import * as Effect from "effect/Effect"
import type { Extent } from "../src/bytes/extent.ts"
import { Offmap } from "../src/file/Offmap.ts"
import { encodeBlockSums } from "../src/format/blockSums.ts"
import { decodeControlSlots } from "../src/format/controlSlots.ts"
import { Store } from "../src/store/Store.ts"
import { control, directory, type StoreImage } from "./damageStoreImage.ts"
import { Tried } from "./damageStoreLook.ts"
import { DamageWorld } from "./damageWorld.ts"
import { extents, longer, mapPath, miscounted, sparseWorld } from "./forgedFiles.ts"
import { changed, type Forgery, forgedPath as path } from "./forgery.ts"

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

/** A backup of a store in which this is wrong: it must not be passed on. */
const backedUp = (image: StoreImage, what: string, file: string, bytes: Uint8Array): Forgery => ({
  name: `store: ${what}, backed up`,
  read: () => {
    const tried = new Tried(image)
    tried.put(file, bytes)
    return tried.world.runLater(
      Effect.flatMap(Store.open({ directory, readonly: true }), (opened) => opened.backup("/copy"))
    )
  },
  expected: { tag: "Corrupt", path: storePath(file) }
})

/** The two files of a sparse file, under the names of a prefix. */
const prefixOf = (world: DamageWorld, name: string) =>
  [
    [name, world.get(path)!],
    [`${name}.map`, world.get(mapPath)!]
  ] as const

export const storeForgeries = (image: StoreImage): ReadonlyArray<Forgery> => {
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
    ...[prefix, sealed].map((file) => {
      const wrong = changed(image.files.get(file)!, (copy) => void (copy[50] ^= 1))
      return backedUp(image, `a byte of ${file}`, file, wrong)
    }),
    backedUp(image, "a map of another count", `${prefix}.map`, miscounted(mapBytes)),
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
