#!/usr/bin/env node
/**
 * The `lacuna` binary.
 *
 * It asks for nothing heavy before it knows that it must: `--version` answers without loading Effect.
 */
import { readFileSync } from "node:fs"

const version = (): string => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  return (JSON.parse(text) as { readonly version: string }).version
}

/** For what can go wrong before there is a program to report it, or after it has ended. */
const abort = (cause: unknown): void => {
  const sentence = cause instanceof Error ? cause.message : String(cause)
  process.stderr.write(`lacuna: an error in lacuna itself: ${sentence.replace(/\s*[\r\n]+\s*/g, " ")}\n`)
  process.exit(1)
}

process.on("uncaughtException", abort)
// Failed writes are seen where they are made; a stream's event without a listener would be a crash.
process.stdout.on("error", () => {})
process.stderr.on("error", () => {})

const args = process.argv.slice(2)
if (args.length === 1 && (args[0] === "--version" || args[0] === "-v")) {
  process.stdout.write(`lacuna ${version()}\n`)
} else {
  const { runProgram } = await import("./process.ts")
  runProgram(args, version())
}
