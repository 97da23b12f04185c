/**
 * What a power cut leaves of a disk, at any moment of its log.
 *
 * Between a change and the sync that makes it durable it is pending, in pieces that survive or are
 * lost each on its own: every sector that a write touches, every change of a file's size, every change
 * of a directory's entries. So a file may come back at its full length full of zeros, or with its bytes
 * and without its length; a name may come back without the bytes that were written behind it. What
 * survives is applied in the order in which it was done. A sync of a file says nothing of its name, a
 * sync of a directory nothing of the bytes of its files; and a file that was never synced may be gone
 * though its directory was, as a file system without a journal leaves it when its check clears a name
 * that has no file yet.
 *
 * Not modelled: a sync that lies, sectors that are torn within, bytes that rot, and the old content
 * of blocks (what was never written and is within the length is zeros).
 */
import { type MemoryDirectory, MemoryFile, type MemoryNode } from "../io/memoryTree.ts"
import type { CrashContent } from "./crashContent.ts"
import { CrashDisk } from "./crashDisk.ts"
import type { CrashImage } from "./crashImage.ts"
import type { CrashEvent, EntryChanges } from "./crashLog.ts"

export const sectorBytes = 512
/** Into more pieces a range that is zeroed is not cut. */
const zeroPieces = 8
/** Of one file, or one directory. */
const rememberedCount = 4096

type Change =
  | { readonly kind: "bytes"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "size"; readonly size: number }
  | { readonly kind: "zero"; readonly offset: number; readonly length: number }

/** What survives a power cut or is lost, as a whole. */
export type Piece =
  { readonly number: number; readonly file: MemoryFile; readonly change: Change } | EntriesPiece

interface EntriesPiece {
  readonly number: number
  readonly directory: MemoryDirectory
  readonly changes: EntryChanges
  /** The directory was synced: only a sync of this file is missing. */
  readonly awaits?: { readonly file: MemoryFile }
}

type Entries = ReadonlyMap<string, MemoryNode>

const apply = (content: CrashContent, change: Change): void => {
  if (change.kind === "bytes") content.put(change.bytes, change.offset)
  else if (change.kind === "size") content.resize(change.size)
  else content.clear(change.offset, change.offset + change.length)
}

const changedEntries = (entries: Entries, changes: EntryChanges): Map<string, MemoryNode> => {
  const changed = new Map(entries)
  for (const [name, node] of changes) {
    if (node === undefined) changed.delete(name)
    else changed.set(name, node)
  }
  return changed
}

const overlaps = (change: Change, offset: number, length: number): boolean => {
  if (change.kind === "size") return change.size < offset + length
  const changed = change.kind === "bytes" ? change.bytes.length : change.length
  return change.offset < offset + length && offset < change.offset + changed
}

type Written = CrashEvent<unknown> & { readonly kind: "write" }
type Zeroed = CrashEvent<unknown> & { readonly kind: "zero" }

const zeroed = ({ length, offset }: Zeroed): Array<Change> => {
  const sectors = Math.max(1, Math.ceil(length / zeroPieces / sectorBytes))
  const changes: Array<Change> = []
  for (let at = 0; at < length;) {
    const end = (Math.floor((offset + at) / sectorBytes) + sectors) * sectorBytes
    const next = Math.min(length, end - offset)
    changes.push({ kind: "zero", offset: offset + at, length: next - at })
    at = next
  }
  return changes
}

export class CrashMedium {
  /** What is pending, oldest first. */
  pending: ReadonlyArray<Piece> = []
  private readonly root: MemoryDirectory
  private readonly contents = new Map<MemoryFile, CrashContent>()
  private readonly entries: Map<MemoryDirectory, Entries>
  /** What was made of the pending pieces of a node, by their numbers. */
  private readonly madeContents = new Map<MemoryFile, Map<string, CrashContent>>()
  private readonly madeEntries = new Map<MemoryDirectory, Map<string, Entries>>()
  /** Files that were there when the disk was started, or were synced since. */
  private readonly synced = new Set<MemoryNode>()
  private pieces = 0

  constructor(disk: CrashDisk<unknown>) {
    this.root = disk.root
    this.entries = new Map(disk.entries)
    for (const entries of disk.entries.values()) for (const node of entries.values()) this.synced.add(node)
    for (const file of disk.locks) this.synced.add(file)
  }

  /** Goes on behind the next event of the log, and gives how many pieces it added. */
  advance(event: CrashEvent<unknown>): number {
    const before = this.pending.length
    switch (event.kind) {
      case "write":
        this.changed(event.file, this.written(event))
        break
      case "resize":
        this.changed(event.file, [{ kind: "size", size: event.size }])
        break
      case "zero":
        this.changed(event.file, zeroed(event))
        break
      case "entries": {
        const { changes, directory } = event
        this.pending = [...this.pending, { number: this.pieces++, directory, changes }]
        break
      }
      case "sync":
        this.syncFile(event.file)
        break
      case "syncDirectory":
        this.syncEntries(event.directory)
    }
    return Math.max(0, this.pending.length - before)
  }

  private changed(file: MemoryFile, changes: ReadonlyArray<Change>): void {
    const pieces = changes.map((change): Piece => ({ number: this.pieces++, file, change }))
    this.pending = [...this.pending, ...pieces]
  }

