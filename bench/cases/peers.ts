/**
 * Looking up random keys in stores that applications use today: lmdb, LevelDB, SQLite, each holding
 * the same starts and physical offsets. They index exact keys, so that is what is looked up; lacuna
 * answers for any byte of an extent as well. They do more than this; the figures say what it costs.
 */
import * as Effect from "effect/Effect"
import path from "node:path"
import { Offmap } from "../../src/file/Offmap.ts"
import type { Offmap as OffmapTag } from "../../src/file/Offmap.ts"
import { expectSame } from "../expect.ts"
import { extentArrays } from "../extents.ts"
import type { ExtentArrays } from "../extents.ts"
import { openLevel, openLmdb, openSqlite, writeLevelKey } from "../peerStores.ts"
import { makeRandom } from "../random.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"
import { writeMapFile } from "./mapFile.ts"

/** A store that holds the bindings: the physical offset under each start. */
interface Peer {
  readonly name: string
  readonly lookup: (keys: Float64Array, out: Float64Array) => void
  readonly close: () => Promise<void> | void
}

type Bindings = ExtentArrays & { readonly physicals: Float64Array }
type Make = (directory: string, bindings: Bindings) => Promise<Peer>

const insertedAtOnce = 100_000

/** Calls `put` with every binding, `insertedAtOnce` of them within each `transaction`. */
const insert = (
  { count, physicals, virtuals }: Bindings,
  transaction: (work: () => void) => void,
  put: (virtual: number, physical: number) => void
): void => {
  for (let from = 0; from < count; from += insertedAtOnce) {
    const to = Math.min(count, from + insertedAtOnce)
    transaction(() => {
      for (let i = from; i < to; i++) put(virtuals[i], physicals[i])
    })
  }
}

const lmdb: Make = async (directory, bindings) => {
  const store = openLmdb(path.join(directory, "lmdb"), { noSync: true })
  const value = Buffer.alloc(8)
  insert(
    bindings,
    (work) => store.transactionSync(work),
    (virtual, physical) => {
      value.writeDoubleLE(physical)
      store.putSync(virtual, value)
    }
  )
  return {
    name: "lmdb",
    lookup: (keys, out) => {
      for (let i = 0; i < keys.length; i++) out[i] = store.getBinaryFast(keys[i]).readDoubleLE(0)
    },
    close: () => store.close()
  }
}

const level: Make = async (directory, { count, physicals, virtuals }) => {
  const store = await openLevel(path.join(directory, "level"))
  for (let from = 0; from < count; from += insertedAtOnce) {
    const batch = store.batch()
    for (let i = from; i < Math.min(count, from + insertedAtOnce); i++) {
      const value = Buffer.allocUnsafe(8)
      value.writeDoubleLE(physicals[i])
      batch.put(writeLevelKey(Buffer.allocUnsafe(8), virtuals[i]), value)
    }
    await batch.write()
  }
  const sought = Buffer.alloc(8)
  return {
    name: "classic-level",
    lookup: (keys, out) => {
      for (let i = 0; i < keys.length; i++) {
        out[i] = store.getSync(writeLevelKey(sought, keys[i])).readDoubleLE(0)
      }
    },
    close: () => store.close()
  }
}

const sqlite: Make = async (directory, bindings) => {
  const store = openSqlite(path.join(directory, "sqlite"))
  store.pragma("journal_mode = OFF")
  store.pragma("synchronous = OFF")
  store.pragma("mmap_size = 1073741824")
  store.exec("CREATE TABLE bindings (virtual INTEGER PRIMARY KEY, physical INTEGER NOT NULL)")
  const put = store.prepare("INSERT INTO bindings VALUES (?, ?)")
  insert(
    bindings,
    (work) => store.transaction(work)(),
    (virtual, physical) => put.run(virtual, physical)
  )
  const find = store.prepare<number>("SELECT physical FROM bindings WHERE virtual = ?").pluck()
  return {
    name: "better-sqlite3",
    lookup: (keys, out) => {
      for (let i = 0; i < keys.length; i++) out[i] = find.get(keys[i])
    },
    close: () => {
      store.close()
    }
  }
}

const translateEach = (map: OffmapTag["Service"], keys: Float64Array, out: Float64Array): void => {
  for (let i = 0; i < keys.length; i++) out[i] = map.translate(keys[i])
}

export interface PeersInput {
  readonly count: number
  readonly lmdbOnly: boolean
}

export const peersCase = Effect.fnUntraced(function* (settings: Settings, { count, lmdbOnly }: PeersInput) {
  const extents = extentArrays("uniform", count)
  const physicals = new Float64Array(count)
  for (let i = 1; i < count; i++) physicals[i] = physicals[i - 1] + extents.lengths[i - 1]
  const mapPath = path.join(settings.directory, "peers.map")
  yield* writeMapFile(mapPath, extents)
  const map = yield* Offmap.open(mapPath)
  const peers: Array<Peer> = []
  for (const make of lmdbOnly ? [lmdb] : [lmdb, sqlite, level]) {
    peers.push(yield* Effect.promise(() => make(settings.directory, { ...extents, physicals })))
  }

  const lookups = settings.quick ? 20_000 : 200_000
  const out = new Float64Array(lookups)
  let drawn: { round: number; keys: Float64Array; wanted: Float64Array } | undefined
  const keysIn = (round: number) => {
    if (drawn?.round !== round) {
      const random = makeRandom(900 + round)
      const chosen = Uint32Array.from({ length: lookups }, () => random.below(count))
      drawn = {
        round,
        keys: Float64Array.from(chosen, (i) => extents.virtuals[i]),
        wanted: Float64Array.from(chosen, (i) => physicals[i])
      }
    }
    return drawn
  }
  const side = (name: string, lookup: (keys: Float64Array, out: Float64Array) => void): Side => ({
    name,
    run: (round) => {
      const { keys } = keysIn(round)
      return nanosEach(lookups, () => lookup(keys, out))
    }
  })
  const lookUpOurs = (keys: Float64Array, found: Float64Array) => translateEach(map, keys, found)
  const sides = [side("lacuna", lookUpOurs), ...peers.map(({ lookup, name }) => side(name, lookup))]
  for (const lookup of [lookUpOurs, ...peers.map((peer) => peer.lookup)]) {
    const { keys, wanted } = keysIn(0)
    lookup(keys, out)
    expectSame("what was looked up", out, wanted)
  }
  const rows = yield* Effect.promise(() =>
    compare({
      case: "peers",
      variant: `${count / 1e6}M bindings, random get`,
      unit: "ns",
      rounds: settings.rounds,
      to: "lacuna",
      sides
    })
  )
  for (const peer of peers) yield* Effect.promise(async () => peer.close())
  return rows
})
