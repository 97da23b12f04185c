/**
 * What an extent file has, looked at from outside: without a lock, beside a writer, and without changing anything.
 */
import * as Effect from "effect/Effect"
import { type Corrupt, Incomplete } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { Io, type OpenError } from "../io/Io.ts"
import type { ExtentFileReport } from "./extentFileService.ts"
import type { ExtentIndex } from "./extentIndex.ts"
import { loadRecord } from "./extentLoading.ts"
import { extentPaths } from "./extentPaths.ts"
import { dropBeyond } from "./extentRecovery.ts"

export type ExtentReportError = Corrupt | Incomplete | OpenError

/** `ExtentFile.report`. */
export const reportExtents = (path: string): Effect.Effect<ExtentFileReport, ExtentReportError, Io> =>
  Effect.gen(function* () {
    const io = yield* Io
    const paths = extentPaths(path)
    const size = yield* io.sizeOf(paths.data)
    const file = yield* io
      .open(paths.record, { readonly: true })
      .pipe(Effect.catchTag("NoSuchFile", () => Effect.fail(new Incomplete({ path, missing: paths.record }))))
    const { index, marked } = yield* loadRecord(file)
    // What was written while the record was read is longer than the size from before.
    const short = dropBeyond(index, yield* io.sizeOf(paths.data))
    return { path, size, pinned: index.pinned, coverage: coverageOf(index), clean: marked && !short }
  }).pipe(Effect.scoped, Effect.withSpan("ExtentFile.report", { attributes: { path } }))

/** The ranges of the extents that pieces cover, united. */
const coverageOf = (index: ExtentIndex): Array<Extent> => {
  const { extents } = index
  const coverage: Array<Extent> = []
  let start = 0
  let end = -1
  for (let at = extents.first(); at !== -1; at = extents.next(at)) {
    if (!index.covers(extents.start(at), extents.end(at))) continue
    if (extents.start(at) > end) {
      if (end !== -1) coverage.push({ offset: start, length: end - start })
      start = extents.start(at)
    }
    end = Math.max(end, extents.end(at))
  }
  if (end !== -1) coverage.push({ offset: start, length: end - start })
  return coverage
}
