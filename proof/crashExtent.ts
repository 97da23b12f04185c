/** Power cuts of an extent file: what was flushed is there, and nothing is there that was not written. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Extent } from "../src/bytes/extent.ts"
import { Io } from "../src/io/Io.ts"
import { ExtentFile, type ExtentFileService } from "../src/file/ExtentFile.ts"
import type { CrashStory } from "../src/testing/exploreCrashes.ts"
import { LawBroken } from "../src/testing/law.ts"
import { ExtentFileModel } from "../src/testing/models/extentFile.ts"
import { Random, seedOf } from "../src/testing/random.ts"
import { crashPart } from "./crashPart.ts"
import { hex } from "./hex.ts"

const path = "/object"
const objectBytes = 6000

/** The bytes of each extent, by where it starts. */
type Extents = Readonly<Record<number, string>>

interface Noted {
  /** All extents, as they are after the operation that begins here. */
  readonly moment: Extents
  /** Those that were flushed, and that nothing has touched since; undefined: as before. */
  readonly kept: Extents | undefined
  /** Whether no earlier moment can be found any more. */
  readonly flushed: boolean
}

const overlap = (a: Extent, b: Extent): boolean =>
  a.offset < b.offset + b.length && b.offset < a.offset + a.length

class Story {
  private readonly random: Random
  private readonly note: (note: Noted) => void
  private readonly model = new ExtentFileModel(objectBytes)
  private kept: Extents = {}
  /** Of a hundred extents, so many are of several sectors. */
  private readonly large: number

  constructor(random: Random, note: (note: Noted) => void) {
    this.large = random.oneOf([0, 5, 30])
    this.random = random
    this.note = note
  }

  readonly run = Effect.suspend(() => this.live(this.random.between(3, 12), false))

  /** The next life, which begins with what was found. */
  resume(found: Extents): Effect.Effect<void, unknown, Io> {
    for (const [offset, bytes] of Object.entries(found)) {
      this.model.createExtent(Number(offset), Uint8Array.from(Buffer.from(bytes, "hex")))
    }
    return this.live(this.random.between(1, 4), this.random.percent(60))
  }

  private readonly live = Effect.fnUntraced({ self: this }, function* (steps: number, flushes: boolean) {
    let scope = yield* Scope.make()
    let file = yield* Scope.provide(ExtentFile.open(path), scope)
    if (flushes) {
      yield* file.flush
      this.flushed()
    }
    for (let left = steps; left > 0; left--) {
      const choice = this.random.below(100)
      if (choice < 55) yield* this.create(file)
      else if (choice < 70) yield* this.delete(file)
      else if (choice < 85) {
        yield* file.flush
        this.flushed()
      } else if (choice < 93) {
        this.model.clear()
        this.kept = {}
        this.tell(false)
        yield* file.clear
      } else {
        yield* file.close
        this.flushed()
        yield* Scope.close(scope, Exit.void)
        scope = yield* Scope.make()
        file = yield* Scope.provide(ExtentFile.open(path), scope)
      }
    }
    yield* Scope.close(scope, Exit.void)
  })

  private create(file: ExtentFileService) {
    const { model, random } = this
    const starts = model.extents().map(({ offset }) => offset)
    const offset =
      starts.length > 0 && random.percent(30) ? random.oneOf(starts) : random.below(objectBytes - 1)
    const length = Math.min(objectBytes - offset, random.between(1, random.percent(this.large) ? 1500 : 40))
    const bytes = random.bytes(length)
    this.touch({ offset, length: Math.max(length, model.readExtent(offset).length) })
    model.createExtent(offset, bytes)
    this.tell(false)
    return file.createExtent(offset, bytes)
  }

  private delete(file: ExtentFileService) {
    const extents = this.model.extents()
    const offset = extents.length === 0 ? 7 : this.random.oneOf(extents).offset
    this.kept = Object.fromEntries(Object.entries(this.kept).filter(([start]) => Number(start) !== offset))
    this.model.deleteExtent(offset)
    this.tell(false)
    return file.deleteExtent(offset)
  }

