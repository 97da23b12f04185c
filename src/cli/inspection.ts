/**
 * A look at a sparse file: its figures and its picture, for whoever shows them.
 */
import * as Effect from "effect/Effect"
import type { Corrupt } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import { count, exactSize, savings } from "./figures.ts"
import { picture } from "./picture.ts"
import { openSparse } from "./sparseInput.ts"
import { type Totals, totalsOf } from "./totals.ts"

export interface Inspection {
  readonly path: string
  readonly totals: Totals
  readonly dataBytes: number
  readonly mapBytes: number
  readonly picture: ReadonlyArray<string>
}

/** Looks at the sparse file at `path`, with a picture for a terminal of `width` columns. */
export const inspectFile = Effect.fnUntraced(function* (path: string, width: number) {
  const reader = yield* openSparse(path)
  const totals = yield* totalsOf(reader)
  const lines = yield* attempt<ReadonlyArray<string>, Corrupt>(() =>
    picture(reader.extents(), { span: totals.end, width })
  )
  const inspection: Inspection = {
    path,
    totals,
    dataBytes: reader.dataLength,
    mapBytes: reader.mapBytes,
    picture: lines
  }
  return inspection
})

/** What the sparse file takes less than a file that reaches as far. */
export const savedBytes = ({ dataBytes, mapBytes, totals }: Inspection): number =>
  totals.end - dataBytes - mapBytes

/** The figures, as rows of a name and a value. */
export const figuresOf = (inspection: Inspection): ReadonlyArray<readonly [string, string]> => {
  const { dataBytes, mapBytes, totals } = inspection
  const perExtent = totals.extents === 0 ? "" : `, ${(mapBytes / totals.extents).toFixed(1)} bytes an extent`
  const rows: Array<readonly [string, string]> = [
    ["extents", count(totals.extents)],
    ["live bytes", exactSize(totals.bytes)],
    ["virtual span", exactSize(totals.end)],
    ["data", exactSize(dataBytes)],
    ["map", exactSize(mapBytes) + perExtent],
    ["saved", savings(savedBytes(inspection), totals.end)]
  ]
  totals.holes.forEach(({ length, offset }, i) => {
    rows.push([i === 0 ? "largest holes" : "", `${exactSize(length)} at ${count(offset)}`])
  })
  return rows
}
