/**
 * Cuts the power of its own file system at the n-th system call that changes or syncs a file, and dies.
 *
 * It is counted in this process, on the calls that `src/io` makes of node:fs, so the moment follows from the order
 * alone: what comes before the n-th call has been called, and nothing after it, however long each takes. Calls that
 * are on the thread pool at that moment are at any stage.
 */
import { execFileSync } from "node:child_process"
import fs from "node:fs"

export interface CutOrder {
  /** Counted from 1. */
  readonly call: number
  /** Whether that call is still made: it has ended, or waits for a thread. */
  readonly after: boolean
  /** What cuts the power. */
  readonly command: ReadonlyArray<string>
  /**
   * How many of the last writes begin their way to the device before: a system writes back what it likes and when it
   * likes, and here nothing would come by itself.
   */
  readonly writtenBack: number
}

const counted = [
  ...["writeSync", "write", "fsyncSync", "fsync", "ftruncateSync", "ftruncate", "openSync", "closeSync"],
  ...["renameSync", "unlink", "mkdirSync"]
] as const

type Call = (...args: ReadonlyArray<unknown>) => unknown

/** The descriptor that messages go through. */
const tellingFd = 3
const rememberedWrites = 12

/** Cuts as ordered, from now on; counts only, where there is no order. */
export const cutAtCall = ({ after, call, command, writtenBack }: CutOrder): void => {
  const writes: Array<readonly [fd: number, offset: number, length: number]> = []
  let calls = 0
  const writeBack = (): void => {
    const options = writes
      .slice(-writtenBack)
      .flatMap(([fd, offset, length]) => [
        ...["-c", `open /proc/${process.pid}/fd/${fd}`],
        ...["-c", `sync_range -w ${offset} ${length}`, "-c", "sync_range -a 0 0"]
      ])
    try {
      execFileSync("xfs_io", options, { stdio: "ignore" })
    } catch {
      // One of the files is closed by now.
    }
  }
  const cut = (): void => {
    const [program, ...args] = command
    if (writtenBack > 0 && writes.length > 0) writeBack()
    execFileSync(program, args, { stdio: "ignore" })
    process.kill(process.pid, "SIGKILL")
  }
  const calling = fs as unknown as Record<string, Call>
  for (const name of counted) {
    const original = calling[name]
    calling[name] = (...args) => {
      if (args[0] === tellingFd) return original(...args)
      calls++
      if (calls !== call) {
        const result = original(...args)
        const [fd, , , length, offset] = args
        if ((name === "writeSync" || name === "write") && typeof offset === "number") {
          writes.push([fd as number, offset, length as number])
          if (writes.length > rememberedWrites) writes.shift()
        }
        return result
      }
      if (after) original(...args)
      return cut()
    }
  }
}
