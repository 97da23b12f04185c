/**
 * What a process holds of the system: what leaks shows here.
 */
import fs from "node:fs"

export interface Resources {
  /** Open file descriptors; undefined where the system doesn't tell. */
  readonly descriptors: number | undefined
  /** Ranges of memory that are mapped. */
  readonly mappings: number | undefined
  /** What JavaScript holds, buffers included. */
  readonly heapBytes: number
  readonly residentBytes: number
}

const told = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch {
    return undefined // there is no /proc
  }
}

export const openDescriptors = (): number | undefined => told(() => fs.readdirSync("/proc/self/fd").length)

/** After a garbage collection, and what finalizers do after it. */
export const resources = async (): Promise<Resources> => {
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { external, heapUsed, rss } = process.memoryUsage()
  return {
    descriptors: openDescriptors(),
    mappings: told(() => fs.readFileSync("/proc/self/maps", "utf8").split("\n").length),
    heapBytes: heapUsed + external,
    residentBytes: rss
  }
}
