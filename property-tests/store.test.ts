/**
 * Laws of a store, each against its model, in memory and on real files: it answers as the model does;
 * a collection that ends before its time changes nothing; readers keep what they saw; and no failing
 * call of the system loses what was committed.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as fc from "fast-check"
import { afterAll, describe, it } from "vitest"
import { Io, type IoService } from "../src/io/Io.ts"
import { IoMemory } from "../src/io/IoMemory.ts"
import { IoNode } from "../src/io/IoNode.ts"
import { runProperty } from "./runs.ts"
import { endedCollections, endingStories } from "./storeEndings.ts"
import { StorePair } from "./storePair.ts"
import { readersBeside, readersStories } from "./storeReaders.ts"
import {
  large,
  small,
  type StoreStep,
  storeStories,
  writerOptions,
  type WriterOptions
} from "./storeSteps.ts"
import { type FaultyStep, faultySteps, StoreUnderFaults } from "./storeUnderFaults.ts"

const scratch = mkdtempSync(join(tmpdir(), "lacuna-store-"))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
let stories = 0

/** What happens to one store, in a directory that doesn't exist yet. */
type Story = (io: IoService, directory: string) => Effect.Effect<void, unknown>

interface Platform {
  readonly name: string
  readonly layer: Layer.Layer<Io>
  readonly root: string
  /** The part of a property's runs that are made here. */
  readonly share: number
}

const platforms: ReadonlyArray<Platform> = [
  { name: "in memory", layer: IoMemory.layer, root: "", share: 1 },
  { name: "on a disk", layer: IoNode.layer, root: scratch, share: 0.4 },
  {
    name: "on a disk, not mapped",
    layer: IoNode.layerWith({ mapping: "off" }),
    root: scratch,
    share: 0.1
  }
]

/** Tells one story. Torn tails and uncommitted bytes are warned of, and expected here. */
const tell = ({ layer, root }: Platform, story: Story): Promise<void> => {
  const directory = `${root}/store${stories++}`
  return Effect.flatMap(Io, (io) => story(io, directory)).pipe(
    Effect.provide(layer),
    Effect.provide(Logger.layer([])),
    Effect.ensuring(
      Effect.sync(() => {
        if (root !== "") rmSync(directory, { recursive: true, force: true })
      })
    ),
    Effect.runPromise
  )
}

/** Takes the steps one by one; what goes wrong is told with the step it went wrong at. */
const inTurn = <Step>(
  steps: ReadonlyArray<Step>,
  take: (step: Step) => Effect.Effect<void, unknown>
): Effect.Effect<void, unknown> =>
  Effect.forEach(
    steps,
    (step, number) =>
      Effect.suspend(() => take(step)).pipe(
        Effect.sandbox,
        Effect.mapError((cause) => new Error(`step ${number}, ${JSON.stringify(step)}: ${String(cause)}`))
      ),
    { discard: true }
  )

const answersAsItsModel =
  ([options, steps]: readonly [WriterOptions, ReadonlyArray<StoreStep>]): Story =>
  (io, directory) => {
    const pair = new StorePair(io, directory)
    const taken = (step: StoreStep) =>
      Effect.andThen(
        pair.take(step),
        Effect.sync(() => pair.compare())
      )
    const open: StoreStep = { step: "open", clean: false, options }
    const all: ReadonlyArray<StoreStep> = [open, ...steps, open, { step: "check", who: 0 }]
    return Effect.ensuring(
      inTurn(all, taken),
      Effect.suspend(() => pair.end())
    )
  }

const losesNothing =
  ([options, steps]: readonly [WriterOptions, ReadonlyArray<FaultyStep>]): Story =>
  (io, directory) => {
    const store = new StoreUnderFaults(io, directory)
    const play = inTurn<FaultyStep>([{ step: "open", options }, ...steps], (step) => store.take(step))
    return Effect.ensuring(
      Effect.andThen(
        play,
        Effect.suspend(() => store.recover())
      ),
      Effect.suspend(() => store.end())
    )
  }

describe.each(platforms.map((platform) => [platform.name, platform] as const))(
  "a store %s",
  (_, platform) => {
    const holds = async <A>(
      arbitrary: fc.Arbitrary<A>,
      runs: number,
      story: (choice: A) => Story
    ): Promise<void> => {
      const property = fc.asyncProperty(arbitrary, (choice) => tell(platform, story(choice)))
      await runProperty(property, { runs: runs * platform.share })
    }

    it.each([
      ["small", small, 100],
      ["large", large, 10]
    ] as const)("answers as its model does, %s records", (_, scale, runs) =>
      holds(fc.tuple(writerOptions(scale), storeStories(scale)), runs, answersAsItsModel)
    )

    it.each(["a failing call", "calls that fail from then on", "an interruption"] as const)(
      "isn't changed by a collection that is ended by %s",
      (ending) => holds(endingStories(small), 5, (story) => endedCollections(story, ending))
    )

    it("shows readers a committed state, and keeps it until they are refreshed", () =>
      holds(readersStories(small), 10, readersBeside))

    it("never loses what was committed to a failing call", () =>
      holds(fc.tuple(writerOptions(small), faultySteps(small)), 120, losesNothing))
  }
)
