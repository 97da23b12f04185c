import { assert, describe, it } from "vitest"
import { type ByteRange, parseRange, rangesWithin } from "../../src/cli/ranges.ts"

describe("a range of bytes", () => {
  it.each([
    ["0-499", { first: 0, last: 499 }],
    ["7-7", { first: 7, last: 7 }],
    ["500-", { first: 500, last: undefined }],
    ["-500", { suffix: 500 }],
    ["0-9007199254740991", { first: 0, last: 2 ** 53 - 1 }]
  ] as const)("is read from %s", (text, range: ByteRange) => {
    assert.deepStrictEqual(parseRange(text), range)
  })

  it.each(["", "-", "5", "9-8", "a-b", "1-2-3", " 1-2", "1 - 2", "-0x5", "0-9007199254740992", "1e3-"])(
    "is not read from %j",
    (text) => assert.isUndefined(parseRange(text))
  )
})

describe("ranges within an object", () => {
  const within = (length: number, ...texts: ReadonlyArray<string>) =>
    rangesWithin(
      texts.map((text) => parseRange(text)!),
      length
    )

  it("include both ends, and stop where the object does", () => {
    assert.deepStrictEqual(within(100, "0-0"), [{ offset: 0, length: 1 }])
    assert.deepStrictEqual(within(100, "90-500"), [{ offset: 90, length: 10 }])
    assert.deepStrictEqual(within(100, "90-"), [{ offset: 90, length: 10 }])
    assert.deepStrictEqual(within(100, "-10"), [{ offset: 90, length: 10 }])
    assert.deepStrictEqual(within(100, "-1000"), [{ offset: 0, length: 100 }])
  })

  it("are ascending and united, and none is empty", () => {
    assert.deepStrictEqual(within(100, "50-59", "0-9", "5-19", "20-29", "-0", "100-200"), [
      { offset: 0, length: 30 },
      { offset: 50, length: 10 }
    ])
    assert.deepStrictEqual(within(0, "0-", "-5"), [])
  })
})
