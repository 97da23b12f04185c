/**
 * The objects behind URLs that commands are given.
 */
import { createHash } from "node:crypto"
import fs from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { IoFailed } from "../bytes/errors.ts"
import { ByteSource } from "../fetch/ByteSource.ts"

/** Whether an argument is meant as a URL rather than a path. */
export const isUrl = (text: string): boolean => /^https?:\/\//i.test(text)

export const urlArgument = (name: string): Argument.Argument<string> =>
  Argument.String(name).pipe(
    Argument.mapTryCatch(
      (text) => {
        if (!isUrl(text) || !URL.canParse(text)) throw new Error("no URL")
        return text
      },
      () => "a URL is expected that begins with http:// or https://"
    )
  )

const headerPattern = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/

/** Headers of requests: credentials, say. */
export const headersFlag = Flag.String("header").pipe(
  Flag.mapTryCatch(
    (text): readonly [string, string] => {
      const parts = headerPattern.exec(text)
      if (parts === null) throw new Error("no header")
      return [parts[1].toLowerCase(), parts[2]]
    },
    () => "a header is expected, as in `Authorization: Bearer …`"
  ),
  Flag.withMetavar("HEADER"),
  Flag.atLeast(0),
  Flag.withDescription("send this header, to the URL's own host only; may be given again")
)

export type Headers = ReadonlyArray<readonly [string, string]>

export const openUrl = (url: string, headers: Headers) =>
  ByteSource.fromHttp(url, { headers: Object.fromEntries(headers) })

/** Where what was read of URLs is kept, unless a command is told otherwise. */
export const defaultCacheDirectory = (): string => {
  const base = process.env["XDG_CACHE_HOME"]
  return join(base !== undefined && base.startsWith("/") ? base : join(homedir(), ".cache"), "lacuna")
}

/** The file in which the bytes behind `url` are kept. The name tells nothing of the URL, which may be a secret. */
export const cachePath = (directory: string, url: string): string =>
  join(directory, createHash("sha256").update(url).digest("hex").slice(0, 32))

/** Makes a directory for one's own use, and those that it lies in. */
export const makeCacheDirectory = (directory: string): Effect.Effect<void, IoFailed> =>
  Effect.try({
    try: () => void fs.mkdirSync(directory, { recursive: true, mode: 0o700 }),
    catch: (cause) => {
      const { code = "UNKNOWN", syscall = "mkdir" } = cause as NodeJS.ErrnoException
      return new IoFailed({ syscall, path: directory, code, cause })
    }
  })
