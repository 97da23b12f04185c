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
  fs.writeFileSync(at("source"), Buffer.alloc(100_000, "lacuna"))
  fs.writeFileSync(at("live"), "0 10\n500 1000\n90000 10000\n")
  fs.mkdirSync(at("directory"))
  await succeeds(lacuna(["compact", "source", "--live", "live", "--out", "sparse"]))
}, 120_000)

/** Copies the sparse file to `name`, with its map changed. */
const withMap = (name: string, change: (map: Buffer) => Buffer): void => {
  fs.copyFileSync(at("sparse"), at(name))
  fs.writeFileSync(at(`${name}.map`), change(fs.readFileSync(at("sparse.map"))))
}

describe.concurrent("a wrong call", () => {
  it.each([
    [["foo"], 'there is no command "foo"; see lacuna --help'],
    [["inspekt"], 'there is no command "inspekt" (did you mean inspect?); see lacuna --help'],
    [["compact"], "the argument SOURCE is missing; see lacuna compact --help"],
    [["compact", "a", "--out", "b"], "the flag --live is missing; see lacuna compact --help"],
    [["compact", "a", "--live", "b"], "the flag --out is missing; see lacuna compact --help"],
    [["verify", "a", "b"], 'one argument too many: "b"; see lacuna verify --help'],
    [["inspect", "a", "--bogus"], "there is no flag --bogus; see lacuna inspect --help"],
    [
      ["read", "a", "--offset", "-1"],
      `--offset can't be "-1": a whole number of bytes from 0 to 2^53-1 is expected; see lacuna read --help`
    ],
    [
      ["read", "a", "--offset", "9007199254740992"],
      `--offset can't be "9007199254740992": a whole number of bytes from 0 to 2^53-1 is expected; see lacuna read --help`
    ],
    [
      ["compact", "a", "--live", "b", "--out", "c", "--max-gap", "1.5"],
      `--max-gap can't be "1.5": a whole number of bytes from 0 to 2^53-1 is expected; see lacuna compact --help`
    ],
    [
      ["compact", "", "--live", "b", "--out", "c"],
      "SOURCE needs a value: the path of a file is expected; see lacuna compact --help"
    ],
    [
      ["compact", "a", "--live", "b", "--out", ""],
      "--out needs a value: the path of a file is expected; see lacuna compact --help"
    ],
    [
      ["verify", "a", "--against", ""],
      "--against needs a value: the path of a file is expected; see lacuna verify --help"
    ]
  ])("lacuna %j is one line and status 2", async (args, sentence) => {
    await failsWith(lacuna(args), sentence, 2)
  })
})

