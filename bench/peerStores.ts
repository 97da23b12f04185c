/** The peers as the bench calls them: as much of each one's types as is used, and how it is opened. */
import { createRequire } from "node:module"
import path from "node:path"
import { repository } from "./native.ts"

export const peerNames = ["lmdb", "better-sqlite3", "classic-level"] as const
export type PeerName = (typeof peerNames)[number]

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
