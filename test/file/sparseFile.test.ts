import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"

it("reads back what was kept at its old offsets", () =>
  Effect.gen(function* () {
    const io = yield* Io
    const source = yield* io.create("/source", { overwrite: false })
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 8)) & 255)
    yield* source.writeAt(0, bytes)
    const w = yield* SparseFile.create("/x")
    const r0 = yield* w.appendExtents(source, [
      { offset: 100, length: 200_000 },
      { offset: 250_000, length: 50 },
      { offset: 3, length: 5 }
    ])
    expect(r0).toEqual({ extents: 3, bytes: 200_055 })
    yield* w.close
    const r = yield* SparseFile.open("/x", { verifyReads: true })
    const buffer = new Uint8Array(1000)
    yield* r.read(5000, buffer)
    expect(buffer).toEqual(bytes.slice(5000, 6000))
    expect([...r.extents()]).toEqual([
      { offset: 3, length: 5 },
      { offset: 100, length: 200_000 },
      { offset: 250_000, length: 50 }
    ])
    expect(yield* SparseFile.verify("/x")).toEqual({ extents: 3, bytes: 200_055, blocks: 4 })
    expect(yield* Effect.flip(r.read(99, buffer))).toMatchObject({
      _tag: "InvalidSparseRead",
      reason: "hole"
    })
  }).pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise))
