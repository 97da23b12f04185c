/**
 * The raw calls of a file system in memory.
 */
import { Locked } from "../bytes/errors.ts"
import type { MemoryFile, MemoryTree } from "./memoryTree.ts"
import type { Done, RawFile, RawSystem } from "./raw.ts"
import { codeOf } from "./systemErrors.ts"

/** The later twin of something that takes no time. */
const now = (done: Done, body: () => number | void): void => {
  let count: number
  try {
    count = body() ?? 0
  } catch (cause) {
    done(cause, 0)
    return
  }
  done(null, count)
}

const rawFile = ({ bytes }: MemoryFile): RawFile => {
  const read: RawFile["read"] = (buffer, start, length, offset) => bytes.read(buffer, start, length, offset)
  const write: RawFile["write"] = (source, start, length, offset) => {
    bytes.write(source, start, length, offset)
    return length
  }
  return {
    read,
    write,
    size: () => bytes.size,
    truncate: (size) => bytes.truncate(size),
    sync: () => bytes.sync(),
    punch: (offset, length) => bytes.zero(offset, length),
    close: () => {},
    readLater: (buffer, start, length, offset, done) => now(done, () => read(buffer, start, length, offset)),
    writeLater: (source, start, length, offset, done) =>
      now(done, () => write(source, start, length, offset)),
    truncateLater: (size, done) => now(done, () => bytes.truncate(size)),
    syncLater: (done) => now(done, () => bytes.sync()),
    punchLater: (offset, length, done) => now(done, () => bytes.zero(offset, length)),
    // A copy: whoever maps a range has been promised that nobody changes it.
    map: (offset, length) => {
      const copy = new Uint8Array(length)
      bytes.read(copy, 0, length, offset)
      return { bytes: copy, release: () => copy.fill(0) }
    }
  }
}

export const memorySystem = (tree: MemoryTree): RawSystem => {
  const findOrCreate = (path: string): MemoryFile => {
    try {
      return tree.file(path, "lock")
    } catch (cause) {
      if (codeOf(cause) !== "ENOENT") throw cause
      return tree.createFile(path, "lock")
    }
  }
  return {
    createNew: (path) => rawFile(tree.createFile(path, "open")),
    openExisting: (path) => rawFile(tree.file(path, "open")),
    sizeOf: (path) => tree.file(path, "stat").bytes.size,
    classify: (path) => {
      try {
        return tree.node(path, "lstat").kind
      } catch (cause) {
        if (codeOf(cause) === "ENOENT" || codeOf(cause) === "ENOTDIR") return "none"
        throw cause
      }
    },
    list: (path) => [...tree.directory(path, "readdir").entries.keys()].sort(),
    makeDirectory: (path) => tree.makeDirectory(path),
    rename: (from, to) => tree.rename(from, to),
    removeLater: (path, done) => now(done, () => tree.removeFile(path)),
    syncDirectoryLater: (path, done) => now(done, () => tree.syncDirectory(path)),
    lock: (path) => {
      const file = findOrCreate(path)
      if (file.locked) throw new Locked({ path, holder: "this process" })
      file.locked = true
      return () => {
        file.locked = false
      }
    }
  }
}
