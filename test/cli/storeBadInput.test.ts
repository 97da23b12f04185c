import { spawn } from "node:child_process"
import fs from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { build, failsWith, lacunaIn, main, run, succeeds, temporaryDirectory } from "./lacuna.ts"

const directory = temporaryDirectory()
const lacuna = lacunaIn(directory)
const at = (name: string): string => join(directory, name)

beforeAll(async () => {
  build()
  fs.mkdirSync(at("empty"))
  fs.writeFileSync(at("file"), "0 1\n")
  await succeeds(lacuna(["store", "init", "store"]))
  await succeeds(lacuna(["store", "append", "store"], "x".repeat(100)))
  await succeeds(lacuna(["store", "collect", "store", "--live", "-", "--up-to", "50"], "10 10\n"))
}, 120_000)

const contentOf = (store: string): ReadonlyArray<readonly [string, Buffer]> =>
  fs.readdirSync(at(store)).map((name) => [name, fs.readFileSync(join(at(store), name))])

/** Runs a bash script, in which $lacuna is the command line. */
const bash = (script: string) =>
  run("bash", ["-c", `lacuna() { "${process.execPath}" "${main}" "$@"; }\n${script}`], { cwd: directory })

describe.concurrent("a wrong call", () => {
  it.each([
    [["store", "inti", "x"], 'there is no command "inti" (did you mean init?); see lacuna store --help'],
    [["store", "init"], "the argument DIR is missing; see lacuna store init --help"],
    [
      ["store", "init", ""],
      "DIR needs a value: the path of a directory is expected; see lacuna store init --help"
    ],
    [["store", "collect", "store"], "the flag --live is missing; see lacuna store collect --help"],
    [
      ["store", "collect", "store", "--live", "file", "--up-to", "-1"],
      `--up-to can't be "-1": a whole number of bytes from 0 to 2^53-1 is expected; see lacuna store collect --help`
    ],
    [["store", "backup", "store"], "the flag --out is missing; see lacuna store backup --help"],
    [["store", "check", "a", "b"], 'one argument too many: "b"; see lacuna store check --help']
  ])("lacuna %j is one line and status 2", async (args, sentence) => {
    await failsWith(lacuna(args), sentence, 2)
  })

  it.each(["0", "-1", "1.5", "10kb", "9007199254740992", "8388608GiB"])(
    "--commit-every %s is one line and status 2",
    async (value) => {
      await failsWith(
        lacuna(["store", "append", "store", "--commit-every", value]),
        `--commit-every can't be "${value}": a number of records from 1 on, or of bytes as 64KiB, 64MiB or 1GiB, is expected; see lacuna store append --help`,
        2
      )
    }
  )

  it("compares no store with a source", async () => {
    await failsWith(
      lacuna(["verify", "store", "--against", "file"]),
      "--against is for sparse files, and store is a directory"
    )
  })
})

describe.concurrent("a store that is none", () => {
  it.each([
    ["nope", "there is no nope"],
    ["file", "file is not a directory, or lies in something that is none"],
    ["empty", "empty is not a store: there is no store.control in it"]
  ])("%s is called by its fault, by every command", async (path, sentence) => {
    await Promise.all([
      failsWith(lacuna(["store", "append", path], "x"), sentence),
      failsWith(lacuna(["store", "collect", path, "--live", "file"]), sentence),
      failsWith(lacuna(["store", "check", path]), sentence),
      failsWith(lacuna(["store", "check", path, "--json"]), sentence),
      failsWith(lacuna(["store", "stats", path]), sentence),
      failsWith(lacuna(["store", "backup", path, "--out", `${path}.out`]), sentence)
    ])
    expect(fs.readdirSync(at("empty"))).toEqual([])
    expect(fs.existsSync(at(`${path}.out`))).toBe(false)
  })

  it("is one whose control file is lost, and not an empty one", async () => {
    fs.cpSync(at("store"), at("lost"), { recursive: true })
    fs.rmSync(at("lost/store.control"))
    await failsWith(lacuna(["store", "stats", "lost"]), /^lacuna: lost\/store\.control is damaged at 0: /)
    await failsWith(
      lacuna(["store", "append", "lost"], "x"),
      /^lacuna: lost\/store\.control is damaged at 0: /
    )
  })
})