describe.concurrent("lacuna compact refuses, and leaves nothing behind,", () => {
  it.each([
    [
      "a malformed line",
      "0 10\n5 x\n",
      'standard input, line 2: expected an offset and a length in bytes, found "5 x"'
    ],
    ["a line without a length", "0 10\n\n7\n", 'standard input, line 3: the length is missing: "7"'],
    [
      "a range beyond the source",
      "0 100000\n99999 2\n",
      "standard input, line 2: the range of 2 bytes at 99999 ends at 100001, beyond the source's end at 100000"
    ],
    ["a number beyond 2^53-1", "9007199254740992 1", /line 1: a number is beyond 2\^53-1/]
  ])("%s", async (name, list, sentence) => {
    const out = name.replaceAll(" ", "-")
    await failsWith(lacuna(["compact", "source", "--live", "-", "--out", out], list), sentence)
    expect(fs.readdirSync(directory).filter((entry) => entry.startsWith(out))).toEqual([])
  })

  it.each([
    ["a source that is missing", ["nope", "--live", "live", "--out", "x1"], "there is no nope"],
    [
      "a directory for a source",
      ["directory", "--live", "live", "--out", "x2"],
      "directory is not a regular file"
    ],
    ["a list that is missing", ["source", "--live", "nope", "--out", "x3"], "there is no nope"],
    [
      "a directory for a list",
      ["source", "--live", "directory", "--out", "x4"],
      "directory is not a regular file"
    ],
    ["an output in no directory", ["source", "--live", "live", "--out", "none/x"], "there is no none"],
    [
      "an output in a file",
      ["source", "--live", "live", "--out", "live/x"],
      "live is not a directory, or lies in something that is none"
    ],
    [
      "an output whose name is too long",
      ["source", "--live", "live", "--out", "x5".repeat(200)],
      /^lacuna: l?stat failed on (x5)+: name too long \(ENAMETOOLONG\)$/m
    ],
    [
      "a source in a file",
      ["live/x", "--live", "live", "--out", "x6"],
      "live/x is not a directory, or lies in something that is none"
    ],
    [
      "the source for its output",
      ["source", "--live", "live", "--out", "source"],
      "source is both SOURCE and --out: choose another file"
    ],
    [
      "the source for its output, by another way",
      ["source", "--live", "live", "--out", "directory/../source"],
      "directory/../source is both SOURCE and --out: choose another file"
    ]
  ])("%s", async (_, args, sentence) => {
    await failsWith(lacuna(["compact", ...args]), sentence)
    expect(fs.readdirSync(directory).filter((entry) => /^x\d/.test(entry))).toEqual([])
  })

  it("an output that exists, or whose map does, and touches neither", async () => {
    fs.writeFileSync(at("taken"), "mine")
    fs.writeFileSync(at("half.map"), "mine")
    fs.symlinkSync("nowhere", at("dangling"))
    const exists = (path: string): string => `${path} exists already, and nothing existing is overwritten`
    await failsWith(lacuna(["compact", "source", "--live", "live", "--out", "taken"]), exists("taken"))
    await failsWith(lacuna(["compact", "source", "--live", "live", "--out", "half"]), exists("half.map"))
    await failsWith(lacuna(["compact", "source", "--live", "live", "--out", "dangling"]), exists("dangling"))
    expect(fs.readFileSync(at("taken"), "utf8")).toBe("mine")
    expect(fs.readFileSync(at("half.map"), "utf8")).toBe("mine")
    expect(fs.readdirSync(directory).filter((entry) => /^(taken|half|dangling).*tmp/.test(entry))).toEqual([])
  })

  it("a symbolic link at a temporary name, and does not write through it", async () => {
    fs.writeFileSync(at("victim"), "precious")
    fs.symlinkSync("victim", at("linked.tmp"))
    fs.symlinkSync("victim", at("mapped.map.tmp"))
    await failsWith(
      lacuna(["compact", "source", "--live", "live", "--out", "linked"]),
      /linked\.tmp is not a regular/
    )
    await failsWith(
      lacuna(["compact", "source", "--live", "live", "--out", "mapped"]),
      /mapped\.map\.tmp is not a regular/
    )
    fs.symlinkSync("victim", at("unfolded.tmp"))
    await failsWith(lacuna(["expand", "sparse", "--out", "unfolded"]), /unfolded\.tmp is not a regular/)
    expect(fs.readFileSync(at("victim"), "utf8")).toBe("precious")
    expect(
      fs.readdirSync(directory).filter((entry) => /^(linked|mapped|unfolded)(\.map)?$/.test(entry))
    ).toEqual([])
  })
})

