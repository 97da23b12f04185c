/**
 * `lacuna doctor`: what of this machine lacuna can use, found by trying it.
 */
import { randomBytes } from "node:crypto"
import fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { Io } from "../io/Io.ts"
import { IoNode } from "../io/IoNode.ts"
import { table } from "./figures.ts"
import { mustBeDirectory } from "./filePlaces.ts"
import { jsonFlag, pathArgument } from "./flags.ts"
import { print, printJson } from "./output.ts"

const trialBytes = 1 << 20

export const doctor = Command.make(
  "doctor",
  {
    directory: pathArgument("DIRECTORY").pipe(
      Argument.withDefault("."),
      Argument.withDescription("where files would be kept (default: here)")
    ),
    json: jsonFlag
  },
  (input) => run(input)
).pipe(
  Command.withDescription("Say what of this machine, and of the file system in a directory, lacuna can use."),
  Command.withShortDescription("say what of this machine can be used"),
  Command.withExamples([{ command: "lacuna doctor /var/lib/events" }])
)

/** A thing that was tried: works, or why it doesn't. */
interface Trial {
  readonly works: boolean
  readonly detail: string
}

const run = Effect.fnUntraced(function* (input: { readonly directory: string; readonly json: boolean }) {
  const { directory, json } = input
  const providers = IoNode.providers()
  const mappers = providers.filter(({ serves }) => serves === "mapping")
  const mapping = mappers.find(({ available }) => available)?.name ?? "none"
  const others = mappers.filter(({ name }) => name !== mapping)
  const trials = yield* Effect.scoped(tryDirectory(directory, mapping !== "none"))
  if (json) {
    const { arch, platform, versions } = process
    yield* printJson({
      node: versions.node,
      platform,
      arch,
      mapping,
      providers,
      directory: { path: directory, ...trials }
    })
    return
  }
  const rows: Array<readonly [string, string]> = [
    ["node", process.versions.node],
    ["platform", `${process.platform} ${process.arch}`],
    ["mapping", mapping === "none" ? "none: files are read instead, with the same results" : mapping]
  ]
  for (const { available, name, reason } of others) {
    rows.push(["", available ? `${name} would do too` : `${name} can't be loaded: ${reason}`])
  }
  for (const { available, name, reason, serves } of providers) {
    if (serves !== "mapping") rows.push([name, available ? `gives ${serves}` : `can't be loaded: ${reason}`])
  }
  rows.push(["directory", directory])
  for (const [name, { detail, works }] of Object.entries(trials)) {
    rows.push([`  ${name}`, works ? detail : `no: ${detail}`])
  }
  yield* print(...table(rows))
})

/** Tries what lacuna does with files on one of its own in `directory`, which is removed again. */
const tryDirectory = Effect.fnUntraced(function* (directory: string, canMap: boolean) {
  const io = yield* Io
  const there = yield* Effect.result(mustBeDirectory(directory))
  if (there._tag === "Failure") return { writing: { works: false, detail: there.failure.message } }
  const path = join(directory, `.lacuna-doctor-${process.pid}`)
  const created = yield* Effect.result(io.create(path, { overwrite: false }))
  if (created._tag === "Failure") {
    const failed: Trial = { works: false, detail: created.failure.message }
    return { writing: failed }
  }
  yield* Effect.addFinalizer(() => Effect.ignore(io.remove(path)))
  const file = created.success
  const writing = yield* trial(
    // Random, so that no file system compresses it away; synced, so that its blocks are counted.
    Effect.andThen(file.writeAt(0, randomBytes(trialBytes)), file.sync),
    () => "files can be created, written and synced"
  )
  const locks = yield* trial(io.lock(path), () => "files can be locked")
  const mapping = canMap
    ? { mapping: yield* trial(file.map(0, trialBytes), () => "files can be mapped into memory") }
    : {} // there is nothing to try with, and why has been said
  const blocks = fs.statSync(path).blocks
  const holes = yield* trial(Effect.andThen(file.punchHole(0, trialBytes / 2), file.sync), () =>
    fs.statSync(path).blocks < blocks
      ? "holes can be punched, and give their space back"
      : "holes can be punched, but this file system does not say that it gave the space back"
  )
  return { writing, locks, ...mapping, holes }
})

const trial = <E extends { readonly message: string }, R>(
  effect: Effect.Effect<unknown, E, R>,
  detail: () => string
): Effect.Effect<Trial, never, R> =>
  effect.pipe(
    Effect.map(() => ({ works: true, detail: detail() })),
    Effect.catch((error: E) => Effect.succeed({ works: false, detail: error.message }))
  )
