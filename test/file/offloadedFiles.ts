/**
 * Offloaded files for tests: over bytes, with what they consist of as text.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { expect, it } from "vitest"
import type { MemoryLimiter } from "../../src/bytes/memoryLimiter.ts"
import { OffloadedFile, type OffloadedFileService } from "../../src/file/OffloadedFile.ts"
import type { IoFile } from "../../src/io/Io.ts"

export type Offloaded = OffloadedFileService

/** Bytes that differ from place to place, and from seed to seed; none of them is 0. */
export const bytesOf = (length: number, seed = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => 1 + ((i * 7 + (i >>> 8) * 13 + seed * 31) % 255))

/** An offloaded file that begins with all of its backing, of a hundred bytes unless told otherwise. */
export const overAll = Effect.fnUntraced(function* (
  options: {
    readonly backing?: Uint8Array | IoFile
    readonly memoryLimit?: number | MemoryLimiter
  } = {}
) {
  const backing = options.backing ?? bytesOf(100)
  const file = yield* OffloadedFile.make({ backing, memoryLimit: options.memoryLimit })
  const length = backing instanceof Uint8Array ? backing.length : yield* backing.size
  yield* file.writeAt(0, { backingOffset: 0, length })
  return file
})

/** All bytes of a file. */
export const contentOf = (file: Offloaded): Uint8Array => {
  const buffer = new Uint8Array(file.length())
  expect(file.unsafe.readAt(0, buffer)).toBe(buffer.length)
  return buffer
}

export const expectContent = (file: Offloaded, ...parts: ReadonlyArray<Uint8Array>): void => {
  expect(file.length()).toBe(parts.reduce((sum, part) => sum + part.length, 0))
  expect(Buffer.compare(contentOf(file), Buffer.concat(parts))).toBe(0)
}

/** What a file consists of: "backing 0+10 @5" are ten bytes at 0, from 5 of the backing on. */
export const layoutOf = (file: Offloaded): ReadonlyArray<string> =>
  file.extents().map((extent) => {
    const place = `${extent.kind} ${extent.offset}+${extent.length}`
    if (extent.kind === "memory") return place
    return `${place} ${extent.kind === "backing" ? `@${extent.backingOffset}` : `=${extent.value}`}`
  })

/** Declares a test that is an Effect with a scope. */
export const test = (name: string, body: () => Effect.Effect<void, unknown, Scope.Scope>): void =>
  it(name, () => Effect.runPromise(Effect.scoped(Effect.suspend(body))))

/** Expects an Effect to fail with an error of these properties. */
export const fails = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  error: Record<string, unknown>
): Effect.Effect<void, A, R> => Effect.map(Effect.flip(effect), (found) => expect(found).toMatchObject(error))
