/**
 * The example that patches a large file in an OffloadedFile, at a small size.
 */
import fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { build, run, succeeds, temporaryDirectory } from "../cli/lacuna.ts"

const directory = temporaryDirectory()
const script = fileURLToPath(new URL("../../examples/patch/patch.js", import.meta.url))

/** What the script makes for itself goes here. */
const work = join(directory, "work")
const patch = (...args: ReadonlyArray<string>) =>
  run("env", [`TMPDIR=${work}`, process.execPath, script, ...args], { cwd: directory })

/** The numbers in the line of the table that begins with `start`. */
const figures = (text: string, start: string): ReadonlyArray<number> => {
  const line = text.split("\n").find((each) => each.startsWith(start)) ?? ""
  return [...line.matchAll(/\d[\d,]*(\.\d+)?/g)].map(([number]) => Number(number.replaceAll(",", "")))
}

const fileBytes = 3_000_001
const file = (): Buffer => fs.readFileSync(join(directory, "file"))
const found = (name: string): Buffer => fs.readFileSync(join(directory, name))

const fails = async (args: ReadonlyArray<string>, sentence: RegExp): Promise<void> => {
  const { status, stderr } = await patch(...args)
  expect(stderr).toMatch(/^patch: [^\n]*\n$/)
  expect(stderr).toMatch(sentence)
  expect(status).toBe(1)
  expect(fs.readdirSync(work)).toEqual([])
}

beforeAll(() => {
  build()
  fs.mkdirSync(work)
  fs.writeFileSync(
    join(directory, "file"),
    Buffer.from(Uint8Array.from({ length: fileBytes }, (_, i) => i % 251))
  )
}, 120_000)

describe("the patch example", () => {
  it("patches, reads back and materialises a file of its own, and leaves nothing", async () => {
    const size = (20 << 20) + 12_345
    const { text } = await succeeds(patch("demo", "--size", `${size}`, "--patches", "2000"))
    expect(figures(text, "backing")).toEqual([size])
    expect(figures(text, "referred to").at(-1)).toBe(0)
    const [places, patchedBytes] = figures(text, "patched")
    expect(places).toBe(2000)
    const [extents, memoryBytes] = figures(text, "consists of")
    expect(extents).toBeLessThanOrEqual(2 * 2000 + 1)
    expect(extents).toBeGreaterThan(2000)
    expect(memoryBytes).toBeLessThanOrEqual(patchedBytes)
    expect(memoryBytes).toBeGreaterThan(patchedBytes / 2)
    expect(text).toMatch(/^read back .*: every byte as it must be$/m)
    expect(text).toMatch(/^compared .*: every byte as it must be$/m)
    // Every fourth mebibyte is zeros, but for the patches.
    expect(figures(text, "materialised").at(-1)).toBeLessThan(0.85 * size)
    expect(fs.readdirSync(work)).toEqual([])
  })

  it("patches a file that is given, without writing to it", async () => {
    const [before, time] = [file(), fs.statSync(join(directory, "file")).mtimeMs]
    const args = ["demo", "--file", "file", "--patches", "500", "--out"]
    const [, patchedBytes] = figures((await succeeds(patch(...args, "first"))).text, "patched")
    expect(file().equals(before)).toBe(true)
    expect(fs.statSync(join(directory, "file")).mtimeMs).toBe(time)
    expect(found("first")).toHaveLength(fileBytes)
    const changed = found("first").reduce((sum, byte, i) => sum + (byte === before[i] ? 0 : 1), 0)
    expect(changed).toBeLessThanOrEqual(patchedBytes)
    expect(changed).toBeGreaterThan(patchedBytes / 2)
    await succeeds(patch(...args, "second"))
    expect(found("second").equals(found("first"))).toBe(true)
  })

  it("changes nothing with no patches, and holds nothing", async () => {
    const { text } = await succeeds(patch("demo", "--file", "file", "--patches", "0", "--out", "same"))
    expect(figures(text, "consists of")).toEqual([1, 0])
    expect(found("same").equals(file())).toBe(true)
  })

  it("has the last of patches that overlap", async () => {
    fs.writeFileSync(join(directory, "tiny"), "a tiny file")
    const { text } = await succeeds(patch("demo", "--file", "tiny", "--patches", "1000"))
    expect(figures(text, "consists of")[1]).toBeLessThanOrEqual("a tiny file".length)
    expect(text).toMatch(/^compared .*: every byte as it must be$/m)
  })

  it("says in one line what it can't do, and leaves nothing", async () => {
    fs.writeFileSync(join(directory, "empty"), "")
    fs.writeFileSync(join(directory, "taken"), "something else")
    await fails(["demo", "--file", "nowhere"], /there is no nowhere$/m)
    await fails(["demo", "--file", "."], /\. is not a regular file$/m)
    await fails(["demo", "--file", "empty"], /empty is empty: there is nothing to patch$/m)
    await fails(["demo", "--file", "file", "--patches", "10", "--out", "taken"], /taken exists already/)
    await fails(["demo", "--file", "file", "--patches", "10", "--out", "no/where"], /there is no no\/where/)
    await fails(["demo", "--file", "file", "--size", "10"], /usage/)
    await fails(["demo", "--size", "-1"], /--size/)
    await fails(["demo", "--patches", "many"], /usage/)
    await fails([], /usage/)
    expect(found("taken").toString()).toBe("something else")
  })
})
