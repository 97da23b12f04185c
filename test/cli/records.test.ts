import { describe, expect, it } from "vitest"
import { recordSplitter } from "../../src/cli/records.ts"

/** The records of `text`, given in pieces of `pieceBytes`. */
const recordsOf = (
  text: string,
  options: { lines: boolean; pieceBytes?: number; partBytes?: number }
): ReadonlyArray<string> => {
  const { pieceBytes = Infinity, ...rest } = options
  const splitter = recordSplitter(rest)
  const bytes = Buffer.from(text)
  const parts = []
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    parts.push(...splitter.push(Uint8Array.from(bytes.subarray(at, at + pieceBytes))))
  }
  parts.push(...splitter.end())
  return parts.map(({ bytes, last }) => Buffer.from(bytes).toString() + (last ? "" : "…"))
}

describe("records of an input", () => {
  it("are its lines, without their line feeds, however they come", () => {
    for (const pieceBytes of [1, 2, 3, 5, 100]) {
      const lines = (text: string) => recordsOf(text, { lines: true, pieceBytes })
      expect(lines("one\ntwo\n")).toEqual(["one", "two"])
      expect(lines("one\ntwo")).toEqual(["one", "two"])
      expect(lines("\n\na\r\n\nb")).toEqual(["", "", "a\r", "", "b"])
      expect(lines("\n")).toEqual([""])
      expect(lines("")).toEqual([])
    }
  })

  it("are the whole of it", () => {
    for (const pieceBytes of [1, 2, 100]) {
      expect(recordsOf("one\ntwo\n", { lines: false, pieceBytes })).toEqual(["one\ntwo\n"])
      expect(recordsOf("", { lines: false, pieceBytes })).toEqual([""])
    }
  })

  it("come in parts where they are longer than a chunk, of which only the last one ends them", () => {
    const options = { lines: true, pieceBytes: 2, partBytes: 4 }
    expect(recordsOf("abcdefg\nh\n", options)).toEqual(["abcd…", "efg", "h"])
    expect(recordsOf("abcd\nh", options)).toEqual(["abcd…", "", "h"])
    expect(recordsOf("abcdefgh", { ...options, lines: false })).toEqual(["abcd…", "efgh…", ""])
  })
})
