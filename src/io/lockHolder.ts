/**
 * Who holds a lock, where the system tells: on Linux, as far as we may look into its processes.
 *
 * The list of all locks names no holder for a lock of an open file description. But each descriptor's
 * `fdinfo` tells what is locked through it, so processes are asked one by one: this one, then the newest
 * first.
 *
 * The answer is for an error's message. The search never throws, passes over what can't be read, and
 * gives up after a while; who holds the lock may be another one by the time that somebody reads it.
 */
import fs from "node:fs"

/** How long to look, how many processes to ask, and how many descriptors in all. */
const searchMillis = 50
const maxProcesses = 4096
const maxDescriptors = 16_384

/** A line of fdinfo about an exclusive lock of an open file description. */
const writeLock = /^lock:.*\bOFDLCK\b.*\bWRITE\b/m

/** A file, as `fs.Stats` tells it from others. */
export interface FileIdentity {
  readonly dev: bigint
  readonly ino: bigint
}

/**
 * The process that holds the exclusive lock on a file, as "process 1234 (node)", or "this process";
 * undefined where that can't be found out.
 */
export const lockHolder = (file: FileIdentity): string | undefined => {
  if (process.platform !== "linux") return undefined
  const pid = quietly(() => new Search(file).run())
  if (pid === undefined) return undefined
  if (pid === process.pid) return "this process" // another thread of it
  const name = quietly(() => fs.readFileSync(`/proc/${pid}/comm`, "utf8").trim())
  return name === undefined || name === "" ? `process ${pid}` : `process ${pid} (${name})`
}

class Search {
  private readonly file: FileIdentity
  private readonly deadline = performance.now() + searchMillis
  private descriptors = 0

  constructor(file: FileIdentity) {
    this.file = file
  }

  /** The process that holds the lock; undefined if none was found. Throws when it gives up. */
  run(): number | undefined {
    const processes = fs.readdirSync("/proc").map(Number).filter(Number.isSafeInteger)
    processes.sort((a, b) => b - a)
    return [process.pid, ...processes.slice(0, maxProcesses)].find((pid) => this.holds(pid))
  }

  private holds(pid: number): boolean {
    this.checkBounds()
    // Entry by entry: a process may have a million descriptors.
    const directory = quietly(() => fs.opendirSync(`/proc/${pid}/fd`))
    if (directory === undefined) return false
    try {
      for (;;) {
        const entry = quietly(() => directory.readSync()) ?? undefined
        if (entry === undefined) return false
        this.descriptors++
        this.checkBounds()
        if (this.locks(pid, entry.name)) return true
      }
    } finally {
      quietly(() => directory.closeSync())
    }
  }

  private checkBounds(): void {
    if (this.descriptors > maxDescriptors || performance.now() > this.deadline) {
      throw new Error("the holder was not found in time")
    }
  }

  /** Looks at the file itself last: where that lies on a server that is gone, it might wait for ever. */
  private locks(pid: number, fd: string): boolean {
    const link = `/proc/${pid}/fd/${fd}`
    const target = quietly(() => fs.readlinkSync(link))
    if (target === undefined || !target.startsWith("/")) return false // a socket, a pipe
    const info = quietly(() => fs.readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))
    if (info === undefined || !writeLock.test(info)) return false
    const stats = quietly(() => fs.statSync(link, { bigint: true }))
    return stats !== undefined && stats.dev === this.file.dev && stats.ino === this.file.ino
  }
}

/** What `body` gives, or undefined where it can't be had. */
const quietly = <A>(body: () => A): A | undefined => {
  try {
    return body()
  } catch {
    return undefined
  }
}
