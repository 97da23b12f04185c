/**
 * The parser of live lists: bytes in pieces of any size, extents out.
 *
 * A live list is text, one extent a line, `offset<whitespace>length`, both decimal. `#` begins a
 * comment, blank lines mean nothing, lines may end in CRLF, the last one may lack its end, and a
 * byte order mark at the start is skipped.
 *
 * It works on bytes, since lists have tens of millions of lines: no string is made of a line unless
 * the line is wrong. Nothing is kept of a line but its numbers and, where a piece ends within it,
 * its first bytes for a message. It does not sort, unite or store.
 */
import type { Extent } from "../bytes/extent.ts"
import { BadLiveList } from "./errors.ts"

export interface LiveListParser {
  /** Parses the next piece; throws `BadLiveList` at the first wrong line. */
  readonly push: (piece: Uint8Array) => void
  /** Ends the list; throws `BadLiveList` where the last line is wrong. */
  readonly end: () => void
}

// Where in a line the parser stands.
const beforeOffset = 0
const inOffset = 1
const betweenNumbers = 2
const inLength = 3
const afterLength = 4
const inComment = 5
const inMark = 6
const inWrongLine = 7

const tab = 0x09
const newline = 0x0a
const carriageReturn = 0x0d
const space = 0x20
const hash = 0x23
const zero = 0x30
const byteOrderMark = [0xef, 0xbb, 0xbf]

/** A wrong line is quoted up to this many bytes. */
const quotedBytes = 40

/**
 * A parser of the list called `name` in messages. `onExtent` hears of every line that holds an
 * extent, zero-length ones included; extents must lie within the `sourceBytes` of what messages call
 * `source`.
 */
export const liveListParser = (options: {
  readonly name: string
  readonly source: string
  readonly sourceBytes: number
  readonly onExtent: (offset: number, length: number) => void
}): LiveListParser => {
  const { name, source, sourceBytes, onExtent } = options
  let state = beforeOffset
  let line = 1
  let offset = 0
  let length = 0
  let numbersFit = true // false where the line is well-formed and its range is not the source's
  let atStart = true // before the first byte of the list
  let markBytes = 0 // how much of a byte order mark was seen
  let head: Array<number> = [] // the line's first bytes, where it began in an earlier piece

  const keepHead = (piece: Uint8Array, start: number, end: number): void => {
    const room = quotedBytes + 1 - head.length
    if (room > 0) for (const byte of piece.subarray(start, Math.min(end, start + room))) head.push(byte)
  }

  const fail = (): never => {
    const quoted = quote(head)
    const reason = numbersFit
      ? wordsFault(quoted)
      : rangeFault(quoted, { offset, length }, `the ${source}'s end at ${sourceBytes}`)
    throw new BadLiveList({ name, line, reason })
  }

  /** Fails once as much of the line is there as its message quotes, so that pieces don't matter. */
  const failWithLine = (piece: Uint8Array, start: number): void => {
    state = inWrongLine
    const end = piece.indexOf(newline, start)
    keepHead(piece, start, end === -1 ? piece.length : end)
    if (end !== -1 || head.length > quotedBytes) fail()
  }

  const push = (piece: Uint8Array): void => {
    let start = 0
    if (atStart && piece.length > 0) {
      atStart = false
      if (piece[0] === byteOrderMark[0]) state = inMark
    }
    if (state === inWrongLine) return failWithLine(piece, 0)
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]
      if (byte >= zero && byte <= zero + 9 && state <= inLength) {
        // The rest of the number at once: these loops run for most bytes of a list.
        let digit = byte - zero
        if (state <= inOffset) {
          if (state === beforeOffset) offset = 0
          state = inOffset
          do offset = offset * 10 + digit
          while ((digit = piece[++at] - zero) >= 0 && digit <= 9)
        } else {
          if (state === betweenNumbers) length = 0
          state = inLength
          do length = length * 10 + digit
          while ((digit = piece[++at] - zero) >= 0 && digit <= 9)
        }
        at--
      } else if (byte === newline || byte === hash) {
        if (state === inLength || state === afterLength) {
          // No sum of two safe integers rounds down to a size, so this one comparison finds all.
          numbersFit = offset + length <= sourceBytes
          if (!numbersFit) return failWithLine(piece, start)
          onExtent(offset, length)
        } else if (state === inOffset || state === betweenNumbers || state === inMark) {
          return failWithLine(piece, start)
        }
        state = inComment
        if (byte === newline) {
          state = beforeOffset
          line++
          start = at + 1
          if (head.length > 0) head = []
        }
      } else if (state === inComment) {
        const end = piece.indexOf(newline, at)
        at = (end === -1 ? piece.length : end) - 1
      } else if (state === inMark) {
        if (byte !== byteOrderMark[markBytes]) return failWithLine(piece, start)
        state = ++markBytes === byteOrderMark.length ? beforeOffset : inMark
      } else if (byte === space || byte === tab || byte === carriageReturn) {
        if (state === inOffset) state = betweenNumbers
        else if (state === inLength) state = afterLength
      } else return failWithLine(piece, start)
    }
    keepHead(piece, start, piece.length)
  }

  return {
    push,
    end: () => {
      if (state === inWrongLine) fail()
      if (state !== beforeOffset && state !== inComment) push(Uint8Array.of(newline))
    }
  }
}

/** The first bytes of a line, as JSON of plain ASCII: nothing in it can reach a terminal as a command. */
const quote = (head: ReadonlyArray<number>): string => {
  const text = Buffer.from(head.slice(0, quotedBytes)).toString("utf8").trimEnd()
  const escaped = JSON.stringify(text).replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
  return head.length > quotedBytes ? `${escaped}…` : escaped
}

/** What is wrong with the range of a line that holds two numbers. */
const rangeFault = (quoted: string, { length, offset }: Extent, sourceEnd: string): string => {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length)) {
    return `a number is beyond 2^53-1: ${quoted}`
  }
  const end = offset + length
  return Number.isSafeInteger(end)
    ? `the range of ${length} bytes at ${offset} ends at ${end}, beyond ${sourceEnd}`
    : `the range ends beyond 2^53-1: ${quoted}`
}

/** What is wrong with a line that does not hold two numbers. */
const wordsFault = (quoted: string): string => {
  if (/^"\s*\d+\s*(#.*)?"$/.test(quoted)) return `the length is missing: ${quoted}`
  if (/(^"|\s)-\d/.test(quoted)) return `offsets and lengths can't be negative: ${quoted}`
  if (/(^"|\s)\d*\.\d/.test(quoted)) return `offsets and lengths are whole numbers: ${quoted}`
  return `expected an offset and a length in bytes, found ${quoted}`
}