describe.concurrent("lacuna store init refuses", () => {
  it("a store, a file, and a place that has no directory", async () => {
    const before = contentOf("store")
    await failsWith(lacuna(["store", "init", "store"]), "store is a store already: nothing was changed")
    expect(contentOf("store")).toEqual(before)
    await failsWith(lacuna(["store", "init", "file"]), /^lacuna: file /)
    await failsWith(lacuna(["store", "init", "none/store"]), "there is no none")
  })
})

describe.concurrent("lacuna store append refuses, and appends nothing,", () => {
  it("a file that is not there, after others", async () => {
    const end = async () =>
      JSON.parse((await succeeds(lacuna(["store", "stats", "store", "--json"]))).text).end
    await failsWith(lacuna(["store", "append", "store", "file", "nope"]), "there is no nope")
    await failsWith(lacuna(["store", "append", "store", "file", "empty"]), "empty is not a regular file")
    expect(await end()).toBe(100)
  })
})

describe("a store in use", () => {
  it("is refused to a second writer, which learns the holder", async () => {
    await succeeds(lacuna(["store", "init", "used"]))
    const child = spawn(
      process.execPath,
      [main, "store", "append", "used", "--lines", "--commit-every", "1"],
      { cwd: directory }
    )
    const ended = new Promise((resolve) => child.on("close", resolve))
    child.stdin.write("x\n")
    await new Promise((resolve) => child.stdout.once("data", resolve))
    const sentence = new RegExp(`^lacuna: used.* is in use by another writer \\(.*\\b${child.pid}\\b.*\\)\n$`)
    await failsWith(lacuna(["store", "append", "used"], "y"), sentence)
    await failsWith(lacuna(["store", "collect", "used", "--live", "file"]), sentence)
    await failsWith(lacuna(["store", "init", "used"]), "used is a store already: nothing was changed")
    child.stdin.end()
    expect(await ended).toBe(0)
  })
})

describe.concurrent("lacuna store collect refuses, and changes nothing,", () => {
  it.each([
    [
      "a range beyond the end",
      "10 1\n99 2\n",
      [],
      "standard input, line 2: the range of 2 bytes at 99 ends at 101, beyond the store's end at 100"
    ],
    ["a malformed line", "10 1\nx\n", [], /^lacuna: standard input, line 2: expected an offset and a length/],
    ["what was collected before", "30 1\n", [], /^lacuna: offset 30 of store was not kept: /],
    [
      "an extent that is kept in part",
      "10 11\n",
      [],
      /^lacuna: store can't give 11 bytes at 10: .* ends at 20$/m
    ],
    ["an --up-to beyond the end", "10 1\n", ["--up-to", "101"], /^lacuna: .*101.*/],
    ["an --up-to before the last one", "10 1\n", ["--up-to", "49"], /^lacuna: .*49.*/]
  ])("%s", async (name, live, args, sentence) => {
    const store = name.replaceAll(" ", "-")
    fs.cpSync(at("store"), at(store), { recursive: true })
    const before = (await succeeds(lacuna(["store", "stats", store, "--json"]))).text
    const wanted =
      typeof sentence === "string"
        ? sentence
        : new RegExp(sentence.source.replace("store ", `${store} `), "m")
    await failsWith(lacuna(["store", "collect", store, "--live", "-", ...args], live), wanted)
    await failsWith(lacuna(["store", "collect", store, "--live", "-", "--dry-run", ...args], live), wanted)
    const { generation } = JSON.parse((await succeeds(lacuna(["store", "stats", store, "--json"]))).text)
    expect(generation).toBe(JSON.parse(before).generation)
    expect((await succeeds(lacuna(["read", store, "--offset", "10", "--length", "10"]))).text).toBe(
      "x".repeat(10)
    )
  })

  it("a list that is not there", async () => {
    await failsWith(lacuna(["store", "collect", "store", "--live", "nope"]), "there is no nope")
    await failsWith(lacuna(["store", "collect", "store", "--live", "empty"]), "empty is not a regular file")
  })
})

