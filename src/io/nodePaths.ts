/**
 * Everything that concerns names, by node:fs.
 */
import fs from "node:fs"
import type { PathClass } from "./Io.ts"
import type { Done, RawFile } from "./raw.ts"
import { codeOf, SystemError } from "./systemErrors.ts"

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants

/** Closes a descriptor that came to nothing; the failure that led there is the one to tell. */
export const closeUnused = (fd: number): void => {
  try {
    fs.closeSync(fd)
  } catch {
    // Nothing was written through it, so nothing can be lost.
  }
}

/** Owns `fd` until it is wrapped: a descriptor must not leak on the way. */
const wrapping = (fd: number, wrap: (fd: number) => RawFile): RawFile => {
  try {
    if (!fs.fstatSync(fd).isFile()) throw new SystemError("EISDIR", "open")
    return wrap(fd)
  } catch (cause) {
    closeUnused(fd)
    throw cause
  }
}

export const createNew = (path: string, wrap: (fd: number) => RawFile): RawFile =>
  wrapping(fs.openSync(path, O_CREAT | O_EXCL | O_RDWR | (O_NOFOLLOW ?? 0), 0o666), wrap)

export const openExisting = (path: string, readonly: boolean, wrap: (fd: number) => RawFile): RawFile => {
  // Looking before opening, for opening a device may have effects; and opening without waiting, for
  // a FIFO may have taken the name since.
  if (!fs.statSync(path).isFile()) throw new SystemError("EISDIR", "open")
  return wrapping(fs.openSync(path, (readonly ? O_RDONLY : O_RDWR) | (O_NONBLOCK ?? 0)), wrap)
}

export const sizeOf = (path: string): number => {
  const stats = fs.statSync(path)
  if (!stats.isFile()) throw new SystemError("EISDIR", "stat")
  return stats.size
}

export const classify = (path: string): PathClass => {
  try {
    const stats = fs.lstatSync(path)
    return stats.isFile() ? "file" : stats.isDirectory() ? "directory" : "other"
  } catch (cause) {
    // Where a file stands in the place of a directory, nothing can lie in it.
    if (codeOf(cause) === "ENOENT" || codeOf(cause) === "ENOTDIR") return "none"
    throw cause
  }
}

export const removeLater = (path: string, done: Done): void => {
  const stats = fs.lstatSync(path)
  if (!stats.isFile() && !stats.isSymbolicLink()) throw new SystemError("EISDIR", "unlink")
  fs.unlink(path, (failure) => done(failure, 0))
}

export const syncDirectoryLater = (path: string, done: Done): void => {
  const fd = fs.openSync(path, O_RDONLY | (O_DIRECTORY ?? 0) | (O_NONBLOCK ?? 0))
  // fsync: the names made, moved and removed in this directory, before what its caller does next
  fs.fsync(fd, (failure) => {
    try {
      fs.closeSync(fd)
    } catch (cause) {
      done(failure ?? cause, 0)
      return
    }
    done(failure, 0)
  })
}
