import { describe, expect, it } from "vitest"
import { pageExtents } from "../../src/bytes/extentList.ts"
import { BadLiveList } from "../../src/cli/errors.ts"
import { extentRuns } from "../../src/cli/extentRuns.ts"
import { liveListParser } from "../../src/cli/liveListParser.ts"

const utf8 = new TextEncoder()

/** Parses `text` in pieces of `pieceBytes`. */
const parse = (text: string | Uint8Array, options: { sourceBytes?: number; pieceBytes?: number } = {}) => {
  const { pieceBytes = Infinity, sourceBytes = Number.MAX_SAFE_INTEGER } = options
  const extents: Array<[number, number]> = []
  const parser = liveListParser({
    name: "list",
    sourceBytes,
    onExtent: (offset, length) => extents.push([offset, length])
  })
  const bytes = typeof text === "string" ? utf8.encode(text) : text
  for (let at = 0; at < bytes.length; at += pieceBytes) parser.push(bytes.subarray(at, at + pieceBytes))
  parser.end()
  return extents
}

const faultOf = (text: string | Uint8Array, options: { sourceBytes?: number; pieceBytes?: number } = {}) => {
  try {
    parse(text, options)
  } catch (error) {
    if (error instanceof BadLiveList) return error.message
    throw error
  }
  throw new Error(`no fault found in ${JSON.stringify(text)}`)
}

describe("a live list", () => {
  it("is one extent a line", () => {
    expect(parse("0 10\n20 5\n")).toEqual([
      [0, 10],
      [20, 5]
    ])
  })

  it("may have comments, blank lines, tabs, CRLF, and no end of its last line", () => {
    expect(parse("# head 1 2\r\n\r\n  7\t \t8  \r\n  # indented\n9 1#close\n10 2 # far\n\t\n11   3")).toEqual(
      [
        [7, 8],
        [9, 1],
        [10, 2],
        [11, 3]
      ]
    )
  })

  it("may be empty, or hold comments only", () => {
    expect(parse("")).toEqual([])
    expect(parse("# nothing")).toEqual([])
    expect(parse("#\n\n")).toEqual([])
  })

  it("may begin with a byte order mark", () => {
    expect(parse("\ufeff1 2\n")).toEqual([[1, 2]])
    expect(parse("\ufeff1 2\n", { pieceBytes: 1 })).toEqual([[1, 2]])
    expect(faultOf(Uint8Array.of(0xef, 0x31, 0x20, 0x31))).toContain("line 1: expected an offset")
    expect(faultOf(Uint8Array.of(0xef, 0xbb))).toContain("line 1: expected an offset")
    expect(faultOf("1 2\n\ufeff1 2\n")).toContain("line 2: expected an offset")
  })

  it("means the same in pieces of any size", () => {
    const text = "# c\r\n123456789 42\n\n9007199254740990 1 # end\n007 08\n5\t6"
    const whole = parse(text)
    expect(whole).toHaveLength(4)
    for (let pieceBytes = 1; pieceBytes < text.length; pieceBytes++) {
      expect(parse(text, { pieceBytes })).toEqual(whole)
    }
  })

  it("reaches to 2^53-1 and no further", () => {
    expect(parse("0 9007199254740991\n")).toEqual([[0, 9007199254740991]])
    expect(parse("9007199254740991 0\n")).toEqual([[9007199254740991, 0]])
    expect(faultOf("9007199254740992 0\n")).toBe(
      'list, line 1: a number is beyond 2^53-1: "9007199254740992 0"'
    )
    expect(faultOf("0 9007199254740992\n")).toContain("a number is beyond 2^53-1")
    expect(faultOf("0 9007199254740993\n")).toContain("a number is beyond 2^53-1")
    expect(faultOf("9007199254740991 1\n")).toBe(
      'list, line 1: the range ends beyond 2^53-1: "9007199254740991 1"'
    )
    expect(faultOf(`0 ${"9".repeat(400)}`)).toContain("line 1")
  })

  it.each([
    ["5\n", "the length is missing"],
    ["5 # 6\n", "the length is missing"],
    ["-5 6\n", "offsets and lengths can't be negative"],
    ["5 -6\n", "offsets and lengths can't be negative"],
    ["1.5 3\n", "offsets and lengths are whole numbers"],
    ["1 .5\n", "offsets and lengths are whole numbers"],
    ["1 2 3\n", "expected an offset and a length in bytes"],
    ["1,2\n", "expected an offset and a length in bytes"],
    ["1e3 2\n", "expected an offset and a length in bytes"],
    ["0x10 2\n", "expected an offset and a length in bytes"],
    ["+1 2\n", "expected an offset and a length in bytes"],
    ["one two\n", "expected an offset and a length in bytes"]
  ])("with the line %j is refused, with its number and what stood there", (bad, reason) => {
    for (const pieceBytes of [1, 2, 3, 1000]) {
      const message = faultOf(`0 1\r\n# c\n${bad}4 4\n`, { pieceBytes })
      expect(message).toContain("list, line 3: ")
      expect(message).toContain(reason)
      expect(message).toContain(JSON.stringify(bad.trimEnd()))
    }
    expect(faultOf(bad.trimEnd())).toContain(`list, line 1: ${reason}`)
  })

  it("is quoted in one short line however long and strange the wrong one is", () => {
    for (const pieceBytes of [1, 7, 100_000]) {
      const message = faultOf(`1 1\n\u0001\u001b[31m\u0000${"x".repeat(50_000)}\n`, { pieceBytes })
      expect(message).toBe(
        `list, line 2: expected an offset and a length in bytes, found "\\u0001\\u001b[31m\\u0000${"x".repeat(33)}"…`
      )
    }
  })

  it("with a range beyond the source is refused with its line", () => {
    expect(parse("90 10\n100 0\n", { sourceBytes: 100 })).toHaveLength(2)
    expect(faultOf("0 5\n90 11\n", { sourceBytes: 100 })).toBe(
      "list, line 2: the range of 11 bytes at 90 ends at 101, beyond the source's end at 100"
    )
    expect(faultOf("101 0", { sourceBytes: 100 })).toContain("line 1: the range of 0 bytes at 101")
  })
})

