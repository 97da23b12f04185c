/**
 * `lacuna compact`: keeps the extents that a live list names, and nothing else, at their offsets.
 *
 * Everything that can be wrong with the arguments and the list is found before a file is created.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { Extent } from "../bytes/extent.ts"
import { SparseFile } from "../file/SparseFile.ts"
import type { AppendedExtents } from "../file/SparseFileWriter.ts"
import { Io } from "../io/Io.ts"
import { count, counted, duration, exactSize, savings, table } from "./figures.ts"
import { mustBeFree, mustDiffer } from "./filePlaces.ts"
import { bytesFlag, dryRunFlag, jsonFlag, liveFlag, pathArgument, pathFlag } from "./flags.ts"
import { readLiveList } from "./liveList.ts"
import { print, printJson } from "./output.ts"
import { withProgress } from "./progress.ts"

const defaultMaxGap = 32

export const compact = Command.make(
  "compact",
  {
    source: pathArgument("SOURCE").pipe(Argument.withDescription("the file to collect; it is only read")),
    live: liveFlag,
    out: pathFlag("out").pipe(
      Flag.withMetavar("PATH"),
      Flag.withDescription("the sparse file to create: PATH and PATH.map")
    ),
    maxGap: bytesFlag("max-gap").pipe(
      Flag.withDefault(defaultMaxGap),
      Flag.withDescription(
        `keep gaps of up to N bytes where that saves a map entry (default ${defaultMaxGap})`
      )
    ),
    dryRun: dryRunFlag("say what would be kept, and write nothing"),
    json: jsonFlag
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription(
    "Copy the live extents of a file into a sparse file that answers at the old offsets."
  ),
  Command.withShortDescription("keep the live extents of a file, at their old offsets"),
  Command.withExamples([
    {
      command: "lacuna compact events.log --live live.txt --out events.sparse",
      description: "collect a log"
    },
    {
      command: "list-live-objects | lacuna compact objects.pack --live - --out objects.sparse --dry-run",
      description: "see what a list on standard input would keep"
    }
  ])
)

interface Input {
  readonly source: string
  readonly live: string
  readonly out: string
  readonly maxGap: number
  readonly dryRun: boolean
  readonly json: boolean
}

const run = Effect.fnUntraced(function* (input: Input) {
  const start = performance.now()
  const { dryRun, json, live, maxGap, out, source } = input
  const io = yield* Io
  yield* mustDiffer({ path: out, other: source, roles: "both SOURCE and --out" })
  yield* mustBeFree(out, `${out}.map`)
  const file = yield* io.open(source, { readonly: true })
  const sourceBytes = yield* file.size
  const list = yield* readLiveList(live, sourceBytes)
  let kept = planOf(list.extents, maxGap)
  let mapBytes: number | undefined
  if (!dryRun) {
    const writer = yield* SparseFile.create(out, { maxGap })
    const total = kept.bytes
    kept = yield* withProgress(writer.appendExtents(file, list.extents.extents), {
      label: "compacting",
      progress: () => ({ bytes: writer.currentOffset(), total }),
      quiet: json
    })
    yield* writer.close
    mapBytes = yield* io.sizeOf(`${out}.map`)
  }
  const result: Result = {
    source,
    out,
    dryRun,
    sourceBytes,
    given: list.given,
    empty: list.empty,
    duplicates: list.extents.duplicates,
    overlaps: list.extents.overlaps,
    fused: list.extents.count - kept.extents,
    extents: kept.extents,
    liveBytes: list.extents.bytes,
    gapBytes: kept.bytes - list.extents.bytes,
    dataBytes: kept.bytes,
    mapBytes: Option.fromUndefinedOr(mapBytes),
    millis: Math.round(performance.now() - start)
  }
  yield* json ? printJson(jsonOf(result)) : print(...linesOf(result))
})

interface Result {
  readonly source: string
  readonly out: string
  readonly dryRun: boolean
  readonly sourceBytes: number
  readonly given: number
  readonly empty: number
  readonly duplicates: number
  readonly overlaps: number
  readonly fused: number
  readonly extents: number
  readonly liveBytes: number
  readonly gapBytes: number
  readonly dataBytes: number
  /** None in a dry run: nobody knows before it is written. */
  readonly mapBytes: Option.Option<number>
  readonly millis: number
}

/** The bindings and bytes that `appendExtents` will make of united extents. */
const planOf = (extents: Iterable<Extent>, maxGap: number): AppendedExtents => {
  let bindings = 0
  let bytes = 0
  let end = -1
  for (const { length, offset } of extents) {
    if (end >= 0 && offset - end <= maxGap) bytes += offset - end
    else bindings++
    bytes += length
    end = offset + length
  }
  return { extents: bindings, bytes }
}

const savedBytes = (result: Result): number =>
  result.sourceBytes - result.dataBytes - Option.getOrElse(result.mapBytes, () => 0)

const mapBytesPerExtent = (result: Result): number | null =>
  result.extents === 0
    ? null
    : Option.getOrNull(Option.map(result.mapBytes, (bytes) => bytes / result.extents))

const jsonOf = (result: Result): object => ({
  ...result,
  mapBytes: Option.getOrNull(result.mapBytes),
  mapBytesPerExtent: mapBytesPerExtent(result),
  savedBytes: savedBytes(result)
})

const linesOf = (result: Result): ReadonlyArray<string> => {
  const { dataBytes, duplicates, empty, extents, fused, gapBytes, given, liveBytes, overlaps, sourceBytes } =
    result
  const united = duplicates + overlaps
  const perExtent = mapBytesPerExtent(result)
  const rows: Array<readonly [string, string]> = [
    ["extents given", count(given) + (empty === 0 ? "" : `, ${count(empty)} of them empty`)]
  ]
  if (united > 0) {
    rows.push([
      "united",
      `${counted(duplicates, "duplicate")} and ${counted(overlaps, "overlap")} (lines of the live list)`
    ])
  }
  if (fused > 0) {
    const gaps = gapBytes === 0 ? "all of them touching" : `with ${exactSize(gapBytes)} of gaps between them`
    rows.push(["fused", `${count(fused)}, ${gaps}`])
  }
  rows.push(
    ["extents kept", count(extents)],
    ["live bytes", exactSize(liveBytes)],
    ["source", exactSize(sourceBytes)],
    ["saved", savings(savedBytes(result), sourceBytes)]
  )
  if (Option.isSome(result.mapBytes)) {
    const each = perExtent === null ? "" : `, ${perExtent.toFixed(1)} bytes an extent`
    rows.push(["data", exactSize(dataBytes)], ["map", exactSize(result.mapBytes.value) + each])
  }
  rows.push(["time", duration(result.millis)])
  return [
    result.dryRun ? `nothing written; ${result.out} would hold:` : `${result.out} holds:`,
    ...table(rows).map((row) => `  ${row}`)
  ]
}
