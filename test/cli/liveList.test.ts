import { describe, expect, it } from "vitest"
import { BadLiveList } from "../../src/cli/errors.ts"
import { liveListParser } from "../../src/cli/liveListParser.ts"

const utf8 = new TextEncoder()

/** Parses `text` in pieces of `pieceBytes`. */
const parse = (text: string | Uint8Array, options: { sourceBytes?: number; pieceBytes?: number } = {}) => {
  const { pieceBytes = Infinity, sourceBytes = Number.MAX_SAFE_INTEGER } = options
  const extents: Array<[number, number]> = []
  const parser = liveListParser({
    name: "list",
    source: "source",
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
