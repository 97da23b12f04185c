/** The checks of what servers answer, and of live lists. */
import { type CheckText, inFile } from "./checkText.ts"

const never = "if (false)"

export const answerChecks: ReadonlyArray<CheckText> = [
  ...inFile(
    "src/fetch/httpAnswer.ts",
    ["fuzzFormats/http"],
    [
      ["if (!isOffset(number)) throw", "if (false) throw", "numbers beyond 2^53-1"],
      ["if (!/^\\d+$/.test(value)) throw", "if (false) throw", "a length that is no number"],
      [
        "if (match === null) throw malformed(field)",
        "if (match === null) return undefined",
        "a range that is none",
        "a part that doesn't say which it is is refused as well; of 416 it tells no length"
      ],
      [
        "if (last < first ||",
        "if (",
        "a range that ends before it begins",
        "it is not the range that was asked for, which has a byte at least"
      ],
      ["|| (total !== undefined && last >= total)", "", "a range that ends behind the object"],
      ["if (coding !== undefined) {", never + " {", "bytes that are encoded"],
      [
        'if (/^\\s*multipart\\/byteranges/i.test(headers["content-type"] ?? "")) {',
        never + " {",
        "several parts"
      ],
      ["if (part?.range === undefined) throw", "if (part === undefined) throw", "no range"],
      ["if (first !== offset ||", "if (", "a range that begins elsewhere"],
      ["|| last !== offset + length - 1) {", ") {", "a range that ends elsewhere"],
      ["if (body !== undefined && body !== length) {", never + " {", "another length than the range has"],
      [
        "const partBody = (head: AnswerHead, asked: AskedRange, pin: HttpPin): ExpectedBody => {\n  checkUnchanged(head, pin)",
        "const partBody = (head: AnswerHead, asked: AskedRange, pin: HttpPin): ExpectedBody => {",
        "another version, told by what is odd about it"
      ],
      [
        "const wholeBody = (head: AnswerHead, asked: AskedRange, pin: HttpPin): ExpectedBody => {\n  checkUnchanged(head, pin)",
        "const wholeBody = (head: AnswerHead, asked: AskedRange, pin: HttpPin): ExpectedBody => {",
        "another version, told by what is odd about it"
      ],
      [
        "pin.check({ ...found, isConditional: asked.isConditional })",
        "",
        "an answer that doesn't say of which version it is"
      ],
      ["pin.check({ ...found, isConditional: false })", "", "all of another version"],
      ["if (asked.offset > 0 && !asked.maySkip) {", never + " {", "all of it, where that is too much"],
      ["  pin.adopt(found)\n  return { skip: 0", "  return { skip: 0", "a validator that came later"],
      ["if (status === 412) throw pin.changedByStatus(status)", "", "another version"],
      [
        "if (status === 416) {\n    checkUnchanged(head, pin)",
        "if (status === 416) {",
        "another length, told by 416"
      ],
      [
        "if (told !== undefined && given !== undefined && told !== given) {",
        never + " {",
        "another length than was given"
      ],
      ["if (length === undefined) {", never + " {", "no length"],
      ["if (total > 0) throw", "if (total > 1e9) throw", "no byte 0 in an object that has one"]
    ]
  ),
  ...inFile(
    "src/fetch/httpPin.ts",
    ["fuzzFormats/http"],
    [
      [
        "if (found.length !== undefined && found.length !== this.length) throw",
        "if (false) throw",
        "another length"
      ],
      ["if (found.etag !== etag) throw", "if (false) throw", "another ETag"],
      ["if (found.lastModified !== lastModified) throw", "if (false) throw", "another date"],
      ["if (this.told.etag !== undefined) {", never + " {", "no ETag any more"],
      [
        "&& (found.lastModified !== undefined || found.isConditional)) return",
        ") return",
        "no date any more"
      ],
      ["if (this.pinned.etag === undefined && etag !== undefined)", never, "an ETag that came later"]
    ]
  ),
  ...inFile(
    "src/cli/liveListParser.ts",
    ["fuzzFormats/liveList"],
    [
      ["numbersFit = offset + length <= sourceBytes", "numbersFit = true", "a range behind the source's end"],
      [
        "} else if (state === inOffset || state === betweenNumbers",
        "} else if (state === betweenNumbers",
        "an offset alone"
      ],
      ["|| state === betweenNumbers ||", "||", "an offset and a blank"],
      ["|| state === inMark) {", ") {", "a part of a mark"],
      ["if (byte !== byteOrderMark[markBytes]) return failWithLine(piece, start)", "", "a mark that is none"],
      ["} else return failWithLine(piece, start)", "}", "words"],
      ["&& state <= inLength) {", "&& state <= afterLength) {", "three numbers"],
      [
        "if (state !== beforeOffset && state !== inComment) push(Uint8Array.of(newline))",
        "",
        "a last line that is wrong"
      ]
    ]
  )
]