describe.concurrent("lacuna store backup refuses", () => {
  it("the store itself, what is not empty, and a place that has no directory", async () => {
    fs.mkdirSync(at("full"))
    fs.writeFileSync(at("full/mine"), "mine")
    const backup = (out: string) => lacuna(["store", "backup", "store", "--out", out])
    await failsWith(backup("store"), "store is both DIR and --out: choose another file")
    await failsWith(backup("full"), /^lacuna: full.* exists already/)
    await failsWith(backup("file"), /^lacuna: file /)
    await failsWith(backup("none/copy"), "there is no none")
    expect(fs.readdirSync(at("full"))).toEqual(["mine"])
  })
})

describe.concurrent("lacuna read of a store refuses", () => {
  it.each([
    [["--offset", "30"], /^lacuna: offset 30 of store was not kept: it lies in a hole/],
    [["--offset", "0", "--length", "1"], /^lacuna: offset 0 of store was not kept: it lies before/],
    [
      ["--offset", "10", "--length", "11"],
      "store can't give 11 bytes at 10: what can be read there ends at 20"
    ],
    [
      ["--offset", "50", "--length", "51"],
      "store can't give 51 bytes at 50: what can be read there ends at 100"
    ],
    [
      ["--offset", "10", "--length", "9007199254740981"],
      "store can't give 9007199254740981 bytes at 10: what can be read there ends at 20"
    ],
    [["--offset", "100"], "store can't give 1 bytes at 100: what can be read there ends at 100"],
    [
      ["--offset", "101", "--length", "0"],
      "store can't give 0 bytes at 101: what can be read there ends at 100"
    ]
  ])("%j, with no byte out", async (args, sentence) => {
    await failsWith(lacuna(["read", "store", ...args]), sentence)
  })
})

describe.concurrent("when the world is in the way,", () => {
  it("a full standard output is one line, and nothing is appended", async ({ skip }) => {
    if (!fs.existsSync("/dev/full")) skip("there is no /dev/full here")
    await failsWith(bash("lacuna store stats store > /dev/full"), /^lacuna: .*standard output.*ENOSPC/)
    await succeeds(lacuna(["store", "init", "unheard"]))
    await failsWith(
      bash("yes | head -70000 | lacuna store append unheard --lines > /dev/full"),
      /^lacuna: .*standard output.*ENOSPC/
    )
    expect((await succeeds(lacuna(["store", "stats", "unheard", "--json"]))).text).toContain('"end": 0')
  })

  it("a reader that has enough ends it without a word", async () => {
    const script = `lacuna store init long > /dev/null; head -c 3000000 /dev/zero | lacuna store append long > /dev/null
      lacuna read long --offset 0 | true; echo "\${PIPESTATUS[0]}"`
    const ended = await bash(script)
    expect(ended.text).toBe("141\n")
    expect(ended.stderr).toBe("")
  })

  it("a file system that takes no more is one line, and what was committed is whole", async () => {
    await succeeds(lacuna(["store", "init", "limited"]))
    await succeeds(lacuna(["store", "append", "limited"], "kept"))
    const script = `trap '' XFSZ; ulimit -f 512; head -c 3000000 /dev/zero | lacuna store append limited`
    await failsWith(bash(script), /^lacuna: .*limited\/store\.0\.suffix.*EFBIG/)
    expect((await succeeds(lacuna(["read", "limited", "--offset", "0"]))).text).toBe("kept")
    const next = await lacuna(["store", "append", "limited"], "!")
    expect(next.text).toBe("4\n")
    expect(next.stderr).toMatch(/^(lacuna: limited has \d+ bytes that no commit .*\n)?$/)
    await succeeds(lacuna(["store", "check", "limited"]))
  })
})
