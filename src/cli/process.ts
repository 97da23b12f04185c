/**
 * The program as this process: signals interrupt it, its ending becomes a line and an exit status.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { endingOf } from "./failure.ts"
import { program } from "./program.ts"

/** Runs the command line `args`; SIGINT and SIGTERM interrupt it, and what it began is cleaned up. */
export const runProgram = (args: ReadonlyArray<string>, version: string): void =>
  NodeRuntime.runMain(program(args, version), {
    disableErrorReporting: true,
    teardown: (exit, onExit) => {
      const { line, status } = endingOf(exit)
      if (line !== undefined) process.stderr.write(`${line}\n`)
      onExit(status)
    }
  })
