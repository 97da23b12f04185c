/**
 * One line on the terminal that says how far long work has come: percent, bytes, speed, time left.
 *
 * It is on standard error, so that results stay clean, and only where that is a terminal: piped,
 * there is nothing. The first tenth of a second shows nothing either, so that short work does not
 * flicker. The line is gone when the work ends, whichever way.
 */
import * as Effect from "effect/Effect"
import { duration, size } from "./figures.ts"

const refreshMillis = 100
const eraseLine = "\r\u001b[2K"

/** Where the line is shown; a part of `process.stderr`. */
export interface ProgressTerminal {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

/** How far the work is; `total` may be unknown, which leaves percent and time out. */
export interface Progress {
  readonly bytes: number
  readonly total?: number
}

export interface ProgressOptions {
  /** What is being done, as one word: `compacting`. */
  readonly label: string
  /** Asked now and then, whenever the work yields. */
  readonly progress: () => Progress
  /** Shows nothing: the results are for a program. */
  readonly quiet: boolean
  readonly terminal?: ProgressTerminal
}

/** Does the work, and shows the line meanwhile. */
export const withProgress = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  options: ProgressOptions
): Effect.Effect<A, E, R> => {
  const { quiet, terminal = process.stderr } = options
  if (quiet || terminal.isTTY !== true) return work
  return Effect.acquireUseRelease(
    Effect.sync(() => startLine(terminal, options)),
    () => work,
    (stop) => Effect.sync(stop)
  )
}

/** Shows the line until the function it gives is called. */
const startLine = (terminal: ProgressTerminal, { label, progress }: ProgressOptions): (() => void) => {
  const start = performance.now()
  let shown = false
  const timer = setInterval(() => {
    const line = progressLine(label, progress(), performance.now() - start)
    // A terminal that doesn't know its width says 0.
    terminal.write(eraseLine + line.slice(0, (terminal.columns || 80) - 1))
    shown = true
  }, refreshMillis)
  return () => {
    clearInterval(timer)
    if (shown) terminal.write(eraseLine)
  }
}

/** The text of the line after `millis`. */
export const progressLine = (label: string, { bytes, total = 0 }: Progress, millis: number): string => {
  const speed = `${size(Math.round((1000 * bytes) / Math.max(1, millis)))}/s`
  if (total === 0) return `${label}: ${size(bytes)}, ${speed}`
  const percent = Math.min(100, Math.floor((100 * bytes) / total))
  const left = bytes === 0 ? "" : `, ${duration(Math.max(0, ((total - bytes) / bytes) * millis))} left`
  return `${label}: ${percent} %, ${size(bytes)} of ${size(total)}, ${speed}${left}`
}
