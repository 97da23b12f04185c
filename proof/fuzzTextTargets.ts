/**
 * The parsers of what others write: live lists, and the heads of HTTP answers.
 */
import { isOffset } from "../src/bytes/offset.ts"
import { liveListParser } from "../src/cli/liveListParser.ts"
import { checkFirstAnswer, checkRangeAnswer } from "../src/fetch/httpAnswer.ts"
import { HttpPin } from "../src/fetch/httpPin.ts"
import type { Random } from "./fuzzMutation.ts"
import { demand, type FuzzTarget } from "./fuzzTarget.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const words = (...texts: ReadonlyArray<string>): ReadonlyArray<Uint8Array> =>
  texts.map((text) => encoder.encode(text))

const isTagged =
  (...tags: ReadonlyArray<string>) =>
  (error: unknown): boolean =>
    typeof error === "object" && error !== null && "_tag" in error && tags.includes(String(error._tag))

const sourceBytes = 2 ** 50

/** The extents of a list that comes in pieces of so many bytes, and how it ended. */
const parse = (
  bytes: Uint8Array,
  pieceBytes: number
): { readonly extents: string; readonly error: unknown } => {
  const extents: Array<string> = []
  const onExtent = (offset: number, length: number): void => void extents.push(`${offset} ${length}\n`)
  const parser = liveListParser({ name: "list", source: "source", sourceBytes, onExtent })
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) parser.push(bytes.subarray(at, at + pieceBytes))
    parser.end()
  } catch (error) {
    return { extents: extents.join(""), error }
  }
  return { extents: extents.join(""), error: undefined }
}

/** Without characters that a terminal obeys. */
const printable = (text: string): boolean => !/\p{Cc}/u.test(text) && text.length < 2000

const liveList: FuzzTarget = {
  name: "liveList",
  generate: (random: Random) => {
    const lines = Array.from({ length: random.below(6) }, () => {
      const [offset, length] = [random.magnitude(48), random.magnitude(30)]
      return random.of([`${offset} ${length}\n`, `${offset}\t${length} # what\r\n`, `# ${offset}\n`, "\n"])
    })
    return encoder.encode((random.once(5) ? "\ufeff" : "") + lines.join(""))
  },
  run: (bytes) => {
    const whole = parse(bytes, Math.max(1, bytes.length))
    for (const pieceBytes of [1, 2, 7]) {
      const parts = parse(bytes, pieceBytes)
      demand(parts.extents === whole.extents, `in pieces of ${pieceBytes} it has other extents`)
      demand(String(parts.error) === String(whole.error), `in pieces of ${pieceBytes} it has another error`)
    }
    const again = parse(encoder.encode(whole.extents), 64)
    demand(
      again.error === undefined && again.extents === whole.extents,
      "extents are others when written again"
    )
    if (whole.error === undefined) return
    if (isTagged("BadLiveList")(whole.error)) {
      demand(printable((whole.error as Error).message), "a message that could command a terminal")
    }
    throw whole.error
  },
  isRefusal: isTagged("BadLiveList"),
  dictionary: words("0 1\n", "9007199254740993", "#", "\r\n", "\t", "-1", "1e5 ", "\ufeff", "0.5 "),
  maxBytes: 400,
  align: 1
}

/** The first line says what was asked: status, offset, length, whether a condition was sent, the length option. */
const headOf = (text: string) => {
  const [first = "", ...lines] = text.split("\n")
  const [status = 0, offset = 0, length = 1, flags = 0, given = -1] = first.split(" ").map(Number)
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    // As fetch gives them.
    if (colon > 0) headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim()
  }
  const isWhole = (value: number): boolean => isOffset(value) && value < 2 ** 40
  const asked = {
    offset: isWhole(offset) ? offset : 0,
    length: isWhole(length) && length > 0 ? length : 1,
    isConditional: (flags & 1) !== 0,
    maySkip: (flags & 2) !== 0
  }
  return { head: { status, headers }, asked, given: isWhole(given) ? given : undefined }
}

const httpRefusals = ["HttpFault", "SourceChanged"]

/** What a check gives; undefined where it refuses with words that can be shown. */
const checked = <A>(check: () => A): A | undefined => {
  try {
    return check()
  } catch (error) {
    if (!isTagged(...httpRefusals)(error)) throw error
    const { found, reason } = error as { readonly reason?: string; readonly found?: string }
    demand(printable(reason ?? found ?? ""), `a message that could command a terminal: ${reason ?? found}`)
    return undefined
  }
}

const http: FuzzTarget = {
  name: "http",
  generate: (random: Random) => {
    const [offset, length] = [random.below(100), 1 + random.below(50)]
    const total = offset + length + random.below(100)
    const lines = [
      `${random.of([206, 206, 200, 416, 412, 404, 503])} ${offset} ${length} ${random.below(4)} ${random.of([-1, total])}`,
      random.of([
        `content-range: bytes ${offset}-${offset + length - 1}/${random.of([total, "*"])}`,
        `content-range: bytes */${total}`,
        "content-range: bytes 0-0/5"
      ]),
      random.of([`content-length: ${length}`, `content-length: ${total}`, "content-length: 1", ""]),
      random.of(['etag: "a"', 'etag: W/"a"', "", 'etag: "b"']),
      random.of(["last-modified: Wed, 21 Oct 2015 07:28:00 GMT", ""]),
      random.of([
        "date: Wed, 21 Oct 2015 09:28:00 GMT",
        "",
        "content-encoding: gzip",
        "content-type: multipart/byteranges; boundary=x",
        "retry-after: 7"
      ])
    ]
    return encoder.encode(lines.filter((line) => line !== "").join("\n"))
  },
  run: (bytes) => {
    const { asked, given, head } = headOf(decoder.decode(bytes))
    const first = checked(() => checkFirstAnswer(head, given))
    if (first !== undefined) {
      demand(isOffset(first.version.length), `a length of ${first.version.length}`)
      demand(
        first.body === undefined || first.body.length <= first.version.length,
        "a body longer than the object"
      )
      const pin = new HttpPin("http://source", first.version)
      demand(pin.length === first.version.length, "a pin of another length")
      // The same answer again is one of the same version.
      if (first.body !== undefined) {
        const one = { offset: 0, length: 1, isConditional: false, maySkip: true }
        const body = checked(() => checkRangeAnswer(head, one, pin))
        demand(body !== undefined, "an answer is refused the second time")
      }
    }
    const version = { etag: '"a"', lastModified: undefined, isDateStrong: false, length: 250 }
    for (const pinned of [version, { ...version, etag: undefined }, { ...version, etag: 'W/"a"' }]) {
      const body = checked(() => checkRangeAnswer(head, asked, new HttpPin("http://source", pinned)))
      if (body === undefined) continue
      demand(body.length === asked.length, `${body.length} bytes for ${asked.length}`)
      demand(
        body.skip === 0 || (body.skip === asked.offset && asked.maySkip),
        `${body.skip} bytes are skipped`
      )
    }
  },
  isRefusal: isTagged(...httpRefusals),
  dictionary: words(
    ...[
      "content-range: bytes 0-0/1\n",
      "content-length: 9007199254740993\n",
      "etag: ",
      'W/"',
      "*/",
      "bytes ",
      "-",
      "/"
    ],
    ...[
      "206 ",
      "200 ",
      "416 ",
      "last-modified: ",
      "content-encoding: identity\n",
      "\u001b[2J",
      "99999999999999999999"
    ]
  ),
  maxBytes: 600,
  align: 1
}

export const textTargets: ReadonlyArray<FuzzTarget> = [liveList, http]
