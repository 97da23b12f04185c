/**
 * What the tests of sparse files share: patterned bytes, a source, and a small finished file.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Extent } from "../../src/bytes/extent.ts"
import { SparseFile } from "../../src/file/SparseFile.ts"
import { Io } from "../../src/io/Io.ts"
import { IoMemory } from "../../src/io/IoMemory.ts"

/** Bytes of which no two neighbourhoods look alike. */
export const pattern = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 2_654_435_761) >>> 13) & 255)

/** A file at `path` that holds `bytes`. */
export const fileOf = (path: string, bytes: Uint8Array) =>
  Effect.gen(function* () {
    const io = yield* Io
    const file = yield* io.create(path, { overwrite: true })
    yield* file.writeAt(0, bytes)
    return file
  })

/** All bytes of the file at `path`. */
export const contentOf = (path: string) =>
  Effect.gen(function* () {
    const io = yield* Io
    const file = yield* io.open(path, { readonly: true })
    const bytes = new Uint8Array(yield* file.size)
    yield* file.readAt(0, bytes)
    return bytes
  }).pipe(Effect.scoped)

export const smallExtents: ReadonlyArray<Extent> = [
  { offset: 100, length: 50 },
  { offset: 300, length: 7 },
  { offset: 1000, length: 200 }
]

/** A finished sparse file at `path`, with `smallExtents` of `pattern(2000)` and a point at 500. */
export const smallSparseFile = (path: string) =>
  Effect.gen(function* () {
    const source = yield* fileOf(`${path}.source`, pattern(2000))
    const writer = yield* SparseFile.create(path)
    yield* writer.appendExtents(source, smallExtents)
    yield* writer.mapAdd(500, 3)
    yield* writer.close
  }).pipe(Effect.scoped)

/** Runs a test in memory. */
export const inMemory =
  <A, E>(test: Effect.Effect<A, E, Io | Scope.Scope>): (() => Promise<A>) =>
  () =>
    test.pipe(Effect.scoped, Effect.provide(IoMemory.layer), Effect.runPromise)
