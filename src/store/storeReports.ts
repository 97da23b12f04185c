/**
 * What a store tells: of itself, and of what a collection, a check or a backup has done.
 */
import type { VirtualOffset } from "../bytes/offset.ts"

/** How far a collection, a check or a backup has come. */
export interface StoreProgress {
  /** Bytes copied or verified so far. */
  readonly bytes: number
  /** Bytes to copy or verify in all. */
  readonly total: number
}

/** The time that each step of a collection took, in milliseconds; 0 for one that a dry run leaves out. */
export interface StoreCollectMillis {
  /** Reading, sorting, uniting and checking the live extents. */
  readonly gather: number
  /** Sealing the active chunk. */
  readonly seal: number
  /** Copying the live bytes, verified. */
  readonly copy: number
  /** Making the new prefix durable. */
  readonly promote: number
  /** Writing the new generation into both slots of the control file, and switching over to it. */
  readonly publish: number
  /** Removing the files of the old generation. */
  readonly remove: number
  readonly total: number
}

/** What a collection has done; with `dryRun`, what it would do. */
export interface StoreCollected {
  readonly dryRun: boolean
  /** The generation that the collection made. */
  readonly generation: number
  readonly upTo: VirtualOffset
  /** Extents given, before they were united. */
  readonly extentsGiven: number
  /** Extents kept, united and clipped: the bindings of the new prefix. */
  readonly extents: number
  /** Bytes kept: the length of the new prefix. */
  readonly bytesKept: number
  /** Readable bytes before `upTo` that were not kept. */
  readonly bytesFreed: number
  /** Chunks whose files were removed. */
  readonly chunksRemoved: number
  /** The bytes of all files of the store, as it was when the collection began. */
  readonly diskBytesBefore: number
  /** And what it makes of them, appends of others meanwhile left out. A dry run estimates the new map. */
  readonly diskBytesAfter: number
  readonly millis: StoreCollectMillis
  /**
   * The most memory that the collection held for itself: its extents, the new map, its buffers, and what
   * it took back of what was flushed and not committed.
   */
  readonly peakMemoryBytes: number
}

export interface StorePrefixStats {
  /** Bindings in the map. */
  readonly extents: number
  readonly dataBytes: number
  readonly mapBytes: number
}

export interface StoreChunkStats {
  /** The number in the name of its file. */
  readonly number: number
  /** The virtual offset of its first byte. */
  readonly offset: VirtualOffset
  /** Its committed length in bytes. */
  readonly length: number
  /** Whether nothing is appended to it any more. */
  readonly sealed: boolean
}

/** What a writer found and put right when it opened the store. */
export interface StoreRecovery {
  /** Bytes of the active chunk beyond its committed length, which no commit has made part of the store. */
  readonly tornTailBytes: number
  /** Names of files that an interrupted commit or collection left behind, now removed. */
  readonly removed: ReadonlyArray<string>
  /** Whether one slot of the control file was not whole, and was written anew from the other. */
  readonly controlRepaired: boolean
}

export interface StoreStats {
  readonly directory: string
  readonly readonly: boolean
  /** How many collections the store has seen. */
  readonly generation: number
  /** How many times control was written: rises with every commit, split and collection. */
  readonly sequence: number
  /** Where the next append goes; read-only: as `committedEnd`. */
  readonly end: VirtualOffset
  /** The end of what survives a power cut. */
  readonly committedEnd: VirtualOffset
  /** The last collection's `upTo`: from here on everything is readable. */
  readonly suffixStart: VirtualOffset
  /** Undefined before the first collection. */
  readonly prefix: StorePrefixStats | undefined
  /** As committed, ascending. The last one is active. */
  readonly chunks: ReadonlyArray<StoreChunkStats>
  /** Committed bytes of all files, control and checksums included. */
  readonly diskBytes: number
  /** Undefined in a read-only store. */
  readonly recovery: StoreRecovery | undefined
}

export type StoreDamageKind =
  /** A slot of the control file that should hold a record and does not. */
  | "control"
  /** A file that is missing or shorter than control says, or is not what control says. */
  | "file"
  /** The checksums of a sealed chunk. */
  | "sums"
  /** The bytes of a sealed chunk. */
  | "chunk"
  /** The map of the prefix. */
  | "map"
  /** The data of the prefix. */
  | "prefix"

/** The first place where one kind of damage was found. */
export interface StoreDamage {
  readonly kind: StoreDamageKind
  readonly path: string
  /** The offset in that file. */
  readonly offset: number
  readonly reason: string
}

export interface StoreChecked {
  /** Empty when all is well; else the first damage of each kind that was found. */
  readonly damage: ReadonlyArray<StoreDamage>
  /** Bytes whose checksums were verified. */
  readonly verifiedBytes: number
  /** Committed bytes of the active chunk, which have no checksums before it is sealed. */
  readonly unverifiedBytes: number
  /** Extents of the prefix's map that were checked. */
  readonly extents: number
}

export interface StoreBackedUp {
  readonly directory: string
  readonly generation: number
  /** Where the copy ends: everything committed before. */
  readonly committedEnd: VirtualOffset
  readonly files: number
  /** Of all files together. */
  readonly bytes: number
}
