/**
 * The law of live lists: parsing in pieces gives what reading the text whole and splitting it into
 * words gives; and where the text is wrong, both name the same line.
 */
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { BadLiveList } from "../src/cli/errors.ts"
import { liveListParser } from "../src/cli/liveListParser.ts"
import { runProperty } from "./runs.ts"

const sourceBytes = 300

interface Outcome {
  readonly extents: ReadonlyArray<readonly [offset: number, length: number]>
  readonly wrongLine: number | undefined
}

/** Too simple to be wrong: whole lines, words, and a regular expression. */
const model = (text: string): Outcome => {
  const extents: Array<[number, number]> = []
  const lines = text.replace(/^\ufeff/, "").split("\n")
  for (const [i, line] of lines.entries()) {
    const words = line
      .replace(/#.*$/s, "")
      .split(/[ \t\r]+/)
      .filter((word) => word !== "")
    if (words.length === 0) continue
    const isExtent =
      words.length === 2 &&
      words.every((word) => /^[0-9]+$/.test(word)) &&
      BigInt(words[0]) + BigInt(words[1]) <= BigInt(sourceBytes)
    if (!isExtent) return { extents, wrongLine: i + 1 }
    extents.push([Number(words[0]), Number(words[1])])
  }
  return { extents, wrongLine: undefined }
}

/** The parser, given `text` in pieces whose sizes are `sizes`, over and over. */
const parse = (text: string, sizes: ReadonlyArray<number>): Outcome => {
  const extents: Array<[number, number]> = []
  const parser = liveListParser({
    source: "source",
    name: "list",
    sourceBytes,
    onExtent: (offset, length) => extents.push([offset, length])
  })
  const bytes = new TextEncoder().encode(text)
  try {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = sizes[i % sizes.length]
      parser.push(bytes.subarray(at, at + size))
      at += size
    }
    parser.end()
    return { extents, wrongLine: undefined }
  } catch (error) {
    if (!(error instanceof BadLiveList)) throw error
    return { extents, wrongLine: error.line }
  }
}

const number = fc.oneof(
  { weight: 20, arbitrary: fc.nat({ max: 150 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("0", "007", "150", "300", "301", "9007199254740991", "9007199254740992")
  }
)
const gap = fc.constantFrom(" ", "\t", "  ", " \t ")
const end = fc.constantFrom("\n", "\r\n", "\n\n", " \n", " # why\n", "#x 1 2\r\n")
const goodLine = fc
  .tuple(fc.constantFrom("", " ", "\t"), number, gap, number, end)
  .map((parts) => parts.join(""))
const anyLine = fc
  .array(fc.constantFrom("0", "1", "9", " ", "\t", "\r", "#", "-", ".", "e", "x", "é", "\ufeff"), {
    maxLength: 8
  })
  .map((characters) => `${characters.join("")}\n`)
const list = fc
  .tuple(
    fc.array(fc.oneof({ weight: 12, arbitrary: goodLine }, { weight: 1, arbitrary: anyLine }), {
      maxLength: 12
    }),
    fc.constantFrom("", "", "3 4", "3 4 #", "5", "# end")
  )
  .map(([lines, last]) => lines.join("") + last)
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })

it("a live list means the same in pieces as whole, and is wrong in the same line", async () => {
  await runProperty(
    fc.property(list, sizes, (text, pieces) => {
      expect(parse(text, pieces)).toEqual(model(text))
    }),
    { runs: 20_000 }
  )
})
