/**
 * Answers of servers that are not answers to what was asked, and live lists that are none: each is wrong in one way.
 */
import { liveListParser } from "../src/cli/liveListParser.ts"
import { checkFirstAnswer, checkRangeAnswer, type FirstAnswer } from "../src/fetch/httpAnswer.ts"
import { HttpPin } from "../src/fetch/httpPin.ts"
import type { AnswerHeaders } from "../src/fetch/httpVersion.ts"
import type { Forgery } from "./forgery.ts"

const date = "Wed, 21 Oct 2015 07:28:00 GMT"
const asked = { offset: 10, length: 5, isConditional: false, maySkip: false }

/** A part of an object of 100 bytes, as it was asked for. */
const part: AnswerHeaders = { "content-range": "bytes 10-14/100", "content-length": "5", etag: '"a"' }
const first: AnswerHeaders = { "content-range": "bytes 0-0/100", "content-length": "1", etag: '"a"' }
const whole: AnswerHeaders = { "content-length": "100", etag: '"a"' }

interface Pinned {
  readonly etag?: string | undefined
  readonly lastModified?: string | undefined
}

const pinOf = ({ etag, lastModified }: Pinned): HttpPin =>
  new HttpPin("http://source", { etag, lastModified, isDateStrong: false, length: 100 })

interface Ask {
  readonly status?: number
  readonly pinned?: Pinned
  readonly maySkip?: boolean
  readonly isConditional?: boolean
}

const answer = (headers: AnswerHeaders, { pinned, status, ...ask }: Ask): unknown =>
  checkRangeAnswer({ status: status ?? 206, headers }, { ...asked, ...ask }, pinOf(pinned ?? { etag: '"a"' }))

const fails = (tag: string, name: string, headers: AnswerHeaders, ask: Ask = {}): Forgery => ({
  name: `http: ${name}`,
  read: () => answer(headers, ask),
  expected: { tag }
})

const refused = (name: string, headers: AnswerHeaders, ask: Ask = {}) =>
  fails("HttpFault", name, headers, ask)
const changed = (name: string, headers: AnswerHeaders, ask: Ask = {}) =>
  fails("SourceChanged", name, headers, ask)

const right = (name: string, read: () => unknown): Forgery => ({
  name: `http: ${name}`,
  read,
  expected: (given) => given !== undefined
})

const range = (value: string): AnswerHeaders => ({ ...part, "content-range": value })
const all: Ask = { status: 200, maySkip: true }
const weak: Pinned = { etag: 'W/"a"' }
const dated: Pinned = { lastModified: date }
const weakPart = { ...part, etag: 'W/"a"' }
const { etag: _, ...plainPart } = part

const ranges = (): ReadonlyArray<Forgery> => [
  right("nothing wrong", () => answer(part, {})),
  refused("a range of another unit", range("items 10-14/100")),
  refused("a range that begins beyond 2^53-1", range("bytes 9007199254740992-14/100")),
  refused("a range that ends before it begins", range("bytes 10-9/*")),
  refused("a range that ends behind the object", range("bytes 10-14/14"), { pinned: {} }),
  refused("a range that begins elsewhere", range("bytes 11-14/100")),
  refused("a range that ends elsewhere", range("bytes 10-15/100")),
  refused("no range", { "content-length": "5", etag: '"a"' }),
  refused("a range of nothing", range("bytes */100")),
  refused("another length than the range has", { ...part, "content-length": "6" }),
  refused("a length that is no number", { ...part, "content-length": "0x5" }),
  refused("a length beyond 2^53-1", { ...whole, "content-length": "9007199254740992" }, { status: 200 }),
  refused("a part that is encoded", { ...part, "content-encoding": "gzip" }),
  refused("all of it, encoded", { ...whole, "content-encoding": "gzip" }, { status: 200, maySkip: true }),
  refused("several parts", { ...part, "content-type": "multipart/byteranges; boundary=x" }),
  refused("all of it, where a part was asked for", whole, { status: 200 }),
  right("all of it, where that will do", () => answer(whole, { status: 200, maySkip: true })),
  refused("a status that is none of these", part, { status: 204 }),
  refused("no such range", { "content-range": "bytes */100", etag: '"a"' }, { status: 416 }),
  changed("no such range in another object", { "content-range": "bytes */9" }, { status: 416 }),
  changed("another version by its status", {}, { status: 412 }),
  changed("another ETag", { ...part, etag: '"b"' }),
  changed("another ETag of all of it", { ...whole, etag: '"b"' }, { status: 200, maySkip: true }),
  changed("another length", range("bytes 10-14/101")),
  changed(
    "another length of all of it",
    { ...whole, "content-length": "99" },
    { status: 200, maySkip: true }
  ),
  changed("another weak ETag", { ...part, etag: 'W/"b"' }, { pinned: weak }),
  changed(
    "another date",
    { ...plainPart, "last-modified": "Thu, 22 Oct 2015 07:28:00 GMT" },
    { pinned: dated }
  ),
  changed(
    "another date beside a weak ETag",
    { ...weakPart, "last-modified": "Thu, 22 Oct 2015 07:28:00 GMT" },
    { pinned: { ...weak, ...dated } }
  ),
  changed("another version, encoded", { ...part, etag: '"b"', "content-encoding": "gzip" }),
  changed(
    "another version of all of it, encoded",
    { ...whole, etag: '"b"', "content-encoding": "gzip" },
    all
  ),
  refused("no ETag any more", plainPart),
  refused("no ETag any more, of all of it", { "content-length": "100" }, all),
  refused(
    "no ETag any more, but a date",
    { ...plainPart, "last-modified": date },
    {
      pinned: { etag: '"a"', lastModified: date }
    }
  ),
  refused("no ETag any more, under a condition", plainPart, { isConditional: true }),
  refused("no date any more", plainPart, { pinned: dated }),
  right("no date any more, under a condition", () =>
    answer(plainPart, { pinned: dated, isConditional: true })
  ),
  {
    name: "http: an ETag that came later, and is another one then",
    read: () => {
      const pin = pinOf({})
      checkRangeAnswer({ status: 206, headers: part }, asked, pin)
      return checkRangeAnswer({ status: 206, headers: { ...part, etag: '"b"' } }, asked, pin)
    },
    expected: { tag: "SourceChanged" }
  }
]

