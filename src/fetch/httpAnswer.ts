/**
 * What an answer's status and headers say, and whether that is an answer to what was asked.
 *
 * Nothing of a body is taken before this agrees, and nothing is allocated by what a server says. All of it
 * throws: `HttpFault`, or `SourceChanged` where the object is not the one it was.
 */
import type { Extent } from "../bytes/extent.ts"
import { isOffset } from "../bytes/offset.ts"
import { quoted } from "./httpAddress.ts"
import { type HttpFault, passing, refused, statusFault } from "./httpFault.ts"
import {
  type AnswerHeaders,
  changedByStatus,
  checkVersion,
  conditionOf,
  type HttpVersion,
  validatorsOf
} from "./httpVersion.ts"

export interface AnswerHead {
  readonly status: number
  readonly headers: AnswerHeaders
}

/** What the body of an answer holds. */
export interface ExpectedBody {
  /** The bytes that are taken. */
  readonly length: number
  /** Whether the body ends behind them; otherwise the rest is left. */
  readonly whole: boolean
}

interface ContentRange {
  readonly range: { readonly first: number; readonly last: number } | undefined
  /** The length of the object, where it is told. */
  readonly total: number | undefined
}

const malformed = (name: string, value: string): HttpFault =>
  refused(`the server sends a ${name} that makes no sense: ${quoted(value)}`)

const numberOf = (name: string, value: string, digits: string): number => {
  const number = Number(digits)
  if (!isOffset(number)) throw malformed(name, value)
  return number
}

const contentLengthOf = (headers: AnswerHeaders): number | undefined => {
  const value = headers["content-length"]
  if (value === undefined) return undefined
  if (!/^\d+$/.test(value)) throw malformed("Content-Length", value)
  return numberOf("Content-Length", value, value)
}

const contentRangeOf = (headers: AnswerHeaders): ContentRange | undefined => {
  const value = headers["content-range"]
  if (value === undefined) return undefined
  const match = /^bytes[ \t]+(?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(value.trim())
  if (match === null) throw malformed("Content-Range", value)
  const total = match[3] === "*" ? undefined : numberOf("Content-Range", value, match[3])
  if (match[1] === undefined) return { range: undefined, total }
  const first = numberOf("Content-Range", value, match[1])
  const last = numberOf("Content-Range", value, match[2])
  if (last < first || (total !== undefined && last >= total)) throw malformed("Content-Range", value)
  return { range: { first, last }, total }
}

/** Offsets are those of the bytes themselves: a body that was compressed on the way has others. */
const checkPlain = ({ headers }: AnswerHead): void => {
  const coding = headers["content-encoding"]?.trim().toLowerCase()
  if (coding !== undefined && coding !== "" && coding !== "identity") {
    throw refused(`the server sends the object encoded (${quoted(coding)}), though it was asked not to`)
  }
}

/** The range of a part, which must be the one that was asked for. Gives the length of the object, where it is told. */
const checkPart = (head: AnswerHead, { length, offset }: Extent): number | undefined => {
  checkPlain(head)
  const { headers } = head
  if (/^\s*multipart\/byteranges/i.test(headers["content-type"] ?? "")) {
    throw refused("the server sends several parts where one was asked for")
  }
  const part = contentRangeOf(headers)
  if (part?.range === undefined) throw refused("the server doesn't say which part it sends")
  const { first, last } = part.range
  if (first !== offset || last !== offset + length - 1) {
    throw refused(
      `the server was asked for bytes ${offset}-${offset + length - 1} and sends ${first}-${last}`
    )
  }
  const body = contentLengthOf(headers)
  if (body !== undefined && body !== length) {
    throw refused(`the server sends ${body} bytes as a part of ${length}`)
  }
  return part.total
}

/** The body that answers a request for `asked`, a range within the object. */
export const checkRangeAnswer = (
  source: string,
  head: AnswerHead,
  asked: Extent,
  pinned: HttpVersion
): ExpectedBody => {
  const { headers, status } = head
  const validators = validatorsOf(headers)
  if (status === 206) {
    checkPlain(head)
    // A changed object explains a wrong range, so that is found out first.
    const total = contentRangeOf(headers)?.total
    const conditional = conditionOf(pinned)["if-range"] !== undefined
    checkVersion(source, pinned, { ...validators, length: total }, conditional)
    checkPart(head, asked)
    return { length: asked.length, whole: true }
  }
  if (status === 200) {
    checkPlain(head)
    checkVersion(source, pinned, { ...validators, length: contentLengthOf(headers) }, false)
    if (asked.offset > 0) throw refused("the server can't send parts of the object, only all of it")
    return { length: asked.length, whole: asked.length === pinned.length }
  }
  if (status === 412) throw changedByStatus(source, pinned, status)
  if (status === 416) {
    const total = contentRangeOf(headers)?.total
    checkVersion(source, pinned, { ...pinned, length: total }, true)
    throw refused("the server doesn't find the range in the object (416), which should have it")
  }
  throw statusFault(status, headers)
}

/** What a first answer tells: the version; undefined where asking for all of the object may tell more. */
export interface FirstAnswer {
  readonly version: HttpVersion
  /** What of the body is to be read, so that the connection can be used again. */
  readonly body: ExpectedBody | undefined
}

const lengthOf = (told: number | undefined, given: number | undefined): number => {
  if (told !== undefined && given !== undefined && told !== given) {
    throw refused(`the object has ${told} bytes, and not ${given} as the length option says`)
  }
  const length = told ?? given
  if (length === undefined) {
    throw refused("the server doesn't tell how long the object is: give its length by the length option")
  }
  return length
}

/**
 * What the answer to a request for byte 0, or for all of the object, tells of it. Undefined when it only
 * tells that there is no byte 0 in the object, or none that may be asked for.
 */
export const checkFirstAnswer = (head: AnswerHead, given: number | undefined): FirstAnswer | undefined => {
  const { headers, status } = head
  const validators = validatorsOf(headers)
  if (status === 206) {
    const total = checkPart(head, { offset: 0, length: 1 })
    return {
      version: { ...validators, length: lengthOf(total, given) },
      body: { length: 1, whole: true }
    }
  }
  if (status === 200) {
    checkPlain(head)
    return { version: { ...validators, length: lengthOf(contentLengthOf(headers), given) }, body: undefined }
  }
  if (status === 416) {
    const total = contentRangeOf(headers)?.total
    if (total === undefined) return undefined
    if (total > 0) throw refused(`the server finds no byte 0 in an object of ${total} bytes`)
    return { version: { ...validators, length: lengthOf(0, given) }, body: undefined }
  }
  throw statusFault(status, headers)
}

/** A body that ended early; the rest may come. */
export const cutShort = (missing: number): HttpFault => passing(`the answer ended ${missing} bytes early`)

/** A body that goes on; whatever it is, it is not what was asked for. */
export const tooLong = (length: number): HttpFault =>
  refused(`the server sends more than the ${length} bytes that it announced`)
