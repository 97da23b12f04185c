/** Power cuts of a store: appends, commits, splits, rollbacks, collections, reopenings. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Store } from "../src/store/Store.ts"
import { attempt } from "../src/io/attempt.ts"
import type { StoreOptions, StoreService, StoreUnsafeCommitError } from "../src/store/storeService.ts"
import type { CrashStory } from "../src/testing/exploreCrashes.ts"
import { LawBroken } from "../src/testing/law.ts"
import { StoreModel } from "../src/testing/models/store.ts"
import { Random } from "../src/testing/random.ts"
import { crashPart } from "./crashPart.ts"
import { hex } from "./hex.ts"
import { checkPromises, type Promised } from "./promises.ts"
import { foundIn, stateOf } from "./storeStates.ts"

const directory = "/store"
const nothing = "no store"

const opened = (options: Partial<StoreOptions>) =>
  Store.open({ directory, ...options }).pipe(
    Effect.map(foundIn),
    Effect.catchTag("NoSuchFile", () => Effect.succeed(nothing))
  )

interface Opened {
  readonly store: StoreService
  readonly scope: Scope.Closeable
}

class Story {
  private readonly random: Random
  private readonly note: (note: Promised) => void
  private readonly model = new StoreModel()
  private readonly options: StoreOptions
  private opened: Opened | undefined

  constructor(random: Random, note: (note: Promised) => void) {
    this.random = random
    this.note = note
    this.options = {
      directory,
      create: true,
      chunkSize: random.oneOf([1, 64, 200, 700]),
      autoFlushThreshold: random.oneOf([1, 50, 1000]),
      verifyReads: random.percent(50)
    }
  }

  readonly run = Effect.gen({ self: this }, function* () {
    this.note({ begun: stateOf(this.model.committed) })
    yield* this.open
    this.note({ done: stateOf(this.model.committed) })
    for (let left = this.random.between(3, 9); left > 0; left--) yield* this.step
  })

  private readonly open = Effect.gen({ self: this }, function* () {
    if (this.opened !== undefined) yield* Scope.close(this.opened.scope, Exit.void)
    this.model.reopen()
    const scope = Scope.makeUnsafe()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    this.opened = { scope, store: yield* Scope.provide(Store.open(this.options), scope) }
  })

  private readonly step = Effect.gen({ self: this }, function* () {
    const { model, random } = this
    const { store } = this.opened!
    const choice = random.below(100)
    if (choice < 40) {
      const records = Array.from({ length: random.between(1, 3) }, () => random.bytes(this.size))
      yield* store.appendAll(records)
      model.appendAll(records)
      if (random.percent(40)) yield* this.commit
    } else if (choice < 65) yield* this.commit
    else if (choice < 72) {
      yield* store.rollback
      model.rollback()
    } else if (choice < 90) yield* this.collect
    else yield* this.open
  })

  private get size(): number {
    const { random } = this
    return random.percent(15) ? random.between(400, 1600) : random.between(1, 60)
  }

  private readonly commit = Effect.gen({ self: this }, function* () {
    const { model, random } = this
    const { store } = this.opened!
    const state = stateOf(model.now)
    this.note({ begun: state })
    const how = random.below(3)
    const now = attempt<void, StoreUnsafeCommitError>(() => store.unsafe.commit())
    // Where a file must be made first, it refuses, and nothing has happened.
    if (how === 0) yield* Effect.catchTag(now, "Unsupported", () => store.commit)
    else yield* how === 1 ? store.commit : store.split
    model.commit()
    this.note({ done: state })
  })

  private readonly collect = Effect.gen({ self: this }, function* () {
    const { model, random } = this
    const { committed, suffixStart } = model
    const upTo = random.percent(40) ? committed.end : random.between(suffixStart, committed.end)
    const live = committed.extents().flatMap(({ length, offset }) => {
      if (random.percent(40)) return []
      const from = random.below(length)
      return [{ offset: offset + from, length: random.between(1, length - from) }]
    })
    const collected = stateOf(committed.collected(live, upTo))
    this.note({ begun: collected })
    yield* this.opened!.store.collect({ live, upTo })
    model.collect(live, upTo)
    this.note({ done: collected })
  })
}

/** As a user would: some bytes more, and they are there. */
const goOn = Effect.fnUntraced(function* (found: string) {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5)
  const store = yield* Store.open({ directory, create: true })
  const before = found === nothing ? "generation 0, end 0: " : found
  if (foundIn(store) !== before) throw new LawBroken(`found ${before} first, then ${foundIn(store)}`)
  const offset = yield* store.append(bytes)
  yield* store.commit
  const again = yield* store.read(offset, bytes.length)
  if (hex(again) !== hex(bytes)) throw new LawBroken(`found ${hex(again)} where ${hex(bytes)} was appended`)
  const { damage } = yield* store.check()
  if (damage.length > 0) throw new LawBroken(`damage: ${JSON.stringify(damage)}`)
  yield* store.collect({ live: [{ offset, length: 2 }], upTo: store.committedEnd() })
  yield* store.close
  const stays = yield* opened({ readonly: true })
  if (!stays.endsWith(`: ${offset}:0102`)) throw new LawBroken(`found ${stays} after a collection`)
})

/** The state with more bytes at its end. */
const longer = (state: string, end: number, bytes: Uint8Array): string => {
  const [, generation, runs] = /^generation (\d+), end \d+: (.*)$/.exec(state)!
  const last = runs.split(" ").at(-1) ?? ""
  const [offset, digits] = last.split(":")
  const touches = last !== "" && Number(offset) + digits.length / 2 === end
  const more = touches ? hex(bytes) : `${runs === "" ? "" : " "}${end}:${hex(bytes)}`
  return `generation ${generation}, end ${end + bytes.length}: ${runs}${more}`
}

/** The next life: a commit, and a collection that keeps everything. */
const resume = Effect.fnUntraced(function* (found: string, note: (note: Promised) => void) {
  let state = found === nothing ? stateOf(new StoreModel().committed) : found
  note({ begun: state })
  const store = yield* Store.open({ directory, create: true })
  note({ done: state })
  const bytes = Uint8Array.of(1, 2, 3)
  state = longer(state, store.end(), bytes)
  note({ begun: state })
  yield* store.append(bytes)
  yield* store.commit
  note({ done: state })
  state = state.replace(/\d+/, (generation) => String(Number(generation) + 1))
  note({ begun: state })
  yield* store.collect({ live: [...store.extents()], upTo: store.committedEnd() })
  note({ done: state })
})

const story = (seed: number): CrashStory<string, Promised> => {
  const random = new Random(seed)
  // A reader may be the first to look, before any writer has put anything right.
  const readerFirst = random.percent(25)
  const verifyReads = random.percent(50)
  return {
    workload: (note) => Effect.suspend(() => new Story(random, note).run),
    recover: Effect.gen(function* () {
      const seen = readerFirst ? yield* opened({ readonly: true, verifyReads }) : undefined
      const found = yield* opened({ verifyReads })
      if (seen !== undefined && seen !== found) {
        throw new LawBroken(`a reader found ${seen}, and the next writer ${found}`)
      }
      return found
    }),
    law: (found, notes) => checkPromises(found, notes, nothing),
    shown: (found) => ({ done: found }),
    resume,
    goOn
  }
}

// A store's recovery takes long: what is tried within it is less of all than elsewhere.
const exploration = { kills: 1 / 12, within: { exhaustivePieces: 6, samples: 24 } }

export const part = crashPart(story, { states: 40_000, exploration })
