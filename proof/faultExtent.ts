/**
 * Faults of an extent file: opening, keeping, replacing, deleting, clearing, pinning, flushing, and what is found afterwards.
 *
 * It may forget what was not flushed; and of what was, a piece over which something newer was being written.
 * It never shows bytes that were not written there, and keeps everything else.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { ExtentFile } from "../src/file/ExtentFile.ts"
import type { ExtentFileService } from "../src/file/extentFileService.ts"
import type { Extent } from "../src/bytes/extent.ts"
import type { Io } from "../src/io/Io.ts"
import type * as Scope from "effect/Scope"
import type { ExploreFaultsOptions } from "../src/testing/exploreFaults.ts"
import type { FaultHit } from "../src/testing/IoFault.ts"
import { faultKinds } from "../src/testing/faults.ts"
import { pattern } from "../src/testing/ioLaw.ts"
import { demand, faultPart } from "./faultPart.ts"
import { memoryImage } from "./memoryImage.ts"
import { Refusals } from "./refusals.ts"
import { withoutMapping } from "./unmapped.ts"

const path = "/object"

interface Kept extends Extent {
  readonly bytes: Uint8Array
}

type Note =
  | { readonly what: "creating" | "created"; readonly extent: Kept }
  | { readonly what: "deleting" | "deleted" | "forgotten"; readonly offset: number }
  | { readonly what: "clearing" | "flushed" }
  | { readonly what: "found"; readonly found: Found }

type Found = ReadonlyArray<Kept>
type Scenario = ExploreFaultsOptions<Found, Note>

const overlap = (a: Extent, b: Extent): boolean =>
  a.offset < b.offset + b.length && b.offset < a.offset + a.length

/** What must be there, and all that was ever written. */
class Expected {
  /** What is kept, and has been flushed since. */
  durable: Array<Kept> = []
  readonly written: Array<Kept> = []
  private kept: Array<Kept> = []

  note(note: Note): void {
    switch (note.what) {
      case "creating":
        this.written.push(note.extent)
        this.drop((one) => overlap(one, note.extent))
        return
      case "created":
        this.kept.push(note.extent)
        return
      case "deleting":
      case "forgotten":
        this.drop(({ offset }) => offset === note.offset)
        return
      case "clearing":
        this.drop(() => true)
        return
      case "flushed":
        this.durable = [...this.kept]
        return
      case "found":
        // What was not flushed may have been forgotten, and a later flush is not about it.
        this.kept = this.kept.filter(({ offset }) => note.found.some((one) => one.offset === offset))
    }
  }

  private drop(which: (extent: Kept) => boolean): void {
    this.kept = this.kept.filter((one) => !which(one))
    this.durable = this.durable.filter((one) => !which(one))
  }
}

const law = (found: Found, notes: ReadonlyArray<Note>): void => {
  const expected = new Expected()
  for (const note of notes) expected.note(note)
  for (const extent of expected.durable) {
    const same = found.find(({ offset }) => offset === extent.offset)
    demand(
      same !== undefined && Buffer.compare(same.bytes, extent.bytes) === 0,
      `the extent of ${extent.length} at ${extent.offset} was flushed, and is gone`
    )
  }
  for (const { bytes, offset } of found) {
    const wrong = bytes.findIndex(
      (byte, i) =>
        !expected.written.some(
          (one) => offset + i >= one.offset && byte === one.bytes[offset + i - one.offset]
        )
    )
    demand(wrong === -1, `nobody wrote what is found at ${offset + wrong}`)
  }
}

const contentOf = (file: ExtentFileService) =>
  Effect.forEach(file.extents(), ({ offset }) =>
    Effect.map(file.readExtent(offset), (bytes): Kept => ({ offset, length: bytes.length, bytes }))
  )

const shown = (found: Found): Note => ({ what: "found", found })

const recover = Effect.flatMap(ExtentFile.open(path), contentOf)

/** The steps of a workload over an open file. */
class Steps {
  readonly refusals = new Refusals()
  private readonly file: ExtentFileService
  private readonly note: (note: Note) => void

  constructor(file: ExtentFileService, note: (note: Note) => void) {
    this.file = file
    this.note = note
  }

  create(offset: number, length: number, seed: number) {
    return Effect.suspend(() => {
      const bytes = pattern(length, seed)
      const extent: Kept = { offset, length, bytes }
      this.note({ what: "creating", extent })
      return this.then(this.file.createExtent(offset, bytes), { what: "created", extent })
    })
  }

