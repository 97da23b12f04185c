/**
 * `lacuna store collect`: keeps what a live list names, and gives the disk of the rest back.
 *
 * The list is read while the store is held, so that nothing is appended that it could not know of
 * and that would be lost; a list that is wrong anywhere changes nothing.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { StoreCollected } from "../store/storeService.ts"
import { count, duration, exactSize, savings, size, table } from "./figures.ts"
import { bytesFlag, directoryArgument, dryRunFlag, jsonFlag, liveFlag } from "./flags.ts"
import { streamLiveList } from "./liveList.ts"
import { print, printJson } from "./output.ts"
import { withProgress } from "./progress.ts"
import { openStore } from "./storeInput.ts"

export const storeCollect = Command.make(
  "collect",
  {
    directory: directoryArgument("DIR").pipe(Argument.withDescription("the store")),
    live: liveFlag,
    upTo: bytesFlag("up-to").pipe(
      Flag.optional,
      Flag.withDescription("keep everything from offset N on (default: the committed end)")
    ),
    dryRun: dryRunFlag("say what would be kept and freed, and change nothing"),
    json: jsonFlag
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription(
    "Keep the live extents of a store at their offsets, forget the rest, and free its disk. Readers need not stop."
  ),
  Command.withShortDescription("keep the live extents, and free the rest"),
  Command.withExamples([
    { command: "lacuna store collect events --live live.txt", description: "keep what live.txt names" },
    {
      command: "list-live-events | lacuna store collect events --live - --up-to 1073741824 --dry-run",
      description: "see what a list on standard input would free of the first gibibyte"
    }
  ])
)

const run = Effect.fnUntraced(function* (input: {
  readonly directory: string
  readonly live: string
  readonly upTo: Option.Option<number>
  readonly dryRun: boolean
  readonly json: boolean
}) {
  const { directory, dryRun, json, live } = input
  const store = yield* openStore(directory, { readonly: false })
  const upTo = Option.getOrElse(input.upTo, store.committedEnd)
  const list = yield* streamLiveList(live, store.committedEnd())
  let copied = { bytes: 0, total: 0 }
  const collect = store.collect({
    live: list.extents,
    upTo,
    dryRun,
    onProgress: (progress) => (copied = progress)
  })
  const collected = yield* withProgress(collect, {
    label: "collecting",
    progress: () => copied,
    quiet: json
  })
  yield* store.close
  const result: Result = { directory, given: list.given(), empty: list.empty(), ...collected }
  yield* json ? printJson(result) : print(...linesOf(result))
})

interface Result extends StoreCollected {
  readonly directory: string
  /** Lines of the live list that hold an extent. */
  readonly given: number
  /** Those of no bytes. */
  readonly empty: number
}

const linesOf = (result: Result): ReadonlyArray<string> => {
  const { bytesFreed, bytesKept, diskBytesAfter, diskBytesBefore, dryRun, empty, given, upTo } = result
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["generation", count(result.generation)],
    ["extents given", count(given) + (empty === 0 ? "" : `, ${count(empty)} of them empty`)],
    ["extents kept", count(result.extents)],
    ["bytes kept", exactSize(bytesKept)],
    ["bytes freed", savings(bytesFreed, bytesKept + bytesFreed)],
    ["chunks removed", count(result.chunksRemoved)],
    ["disk before", exactSize(diskBytesBefore)],
    // How large the map will be is known when it is written.
    ["disk after", dryRun ? `about ${size(diskBytesAfter)}` : exactSize(diskBytesAfter)],
    ["time", duration(result.millis.total)]
  ]
  return [
    dryRun
      ? `nothing changed; ${result.directory} would keep, before offset ${count(upTo)}:`
      : `${result.directory} keeps, before offset ${count(upTo)}:`,
    ...table(rows).map((row) => `  ${row}`)
  ]
}
