/**
 * Flags that several commands share.
 */
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