describe("uniting extents", () => {
  const unite = (extents: ReadonlyArray<readonly [number, number]>) => {
    const runs = extentRuns()
    for (const [offset, length] of extents) runs.add(offset, length)
    const united = runs.unite()
    return { ...united, list: [...united].map(({ length, offset }) => [offset, length]) }
  }

  it("of nothing is nothing", () => {
    expect(unite([])).toMatchObject({ list: [], count: 0, bytes: 0, duplicates: 0, overlaps: 0 })
  })

  it("sorts, drops duplicates, unites overlaps and leaves what only touches", () => {
    expect(
      unite([
        [50, 10],
        [0, 10],
        [10, 5],
        [50, 10],
        [55, 10],
        [0, 3]
      ])
    ).toMatchObject({
      list: [
        [0, 10],
        [10, 5],
        [50, 15]
      ],
      count: 3,
      bytes: 30,
      duplicates: 1,
      overlaps: 2
    })
  })

  it("counts the same in whatever order they come", () => {
    const one = unite([
      [0, 5],
      [0, 10],
      [0, 10],
      [2, 3]
    ])
    const other = unite([
      [2, 3],
      [0, 10],
      [0, 5],
      [0, 10]
    ])
    expect(one).toMatchObject({ list: [[0, 10]], duplicates: 1, overlaps: 2 })
    expect(other).toMatchObject({ list: one.list, duplicates: 1, overlaps: 2 })
  })

  it("finds duplicates among more extents at one offset than a list holds", () => {
    const lengths = Array.from({ length: 2 * pageExtents }, (_, i) => 1 + ((i * 7919) % pageExtents))
    expect(unite(lengths.map((length) => [3, length]))).toMatchObject({
      list: [[3, pageExtents]],
      duplicates: pageExtents,
      overlaps: pageExtents - 1
    })
  })

  it("merges many lists, in order and out of it", () => {
    const count = 600_000
    const ascending = extentRuns()
    const shuffled = extentRuns()
    for (let i = 0; i < count; i++) {
      ascending.add(i * 10, 4)
      shuffled.add(((i * 7919) % count) * 10, 4) // 7919 is prime and divides no count: a permutation
    }
    for (let i = 0; i < 100; i++) shuffled.add(i * 1000, 4)
    const a = ascending.unite()
    const b = shuffled.unite()
    expect([a.count, a.bytes, a.duplicates, a.overlaps]).toEqual([count, 4 * count, 0, 0])
    expect([b.count, b.bytes, b.duplicates, b.overlaps]).toEqual([count, 4 * count, 100, 0])
    let at = 0
    for (const { length, offset } of b) {
      if (offset !== at || length !== 4) throw new Error(`${offset}+${length} where ${at}+4 belongs`)
      at += 10
    }
    expect(at).toBe(10 * count)
  })
})
