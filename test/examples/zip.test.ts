/**
 * The example that reads zip archives through a page cache, on archives of its own making, on those of
 * other programs, and on damaged ones.
 */
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { build, run, succeeds, temporaryDirectory } from "../cli/lacuna.ts"
import { startSendServer } from "../fetch/sendServer.ts"

const directory = temporaryDirectory()
const script = fileURLToPath(new URL("../../examples/zip/zip.js", import.meta.url))
const zip = (...args: ReadonlyArray<string>) => run(process.execPath, [script, ...args], { cwd: directory })

const has = (command: string): boolean => spawnSync(command, ["--version"]).status === 0

/** Expects one line on standard error, which says `sentence`, and status 1. */
const fails = async (args: ReadonlyArray<string>, sentence: RegExp): Promise<void> => {
  const { status, stderr } = await zip(...args)
  expect(stderr).toMatch(/^zip: [^\n]*\n$/)
  expect(stderr).toMatch(sentence)
  expect(status).toBe(1)
}

const holeBytes = 32 << 20
/** Archives of the demonstration's, each with README.txt, disk.img of zeros, 2,000 logs and report.txt. */
const [large, small, wide] = ["large.zip", "small.zip", "wide.zip"]
const shown = { large: "", small: "", wide: "" }

const numbersIn = (text: string): ReadonlyArray<number> =>
  [...text.matchAll(/\d[\d,.]*/g)].map(([number]) => Number(number.replaceAll(",", "").replace(/\.$/, "")))

const lineOf = (text: string, start: string): string =>
  text.split("\n").find((line) => line.startsWith(start)) ?? ""

/** The report as the demonstration makes it. */
const report = (): string => {
  let [state, text] = [1, ""]
  for (let line = 1; line <= 400_000; line++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    text += `line ${line}: ${state.toString(16)}\n`
  }
  return text
}

beforeAll(async () => {
  build()
  shown.large = (await succeeds(zip("demo", "--size", `${holeBytes}`, "--out", large))).text
  shown.small = (await succeeds(zip("demo", "--size", "1000", "--out", small))).text
  shown.wide = (await succeeds(zip("demo", "--size", "1000", "--zip64", "--out", wide))).text
}, 240_000)

