/**
 * The commands, put together and run: arguments in, an ending out.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { IoNode } from "../io/IoNode.ts"
import { compact } from "./compact.ts"
import { demo } from "./demo.ts"
import { doctor } from "./doctor.ts"
import { expand } from "./expand.ts"
import { line } from "./failure.ts"
import { fetch } from "./fetch.ts"
import { inspect } from "./inspect.ts"
import { read } from "./read.ts"
import { store } from "./store.ts"
import { verify } from "./verify.ts"

const lacuna = Command.make("lacuna").pipe(
  Command.withDescription("Garbage-collect an append-only file without changing a single offset."),
  Command.withSubcommands([compact, expand, read, verify, inspect, fetch, store, doctor, demo])
)

const usage = CliOutput.defaultFormatter({ colors: false })

/** Help and version on standard output; a wrong call is left to whoever reports failures. */
const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation" ? Effect.void : CliOutput.defaultPresenter.present(event)
}

/** What the library has to say besides: warnings, on standard error, one line each. */
const warnings = Logger.make<unknown, void>(({ cause, message }) => {
  const words = (Array.isArray(message) ? message : [message]).map(String)
  const because = cause === Cause.empty ? [] : [Cause.pretty(cause).split("\n")[0]]
  process.stderr.write(`${line([...words, ...because].join(" "))}\n`)
})

const environment = Layer.mergeAll(
  NodeServices.layer,
  IoNode.layer,
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
  CliOutput.layer(usage),
  CliOutput.layerPresenter(presenter),
  Logger.layer([warnings]),
  Layer.succeed(References.MinimumLogLevel, "Warn")
)

/** `help` and `help compact` are what newcomers try. */
const withHelp = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args[0] === "help" ? [...args.slice(1), "--help"] : args

/** Runs the command line `args`, without the program's own name. */
export const program = (args: ReadonlyArray<string>, version: string) =>
  Command.runWith(lacuna, { version })(withHelp(args)).pipe(Effect.provide(environment))
