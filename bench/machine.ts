/** What the figures were measured on, without the names of hosts or paths. */
import fs from "node:fs"
import os from "node:os"

/** The type of the file system that `directory` lies on, as the kernel calls it. */
const fileSystemOf = (directory: string): string => {
  try {
    let best = { point: "", type: "unknown" }
    for (const line of fs.readFileSync("/proc/mounts", "utf8").split("\n")) {
      const [, point, type] = line.split(" ")
      if (point === undefined || type === undefined) continue
      const within = directory === point || directory.startsWith(point.endsWith("/") ? point : `${point}/`)
      if (within && point.length >= best.point.length) best = { point, type }
    }
    return best.type
  } catch {
    return "unknown"
  }
}

export interface Machine {
  readonly cores: number
  readonly processor: string
  readonly memoryGib: number
  readonly fileSystem: string
  readonly kernel: string
  readonly node: string
}

export const describeMachine = (directory: string): Machine => ({
  cores: os.cpus().length,
  processor: os.cpus()[0]?.model ?? "unknown",
  memoryGib: Math.round(os.totalmem() / 2 ** 30),
  fileSystem: fileSystemOf(fs.realpathSync(directory)),
  kernel: `${os.type()} ${os.release().split("-")[0]}`,
  node: process.version
})

export const machineLine = (machine: Machine): string =>
  `${machine.cores} cores ${machine.processor}, ${machine.memoryGib} GiB, ${machine.fileSystem}, ` +
  `${machine.kernel}, Node ${machine.node}`
