/**
 * A disk that may lose power, as the system that runs on it sees it: every read shows what was written
 * last, and every change is written down with what became of it (crashLog.ts). What would be left of
 * it without power, crashMedium.ts tells.
 *
 * It stands on the same semantics as IoMemory and IoNode (openFile.ts, service.ts): only the contents
 * of files and the names are its own.
 */
import type { IoService } from "../io/Io.ts"
import { memorySystem } from "../io/memorySystem.ts"
import {
  type MemoryContent,
  MemoryDirectory,
  MemoryFile,
  type MemoryNode,
  MemoryTree
} from "../io/memoryTree.ts"
import { makeIo } from "../io/service.ts"
import { CrashContent } from "./crashContent.ts"
import { type CrashImage, emptyImage } from "./crashImage.ts"
import { type CrashEvent, eventText } from "./crashLog.ts"

type Log = Array<CrashEvent<unknown>>

/** The bytes of one file, as the system shows them. */
class LoggedContent implements MemoryContent {
  /** Set once, by whoever makes the file: its events carry it. */
  file!: MemoryFile
  /** Its path when it was made, or found when the disk was started. */
  name = ""
  /** What was durable when the disk was started. */
  readonly durable: CrashContent
  private content: CrashContent
  private readonly log: Log
  private written = false

  constructor(log: Log, durable: CrashContent) {
    this.log = log
    this.durable = durable
    this.content = durable
  }

  get size(): number {
    return this.content.size
  }

  read(buffer: Uint8Array, start: number, length: number, offset: number): number {
    return this.content.read(buffer, start, length, offset)
  }

  write(bytes: Uint8Array, start: number, length: number, offset: number): void {
    const copy = bytes.slice(start, start + length)
    const end = offset + length
    const size = end > this.size ? end : undefined
    const content = this.changed()
    if (size !== undefined) content.resize(size)
    content.put(copy, offset)
    this.log.push({ kind: "write", file: this.file, offset, bytes: copy, size })
  }

  truncate(size: number): void {
    if (size === this.size) return
    this.changed().resize(size)
    this.log.push({ kind: "resize", file: this.file, size })
  }

  zero(offset: number, length: number): void {
    this.changed().clear(offset, offset + length)
    this.log.push({ kind: "zero", file: this.file, offset, length })
  }

  sync(): void {
    this.log.push({ kind: "sync", file: this.file })
  }

  private changed(): CrashContent {
    if (!this.written) {
      this.written = true
      this.content = this.durable.copy()
    }
    return this.content
  }
}

/** Names, of which every change is logged. */
class LoggedTree extends MemoryTree {
  readonly locks = new Set<MemoryFile>()
  private readonly log: Log

  constructor(log: Log) {
    super(() => new LoggedContent(log, new CrashContent()))
    this.log = log
  }

  override createFile(path: string, syscall: string): MemoryFile {
    const file = super.createFile(path, syscall)
    if (syscall === "lock") this.locks.add(file)
    const bytes = file.bytes as LoggedContent
    bytes.file = file
    bytes.name = path
    this.entered(path, file)
    return file
  }

  override makeDirectory(path: string): void {
    super.makeDirectory(path)
    this.entered(path, this.node(path, "mkdir"))
  }

  override removeFile(path: string): void {
    const { directory, name } = this.place(path, "unlink")
    super.removeFile(path)
    this.log.push({ kind: "entries", directory, changes: [[name, undefined]] })
  }

  override rename(from: string, to: string): void {
    const source = this.place(from, "rename")
    super.rename(from, to)
    const target = this.place(to, "rename")
    const { node } = target
    if (source.node !== node || (source.directory === target.directory && source.name === target.name)) return
    if (source.directory === target.directory) {
      const changes = [[source.name, undefined] as const, [target.name, node] as const]
      this.log.push({ kind: "entries", directory: source.directory, changes })
      return
    }
    // Two directories, each as durable as its own sync makes it.
    this.log.push({ kind: "entries", directory: target.directory, changes: [[target.name, node]] })
    this.log.push({ kind: "entries", directory: source.directory, changes: [[source.name, undefined]] })
  }

  override syncDirectory(path: string): void {
    this.log.push({ kind: "syncDirectory", directory: this.directory(path, "fsync") })
  }

  private entered(path: string, node: MemoryNode): void {
    const { directory, name } = this.place(path, "open")
    this.log.push({ kind: "entries", directory, changes: [[name, node]] })
  }
}

export class CrashDisk<Note = never> {
  readonly io: IoService
  readonly root: MemoryDirectory
  /** Everything that was done since the disk was started. */
  readonly log: Array<CrashEvent<Note>> = []
  /** What it was started with. */
  readonly image: CrashImage
  /** Files that were made to be locked: nobody minds if they are gone. */
  readonly locks: Set<MemoryFile>
  /** The entries that were durable then. */
  readonly entries = new Map<MemoryDirectory, ReadonlyMap<string, MemoryNode>>()

  constructor(image: CrashImage = emptyImage) {
    const tree = new LoggedTree(this.log as Log)
    this.root = tree.root
    this.image = image
    this.locks = tree.locks
    this.fill(tree.root, image, new Map())
    this.io = makeIo(memorySystem(tree))
  }

  /** Puts a note between what was done and what will be done. */
  note(note: Note): void {
    this.log.push({ kind: "note", note })
  }

  /** A file or directory that has no name yet, called like another one. */
  newNode(like: MemoryNode): MemoryNode {
    if (like.kind === "directory") return new MemoryDirectory()
    const bytes = new LoggedContent(this.log as Log, new CrashContent())
    bytes.name = (like.bytes as LoggedContent).name
    bytes.file = new MemoryFile(bytes)
    return bytes.file
  }

  /** The log in words, a line for each event. */
  story(): ReadonlyArray<string> {
    const nameOf = (node: MemoryNode): string =>
      node.kind === "file" ? `[${(node.bytes as LoggedContent).name}]` : "it"
    return this.log.map((event, index) => `${index + 1}: ${eventText(event, nameOf)}`)
  }

  /** What was durable of a file when the disk was started. */
  static durableContent(file: MemoryFile): CrashContent {
    return (file.bytes as LoggedContent).durable
  }

  private fill(directory: MemoryDirectory, image: CrashImage, files: Map<CrashContent, MemoryFile>): void {
    for (const [name, content] of image.entries) {
      if (!(content instanceof CrashContent)) {
        const inner = new MemoryDirectory()
        directory.entries.set(name, inner)
        this.fill(inner, content, files)
        continue
      }
      // One file may have kept two names.
      let file = files.get(content)
      if (file === undefined) {
        const bytes = new LoggedContent(this.log as Log, content)
        file = new MemoryFile(bytes)
        bytes.file = file
        bytes.name = name
        files.set(content, file)
      }
      directory.entries.set(name, file)
    }
    this.entries.set(directory, new Map(directory.entries))
  }
}
