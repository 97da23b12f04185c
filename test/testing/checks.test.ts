/**
 * The list of the engine's checks is up to date: each stands where it is said to, exactly once, and what stands there
 * when it is broken is something else that is TypeScript.
 */
import fs from "node:fs"
import { assert, it } from "vitest"
import typescript from "typescript"
import { checks } from "../../proof/checks.ts"
import { parts } from "../../proof/parts.ts"

it("names each check once, and parts that there are", () => {
  const all = checks()
  assert.isAbove(all.length, 200)
  const broken = new Set(all.map(({ end, file, start, text }) => JSON.stringify([file, start, end, text])))
  assert.strictEqual(broken.size, all.length)
  for (const { name, parts: named } of all) {
    for (const part of named) assert.property(parts, part.split("/")[0], name)
  }
})

it("breaks each into what can be run", () => {
  for (const { end, file, name, start, text } of checks()) {
    const whole = fs.readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")
    const source = whole.slice(0, start) + text + whole.slice(end)
    assert.notStrictEqual(source, whole, name)
    // Parsed, and not compiled: that would take ten seconds.
    const parsed = typescript.createSourceFile(file, source, typescript.ScriptTarget.ES2022)
    const { parseDiagnostics } = parsed as unknown as { readonly parseDiagnostics: ReadonlyArray<unknown> }
    assert.lengthOf(parseDiagnostics, 0, name)
  }
})
