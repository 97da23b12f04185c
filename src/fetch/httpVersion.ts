/**
 * What an answer tells of the version of the object: its validators (RFC 9110, 8.8).
 *
 * A strong ETag names the bytes, so it decides alone. A weak one is compared together with Last-Modified. A
 * Last-Modified is strong only when the answer is younger by so much that no second change can hide within
 * the same second, or in a difference between two clocks.
 */

/** The headers of an answer, by names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | undefined>>

export interface Validators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /** Whether Last-Modified can be a condition, and not only be compared. */
  readonly isDateStrong: boolean
}

/** The validators of an answer, and the length of the object where it tells one. */
export interface Found extends Validators {
  readonly length: number | undefined
}

/** A version of which the length is known. */
export interface HttpVersion extends Validators {
  readonly length: number
}

/** A second would do for a single clock; who writes Date and who wrote the file may have two. */
const strongAgeMillis = 60_000

/** An answer without Date says nothing of when it was made. */
const isDateStrong = (headers: AnswerHeaders): boolean => {
  const ageMillis = Date.parse(headers["date"] ?? "") - Date.parse(headers["last-modified"] ?? "")
  return ageMillis >= strongAgeMillis
}

export const validatorsOf = (headers: AnswerHeaders): Validators => ({
  etag: headers["etag"] || undefined,
  lastModified: headers["last-modified"] || undefined,
  isDateStrong: isDateStrong(headers)
})

export const isStrong = (etag: string | undefined): etag is string =>
  etag !== undefined && /^"[^"]*"$/.test(etag)

/** An ETag without the mark of a weak one. */
export const opaqueTagOf = (etag: string): string => etag.replace(/^W\//, "")

/** A version in words that are the same for the same version in every process. */
export const described = ({ etag, lastModified, length }: Found): string => {
  const parts: Array<string> = []
  if (etag !== undefined) parts.push(`etag ${etag}`)
  if (lastModified !== undefined && !isStrong(etag)) parts.push(`last-modified ${lastModified}`)
  if (length !== undefined) parts.push(`length ${length}`)
  return parts.join(", ")
}

/** The condition under which a server may send a part: that it is one of this version. */
export const conditionOf = ({ etag, isDateStrong, lastModified }: Validators): Record<string, string> => {
  if (isStrong(etag)) return { "if-range": etag }
  return etag === undefined && lastModified !== undefined && isDateStrong ? { "if-range": lastModified } : {}
}