describe("the zip example", () => {
  it("lists an archive behind a URL by the chunks that its directory lies in, and no byte more", async () => {
    const server = await startSendServer(directory)
    try {
      const listed = await succeeds(zip("list", `${server.url}${large}`))
      expect(listed.text).toBe((await succeeds(zip("list", large))).text)
      const archive = fs.readFileSync(join(directory, large))
      const directoryStart = archive.readUInt32LE(archive.length - 22 + 16)
      const firstChunk = directoryStart - (directoryStart % 65_536)
      // One byte more tells how long the archive is.
      expect(await server.bytesSent()).toBe(archive.length - firstChunk + 1)
      expect((await zip("list", `${server.url}none.zip`)).stderr).toMatch(/^zip: [^\n]*\(404\)\n$/)
    } finally {
      await server.close()
    }
  })

  it("extracts a member of an archive behind a URL", async () => {
    const server = await startSendServer(directory)
    try {
      const { stdout } = await succeeds(zip("extract", `${server.url}${wide}`, "README.txt"))
      expect(stdout.toString()).toBe("What lies behind disk.img is at offsets beyond it.\n")
      expect(await server.bytesSent()).toBeLessThan(fs.statSync(join(directory, wide)).size / 2)
    } finally {
      await server.close()
    }
  })

  it("lists an archive and extracts its last member with few calls, in one mebibyte", () => {
    expect(shown.large).toContain("cache      256 pages of 4,096 bytes")
    expect(numbersIn(lineOf(shown.large, "opened")).slice(1, 2)).toEqual([1])
    const [members, , calls, bytes] = numbersIn(lineOf(shown.large, "listed"))
    expect(members).toBe(2003)
    expect(calls).toBeLessThan(10)
    expect(bytes).toBeLessThan(256 << 10)
    const [memberBytes, packedBytes, offset] = numbersIn(lineOf(shown.large, "extracted"))
    expect(memberBytes).toBe(report().length)
    expect(offset).toBeGreaterThan(holeBytes)
    const [, extractCalls, extractBytes] = numbersIn(lineOf(shown.large, "           in"))
    expect(extractBytes).toBeGreaterThanOrEqual(packedBytes)
    expect(extractBytes).toBeLessThan(packedBytes + (64 << 10))
    expect(extractCalls).toBeLessThan(packedBytes / 32768)
  })

  it("leaves nothing where it was not told to", async () => {
    const before = fs.readdirSync(directory)
    const { text } = await succeeds(
      run("env", [`TMPDIR=${directory}`, process.execPath, script, "demo", "--size", "1000"], {
        cwd: directory
      })
    )
    expect(text).toContain("listed     2,003 members")
    expect(fs.readdirSync(directory)).toEqual(before)
  })

  it("makes archives that Python finds nothing wrong with", { skip: !has("python3") }, () => {
    for (const archive of [large, small, wide]) {
      const { status, stderr, stdout } = spawnSync("python3", ["-m", "zipfile", "-t", archive], {
        cwd: directory,
        encoding: "utf8"
      })
      expect(`${stdout}${stderr}`).toBe("Done testing\n")
      expect(status).toBe(0)
    }
  })

  it.each([large, small, wide])("extracts from %s what was put in", async (archive) => {
    const text = "What lies behind disk.img is at offsets beyond it.\n"
    expect((await succeeds(zip("extract", archive, "README.txt"))).text).toBe(text)
    expect((await succeeds(zip("extract", archive, "report.txt"))).text === report()).toBe(true)
    const out = `${archive}.disk`
    await succeeds(zip("extract", archive, "disk.img", "--out", out))
    const zeros = Buffer.alloc(archive === large ? holeBytes : 1000)
    expect(fs.readFileSync(join(directory, out)).equals(zeros)).toBe(true)
    expect((await succeeds(zip("extract", archive, "logs/50.txt"))).text).toBe("")
  })

  it("reads past what stands before an archive, in 32 bits and in 64", async () => {
    for (const archive of [small, wide]) {
      const moved = `moved-${archive}`
      const bytes = fs.readFileSync(join(directory, archive))
      fs.writeFileSync(join(directory, moved), Buffer.concat([Buffer.from("#!/bin/sh\nexit\n"), bytes]))
      expect((await succeeds(zip("extract", moved, "report.txt"))).text === report()).toBe(true)
    }
  })

  it("finds the end behind a comment that looks like one", async () => {
    const bytes = fs.readFileSync(join(directory, small))
    const comment = Buffer.alloc(0xffff, "PK\x05\x06")
    bytes.writeUInt16LE(comment.length, bytes.length - 2)
    fs.writeFileSync(join(directory, "comment.zip"), Buffer.concat([bytes, comment]))
    expect((await succeeds(zip("list", "comment.zip"))).text.split("\n")).toHaveLength(2004)
  })

  it("overwrites nothing", async () => {
    const before = fs.readFileSync(join(directory, small))
    await fails(["extract", small, "README.txt", "--out", small], /small\.zip exists already/)
    await fails(["demo", "--size", "1000", "--out", small], /small\.zip exists already/)
    expect(fs.readFileSync(join(directory, small)).equals(before)).toBe(true)
  })

  it("says in one line what it can't do", async () => {
    fs.writeFileSync(join(directory, "text"), "This is text, and no archive.\n".repeat(5000))
    fs.writeFileSync(join(directory, "empty"), "")
    const bytes = fs.readFileSync(join(directory, small))
    fs.writeFileSync(join(directory, "cut.zip"), bytes.subarray(0, -1))
    await fails(["list", "text"], /text is not a zip archive$/m)
    await fails(["list", "empty"], /empty is not a zip archive$/m)
    await fails(["list", "cut.zip"], /cut\.zip is cut off/)
    await fails(["extract", "cut.zip", "README.txt"], /cut\.zip is cut off/)
    await fails(["list", "nowhere"], /there is no nowhere$/m)
    await fails(["list", "."], /\. is not a regular file$/m)
    await fails(["extract", small, "nowhere"], /small\.zip has no member called nowhere$/m)
    await fails(["list"], /usage/)
    await fails(["demo", "--size", "many"], /usage/)
    await fails(["list", "--loudly", small], /--loudly/)
  })
})

describe.skipIf(!has("zip"))("the zip example on archives that zip makes", () => {
  const text = "a line of many\n".repeat(10_000)

  it("extracts what is deflated, stored, streamed, and called something else than ASCII", async () => {
    fs.mkdirSync(join(directory, "given"))
    fs.writeFileSync(join(directory, "given", "größe.txt"), text)
    for (const [name, flags] of [
      ["deflated.zip", "-9"],
      ["stored.zip", "-0"],
      ["streamed.zip", "-fd"],
      ["zip64.zip", "-fz"]
    ]) {
      expect(spawnSync("zip", ["-q", "-r", flags, name, "given"], { cwd: directory }).status).toBe(0)
      expect((await succeeds(zip("extract", name, "given/größe.txt"))).text).toBe(text)
    }
  })

  it("refuses what is encrypted", async () => {
    fs.writeFileSync(join(directory, "secret"), text)
    expect(spawnSync("zip", ["-q", "-P", "x", "e.zip", "secret"], { cwd: directory }).status).toBe(0)
    await fails(["extract", "e.zip", "secret"], /e\.zip has secret encrypted/)
    expect((await succeeds(zip("list", "e.zip"))).text).toMatch(/encrypted {2}secret\n$/)
  })
})

/** Where things are in an archive of the demonstration's. */
const placesIn = (bytes: Buffer) => {
  const end = bytes.lastIndexOf("PK\x05\x06", undefined, "latin1")
  const last = bytes.lastIndexOf("PK\x01\x02", undefined, "latin1")
  return { end, last, extra: last + 46 + "report.txt".length, header: bytes.readUInt32LE(last + 42) }
}

type Places = ReturnType<typeof placesIn>

interface Damage {
  readonly what: string
  readonly from?: string
  readonly make: (bytes: Buffer, places: Places) => void
  readonly says: RegExp
}

