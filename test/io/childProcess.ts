/** Starts TypeScript modules of this folder, each in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export interface Child {
  readonly process: ChildProcess
  /** Waits until the child has printed `line`; rejected if it ends before. */
  readonly printed: (line: string) => Promise<void>
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
  readonly output: () => string
}

export const startChild = (module: string, args: ReadonlyArray<string>): Child => {
  const child = spawn(
    process.execPath,
    ["--expose-gc", here("../../scripts/runTypeScript.mjs"), here(module), ...args],
    {
      stdio: ["ignore", "pipe", "pipe"]
    }
  )
  let output = ""
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal }))
  )
  const collect = (chunk: Buffer) => (output += chunk.toString())
  child.stdout.on("data", collect)
  child.stderr.on("data", collect)
  return {
    process: child,
    ended,
    output: () => output,
    printed: (line) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (output.split("\n").includes(line)) resolve()
        }
        look()
        child.stdout.on("data", look)
        void ended.then(() => reject(new Error(`the child ended without "${line}":\n${output}`)))
      })
  }
}
