/**
 * Processes that run programs of this folder.
 *
 * A program and the sources below it are transpiled once, to plain JavaScript inside the repository,
 * so that a process starts fast and every one of a test runs the same code. A child loads all its
 * modules, and only then waits for its order.
 */
import { type ChildProcess, spawn } from "node:child_process"
import fs from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import typescript from "typescript"
import { afterAll } from "vitest"
import { ready } from "./messages.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
/** What programs need. */
const folders = ["src/bytes", "src/format", "src/io", "src/file", "src/store", "src/testing", "test/process"]
const compilerOptions = {
  module: typescript.ModuleKind.ESNext,
  target: typescript.ScriptTarget.ES2022,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true
}

const transpiled = (): string => {
  // Beside node_modules, so that packages are found.
  fs.mkdirSync(join(root, ".bench"), { recursive: true })
  const out = fs.mkdtempSync(join(root, ".bench", "process-"))
  for (const folder of folders) {
    for (const name of fs.readdirSync(join(root, folder))) {
      if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue
      const text = fs.readFileSync(join(root, folder, name), "utf8")
      const target = join(out, folder, name.replace(/\.ts$/, ".js"))
      fs.mkdirSync(dirname(target), { recursive: true })
      fs.writeFileSync(target, typescript.transpileModule(text, { compilerOptions }).outputText)
    }
  }
  return out
}

export interface Ended {
  readonly code: number | null
  readonly signal: string | null
}

export interface ChildOptions {
  /** What is added to the environment. */
  readonly environment?: Record<string, string>
}

/** A process that was started, and is told what to do at most once. */
export class Child {
  /** Called with every message, in order. */
  heard: (message: never) => void = () => {}
  readonly ended: Promise<Ended>
  /** It has loaded everything, or ended before. */
  readonly ready: Promise<void>
  private readonly process: ChildProcess
  private errors = ""

  constructor(path: string, { environment = {} }: ChildOptions = {}) {
    this.process = spawn(process.execPath, ["--expose-gc", path], {
      stdio: ["pipe", "ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment }
    })
    const { stderr, stdin, stdio } = this.process
    stdin!.on("error", () => {}) // it was killed before it had read its order
    stderr!.setEncoding("utf8").on("data", (text: string) => (this.errors += text))
    let isReady = (): void => {}
    this.ready = new Promise((resolve) => (isReady = resolve))
    let rest = ""
    const messages = stdio[3] as NodeJS.ReadableStream
    messages.setEncoding("utf8")
    messages.on("data", (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop()!
      for (const line of lines) {
        const message = JSON.parse(line) as { readonly told: string }
        if (message.told === ready.told) isReady()
        else this.heard(message as never)
      }
    })
    // After the last byte of every stream.
    this.ended = new Promise((resolve) =>
      this.process.on("close", (code, signal) => resolve({ code, signal }))
    )
    void this.ended.then(isReady)
  }

  order(order: object): void {
    this.process.stdin!.write(`${JSON.stringify(order)}\n`)
  }

  get pid(): number {
    return this.process.pid!
  }

  kill(): void {
    this.process.kill("SIGKILL")
  }

  /** What it has written to standard error. */
  get complaint(): string {
    return this.errors
  }
}

export interface Children {
  /** A child that has started some time ago, if possible. */
  readonly take: () => Child
  /** A child of its own kind, started now. */
  readonly start: (options: ChildOptions) => Child
}

/** Children of one program, so many of which are always being started; none is left after the tests. */
export const startChildren = (program: string, warm: number): Children => {
  const out = transpiled()
  const path = join(out, "test/process", program.replace(/\.ts$/, ".js"))
  const waiting: Array<Child> = []
  const taken = new Set<Child>()
  const fill = (count: number): void => {
    while (waiting.length < count) waiting.push(new Child(path))
  }
  fill(warm)
  afterAll(async () => {
    const all = [...waiting, ...taken]
    for (const child of all) child.kill()
    await Promise.all(all.map((child) => child.ended))
    fs.rmSync(out, { recursive: true, force: true })
  }, 60_000)
  const watched = (child: Child): Child => {
    taken.add(child)
    void child.ended.then(() => taken.delete(child))
    return child
  }
  return {
    take: () => {
      fill(warm + 1)
      return watched(waiting.shift()!)
    },
    start: (options) => watched(new Child(path, options))
  }
}
