/**
 * `lacuna store stats`: how a store stands, without reading its bytes.
 */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { table } from "./figures.ts"
import { directoryArgument, jsonFlag } from "./flags.ts"
import { print, printJson } from "./output.ts"
import { statsJson, statsRows } from "./storeFigures.ts"
import { openStore } from "./storeInput.ts"

export const storeStats = Command.make(
  "stats",
  {
    directory: directoryArgument("DIR").pipe(Argument.withDescription("the store; it is only read")),
    json: jsonFlag
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription(
    "Show generation, ends, prefix, chunks and disk of a store, also while it is in use."
  ),
  Command.withShortDescription("show how a store stands"),
  Command.withExamples([{ command: "lacuna store stats events" }])
)

const run = Effect.fnUntraced(function* (input: { readonly directory: string; readonly json: boolean }) {
  const store = yield* openStore(input.directory, { readonly: true })
  const stats = store.stats()
  yield* input.json ? printJson(statsJson(stats)) : print(...table(statsRows(stats)))
})
