/**
 * Faults of a sparse file: copying, closing, which is the promotion, opening, which may have to finish one, reading, mapped
 * and not, and verifying.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { SparseFile } from "../src/file/SparseFile.ts"
import type { SparseFileReaderService } from "../src/file/SparseFileReader.ts"
import { attempt } from "../src/io/attempt.ts"
import { Io } from "../src/io/Io.ts"
import type { ExploreFaultsOptions } from "../src/testing/exploreFaults.ts"
import { pattern } from "../src/testing/ioLaw.ts"
import { demand, faultPart } from "./faultPart.ts"
import { memoryImage } from "./memoryImage.ts"
import { checkPromises, type Promised } from "./promises.ts"
import { Refusals } from "./refusals.ts"
import { withoutMapping } from "./unmapped.ts"

type Scenario = ExploreFaultsOptions<string, Promised>

const nothing = "no sparse file"
const path = "/sparse"
const source = pattern(200_000)
const live = [
  { offset: 150_000, length: 40_000 },
  { offset: 10, length: 90 },
  { offset: 104, length: 70_000 },
  { offset: 90_000, length: 1 }
]

/** The content: where each run of readable bytes is, and whether the bytes are those of the source. */
const contentOf = (reader: SparseFileReaderService) =>
  attempt<string, unknown>(() => {
    const runs = [...reader.extents()].map(({ length, offset }) => {
      const bytes = new Uint8Array(length)
      reader.unsafe.read(offset, bytes)
      demand(
        Buffer.compare(bytes, source.subarray(offset, offset + length)) === 0,
        `other bytes at ${offset}`
      )
      return `${offset}:${length}`
    })
    return runs.join(" ")
  })

/** The gap of 4 bytes is kept. */
const whole = "10:70094 90000:1 150000:40000 199990:5 199995:5"

const create = Effect.gen(function* () {
  const file = yield* (yield* Io).open("/source", { readonly: true })
  const writer = yield* SparseFile.create(path, { maxGap: 8 })
  yield* writer.appendBytes(Uint8Array.of(1, 2, 3))
  yield* writer.appendExtents(file, live)
  yield* writer.appendFrom(file, { offset: 199_990, length: 5, updateMap: true })
  const end = writer.currentOffset()
  yield* writer.appendFrom(file, { offset: 199_995, length: 5, updateMap: false })
  yield* writer.mapAdd(199_995, end, 5)
  yield* writer.close
})

const isMissing = (error: unknown): boolean =>
  ["NoSuchFile", "Incomplete"].includes((error as { readonly _tag: string })._tag)

/** Opening an interrupted promotion finishes it. */
const recover = Effect.gen(function* () {
  const reader = yield* SparseFile.open(path, { verifyReads: true })
  yield* SparseFile.verify(path)
  return yield* contentOf(reader)
}).pipe(Effect.catchIf(isMissing, () => Effect.succeed(nothing)))

const goOn = Effect.fnUntraced(function* (found: string, note: (note: Promised) => void) {
  if (found === nothing) yield* create
  note({ done: whole })
  const reader = yield* SparseFile.open(path)
  demand((yield* contentOf(reader)) === whole, "made anew, it is something else")
})

const reading = (refusals: Refusals, verifyReads: boolean) =>
  Effect.gen(function* () {
    const exit = yield* refusals.attempted(SparseFile.open(path, { verifyReads }))
    if (!Exit.isSuccess(exit)) return
    const reader = exit.value
    const content = yield* refusals.attempted(contentOf(reader))
    if (Exit.isSuccess(content)) demand(content.value === whole, `it has ${content.value}`)
    const many = yield* refusals.attempted(reader.readMany([10, 150_000], [50_000, 40_000]))
    if (Exit.isSuccess(many)) {
      demand(Buffer.compare(many.value[1], source.subarray(150_000, 190_000)) === 0, "other bytes of many")
    }
    const range = yield* refusals.attempted(reader.readRange(104, { minLength: 1, maxLength: 100_000 }))
    if (Exit.isSuccess(range)) {
      demand(Buffer.compare(range.value, source.subarray(104, 70_104)) === 0, "other bytes of a range")
    }
    yield* refusals.attempted(SparseFile.verify(path))
    yield* refusals.attempted(reader.close)
  })

const common = {
  recover,
  law: (found: string, notes: ReadonlyArray<Promised>) => checkPromises(found, notes, nothing),
  goOn
}

const scenarios = async (): Promise<Readonly<Record<string, Scenario>>> => {
  const makeSource = Effect.gen(function* () {
    const file = yield* (yield* Io).create("/source", { overwrite: false })
    yield* file.writeAt(0, source)
  })
  const made = Effect.andThen(makeSource, Effect.scoped(create))
  const renamed = (names: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      yield* made
      const io = yield* Io
      for (const name of names) yield* io.rename(name, `${name}.tmp`)
    })
  const laid = async (make: Effect.Effect<unknown, unknown, Io | Scope.Scope>) =>
    (await memoryImage(make)).lay
  const creating: Scenario = {
    ...common,
    prepare: await laid(makeSource),
    workload: (note) =>
      Effect.gen(function* () {
        note({ begun: whole })
        yield* Effect.scoped(create)
        note({ done: whole })
        const refusals = new Refusals()
        yield* reading(refusals, false)
        yield* refusals.end
      })
  }
  const opening = (verifyReads: boolean): Scenario => ({
    ...common,
    workload: (note) =>
      Effect.gen(function* () {
        note({ done: whole })
        const refusals = new Refusals()
        yield* reading(refusals, verifyReads)
        yield* refusals.end
      })
  })
  const debris = await laid(renamed([path, `${path}.map`]))
  return {
    create: creating,
    "create-unmapped": { ...creating, io: withoutMapping },
    "create-over-debris": { ...creating, prepare: debris },
    open: { ...opening(false), prepare: await laid(made) },
    "open-unmapped": { ...opening(true), prepare: await laid(made), io: withoutMapping },
    "open-promoting": { ...opening(true), prepare: await laid(renamed([`${path}.map`])) }
  }
}

export const part = faultPart<string, Promised>({ scenarios })
