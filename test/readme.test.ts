/** Every example of the README and of docs/, run as a reader would run it, prints what stands below it. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, beforeAll, describe, it, onTestFinished } from "vitest"

const root = join(import.meta.dirname, "..")
const documents = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
]

const examplesOf = (document: string) => {
  const text = readFileSync(join(root, document), "utf8")
  return {
    marked: [...text.matchAll(/^```(?:js|console)$/gm)].length,
    consoles: [...text.matchAll(/```console\n([\s\S]*?)```/g)].map(([, shown], i) => ({
      number: `${i + 1}`,
      shown
    })),
    examples: [...text.matchAll(/```js\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)].map(
      ([, code, output], i) => ({ number: `${i + 1}`, code, output })
    )
  }
}

beforeAll(() => {
  execFileSync(process.execPath, [join(root, "scripts", "build.js"), "--if-old"], { stdio: "inherit" })
}, 120_000)

it.each([
  { document: "README.md", consoles: 2, examples: 3 },
  { document: "docs/testing.md", consoles: 0, examples: 7 }
])("the examples of $document are found", ({ consoles, document, examples }) => {
  const found = examplesOf(document)
  assert.isAtLeast(found.consoles.length, consoles)
  assert.isAtLeast(found.examples.length, examples)
})

describe.each(documents)("the examples of %s", (document) => {
  const { consoles, examples, marked } = examplesOf(document)

  it("are each followed by their output", () => {
    assert.strictEqual(examples.length + consoles.length, marked)
  })

  it.each(examples)("example $number prints what it says", ({ code, output }) => {
    // Evaluated in the package's own directory, "lacuna" is this package.
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: root,
      encoding: "utf8"
    })
    assert.strictEqual(printed, output)
  })

  it.each(consoles)("on the command line, example $number prints what it says, times aside", ({ shown }) => {
    const directory = mkdtempSync(join(tmpdir(), "lacuna-readme-"))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const commands = shown.split("\n").filter((line) => line.startsWith("$ "))
    const seen = commands.map((command) => `${command}\n${typed(command.slice(2), directory)}`).join("")
    assert.strictEqual(withoutTimes(seen), withoutTimes(shown))
  })
})

/** What a terminal shows of `command`; where its output lacks the last line's end, the prompt is on a new line. */
const typed = (command: string, cwd: string): string => {
  const lacuna = `"${process.execPath}" "${join(root, "dist", "cli", "main.js")}"`
  const script = command.replaceAll("npx lacuna", lacuna)
  const { stdout } = spawnSync("sh", ["-c", `{ ${script}\n} 2>&1`], { cwd, encoding: "utf8" })
  return stdout === "" || stdout.endsWith("\n") ? stdout : `${stdout}\n`
}

const withoutTimes = (text: string): string => text.replace(/\d[\d.]* m?s\b/g, "(a time)")
