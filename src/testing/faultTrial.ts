/**
 * One case of an exploration of faults: a workload under faults, what is found after it, and how it goes on.
 *
 * 1. The workload runs under the faults of the case, and is to succeed or to fail with a typed error.
 * 2. Where the case has faults for it, the recovery runs under those, and again may fail, typed.
 * 3. The recovery runs without faults and is to succeed, and what it finds is held against what was acknowledged.
 * 4. The workload goes on, is to succeed, and what is found then is judged as well.
 *
 * After each of them nothing may be open any more, and none may take longer than the limit.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { Io, type IoService } from "../io/Io.ts"
import { IoMemory } from "../io/IoMemory.ts"
import type { FaultCase } from "./faultCase.ts"
import { type FaultHit, type FaultyIo, IoFault } from "./IoFault.ts"
import type { Fault, IoCall } from "./faults.ts"

/**
 * What is done under faults, what is found after it, and what must hold. `Note`: what was begun or promised.
 * The story of a power cut (exploreCrashes) is one as well.
 */
export interface FaultStory<Found, Note> {
  /** A new and empty place for every case. Default: `IoMemory.layer`. */
  readonly io?: Layer.Layer<Io> | undefined
  /** What is there before the workload begins. No fault happens to it. */
  readonly prepare?: Effect.Effect<unknown, unknown, Io | Scope.Scope> | undefined
  /**
   * What is done under faults. It notes what was promised, and what was begun. It makes the same calls in the
   * same order whenever it runs.
   */
  readonly workload: (note: (note: Note) => void) => Effect.Effect<unknown, unknown, Io | Scope.Scope>
  /** Opens what is there, as the next process would, and tells what it found. */
  readonly recover: Effect.Effect<Found, unknown, Io | Scope.Scope>
  /** Throws where the notes, oldest first, don't allow what was found. */
  readonly law: (found: Found, notes: ReadonlyArray<Note>) => void
  /** What is promised to whoever has seen what a recovery found. */
  readonly shown?: ((found: Found) => Note) | undefined
  /** Goes on with what a recovery found. Default: the workload once more. */
  readonly goOn?:
    | ((found: Found, note: (note: Note) => void) => Effect.Effect<unknown, unknown, Io | Scope.Scope>)
    | undefined
  /** Whether the workload may fail with an error where these faults happen. Default: any that has a `_tag`. */
  readonly mayFail?: ((error: unknown, faults: ReadonlyArray<Fault>) => boolean) | undefined
  /**
   * Whether the workload has to fail where this has happened: what no one may pass over in silence. Nobody is
   * asked where it happened behind the workload, when its scope ended. Default: nothing has to.
   */
  readonly mustFail?: ((hit: FaultHit) => boolean) | undefined
  /** For each of the steps of a case, by the real clock. Default: 10,000. */
  readonly limitMillis?: number | undefined
}

/** What one case came to. */
export interface FaultTrial {
  /** What was broken; undefined: nothing. */
  readonly broken: string | undefined
  /** Whether the workload failed, and rightly. */
  readonly refused: boolean
  /** The calls that the workload made, and those of the recovery that was under faults, or else of the first. */
  readonly calls: ReadonlyArray<IoCall>
  readonly recoveryCalls: number
  /** What the faults of the workload hit first. */
  readonly hit: FaultHit | undefined
}

class Broken extends Error {}

const fail = (reason: string): never => {
  throw new Broken(reason)
}

const silent = Logger.layer([])

/** `undefined` when it took too long. */
const runFor = <A, E>(effect: Effect.Effect<A, E>, limitMillis: number) =>
  new Promise<Exit.Exit<A, E> | undefined>((resolve) => {
    const fiber = Effect.runFork(effect)
    const timer = setTimeout(() => {
      resolve(undefined)
      // What hangs may not be there to be interrupted: nobody waits for it.
      fiber.interruptUnsafe()
    }, limitMillis)
    fiber.addObserver((exit) => {
      clearTimeout(timer)
      resolve(exit)
    })
  })

const shownError = (error: unknown): string =>
  error instanceof Error && "_tag" in error ? `${String(error._tag)}: ${error.message}` : String(error)

const hasTag = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"

/** A loop that never waits can only be left by its next call. */
const endless = (calls: number): never => {
  throw new Error(`it has made ${calls} calls, and goes on`)
}

class Trial<Found, Note> {
  private readonly story: FaultStory<Found, Note>
  private readonly limitCalls: number
  private readonly notes: Array<Note> = []
  private calls: Array<IoCall> = []
  private left = Infinity
  private refused = false
  private recoveryCalls = 0
  private hit: FaultHit | undefined
  /** What had been hit when the workload ended, before its scope did. */
  private hitWithin: FaultHit | undefined

  constructor(story: FaultStory<Found, Note>, limitCalls: number) {
    this.story = story
    this.limitCalls = limitCalls
  }

  async run(tried: FaultCase, inner: IoService): Promise<FaultTrial> {
    const faulty = IoFault.make(inner, {
      onCall: (call) => {
        if (this.left-- <= 0) endless(this.limitCalls)
        this.calls.push(call)
      }
    })
    let broken: string | undefined
    let workloadCalls: ReadonlyArray<IoCall> = []
    try {
      await this.preparing(inner)
      await this.working(tried, faulty)
      workloadCalls = this.calls
      await this.recovering(tried, faulty)
    } catch (error) {
      if (!(error instanceof Broken)) throw error
      broken = error.message
      if (workloadCalls.length === 0) workloadCalls = this.calls
    }
    const { hit, recoveryCalls, refused } = this
    return { broken, refused, calls: workloadCalls, recoveryCalls, hit }
  }

