import { describe, expect, it } from "vitest"
import { picture } from "../../src/cli/picture.ts"

describe("the picture of a sparse file", () => {
  it("shows each cell as dark as its share of live bytes", () => {
    // 64 columns of one byte each, as far as there are bytes.
    const extents = [
      { offset: 0, length: 4 },
      { offset: 10, length: 70 }
    ]
    expect(picture(extents, { span: 80, width: 80 })).toEqual([
      " 0 bytes │████      ██████████████████████████████████████████████████████│",
      "64 bytes │████████████████                                                │",
      "80 bytes ╵",
      "each cell 1 byte: blank nothing kept, ░▒▓ some, █ all"
    ])
  })

  it("is blank only where nothing is kept, and full only where all is", () => {
    const mebibyte = 1 << 20
    const cell = mebibyte / 1024 // 64 columns and 16 rows
    const extents = [
      { offset: 0, length: 1 },
      { offset: cell, length: cell / 2 },
      { offset: 2 * cell, length: cell - 1 },
      { offset: 3 * cell, length: 2 * cell },
      { offset: mebibyte - 1, length: 1 }
    ]
    const lines = picture(extents, { span: mebibyte, width: 80 })
    expect(lines).toHaveLength(18)
    expect(lines[0]).toBe(` 0 bytes │░▒▓██${" ".repeat(59)}│`)
    expect(lines[1]).toBe(`64.0 KiB │${" ".repeat(64)}│`)
    expect(lines[15]).toBe(` 960 KiB │${" ".repeat(63)}░│`)
    expect(lines[16]).toBe(" 1.0 MiB ╵")
  })

  it("counts a last cell that is cut off as full when all there is of it is kept", () => {
    const lines = picture([{ offset: 0, length: 2049 }], { span: 2049, width: 80 })
    // Cells of 4 bytes: 512 whole ones and one of a single byte.
    expect(lines[8]).toBe("  2.0 KiB │█" + " ".repeat(63) + "│")
  })

  it("fits the terminal and one screen, from bytes to exbibytes", () => {
    for (const width of [20, 40, 79, 80, 120, 160, 300]) {
      for (const span of [1, 1000, 123_456_789, 2 ** 40 + 1, Number.MAX_SAFE_INTEGER]) {
        const lines = picture([{ offset: span - 1, length: 1 }], { span, width })
        expect(lines.length).toBeLessThanOrEqual(18)
        const grid = lines.filter((line) => line.includes("│"))
        for (const line of grid) expect(line.length).toBeLessThanOrEqual(Math.max(30, width))
        expect(grid.at(-1)).toMatch(/[░█] *│$/)
      }
    }
  })

  it("of nothing says so", () => {
    expect(picture([], { span: 0, width: 80 })).toEqual(["(nothing was kept)"])
  })
})