describe.concurrent("a sparse file that is none", () => {
  it("is one line even where its name has two", async () => {
    await failsWith(lacuna(["inspect", "no\nfile"]), "there is no no file")
  })

  it("sends nothing of its name to the terminal as a command", async () => {
    await failsWith(lacuna(["inspect", "\u001b[2Jfile"]), "there is no \ufffd[2Jfile")
  })

  it("is called by its fault, by every command", async () => {
    const notSparse = "source is not a sparse file, or has lost its map: there is no source.map"
    const faults: ReadonlyArray<readonly [path: string, sentence: string, asFile?: string]> = [
      ["nope", "there is no nope"],
      // Where a store would do, a directory is taken for one.
      [
        "directory",
        "directory is not a store: there is no store.control in it",
        "directory is not a regular file"
      ],
      ["source", notSparse]
    ]
    for (const [path, sentence, asFile = sentence] of faults) {
      await Promise.all([
        failsWith(lacuna(["inspect", path]), sentence),
        failsWith(lacuna(["verify", path]), sentence),
        failsWith(lacuna(["read", path, "--offset", "0"]), sentence),
        failsWith(lacuna(["expand", path, "--out", `${path}.out`]), asFile)
      ])
    }
    expect(fs.readdirSync(directory).filter((entry) => entry.includes(".out"))).toEqual([])
  })

  it("with a map that is empty, cut, or flipped is damaged", async () => {
    const size = fs.statSync(at("sparse.map")).size
    for (const length of [0, 1, 63, size >> 1, size - 1]) {
      withMap(`cut-${length}`, (map) => map.subarray(0, length))
      await failsWith(lacuna(["inspect", `cut-${length}`]), /^lacuna: cut-\d+\.map is damaged at \d+: /)
    }
    withMap("flipped", (map) => {
      map[8] ^= 1
      return map
    })
    await failsWith(lacuna(["read", "flipped", "--offset", "0"]), /^lacuna: flipped\.map is damaged at \d+: /)
  })

  it("with data of another length is damaged", async () => {
    withMap("longer", (map) => map)
    fs.appendFileSync(at("longer"), "x")
    await failsWith(lacuna(["inspect", "longer"]), /^lacuna: longer is damaged at \d+: /)
  })
})

describe.concurrent("lacuna read refuses", () => {
  it.each([
    [["--offset", "300"], "offset 300 of sparse was not kept: it lies in a hole between two extents"],
    [["--offset", "100000"], "offset 100000 of sparse was not kept: it lies after the last extent"],
    [
      ["--offset", "10", "--length", "1"],
      "offset 10 of sparse was not kept: it lies in a hole between two extents"
    ],
    [
      ["--offset", "600", "--length", "901"],
      "sparse can't give 901 bytes at 600: what can be read there ends at 1500"
    ],
    [
      ["--offset", "600", "--length", "9007199254740991"],
      "sparse can't give 9007199254740991 bytes at 600: what can be read there ends at 1500"
    ]
  ])("%j, with no byte out", async (args, sentence) => {
    await failsWith(lacuna(["read", "sparse", ...args]), sentence)
  })
})

describe.concurrent("lacuna expand and inspect", () => {
  it("overwrite nothing", async () => {
    fs.writeFileSync(at("there"), "mine")
    const exists = "there exists already, and nothing existing is overwritten"
    await failsWith(lacuna(["expand", "sparse", "--out", "there"]), exists)
    await failsWith(lacuna(["inspect", "sparse", "--html", "there"]), exists)
    await failsWith(lacuna(["inspect", "sparse", "--html", "none/page"]), "there is no none")
    await failsWith(lacuna(["expand", "sparse", "--out", "none/file"]), "there is no none")
    await failsWith(
      lacuna(["expand", "sparse", "--out", "sparse"]),
      "sparse is both PATH and --out: choose another file"
    )
    expect(fs.readFileSync(at("there"), "utf8")).toBe("mine")
  })
})