  private readonly note = (note: Note): void => {
    this.notes.push(note)
  }

  private async preparing(inner: IoService): Promise<void> {
    const { prepare } = this.story
    if (prepare === undefined) return
    const exit = await this.exitOf(prepare, inner)
    if (exit === undefined) throw new Error("the preparation takes too long")
    if (Exit.isFailure(exit)) throw new Error(`the preparation failed: ${String(Cause.squash(exit.cause))}`)
  }

  private async working({ workload }: FaultCase, faulty: FaultyIo): Promise<void> {
    faulty.arm(...workload)
    const noticing = Effect.ensuring(
      this.story.workload(this.note),
      Effect.sync(() => {
        this.hitWithin = faulty.hit()
      })
    )
    const exit = await this.step("the workload", noticing, faulty).finally(() => {
      this.hit = faulty.hit()
    })
    this.refused = Exit.isFailure(exit)
    this.judge("the workload", exit, workload)
    const { mustFail } = this.story
    const { hitWithin: hit } = this
    if (Exit.isSuccess(exit) && hit !== undefined && mustFail?.(hit) === true) {
      fail("the workload succeeds, as if nothing had happened")
    }
  }

  private async recovering({ recovery }: FaultCase, faulty: FaultyIo): Promise<void> {
    const { recover, workload } = this.story
    const { goOn = (_found, note) => workload(note) } = this.story
    if (recovery.length > 0) {
      faulty.arm(...recovery)
      const exit = await this.step("the recovery under faults", recover, faulty)
      this.recoveryCalls = this.calls.length
      this.judge("the recovery under faults", exit, recovery)
      if (Exit.isSuccess(exit)) this.hold("the recovery under faults", exit.value)
    }
    faulty.disarm()
    const found = await this.succeeding("the recovery", recover, faulty)
    if (recovery.length === 0) this.recoveryCalls = this.calls.length
    this.hold("the recovery", found)
    await this.succeeding("going on after the recovery", goOn(found, this.note), faulty)
    this.hold("the last recovery", await this.succeeding("the last recovery", recover, faulty))
  }

  private async succeeding<B>(
    name: string,
    effect: Effect.Effect<B, unknown, Io | Scope.Scope>,
    faulty: FaultyIo
  ): Promise<B> {
    const exit = await this.step(name, effect, faulty)
    if (Exit.isSuccess(exit)) return exit.value
    return fail(`${name} failed, without a fault: ${shownError(Cause.squash(exit.cause))}`)
  }

  /** Runs to its end, and finds that nothing is open any more. */
  private async step<B>(
    name: string,
    effect: Effect.Effect<B, unknown, Io | Scope.Scope>,
    faulty: FaultyIo
  ): Promise<Exit.Exit<B, unknown>> {
    this.calls = []
    this.left = this.limitCalls
    const exit = await this.exitOf(effect, faulty.io)
    if (exit === undefined) return fail(`${name} hangs: it has not ended in time`)
    const open = faulty.open()
    return open.length > 0 ? fail(`${name} has left open: ${open.join(", ")}`) : exit
  }

  private exitOf<B>(effect: Effect.Effect<B, unknown, Io | Scope.Scope>, io: IoService) {
    return runFor(
      effect.pipe(Effect.scoped, Effect.provideService(Io, io), Effect.provide(silent)),
      this.story.limitMillis ?? 10_000
    )
  }

  /** Demands that what failed has failed with errors that it may fail with. */
  private judge(name: string, exit: Exit.Exit<unknown, unknown>, faults: ReadonlyArray<Fault>): void {
    if (Exit.isSuccess(exit)) return
    const { reasons } = exit.cause
    if (reasons.length === 0) fail(`${name} failed without a reason`)
    for (const reason of reasons) {
      if (Cause.isDieReason(reason)) fail(`${name} ended in a defect: ${shownError(reason.defect)}`)
      if (Cause.isInterruptReason(reason)) fail(`${name} was interrupted, by nobody`)
      if (!Cause.isFailReason(reason)) continue
      const { error } = reason
      if (!hasTag(error)) fail(`${name} failed with an error that has no tag: ${shownError(error)}`)
      const { mayFail } = this.story
      if (mayFail?.(error, faults) === false) fail(`${name} may not fail with ${shownError(error)}`)
    }
  }

  private hold(name: string, found: Found): void {
    const { law, shown } = this.story
    try {
      law(found, this.notes)
    } catch (error) {
      fail(`after ${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (shown !== undefined) this.note(shown(found))
  }
}

/** Tries one case, in a place of its own. Rejected where the preparation fails: that is no finding. */
export const tryFaults = async <Found, Note>(
  story: FaultStory<Found, Note>,
  tried: FaultCase,
  limitCalls = 1_000_000
): Promise<FaultTrial> => {
  const scope = Scope.makeUnsafe()
  try {
    const context = await Effect.runPromise(Layer.buildWithScope(story.io ?? IoMemory.layer, scope))
    const inner = await Effect.runPromise(Effect.provide(Io, context))
    return await new Trial(story, limitCalls).run(tried, inner)
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
