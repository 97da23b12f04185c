/**
 * The floors: a file imports from its own room or from a lower one, never upward and never in a
 * circle, and only io/ and cli/ know that there is an operating system.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { assert, describe, it } from "vitest"

const floors = { bytes: 0, format: 1, io: 2, file: 3, fetch: 4, store: 4, kv: 5, testing: 6, cli: 7 }
const root = resolve(import.meta.dirname, "../src")

const sources = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".ts")
)

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
}

const importsOf = (name: string): ReadonlyArray<Import> => {
  const text = readFileSync(join(root, name), "utf8")
  const found = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm)
  const dynamic = text.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)
  return [
    ...[...found].map((match) => ({ from: name, to: match[2], typeOnly: match[1] !== undefined })),
    ...[...dynamic].map((match) => ({ from: name, to: match[1], typeOnly: false }))
  ]
}

const all = sources.flatMap(importsOf)
const local = all
  .filter(({ to }) => to.startsWith("."))
  .map((entry) => ({ ...entry, to: relative(root, resolve(root, dirname(entry.from), entry.to)) }))

const roomOf = (name: string): string => name.split("/")[0]
const floorOf = (name: string): number | undefined =>
  Object.entries(floors).find(([room]) => room === roomOf(name))?.[1]

describe("the floors of src", () => {
  it("has every file in a room, but for the index", () => {
    assert.isAbove(sources.length, 20)
    assert.deepStrictEqual(
      sources.filter((name) => name !== "index.ts" && floorOf(name) === undefined),
      []
    )
  })

  it("finds the imports that it judges", () => {
    assert.isAbove(local.length, 50)
    for (const { to } of local) assert.include(sources, to)
  })

  it("imports from its own room or a lower one", () => {
    const upward = local.filter(({ from, to }) => {
      if (from === "index.ts") return roomOf(to) === "cli" || roomOf(to) === "testing"
      const [here, there] = [floorOf(from), floorOf(to)]
      return (
        here === undefined ||
        there === undefined ||
        there > here ||
        (there === here && roomOf(from) !== roomOf(to))
      )
    })
    assert.deepStrictEqual(upward, [])
  })

  it("never imports in a circle, types aside", () => {
    const next = new Map(
      sources.map(
        (name) => [name, local.filter((i) => i.from === name && !i.typeOnly).map((i) => i.to)] as const
      )
    )
    const done = new Set<string>()
    const circles: Array<string> = []
    const walk = (name: string, path: ReadonlyArray<string>): void => {
      if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name].join(" > "))
      if (path.includes(name) || done.has(name)) return
      for (const to of next.get(name) ?? []) walk(to, [...path, name])
      done.add(name)
    }
    for (const name of sources) walk(name, [])
    assert.deepStrictEqual(circles, [])
  })

  it("keeps the operating system in io/ and cli/", () => {
    const strangers = all.filter(
      ({ from, to }) =>
        to.startsWith("node:") &&
        !["io", "cli"].includes(roomOf(from)) &&
        !(from === "bytes/crc32.ts" && to === "node:zlib")
    )
    assert.deepStrictEqual(strangers, [])
  })

  it("imports Effect module by module, and its unstable modules in cli/ and for HTTP alone", () => {
    const barrel = all.filter(({ to }) => to === "effect")
    const mayImport = (from: string, to: string): boolean =>
      roomOf(from) === "cli" || (from.startsWith("fetch/http") && to.startsWith("effect/http/"))
    const unstable = all.filter(({ from, to }) => /^effect\/[^/]+\//.test(to) && !mayImport(from, to))
    assert.deepStrictEqual([...barrel, ...unstable], [])
  })

  it("needs no test tool at run time", () => {
    const tools = all.filter(({ to, typeOnly }) => to === "vitest" || (to === "fast-check" && !typeOnly))
    assert.deepStrictEqual(tools, [])
    // Its declaration is shipped with a comment without which nobody could do without fast-check.
    const typed = all.filter(({ to }) => to === "fast-check").map(({ from }) => from)
    assert.deepStrictEqual(typed, ["testing/commands/fastCheck.ts"])
  })

  it("loads nothing of Node for lacuna/testing but a checksum", () => {
    const reached = new Set<string>(["testing/index.ts"])
    for (const from of reached) {
      for (const { to } of local.filter((entry) => entry.from === from && !entry.typeOnly)) reached.add(to)
    }
    assert.isAbove(reached.size, 100)
    const native = all.filter(
      ({ from, to, typeOnly }) => reached.has(from) && !typeOnly && to.startsWith("node:")
    )
    assert.deepStrictEqual(
      native.map(({ to }) => to),
      ["node:zlib"]
    )
  })
})
