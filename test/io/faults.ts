/**
 * Faults of the operating system, put into node:fs for a while.
 */
import fs from "node:fs"

/** An error as Node throws it. */
export const systemError = (code: string, syscall: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: made up, ${syscall}`), { code, syscall })

/** Replaces calls of node:fs until the result is called. */
export const patch = (calls: Partial<Record<keyof typeof fs, unknown>>): (() => void) => {
  const target = fs as unknown as Record<string, unknown>
  const before = Object.keys(calls).map((name) => [name, target[name]] as const)
  Object.assign(target, calls)
  return () => {
    for (const [name, original] of before) target[name] = original
  }
}

/** Makes the next fsync of the file that is at `path` now fail with EIO, by either of Node's calls. */
export const failNextSync = (path: string): void => {
  const { dev, ino } = fs.statSync(path)
  const { fsync, fsyncSync } = fs
  const hits = (fd: number): boolean => {
    const stats = fs.fstatSync(fd)
    if (stats.ino !== ino || stats.dev !== dev) return false
    restore()
    return true
  }
  const restore = patch({
    fsyncSync: (fd: number) => {
      if (hits(fd)) throw systemError("EIO", "fsync")
      fsyncSync(fd)
    },
    fsync: (fd: number, done: (failure: NodeJS.ErrnoException | null) => void) => {
      if (hits(fd)) setTimeout(() => done(systemError("EIO", "fsync")), 5)
      else fsync(fd, done)
    }
  })
}
