/**
 * A store to be damaged: collected twice, with a prefix, sealed chunks and an active one, as its files were at the
 * end and at earlier moments.
 */
import * as Effect from "effect/Effect"
import type { Extent } from "../src/bytes/extent.ts"
import { Store } from "../src/store/Store.ts"
import { DamageWorld } from "./damageWorld.ts"

export const directory = "/store"
export const control = "store.control"
const spaceBytes = 16_384

const noise = (seed: number): Uint8Array => {
  let state = seed
  return Uint8Array.from({ length: spaceBytes }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 16
  })
}

export type Files = ReadonlyMap<string, Uint8Array>

export interface StoreImage {
  /** What was appended, by virtual offset. */
  readonly content: Uint8Array
  readonly files: Files
  /** The files as they were at earlier moments: of the same generation, and of the one before. */
  readonly earlier: Files
  readonly former: Files
  /** What could be read after each commit, the last one last. */
  readonly states: ReadonlyArray<string>
}

export const namesIn = (world: DamageWorld): ReadonlyArray<string> => world.run(world.io.list(directory))

export const filesOf = (world: DamageWorld): Files =>
  new Map(namesIn(world).map((name) => [name, world.get(`${directory}/${name}`)!.slice()]))

export const stateOf = (extents: Iterable<Extent>): string =>
  [...extents].map(({ length, offset }) => `${offset}+${length}`).join(" ")

/** Stores of different seeds differ in every byte that was appended, and in nothing else. */
export const makeStore = async (seed: number): Promise<StoreImage> => {
  const world = new DamageWorld()
  const content = noise(seed)
  const states: Array<string> = []
  let earlier: Files = new Map()
  let former: Files = new Map()
  await world.runLater(
    Effect.gen(function* () {
      const store = yield* Store.open({ directory, create: true, chunkSize: 1500 })
      const commit = Effect.fnUntraced(function* (...lengths: ReadonlyArray<number>) {
        for (const length of lengths) {
          const at = store.end()
          yield* store.append(content.subarray(at, at + length))
        }
        yield* store.commit
        states.push(stateOf(store.extents()))
      })
      const collect = Effect.fnUntraced(function* (from: number, upTo: number, every: number) {
        const live: Array<Extent> = [...store.extents()].filter(({ offset }) => offset < from)
        for (let at = from; at + 40 < upTo; at += every) live.push({ offset: at, length: 40 })
        yield* store.collect({ live, upTo })
        states.push(stateOf(store.extents()))
      })
      yield* commit(700, 700)
      yield* commit(700, 500)
      yield* collect(0, 2600, 200)
      yield* commit(800, 600)
      yield* commit(400)
      former = filesOf(world)
      yield* collect(2600, 4400, 150)
      yield* commit(900)
      yield* commit(500, 900)
      earlier = filesOf(world)
      yield* commit(500, 500)
      yield* commit(400)
    })
  )
  return { content, files: filesOf(world), earlier, former, states }
}

/** The bytes of the active chunk are under no checksum. */
export const isActive = (image: StoreImage, name: string): boolean =>
  name.endsWith(".suffix") && !image.files.has(`${name}.sum`)
