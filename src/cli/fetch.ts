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
import type { ByteSource, SourceError } from "../fetch/ByteSource.ts"
import { SparseIo } from "../fetch/SparseIo.ts"
import { ExtentFile } from "../file/ExtentFile.ts"
import { NothingInRange, NoVersion, ObjectChanged } from "./errors.ts"
import { counted, duration, exactSize, share, size } from "./figures.ts"
import { mustBeDirectory } from "./filePlaces.ts"
import { jsonFlag, pathFlag } from "./flags.ts"
import { print, printJson } from "./output.ts"
import { withProgress } from "./progress.ts"
import { type ByteRange, rangeFlag, rangesWithin } from "./ranges.ts"
import { type Headers, headersFlag, objectName, openUrl, urlArgument } from "./remoteInput.ts"

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
      Flag.withDescription("forget what was fetched before: the object has changed since, or may have")
    ),
    trustLength: Flag.Boolean("trust-length").pipe(
      Flag.withDefault(false),
      Flag.withDescription("go on although nothing but its length tells that the object is the same")
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

interface FetchInput {
  readonly url: string
  readonly out: string
  readonly ranges: ReadonlyArray<ByteRange>
  readonly all: boolean
  readonly restart: boolean
  readonly trustLength: boolean
  readonly headers: Headers
  readonly json: boolean
}

const run = Effect.fnUntraced(function* (input: FetchInput) {
  const start = performance.now()
  const { json, out, url } = input
  yield* mustBeDirectory(dirname(out))
  const source = yield* openUrl(url, input.headers)
  const length = yield* source.length
  const wanted = yield* wantedOf(input, length)
  const { io, store } = yield* openTarget(source, input)
  const there = store.stats().bytes
  const missing = missingBytes(wanted, { covered: yield* io.coverage() })
  yield* Effect.forkScoped(Effect.repeat(Effect.ignore(store.flush), Schedule.spaced(flushInterval)))
  yield* withProgress(Effect.forEach(wanted, io.prefetch, { discard: true }), {
    label: "fetching",
    progress: () => ({ bytes: store.stats().bytes - there, total: missing }),
    quiet: json
  })
  const { bytes } = store.stats()
  const { fetchedBytes, fetches } = io.stats()
  yield* store.close
  const complete = bytes === length
  const millis = Math.round(performance.now() - start)
  const result = { out, length, complete, keptBytes: bytes, fetchedBytes, requests: fetches, millis }
  yield* json
    ? printJson({ source: objectName(url), ...result })
    : print(
        `${out} holds ${complete ? "all" : share(bytes, length)} of ${exactSize(length)}: ` +
          `${size(fetchedBytes)} fetched in ${counted(fetches, "request")} (${duration(millis)})`
      )
})

/** What is to be there in the end: ascending, disjoint. */
const wantedOf = Effect.fnUntraced(function* ({ all, ranges, url }: FetchInput, length: number) {
  if (all || ranges.length === 0) return [{ offset: 0, length }]
  const wanted = rangesWithin(ranges, length)
  if (wanted.length === 0 && length > 0) yield* new NothingInRange({ source: objectName(url), length })
  return wanted
})

/** The file, and what fetches into it. */
const openTarget = Effect.fnUntraced(function* (
  source: ByteSource<SourceError>,
  { out, restart, trustLength, url }: FetchInput
) {
  const store = yield* ExtentFile.open(out).pipe(
    // Somebody's file, which no fetch has made.
    Effect.catchTag("Incomplete", ({ path }) => Effect.fail(new FileExists({ path })))
  )
  if (restart) yield* store.clear
  if (store.stats().extents > 0 && !trustLength && !(yield* source.isVersioned ?? Effect.succeed(true))) {
    yield* new NoVersion({ source: objectName(url), out })
  }
  const length = yield* source.length
  const inParts = yield* source.hasRanges ?? Effect.succeed(true)
  // A server that sends an object from its beginning or not at all can't go on anywhere.
  if (!inParts && store.stats().bytes < length) yield* store.clear
  const requests = inParts ? {} : inOneRequest(length)
  const io = yield* SparseIo.make({ source, store, onStoreFailure: "fail", trustLength, ...requests }).pipe(
    Effect.catchTag("SourceChanged", ({ message }) =>
      Effect.fail(new ObjectChanged({ out, reason: message }))
    )
  )
  return { io, store }
})

/** A request has up to 16,384 chunks. */
const inOneRequest = (length: number) => {
  const chunkSize = Math.max(131_072, 2 ** Math.ceil(Math.log2(length / 16_384)))
  const chunks = Math.max(1, Math.ceil(length / chunkSize))
  return { chunkSize, concurrency: 1, requestBytes: chunks * chunkSize }
}

/** How many bytes of some ranges, ascending and disjoint, are not covered by others. */
const missingBytes = (
  wanted: ReadonlyArray<Extent>,
  { covered }: { readonly covered: ReadonlyArray<Extent> }
): number => {
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
