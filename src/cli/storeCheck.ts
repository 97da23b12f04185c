/**
 * `lacuna store check`: is the store whole, byte for byte, as far as checksums tell?
 *
 * Damage is a result: what was found goes to standard output, a line each or with `--json`, and the
 * status is 1. A store too damaged to be opened is an answer too.
 */
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import type { StoreChecked, StoreDamage } from "../store/storeService.ts"
import { StoreDamaged } from "./errors.ts"
import { counted, duration, exactSize } from "./figures.ts"
import { directoryArgument, jsonFlag } from "./flags.ts"
import { print, printJson } from "./output.ts"
import { withProgress } from "./progress.ts"
import { checkDirectory } from "./storeInput.ts"

export const storeCheck = Command.make(
  "check",
  {
    directory: directoryArgument("DIR").pipe(Argument.withDescription("the store; it is only read")),
    json: jsonFlag
  },
  (input) => checkStore(input)
).pipe(
  Command.withDescription(
    "Verify every checksum and invariant of what is committed to a store, also while it is in use."
  ),
  Command.withShortDescription("verify every checksum"),
  Command.withExamples([{ command: "lacuna store check events" }])
)

/** Checks the store in `directory` and prints what was found; fails with `StoreDamaged`. */
export const checkStore = Effect.fnUntraced(function* (options: {
  readonly directory: string
  readonly json: boolean
}) {
  const { directory, json } = options
  const start = performance.now()
  let progress = { bytes: 0, total: 0 }
  const checking = checkDirectory(directory, { onProgress: (now) => (progress = now) })
  const checked = yield* withProgress(checking, { label: "checking", progress: () => progress, quiet: json })
  const { damage } = checked
  const millis = Math.round(performance.now() - start)
  if (json) yield* printJson({ ok: damage.length === 0, path: directory, ...checked, millis })
  else if (damage.length === 0) yield* print(wholeSentence(directory, checked, millis))
  else yield* print(...damage.map(damageSentence))
  if (damage.length > 0) {
    yield* new StoreDamaged({ path: directory, places: damage.length, first: damageSentence(damage[0]) })
  }
})

const damageSentence = ({ offset, path, reason }: StoreDamage): string => `${path} at ${offset}: ${reason}`

const wholeSentence = (directory: string, checked: StoreChecked, millis: number): string => {
  const { extents, unverifiedBytes, verifiedBytes } = checked
  const rest = unverifiedBytes === 0 ? "" : `; ${exactSize(unverifiedBytes)} have no checksums yet`
  const kept = extents === 0 ? "" : ` and ${counted(extents, "extent")}`
  return `${directory} is whole: the checksums of ${exactSize(verifiedBytes)}${kept} hold${rest} (${duration(millis)})`
}
