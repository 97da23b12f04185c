/**
 * Appending records of 128 bytes with a buffer of 1 MiB, flushed at the end, not synced:
 * `unsafe.append`, `appendAll` of 256, `append` as an Effect, and C. Each run fills a new file.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import type { Io } from "../../src/io/Io.ts"
import { IoNode } from "../../src/io/IoNode.ts"
import { AppendOnlyFile } from "../../src/file/AppendOnlyFile.ts"
import { expect, expectSame } from "../expect.ts"
import { loadNative } from "../native.ts"
import { randomWords } from "../random.ts"
import { compare, nanosEach } from "../rounds.ts"
import type { Side } from "../rounds.ts"
import type { Settings } from "../settings.ts"

type File = AppendOnlyFile["Service"]

const recordBytes = 128
const variety = 64
const recordsACall = 256

export const appendCase = Effect.fnUntraced(function* (settings: Settings) {
  const count = settings.quick ? 1 << 16 : 1 << 20
  const word = randomWords(31)
  const bytes = Uint8Array.from({ length: variety * recordBytes }, () => word())
  const records = Array.from({ length: variety }, (_, i) =>
    bytes.subarray(i * recordBytes, (i + 1) * recordBytes)
  )
  const many = Array.from({ length: recordsACall }, (_, i) => records[i % variety])

  /** Runs `append` on a new file and gives the nanoseconds a record, the last flush included. */
  const timed = <E>(name: string, append: (file: File) => Effect.Effect<void, E, Io>): Promise<number> =>
    Effect.gen(function* () {
      const file = yield* AppendOnlyFile.createRw({
        path: path.join(settings.directory, name),
        overwrite: true
      })
      const start = performance.now()
      yield* append(file)
      yield* file.flush
      const nanos = ((performance.now() - start) * 1e6) / count
      yield* file.close
      return nanos
    }).pipe(Effect.scoped, Effect.provide(IoNode.layer), Effect.runPromise)

  const oneByOne = (file: File) =>
    Effect.sync(() => {
      for (let i = 0; i < count; i++) file.unsafe.append(records[i % variety])
    })
  const inBatches = Effect.fnUntraced(function* (file: File) {
    for (let i = 0; i < count; i += recordsACall) yield* file.appendAll(many)
  })
  const asEffects = Effect.fnUntraced(function* (file: File) {
    for (let i = 0; i < count; i++) yield* file.append(records[i % variety])
  })

  const native = loadNative()
  const appendInC = (name: string): number => {
    if (typeof native === "string") throw new Error(native)
    const fd = fs.openSync(path.join(settings.directory, name), "wx")
    try {
      return nanosEach(count, () => expect("C appended", native.appendRecords(fd, bytes, count) === 0))
    } finally {
      fs.closeSync(fd)
    }
  }
  const once = (name: string, run: (name: string) => number | Promise<number>) => async () => {
    try {
      return await run(name)
    } finally {
      fs.rmSync(path.join(settings.directory, name), { force: true })
    }
  }
  const runs = {
    one: (name: string) => timed(name, oneByOne),
    all: (name: string) => timed(name, inBatches),
    effect: (name: string) => timed(name, asEffects)
  }
  const sides: Array<Side> = [
    { name: "unsafe.append", goal: { most: 2, of: "ratio", to: "C" }, run: once("one", runs.one) },
    { name: "appendAll of 256", goal: { most: 2, of: "ratio", to: "C" }, run: once("all", runs.all) },
    { name: "append, an Effect", goal: { most: 250, of: "value" }, run: once("effect", runs.effect) }
  ]
  if (typeof native !== "string") {
    sides.push({ name: "C", note: "memcpy, 1 MiB writes", run: once("c", appendInC) })
  }

  const wanted = new Uint8Array(count * recordBytes)
  for (let i = 0; i < count; i++) wanted.set(records[i % variety], i * recordBytes)
  for (const [name, run] of Object.entries({ ...runs, c: appendInC })) {
    if (name === "c" && typeof native === "string") continue
    yield* Effect.promise(async () => run(name))
    const file = path.join(settings.directory, name)
    expectSame(`what ${name} appended`, fs.readFileSync(file), wanted)
    fs.rmSync(file)
  }
  return yield* Effect.promise(() =>
    compare({
      case: "append",
      variant: `${recordBytes} bytes`,
      unit: "ns a record",
      rounds: settings.rounds,
      rehearsed: true,
      sides
    })
  )
})