  delete(offset: number) {
    return Effect.suspend(() => {
      this.note({ what: "deleting", offset })
      return this.then(this.file.deleteExtent(offset), { what: "deleted", offset })
    })
  }

  readonly clear = Effect.suspend(() => {
    this.note({ what: "clearing" })
    return this.refusals.attempted(this.file.clear)
  })

  readonly flush = Effect.suspend(() => this.then(this.file.flush, { what: "flushed" }))

  readonly pin = Effect.suspend(() =>
    this.refusals.attempted(this.file.pin({ identity: "first", length: 10_000 }, "source"))
  )

  /** What is read now is what was created last, or has been forgotten. */
  read(offset: number, length: number, seed: number) {
    return Effect.map(this.refusals.attempted(this.file.readExtent(offset)), (exit) => {
      if (!Exit.isSuccess(exit)) return
      // It says that it has none: what it can't prove, read short for one, it forgets.
      if (exit.value.length === 0) return this.note({ what: "forgotten", offset })
      demand(Buffer.compare(exit.value, pattern(length, seed)) === 0, `other bytes are read at ${offset}`)
    })
  }

  readonly close = Effect.suspend(() => this.then(this.file.close, { what: "flushed" }))

  private then(effect: Effect.Effect<void, unknown>, note: Note) {
    return Effect.map(this.refusals.attempted(effect), (exit) => {
      if (Exit.isSuccess(exit)) this.note(note)
    })
  }
}

const workload =
  (
    list: (steps: Steps) => ReadonlyArray<Effect.Effect<unknown>>,
    before: ReadonlyArray<Note> = []
  ): Scenario["workload"] =>
  (note): Effect.Effect<void, unknown, Io | Scope.Scope> =>
    Effect.gen(function* () {
      for (const one of before) note(one)
      const steps = new Steps(yield* ExtentFile.open(path), note)
      for (const step of list(steps)) yield* step
      yield* steps.refusals.end
    })

const goOn: Scenario["goOn"] = (_found, note) =>
  workload((steps) => [steps.create(9_000, 700, 77), steps.flush, steps.read(9_000, 700, 77), steps.close])(
    note
  )

const creating = workload((steps) => [
  steps.pin,
  steps.create(0, 100, 1),
  steps.create(5_000, 300, 2),
  steps.flush,
  steps.create(1_000, 200, 3),
  steps.read(5_000, 300, 2),
  steps.read(1_000, 200, 3),
  steps.close
])

const before: ReadonlyArray<readonly [number, number, number]> = [
  [0, 1_000, 1],
  [2_000, 5_000, 2],
  [8_000, 100, 3]
]

const changing = (steps: Steps): ReadonlyArray<Effect.Effect<unknown>> => [
  steps.create(2_500, 1_000, 4),
  steps.read(0, 1_000, 1),
  steps.delete(0),
  steps.create(2_500, 1_000, 5),
  steps.flush,
  steps.delete(8_000),
  steps.create(100, 50, 6),
  steps.close
]

const scenarios = async (): Promise<Readonly<Record<string, Scenario>>> => {
  // A file that is read short in a recovery can't be told from one that is short, whose extents are forgotten.
  const recoveryKinds = faultKinds.filter((kind) => kind !== "short-read")
  // The record is written anew where a write to it failed; what its header notes behind a flush is a hint.
  const mustFail = ({ call }: FaultHit): boolean =>
    call.operation === "sync" || (call.operation === "writeAt" && call.path === path)
  const common = { recover, law, shown, goOn, recoveryKinds, mustFail }
  const notes: Array<Note> = []
  const { lay: prepare } = await memoryImage(
    workload((steps) => [...before.map((one) => steps.create(...one)), steps.close])((note) =>
      notes.push(note)
    )
  )
  return {
    create: { ...common, workload: creating },
    change: { ...common, prepare, workload: workload(changing, notes) },
    clear: {
      ...common,
      prepare,
      workload: workload(
        (steps) => [steps.clear, steps.pin, steps.create(10, 20, 7), steps.flush, steps.read(10, 20, 7)],
        notes
      ),
      io: withoutMapping
    }
  }
}

export const part = faultPart<Found, Note>({ scenarios })