/** Opens the named pipe as soon as somebody has it open for reading. */
const openForWriting = async (name: string): Promise<number> => {
  for (;;) {
    try {
      return fs.openSync(at(name), fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** Runs a bash script, in which $lacuna is the command line. */
const bash = (script: string) => {
  const prelude = `lacuna() { "${process.execPath}" "${main}" "$@"; }\n`
  return run("bash", ["-c", prelude + script], { cwd: directory })
}

describe.concurrent("when the world is in the way,", () => {
  it("a full standard output is one line", async ({ skip }) => {
    if (!fs.existsSync("/dev/full")) skip("there is no /dev/full here")
    await failsWith(bash("lacuna inspect sparse > /dev/full"), /^lacuna: .*standard output.*ENOSPC/)
  })

  it("a file system that takes no more is one line, and nothing is left", async () => {
    const script = `trap '' XFSZ; ulimit -f 4; lacuna compact source --live <(echo 0 100000) --out limited`
    await failsWith(bash(script), /^lacuna: .*limited\.tmp.*EFBIG/)
    expect(fs.readdirSync(directory).filter((entry) => entry.startsWith("limited"))).toEqual([])
  })

  it("a full file system is one line, and nothing is left", async ({ skip }) => {
    const mounted = await bash("mkdir small && mount -t tmpfs -o size=64k tmpfs small")
    if (mounted.status !== 0) skip("a small file system can only be mounted by root")
    try {
      await failsWith(
        bash("lacuna compact source --live <(echo 0 100000) --out small/full"),
        /^lacuna: no space left for small\/full/
      )
      await succeeds(bash("lacuna compact source --live <(echo 0 1000) --out small/fits"))
      expect(fs.readdirSync(at("small"))).toEqual(["fits", "fits.map"])
    } finally {
      await bash("umount small")
    }
  })

  it("a reader that has enough ends it without a word", async () => {
    const script = `lacuna read sparse --offset 90000 | true; echo "\${PIPESTATUS[0]}"`
    const big =
      "head -c 3000000 /dev/zero > zeros; echo 0 3000000 | lacuna compact zeros --live - --out z > /dev/null"
    const ended = await bash(`${big}; ${script.replace("sparse --offset 90000", "z --offset 0")}`)
    expect(ended.text).toBe("141\n")
    expect(ended.stderr).toBe("")
  })

  it("an interrupt while the list is awaited ends it with status 130", async () => {
    await succeeds(run("mkfifo", ["pipe"], { cwd: directory }))
    const args = ["compact", "source", "--live", "pipe", "--out", "waiting"]
    const child = spawn(process.execPath, [main, ...args], { cwd: directory })
    let stderr = ""
    child.stderr.on("data", (text) => (stderr += text))
    const ended = new Promise((resolve) => child.on("close", resolve))
    const pipe = await openForWriting("pipe")
    fs.writeSync(pipe, "0 10\n")
    child.kill("SIGINT")
    expect(await ended).toBe(130)
    fs.closeSync(pipe)
    expect(stderr).toBe("lacuna: interrupted\n")
    expect(fs.readdirSync(directory).filter((entry) => entry.startsWith("waiting"))).toEqual([])
  })

  it("an interrupt while bytes are copied leaves nothing behind", async () => {
    const size = 2 ** 30
    fs.closeSync(fs.openSync(at("huge"), "w"))
    fs.truncateSync(at("huge"), size)
    fs.writeFileSync(at("huge.live"), `0 ${size}\n`)
    const child = spawn(
      process.execPath,
      [main, "compact", "huge", "--live", "huge.live", "--out", "stopped"],
      {
        cwd: directory
      }
    )
    const ended = new Promise((resolve) => child.on("close", resolve))
    while (
      !((fs.statSync(at("stopped.tmp"), { throwIfNoEntry: false })?.size ?? 0) > 0) &&
      child.exitCode === null
    ) {
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    child.kill("SIGINT")
    expect(await ended).toBe(130)
    expect(fs.readdirSync(directory).filter((entry) => entry.startsWith("stopped"))).toEqual([])
  })
})

describe("progress", () => {
  it("is shown on a terminal, and wiped from it", async ({ skip }) => {
    if ((await bash("command -v script")).status !== 0) skip("there is no script(1) here to make a terminal")
    fs.writeFileSync(at("wide"), "")
    fs.truncateSync(at("wide"), 2 ** 29)
    fs.writeFileSync(at("wide.live"), `0 ${2 ** 29}\n`)
    const command = `${process.execPath} ${main} compact wide --live wide.live --out wide.sparse`
    const { text } = await run("script", ["-qec", command, "/dev/null"], { cwd: directory })
    fs.rmSync(at("wide.sparse"), { force: true })
    expect(text).toMatch(/compacting: \d+ %, .* of 512 MiB, .*\/s, .* left/)
    expect(text).toMatch(/\r\u001b\[2Kwide\.sparse holds/)
  })
})
