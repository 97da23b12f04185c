/**
 * The built command line as a child process, as a user meets it.
 */
import { execFileSync, spawn } from "node:child_process"
import fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, expect } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))
export const main = join(root, "dist", "cli", "main.js")

/** Builds what is out of date; for `beforeAll`. */
export const build = (): void => {
  execFileSync(process.execPath, [join(root, "scripts", "build.js"), "--if-old"], { stdio: "inherit" })
}

/** A directory of the calling test file's own, removed after its tests. */
export const temporaryDirectory = (): string => {
  const directory = fs.mkdtempSync(join(tmpdir(), "lacuna-cli-"))
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface Ended {
  readonly status: number | null
  readonly stdout: Buffer
  readonly text: string
  readonly stderr: string
}

/** Runs `command`, with `input` on its standard input, to its end. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly input?: string | Uint8Array }
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd })
    const out: Array<Buffer> = []
    let stderr = ""
    child.stdout.on("data", (piece: Buffer) => out.push(piece))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.on("error", reject)
    child.on("close", (status) => {
      const stdout = Buffer.concat(out)
      resolve({ status, stdout, text: stdout.toString("utf8"), stderr })
    })
    child.stdin.on("error", () => {}) // a command that fails early does not read it
    child.stdin.end(options.input ?? "")
  })

/** Runs `lacuna` in `cwd`. */
export const lacunaIn =
  (cwd: string) =>
  (args: ReadonlyArray<string>, input?: string | Uint8Array): Promise<Ended> =>
    run(process.execPath, [main, ...args], input === undefined ? { cwd } : { cwd, input })

/** Expects success, with nothing on standard error. */
export const succeeds = async (running: Promise<Ended>): Promise<Ended> => {
  const ended = await running
  expect(ended.stderr).toBe("")
  expect(ended.status).toBe(0)
  return ended
}

/** Expects `status`, no result, and exactly one line on standard error, which says `sentence`. */
export const failsWith = async (
  running: Promise<Ended>,
  sentence: string | RegExp,
  status = 1
): Promise<void> => {
  const ended = await running
  expect(ended.stderr).toMatch(/^lacuna: [^\n]*\n$/)
  if (typeof sentence === "string") expect(ended.stderr).toBe(`lacuna: ${sentence}\n`)
  else expect(ended.stderr).toMatch(sentence)
  expect(ended.status).toBe(status)
  expect(ended.text).toBe("")
}
