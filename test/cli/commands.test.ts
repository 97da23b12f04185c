import fs from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { build, lacunaIn, run, succeeds, temporaryDirectory } from "./lacuna.ts"

const directory = temporaryDirectory()
const lacuna = lacunaIn(directory)
const at = (name: string): string => join(directory, name)

const sourceBytes = 100_000
const source = Buffer.from(Uint8Array.from({ length: sourceBytes }, (_, i) => (i * 7 + (i >> 8) * 13) & 0xff))

// Kept: [0, 25), [100, 150), [150, 200) + a gap of 10 + [210, 215), and the last 10,000 bytes.
const live = "0 10\n0 10\n5 20\n100 50\n150 50\n210 5\n500 0 # empty\n90000 10000\n"
const keptExtents = [
  [0, 25],
  [100, 115],
  [90_000, 10_000]
] as const

beforeAll(async () => {
  build()
  fs.writeFileSync(at("source"), source)
  fs.writeFileSync(at("live"), live)
  await succeeds(lacuna(["compact", "source", "--live", "live", "--out", "sparse"]))
}, 120_000)

describe.concurrent("lacuna compact", () => {
  it("says what was given, united, fused and kept, as JSON", async () => {
    const ended = await succeeds(
      lacuna(["compact", "source", "--live", "-", "--out", "as-json", "--json"], live)
    )
    const result = JSON.parse(ended.text)
    expect(result).toMatchObject({
      source: "source",
      out: "as-json",
      dryRun: false,
      sourceBytes,
      given: 8,
      empty: 1,
      duplicates: 1,
      overlaps: 1,
      fused: 2,
      extents: 3,
      liveBytes: 10_130,
      gapBytes: 10,
      dataBytes: 10_140
    })
    expect(result.dataBytes).toBe(fs.statSync(at("as-json")).size)
    expect(result.mapBytes).toBe(fs.statSync(at("as-json.map")).size)
    expect(result.savedBytes).toBe(sourceBytes - result.dataBytes - result.mapBytes)
  })

  it("says the same to people", async () => {
    const { text } = await succeeds(lacuna(["compact", "source", "--live", "live", "--out", "for-people"]))
    expect(text).toMatch(/^for-people holds:\n/)
    expect(text).toMatch(/extents given {2}8, 1 of them empty/)
    expect(text).toMatch(/united +1 duplicate and 1 overlap/)
    expect(text).toMatch(/fused +2, with 10 bytes of gaps/)
    expect(text).toMatch(/extents kept +3\n/)
    expect(text).toMatch(/source +97\.7 KiB \(100,000 bytes\)/)
  })

  it("keeps no gap with --max-gap 0, and fuses only what touches", async () => {
    const args = ["compact", "source", "--live", "live", "--out", "no-gap", "--max-gap", "0", "--json"]
    const result = JSON.parse((await succeeds(lacuna(args))).text)
    expect(result).toMatchObject({ fused: 1, extents: 4, gapBytes: 0, dataBytes: 10_130 })
  })

  it("writes nothing in a dry run, and foretells the same", async () => {
    const args = ["compact", "source", "--live", "live", "--out", "dry", "--dry-run", "--json"]
    const result = JSON.parse((await succeeds(lacuna(args))).text)
    expect(result).toMatchObject({ dryRun: true, extents: 3, fused: 2, dataBytes: 10_140, mapBytes: null })
    expect(fs.readdirSync(directory).filter((name) => name.startsWith("dry"))).toEqual([])
  })

  it("takes a list from a pipe that has a name", async () => {
    const script = `"$0" "$1" compact source --live <(cat live) --out from-pipe`
    const { main } = await import("./lacuna.ts")
    await succeeds(run("bash", ["-c", script, process.execPath, main], { cwd: directory }))
    expect(fs.readFileSync(at("from-pipe"))).toEqual(fs.readFileSync(at("sparse")))
  })

  it("makes a whole sparse file of nothing", async () => {
    await succeeds(lacuna(["compact", "source", "--live", "-", "--out", "nothing"], "# all dead\n"))
    await succeeds(lacuna(["verify", "nothing", "--against", "source"]))
    expect((await succeeds(lacuna(["inspect", "nothing"]))).text).toContain("(nothing was kept)")
    await succeeds(lacuna(["expand", "nothing", "--out", "nothing.expanded"]))
    expect(fs.statSync(at("nothing.expanded")).size).toBe(0)
  })
})

