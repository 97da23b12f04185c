/**
 * A store whose Io fails now and then, and every state that may be found when it is opened anew: the
 * last one that was acknowledged, and those whose commit or collection failed since.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { assert } from "vitest"
import { attempt } from "../src/io/attempt.ts"
import { Io, type IoService } from "../src/io/Io.ts"
import { Store } from "../src/store/Store.ts"
import type { StoreService } from "../src/store/storeService.ts"
import { StoreModel, type StoreModelState } from "../src/testing/models/store.ts"
import { collectionOf } from "../src/testing/commands/storeCollections.ts"
import type { StoreCollectChoice } from "../src/testing/commands/storeSteps.ts"
import { noDebris, sameContent } from "./storeComparison.ts"
import { type Fault, faults, FaultyIo } from "./storeFaults.ts"
import {
  collectChoices,
  type StoreScale,
  writerOptions,
  type WriterOptions,
  writerSteps,
  type WriterStep
} from "./storeSteps.ts"

export type FaultyStep =
  | Exclude<WriterStep, { readonly step: "commits" }>
  | { readonly step: "collect"; readonly choice: StoreCollectChoice }
  | { readonly step: "open"; readonly options: WriterOptions }
  | { readonly step: "arm"; readonly fault: Fault }
  | { readonly step: "disarm" }

/** The tags that each operation may fail with when files can't be made, written, synced or renamed. */
const ioTags = ["IoFailed", "NoSpace"]
const failures: Readonly<Record<string, ReadonlyArray<string>>> = {
  open: ioTags,
  append: [...ioTags, "Poisoned"],
  commit: [...ioTags, "Poisoned"],
  rollback: ["Poisoned"],
  collect: [...ioTags, "Poisoned"]
}

/** The tag of a failure that is typed, and of those that the operation may have; undefined: it succeeded. */
export const failureOf = (operation: string, exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  assert.isTrue(
    Cause.hasFails(exit.cause) && !Cause.hasDies(exit.cause),
    `${operation}: ${String(exit.cause)}`
  )
  const { _tag } = Cause.squash(exit.cause) as { readonly _tag: string }
  assert.include(failures[operation], _tag, `${operation}: ${String(exit.cause)}`)
  return _tag
}

export const faultySteps = (scale: StoreScale): fc.Arbitrary<ReadonlyArray<FaultyStep>> => {
  const one = fc.constantFrom
  const writing = writerSteps(scale).map((step): FaultyStep =>
    step.step === "commits" ? { step: "commit" } : step
  )
  const step = fc.oneof(
    { weight: 12, arbitrary: writing },
    { weight: 2, arbitrary: fc.record({ step: one("collect" as const), choice: collectChoices(scale) }) },
    { weight: 2, arbitrary: fc.record({ step: one("open" as const), options: writerOptions(scale) }) },
    { weight: 3, arbitrary: fc.record({ step: one("arm" as const), fault: faults(25) }) },
    { weight: 1, arbitrary: fc.record({ step: one("disarm" as const) }) }
  )
  return fc.array(step, { maxLength: scale.steps, size: "max" })
}

export class StoreUnderFaults {
  readonly faulty: FaultyIo
  readonly directory: string
  private readonly model = new StoreModel()
  /** All that may be found: never less than what was acknowledged. */
  private candidates: ReadonlyArray<StoreModelState> = [this.model.committed]
  private opened: { readonly store: StoreService; readonly scope: Scope.Closeable } | undefined
  private counter = 0

  constructor(io: IoService, directory: string) {
    this.faulty = new FaultyIo(io)
    this.directory = directory
  }

