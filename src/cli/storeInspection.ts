/**
 * A look at a store: its figures, and where in its virtual space something can be read.
 */
import * as Effect from "effect/Effect"
import type { Closed, Corrupt } from "../bytes/errors.ts"
import { attempt } from "../io/attempt.ts"
import type { StoreStats } from "../store/storeService.ts"
import { exactSize } from "./figures.ts"
import type { Inspection } from "./inspection.ts"
import { type Marks, picture } from "./picture.ts"
import { savedBytes, statsJson, statsRows } from "./storeFigures.ts"
import { openStore } from "./storeInput.ts"
import { holeRows, totalsOf } from "./totals.ts"

/** Looks at the store at `path`, with a picture for a terminal of `width` columns. */
export const inspectStore = Effect.fnUntraced(function* (path: string, width: number) {
  const store = yield* openStore(path, { readonly: true })
  const stats = store.stats()
  const totals = yield* totalsOf(store, stats.committedEnd)
  const lines = yield* attempt<ReadonlyArray<string>, Closed | Corrupt>(() =>
    stats.committedEnd === 0
      ? ["(nothing was appended)"]
      : picture(store.extents(), { span: stats.committedEnd, width, marks: marksOf(stats) })
  )
  const { directory: _directory, ...figures } = statsJson(stats) // which is `path`
  const inspection: Inspection = {
    path,
    figures: [...statsRows(stats), ["readable", exactSize(totals.bytes)], ...holeRows(totals)],
    picture: lines,
    json: {
      path,
      ...figures,
      readableBytes: totals.bytes,
      savedBytes: savedBytes(stats),
      largestHoles: totals.holes
    }
  }
  return inspection
})

/** Cells that reach into the suffix are shown by their chunks. */
const marksOf = ({ chunks, suffixStart }: StoreStats): Marks => ({
  of: (_, end) => {
    if (end <= suffixStart) return undefined
    const chunk = chunks.findLast(({ offset }) => offset < end)
    return chunk === undefined ? undefined : String(chunk.number % 10)
  },
  legend: "digits the suffix, by the last digits of its chunks' numbers"
})