describe.concurrent("lacuna read", () => {
  it("gives the bytes at an old offset", async () => {
    for (const [offset, length] of [
      [0, 25],
      [110, 7],
      [200, 10], // the gap that was fused over
      [99_999, 1]
    ]) {
      const args = ["read", "sparse", "--offset", `${offset}`, "--length", `${length}`]
      expect((await succeeds(lacuna(args))).stdout).toEqual(source.subarray(offset, offset + length))
    }
  })

  it("goes to the end of what was kept there, without a length", async () => {
    const { stdout } = await succeeds(lacuna(["read", "sparse", "--offset", "90001"]))
    expect(stdout).toEqual(source.subarray(90_001))
  })

  it("reads no bytes anywhere", async () => {
    const { stdout } = await succeeds(lacuna(["read", "sparse", "--offset", "300", "--length", "0"]))
    expect(stdout).toHaveLength(0)
  })

  it("gives runs longer than a piece, also across extents that only touch", async () => {
    const big = Buffer.from(Uint8Array.from({ length: 700_001 }, (_, i) => (i * 31) ^ (i >> 9)))
    fs.writeFileSync(at("big"), big)
    await succeeds(lacuna(["compact", "big", "--live", "-", "--out", "big.sparse"], "1 700000\n"))
    const { stdout } = await succeeds(lacuna(["read", "big.sparse", "--offset", "1"]))
    expect(stdout.equals(big.subarray(1))).toBe(true)
  })
})

describe.concurrent("lacuna expand", () => {
  it("puts the live bytes back at their old offsets, with holes elsewhere", async () => {
    await succeeds(lacuna(["expand", "sparse", "--out", "expanded"]))
    const wanted = Buffer.alloc(sourceBytes)
    for (const [offset, length] of keptExtents) source.copy(wanted, offset, offset, offset + length)
    expect(fs.readFileSync(at("expanded")).equals(wanted)).toBe(true)
    expect(fs.statSync(at("expanded")).blocks * 512).toBeLessThan(sourceBytes / 2)
    expect(fs.existsSync(at("expanded.tmp"))).toBe(false)
    await succeeds(lacuna(["verify", "sparse", "--against", "expanded"]))
  })

  it("leaves zeros in every gap, however many pieces it takes", async () => {
    const size = 5_000_000
    const bytes = Buffer.from(Uint8Array.from({ length: size }, (_, i) => ((i * 131) ^ (i >> 11)) | 1))
    fs.writeFileSync(at("gappy"), bytes)
    const wanted = Buffer.alloc(size)
    let list = ""
    // Gaps smaller and larger than a block, extents smaller and larger than a piece, and a leap.
    for (let offset = 3, i = 0; offset < size - 700_000; i++) {
      const length = i === 900 ? 600_000 : 1 + ((i * 7919) % 1500)
      list += `${offset} ${length}\n`
      bytes.copy(wanted, offset, offset, offset + length)
      offset += length + (i % 50 === 0 ? 20_000 : i === 700 ? 900_000 : 33 + ((i * 31) % 900))
    }
    const compacted = lacuna(
      ["compact", "gappy", "--live", "-", "--out", "gappy.sparse", "--max-gap", "0"],
      list
    )
    await succeeds(compacted)
    await succeeds(lacuna(["verify", "gappy.sparse", "--against", "gappy"]))
    await succeeds(lacuna(["expand", "gappy.sparse", "--out", "gappy.expanded"]))
    const expanded = fs.readFileSync(at("gappy.expanded"))
    expect(expanded.equals(wanted.subarray(0, expanded.length))).toBe(true)
    expect(wanted.subarray(expanded.length).every((byte) => byte === 0)).toBe(true)
  })

  it("says what it wrote as JSON", async () => {
    const result = JSON.parse((await succeeds(lacuna(["expand", "sparse", "--out", "e2", "--json"]))).text)
    expect(result).toMatchObject({ path: "sparse", out: "e2", liveBytes: 10_140, fileBytes: sourceBytes })
  })

  it("takes over what an expansion that was killed left behind", async () => {
    fs.writeFileSync(at("e3.tmp"), "x".repeat(200_000))
    await succeeds(lacuna(["expand", "sparse", "--out", "e3"]))
    await succeeds(lacuna(["verify", "sparse", "--against", "e3"]))
    expect(fs.statSync(at("e3")).size).toBe(sourceBytes)
  })
})

