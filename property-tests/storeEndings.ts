/**
 * Collections that are ended before their time, at every call they make or at every few: the call
 * fails, or all do from there on, or their fiber is interrupted; or the list of what is live ends in
 * an error. The same store goes through all of them.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { assert } from "vitest"
import type { IoService } from "../src/io/Io.ts"
import type { StoreCollected } from "../src/store/storeService.ts"
import { collectionOf, type StoreCollection } from "../src/testing/commands/storeCollections.ts"
import type { StoreCollectChoice } from "../src/testing/commands/storeSteps.ts"
import { FaultyIo } from "./storeFaults.ts"
import { isInterruption, StorePair } from "./storePair.ts"
import {
  collectChoices,
  type StoreScale,
  writerOptions,
  type WriterOptions,
  writerStories,
  type WriterStep
} from "./storeSteps.ts"
import { failureOf } from "./storeUnderFaults.ts"

export type Ending = "a failing call" | "calls that fail from then on" | "an interruption"

export interface EndingStory {
  readonly options: WriterOptions
  readonly steps: ReadonlyArray<WriterStep>
  /** Collections that come before, so that there is a prefix to keep or to lose. */
  readonly before: ReadonlyArray<StoreCollectChoice>
  readonly choice: StoreCollectChoice
  readonly full: boolean
  readonly written: number
  readonly first: number
  readonly stride: number
}

export const endingStories = (scale: StoreScale): fc.Arbitrary<EndingStory> =>
  fc.record({
    options: writerOptions(scale),
    steps: writerStories({ ...scale, steps: 15 }),
    before: fc.array(collectChoices(scale), { maxLength: 2 }),
    choice: collectChoices(scale),
    full: fc.boolean(),
    written: fc.nat(1000),
    first: fc.nat(4),
    stride: fc.integer({ min: 1, max: 5 })
  })

/** More calls than any of these collections makes. */
const maxCalls = 2000

class NoMoreLive extends Data.TaggedError("NoMoreLive") {}

export const endedCollections =
  (story: EndingStory, ending: Ending) =>
  (io: IoService, directory: string): Effect.Effect<void, unknown> => {
    const faulty = new FaultyIo(io)
    const pair = new StorePair(faulty.io, directory)
    const play = Effect.gen(function* () {
      yield* pair.openWriter(story.options)
      for (const choice of [undefined, ...story.before]) {
        if (choice !== undefined) yield* pair.take({ step: "collect", choice })
        for (const step of story.steps) yield* pair.write(step)
      }
      yield* endedByItsList(pair, story)
      for (let attempt = 1; ; attempt++) {
        const calls = story.first + (attempt - 1) * story.stride
        assert.isBelow(calls, maxCalls, "a collection comes to an end")
        const collect = yield* endedAfter(calls, ending, { faulty, pair, story })
        yield* goOn({ faulty, pair, story }, attempt, collect)
        if (faulty.hit === undefined) return
      }
    })
    return Effect.ensuring(
      play,
      Effect.suspend(() => pair.end())
    )
  }

const endedByItsList = (pair: StorePair, { choice }: EndingStory) =>
  Effect.gen(function* () {
    const { live, upTo } = collectionOf(pair.model, choice)
    const failing = Stream.concat(Stream.fromIterable(live), Stream.fail(new NoMoreLive()))
    const failure = yield* Effect.flip(pair.store.collect({ live: failing, upTo }))
    assert.strictEqual(failure._tag, "NoMoreLive")
    pair.compare()
  })

interface Stage {
  readonly pair: StorePair
  readonly faulty: FaultyIo
  readonly story: EndingStory
}

/** Gives what the model has to do should the collection turn out to be done after all. */
const endedAfter = (calls: number, ending: Ending, { faulty, pair, story }: Stage) =>
  Effect.gen(function* () {
    const { model } = pair
    const { generation } = model
    const collection = collectionOf(model, story.choice)
    const collect = () => model.collect(collection.live, collection.upTo)
    const exit = yield* end(calls, ending, { faulty, pair, story }, collection)
    faulty.disarm()
    const called = `${String(exit)} after ${calls} calls, at ${JSON.stringify(faulty.hit)}`
    if (Exit.isSuccess(exit)) {
      assert.strictEqual(exit.value.generation, generation + 1)
      collect()
    } else {
      if (ending === "an interruption") assert.isTrue(isInterruption(exit), called)
      else failureOf("collect", exit)
      if (pair.store.stats().generation > generation) {
        // An interruption that came too late; or the new generation is in one slot of control, not in both.
        const late = ending === "an interruption" || faulty.hit?.path.endsWith("store.control")
        assert.isTrue(late, `failed, and has changed something: ${called}`)
        collect()
      }
    }
    pair.compare()
    return collect
  })

const end = (
  calls: number,
  ending: Ending,
  { faulty, pair, story }: Stage,
  { live, upTo }: StoreCollection
): Effect.Effect<Exit.Exit<StoreCollected, unknown>> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(pair.store.collect({ live, upTo }))
    if (ending === "an interruption") faulty.tellAfter(calls, () => fiber.interruptUnsafe())
    else {
      const { full, written } = story
      faulty.arm({ after: calls, lasts: ending === "a failing call" ? "once" : "for good", full, written })
    }
    return yield* Fiber.await(fiber)
  })

/**
 * The store goes on, or is poisoned and is opened anew. It grows more and more seldom: every chunk
 * makes a collection longer by some calls, and the calls must come to an end.
 */
const goOn = ({ pair, story }: Stage, attempt: number, collect: () => unknown) =>
  Effect.gen(function* () {
    const { generation } = pair.model
    const grows = Number.isInteger(Math.log2(attempt))
    const written = yield* Effect.exit(
      Effect.andThen(
        pair.write({ step: "append", size: 9 }),
        pair.write({ step: grows ? "commit" : "rollback" })
      )
    )
    if (Exit.isSuccess(written)) return pair.compare()
    assert.strictEqual(failureOf("commit", written), "Poisoned")
    yield* pair.openWriter(story.options)
    if (pair.store.stats().generation > generation) collect()
    pair.compare()
  })
