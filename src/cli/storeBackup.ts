/**
 * `lacuna store backup`: a copy of what is committed, while the store may be in use.
 */
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { count, counted, duration, exactSize } from "./figures.ts"
import { mustBeDirectory, mustDiffer } from "./filePlaces.ts"
import { directoryArgument, directoryFlag, jsonFlag } from "./flags.ts"
import { print, printJson } from "./output.ts"
import { withProgress } from "./progress.ts"
import { openStore } from "./storeInput.ts"

export const storeBackup = Command.make(
  "backup",
  {
    directory: directoryArgument("DIR").pipe(Argument.withDescription("the store; it is only read")),
    out: directoryFlag("out").pipe(
      Flag.withMetavar("DIR2"),
      Flag.withDescription("the directory of the copy, which must be missing or empty")
    ),
    json: jsonFlag
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription(
    "Copy what is committed to a store, verified on the way, into a store of its own; also while it is in use."
  ),
  Command.withShortDescription("copy what is committed, verified"),
  Command.withExamples([{ command: "lacuna store backup events --out /backup/events" }])
)

const run = Effect.fnUntraced(function* (input: {
  readonly directory: string
  readonly out: string
  readonly json: boolean
}) {
  const start = performance.now()
  const { directory, json, out } = input
  yield* mustDiffer({ path: out, other: directory, roles: "both DIR and --out" })
  yield* mustBeDirectory(dirname(out))
  const store = yield* openStore(directory, { readonly: true })
  let progress = { bytes: 0, total: 0 }
  const copying = store.backup(out, { onProgress: (now) => (progress = now) })
  const copy = yield* withProgress(copying, { label: "copying", progress: () => progress, quiet: json })
  const millis = Math.round(performance.now() - start)
  const { bytes, committedEnd, files } = copy
  yield* json
    ? printJson({ ...copy, source: directory, millis })
    : print(
        `${out} holds ${directory} up to ${count(committedEnd)}: ` +
          `${counted(files, "file")}, ${exactSize(bytes)} (${duration(millis)})`
      )
})
