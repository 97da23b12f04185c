import { type ChildProcess, spawn } from "node:child_process"
import fs from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { build, lacunaIn, main, run, succeeds, temporaryDirectory } from "./lacuna.ts"

const directory = temporaryDirectory()
const lacuna = lacunaIn(directory)
const at = (name: string): string => join(directory, name)

beforeAll(build, 120_000)

/** A new store, with `lines` appended as records. */
const storeOf = async (name: string, ...lines: ReadonlyArray<string>): Promise<string> => {
  await succeeds(lacuna(["store", "init", name]))
  if (lines.length > 0) await succeeds(lacuna(["store", "append", name, "--lines"], lines.join("\n")))
  return name
}

const statsOf = async (store: string) =>
  JSON.parse((await succeeds(lacuna(["store", "stats", store, "--json"]))).text)

const readOf = async (store: string, offset: number, ...args: ReadonlyArray<string>): Promise<string> =>
  (await succeeds(lacuna(["read", store, "--offset", String(offset), ...args]))).text

/** What `child` prints, once that satisfies `enough`. */
const printed = (child: ChildProcess, enough: (text: string) => boolean): Promise<string> =>
  new Promise((resolve) => {
    let text = ""
    child.stdout!.setEncoding("utf8").on("data", (piece: string) => {
      text += piece
      if (enough(text)) resolve(text)
    })
    child.on("close", () => resolve(text))
  })

/** `lacuna store append` that goes on until its standard input ends. */
const appending = (store: string, ...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [main, "store", "append", store, "--lines", ...args], {
    cwd: directory
  })
  let stderr = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
  return { child, ended, stderr: () => stderr }
}

describe.concurrent("lacuna store init", () => {
  it("makes an empty store, and its directory", async () => {
    const { text } = await succeeds(lacuna(["store", "init", "fresh"]))
    expect(text).toBe("fresh is a store, and empty\n")
    expect(await statsOf("fresh")).toMatchObject({
      directory: "fresh",
      generation: 0,
      end: 0,
      committedEnd: 0,
      suffixStart: 0,
      prefix: null
    })
    expect((await succeeds(lacuna(["inspect", "fresh"]))).text).toContain("(nothing was appended)")
    expect((await succeeds(lacuna(["store", "check", "fresh"]))).text).toMatch(/^fresh is whole: /)
  })

  it("makes a store of a directory that is there", async () => {
    fs.mkdirSync(at("there"))
    await succeeds(lacuna(["store", "init", "there"]))
    expect(await readOf("there", 0, "--length", "0")).toBe("")
  })
})

