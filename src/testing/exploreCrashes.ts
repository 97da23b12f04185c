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
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import { Io } from "../io/Io.ts"
import { CrashDisk, type CrashImage } from "./crashDisk.ts"
import { CrashMedium, imageDigest } from "./crashMedium.ts"
import { subsetName, subsetOf, subsets } from "./crashSubsets.ts"
import { DigestSet } from "./digestSet.ts"
import { Random, seedOf } from "./random.ts"

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
  /** The share of states in whose recovery power is cut again. Default 1/50. */
  readonly inside?: number
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
  /** The moments and the surviving pieces: `17:0a3`, and behind a `/` those of the recovery. */
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
  /** Times that a recovered disk was gone on with. */
  readonly goneOn: number
  readonly failures: ReadonlyArray<CrashFailure>
}

/** Power is cut during a recovery, and during that from it, and no deeper. */
const maxDepth = 2

interface Recovered<Found> {
  readonly disk: CrashDisk<never>
  readonly exit: Exit.Exit<Found, unknown>
}

/** What recovery found on a disk, and how much had been promised when it was judged last. */
interface Known<Found> {
  readonly exit: Exit.Exit<Found, unknown>
  readonly notes: number
}

/** How much of a note is told. */
const noteLength = 200

/** Where a state came from. */
interface Origin<Note> {
  readonly at: string
  readonly depth: number
  readonly notes: ReadonlyArray<Note>
}

class Enough extends Error {}

class CrashExploration<Found, Note> {
  private readonly story: CrashStory<Found, Note>
  private readonly settings: Required<Omit<CrashOptions, "at">>
  private readonly random: Random
  /** By digest. */
  private readonly known = new Map<number, Known<Found>>()
  private readonly failures: Array<CrashFailure> = []
  /** What led to the one case that is replayed. */
  private readonly replayed: Array<string> = []
  private moments = 0
  private sampledMoments = 0
  private states = 0
  private distinctStates = 0
  private insideRecovery = 0
  private goneOn = 0

  constructor(story: CrashStory<Found, Note>, options: CrashOptions) {
    this.story = story
    this.settings = {
      seed: 1,
      exhaustivePieces: 12,
      samples: 64,
      inside: 1 / 50,
      goingOn: 1 / 20,
      maxFailures: 3,
      visited: new DigestSet(),
      ...options
    }
    this.random = new Random(seedOf(this.settings.seed))
  }

  get report(): CrashReport {
    const { distinctStates, failures, goneOn, insideRecovery, moments, sampledMoments, states } = this
    return { moments, sampledMoments, states, distinctStates, insideRecovery, goneOn, failures }
  }

  /** Runs the workload: a failure of it is nobody's power cut. */
  readonly recorded: Effect.Effect<CrashDisk<Note>, unknown> = Effect.suspend(() => {
    const disk = new CrashDisk<Note>()
    return this.story
      .workload((note) => disk.note(note))
      .pipe(Effect.scoped, Effect.provideService(Io, disk.io), Effect.as(disk))
  })

