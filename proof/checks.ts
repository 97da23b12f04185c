/**
 * The checks of the engine: every comparison that bytes from outside have to pass, a checksum, a bound, a count, a
 * length, an order. Each is named by the text that stands there, and by what stands there when it is broken, so that
 * the engine can be run without it: some part of the proof must notice.
 *
 * Those that nothing can notice say why: another check refuses the same, or nobody comes there with such bytes.
 */
import fs from "node:fs"
import { fileURLToPath } from "node:url"
import { answerChecks } from "./checksAnswers.ts"
import { fileChecks } from "./checksFile.ts"
import { formatChecks } from "./checksFormat.ts"
import { offmapChecks } from "./checksOffmap.ts"
import { storeChecks } from "./checksStore.ts"
import type { CheckText } from "./checkText.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

/** A check and where it stands: what the runner of mutants breaks. */
export interface Check {
  readonly name: string
  readonly file: string
  readonly start: number
  readonly end: number
  readonly text: string
  readonly why: string
  /** Why nothing can notice that it is broken. */
  readonly neutral: string | undefined
  /** The parts that may notice, with the beginnings of their cases' names. */
  readonly parts: ReadonlyArray<string>
}

const found = ({ broken, file, neutral, parts, stands, why }: CheckText): Check => {
  const text = fs.readFileSync(root + file, "utf8")
  const start = text.indexOf(stands)
  if (start < 0 || text.indexOf(stands, start + 1) >= 0) {
    throw new Error(`${file} has not exactly one "${stands}": proof/checks*.ts must be brought up to date`)
  }
  const line = text.slice(0, start).split("\n").length
  const name = `${file}:${line} ${stands.trim().split("\n")[0]}`
  return { name, file, start, end: start + stands.length, text: broken, why, neutral, parts }
}

/** All of them. Throws where one doesn't stand where it is said to. */
export const checks = (): ReadonlyArray<Check> =>
  [...formatChecks, ...offmapChecks, ...fileChecks, ...storeChecks, ...answerChecks].map(found)