describe.concurrent("lacuna store append", () => {
  it("gives the offset of every line, and of every file", async () => {
    const store = await storeOf("lines")
    const append = async (args: ReadonlyArray<string>, input = ""): Promise<string> =>
      (await succeeds(lacuna(["store", "append", store, ...args], input))).text
    expect(await append(["--lines"], "one\ntwo\n\nthree")).toBe("0\n3\n6\n6\n")
    fs.writeFileSync(at("lines.a"), "x\ny\n")
    fs.writeFileSync(at("lines.b"), "")
    expect(await append(["lines.a", "lines.b", "lines.a"])).toBe("11\n15\n15\n")
    expect(await append(["-"], "in\nput")).toBe("19\n")
    expect(await append([], "")).toBe("25\n")
    expect(await append(["--lines"], "")).toBe("")
    expect(await append(["--lines", "lines.a", "-"], "z")).toBe("25\n26\n27\n")
    expect(await readOf(store, 3, "--length", "3")).toBe("two")
    expect(await readOf(store, 6)).toBe("threex\ny\nx\ny\nin\nputxyz")
  })

  it("says as JSON what came together", async () => {
    const store = await storeOf("json", "abc")
    const { text } = await succeeds(lacuna(["store", "append", store, "--lines", "--json"], "de\nf\n"))
    expect(JSON.parse(text)).toEqual({ first: 3, end: 6, records: 2, bytes: 3 })
    const nothing = await succeeds(lacuna(["store", "append", store, "--lines", "--json"], ""))
    expect(JSON.parse(nothing.text)).toEqual({ first: 6, end: 6, records: 0, bytes: 0 })
  })

  it("streams any size of input, and gives it back, with memory that does not grow with it", async () => {
    const store = await storeOf("big")
    const [lines, lineBytes] = [400_000, 1000]
    const tellMemory =
      'data:text/javascript,import fs from "node:fs";' +
      'process.on("exit", () => fs.writeFileSync(process.env.TOLD, String(process.resourceUsage().maxRSS)))'
    const script = `
      input() { yes ${"x".repeat(lineBytes)} | head -${lines}; }
      input | TOLD=big.appending "$0" --import "$2" "$1" store append big --lines | tail -1
      input | tr -d '\\n' | sha256sum
      TOLD=big.reading "$0" --import "$2" "$1" read big --offset 0 | sha256sum`
    const ended = await run("bash", ["-c", script, process.execPath, main, tellMemory], { cwd: directory })
    expect(ended.stderr).toBe("")
    const [last, wanted, read] = ended.text.split("\n")
    expect(last).toBe(String((lines - 1) * lineBytes))
    expect(read).toBe(wanted)
    const stats = await statsOf(store)
    expect(stats.committedEnd).toBe(lines * lineBytes)
    expect(stats.chunks.length).toBeGreaterThan(4)
    expect(Number(fs.readFileSync(at("big.appending"), "utf8"))).toBeLessThan(256 << 10) // KiB
  })

  it("prints with --commit-every only what is committed, which a kill can't take back", async () => {
    const store = await storeOf("killed")
    const { child, ended } = appending(store, "--commit-every", "10")
    child.stdin.write(Array.from({ length: 25 }, (_, i) => `${i}`.padStart(4, "0")).join("\n") + "\n")
    const text = await printed(child, (text) => text.split("\n").length > 20)
    expect(text).toBe(Array.from({ length: 20 }, (_, i) => `${4 * i}\n`).join(""))
    child.kill("SIGKILL")
    await ended
    expect((await statsOf(store)).committedEnd).toBe(80)
    expect((await succeeds(lacuna(["store", "append", store], "next"))).text).toBe("80\n")
    expect(await readOf(store, 76)).toBe("0019next")
  })

  it("commits after bytes, too", async () => {
    const store = await storeOf("bytes")
    const { child, ended } = appending(store, "--commit-every", "1KiB")
    child.stdin.write(`${"a".repeat(1000)}\n${"b".repeat(1000)}\n${"c".repeat(1000)}\n`)
    expect(await printed(child, (text) => text.split("\n").length > 2)).toBe("0\n1000\n")
    child.stdin.end()
    expect(await ended).toBe(0)
    expect((await statsOf(store)).committedEnd).toBe(3000)
  })

  it("leaves nothing when it is interrupted before its commit", async () => {
    const store = await storeOf("interrupted", "kept")
    const { child, ended, stderr } = appending(store)
    // More than waits for the commit, so that something is printed, and the append known to be under way.
    child.stdin.write("x\n".repeat(70_000))
    await printed(child, (text) => text !== "")
    child.kill("SIGINT")
    expect(await ended).toBe(130)
    expect(stderr()).toBe("lacuna: interrupted\n")
    expect(await statsOf(store)).toMatchObject({ end: 4, committedEnd: 4 })
  })
})

