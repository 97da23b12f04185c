/**
 * A file system in memory: names, and the nodes that they stand for.
 *
 * It answers as Linux does, code for code. A file lives on while somebody has it open, whatever
 * happens to its name. There are no links, no permissions and no current directory: relative paths
 * begin at the root.
 */
import { SystemError } from "./systemErrors.ts"

/** The bytes of a file. Those beyond its size are zeros when it grows. */
export interface MemoryContent {
  readonly size: number
  /** Copies up to `length` bytes from `offset` on into `buffer`, and gives their number. */
  readonly read: (buffer: Uint8Array, start: number, length: number, offset: number) => number
  readonly write: (bytes: Uint8Array, start: number, length: number, offset: number) => void
  readonly truncate: (size: number) => void
  readonly zero: (offset: number, length: number) => void
  readonly sync: () => void
}

export class MemoryFile {
  readonly kind = "file"
  readonly bytes: MemoryContent
  locked = false

  constructor(bytes: MemoryContent) {
    this.bytes = bytes
  }
}

export class MemoryDirectory {
  readonly kind = "directory"
  readonly entries = new Map<string, MemoryNode>()
}

export type MemoryNode = MemoryFile | MemoryDirectory

/** A name in a directory, whether taken or not. */
export interface MemoryPlace {
  readonly directory: MemoryDirectory
  readonly name: string
  readonly node: MemoryNode | undefined
}

export class MemoryTree {
  readonly root = new MemoryDirectory()
  private readonly newContent: () => MemoryContent

  constructor(newContent: () => MemoryContent) {
    this.newContent = newContent
  }

  /** What `path` stands for. */
  node(path: string, syscall: string): MemoryNode {
    const parts = partsOf(path, syscall)
    let node: MemoryNode = this.root
    const above: Array<MemoryDirectory> = []
    for (const part of parts) {
      if (node.kind === "file") throw new SystemError("ENOTDIR", syscall)
      if (part === "..") {
        node = above.pop() ?? this.root
      } else {
        const next = node.entries.get(part)
        if (next === undefined) throw new SystemError("ENOENT", syscall)
        above.push(node)
        node = next
      }
    }
    return node
  }

  file(path: string, syscall: string): MemoryFile {
    const node = this.node(path, syscall)
    if (node.kind !== "file") throw new SystemError("EISDIR", syscall)
    return node
  }

  directory(path: string, syscall: string): MemoryDirectory {
    const node = this.node(path, syscall)
    if (node.kind !== "directory") throw new SystemError("ENOTDIR", syscall)
    return node
  }

  /** The place of the last name in `path`; its directory must exist. */
  place(path: string, syscall: string): MemoryPlace {
    const parts = partsOf(path, syscall)
    const name = parts.pop()
    // The root and "x/.." have no name of their own: they exist, and nobody may take or remove them.
    if (name === undefined || name === "..") throw new SystemError("EBUSY", syscall)
    const directory = this.directory("/" + parts.join("/"), syscall)
    return { directory, name, node: directory.entries.get(name) }
  }

  createFile(path: string, syscall: string): MemoryFile {
    const place = this.freePlace(path, syscall)
    const file = new MemoryFile(this.newContent())
    place.directory.entries.set(place.name, file)
    return file
  }

  makeDirectory(path: string): void {
    const place = this.freePlace(path, "mkdir")
    place.directory.entries.set(place.name, new MemoryDirectory())
  }

  /** Makes the names in a directory durable, where names can be lost. */
  syncDirectory(path: string): void {
    this.directory(path, "fsync")
  }

  removeFile(path: string): void {
    const node = this.node(path, "unlink")
    if (node.kind !== "file") throw new SystemError("EISDIR", "unlink")
    const place = this.place(path, "unlink")
    place.directory.entries.delete(place.name)
  }

  rename(from: string, to: string): void {
    const source = this.place(from, "rename")
    if (source.node === undefined) throw new SystemError("ENOENT", "rename")
    const target = this.place(to, "rename")
    if (source.node === target.node) return
    if (source.node.kind === "directory") {
      if (target.node?.kind === "file") throw new SystemError("ENOTDIR", "rename")
      if (target.node !== undefined && target.node.entries.size > 0) {
        throw new SystemError("ENOTEMPTY", "rename")
      }
      if (contains(source.node, target.directory)) throw new SystemError("EINVAL", "rename")
    } else if (target.node?.kind === "directory") {
      throw new SystemError("EISDIR", "rename")
    }
    target.directory.entries.set(target.name, source.node)
    source.directory.entries.delete(source.name)
  }

  private freePlace(path: string, syscall: string): MemoryPlace {
    if (partsOf(path, syscall).length === 0) throw new SystemError("EEXIST", syscall)
    const place = this.place(path, syscall)
    if (place.node !== undefined) throw new SystemError("EEXIST", syscall)
    return place
  }
}

const partsOf = (path: string, syscall: string): Array<string> => {
  if (path === "") throw new SystemError("ENOENT", syscall)
  if (path.includes("\0")) throw new SystemError("ERR_INVALID_ARG_VALUE", syscall)
  return path.split("/").filter((part) => part !== "" && part !== ".")
}

const contains = (directory: MemoryDirectory, other: MemoryDirectory): boolean =>
  directory === other ||
  [...directory.entries.values()].some((node) => node.kind === "directory" && contains(node, other))