  private touch(touched: Extent): void {
    this.kept = Object.fromEntries(
      Object.entries(this.kept).filter(
        ([start, bytes]) => !overlap(touched, { offset: Number(start), length: bytes.length / 2 })
      )
    )
  }

  private flushed(): void {
    this.kept = this.moment()
    this.tell(true)
  }

  private moment(): Extents {
    const { model } = this
    return Object.fromEntries(model.extents().map(({ offset }) => [offset, hex(model.readExtent(offset))]))
  }

  private tell(flushed: boolean): void {
    this.note({ moment: this.moment(), kept: this.kept, flushed })
  }
}

const recover = Effect.gen(function* () {
  const file = yield* ExtentFile.open(path)
  const found: Record<number, string> = {}
  for (const { length, offset } of file.extents()) {
    const bytes = yield* file.readExtent(offset)
    if (bytes.length !== length) throw new LawBroken(`an extent at ${offset} is listed, and not there`)
    found[offset] = hex(bytes)
  }
  yield* checkHoles(file)
  return found
})

/** Where no extent lies, the data has zeros. */
const checkHoles = Effect.fnUntraced(function* (file: ExtentFileService) {
  const io = yield* Io
  const data = yield* io.open(path, { readonly: true })
  const bytes = new Uint8Array(yield* data.size)
  yield* data.readAt(0, bytes)
  yield* data.close
  for (const { length, offset } of file.extents()) bytes.fill(0, offset, offset + length)
  const at = bytes.findIndex((byte) => byte !== 0)
  if (at >= 0) throw new LawBroken(`the byte at ${at} belongs to no extent, and is not zero`)
})

const law = (found: Extents, notes: ReadonlyArray<Noted>): void => {
  const last = notes.findLastIndex(({ flushed }) => flushed)
  const moments = [...(last < 0 ? [{}] : []), ...notes.slice(Math.max(0, last)).map(({ moment }) => moment)]
  const wasThere = (moment: Extents): boolean =>
    Object.entries(found).every(([offset, bytes]) => moment[Number(offset)] === bytes)
  if (!moments.some(wasThere)) throw new LawBroken(`at no moment there was ${JSON.stringify(found)}`)
  const kept = notes.findLast((note) => note.kept !== undefined)?.kept ?? {}
  for (const [offset, bytes] of Object.entries(kept)) {
    const there = found[Number(offset)]
    if (there !== bytes) throw new LawBroken(`the extent at ${offset} was flushed, and is ${there ?? "gone"}`)
  }
}

const goOn = Effect.fnUntraced(function* (found: Extents) {
  const file = yield* ExtentFile.open(path)
  const bytes = Uint8Array.of(1, 2, 3)
  yield* file.createExtent(objectBytes + 10, bytes)
  for (const offset of Object.keys(found)) yield* file.deleteExtent(Number(offset))
  yield* file.close
  const again = yield* Effect.scoped(recover)
  const expected = JSON.stringify({ [objectBytes + 10]: "010203" })
  if (JSON.stringify(again) !== expected)
    throw new LawBroken(`found ${JSON.stringify(again)}, not ${expected}`)
})

const story = (seed: number): CrashStory<Extents, Noted> => ({
  workload: (note) => Effect.suspend(() => new Story(new Random(seed), note).run),
  recover,
  law,
  // What is seen is not durable by that: it may have been read from memory, as before it was flushed.
  shown: (found) => ({ moment: found, kept: undefined, flushed: false }),
  resume: (found, note) => {
    const random = new Random(seedOf(seed, Object.keys(found).length))
    return Effect.suspend(() => new Story(random, note).resume(found))
  },
  goOn
})

export const part = crashPart(story, {
  states: 25_000,
  exploration: { kills: 1 / 8, within: { exhaustivePieces: 6, samples: 24 } }
})
