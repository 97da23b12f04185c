/**
 * The example that collects a git packfile, run on a repository made for it.
 */
import { execFileSync, spawnSync } from "node:child_process"
import fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { build, lacunaIn, run, succeeds, temporaryDirectory } from "./lacuna.ts"

const directory = temporaryDirectory()
const repository = join(directory, "repository")
const gitPack = fileURLToPath(new URL("../../examples/git-pack/git-pack.js", import.meta.url))

const hasGit = spawnSync("git", ["--version"]).status === 0
if (!hasGit) console.warn("gitPack.test.ts is skipped: there is no git here")

const git = (...args: ReadonlyArray<string>): string =>
  execFileSync("git", ["-C", repository, "-c", "user.name=t", "-c", "user.email=t@t", ...args], {
    encoding: "utf8"
  }).trim()

/** Commits a file of `lines` lines, one of which tells `name`. */
const commit = (name: string, lines: number): void => {
  const text = Array.from(
    { length: lines },
    (_, i) => `line ${i} of ${i === 7 ? name : "many"} ${(i * 7919) % 1013}`
  )
  fs.writeFileSync(join(repository, "file"), text.join("\n"))
  fs.writeFileSync(join(repository, name), `only in ${name}\n`.repeat(50))
  git("add", ".")
  git("commit", "--quiet", "-m", name)
}

/** main with ten commits, side with twenty more, dropped with ten that no branch has any more. */
const makeRepository = (): void => {
  fs.mkdirSync(repository)
  git("init", "--quiet", "--initial-branch=main")
  for (let i = 0; i < 10; i++) commit(`main-${i}`, 300 + i)
  git("checkout", "--quiet", "-b", "side")
  for (let i = 0; i < 20; i++) commit(`side-${i}`, 320 + i)
  git("checkout", "--quiet", "main")
  git("checkout", "--quiet", "-b", "dropped")
  for (let i = 0; i < 10; i++) commit(`dropped-${i}`, 340 + i)
  git("checkout", "--quiet", "main")
  // One pack with everything, in which deltas go across branches.
  git("-c", "pack.window=50", "repack", "-a", "-d", "-q", "-f")
  git("branch", "--quiet", "-D", "dropped")
}

/** Every file of the repository, with its size and time: any change of it shows. */
const state = (): string =>
  execFileSync("find", [repository, "-type", "f", "-printf", "%p %s %T@ %n\n"], { encoding: "utf8" })

describe.skipIf(!hasGit)("the git-pack example", () => {
  beforeAll(() => {
    build()
    makeRepository()
  }, 120_000)

  const gitPackOf = (...args: ReadonlyArray<string>) =>
    succeeds(run(process.execPath, [gitPack, repository, ...args], { cwd: directory }))

  it("keeps what the refs reach, with the bases of its deltas, and proves every object", async () => {
    const before = state()
    const work = join(directory, "work")
    const { text } = await gitPackOf("--refs", "main", "--work", work)
    expect(text).toMatch(/all identical/)
    expect(text).toMatch(/is whole: .*every live byte is the one in/)
    expect(state()).toBe(before)

    const reachable = git("rev-list", "--objects", "--no-object-names", "main").split("\n").length
    expect(text).toContain(`${reachable} objects can be reached from main`)
    const saved = Number(/saved +([\d,]+) bytes/.exec(text)?.[1].replaceAll(",", ""))
    expect(saved).toBeGreaterThan(1000)

    // The live list is the command line's too, and what it makes of it is the same.
    const pack = /second view .* is the one in (\S+\.pack)/.exec(text)![1]
    const live = fs.readdirSync(work).find((name) => name.endsWith(".live"))!
    await succeeds(lacunaIn(work)(["compact", pack, "--live", live, "--out", "by-command"]))
    const sparse = live.replace(/\.live$/, "")
    expect(fs.readFileSync(join(work, "by-command"))).toEqual(fs.readFileSync(join(work, sparse)))
  })

  it("keeps every delta's base: git reads each kept object from the expanded pack", async () => {
    const work = join(directory, "expanded")
    await gitPackOf("--refs", "main", "--work", work)
    const sparse = fs.readdirSync(work).find((name) => name.endsWith(".sparse"))!
    const pack = fs.readdirSync(join(repository, ".git/objects/pack")).find((name) => name.endsWith(".pack"))!
    const objects = join(directory, "objects")
    fs.mkdirSync(join(objects, "pack"), { recursive: true })
    await succeeds(lacunaIn(work)(["expand", sparse, "--out", join(objects, "pack", pack)]))
    const index = pack.replace(/pack$/, "idx")
    fs.copyFileSync(join(repository, ".git/objects/pack", index), join(objects, "pack", index))
    // The pack's header and trailer are no objects, so no live list has them; git wants to see them.
    const original = fs.readFileSync(join(repository, ".git/objects/pack", pack))
    const whole = Buffer.concat([fs.readFileSync(join(objects, "pack", pack)), Buffer.alloc(original.length)])
    original.copy(whole, 0, 0, 12)
    original.copy(whole, original.length - 20, original.length - 20)
    fs.writeFileSync(join(objects, "pack", pack), whole.subarray(0, original.length))

    const names = git("rev-list", "--objects", "--no-object-names", "main")
    const read = execFileSync("git", ["-C", repository, "cat-file", "--batch"], {
      input: `${names}\n`,
      env: { ...process.env, GIT_OBJECT_DIRECTORY: objects },
      maxBuffer: 1 << 28
    })
    const wanted = execFileSync("git", ["-C", repository, "cat-file", "--batch"], {
      input: `${names}\n`,
      maxBuffer: 1 << 28
    })
    expect(read.equals(wanted)).toBe(true)
  })

  it("repacks a copy where it is asked to", async () => {
    const before = state()
    const { text } = await gitPackOf("--refs", "main,side", "--gc")
    expect(text).toMatch(/^Repacking a copy of /)
    expect(text).toMatch(/all identical/)
    expect(state()).toBe(before)
  })

  it("says in one line what it can't do", async () => {
    const { status, stderr } = await run(process.execPath, [gitPack, directory], { cwd: directory })
    expect(status).toBe(1)
    expect(stderr).toMatch(/^git-pack: .*not a git repository.*\n$/)
  })
})