const firstOf = (name: string, status: number, headers: AnswerHeaders, given?: number): Forgery => ({
  name: `http: first, ${name}`,
  read: () => checkFirstAnswer({ status, headers }, given),
  expected: { tag: "HttpFault" }
})

const firstRight = (
  name: string,
  status: number,
  headers: AnswerHeaders,
  isRight: (found: FirstAnswer | undefined) => boolean
): Forgery => ({
  name: `http: first, ${name}`,
  read: () => checkFirstAnswer({ status, headers }, undefined),
  expected: (found) => isRight(found as FirstAnswer | undefined)
})

const firsts = (): ReadonlyArray<Forgery> => [
  firstRight("nothing wrong", 206, first, (found) => found?.version.length === 100),
  firstRight(
    "an empty object",
    416,
    { "content-range": "bytes */0" },
    (found) => found?.version.length === 0
  ),
  firstRight("an unknown length", 416, {}, (found) => found === undefined),
  firstOf("another length than was given", 206, first, 99),
  firstOf("no length", 206, { ...first, "content-range": "bytes 0-0/*" }),
  firstOf("no length of all of it", 200, {}),
  firstOf("all of it, encoded", 200, { ...whole, "content-encoding": "br" }),
  firstOf("another part", 206, { ...first, "content-range": "bytes 1-1/100" }),
  firstOf("no byte 0 in an object that has one", 416, { "content-range": "bytes */100" }),
  firstOf("an empty object where a length was given", 416, { "content-range": "bytes */0" }, 5),
  firstOf("a status that is none of these", 304, first)
]

const sourceBytes = 1000

/** The extents of a list that comes in pieces of so many bytes. */
const listed = (text: string | Uint8Array, pieceBytes: number): string => {
  const found: Array<string> = []
  const onExtent = (offset: number, length: number) => void found.push(`${offset}+${length}`)
  const parser = liveListParser({ name: "list", source: "source", sourceBytes, onExtent })
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text
  for (let at = 0; at < bytes.length; at += pieceBytes) parser.push(bytes.subarray(at, at + pieceBytes))
  parser.end()
  return found.join(" ")
}

const wrongLists: ReadonlyArray<readonly [string, string | Uint8Array]> = [
  ["a range behind the source's end", "990 11\n"],
  ["numbers whose sum is beyond 2^53-1", "9007199254740991 9007199254740991\n"],
  ["an offset alone", "5\n"],
  ["an offset and a blank", "5 \n"],
  ["an offset and a comment", "5 # what\n"],
  ["an offset, and the end", "5"],
  ["three numbers", "1 2 3\n"],
  ["a number below 0", "-1 2\n"],
  ["a fraction", "1 2.5\n"],
  ["a word", "1 2 x\n"],
  ["a mark that is none", Uint8Array.of(0xef, 0xbb, 0x31, 0x31, 0x20, 0x32, 0x0a)],
  ["a part of a mark", Uint8Array.of(0xef, 0xbb)],
  ["a mark in the second line", "1 2\n\ufeff3 4\n"]
]

const rightLists: ReadonlyArray<readonly [string, string]> = [
  ["\ufeff1 2\r\n3\t4 # five\n\n# six\n995 5", "1+2 3+4 995+5"],
  ["1 2#\n", "1+2"]
]

const lists = (): ReadonlyArray<Forgery> =>
  [1, 3, 1000].flatMap((pieceBytes): ReadonlyArray<Forgery> => [
    ...wrongLists.map(([name, text]) => ({
      name: `list: ${name}, in pieces of ${pieceBytes}`,
      read: () => listed(text, pieceBytes),
      expected: { tag: "BadLiveList" }
    })),
    ...rightLists.map(([text, found], i) => ({
      name: `list: right ${i}, in pieces of ${pieceBytes}`,
      read: () => listed(text, pieceBytes),
      expected: (given: unknown) => given === found
    }))
  ])

export const answerForgeries = (): ReadonlyArray<Forgery> => [...ranges(), ...firsts(), ...lists()]