  private fresh(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => (this.counter = (this.counter + 7) % 251) + 1)
  }

  /** The end of the scope, which commits nothing. */
  end(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.opened === undefined) return Effect.void
      const { scope } = this.opened
      this.opened = undefined
      return Scope.close(scope, Exit.void)
    })
  }

  take(step: FaultyStep): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      if (step.step === "arm") return this.faulty.arm(step.fault)
      if (step.step === "disarm") return this.faulty.disarm()
      if (step.step === "open") return yield* this.open(step.options)
      if (this.opened === undefined) return
      yield* this.operate(step, this.opened.store)
      yield* this.compare()
    })
  }

  /** What was taken back, acknowledged or refused is told by the instance at once. */
  private compare(): Effect.Effect<void> {
    return this.faulty.pausing(
      Effect.sync(() => {
        if (this.opened !== undefined) sameContent(this.opened.store, this.model.now, this.model.committed)
      })
    )
  }

  private open(options: WriterOptions | undefined): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      yield* this.end()
      const scope = Scope.makeUnsafe()
      const exit = yield* Store.open({ directory: this.directory, create: true, ...options }).pipe(
        Effect.provideService(Io, this.faulty.io),
        Scope.provide(scope),
        Effect.exit
      )
      if (failureOf("open", exit) !== undefined || !Exit.isSuccess(exit)) {
        return yield* Scope.close(scope, Exit.void)
      }
      const store = exit.value
      this.opened = { store, scope }
      yield* this.faulty.pausing(Effect.sync(() => this.found(store)))
    })
  }

  /** One of the candidates is what was found, and from now on it is the only one. */
  private found(store: StoreService): void {
    const { committedEnd, generation } = store.stats()
    const mismatches: Array<unknown> = []
    for (const candidate of this.candidates) {
      if (candidate.end !== committedEnd || candidate.generation !== generation) continue
      try {
        sameContent(store, candidate, candidate)
        this.acknowledge(candidate, candidate)
        return
      } catch (mismatch) {
        mismatches.push(mismatch)
      }
    }
    const states = this.candidates.map((state) => `${state.end} in generation ${state.generation}`)
    assert.fail(
      `found ${committedEnd} in generation ${generation}; may be found: ${states.join(", ")}; ${mismatches.join("; ")}`
    )
  }

  private acknowledge(committed: StoreModelState, now: StoreModelState): void {
    this.model.committed = committed
    this.model.now = now
    this.candidates = [committed]
  }

  private operate(
    step: Exclude<FaultyStep, { readonly step: "arm" | "disarm" | "open" }>,
    store: StoreService
  ): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      const { model } = this
      switch (step.step) {
        case "append":
        case "unsafe.append":
        case "appendAll": {
          const records = (step.step === "appendAll" ? step.sizes : [step.size]).map((size) =>
            this.fresh(size)
          )
          const append =
            step.step === "append"
              ? store.append(records[0])
              : step.step === "appendAll"
                ? store.appendAll(records)
                : attempt<number, unknown>(() => store.unsafe.append(records[0]))
          const exit = yield* Effect.exit(append)
          // "An append that fails has appended nothing."
          if (failureOf("append", exit) === undefined && Exit.isSuccess(exit)) {
            assert.strictEqual(exit.value, model.appendAll(records))
          }
          break
        }
        case "commit":
        case "split": {
          const exit = yield* Effect.exit(step.step === "commit" ? store.commit : store.split)
          const failure = failureOf("commit", exit)
          // A split may have failed behind its commit.
          if (failure === undefined || store.committedEnd() === model.end) {
            this.acknowledge(model.now, model.now)
          } else {
            this.candidates = [...this.candidates, model.now]
          }
          break
        }
        case "rollback":
          if (failureOf("rollback", yield* Effect.exit(store.rollback)) === undefined) model.rollback()
          break
        case "collect": {
          const { live, upTo } = collectionOf(model, step.choice)
          const { generation } = model
          const exit = yield* Effect.exit(store.collect({ live, upTo }))
          const failure = failureOf("collect", exit)
          if (failure === undefined || store.stats().generation > generation) {
            this.acknowledge(model.committed.collected(live, upTo), model.now.collected(live, upTo))
          } else {
            const collected = this.candidates.map((candidate) => candidate.collected(live, upTo))
            this.candidates = [...this.candidates, ...collected]
          }
        }
      }
    })
  }

  /** Without faults, what is found is whole, and can be gone on with. */
  recover(): Effect.Effect<void, unknown> {
    return Effect.gen({ self: this }, function* () {
      this.faulty.disarm()
      yield* this.open(undefined)
      const { model } = this
      const { store } = this.opened ?? assert.fail("it doesn't open")
      yield* noDebris(this.faulty.io, store, 1)
      assert.deepStrictEqual((yield* store.check()).damage, [])
      yield* this.take({ step: "append", size: 50 })
      yield* this.take({ step: "commit" })
      assert.strictEqual(model.end, model.committedEnd)
      yield* this.open(undefined)
    })
  }
}
