/**
 * `lacuna verify`: is the sparse file what was written, and does it hold what the source holds?
 *
 * A store is checked as `lacuna store check` does. A sparse file is checked against its own
 * checksums; with `--against`, also every live byte against the same offset of the source. A negative
 * answer is a result, which `--json` prints too, and status 1.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Io } from "../io/Io.ts"
import { comparison } from "./comparison.ts"
import { NotForStores } from "./errors.ts"
import { counted, duration, exactSize } from "./figures.ts"
import { isDirectory } from "./filePlaces.ts"
import { jsonFlag, pathArgument, pathFlag } from "./flags.ts"
import { print, printJson } from "./output.ts"
import { withProgress } from "./progress.ts"
import { openSparse, verifyChecksums } from "./sparseInput.ts"
import { checkStore } from "./storeCheck.ts"
import { totalsOf } from "./totals.ts"

export const verify = Command.make(
  "verify",
  {
    path: pathArgument("PATH").pipe(Argument.withDescription("the sparse file, or the directory of a store")),
    against: pathFlag("against").pipe(
      Flag.withMetavar("SOURCE"),
      Flag.optional,
      Flag.withDescription("also compare every live byte with this file, at the same offset")
    ),
    json: jsonFlag
  },
  (input) =>
    Effect.gen(function* () {
      if (yield* isDirectory(input.path)) yield* verifyStore(input)
      else yield* verifySparse(input)
    })
).pipe(
  Command.withDescription(
    "Check a sparse file against its checksums, and its live bytes against the source; or a store against its checksums."
  ),
  Command.withShortDescription("check a sparse file, also against its source, or a store"),
  Command.withExamples([{ command: "lacuna verify events.sparse --against events.log" }])
)

interface Input {
  readonly path: string
  readonly against: Option.Option<string>
  readonly json: boolean
}

const verifyStore = Effect.fnUntraced(function* ({ against, json, path }: Input) {
  if (Option.isSome(against)) yield* new NotForStores({ path, flag: "against" })
  yield* checkStore({ directory: path, json })
})

const verifySparse = (input: Input) =>
  Effect.scoped(run(input)).pipe(
    Effect.tapError((error) =>
      input.json && isAnswer(error) ? printJson(negative(input.path, error)) : Effect.void
    )
  )

const run = Effect.fnUntraced(function* (input: Input) {
  const start = performance.now()
  const { against, json, path } = input
  let verified = { bytes: 0, total: 0 }
  yield* withProgress(verifyChecksums(path, { onProgress: (progress) => (verified = progress) }), {
    label: "verifying",
    progress: () => verified,
    quiet: json
  })
  const reader = yield* openSparse(path)
  const { bytes: liveBytes, extents } = yield* totalsOf(reader)
  if (Option.isSome(against)) {
    const source = yield* (yield* Io).open(against.value, { readonly: true })
    const compared = comparison({ path, reader, source })
    yield* withProgress(compared.run, {
      label: "comparing",
      progress: () => ({ bytes: compared.done(), total: liveBytes }),
      quiet: json
    })
  }
  const millis = Math.round(performance.now() - start)
  const result = { ok: true, path, against: Option.getOrNull(against), extents, liveBytes, millis }
  const same = Option.match(against, {
    onNone: () => "the checksums hold",
    onSome: (source) => `the checksums hold, and every live byte is the one in ${source}`
  })
  yield* json
    ? printJson(result)
    : print(
        `${path} is whole: ${counted(extents, "extent")}, ${exactSize(liveBytes)}; ${same} (${duration(millis)})`
      )
})

type Answer = { readonly _tag: string; readonly message: string; readonly offset?: number }

const isAnswer = (error: { readonly _tag: string; readonly message: string }): error is Answer =>
  error._tag === "Corrupt" || error._tag === "Different" || error._tag === "SourceTooShort"

const negative = (path: string, error: Answer): object => ({
  ok: false,
  path,
  error: error._tag,
  offset: error.offset ?? null,
  reason: error.message
})
