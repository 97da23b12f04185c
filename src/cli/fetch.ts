/**
 * `lacuna fetch`: an object behind a URL, or ranges of it, into a file of the same layout.
 *
 * What was fetched is remembered beside the file, so that a fetch that was interrupted, or killed, goes on
 * where it was, and another one may ask for more.
 */
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { FileExists } from "../bytes/errors.ts"
import type { Extent } from "../bytes/extent.ts"
import { SparseIo } from "../fetch/SparseIo.ts"
import { ExtentFile } from "../file/ExtentFile.ts"
import { NothingInRange } from "./errors.ts"
import { counted, duration, exactSize, share, size } from "./figures.ts"
import { mustBeDirectory } from "./filePlaces.ts"
import { jsonFlag, pathFlag } from "./flags.ts"
import { print, printJson } from "./output.ts"
import { withProgress } from "./progress.ts"
import { type ByteRange, rangeFlag, rangesWithin } from "./ranges.ts"
import { type Headers, headersFlag, openUrl, urlArgument } from "./remoteInput.ts"

/** How long what was fetched may go without being made durable: a power cut costs as much. */
const flushInterval = "2 seconds"

export const fetch = Command.make(
  "fetch",
  {
    url: urlArgument("URL"),
    out: pathFlag("out").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("the file to fetch into: a new one, or one of an earlier fetch, which goes on")
    ),
    ranges: rangeFlag,
    all: Flag.Boolean("all").pipe(
      Flag.withDefault(false),
      Flag.withDescription("fetch everything; so does a fetch without --range")
    ),
    restart: Flag.Boolean("restart").pipe(
      Flag.withDefault(false),
      Flag.withDescription("where the object has changed since, forget what was fetched of it before")
    ),
    headers: headersFlag,
    json: jsonFlag
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription(
    "Fetch an object, or ranges of it, into a file of the same layout; what was fetched before is not fetched again."
  ),
  Command.withShortDescription("fetch an object, or ranges of it, resumably"),
  Command.withExamples([
    { command: "lacuna fetch https://host/big.parquet --out big.parquet --range -65536" }
  ])
)

const run = Effect.fnUntraced(function* (input: {
  readonly url: string
  readonly out: string
  readonly ranges: ReadonlyArray<ByteRange>
  readonly all: boolean
  readonly restart: boolean
  readonly headers: Headers
  readonly json: boolean
}) {
  const start = performance.now()
  const { json, out, url } = input
  yield* mustBeDirectory(dirname(out))
  const source = yield* openUrl(url, input.headers)
  const length = yield* source.length
  const ranges = input.all || input.ranges.length === 0 ? [] : input.ranges
  const wanted = ranges.length === 0 ? [{ offset: 0, length }] : rangesWithin(ranges, length)
  if (ranges.length > 0 && wanted.length === 0)
    yield* new NothingInRange({ source: source.name ?? url, length })
  const store = yield* ExtentFile.open(out).pipe(
    // Somebody's file, which no fetch has made.
    Effect.catchTag("Incomplete", ({ path }) => Effect.fail(new FileExists({ path })))
  )
  const io = yield* SparseIo.make({
    source,
    store,
    onStoreFailure: "fail",
    onSourceChanged: input.restart ? "clear" : "fail"
  })
  const there = store.stats().bytes
  const missing = missingBytes(wanted, yield* io.coverage())
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(store.flush), Schedule.spaced(flushInterval)))
  const fetching = Effect.forEach(wanted, io.prefetch, { discard: true })
  yield* withProgress(fetching, {
    label: "fetching",
    progress: () => ({ bytes: store.stats().bytes - there, total: missing }),
    quiet: json
  })
  const { bytes } = store.stats()
  const { fetchedBytes, fetches } = io.stats()
  yield* store.close
  const millis = Math.round(performance.now() - start)
  const result = {
    out,
    length,
    complete: bytes === length,
    keptBytes: bytes,
    fetchedBytes,
    requests: fetches,
    millis
  }
  yield* json
    ? printJson({ source: source.name ?? url, ...result })
    : print(
        `${out} holds ${bytes === length ? "all" : share(bytes, length)} of ${exactSize(length)}: ` +
          `${size(fetchedBytes)} fetched in ${counted(fetches, "request")} (${duration(millis)})`
      )
})

/** How many bytes of some ranges, ascending and disjoint, are not in others. */
const missingBytes = (wanted: ReadonlyArray<Extent>, covered: ReadonlyArray<Extent>): number => {
  let missing = 0
  let next = 0
  for (const { length, offset } of wanted) {
    const end = offset + length
    missing += length
    while (next < covered.length && covered[next].offset + covered[next].length <= offset) next++
    for (let i = next; i < covered.length && covered[i].offset < end; i++) {
      const from = Math.max(offset, covered[i].offset)
      missing -= Math.min(end, covered[i].offset + covered[i].length) - from
    }
  }
  return missing
}