describe.concurrent("lacuna store collect", () => {
  it("keeps the live extents, and tells what it freed", async () => {
    const store = await storeOf("collected", "0123456789", "abcdefghij", "ABCDEFGHIJ")
    const args = ["store", "collect", store, "--live", "-", "--json"]
    const live = "2 3\n2 3 # again\n25 2\n7 0\n12 4\n"
    const dry = JSON.parse((await succeeds(lacuna([...args, "--dry-run"], live))).text)
    expect(dry).toMatchObject({ dryRun: true, upTo: 30, given: 5, empty: 1, bytesKept: 9, bytesFreed: 21 })
    expect(await readOf(store, 0)).toBe("0123456789abcdefghijABCDEFGHIJ")
    const collected = JSON.parse((await succeeds(lacuna(args, live))).text)
    expect(collected).toMatchObject({
      directory: store,
      dryRun: false,
      generation: 1,
      extentsGiven: 4,
      extents: 3,
      bytesKept: 9,
      bytesFreed: 21,
      chunksRemoved: 1
    })
    expect(await readOf(store, 2)).toBe("234")
    expect(await readOf(store, 13)).toBe("def")
    expect(await readOf(store, 25, "--length", "2")).toBe("FG")
    expect((await succeeds(lacuna(["store", "append", store], "more"))).text).toBe("30\n")
    expect(await readOf(store, 30)).toBe("more")
    expect(await statsOf(store)).toMatchObject({ generation: 1, suffixStart: 30, committedEnd: 34 })
  })

  it("says the same to people, and keeps all from --up-to on", async () => {
    const store = await storeOf("in-part", "0123456789", "abcdefghij")
    fs.writeFileSync(at("in-part.live"), "0 2\n8 5\n")
    const args = ["store", "collect", store, "--live", "in-part.live", "--up-to", "10"]
    const { text: foretold } = await succeeds(lacuna([...args, "--dry-run"]))
    expect(foretold).toMatch(/^nothing changed; in-part would keep, before offset 10:\n/)
    expect(foretold).toMatch(/\n {2}disk after +about \d/)
    const { text } = await succeeds(lacuna(args))
    expect(text).toMatch(/^in-part keeps, before offset 10:\n/)
    expect(text).toMatch(/\n {2}disk after +\d/)
    expect(text).toMatch(/bytes kept +4 bytes\n.*bytes freed +6 bytes, 60\.0 %\n/)
    expect(await readOf(store, 8)).toBe("89abcdefghij")
    expect((await succeeds(lacuna(["store", "check", store]))).text).toMatch(/^in-part is whole: /)
  })
})

describe.concurrent("beside a running writer", () => {
  it("everything that only reads works, on what is committed", async () => {
    const store = await storeOf("busy")
    const { child, ended } = appending(store, "--commit-every", "1")
    child.stdin.write("hello\n")
    expect(await printed(child, (text) => text.includes("\n"))).toBe("0\n")
    expect(await readOf(store, 0)).toBe("hello")
    expect(await statsOf(store)).toMatchObject({ committedEnd: 5 })
    await succeeds(lacuna(["store", "check", store]))
    await succeeds(lacuna(["verify", store]))
    await succeeds(lacuna(["inspect", store]))
    await succeeds(lacuna(["store", "backup", store, "--out", "busy.copy"]))
    expect(await readOf("busy.copy", 0)).toBe("hello")
    child.stdin.end("world\n")
    expect(await ended).toBe(0)
    expect(await readOf(store, 0)).toBe("helloworld")
  })
})

describe.concurrent("lacuna store check", () => {
  it("finds a whole store whole, as lacuna verify does", async () => {
    const store = await storeOf("whole", "0123456789")
    await succeeds(lacuna(["store", "collect", store, "--live", "-"], "3 4\n"))
    expect((await succeeds(lacuna(["verify", store]))).text).toMatch(/^whole is whole: .* 1 extent hold/)
    const { text } = await succeeds(lacuna(["store", "check", store, "--json"]))
    expect(JSON.parse(text)).toMatchObject({ ok: true, path: store, damage: [], extents: 1 })
  })

  it("lists damage, and ends with status 1", async () => {
    const store = await storeOf("damaged", "0123456789")
    await succeeds(lacuna(["store", "collect", store, "--live", "-"], "3 4\n"))
    const data = fs.readFileSync(at("damaged/store.1.prefix"))
    data[2] ^= 4
    fs.writeFileSync(at("damaged/store.1.prefix"), data)
    const [plain, json, verified] = [
      await lacuna(["store", "check", store]),
      await lacuna(["store", "check", store, "--json"]),
      await lacuna(["verify", store])
    ]
    expect(plain.status).toBe(1)
    expect(plain.text).toMatch(/^damaged\/store\.1\.prefix at \d+: .+\n$/)
    expect(plain.stderr).toMatch(
      /^lacuna: the store damaged is damaged: damaged\/store\.1\.prefix at \d+: .+\n$/
    )
    expect(json.status).toBe(1)
    expect(JSON.parse(json.text)).toMatchObject({ ok: false, damage: [{ kind: "prefix" }] })
    expect(verified).toEqual(plain)
  })

  it("says what keeps a store from being opened", async () => {
    const store = await storeOf("wiped", "0123456789")
    fs.writeFileSync(at("wiped/store.control"), Buffer.alloc(131_072))
    const ended = await lacuna(["store", "check", store, "--json"])
    expect(ended.status).toBe(1)
    expect(JSON.parse(ended.text)).toMatchObject({
      ok: false,
      damage: [{ kind: "control", path: "wiped/store.control" }]
    })
    expect(ended.stderr).toMatch(/^lacuna: the store wiped is damaged: wiped\/store\.control at \d+: .+\n$/)
  })
})

