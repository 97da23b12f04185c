/** Faults of an offloaded file over a file: reads, writes and clones, which ask the backing, and materialising. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { OffloadedFile } from "../src/file/OffloadedFile.ts"
import { Io } from "../src/io/Io.ts"
import type { ExploreFaultsOptions } from "../src/testing/exploreFaults.ts"
import { pattern } from "../src/testing/ioLaw.ts"
import { demand, faultPart } from "./faultPart.ts"
import { memoryImage } from "./memoryImage.ts"
import { checkPromises, type Promised } from "./promises.ts"
import { Refusals } from "./refusals.ts"

type Scenario = ExploreFaultsOptions<string, Promised>

const out = "/out"
const nothing = "nothing"
const backing = pattern(30_000)

/** The steps beside a plain array, which is what the file is to be. */
const build = (refusals: Refusals) =>
  Effect.gen(function* () {
    const source = yield* refusals.attempted((yield* Io).open("/backing", { readonly: true }))
    if (!Exit.isSuccess(source)) return undefined
    const file = yield* OffloadedFile.make({ backing: source.value })
    let model = new Uint8Array(0)
    const put = (offset: number, bytes: Uint8Array): void => {
      const grown = new Uint8Array(Math.max(model.length, offset + bytes.length))
      grown.set(model)
      grown.set(bytes, offset)
      model = grown
    }
    const write = (offset: number, data: Parameters<typeof file.writeAt>[1], bytes: Uint8Array) =>
      Effect.map(refusals.attempted(file.writeAt(offset, data)), (exit) => {
        // Made as a whole or not at all.
        if (Exit.isSuccess(exit)) put(offset, bytes)
        demand(file.length() === model.length, `it has ${file.length()} bytes, not ${model.length}`)
      })
    const read = Effect.suspend(() => {
      const bytes = new Uint8Array(model.length)
      return Effect.map(refusals.attempted(file.readAt(0, bytes)), (exit) => {
        if (Exit.isSuccess(exit)) demand(Buffer.compare(bytes, model) === 0, "it reads other bytes")
      })
    })
    yield* write(0, { backingOffset: 100, length: 20_000 }, backing.subarray(100, 20_100))
    yield* write(5_000, pattern(300, 7), pattern(300, 7))
    yield* write(25_000, { backingOffset: 0, length: 9_000 }, backing.subarray(0, 9_000))
    yield* read
    const clone = yield* file.clone
    yield* write(24_000, pattern(2_000, 9), pattern(2_000, 9))
    const bytes = new Uint8Array(clone.length())
    yield* refusals.attempted(clone.readAt(0, bytes))
    yield* read
    return { file, model: model as Uint8Array }
  })

const recover = Effect.gen(function* () {
  const io = yield* Io
  if ((yield* io.classify(out)) === "none") return nothing
  const file = yield* io.open(out, { readonly: true })
  const bytes = new Uint8Array(yield* file.size)
  yield* file.readAt(0, bytes)
  return Buffer.from(bytes).toString("latin1")
})

const workload: Scenario["workload"] = (note) =>
  Effect.gen(function* () {
    const refusals = new Refusals()
    const built = yield* build(refusals)
    if (built !== undefined) {
      const content = Buffer.from(built.model).toString("latin1")
      note({ begun: content })
      const exit = yield* refusals.attempted(built.file.materialise(out))
      if (Exit.isSuccess(exit)) note({ done: content })
    }
    yield* refusals.end
  })

const scenarios = async (): Promise<Readonly<Record<string, Scenario>>> => {
  const source = Effect.gen(function* () {
    const file = yield* (yield* Io).create("/backing", { overwrite: false })
    yield* file.writeAt(0, backing)
  })
  const stale = Effect.andThen(
    source,
    Effect.flatMap(Io, (io) => io.create(`${out}.tmp`, { overwrite: false }))
  )
  const scenario: Scenario = {
    prepare: (await memoryImage(source)).lay,
    workload,
    recover,
    law: (found, notes) => checkPromises(found, notes, nothing),
    goOn: (found, note) => (found === nothing ? workload(note) : Effect.void)
  }
  return { materialise: scenario, "over-debris": { ...scenario, prepare: (await memoryImage(stale)).lay } }
}

export const part = faultPart<string, Promised>({ scenarios })
