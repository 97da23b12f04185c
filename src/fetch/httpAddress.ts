/**
 * Where an object behind HTTP is, what errors call it, and who is let in by its URL.
 *
 * The query of a signed URL and the password in front of a host are secrets: neither is in a name.
 */
import { InvalidArgument } from "../bytes/errors.ts"

export interface HttpAddress {
  /** Without user, password and fragment; the query as it was given. */
  readonly url: URL
  /** What errors and logs call it: without the query too. */
  readonly name: string
  /** What the user and password in the URL mean. */
  readonly authorization: string | undefined
}

/** Of what a server sends, errors repeat only so much. */
const maxQuotedLength = 200

/** Something of a server's, for an error: some of it, and nothing that a terminal would obey. */
export const quoted = (text: string): string => {
  const plain = text.slice(0, maxQuotedLength).replaceAll(/\p{Cc}/gu, "?")
  return text.length > maxQuotedLength ? `${plain}…` : plain
}

/** A URL without its secrets. */
export const nameOf = (url: URL): string => quoted(`${url.origin}${url.pathname}`)

export const isHttp = (url: URL): boolean => url.protocol === "http:" || url.protocol === "https:"

const refuse = (reason: string): never => {
  throw new InvalidArgument({ operation: "fromHttp", reason })
}

/** RFC 7617, in UTF-8. */
const basicOf = (url: URL): string | undefined => {
  if (url.username === "" && url.password === "") return undefined
  try {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
    return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(pair)))}`
  } catch {
    return refuse("the user or the password in the URL is not percent-encoded as it should be")
  }
}

/** Throws `InvalidArgument`, which doesn't repeat what it was given. */
export const addressOf = (given: string | URL): HttpAddress => {
  const text = String(given)
  if (!URL.canParse(text)) refuse("this is no URL")
  const url = new URL(text)
  if (!isHttp(url)) refuse(`a URL begins with http: or https:, not with ${quoted(url.protocol)}`)
  const authorization = basicOf(url)
  url.username = ""
  url.password = ""
  url.hash = ""
  return { url, name: nameOf(url), authorization }
}
