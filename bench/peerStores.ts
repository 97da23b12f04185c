/** The peers as the bench calls them: as much of each one's types as is used, and how it is opened. */
import { createRequire } from "node:module"
import path from "node:path"
import { repository } from "./native.ts"

export const peerNames = ["lmdb", "better-sqlite3", "classic-level"] as const
export type PeerName = (typeof peerNames)[number]
/** Those that hold pages and files in memory rather than records in a store. */
export const memoryPeerNames = ["lru-cache", "memfs"] as const
export type MemoryPeerName = (typeof memoryPeerNames)[number]
/** Which of them take part. */
export interface MemoryPeers {
  readonly peers: ReadonlyArray<MemoryPeerName>
}

const require = createRequire(path.join(repository, "bench", "package.json"))

export interface LmdbStore {
  readonly putSync: (key: number, value: Uint8Array, options?: { readonly append?: boolean }) => unknown
  readonly transactionSync: (work: () => void) => unknown
  readonly getBinary: (key: number) => Buffer
  /** The value at the beginning of a buffer that is longer, and that the next call uses again. */
  readonly getBinaryFast: (key: number) => Buffer
  readonly close: () => Promise<void>
}

export const openLmdb = (location: string, options: object): LmdbStore => {
  const { open } = require("lmdb") as { open: (options: object) => LmdbStore }
  return open({ path: location, encoding: "binary", ...options })
}

interface LevelBatch {
  readonly put: (key: Uint8Array, value: Uint8Array) => LevelBatch
  readonly write: (options?: { readonly sync?: boolean }) => Promise<void>
}

export interface LevelStore {
  readonly open: () => Promise<void>
  readonly put: (key: Uint8Array, value: Uint8Array, options?: { readonly sync?: boolean }) => Promise<void>
  readonly batch: () => LevelBatch
  readonly getSync: (key: Uint8Array) => Buffer
  readonly close: () => Promise<void>
}

export const openLevel = async (location: string): Promise<LevelStore> => {
  const { ClassicLevel } = require("classic-level") as {
    ClassicLevel: new (location: string, options: object) => LevelStore
  }
  const store = new ClassicLevel(location, { keyEncoding: "buffer", valueEncoding: "buffer" })
  await store.open()
  return store
}

/** Writes a number as a key that sorts as the number does. */
export const writeLevelKey = (key: Buffer, offset: number): Buffer => {
  key.writeUInt32BE(Math.floor(offset / 2 ** 32))
  key.writeUInt32BE(offset >>> 0, 4)
  return key
}

export interface SqliteStatement<A> {
  readonly run: (...values: ReadonlyArray<number | Uint8Array>) => unknown
  readonly pluck: () => { readonly get: (key: number) => A }
}

export interface SqliteStore {
  readonly pragma: (text: string) => unknown
  readonly exec: (sql: string) => unknown
  readonly prepare: <A>(sql: string) => SqliteStatement<A>
  readonly transaction: (work: () => void) => () => void
  readonly close: () => unknown
}

export const openSqlite = (location: string): SqliteStore => {
  const Database = require("better-sqlite3") as new (file: string) => SqliteStore
  return new Database(location)
}

export interface LruCache<K, V> {
  readonly get: (key: K) => V | undefined
  readonly set: (key: K, value: V) => unknown
}

/** A cache of at most `max` entries. */
export const openLru = <K, V>(max: number): LruCache<K, V> => {
  const { LRUCache } = require("lru-cache") as {
    LRUCache: new (options: { readonly max: number }) => LruCache<K, V>
  }
  return new LRUCache({ max })
}

export interface Memfs {
  readonly openSync: (path: string, flags: string) => number
  readonly ftruncateSync: (fd: number, size: number) => void
  readonly writeSync: (
    fd: number,
    bytes: Uint8Array,
    start: number,
    length: number,
    position: number
  ) => number
  readonly readSync: (
    fd: number,
    buffer: Uint8Array,
    start: number,
    length: number,
    position: number
  ) => number
}

/** An empty file system of its own. */
export const openMemfs = (): Memfs => {
  const { Volume, createFsFromVolume } = require("memfs") as {
    Volume: new () => object
    createFsFromVolume: (volume: object) => Memfs
  }
  return createFsFromVolume(new Volume())
}
