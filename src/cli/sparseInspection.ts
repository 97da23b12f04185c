/**
 * A look at a sparse file: its figures and its picture.
 */
import * as Effect from "effect/Effect"
import type { Corrupt } from "../bytes/errors.ts"
import type { SparseFileReader } from "../file/SparseFileReader.ts"
import { attempt } from "../io/attempt.ts"
import { count, exactSize, savings } from "./figures.ts"
import type { Inspection } from "./inspection.ts"
import { picture } from "./picture.ts"
import { openSparse } from "./sparseInput.ts"
import { holeRows, type Totals, totalsOf } from "./totals.ts"

/** Looks at the sparse file at `path`, with a picture for a terminal of `width` columns. */
export const inspectSparse = Effect.fnUntraced(function* (path: string, width: number) {
  const reader = yield* openSparse(path)
  const totals = yield* totalsOf(reader)
  const lines = yield* attempt<ReadonlyArray<string>, Corrupt>(() =>
    picture(reader.extents(), { span: totals.end, width })
  )
  const inspection: Inspection = {
    path,
    figures: rowsOf(reader, totals),
    picture: lines,
    json: { path, ...jsonOf(reader, totals) }
  }
  return inspection
})

type Reader = SparseFileReader["Service"]

/** What the sparse file takes less than a file that reaches as far. */
const savedBytes = ({ dataLength, mapBytes }: Reader, { end }: Totals): number => end - dataLength - mapBytes

const rowsOf = (reader: Reader, totals: Totals): Inspection["figures"] => {
  const { dataLength, mapBytes } = reader
  const perExtent = totals.extents === 0 ? "" : `, ${(mapBytes / totals.extents).toFixed(1)} bytes an extent`
  return [
    ["extents", count(totals.extents)],
    ["live bytes", exactSize(totals.bytes)],
    ["virtual span", exactSize(totals.end)],
    ["data", exactSize(dataLength)],
    ["map", exactSize(mapBytes) + perExtent],
    ["saved", savings(savedBytes(reader, totals), totals.end)],
    ...holeRows(totals)
  ]
}

const jsonOf = (reader: Reader, totals: Totals): object => {
  const { dataLength, mapBytes } = reader
  return {
    extents: totals.extents,
    liveBytes: totals.bytes,
    virtualSpan: totals.end,
    dataBytes: dataLength,
    mapBytes,
    mapBytesPerExtent: totals.extents === 0 ? null : mapBytes / totals.extents,
    savedBytes: savedBytes(reader, totals),
    largestHoles: totals.holes
  }
}
