/**
 * Power cuts of what control's two slots are there for: records of several sectors, of which a cut tears the
 * newest; and a slot that is lost later, when the other one must do, whatever becomes of its repair.
 */
import * as Effect from "effect/Effect"
import { controlFileBytes } from "../src/format/controlRecord.ts"
import { slotOffset } from "../src/format/controlSlots.ts"
import { IoFailed } from "../src/bytes/errors.ts"
import { Io, type IoFile, type IoService } from "../src/io/Io.ts"
import { Store } from "../src/store/Store.ts"
import type { CrashStory } from "../src/testing/exploreCrashes.ts"
import { LawBroken } from "../src/testing/law.ts"
import { Random } from "../src/testing/random.ts"
import { crashPart } from "./crashPart.ts"
import { foundIn } from "./storeStates.ts"

const directory = "/store"
const control = `${directory}/store.control`

type Noted =
  | { readonly begun: string }
  /** `both`: the record is in both slots. */
  | { readonly done: string; readonly both: boolean }

const anything = "anything"

/** Each record of so many is a chunk of its own: control's record of them is longer than a sector. */
const manyChunks = 70

const workload = (random: Random, note: (note: Noted) => void, many: boolean) =>
  Effect.gen(function* () {
    const store = yield* Store.open({ directory, create: true, chunkSize: many ? 1 : 100 })
    note({ done: foundIn(store), both: true })
    for (let left = random.between(2, 4); left > 0; left--) {
      const count = many && left % 2 === 0 ? manyChunks : 1
      yield* store.appendAll(Array.from({ length: count }, () => random.bytes(many ? 1 : 60)))
      // What will be found is what the store has now, committed.
      const state = foundIn(store)
      note({ begun: state })
      yield* store.commit
      note({ done: state, both: false })
      if (many || random.percent(50)) continue
      const upTo = random.between(store.stats().suffixStart, store.committedEnd())
      const [first] = store.extents()
      const live = first !== undefined && first.offset < upTo ? [{ offset: first.offset, length: 1 }] : []
      // What a collection leaves can't be told before; whatever is found until then, it is a store.
      note({ begun: anything })
      yield* store.collect({ live, upTo })
      note({ done: foundIn(store), both: true })
    }
  }).pipe(Effect.scoped)

/** An Io on which the first write to control is cut short, and destroys what it was to replace. */
const destroying = (io: IoService): IoService => {
  const cut = (offset: number, { length }: Uint8Array, file: IoFile) =>
    Effect.flatMap(file.writeAt(offset, new Uint8Array(length).fill(0xff)), () =>
      Effect.fail(new IoFailed({ syscall: "write", path: control, code: "EIO", cause: new Error("made up") }))
    )
  return {
    ...io,
    open: (path, options) =>
      Effect.map(io.open(path, options), (file) =>
        path === control ? { ...file, writeAt: (offset, bytes) => cut(offset, bytes, file) } : file
      )
  }
}

/** With a slot lost, whoever puts that right may be cut short too. */
const recover = (lost: 0 | 1 | undefined) =>
  Effect.gen(function* () {
    const io = yield* Io
    if (lost !== undefined && (yield* io.classify(control)) === "file") {
      const file = yield* io.open(control, { readonly: false })
      if ((yield* file.size) === controlFileBytes) yield* file.writeAt(slotOffset(lost), new Uint8Array(512))
      yield* file.close
      yield* Effect.exit(Effect.scoped(Effect.provideService(Store.open({ directory }), Io, destroying(io))))
    }
    return yield* Store.open({ directory }).pipe(
      Effect.map(foundIn),
      Effect.catchTag("NoSuchFile", () => Effect.succeed("no store"))
    )
  })

/** With a slot lost, the record before the newest may count, where that is not in both. */
const law = (found: string, notes: ReadonlyArray<Noted>, lost: boolean): void => {
  let allowed: Array<string> = []
  for (const note of notes) {
    if ("begun" in note) allowed.push(note.begun)
    else if (note.both || !lost) allowed = [note.done]
    else allowed = [...allowed.slice(-2), note.done]
  }
  if (allowed.length === 0 || [found, anything].some((state) => allowed.includes(state))) return
  throw new LawBroken(`found ${found}; may be found: ${allowed.join(" or ")}`)
}

const story = (seed: number): CrashStory<string, Noted> => {
  const random = new Random(seed)
  const many = random.percent(30)
  const lost = many ? undefined : random.oneOf([0, 1] as const)
  return {
    workload: (note) => Effect.suspend(() => workload(random, note, many)),
    recover: recover(lost),
    law: (found, notes) => law(found, notes, lost !== undefined)
  }
}

export const part = crashPart(story, { states: 1_000, exploration: { kills: 0, inside: 0 } })
