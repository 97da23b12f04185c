/**
 * IoFault: any Io, with calls that fail when they are told to.
 *
 * ```ts
 * const io = yield* Io
 * const faults = IoFault.make(io)
 * faults.arm({ kind: "ENOSPC", at: 12, lasts: "once" })
 * const exit = yield* Effect.exit(Effect.scoped(
 *   Effect.provideService(myProgram, Io, faults.io)
 * ))
 * console.log(exit, "hit:", faults.hit()?.call, "left open:", faults.open())
 * faults.disarm()
 * yield* Effect.provideService(myRecovery, Io, faults.io)
 * ```
 *
 * Faults show as a real Io shows them (faults.ts): a file whose sync failed is poisoned, one whose close failed
 * is closed, and a short write has written a part. The synchronous twins count as well. What would not
 * reach the system is no call: wrong arguments, closed files, transfers of nothing. While nothing is armed it
 * does what the Io within does, and obeys `ioSuite` where that does.
 *
 * What it does not do: lose what was written and not synced. That is IoCrash's.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Io, type IoFile, type IoService } from "../io/Io.ts"
import {
  type Fault,
  faultApplies,
  faultError,
  type FaultKind,
  type IoCall,
  type IoOperation
} from "./faults.ts"
import { type FaultTaker, faultyFile } from "./faultyFile.ts"

export { faultKinds } from "./faults.ts"
export type { Fault, FaultKind, IoCall, IoOperation } from "./faults.ts"

/** A call that did not go as it should have. */
export interface FaultHit {
  readonly fault: Fault
  readonly call: IoCall
}

export interface IoFaultOptions {
  /** Told of every call before it is made. A defect that it throws is the call's. */
  readonly onCall?: ((call: IoCall) => void) | undefined
}

/** An Io under faults. */
export interface FaultyIo {
  readonly io: IoService
  /** The number of calls so far. */
  readonly calls: () => number
  /** From now on these faults happen, in place of those that were armed before. */
  readonly arm: (...faults: ReadonlyArray<Fault>) => void
  /** No more faults. What is poisoned stays so. */
  readonly disarm: () => void
  /** The first call that was hit since `arm`. */
  readonly hit: () => FaultHit | undefined
  /** What is open: `"file /a"`, `"lock /b"`, `"mapping of /c"`, in the order in which it was opened. */
  readonly open: () => ReadonlyArray<string>
  /** Does something to which no fault happens, and which is not counted: a look from outside. */
  readonly apart: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

interface ArmedFault {
  readonly fault: Fault
  hit: boolean
}

/** Which calls are hit. */
class FaultPlan implements FaultTaker {
  calls = 0
  hit: FaultHit | undefined
  apart = 0
  private armed: ReadonlyArray<ArmedFault> = []
  private callsBefore = 0
  private readonly onCall: IoFaultOptions["onCall"]

  constructor(onCall: IoFaultOptions["onCall"]) {
    this.onCall = onCall
  }

  arm(faults: ReadonlyArray<Fault>): void {
    this.armed = faults.map((fault) => ({ fault, hit: false }))
    this.callsBefore = this.calls
    this.hit = undefined
  }

  disarm(): void {
    this.armed = []
  }

  take(call: IoCall): Fault | undefined {
    if (this.apart > 0) return undefined
    this.onCall?.(call)
    const position = this.calls++ - this.callsBefore
    for (const one of this.armed) {
      const { fault } = one
      if (position < fault.at || (one.hit && fault.lasts === "once")) continue
      if (!faultApplies(fault.kind, call)) continue
      one.hit = true
      this.hit ??= { fault, call }
      return fault
    }
    return undefined
  }
}

/** What was opened and not closed. */
class OpenThings {
  private readonly names = new Map<object, string>()

  get list(): ReadonlyArray<string> {
    return [...this.names.values()]
  }

  closed(thing: object): void {
    this.names.delete(thing)
  }

  /** Keeps `name` from the acquisition until whatever the acquisition left to the scope is done. */
  during<A, E>(
    name: string,
    acquire: (thing: object) => Effect.Effect<A, E, Scope.Scope>
  ): Effect.Effect<A, E, Scope.Scope> {
    return Effect.suspend(() => {
      const thing = {}
      // First into the scope, so the last of it to end: then it is certain that the thing is closed.
      return Effect.addFinalizer(() => Effect.sync(() => this.closed(thing))).pipe(
        Effect.andThen(acquire(thing)),
        Effect.tap(() => Effect.sync(() => this.names.set(thing, name)))
      )
    }).pipe(Effect.uninterruptible)
  }
}

const make = (inner: IoService, options: IoFaultOptions = {}): FaultyIo => {
  const plan = new FaultPlan(options.onCall)
  const things = new OpenThings()

  const call = <A, E, R>(operation: IoOperation, path: string, effect: Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E, R> => {
      const made: IoCall = { operation, path, length: 0 }
      const fault = plan.take(made)
      if (fault === undefined) return effect
      // What can happen to an operation is among its errors.
      return Effect.fail(faultError(fault.kind as Exclude<FaultKind, "short-read">, made) as E)
    })
  const opened = <E>(path: string, acquire: Effect.Effect<IoFile, E, Scope.Scope>) =>
    things.during(`file ${path}`, (thing) =>
      Effect.flatMap(acquire, (file) =>
        Effect.gen(function* () {
          const { closed, file: faulty } = faultyFile(file, {
            plan,
            onClose: () => things.closed(thing),
            mapped: (mapping) => things.during(`mapping of ${path}`, () => mapping)
          })
          yield* Effect.addFinalizer(() => Effect.sync(closed))
          return faulty
        })
      )
    )

  const io: IoService = {
    create: (path, how) => call("create", path, opened(path, inner.create(path, how))),
    open: (path, how) => call("open", path, opened(path, inner.open(path, how))),
    sizeOf: (path) => call("sizeOf", path, inner.sizeOf(path)),
    classify: (path) => call("classify", path, inner.classify(path)),
    list: (directory) => call("list", directory, inner.list(directory)),
    makeDirectory: (path) => call("makeDirectory", path, inner.makeDirectory(path)),
    rename: (from, to) => call("rename", from, inner.rename(from, to)),
    remove: (path) => call("remove", path, inner.remove(path)),
    syncDirectory: (path) => call("syncDirectory", path, inner.syncDirectory(path)),
    lock: (path) =>
      call(
        "lock",
        path,
        things.during(`lock ${path}`, () => inner.lock(path))
      )
  }
  return {
    io,
    calls: () => plan.calls,
    arm: (...faults) => plan.arm(faults),
    disarm: () => plan.disarm(),
    hit: () => plan.hit,
    open: () => things.list,
    apart: (effect) =>
      Effect.suspend(() => {
        plan.apart++
        return Effect.ensuring(
          effect,
          Effect.sync(() => void plan.apart--)
        )
      })
  }
}

/** Wraps an Io; or, as a layer, the Io of a program, with faults armed from its first call on. */
export const IoFault = {
  make,
  layer: (...faults: ReadonlyArray<Fault>): Layer.Layer<Io, never, Io> =>
    Layer.effect(
      Io,
      Effect.map(Io, (inner) => {
        const faulty = make(inner)
        faulty.arm(...faults)
        return Io.of(faulty.io)
      })
    )
}
