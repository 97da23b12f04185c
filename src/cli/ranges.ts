/**
 * Ranges of bytes as HTTP and curl write them: `0-499` (both ends included), `500-` (to the end), `-500`
 * (the last ones).
 */
import * as Flag from "effect/cli/Flag"
import type { Extent } from "../bytes/extent.ts"
import { isOffset } from "../bytes/offset.ts"

/** What was asked for, of an object whose length is not known yet. */
export type ByteRange =
  { readonly first: number; readonly last: number | undefined } | { readonly suffix: number }

/** The range that a text means, or undefined. */
export const parseRange = (text: string): ByteRange | undefined => {
  const parts = /^(\d*)-(\d*)$/.exec(text)
  if (parts === null || text === "-") return undefined
  const [first, last] = parts.slice(1).map((digits) => (digits === "" ? undefined : Number(digits)))
  if ((first ?? 0) > (last ?? Infinity) && first !== undefined) return undefined
  if (!isOffset(first ?? 0) || !isOffset(last ?? 0)) return undefined
  if (first !== undefined) return { first, last }
  return { suffix: last! }
}

export const rangeFlag = Flag.String("range").pipe(
  Flag.mapTryCatch(
    (text) => {
      const range = parseRange(text)
      if (range === undefined) throw new Error("no range")
      return range
    },
    () => "a range is expected: FIRST-LAST, both included, FIRST- or -LENGTH"
  ),
  Flag.withMetavar("A-B"),
  Flag.atLeast(0),
  Flag.withDescription(
    "the bytes from A to B, both included (A-: to the end, -N: the last N); may be given again"
  )
)

/** The extents of some ranges in an object of this length: ascending, disjoint, and none empty. */
export const rangesWithin = (ranges: ReadonlyArray<ByteRange>, length: number): ReadonlyArray<Extent> => {
  const extents = ranges
    .map((range) => boundsOf(range, length))
    .filter(({ end, offset }) => offset < end)
    .sort((a, b) => a.offset - b.offset)
  const united: Array<Extent> = []
  for (const { end, offset } of extents) {
    const before = united.at(-1)
    if (before === undefined || offset > before.offset + before.length) {
      united.push({ offset, length: end - offset })
    } else {
      const until = Math.max(end, before.offset + before.length)
      united[united.length - 1] = { offset: before.offset, length: until - before.offset }
    }
  }
  return united
}

const boundsOf = (range: ByteRange, length: number): { readonly offset: number; readonly end: number } => {
  if ("suffix" in range) return { offset: Math.max(0, length - range.suffix), end: length }
  return { offset: range.first, end: Math.min(length, (range.last ?? Infinity) + 1) }
}
