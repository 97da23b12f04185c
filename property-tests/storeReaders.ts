/**
 * Readers in fibers of their own, while a writer appends, commits and collects: at every await of
 * either, the others may come in between.
 *
 * What is committed at a given end, in a given generation, is always the same: so a reader's state
 * can be looked up by what it tells of itself.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as fc from "fast-check"
import { assert } from "vitest"
import { Io, type IoService } from "../src/io/Io.ts"
import { Store } from "../src/store/Store.ts"
import type { StoreService } from "../src/store/storeService.ts"
import type { StoreModelState } from "../src/testing/models/store.ts"
import { watchedIo } from "../test/file/watchedIo.ts"
import { collectionOf } from "../src/testing/commands/storeCollections.ts"
import type { StoreCollectChoice } from "../src/testing/commands/storeSteps.ts"
import { sameContent, sameReads } from "./storeComparison.ts"
import { StorePair, yields } from "./storePair.ts"
import {
  collectChoices,
  type ReadChoice,
  readLists,
  type StoreScale,
  writerOptions,
  type WriterOptions,
  writerSteps,
  type WriterStep
} from "./storeSteps.ts"

type Turn = WriterStep | { readonly step: "collect"; readonly choice: StoreCollectChoice }

export interface ReadersStory {
  readonly options: WriterOptions
  readonly turns: ReadonlyArray<Turn>
  readonly readers: ReadonlyArray<{
    readonly verifyReads: boolean
    /** Refreshed so often before it is closed and opened anew. */
    readonly refreshes: number
    readonly reads: ReadonlyArray<ReadChoice>
    readonly pauses: ReadonlyArray<number>
  }>
  readonly pauses: ReadonlyArray<number>
}

const pauses = fc.array(fc.nat(4), { minLength: 1, maxLength: 30 })

export const readersStories = (scale: StoreScale): fc.Arbitrary<ReadersStory> =>
  fc.record({
    options: writerOptions(scale),
    turns: fc.array(
      fc.oneof(
        {
          weight: 3,
          // What fibers that commit at once make of the store in between is not known here.
          arbitrary: writerSteps(scale).map((step): Turn =>
            step.step === "commits" ? { step: "commit" } : step
          )
        },
        {
          weight: 1,
          arbitrary: fc.record({ step: fc.constant("collect" as const), choice: collectChoices(scale) })
        }
      ),
      { minLength: 3, maxLength: 30, size: "max" }
    ),
    readers: fc.array(
      fc.record({ verifyReads: fc.boolean(), refreshes: fc.nat(4), reads: readLists(scale), pauses }),
      { minLength: 1, maxLength: 3 }
    ),
    pauses
  })

/** An Io that lets other fibers run before its calls, as the numbers say. */
const dawdlingIo = (io: IoService, pauses: ReadonlyArray<number>): IoService => {
  let call = 0
  const pause = Effect.suspend(() => yields(pauses[call++ % pauses.length]))
  return watchedIo(io, { before: () => {}, pause })
}

const keyOf = (generation: number, end: number): string => `${end} bytes in generation ${generation}`

class History {
  private readonly states = new Map<string, StoreModelState>()

  /** Before it is committed: a reader may see it as soon as it is written. */
  add(state: StoreModelState): void {
    this.states.set(keyOf(state.generation, state.end), state)
  }

  of(store: StoreService): StoreModelState {
    const { committedEnd, generation } = store.stats()
    const key = keyOf(generation, committedEnd)
    return this.states.get(key) ?? assert.fail(`a reader sees what nobody committed: ${key}`)
  }
}

export const readersBeside =
  (story: ReadersStory) =>
  (io: IoService, directory: string): Effect.Effect<void, unknown> => {
    const pair = new StorePair(dawdlingIo(io, story.pauses), directory)
    const history = new History()
    const writer = { ended: false }
    const play = Effect.gen(function* () {
      history.add(pair.model.committed)
      yield* pair.openWriter(story.options)
      const readers = yield* Effect.forEach(story.readers, (reader) =>
        Effect.forkChild(
          readOn(dawdlingIo(io, reader.pauses), directory, reader, history, () => writer.ended)
        )
      )
      const writing = Effect.ensuring(
        Effect.forEach(story.turns, (turn) => take(pair, turn, history), { discard: true }),
        Effect.sync(() => (writer.ended = true))
      )
      yield* writing
      yield* Fiber.joinAll(readers)
      pair.compare()
    })
    return Effect.ensuring(
      play,
      Effect.suspend(() => pair.end())
    )
  }

const take = (pair: StorePair, turn: Turn, history: History) =>
  Effect.gen(function* () {
    yield* Effect.yieldNow
    const { model } = pair
    if (turn.step === "collect") {
      const { live, upTo } = collectionOf(model, turn.choice)
      history.add(model.committed.collected(live, upTo))
    }
    if (turn.step === "commit" || turn.step === "split") history.add(model.now)
    yield* pair.take(turn)
  })

/** Opens, reads, refreshes and closes until the writer has ended, and once more. */
const readOn = (
  io: IoService,
  directory: string,
  { reads, refreshes, verifyReads }: ReadersStory["readers"][number],
  history: History,
  writerHasEnded: () => boolean
) =>
  Effect.gen(function* () {
    let ended = false
    let seen = { generation: 0, end: 0 }
    while (!ended) {
      ended = writerHasEnded()
      const scope = Scope.makeUnsafe()
      const reading = Effect.gen(function* () {
        const store = yield* Store.open({ directory, readonly: true, verifyReads })
        for (let refreshed = 0; refreshed <= refreshes; refreshed++) {
          if (refreshed > 0) yield* store.refresh
          const state = history.of(store)
          assert.isAtLeast(state.generation, seen.generation, "never backwards")
          assert.isAtLeast(state.end, seen.end, "never backwards")
          seen = { generation: state.generation, end: state.end }
          yield* sameReads(store, state, reads)
          sameContent(store, state, state)
          yield* Effect.yieldNow
        }
      })
      yield* reading.pipe(
        Effect.provideService(Io, io),
        Scope.provide(scope),
        Effect.ensuring(Scope.close(scope, Exit.void))
      )
    }
  })
