import { readFileSync } from "node:fs"
import { dirname, relative, resolve } from "node:path"
import { expect, it } from "vitest"

const src = resolve(import.meta.dirname, "../../src")

/** What importing a module loads: by imports that are not of types alone, and not inside of functions. */
const loadedBy = (start: string): ReadonlySet<string> => {
  const loaded = new Set<string>()
  const load = (file: string): void => {
    if (loaded.has(file)) return
    loaded.add(file)
    const found = readFileSync(file, "utf8").matchAll(
      /^(?:import|export)\s+(?!type\s)(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm
    )
    for (const [, name] of found) {
      if (name.startsWith(".")) load(resolve(dirname(file), name))
      else loaded.add(name)
    }
  }
  load(resolve(src, start))
  return loaded
}

it("Effect's HTTP modules are loaded by ByteSource.fromHttp only when it is called", () => {
  for (const start of ["index.ts", "fetch/ByteSource.ts"]) {
    const loaded = [...loadedBy(start)]
    expect(loaded.length).toBeGreaterThan(5)
    expect(loaded.filter((name) => name.startsWith("effect/http"))).toEqual([])
  }
  const late = [...loadedBy("fetch/httpSource.ts")]
  expect(late.filter((name) => name.startsWith("effect/http"))).not.toEqual([])
  expect(late.map((name) => relative(src, name))).toContain("fetch/httpSession.ts")
})
