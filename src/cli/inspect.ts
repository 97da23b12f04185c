/**
 * `lacuna inspect`: what a sparse file, a store or a fetched file holds, in figures and in a picture.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Io } from "../io/Io.ts"
import { inspectExtents, isExtentFile } from "./extentInspection.ts"
import { table } from "./figures.ts"
import { isDirectory, mustBeFree } from "./filePlaces.ts"
import { jsonFlag, pathArgument, pathFlag } from "./flags.ts"
import { print, printJson } from "./output.ts"
import { page } from "./page.ts"
import { inspectSparse } from "./sparseInspection.ts"
import { inspectStore } from "./storeInspection.ts"

export const inspect = Command.make(
  "inspect",
  {
    path: pathArgument("PATH").pipe(
      Argument.withDescription("the sparse file, the directory of a store, or the file of a fetch")
    ),
    json: jsonFlag,
    html: pathFlag("html").pipe(
      Flag.withMetavar("FILE"),
      Flag.optional,
      Flag.withDescription("also write the same as a web page that needs nothing else")
    )
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription("Show what a sparse file, a store or a fetched file holds, and where it lies."),
  Command.withShortDescription("show figures and a picture of what a file or a store holds"),
  Command.withExamples([{ command: "lacuna inspect events.sparse" }])
)

const inspectAny = Effect.fnUntraced(function* (path: string, width: number) {
  if (yield* isDirectory(path)) return yield* inspectStore(path, width)
  return (yield* isExtentFile(path)) ? yield* inspectExtents(path, width) : yield* inspectSparse(path, width)
})

const run = Effect.fnUntraced(function* (input: {
  readonly path: string
  readonly json: boolean
  readonly html: Option.Option<string>
}) {
  const { html, json, path } = input
  if (Option.isSome(html)) yield* mustBeFree(html.value)
  const width = Math.min(160, process.stdout.columns ?? 80)
  const inspection = yield* inspectAny(path, width)
  if (Option.isSome(html)) {
    const io = yield* Io
    const file = yield* io.create(html.value, { overwrite: false })
    yield* file
      .writeAt(0, new TextEncoder().encode(page(inspection)))
      .pipe(Effect.onError(() => Effect.ignore(io.remove(html.value)))) // no half of a page
  }
  const { figures, picture } = inspection
  yield* json ? printJson(inspection.json) : print(...table(figures), "", ...picture)
})
