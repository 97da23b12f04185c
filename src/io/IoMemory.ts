/**
 * Io in memory: for tests, and for programs that want no disk.
 *
 * The same behaviour as on a disk, since both stand on the same semantics (openFile.ts, service.ts)
 * and answer to the same conformance suite. Each build of the layer is a file system of its own,
 * empty but for `/`. What is not modelled: that unsynced bytes can be lost, and that space ends.
 */
import * as Layer from "effect/Layer"
import { Locked } from "../bytes/errors.ts"
import { Io } from "./Io.ts"
import { type MemoryFile, MemoryTree } from "./memoryTree.ts"
import type { Done, RawFile, RawSystem } from "./raw.ts"
import { makeIo } from "./service.ts"
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
    sync: () => {},
    punch: (offset, length) => bytes.zero(offset, length),
    close: () => {},
    readLater: (buffer, start, length, offset, done) => now(done, () => read(buffer, start, length, offset)),
    writeLater: (source, start, length, offset, done) =>
      now(done, () => write(source, start, length, offset)),
    truncateLater: (size, done) => now(done, () => bytes.truncate(size)),
    syncLater: (done) => now(done, () => {}),
    punchLater: (offset, length, done) => now(done, () => bytes.zero(offset, length)),
    // A copy: whoever maps a range has been promised that nobody changes it.
    map: (offset, length) => {
      const copy = new Uint8Array(length)
      bytes.read(copy, 0, length, offset)
      return { bytes: copy, release: () => copy.fill(0) }
    }
  }
}

const makeSystem = (): RawSystem => {
  const tree = new MemoryTree()
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
    syncDirectoryLater: (path, done) => now(done, () => void tree.directory(path, "fsync")),
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

/** Io in memory; a fresh and empty file system for each build of the layer. */
export const IoMemory: { readonly layer: Layer.Layer<Io> } = {
  layer: Layer.sync(Io, () => Io.of(makeIo(makeSystem())))
}