describe.concurrent("lacuna store backup", () => {
  it("copies prefix and suffix into a store of its own", async () => {
    const store = await storeOf("original", "0123456789")
    await succeeds(lacuna(["store", "collect", store, "--live", "-"], "3 4\n"))
    await succeeds(lacuna(["store", "append", store], "more"))
    const { text } = await succeeds(lacuna(["store", "backup", store, "--out", "copy", "--json"]))
    expect(JSON.parse(text)).toMatchObject({
      source: store,
      directory: "copy",
      generation: 1,
      committedEnd: 14
    })
    expect(await readOf("copy", 3)).toBe("3456")
    expect((await succeeds(lacuna(["store", "append", "copy"], "!"))).text).toBe("14\n")
    expect(await readOf("copy", 10)).toBe("more!")
    expect(await readOf(store, 10)).toBe("more")
    const said = await succeeds(lacuna(["store", "backup", store, "--out", "copy2"]))
    expect(said.text).toMatch(/^copy2 holds original up to 14: \d+ files, /)
  })
})

describe.concurrent("lacuna inspect of a store", () => {
  it("shows what the prefix keeps, the chunks of the suffix, and the end", async () => {
    const store = await storeOf("inspected", "x".repeat(32))
    await succeeds(lacuna(["store", "collect", store, "--live", "-"], "0 8\n12 4\n"))
    await succeeds(lacuna(["store", "append", store], "y".repeat(12)))
    const { text } = await succeeds(lacuna(["inspect", store]))
    expect(text).toMatch(
      /^generation +1\ncommitted end +44 bytes\nprefix +2 extents, 12 bytes before 32; map /
    )
    expect(text).toMatch(/readable +24 bytes\nlargest holes +16 bytes at 16\n +4 bytes at 8\n/)
    expect(text).toMatch(/│█{8} {4}█{4} {16}(\d)\1{11} {20}│\n44 bytes ╵\n/)
    const { text: json } = await succeeds(lacuna(["inspect", store, "--json", "--html", "store.html"]))
    const inspected = JSON.parse(json)
    expect(inspected).not.toHaveProperty("directory")
    expect(inspected).toMatchObject({
      path: store,
      generation: 1,
      committedEnd: 44,
      suffixStart: 32,
      prefix: { extents: 2, dataBytes: 12 },
      readableBytes: 24,
      largestHoles: [
        { offset: 16, length: 16 },
        { offset: 8, length: 4 }
      ]
    })
    expect(fs.readFileSync(at("store.html"), "utf8")).toContain("<h1>inspected</h1>")
    expect((await succeeds(lacuna(["store", "stats", store]))).text).toMatch(/^generation +1\n/)
  })

  it("counts the hole behind the last live byte, up to the committed end", async () => {
    const store = await storeOf("tail", "x".repeat(300_000))
    await succeeds(lacuna(["store", "collect", store, "--live", "-"], "1000 100\n"))
    const { text } = await succeeds(lacuna(["inspect", store]))
    expect(text).toMatch(
      /readable +100 bytes\nlargest holes +292 KiB \(298,900 bytes\) at 1,100\n +1000 bytes at 0\n/
    )
    const { text: json } = await succeeds(lacuna(["inspect", store, "--json"]))
    expect(JSON.parse(json)).toMatchObject({
      committedEnd: 300_000,
      readableBytes: 100,
      largestHoles: [
        { offset: 1100, length: 298_900 },
        { offset: 0, length: 1000 }
      ]
    })
  })
})
