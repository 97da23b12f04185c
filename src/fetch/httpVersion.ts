/**
 * Which version of an object an answer is of.
 *
 * A strong ETag names the bytes, so it decides alone. A weak one is compared together with
 * Last-Modified, and neither it nor a missing one can be used in `If-Range`. Where a server gives no validator at
 * all, only a changed length is noticed: that is as much as HTTP lets one know.
 */
import { SourceChanged } from "../bytes/errors.ts"
import { quoted } from "./httpAddress.ts"
import { refused } from "./httpFault.ts"

/** The headers of an answer, by names in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | undefined>>

export interface Validators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
}

/** The version that a source is pinned to. */
export interface HttpVersion extends Validators {
  readonly length: number
}

export const validatorsOf = (headers: AnswerHeaders): Validators => ({
  etag: headers["etag"] || undefined,
  lastModified: headers["last-modified"] || undefined
})

const isStrong = (etag: string | undefined): etag is string => etag !== undefined && /^"[^"]*"$/.test(etag)

const described = ({ etag, lastModified }: Validators, length: number | undefined): string => {
  const parts: Array<string> = []
  if (etag !== undefined) parts.push(`etag ${etag}`)
  if (lastModified !== undefined && !isStrong(etag)) parts.push(`last-modified ${lastModified}`)
  if (length !== undefined) parts.push(`length ${length}`)
  return parts.join(", ")
}

/** The string that a source's `identity` gives: it is the same for the same version in every process. */
export const identityOf = (version: HttpVersion): string => described(version, version.length)

/** The condition under which a server may send a part: that it is one of this version. */
export const conditionOf = ({ etag, lastModified }: Validators): Record<string, string> => {
  if (isStrong(etag)) return { "if-range": etag }
  return etag === undefined && lastModified !== undefined ? { "if-range": lastModified } : {}
}

/** An answer's validators, and the length of the object where it tells one. */
export interface Found extends Validators {
  readonly length: number | undefined
}

const changed = (source: string, pinned: HttpVersion, found: string): SourceChanged =>
  new SourceChanged({ source, expected: quoted(identityOf(pinned)), found: quoted(found) })

/** Another version, by its status alone. */
export const changedByStatus = (source: string, pinned: HttpVersion, status: number): SourceChanged =>
  changed(source, pinned, `another version (status ${status})`)

/**
 * Throws `SourceChanged` when an answer is of another version, and an `HttpFault` when it doesn't say of which
 * it is though others did. `conditional` says that a part was sent, which a server does only
 * if the condition held: then it may leave out Last-Modified.
 */
export const checkVersion = (
  source: string,
  pinned: HttpVersion,
  found: Found,
  conditional: boolean
): void => {
  const fail = () => {
    throw changed(source, pinned, described(found, found.length))
  }
  if (found.length !== undefined && found.length !== pinned.length) fail()
  if (pinned.etag !== undefined) {
    if (found.etag === undefined) throw refused("the server no longer says which version it sends (ETag)")
    if (found.etag !== pinned.etag) fail()
    if (isStrong(pinned.etag)) return
  }
  if (pinned.lastModified === undefined) return
  if (found.lastModified !== undefined) {
    if (found.lastModified !== pinned.lastModified) fail()
  } else if (pinned.etag === undefined && !conditional) {
    throw refused("the server no longer says which version it sends (Last-Modified)")
  }
}