const damages: ReadonlyArray<Damage> = [
  {
    what: "a directory before the beginning",
    make: (bytes, { end }) => bytes.writeUInt32LE(0xfffffff0, end + 16),
    says: /its directory would lie outside of it/
  },
  {
    what: "a directory that is longer than all",
    make: (bytes, { end }) => bytes.writeUInt32LE(0xfffffff0, end + 12),
    says: /its directory would lie outside of it/
  },
  {
    what: "a directory that begins too late",
    make: (bytes, { end }) => bytes.writeUInt32LE(bytes.readUInt32LE(end + 12) - 1, end + 12),
    says: /its directory has no member at/
  },
  {
    what: "one of several volumes",
    make: (bytes, { end }) => bytes.writeUInt16LE(3, end + 4),
    says: /one of several volumes/
  },
  {
    what: "a name that reaches out of the directory",
    make: (bytes, { last }) => bytes.writeUInt16LE(0xffff, last + 28),
    says: /reaches out of its directory/
  },
  {
    what: "a member that begins behind the directory",
    make: (bytes, { last }) => bytes.writeUInt32LE(0xfffffff0, last + 42),
    says: /report\.txt would lie outside of it/
  },
  {
    what: "a member that begins where none does",
    make: (bytes, { last }) => bytes.writeUInt32LE(1, last + 42),
    says: /report\.txt is not where its directory says/
  },
  {
    what: "a member that ends behind the directory",
    make: (bytes, { last }) => bytes.writeUInt32LE(0xfffffff0, last + 20),
    says: /report\.txt would lie outside of it/
  },
  {
    what: "a member that is encrypted",
    make: (bytes, { last }) => bytes.writeUInt16LE(0x801, last + 8),
    says: /report\.txt encrypted/
  },
  {
    what: "a member that is packed another way",
    make: (bytes, { last }) => bytes.writeUInt16LE(14, last + 10),
    says: /report\.txt packed by method 14/
  },
  {
    what: "a stored member of two lengths",
    make: (bytes, { last }) => bytes.writeUInt16LE(0, last + 10),
    says: /stored with two different lengths/
  },
  {
    what: "a wrong CRC-32",
    make: (bytes, { last }) => bytes.writeUInt32LE(~bytes.readUInt32LE(last + 16) >>> 0, last + 16),
    says: /report\.txt does not have its CRC-32/
  },
  {
    what: "a member that is longer than it says",
    make: (bytes, { last }) => bytes.writeUInt32LE(1000, last + 24),
    says: /report\.txt is longer than 1000 bytes/
  },
  {
    what: "a member that is shorter than it says",
    make: (bytes, { last }) => bytes.writeUInt32LE(0xfffffff0, last + 24),
    says: /report\.txt has \d+ of 4294967280 bytes/
  },
  {
    what: "data that ends too early",
    make: (bytes, { last }) => bytes.writeUInt32LE(1000, last + 20),
    says: /report\.txt can't be unpacked/
  },
  {
    what: "data that can't be unpacked",
    make: (bytes, { header }) => bytes.fill(0xff, header + 40, header + 1000),
    says: /report\.txt can't be unpacked/
  },
  {
    what: "a number beyond 2^53",
    from: wide,
    make: (bytes, { extra }) => bytes.writeBigUInt64LE(2n ** 60n, extra + 4),
    says: /the number at \d+ is beyond 2\^53/
  },
  {
    what: "an offset of 64 bits that leads nowhere",
    from: wide,
    make: (bytes, { extra }) => bytes.writeBigUInt64LE(2n ** 53n - 1n, extra + 20),
    says: /report\.txt would lie outside of it/
  },
  {
    what: "a Zip64 field that is too short",
    from: wide,
    make: (bytes, { extra }) => bytes.writeUInt16LE(8, extra + 2),
    says: /the Zip64 field of report\.txt is too short/
  },
  {
    what: "a Zip64 record that is not there",
    from: wide,
    make: (bytes, { end }) => bytes.writeUInt32LE(0, end - 20 - 56),
    says: /its Zip64 record is not where it should be/
  }
]

describe("the zip example on damaged archives", () => {
  it.each(damages)("says in one line that there is $what", async ({ from = small, make, says }) => {
    const bytes = fs.readFileSync(join(directory, from))
    make(bytes, placesIn(bytes))
    fs.writeFileSync(join(directory, "damaged.zip"), bytes)
    await fails(["extract", "damaged.zip", "report.txt", "--out", "extracted"], says)
    expect(fs.existsSync(join(directory, "extracted"))).toBe(false)
  })

  it("shows no name that a terminal would obey", async () => {
    const bytes = fs.readFileSync(join(directory, small))
    const { last } = placesIn(bytes)
    bytes.write("\x1b[2J\n", last + 46)
    fs.writeFileSync(join(directory, "name.zip"), bytes)
    expect((await succeeds(zip("list", "name.zip"))).text).toMatch(/ {2}\?\[2J\?t\.txt\n$/)
    await fails(["extract", "name.zip", "report.txt"], /has no member called report\.txt$/m)
  })
})
