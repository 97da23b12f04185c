import { describe, expect, it } from "vitest"
import { counted, duration, exactSize, savings, share, size, table } from "../../src/cli/figures.ts"
import { progressLine } from "../../src/cli/progress.ts"

describe("figures for people", () => {
  it("give bytes in the unit that leaves a whole part", () => {
    expect([0, 1, 2, 1023, 1024, 1536, 10 * 1024, 1024 * 1024 - 1].map(size)).toEqual([
      "0 bytes",
      "1 byte",
      "2 bytes",
      "1023 bytes",
      "1.0 KiB",
      "1.5 KiB",
      "10.0 KiB",
      "1.0 MiB"
    ])
    expect([150 * 1024, 2 ** 30, Number.MAX_SAFE_INTEGER].map(size)).toEqual([
      "150 KiB",
      "1.0 GiB",
      "8.0 PiB"
    ])
    expect(exactSize(1_536_000)).toBe("1.5 MiB (1,536,000 bytes)")
  })

  it("count nouns", () => {
    expect([counted(1, "extent"), counted(0, "extent"), counted(1234, "entry", "entries")]).toEqual([
      "1 extent",
      "0 extents",
      "1,234 entries"
    ])
  })

  it("give times as long as they matter", () => {
    expect([0.4, 12, 999.4, 3449, 99_900, 125_000].map(duration)).toEqual([
      "0 ms",
      "12 ms",
      "999 ms",
      "3.4 s",
      "99.9 s",
      "2 min 05 s"
    ])
  })

  it("give shares and savings, also of nothing and of less than nothing", () => {
    expect([share(1, 3), share(0, 0)]).toEqual(["33.3 %", "0.0 %"])
    expect(savings(50, 200)).toBe("50 bytes, 25.0 %")
    expect(savings(-5, 200)).toBe("nothing, it takes 5 bytes more")
  })

  it("stand in one column", () => {
    expect(
      table([
        ["a", "1"],
        ["long", "2"],
        ["", "3"]
      ])
    ).toEqual(["a     1", "long  2", "      3"])
  })
})

describe("the line of progress", () => {
  it("tells percent, bytes, speed and the time left", () => {
    expect(progressLine("compacting", { bytes: 1 << 20, total: 4 << 20 }, 1000)).toBe(
      "compacting: 25 %, 1.0 MiB of 4.0 MiB, 1.0 MiB/s, 3.0 s left"
    )
  })

  it("tells what there is before anything is known", () => {
    expect(progressLine("verifying", { bytes: 0, total: 0 }, 100)).toBe("verifying: 0 bytes, 0 bytes/s")
    expect(progressLine("verifying", { bytes: 0, total: 10 }, 0)).toBe(
      "verifying: 0 %, 0 bytes of 10 bytes, 0 bytes/s"
    )
  })

  it("never tells more than all of it", () => {
    expect(progressLine("x", { bytes: 20, total: 10 }, 1000)).toContain("x: 100 %")
  })
})