  /** Cuts power at every moment of what a disk has written down. */
  explore<N>(disk: CrashDisk<N>, origin: Origin<Note>, noted: (note: N) => Note): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { exhaustivePieces, samples } = this.settings
      const medium = new CrashMedium(disk)
      const notes = [...origin.notes]
      const within = origin.at === "" ? "" : `${origin.at}/`
      for (let moment = 0; moment <= disk.log.length; moment++) {
        const event = moment === 0 ? undefined : disk.log[moment - 1]
        let fresh: number | undefined
        if (event?.kind === "note") notes.push(noted(event.note))
        else if (event !== undefined) fresh = medium.advance(event)
        // What is left behind a sync could be left before it, and no more was promised.
        if (fresh === 0) continue
        // The last of several notes promises what they all do.
        if (event?.kind === "note" && disk.log[moment]?.kind === "note") continue
        this.moments++
        const pieces = medium.pending.length
        if (pieces > exhaustivePieces) this.sampledMoments++
        const chosen = subsets({ pieces, fresh, exhaustivePieces, samples, random: this.random })
        for (const kept of chosen) {
          const at = `${within}${moment}:${subsetName(kept)}`
          yield* this.visit(medium.image(kept), { at, depth: origin.depth, notes })
        }
      }
    })
  }

  /** One disk: recovered unless it was before, judged, and sometimes gone on with. */
  private visit(image: CrashImage, origin: Origin<Note>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { depth, notes } = origin
      const { goingOn, inside, visited } = this.settings
      const digest = imageDigest(image)
      const known = this.known.get(digest)
      // Nothing more was promised since it was judged.
      if (depth === 0 && known?.notes === notes.length) return
      this.states++
      if (depth > 0) this.insideRecovery++
      const goesInside = depth < maxDepth && this.random.fraction() < inside
      const goesOn = known === undefined && this.story.goOn !== undefined && this.random.fraction() < goingOn
      const recovered = known === undefined || goesInside || goesOn ? yield* this.recovered(image) : undefined
      const exit = recovered?.exit ?? known!.exit
      if (known === undefined && visited.add(digest)) this.distinctStates++
      this.known.set(digest, { exit, notes: depth === 0 ? notes.length : (known?.notes ?? -1) })
      this.judge(exit, origin)
      if (recovered === undefined || !Exit.isSuccess(exit)) return
      if (goesInside) yield* this.goInside(recovered.disk, exit.value, origin)
      if (goesOn) yield* this.goOn(recovered.disk, exit.value, origin)
    })
  }

  private recovered(image: CrashImage): Effect.Effect<Recovered<Found>> {
    const disk = new CrashDisk<never>(image)
    return Effect.map(
      Effect.exit(this.story.recover.pipe(Effect.scoped, Effect.provideService(Io, disk.io))),
      (exit) => ({ disk, exit })
    )
  }

  private judge(exit: Exit.Exit<Found, unknown>, { at, notes }: Origin<Note>): void {
    if (!Exit.isSuccess(exit)) return this.fail(at, `it was refused: ${Cause.pretty(exit.cause)}`, notes)
    try {
      this.story.law(exit.value, notes)
    } catch (broken) {
      this.fail(at, broken instanceof Error ? (broken.stack ?? String(broken)) : String(broken), notes)
    }
  }

  /** Cuts power during the recovery that was made on `disk`, and behind it. */
  private goInside(disk: CrashDisk<never>, found: Found, origin: Origin<Note>): Effect.Effect<void> {
    const { at, depth, notes } = origin
    const { shown } = this.story
    const inner: CrashDisk<Note> = disk as CrashDisk<never> as CrashDisk<Note>
    if (shown !== undefined) inner.note(shown(found))
    else if (inner.log.length === 0) return Effect.void
    return this.explore(inner, { at, depth: depth + 1, notes }, (note) => note)
  }

  private goOn(disk: CrashDisk<never>, found: Found, { at, notes }: Origin<Note>): Effect.Effect<void> {
    this.goneOn++
    const going = this.story.goOn?.(found) ?? Effect.void
    return Effect.map(Effect.exit(going.pipe(Effect.scoped, Effect.provideService(Io, disk.io))), (exit) => {
      if (!Exit.isSuccess(exit)) this.fail(at, `it can't be gone on with: ${Cause.pretty(exit.cause)}`, notes)
    })
  }

  private fail(at: string, what: string, notes: ReadonlyArray<Note>): void {
    const told = notes.slice(-3).map((note) => JSON.stringify(note).slice(0, noteLength))
    const after = told.length === 0 ? "nothing" : told.join(", ")
    this.failures.push({ at, story: [...this.replayed, what, `after ${after}`].join("\n") })
    if (this.failures.length >= this.settings.maxFailures) throw new Enough()
  }

  /** The one case with this name. */
  replay(disk: CrashDisk<Note>, name: string): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const [first, ...rest] = name.split("/")
      let current: CrashDisk<Note> = disk
      let origin: Origin<Note> = { at: "", depth: 0, notes: [] }
      let part: string | undefined = first
      while (part !== undefined) {
        const [moment, kept] = part.split(":")
        const medium = new CrashMedium(current)
        const notes = [...origin.notes]
        for (const event of current.log.slice(0, Number(moment))) {
          if (event.kind === "note") notes.push(event.note)
          else medium.advance(event)
        }
        const surviving = subsetOf(kept, medium.pending.length)
        this.replayed.push(
          ...current.story().slice(0, Number(moment)),
          `power cut: ${medium.describe(surviving)}`
        )
        const image = medium.image(surviving)
        origin = { at: origin.at === "" ? part : `${origin.at}/${part}`, depth: origin.depth + 1, notes }
        const { disk: next, exit } = yield* this.recovered(image)
        part = rest.shift()
        if (part === undefined) {
          this.states++
          this.judge(exit, origin)
          if (Exit.isSuccess(exit)) yield* this.goOn(next, exit.value, origin)
          return
        }
        current = next as CrashDisk<never> as CrashDisk<Note>
        if (Exit.isSuccess(exit) && this.story.shown !== undefined) current.note(this.story.shown(exit.value))
      }
    })
  }
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
        ? exploration.explore(disk, { at: "", depth: 0, notes: [] }, (note) => note)
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