describe.concurrent("lacuna verify", () => {
  it("finds a whole file whole, and equal to its source", async () => {
    expect((await succeeds(lacuna(["verify", "sparse"]))).text).toMatch(/^sparse is whole: 3 extents, .*hold/)
    const { text } = await succeeds(lacuna(["verify", "sparse", "--against", "source", "--json"]))
    expect(JSON.parse(text)).toMatchObject({ ok: true, against: "source", extents: 3, liveBytes: 10_140 })
  })

  it("tells the first offset at which the source holds another byte", async () => {
    const other = Buffer.from(source)
    other[50] ^= 1 // dead
    other[213] ^= 1
    other[95_000] ^= 1
    fs.writeFileSync(at("other"), other)
    const ended = await lacuna(["verify", "sparse", "--against", "other", "--json"])
    expect(ended.status).toBe(1)
    expect(JSON.parse(ended.text)).toMatchObject({ ok: false, error: "Different", offset: 213 })
    expect(ended.stderr).toMatch(/^lacuna: sparse differs from other at offset 213: 0x.. here, 0x.. there\n$/)
  })

  it("tells a source that is too short", async () => {
    fs.writeFileSync(at("short"), source.subarray(0, 95_000))
    const ended = await lacuna(["verify", "sparse", "--against", "short"])
    expect(ended.status).toBe(1)
    expect(ended.stderr).toMatch(
      /^lacuna: short has 95000 bytes, and an extent that was kept ends at 100000: .*\n$/
    )
  })

  it("tells a damaged byte of the data", async () => {
    const data = fs.readFileSync(at("sparse"))
    data[5000] ^= 4
    fs.writeFileSync(at("damaged"), data)
    fs.copyFileSync(at("sparse.map"), at("damaged.map"))
    const ended = await lacuna(["verify", "damaged", "--json"])
    expect(ended.status).toBe(1)
    expect(JSON.parse(ended.text)).toMatchObject({ ok: false, error: "Corrupt" })
    expect(ended.stderr).toMatch(/^lacuna: damaged is damaged at \d+: .*\n$/)
  })
})

describe.concurrent("lacuna inspect", () => {
  it("gives totals and the largest holes as JSON", async () => {
    const result = JSON.parse((await succeeds(lacuna(["inspect", "sparse", "--json"]))).text)
    const mapBytes = fs.statSync(at("sparse.map")).size
    expect(result).toEqual({
      path: "sparse",
      extents: 3,
      liveBytes: 10_140,
      virtualSpan: sourceBytes,
      dataBytes: 10_140,
      mapBytes,
      mapBytesPerExtent: mapBytes / 3,
      savedBytes: sourceBytes - 10_140 - mapBytes,
      largestHoles: [
        { offset: 215, length: 89_785 },
        { offset: 25, length: 75 }
      ]
    })
  })

  it("shows figures and the picture", async () => {
    const { text } = await succeeds(lacuna(["inspect", "sparse"]))
    expect(text).toMatch(/largest holes {2}87\.7 KiB \(89,785 bytes\) at 215\n/)
    expect(text).toContain(` 0 bytes │▒▓${" ".repeat(62)}│\n`)
    expect(text).toContain(`88.0 KiB │${"█".repeat(64)}│\n`)
  })

  it("writes a page that needs nothing else, and in which names are text", async () => {
    for (const suffix of ["", ".map"]) fs.copyFileSync(at(`sparse${suffix}`), at(`<b>&${suffix}`))
    await succeeds(lacuna(["inspect", "<b>&", "--html", "page.html"]))
    const page = fs.readFileSync(at("page.html"), "utf8")
    expect(page).toContain("<h1>&lt;b&gt;&amp;</h1>")
    expect(page).not.toMatch(/<b>|<script|http/)
    expect(page).toContain("89,785 bytes")
  })
})

describe.concurrent("lacuna", () => {
  it("tells its version, and how it is called", async () => {
    const { version } = JSON.parse(fs.readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
    expect((await succeeds(lacuna(["--version"]))).text).toBe(`lacuna ${version}\n`)
    expect((await succeeds(lacuna([]))).text).toContain("lacuna <subcommand>")
    for (const args of [
      ["compact", "--help"],
      ["help", "compact"]
    ]) {
      expect((await succeeds(lacuna(args))).text).toContain("--max-gap N")
    }
  })

  it("doctor says what of the machine is at work", async () => {
    const result = JSON.parse((await succeeds(lacuna(["doctor", "--json"]))).text)
    expect(result.node).toBe(process.versions.node)
    expect(["koffi", "mmap-io", "none"]).toContain(result.mapping)
    expect(result.providers.map((provider: { name: string }) => provider.name)).toContain(
      "fs-native-extensions"
    )
    expect(result.directory.writing.works).toBe(true)
    expect((await succeeds(lacuna(["doctor"]))).text).toMatch(/mapping +(koffi|mmap-io|none)/)
    expect(fs.readdirSync(directory).filter((name) => name.startsWith(".lacuna"))).toEqual([])
    expect((await succeeds(lacuna(["doctor", "none"]))).text).toMatch(/writing +no: there is no none$/m)
  })

  it("demo shows it all, and leaves nothing behind", async () => {
    const temporary = fs.mkdtempSync(at("tmp-"))
    const ended = await succeeds(
      run("env", [`TMPDIR=${temporary}`, process.execPath, (await import("./lacuna.ts")).main, "demo"], {
        cwd: directory
      })
    )
    expect(ended.text).toContain("is the same byte for byte")
    expect(ended.text).toContain("█ all")
    expect(fs.readdirSync(temporary)).toEqual([])
  })
})
