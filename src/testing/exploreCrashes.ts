/**
 * Every power cut of a story: what was done is done once, on a disk that writes it down; then, at every
 * moment of it, every disk that a power cut could have left is given to the engine's own recovery, and
 * a law is held against what that finds.
 *
 * ```ts
 * const report = yield* exploreCrashes({
 *   workload: (note) =>
 *     Effect.gen(function* () {
 *       const log = yield* MyLog.open("/log")
 *       note({ appending: "hello" })
 *       yield* log.append("hello")
 *       note({ durable: "hello" })
 *     }),
 *   recover: Effect.flatMap(MyLog.open("/log"), (log) => log.lines),
 *   law: (lines, notes) => {
 *     for (const note of notes) if ("durable" in note) assert(lines.includes(note.durable))
 *   }
 * })
 * ```
 *
 * - A state is a disk without power: names, sizes and bytes. States that are the same are recovered
 *   once, and judged as often as something else was promised before.
 * - With at most `exhaustivePieces` pending, all their subsets are tried, else `samples` of them.
 * - Power is cut during recoveries too, and during the recoveries from those.
 * - Whatever recovery shows has been seen: with `shown`, a power cut behind it must not take it back.
 */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import type { Io } from "../io/Io.ts"
import { CrashExploration, Enough } from "./crashExploration.ts"
import type { DigestSet } from "./digestSet.ts"

/** What is done, what is found after a power cut, and what must hold. `Note`: what was begun or promised. */
export interface CrashStory<Found, Note> {
  /** Runs once. `note` puts a note between what was done before and what is done behind it. */
  readonly workload: (note: (note: Note) => void) => Effect.Effect<void, unknown, Io | Scope.Scope>
  /** Opens what is there, and tells what it found. A failure breaks the law: no state may be refused. */
  readonly recover: Effect.Effect<Found, unknown, Io | Scope.Scope>
  /** Throws where the notes before the power cut, oldest first, don't allow what was found. */
  readonly law: (found: Found, notes: ReadonlyArray<Note>) => void
  /** What is promised to whoever has seen what a recovery found. */
  readonly shown?: (found: Found) => Note
  /**
   * What the next process does behind its recovery, where one was killed and the machine went on; power is
   * cut during it too. Notes as in `workload`.
   */
  readonly resume?: (
    found: Found,
    note: (note: Note) => void
  ) => Effect.Effect<void, unknown, Io | Scope.Scope>
  /** Goes on with what a recovery found, as a user would. Tried on some states; a failure breaks the law. */
  readonly goOn?: (found: Found) => Effect.Effect<void, unknown, Io | Scope.Scope>
}

export interface CrashOptions {
  /** What is chosen at random follows from it. Default 1. */
  readonly seed?: number
  /** Up to so many pending pieces, all subsets are tried. At most 20, default 12. */
  readonly exhaustivePieces?: number
  /** Of more pieces, so many subsets are tried at each moment. Default 64. */
  readonly samples?: number
  /** The same of power cuts within a recovery, or behind one of a process that was killed. Default 8 and 32. */
  readonly within?: { readonly exhaustivePieces: number; readonly samples: number }
  /** The share of states in whose recovery power is cut again. Default 1/50. */
  readonly inside?: number
  /**
   * The share of moments at which the process is killed, too, while the machine goes on: the next one
   * recovers what is shown, and power is cut during that and behind it. Default 1/4.
   */
  readonly kills?: number
  /** The share of states with which `goOn` goes on. Default 1/20. */
  readonly goingOn?: number
  /** Nothing but the case that a failure named. */
  readonly at?: string | undefined
  /** States that were visited before, by other stories: what is distinct is counted over all of them. */
  readonly visited?: DigestSet
  /** The exploration ends at so many failures. Default 3. */
  readonly maxFailures?: number
}

export interface CrashFailure {
  /**
   * The moment and the surviving pieces: `17:0a3`, and behind a `/` those of the recovery; `17!` where the
   * process was killed, and behind it the moment, counted from the beginning, of the power cut.
   */
  readonly at: string
  readonly story: string
}

export interface CrashReport {
  /** Moments at which power was cut. */
  readonly moments: number
  /** Those at which more pieces were pending than could be tried in all subsets. */
  readonly sampledMoments: number
  /** Disks that were judged. */
  readonly states: number
  /** Disks that were recovered: no two of them are the same. */
  readonly distinctStates: number
  /** Those of `states` that a power cut during a recovery left. */
  readonly insideRecovery: number
  /** Times that the process was killed, and the machine went on. */
  readonly killed: number
  /** Times that a recovered disk was gone on with. */
  readonly goneOn: number
  readonly failures: ReadonlyArray<CrashFailure>
}

/**
 * Visits the power cuts of a story. The effect fails where the workload itself fails without any; what
 * breaks the law is in the report.
 */
export const exploreCrashes = <Found, Note>(
  story: CrashStory<Found, Note>,
  options: CrashOptions = {}
): Effect.Effect<CrashReport, unknown> =>
  Effect.gen(function* () {
    const exploration = new CrashExploration(story, options)
    const disk = yield* exploration.recorded
    const exploring =
      options.at === undefined
        ? exploration.explore(disk, { at: "", depth: 0, notes: [] })
        : exploration.replay(disk, options.at)
    yield* Effect.catchDefect(exploring, (defect) =>
      defect instanceof Enough ? Effect.void : Effect.die(defect)
    )
    return exploration.report
  }).pipe(
    // Recoveries by the thousand: what they log is of no use, and a span costs as much as a recovery.
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.withTracerEnabled(false)
  )
