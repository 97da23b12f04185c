/**
 * The objects behind URLs that commands are given.
 *
 * A URL may be a secret, by its user and password or by a signature in its query: what is shown, logged and
 * recorded is without them.
 */
import { createHash } from "node:crypto"
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { ByteSource, type ByteSource as Source, type SourceError } from "../fetch/ByteSource.ts"

/** Whether an argument is meant as a URL rather than a path. */
export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text)

const checkedUrl = (text: string): string => {
  if (!isUrl(text) || !URL.canParse(text)) throw new Error("no URL")
  return text
}
const urlExpected = (): string => "a URL is expected that begins with http:// or https://"

export const urlArgument = (name: string): Argument.Argument<string> =>
  Argument.String(name).pipe(Argument.mapTryCatch(checkedUrl, urlExpected))

export const urlFlag = (name: string): Flag.Flag<string> =>
  Flag.String(name).pipe(Flag.mapTryCatch(checkedUrl, urlExpected))

/** A path, or a URL. */
export const placeArgument = (name: string): Argument.Argument<string> =>
  Argument.String(name).pipe(
    Argument.mapTryCatch(
      (text) => {
        if (text === "" || (isUrl(text) && !URL.canParse(text))) throw new Error("no place")
        return text
      },
      () => "the path of a file or a whole URL is expected"
    )
  )

export type Headers = ReadonlyArray<readonly [string, string]>

const headerPattern = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)$/

const headerOf = (text: string): readonly [string, string] => {
  const parts = headerPattern.exec(text)
  if (parts === null) throw new Error("no header")
  return [parts[1].toLowerCase(), parts[2]]
}

/** Headers of requests: credentials, say. */
export const headersFlag: Flag.Flag<Headers> = Flag.String("header").pipe(
  Flag.mapTryCatch(
    (text) => {
      if (!text.startsWith("@")) return [headerOf(text)]
      const lines = fs.readFileSync(text.slice(1), "utf8").split(/\r?\n/)
      return lines.filter((one) => one !== "").map(headerOf)
    },
    () => "a header is expected, as in `Name: value`, or @FILE with one a line"
  ),
  Flag.withMetavar("HEADER|@FILE"),
  Flag.atLeast(0),
  Flag.map((headers) => headers.flat()),
  Flag.withDescription(
    "send this header, or those in a file, to the URL's own host only; may be given again (others see the arguments of a process)"
  )
)

/** What of a query is a signature, and another one each time that an object is signed. */
const signatureParameters = /^(x-amz-.*|x-goog-.*|awsaccesskeyid|googleaccessid|signature|expires)$/i

/**
 * What a URL leads to, whatever it is signed by. What is left of the query may still be a secret, and only its
 * hash is a part of this.
 */
export const objectName = (text: string): string => {
  const url = new URL(text)
  for (const name of [...url.searchParams.keys()]) {
    if (signatureParameters.test(name)) url.searchParams.delete(name)
  }
  const query = url.searchParams.toString()
  return `${url.origin}${url.pathname}${query === "" ? "" : `?${hashOf(query).slice(0, 16)}`}`
}

export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex")

/**
 * The object behind a URL. Its identity names the URL too: two objects may well have the same ETag, which is
 * often made of a time and a length.
 */
export const openUrl = (url: string, headers: Headers) =>
  Effect.map(
    ByteSource.fromHttp(url, { headers: Object.fromEntries(headers) }),
    (source): Source<SourceError> => ({
      ...source,
      identity: Effect.map(
        source.identity ?? Effect.succeed(""),
        (identity) => `${objectName(url)}, ${identity}`
      )
    })
  )
