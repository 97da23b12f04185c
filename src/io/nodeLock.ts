/**
 * Locks on files: of the open file description, so that they hold against this process too, and die
 * with it however it ends.
 *
 * Nothing is written into the file, and nothing is removed at the end: a lock file that is removed
 * is one that two can hold. The descriptor is the lock's own, and no child inherits it.
 */
import fs from "node:fs"
import { Locked, Unsupported } from "../bytes/errors.ts"
import { lockHolder } from "./lockHolder.ts"
import { nativeExtensions } from "./nativeExtensions.ts"
import { closeUnused } from "./nodePaths.ts"
import { codeOf, SystemError } from "./systemErrors.ts"

/** How often the name may move to another file while its lock is being taken. */
const maxAttempts = 16

/** What this thread has locked, by device and inode: it tells whom a lock is held by, no more. */
const held = new Set<string>()

const identity = (stats: { readonly dev: bigint; readonly ino: bigint }): string =>
  `${stats.dev}:${stats.ino}`

const openLockFile = (path: string): number => {
  // Looking before opening: to open a device may have effects.
  const before = fs.lstatSync(path, { throwIfNoEntry: false })
  if (before !== undefined && !before.isFile()) throw new SystemError("EISDIR", "open")
  const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = fs.constants
  let fd: number
  try {
    fd = fs.openSync(path, O_RDWR | O_CREAT | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0), 0o666)
  } catch (cause) {
    throw codeOf(cause) === "ELOOP" && isLink(path) ? new SystemError("EISDIR", "open") : cause
  }
  return fd
}

const isLink = (path: string): boolean => {
  try {
    return fs.lstatSync(path).isSymbolicLink()
  } catch {
    return false // a loop further up the path
  }
}

/** The identity under which `fd` is now locked, or undefined if the name moved on meanwhile. */
const lockOpened = (fd: number, path: string, tryLock: (fd: number) => boolean): string | undefined => {
  const stats = fs.fstatSync(fd, { bigint: true })
  if (!stats.isFile()) throw new SystemError("EISDIR", "open")
  const id = identity(stats)
  if (!tryLock(fd)) throw new Locked({ path, holder: held.has(id) ? "this process" : lockHolder(stats) })
  const named = fs.lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return named !== undefined && identity(named) === id ? id : undefined
}

/** Takes the lock on the file that has the name `path`, and gives what releases it. */
export const lockPath = (path: string): (() => void) => {
  const extensions = nativeExtensions()
  if (!extensions.available) {
    throw new Unsupported({
      operation: "lock",
      reason:
        `fs-native-extensions can't be loaded (${extensions.reason}); reinstall it, or use ` +
        "IoNode.layerWith({ lock: false }) where nobody else writes"
    })
  }
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const fd = openLockFile(path)
    let id: string | undefined
    try {
      id = lockOpened(fd, path, extensions.value.tryLock)
    } finally {
      if (id === undefined) closeUnused(fd)
    }
    if (id === undefined) continue
    const taken = id
    held.add(taken)
    return () => {
      held.delete(taken)
      fs.closeSync(fd)
    }
  }
  throw new SystemError("ESTALE", "lock", `${path} stood for another file each time it was locked`)
}
