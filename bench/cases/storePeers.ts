/**
 * The peers as stores of records by key, the key being the offset that lacuna gives the record:
 * each in its fastest form, with every transaction durable before it returns, or none of them.
 */
import path from "node:path"
import { openLevel, openLmdb, openSqlite, writeLevelKey } from "../peerStores.ts"
import type { PeerName } from "../peerStores.ts"

export interface PeerStore {
  readonly name: PeerName
  /** How records are put, and read, in the peer's own words. */
  readonly putBy: string
  readonly readBy: string
  /** Puts a record at each offset, in one transaction. Offsets ascend, from call to call too. */
  readonly putMany: (offsets: ArrayLike<number>, records: ReadonlyArray<Uint8Array>) => Promise<void> | void
  /** Reads the record at each offset, and gives the sum of their first bytes. */
  readonly readEach: (offsets: Float64Array) => number
  readonly get: (offset: number) => Uint8Array
  readonly close: () => Promise<void>
}

type Open = (directory: string, durable: boolean) => Promise<PeerStore>

const openLmdbPeer: Open = async (directory, durable) => {
  // With `overlappingSync`, its default, a transaction returns before it is durable.
  const store = openLmdb(
    path.join(directory, "lmdb"),
    durable ? { overlappingSync: false } : { noSync: true }
  )
  const ascending = { append: true }
  return {
    name: "lmdb",
    putBy: durable ? "transactionSync, append, overlappingSync: false" : "transactionSync, append, noSync",
    readBy: "getBinaryFast",
    putMany: (offsets, records) => {
      if (records.length === 1) return void store.putSync(offsets[0], records[0], ascending)
      store.transactionSync(() => {
        for (let i = 0; i < records.length; i++) store.putSync(offsets[i], records[i], ascending)
      })
    },
    readEach: (offsets) => {
      let sum = 0
      for (let i = 0; i < offsets.length; i++) sum += store.getBinaryFast(offsets[i])[0]
      return sum
    },
    get: (offset) => store.getBinary(offset),
    close: () => store.close()
  }
}

const openLevelPeer: Open = async (directory, durable) => {
  const store = await openLevel(path.join(directory, "level"))
  const options = { sync: durable }
  const sought = Buffer.alloc(8)
  const newKey = (offset: number): Buffer => writeLevelKey(Buffer.allocUnsafe(8), offset)
  return {
    name: "classic-level",
    putBy: durable ? "batch, sync: true" : "batch, sync: false",
    readBy: "getSync",
    putMany: (offsets, records) => {
      if (records.length === 1) return store.put(newKey(offsets[0]), records[0], options)
      const batch = store.batch()
      for (let i = 0; i < records.length; i++) batch.put(newKey(offsets[i]), records[i])
      return batch.write(options)
    },
    readEach: (offsets) => {
      let sum = 0
      for (let i = 0; i < offsets.length; i++) sum += store.getSync(writeLevelKey(sought, offsets[i]))[0]
      return sum
    },
    get: (offset) => store.getSync(newKey(offset)),
    close: () => store.close()
  }
}

const openSqlitePeer: Open = async (directory, durable) => {
  const store = openSqlite(path.join(directory, "sqlite"))
  store.pragma("journal_mode = WAL")
  // In WAL mode this is what syncs every transaction.
  store.pragma(`synchronous = ${durable ? "FULL" : "OFF"}`)
  store.pragma("mmap_size = 2147418112")
  store.exec("CREATE TABLE IF NOT EXISTS records (offset INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
  const put = store.prepare("INSERT INTO records VALUES (?, ?)")
  const find = store.prepare<Uint8Array>("SELECT bytes FROM records WHERE offset = ?").pluck()
  return {
    name: "better-sqlite3",
    putBy: durable ? "WAL, synchronous = FULL" : "WAL, synchronous = OFF",
    readBy: "pluck, mmap_size",
    putMany: (offsets, records) => {
      if (records.length === 1) return void put.run(offsets[0], records[0])
      store.transaction(() => {
        for (let i = 0; i < records.length; i++) put.run(offsets[i], records[i])
      })()
    },
    readEach: (offsets) => {
      let sum = 0
      for (let i = 0; i < offsets.length; i++) sum += find.get(offsets[i])[0]
      return sum
    },
    get: (offset) => find.get(offset),
    close: async () => {
      store.close()
    }
  }
}

const openers: { readonly [Name in PeerName]: Open } = {
  lmdb: openLmdbPeer,
  "better-sqlite3": openSqlitePeer,
  "classic-level": openLevelPeer
}

/** Opens the peer's store in `directory`, made where there is none. */
export const openPeer = (
  name: PeerName,
  directory: string,
  options: { readonly durable: boolean }
): Promise<PeerStore> => openers[name](directory, options.durable)

/** What a case of the store is told: which peers take part, none unless they were asked for. */
export interface StoreInput {
  readonly peers: ReadonlyArray<PeerName>
}
