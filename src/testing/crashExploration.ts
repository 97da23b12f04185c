/**
 * One exploration of a story's power cuts: which states are visited, recovered, judged and gone on with.
 * exploreCrashes.ts says what that means.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Io } from "../io/Io.ts"
import { CrashDisk } from "./crashDisk.ts"
import { type CrashImage, imageDigest } from "./crashImage.ts"
import { killedAt } from "./crashKill.ts"
import { CrashMedium } from "./crashMedium.ts"
import { subsetName, subsetOf, subsets } from "./crashSubsets.ts"
import { DigestSet } from "./digestSet.ts"
import type { CrashFailure, CrashOptions, CrashReport, CrashStory } from "./exploreCrashes.ts"
import { Random, seedOf } from "./random.ts"

/** Power is cut during a recovery, and during that from it, and no deeper. */
const maxDepth = 2

interface Recovered<Found, Note> {
  readonly disk: CrashDisk<Note>
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

/** Thrown where there are as many failures as were asked for. */
export class Enough extends Error {}

export class CrashExploration<Found, Note> {
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
  private killed = 0

  constructor(story: CrashStory<Found, Note>, options: CrashOptions) {
    this.story = story
    this.settings = {
      seed: 1,
      exhaustivePieces: 12,
      samples: 64,
      within: { exhaustivePieces: 8, samples: 32 },
      inside: 1 / 50,
      kills: 1 / 4,
      goingOn: 1 / 20,
      maxFailures: 3,
      visited: new DigestSet(),
      ...options
    }
    this.random = new Random(seedOf(this.settings.seed))
  }

  get report(): CrashReport {
    const { distinctStates, failures, goneOn, insideRecovery, killed, moments, sampledMoments, states } = this
    return { moments, sampledMoments, states, distinctStates, insideRecovery, killed, goneOn, failures }
  }

  /** Runs the workload: a failure of it is nobody's power cut. */
  readonly recorded: Effect.Effect<CrashDisk<Note>, unknown> = Effect.suspend(() => {
    const disk = new CrashDisk<Note>()
    return this.story
      .workload((note) => disk.note(note))
      .pipe(Effect.scoped, Effect.provideService(Io, disk.io), Effect.as(disk))
  })

  /** Cuts power at every moment of what a disk has written down, from the moment `from` on. */
  explore(disk: CrashDisk<Note>, origin: Origin<Note>, from = 0): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { kills } = this.settings
      const { exhaustivePieces, samples } = origin.depth === 0 ? this.settings : this.settings.within
      const medium = new CrashMedium(disk)
      const notes = [...origin.notes]
      for (let moment = 0; moment <= disk.log.length; moment++) {
        const event = moment === 0 ? undefined : disk.log[moment - 1]
        let fresh: number | undefined
        if (event?.kind === "note") notes.push(event.note)
        else if (event !== undefined) fresh = medium.advance(event)
        if (moment < from) continue
        if (origin.depth === 0 && event?.kind !== "note" && this.random.fraction() < kills) {
          yield* this.kill(disk, moment, [...notes])
        }
        // What is left behind a sync could be left before it, and no more was promised.
        if (fresh === 0 && moment > from) continue
        // The last of several notes promises what they all do.
        if (event?.kind === "note" && disk.log[moment]?.kind === "note") continue
        this.moments++
        const pieces = medium.pending.length
        if (pieces > exhaustivePieces) this.sampledMoments++
        const all = moment === from ? undefined : fresh
        const chosen = subsets({ pieces, fresh: all, exhaustivePieces, samples, random: this.random })
        for (const kept of chosen) {
          const at = `${origin.at}${moment}:${subsetName(kept)}`
          yield* this.visit(medium.image(kept), { at, depth: origin.depth, notes })
        }
      }
    })
  }

  /** The process is killed at a moment; the next one recovers what the machine shows, and goes on. */
  private kill(disk: CrashDisk<Note>, moment: number, notes: ReadonlyArray<Note>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const at = `${moment}!`
      const next = killedAt(disk, moment)
      this.killed++
      if (!(yield* this.nextLife(next, { at, depth: 1, notes }))) return
      // All notes are in the log of the disk itself.
      yield* this.explore(next, { at, depth: 1, notes: [] }, moment)
    })
  }

  /** What the process does that comes after one that was killed; gives whether it could. */
  private nextLife(disk: CrashDisk<Note>, origin: Origin<Note>): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      const { resume } = this.story
      const exit = yield* this.recovery(disk)
      this.judge(exit, origin)
      if (!Exit.isSuccess(exit)) return false
      if (resume === undefined) return true
      const resuming = resume(exit.value, (note) => disk.note(note))
      const resumed = yield* Effect.exit(resuming.pipe(Effect.scoped, Effect.provideService(Io, disk.io)))
      if (Exit.isSuccess(resumed)) return true
      this.fail(origin.at, `it can't be gone on with: ${Cause.pretty(resumed.cause)}`, origin.notes)
      return false
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
      if (goesInside) yield* this.goInside(recovered.disk, origin)
      if (goesOn) yield* this.goOn(recovered.disk, exit.value, origin)
    })
  }

  private recovered(image: CrashImage): Effect.Effect<Recovered<Found, Note>> {
    const disk = new CrashDisk<Note>(image)
    return Effect.map(this.recovery(disk), (exit) => ({ disk, exit }))
  }

  /** What it found is noted as soon as it is known: the end of the scope comes behind that. */
  private recovery(disk: CrashDisk<Note>): Effect.Effect<Exit.Exit<Found, unknown>> {
    const { recover, shown } = this.story
    const told =
      shown === undefined ? recover : Effect.map(recover, (found) => (disk.note(shown(found)), found))
    return Effect.exit(told.pipe(Effect.scoped, Effect.provideService(Io, disk.io)))
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
  private goInside(disk: CrashDisk<Note>, { at, depth, notes }: Origin<Note>): Effect.Effect<void> {
    return disk.log.length === 0 ? Effect.void : this.explore(disk, { at: `${at}/`, depth: depth + 1, notes })
  }

  private goOn(disk: CrashDisk<Note>, found: Found, { at, notes }: Origin<Note>): Effect.Effect<void> {
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
      let current = disk
      let origin: Origin<Note> = { at: "", depth: 0, notes: [] }
      for (const step of name.matchAll(/(\d+)(?:(!)|:([0-9a-f]+))/g)) {
        const [part, digits, kills, kept] = step
        const moment = Number(digits)
        const at = `${origin.at}${part}`
        this.states++
        if (kills !== undefined) {
          this.replayed.push(...current.story().slice(0, moment), "the process is killed")
          current = killedAt(current, moment)
          const notes = current.log.flatMap((event) => (event.kind === "note" ? [event.note] : []))
          if (!(yield* this.nextLife(current, { at, depth: 1, notes }))) return
          origin = { at, depth: 1, notes: [] }
          continue
        }
        const medium = new CrashMedium(current)
        const notes = [...origin.notes]
        for (const event of current.log.slice(0, moment)) {
          if (event.kind === "note") notes.push(event.note)
          else medium.advance(event)
        }
        const surviving = subsetOf(kept, medium.pending.length)
        this.replayed.push(...current.story().slice(0, moment), `power cut: ${medium.describe(surviving)}`)
        const { disk: recovered, exit } = yield* this.recovered(medium.image(surviving))
        current = recovered
        origin = { at: `${at}/`, depth: origin.depth + 1, notes }
        if (at === name) this.judge(exit, { ...origin, at })
        if (!Exit.isSuccess(exit)) return
        if (at === name) return yield* this.goOn(current, exit.value, { ...origin, at })
      }
    })
  }
}
