/** Every example of the README, run as a reader would run it, prints what the README says. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"

const root = join(import.meta.dirname, "..")
const readme = readFileSync(join(root, "README.md"), "utf8")
const examples = [...readme.matchAll(/```js\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)]

describe("the README's examples", () => {
  beforeAll(() => {
    execFileSync(process.execPath, [join(root, "scripts", "build.js")], { stdio: "inherit" })
  }, 120_000)

  it("are found, and each is followed by its output", () => {
    assert.isAtLeast(examples.length, 3)
    assert.strictEqual(examples.length, [...readme.matchAll(/^```js$/gm)].length)
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
})
