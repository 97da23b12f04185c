/**
 * What an answer's status and headers say, and whether that is an answer to what was asked.
 *
 * Nothing of a body is taken before this agrees, and nothing is allocated by what a server says. All of it
 * throws: `HttpFault`, or `SourceChanged` where the object is not the one it was.
 */
import type { Extent } from "../bytes/extent.ts"
import { isOffset } from "../bytes/offset.ts"
import { quoted } from "./httpAddress.ts"
import { type HttpFault, passing, refused, refusedByStatus, statusFault } from "./httpFault.ts"
import type { HttpPin } from "./httpPin.ts"
import { type AnswerHeaders, type HttpVersion, validatorsOf } from "./httpVersion.ts"

export interface AnswerHead {
  readonly status: number
  readonly headers: AnswerHeaders
}

/** What the body of an answer holds. */
export interface ExpectedBody {
  /** The bytes before those, which are thrown away. */
  readonly skip: number
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

interface HeaderField {
  readonly name: string
  readonly value: string
}

const malformed = ({ name, value }: HeaderField): HttpFault =>
  refused(`the server sends a ${name} that makes no sense: ${quoted(value)}`)

const numberOf = (digits: string, field: HeaderField): number => {
  const number = Number(digits)
  if (!isOffset(number)) throw malformed(field)
  return number
}

const contentLengthOf = (headers: AnswerHeaders): number | undefined => {
  const value = headers["content-length"]
  if (value === undefined) return undefined
  const field = { name: "Content-Length", value }
  if (!/^\d+$/.test(value)) throw malformed(field)
  return numberOf(value, field)
}

const contentRangeOf = (headers: AnswerHeaders): ContentRange | undefined => {
  const value = headers["content-range"]
  if (value === undefined) return undefined
  const field = { name: "Content-Range", value }
  const match = /^bytes[ \t]+(?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(value.trim())
  if (match === null) throw malformed(field)
  const total = match[3] === "*" ? undefined : numberOf(match[3], field)
  if (match[1] === undefined) return { range: undefined, total }
  const first = numberOf(match[1], field)
  const last = numberOf(match[2], field)
  if (last < first || (total !== undefined && last >= total)) throw malformed(field)
  return { range: { first, last }, total }
}

const codingOf = (headers: AnswerHeaders): string | undefined => {
  const coding = headers["content-encoding"]?.trim().toLowerCase()
  return coding === "" || coding === "identity" ? undefined : coding
}

/** Offsets are those of the bytes themselves: a body that was compressed on the way has others. */
const checkPlain = ({ headers }: AnswerHead): void => {
  const coding = codingOf(headers)
  if (coding !== undefined) {
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

/** A range within the object, as it was asked for. */
export interface AskedRange extends Extent {
  /** Whether a part was to be sent only of the pinned version. */
  readonly isConditional: boolean
  /** Whether all of the object will do too, of which what lies before the range is thrown away. */
  readonly maySkip: boolean
}

/** The length of the object, where an answer tells one that makes sense. */
const lengthTold = ({ headers, status }: AnswerHead): number | undefined => {
  try {
    return status === 200 ? contentLengthOf(headers) : contentRangeOf(headers)?.total
  } catch {
    // What is malformed is refused, but not before it is known that the object is the same.
    return undefined
  }
}

/**
 * Throws `SourceChanged` when the object is another one. It is asked before anything else: a change explains
 * what else may be odd about an answer.
 */
const checkUnchanged = (head: AnswerHead, pin: HttpPin): void => {
  const found = { ...validatorsOf(head.headers), length: lengthTold(head) }
  // The coding of 416 is that of some page about it.
  const isCoded = head.status !== 416 && codingOf(head.headers) !== undefined
  if (isCoded) pin.checkCodedUnchanged(found)
  else pin.checkUnchanged(found)
}

const partBody = (head: AnswerHead, asked: AskedRange, pin: HttpPin): ExpectedBody => {
  checkUnchanged(head, pin)
  const found = { ...validatorsOf(head.headers), length: checkPart(head, asked) }
  pin.check({ ...found, isConditional: asked.isConditional })
  pin.adopt(found)
  return { skip: 0, length: asked.length, whole: true }
}

const wholeBody = (head: AnswerHead, asked: AskedRange, pin: HttpPin): ExpectedBody => {
  checkUnchanged(head, pin)
  checkPlain(head)
  const found = { ...validatorsOf(head.headers), length: contentLengthOf(head.headers) }
  pin.check({ ...found, isConditional: false })
  if (asked.offset > 0 && !asked.maySkip) {
    throw refused("the server can't send parts of the object, only all of it")
  }
  pin.adopt(found)
  return {
    skip: asked.offset,
    length: asked.length,
    whole: asked.offset + asked.length === pin.length
  }
}

/** The body that answers a request for `asked`. */
export const checkRangeAnswer = (head: AnswerHead, asked: AskedRange, pin: HttpPin): ExpectedBody => {
  const { headers, status } = head
  if (status === 206) return partBody(head, asked, pin)
  if (status === 200) return wholeBody(head, asked, pin)
  if (status === 412) throw pin.changedByStatus(status)
  if (status === 416) {
    checkUnchanged(head, pin)
    throw refusedByStatus(
      status,
      "the server doesn't find the range in the object (416), which should have it"
    )
  }
  throw statusFault(status, headers)
}

/** What a first answer tells. */
export interface FirstAnswer {
  readonly version: HttpVersion
  /** Whether parts can be asked for. */
  readonly hasRanges: boolean
  /** What of the body is to be read, so that the connection can be used again. */
  readonly body: ExpectedBody | undefined
}

interface Lengths {
  /** By the server. */
  readonly told: number | undefined
  /** By the option. */
  readonly given: number | undefined
}

const lengthOf = ({ given, told }: Lengths): number => {
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
    const length = lengthOf({ told: checkPart(head, { offset: 0, length: 1 }), given })
    return {
      version: { ...validators, length },
      hasRanges: true,
      body: { skip: 0, length: 1, whole: true }
    }
  }
  if (status === 200) {
    checkPlain(head)
    const length = lengthOf({ told: contentLengthOf(headers), given })
    // Of nothing, every range there is can be sent.
    return { version: { ...validators, length }, hasRanges: length === 0, body: undefined }
  }
  if (status === 416) {
    const total = contentRangeOf(headers)?.total
    if (total === undefined) return undefined
    if (total > 0) throw refusedByStatus(status, `the server finds no byte 0 in an object of ${total} bytes`)
    return {
      version: { ...validators, length: lengthOf({ told: 0, given }) },
      hasRanges: true,
      body: undefined
    }
  }
  throw statusFault(status, headers)
}

/** A body that ended early; the rest may come. */
export const cutShort = (missing: number): HttpFault => passing(`the answer ended ${missing} bytes early`)

/** A body that goes on; whatever it is, it is not what was asked for. */
export const tooLong = (length: number): HttpFault =>
  refused(`the server sends more than the ${length} bytes that it announced`)
