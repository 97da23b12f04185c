/**
 * A store whose calls fail, beside its model: each step is taken, may be refused, and leaves the model at one of
 * the states that the store may be in.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Corrupt } from "../src/bytes/errors.ts"
import type { Extent } from "../src/bytes/extent.ts"
import { attempt } from "../src/io/attempt.ts"
import type { Io } from "../src/io/Io.ts"
import { Store } from "../src/store/Store.ts"
import type { StoreOptions, StoreService } from "../src/store/storeService.ts"
import { StoreModel, type StoreModelState } from "../src/testing/models/store.ts"
import { demand } from "./faultPart.ts"
import type { Promised } from "./promises.ts"
import { Refusals } from "./refusals.ts"
import { foundIn, stateOf } from "./storeStates.ts"

export const directory = "/store"

export type StoreSteps = (store: FaultyStore) => Effect.Effect<void, never, Io | Scope.Scope>

interface Opened {
  readonly store: StoreService
  readonly scope: Scope.Closeable
}

export class FaultyStore {
  readonly model: StoreModel
  readonly refusals = new Refusals()
  private readonly note: (note: Promised) => void
  private options: Partial<StoreOptions> = {}
  /** All that may be found when it is opened anew. */
  private candidates: ReadonlyArray<StoreModelState>
  private opened: Opened | undefined
  private reader: Opened | undefined
  private counter = 0

  /** `committed`: what is there before. Without it there is no store yet. */
  constructor(note: (note: Promised) => void, committed: StoreModelState | undefined) {
    this.note = note
    this.model = new StoreModel()
    this.candidates = [this.model.committed]
    if (committed === undefined) this.begun(this.model.committed)
    else this.done(committed, committed)
  }

  /** Runs steps, and fails with the first refusal. */
  static readonly workload =
    (steps: StoreSteps, committed?: StoreModelState) =>
    (note: (note: Promised) => void): Effect.Effect<void, unknown, Io | Scope.Scope> =>
      Effect.suspend(() => {
        const store = new FaultyStore(note, committed)
        return Effect.andThen(steps(store), store.refusals.end)
      })

  private begun(state: StoreModelState): void {
    this.candidates = [...this.candidates, state]
    this.note({ begun: stateOf(state) })
  }

  private done(committed: StoreModelState, now: StoreModelState): void {
    this.model.committed = committed
    this.model.now = now
    this.candidates = [committed]
    this.note({ done: stateOf(committed) })
  }

  private attempted<A, E, R>(effect: Effect.Effect<A, E, R>) {
    return this.refusals.attempted(effect)
  }

  private records(sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> {
    return sizes.map((size) =>
      Uint8Array.from({ length: size }, () => (this.counter = (this.counter + 1) % 256))
    )
  }

  /** Ends the one that is open, as the end of its scope does, and opens it anew. */
  open(options: Partial<StoreOptions> = this.options) {
    return Effect.gen({ self: this }, function* () {
      this.options = options
      yield* this.end
      const scope = yield* Scope.fork(yield* Effect.scope)
      const open = Scope.provide(Store.open({ directory, create: true, ...options }), scope)
      const exit = yield* this.attempted(open)
      if (!Exit.isSuccess(exit)) return yield* Scope.close(scope, Exit.void)
      this.opened = { store: exit.value, scope }
      const found = yield* this.attempted(this.contentOf(exit.value))
      if (!Exit.isSuccess(found)) return
      const state = this.candidates.find((candidate) => stateOf(candidate) === found.value)
      if (state === undefined) {
        const texts = this.candidates.map(stateOf)
        return demand(false, `opened, it has ${found.value}; may be found: ${texts.join(" or ")}`)
      }
      this.done(state, state)
    })
  }

  private readonly end = Effect.suspend(() => {
    const { opened } = this
    this.opened = undefined
    return opened === undefined ? Effect.void : Scope.close(opened.scope, Exit.void)
  })

  private contentOf(store: StoreService) {
    return attempt<string, unknown>(() => foundIn(store))
  }

  private withStore<R>(body: (store: StoreService) => Effect.Effect<void, never, R>) {
    return Effect.suspend((): Effect.Effect<void, never, R> => {
      if (this.opened === undefined) return Effect.void
      const { store } = this.opened
      return Effect.tap(body(store), () =>
        Effect.sync(() => {
          demand(store.end() === this.model.end, `it ends at ${store.end()}, not at ${this.model.end}`)
          const { committedEnd } = this.model
          const told = store.committedEnd()
          demand(told === committedEnd, `it is committed up to ${told}, not up to ${committedEnd}`)
        })
      )
    })
  }

  append(sizes: ReadonlyArray<number>, how: "append" | "appendAll" | "unsafe" = "appendAll") {
    return this.withStore((store) =>
      Effect.gen({ self: this }, function* () {
        const records = this.records(sizes)
        const [first] = records
        const append =
          how === "appendAll"
            ? store.appendAll(records)
            : how === "append"
              ? store.append(first)
              : attempt<number, unknown>(() => store.unsafe.append(first))
        const exit = yield* this.attempted<number, unknown, never>(append)
        if (Exit.isSuccess(exit)) demand(exit.value === this.model.appendAll(records), "another offset")
      })
    )
  }

  commit(how: "commit" | "split" | "unsafe" = "commit") {
    return this.withStore((store) =>
      Effect.gen({ self: this }, function* () {
        const { now } = this.model
        this.begun(now)
        const unsafe = attempt<void, { readonly _tag: string }>(() => store.unsafe.commit())
        const commit =
          how === "unsafe"
            ? Effect.catchIf(
                unsafe,
                ({ _tag }) => _tag === "Unsupported",
                () => store.commit
              )
            : store[how]
        const exit = yield* this.attempted<void, unknown, never>(commit)
        if (Exit.isFailure(exit)) yield* this.staysPoisoned(store, Cause.squash(exit.cause))
        // A split may have failed behind its commit.
        if (Exit.isSuccess(exit) || store.committedEnd() === now.end) this.done(now, now)
      })
    )
  }

  /** "After a failed fsync of what was appended, of the directory or of control the store is Poisoned." */
  private staysPoisoned(store: StoreService, error: unknown): Effect.Effect<void> {
    const { path = "", syscall } = error as { readonly path?: string; readonly syscall?: string }
    // Sums that could not be made durable are made anew.
    if (syscall !== "fsync" || path.endsWith(".sum")) return Effect.void
    return Effect.map(Effect.exit(store.commit), (again) => {
      const tag = Exit.isFailure(again)
        ? (Cause.squash(again.cause) as Error & { _tag: string })._tag
        : "nothing"
      demand(tag === "Poisoned", `after a failed fsync of ${path} a commit fails with ${tag}`)
    })
  }

  readonly rollback = this.withStore((store) =>
    Effect.gen({ self: this }, function* () {
      if (Exit.isSuccess(yield* this.attempted(store.rollback))) this.model.rollback()
    })
  )

  /** Keeps the first half of every run of `live`, or of every run before `upTo`. */
  collect(upTo: number, live?: ReadonlyArray<Extent>) {
    return this.withStore((store) =>
      Effect.gen({ self: this }, function* () {
        const { committed, now } = this.model
        const to = Math.max(committed.suffixStart, Math.min(upTo, committed.end))
        const kept =
          live ?? committed.extents().map(({ length, offset }) => ({ offset, length: (length + 1) >> 1 }))
        const collected = committed.collected(kept, to)
        this.begun(collected)
        const exit = yield* this.attempted(store.collect({ live: kept, upTo: to }))
        if (Exit.isSuccess(exit) || store.stats().generation === collected.generation) {
          this.done(collected, now.collected(kept, to))
        }
      })
    )
  }

  /** Every byte, in every way of reading. */
  readonly read = this.withStore((store) =>
    Effect.gen({ self: this }, function* () {
      const { now } = this.model
      const content = yield* this.attempted(this.contentOf(store))
      if (Exit.isSuccess(content)) demand(content.value === stateOf(now), `it has ${content.value}`)
      const runs = now.extents()
      const many = store.readMany(
        runs.map(({ offset }) => offset),
        runs.map(({ length }) => length)
      )
      const all = yield* this.attempted(many)
      for (const [i, { length, offset }] of runs.entries()) {
        const expected = Buffer.from(now.bytes.slice(offset, offset + length))
        const ranged = yield* this.attempted(store.readRange(offset, { minLength: 1, maxLength: length }))
        for (const one of [Exit.map(all, (list) => list[i]), ranged]) {
          if (Exit.isSuccess(one)) demand(expected.equals(one.value), `other bytes at ${offset}`)
        }
      }
    })
  )

  readonly check = this.withStore((store) =>
    Effect.asVoid(
      this.attempted(
        Effect.flatMap(store.check(), ({ damage }) =>
          damage.length === 0 ? Effect.void : Effect.fail(new Corrupt(damage[0]))
        )
      )
    )
  )

  /** The checked way; what is not committed is rolled back first, unless that is refused. */
  readonly close = Effect.gen({ self: this }, function* () {
    if (this.opened === undefined) return
    const { store } = this.opened
    if (this.model.end > this.model.committedEnd) yield* this.rollback
    const exit = yield* this.attempted(store.close)
    if (Exit.isSuccess(exit)) this.model.rollback()
    yield* this.end
  })

  readonly openReader = Effect.gen({ self: this }, function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const open = Store.open({ directory, ...this.options, readonly: true, create: false })
    const exit = yield* this.attempted(Scope.provide(open, scope))
    if (!Exit.isSuccess(exit)) return yield* Scope.close(scope, Exit.void)
    this.reader = { scope, store: exit.value }
    yield* this.seen(exit.value)
  })

  /** A reader that can't go on sees what it saw before. */
  readonly refresh = Effect.gen({ self: this }, function* () {
    if (this.reader === undefined) return
    const { store } = this.reader
    const before = yield* this.attempted(this.contentOf(store))
    const exit = yield* this.attempted(store.refresh)
    if (Exit.isSuccess(exit)) return yield* this.seen(store)
    const after = yield* this.attempted(this.contentOf(store))
    if (Exit.isSuccess(before) && Exit.isSuccess(after)) {
      demand(
        after.value === before.value,
        `a refresh that failed has changed ${before.value} to ${after.value}`
      )
    }
  })

  readonly closeReader = Effect.gen({ self: this }, function* () {
    if (this.reader === undefined) return
    yield* this.attempted(this.reader.store.close)
    yield* Scope.close(this.reader.scope, Exit.void)
    this.reader = undefined
  })

  private seen(store: StoreService) {
    return Effect.map(this.attempted(this.contentOf(store)), (exit) => {
      if (!Exit.isSuccess(exit)) return
      const states = this.candidates.map(stateOf)
      demand(states.includes(exit.value), `a reader sees ${exit.value}; it may see ${states.join(" or ")}`)
    })
  }
}
