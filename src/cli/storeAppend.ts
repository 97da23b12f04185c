/**
 * `lacuna store append`: inputs, or their lines, become records at the end of a store.
 *
 * The command as a whole is all or nothing, unless commits are asked for on the way. Offsets are
 * told as lines, mostly after the commit that makes them last: always with `--commit-every`, else
 * as long as there are few enough to wait for it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { openInput } from "./input.ts"
import { directoryArgument, jsonFlag, pathArgument } from "./flags.ts"
import { printJson } from "./output.ts"
import { withProgress } from "./progress.ts"
import { recordSplitter } from "./records.ts"
import { type CommitEvery, recordAppender } from "./recordAppender.ts"
import { openStore } from "./storeInput.ts"

const units: Record<string, number> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

const commitEveryOf = (text: string): CommitEvery => {
  const [, digits, unit] = /^(\d+)(KiB|MiB|GiB)?$/.exec(text) ?? []
  const value = Number(digits) * (unit === undefined ? 1 : units[unit])
  if (!Number.isSafeInteger(value) || value === 0) throw new Error("not a count")
  return unit === undefined ? { records: value, bytes: Infinity } : { records: Infinity, bytes: value }
}

export const storeAppend = Command.make(
  "append",
  {
    directory: directoryArgument("DIR").pipe(Argument.withDescription("the store")),
    files: pathArgument("FILE").pipe(
      Argument.variadic(),
      Argument.withDescription("the files to append, each as one record; - or none is standard input")
    ),
    lines: Flag.Boolean("lines").pipe(
      Flag.withDefault(false),
      Flag.withDescription("make every line a record, without its line feed")
    ),
    commitEvery: Flag.String("commit-every").pipe(
      Flag.withMetavar("N"),
      Flag.mapTryCatch(
        commitEveryOf,
        () => "a number of records from 1 on, or of bytes as 64KiB, 64MiB or 1GiB, is expected"
      ),
      Flag.optional,
      Flag.withDescription(
        "commit after every N records (or bytes: 64MiB), and print offsets once they are committed"
      )
    ),
    json: jsonFlag
  },
  (input) => Effect.scoped(run(input))
).pipe(
  Command.withDescription(
    "Append records to a store, and print the offset of each. All are committed at the end; where anything fails before, none is."
  ),
  Command.withShortDescription("append records, and print their offsets"),
  Command.withExamples([
    { command: "lacuna store append events picture.png", description: "append a file as one record" },
    {
      command: "produce-events | lacuna store append events --lines --commit-every 1000",
      description: "append every line, and commit every thousand"
    }
  ])
)

const run = Effect.fnUntraced(function* (input: {
  readonly directory: string
  readonly files: ReadonlyArray<string>
  readonly lines: boolean
  readonly commitEvery: Option.Option<CommitEvery>
  readonly json: boolean
}) {
  const { commitEvery, directory, json, lines } = input
  const files = input.files.length === 0 ? ["-"] : input.files
  const store = yield* openStore(directory, { readonly: false })
  const records = recordAppender(store, { commitEvery: Option.getOrUndefined(commitEvery), silent: json })
  const append = Effect.gen(function* () {
    for (const file of files) yield* Effect.scoped(appendInput(file))
    yield* records.finish
  })
  const appendInput = Effect.fnUntraced(function* (path: string) {
    const { next } = yield* openInput(path)
    const splitter = recordSplitter({ lines })
    for (let piece = yield* next; piece !== undefined; piece = yield* next) {
      yield* records.add(splitter.push(piece))
    }
    yield* records.add(splitter.end())
  })
  // Offsets and what is typed would get in the line's way.
  const typed = files.includes("-") && process.stdin.isTTY === true
  yield* withProgress(append, {
    label: "appending",
    progress: () => ({ bytes: records.result().bytes }),
    quiet: json || typed || process.stdout.isTTY === true
  }).pipe(
    // Uncommitted bytes at the end of the scope would be worth a warning to a program; here all is said.
    Effect.onError(() => Effect.ignore(store.rollback))
  )
  const result = records.result()
  yield* store.close
  if (json) yield* printJson(result)
})
