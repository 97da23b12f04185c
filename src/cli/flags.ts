/**
 * Flags and arguments that several commands share.
 */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { isOffset } from "../bytes/offset.ts"

/** A number of bytes or an offset: decimal digits, up to 2^53-1. */
export const bytesFlag = (name: string): Flag.Flag<number> =>
  Flag.String(name).pipe(
    Flag.mapTryCatch(
      (text) => {
        const value = Number(text)
        if (!/^\d+$/.test(text) || !isOffset(value)) throw new Error("not an offset")
        return value
      },
      () => "a whole number of bytes from 0 to 2^53-1 is expected"
    ),
    Flag.withMetavar("N")
  )

export const jsonFlag: Flag.Flag<boolean> = Flag.Boolean("json").pipe(
  Flag.withDefault(false),
  Flag.withDescription("print the result as one JSON object")
)

const notEmpty = (path: string): string => {
  if (path === "") throw new Error("empty")
  return path
}
const pathExpected = (): string => "the path of a file is expected"
const directoryExpected = (): string => "the path of a directory is expected"

/** A path. The empty one, which a script's unset variable gives, is a wrong call. */
export const pathFlag = (name: string): Flag.Flag<string> =>
  Flag.String(name).pipe(Flag.mapTryCatch(notEmpty, pathExpected))

/** A path, as `pathFlag`. */
export const pathArgument = (name: string): Argument.Argument<string> =>
  Argument.String(name).pipe(Argument.mapTryCatch(notEmpty, pathExpected))

/** The path of a directory, as `pathFlag`. */
export const directoryFlag = (name: string): Flag.Flag<string> =>
  Flag.String(name).pipe(Flag.mapTryCatch(notEmpty, directoryExpected))

/** The path of a directory, as `pathFlag`. */
export const directoryArgument = (name: string): Argument.Argument<string> =>
  Argument.String(name).pipe(Argument.mapTryCatch(notEmpty, directoryExpected))

export const liveFlag: Flag.Flag<string> = pathFlag("live").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("the live list, one `offset length` a line; - is standard input")
)

/** A trial run, which `description` describes. */
export const dryRunFlag = (description: string): Flag.Flag<boolean> =>
  Flag.Boolean("dry-run").pipe(Flag.withDefault(false), Flag.withDescription(description))
