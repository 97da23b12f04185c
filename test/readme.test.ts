/** Every example of the README, run as a reader would run it, prints what the README says. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, beforeAll, describe, it, onTestFinished } from "vitest"

const root = join(import.meta.dirname, "..")
const readme = readFileSync(join(root, "README.md"), "utf8")
const consoles = [...readme.matchAll(/```console\n([\s\S]*?)```/g)]
const examples = [...readme.matchAll(/```js\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)]

describe("the README's examples", () => {
  beforeAll(() => {
    execFileSync(process.execPath, [join(root, "scripts", "build.js"), "--if-old"], { stdio: "inherit" })
  }, 120_000)

  it("are found, and each is followed by its output", () => {
    assert.isAtLeast(examples.length, 3)
    assert.strictEqual(examples.length, [...readme.matchAll(/^```js$/gm)].length)
    assert.isAtLeast(consoles.length, 2)
  })

  it.each(examples.map(([, code, output], index) => ({ index, code, output })))(
    "example $index prints what it says",
    ({ code, output }) => {
      // Evaluated in the package's own directory, "lacuna" is this package.
      const printed = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
        cwd: root,
        encoding: "utf8"
      })
      assert.strictEqual(printed, output)
    }
  )

  it.each(consoles.map(([, shown], index) => ({ index, shown })))(
    "on the command line, example $index prints what it says, times aside",
    ({ shown }) => {
      const directory = mkdtempSync(join(tmpdir(), "lacuna-readme-"))
      onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
      const commands = shown.split("\n").filter((line) => line.startsWith("$ "))
      const seen = commands.map((command) => `${command}\n${typed(command.slice(2), directory)}`).join("")
      assert.strictEqual(withoutTimes(seen), withoutTimes(shown))
    }
  )
})

/** What a terminal shows of `command`; where its output lacks the last line's end, the prompt is on a new line. */
const typed = (command: string, cwd: string): string => {
  const lacuna = `"${process.execPath}" "${join(root, "dist", "cli", "main.js")}"`
  const script = command.replaceAll("npx lacuna", lacuna)
  const { stdout } = spawnSync("sh", ["-c", `{ ${script}\n} 2>&1`], { cwd, encoding: "utf8" })
  return stdout === "" || stdout.endsWith("\n") ? stdout : `${stdout}\n`
}

const withoutTimes = (text: string): string => text.replace(/\d[\d.]* m?s\b/g, "(a time)")
