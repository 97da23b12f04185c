/**
 * How a command ends: the one place that turns what went wrong into a line and an exit status.
 *
 * Whatever it was, it is one line on standard error, `lacuna: <sentence>`, never a stack trace.
 * Statuses: 0 done, 1 failed, 2 called wrongly, 130 interrupted, 141 the reader of standard output
 * has gone (which needs no words).
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as CliError from "effect/cli/CliError"
import { isCliError } from "effect/cli/CliError"
import { printable } from "./figures.ts"

export interface Ending {
  readonly status: number
  readonly line?: string
}

/** How the process of a program that ended with `exit` is to end. */
export const endingOf = (exit: Exit.Exit<unknown, unknown>): Ending => {
  if (Exit.isSuccess(exit)) return { status: 0 }
  if (Cause.hasInterruptsOnly(exit.cause)) return { status: 130, line: line("interrupted") }
  const failure = Cause.findErrorOption(exit.cause)
  return failure._tag === "Some" ? endingOfError(failure.value) : endingOfDefect(Cause.squash(exit.cause))
}

/** How to end after something that should not have been possible. */
export const endingOfDefect = (defect: unknown): Ending => ({
  status: 1,
  line: line(`an error in lacuna itself: ${defect instanceof Error ? defect.message : String(defect)}`)
})

const endingOfError = (error: unknown): Ending => {
  if (isCliError(error)) return endingOfUsage(error)
  if (hasTag(error, "OutputClosed")) return { status: 141 }
  return { status: 1, line: line(error instanceof Error ? error.message : String(error)) }
}

const endingOfUsage = (error: CliError.CliError): Ending => {
  if (error._tag !== "ShowHelp") return { status: 2, line: line(usageSentence(error)) }
  if (error.errors.length === 0) return { status: 0 } // help was asked for by saying nothing
  const command = error.commandPath.join(" ")
  return { status: 2, line: line(`${usageSentence(error.errors[0])}; see ${command} --help`) }
}

const usageSentence = (error: Exclude<CliError.CliError, CliError.ShowHelp>): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `there is no flag ${error.option}${meant(error.suggestions)}`
    case "UnknownSubcommand":
      return `there is no command ${JSON.stringify(error.subcommand)}${meant(error.suggestions)}`
    case "MissingOption":
      return `the flag --${error.option} is missing`
    case "MissingArgument":
      return `the argument ${error.argument} is missing`
    case "UnexpectedArgument":
      return `one argument too many: ${error.arguments.map((value) => JSON.stringify(value)).join(", ")}`
    case "InvalidValue": {
      const name = error.kind === "flag" ? `--${error.option}` : error.option
      // A header that was not understood may be a credential all the same.
      if (error.option === "header") return `${name} can't be what it is: ${error.expected}`
      return error.value === ""
        ? `${name} needs a value: ${error.expected}`
        : `${name} can't be ${JSON.stringify(error.value)}: ${error.expected}`
    }
    default:
      return error.message
  }
}

const meant = (suggestions: ReadonlyArray<string>): string =>
  suggestions.length === 0 ? "" : ` (did you mean ${suggestions.join(" or ")}?)`

const hasTag = (error: unknown, tag: string): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === tag

/** Users, passwords and queries of URLs are secrets, also of those that were not understood. */
const withoutSecrets = (text: string): string =>
  text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"@]*@/gi, "$1")
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/[^\s?#"]*)\?[^\s"]*/gi, "$1?…")

/** One line whatever is in it: paths may hold newlines and a terminal's commands, messages of packages do. */
export const line = (sentence: string): string =>
  `lacuna: ${printable(withoutSecrets(sentence).replace(/\s*[\r\n]+\s*/g, " "))}`
