/**
 * A look at a file that holds parts of an object, or all of it: how much, and where.
 */
import * as Effect from "effect/Effect"
import type { Closed, Corrupt } from "../bytes/errors.ts"
import { ExtentFile } from "../file/ExtentFile.ts"
import { attempt } from "../io/attempt.ts"
import { Io } from "../io/Io.ts"
import { count, exactSize, printable, share } from "./figures.ts"
import type { Inspection } from "./inspection.ts"
import { picture } from "./picture.ts"
import { holeRows, totalsOf } from "./totals.ts"

/** Whether the file at `path` has a record of extents, and no map: else it is a sparse file, whatever lies beside it. */
export const isExtentFile = Effect.fnUntraced(function* (path: string) {
  const io = yield* Io
  const isThere = (name: string) => Effect.map(io.classify(name), (found) => found === "file")
  return (yield* isThere(`${path}.extents`)) && !(yield* isThere(`${path}.map`))
})

/** Looks at the extent file at `path`, with a picture for a terminal of `width` columns. */
export const inspectExtents = Effect.fnUntraced(function* (path: string, width: number) {
  const { clean, coverage, pinned, size } = yield* ExtentFile.report(path)
  const span = pinned?.length ?? size
  const totals = yield* totalsOf({ extents: () => coverage }, span)
  const lines = yield* attempt<ReadonlyArray<string>, Closed | Corrupt>(() =>
    picture(coverage, { span: totals.end, width })
  )
  const inspection: Inspection = {
    path,
    figures: [
      ["length", exactSize(totals.end)],
      ["kept", `${exactSize(totals.bytes)}, ${share(totals.bytes, totals.end)}`],
      ["ranges", count(totals.extents)],
      ["version", pinned === undefined || pinned.identity === "" ? "not known" : printable(pinned.identity)],
      ["durable", clean ? "all of it" : "not the newest part: it is being written, or was interrupted"],
      ...holeRows(totals)
    ],
    picture: lines,
    json: {
      path,
      length: totals.end,
      keptBytes: totals.bytes,
      complete: totals.bytes === totals.end,
      identity: pinned?.identity ?? null,
      clean,
      coverage,
      largestHoles: totals.holes
    }
  }
  return inspection
})