  /** The disk after a power cut that kept the pieces of which `kept` is not 0. */
  image(kept: Uint8Array): CrashImage {
    const survived = new Map<MemoryFile | MemoryDirectory, Array<number>>()
    this.pending.forEach((piece, index) => {
      if (kept[index] === 0) return
      const node = "file" in piece ? piece.file : piece.directory
      const pieces = survived.get(node)
      if (pieces === undefined) survived.set(node, [index])
      else pieces.push(index)
    })
    const imageOf = (directory: MemoryDirectory): CrashImage => {
      const found = new Map<string, CrashImage | CrashContent>()
      for (const [name, node] of this.entriesWith(directory, survived.get(directory))) {
        const isFile = node instanceof MemoryFile
        found.set(name, isFile ? this.contentWith(node, survived.get(node)) : imageOf(node))
      }
      return { entries: found }
    }
    return imageOf(this.root)
  }

  /** The durable bytes, and the pieces with these indices. The same pieces give the same object. */
  private contentWith(file: MemoryFile, pieces: ReadonlyArray<number> | undefined): CrashContent {
    if (pieces === undefined) return this.durable(file)
    const changes = pieces.map((index) => this.pending[index])
    return this.remembered(this.madeContents, file, changes, () => {
      const content = this.durable(file).copy()
      for (const piece of changes) if ("file" in piece) apply(content, piece.change)
      // Bytes that came back without the length that reaches over them are gone.
      content.resize(content.size)
      return content
    })
  }

  private entriesWith(directory: MemoryDirectory, pieces: ReadonlyArray<number> | undefined): Entries {
    if (pieces === undefined) return this.durableEntries(directory)
    const changes = pieces.map((index) => this.pending[index])
    return this.remembered(this.madeEntries, directory, changes, () => {
      let entries = this.durableEntries(directory)
      for (const piece of changes) if ("directory" in piece) entries = changedEntries(entries, piece.changes)
      return entries
    })
  }

  /** What was made of the same pieces before: most images differ in few files from another. */
  private remembered<Node, Made>(
    made: Map<Node, Map<string, Made>>,
    node: Node,
    pieces: ReadonlyArray<Piece>,
    make: () => Made
  ): Made {
    let known = made.get(node)
    if (known === undefined || known.size >= rememberedCount) made.set(node, (known = new Map()))
    const key = pieces.map(({ number }) => number).join()
    let found = known.get(key)
    if (found === undefined) known.set(key, (found = make()))
    return found
  }

  /** Which pieces survive, and which don't, in the order in which they came. */
  describe(kept: Uint8Array): string {
    const text = (piece: Piece): string => {
      if ("directory" in piece) {
        return `names ${piece.changes.map(([name, node]) => `${node === undefined ? "-" : "+"}${name}`).join("")}`
      }
      const { change } = piece
      if (change.kind === "size") return `size ${change.size}`
      const length = change.kind === "bytes" ? change.bytes.length : change.length
      return `${change.kind} ${change.offset}+${length}`
    }
    const told = this.pending.map((piece, index) => `${text(piece)} ${kept[index] === 0 ? "lost" : "kept"}`)
    return told.length === 0 ? "nothing was pending" : told.join("; ")
  }

  private durable(file: MemoryFile): CrashContent {
    return this.contents.get(file) ?? CrashDisk.durableContent(file)
  }

  private durableEntries(directory: MemoryDirectory): Entries {
    return this.entries.get(directory) ?? new Map()
  }

  private written({ bytes, file, offset, size }: Written): Array<Change> {
    const changes: Array<Change> = []
    if (size !== undefined) changes.push({ kind: "size", size })
    for (let at = 0; at < bytes.length;) {
      const next = Math.min(
        bytes.length,
        (Math.floor((offset + at) / sectorBytes) + 1) * sectorBytes - offset
      )
      const part = bytes.subarray(at, next)
      if (this.matters(file, offset + at, part)) {
        changes.push({ kind: "bytes", offset: offset + at, bytes: part })
      }
      at = next
    }
    return changes
  }

  /** Whether it makes a difference if these bytes survive. */
  private matters(file: MemoryFile, offset: number, bytes: Uint8Array): boolean {
    return (
      !this.durable(file).has(bytes, offset) ||
      this.pending.some(
        (piece) => "file" in piece && piece.file === file && overlaps(piece.change, offset, bytes.length)
      )
    )
  }

  private syncFile(file: MemoryFile): void {
    const content = this.durable(file).copy()
    for (const piece of this.pending) if ("file" in piece && piece.file === file) apply(content, piece.change)
    content.resize(content.size)
    this.contents.set(file, content)
    this.madeContents.delete(file)
    this.synced.add(file)
    const isDone = (piece: Piece): boolean => ("file" in piece ? piece : piece.awaits)?.file === file
    for (const piece of this.pending) {
      if ("directory" in piece && isDone(piece)) this.makeDurable(piece.directory, piece.changes)
    }
    this.pending = this.pending.filter((piece) => !isDone(piece))
  }

  /** The names of files that were never synced stay pending: no sync of theirs has made them files. */
  private syncEntries(directory: MemoryDirectory): void {
    const awaiting: Array<Piece> = []
    for (const piece of this.pending) {
      if (!("directory" in piece) || piece.directory !== directory) continue
      this.makeDurable(directory, piece.changes)
    }
    for (const [name, node] of this.durableEntries(directory)) {
      if (!(node instanceof MemoryFile) || this.synced.has(node)) continue
      awaiting.push({ number: this.pieces++, directory, changes: [[name, node]], awaits: { file: node } })
    }
    for (const { changes } of awaiting as ReadonlyArray<EntriesPiece>) {
      this.makeDurable(directory, [[changes[0][0], undefined]])
    }
    const others = this.pending.filter((piece) => !("directory" in piece) || piece.directory !== directory)
    this.pending = [...others, ...awaiting]
  }

  private makeDurable(directory: MemoryDirectory, changes: EntryChanges): void {
    this.entries.set(directory, changedEntries(this.durableEntries(directory), changes))
    this.madeEntries.delete(directory)
  }
}
