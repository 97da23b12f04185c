/**
 * `lacuna store init`: a new, empty store.
 */
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { Io } from "../io/Io.ts"
import { Store } from "../store/Store.ts"
import { StoreExists } from "./errors.ts"
import { isDirectory, mustBeDirectory } from "./filePlaces.ts"
import { directoryArgument } from "./flags.ts"
import { print } from "./output.ts"
import { controlName } from "./storeInput.ts"

export const storeInit = Command.make(
  "init",
  {
    directory: directoryArgument("DIR").pipe(
      Argument.withDescription("the directory that becomes the store; it is made where it is missing")
    )
  },
  (input) => Effect.scoped(run(input.directory))
).pipe(
  Command.withDescription("Make a new, empty store."),
  Command.withShortDescription("make a new, empty store"),
  Command.withExamples([{ command: "lacuna store init events", description: "make a store called events" }])
)

const run = Effect.fnUntraced(function* (directory: string) {
  const io = yield* Io
  if (!(yield* isDirectory(directory))) yield* mustBeDirectory(dirname(directory))
  else if ((yield* io.classify(join(directory, controlName))) !== "none") {
    yield* new StoreExists({ path: directory })
  }
  const store = yield* Store.open({ directory, create: true })
  yield* store.close
  yield* print(`${directory} is a store, and empty`)
})
