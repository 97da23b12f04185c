/**
 * Devices that page caches are tested over: their bytes tell where they lie, and their calls are kept.
 */
import * as Effect from "effect/Effect"
import type { PageMap } from "../../src/file/pageCacheService.ts"

/** A prime, so that no page looks like another. */
const period = 251

/** The byte of every device at `address`. */
export const byteAt = (address: number): number => address % period

export const bytesAt = (address: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  const first = byteAt(address)
  for (let i = 0; i < length; i++) bytes[i] = (first + i) % period
  return bytes
}

/** Where two pieces of memory differ first, or -1: many bytes are compared sooner so than by an assertion. */
export const differenceOf = (actual: Uint8Array, expected: Uint8Array): number => {
  const length = Math.max(actual.length, expected.length)
  for (let i = 0; i < length; i++) if (actual[i] !== expected[i]) return i
  return -1
}

/** A device of `size` bytes, or one without an end. */
export class TestDevice {
  size: number
  /** Position and length of every call. */
  readonly calls: Array<readonly [position: number, length: number]> = []
  /** Calls that were begun and have not ended, one way or another. */
  underWay = 0

  constructor(size: number = Number.MAX_SAFE_INTEGER) {
    this.size = size
  }

  /** Answers at once. */
  readonly map = (position: number, length: number): Uint8Array => {
    this.calls.push([position, length])
    return this.read(position, length)
  }

  /** Answers after `wait`. */
  readonly mapAfter =
    <E = never>(wait: Effect.Effect<unknown, E>): PageMap<E> =>
    (position, length) =>
      Effect.suspend(() => {
        this.calls.push([position, length])
        this.underWay++
        return Effect.map(wait, () => this.read(position, length))
      }).pipe(Effect.ensuring(Effect.sync(() => this.underWay--)))

  /** The calls since this was asked last. */
  takeCalls(): ReadonlyArray<readonly [position: number, length: number]> {
    return this.calls.splice(0)
  }

  private read(position: number, length: number): Uint8Array {
    return bytesAt(position, Math.max(0, Math.min(length, this.size - position)))
  }
}

/** Runs a test that needs nothing. */
export const run =
  <A, E>(test: Effect.Effect<A, E>): (() => Promise<A>) =>
  () =>
    Effect.runPromise(test)

/** Begins an Effect in a fiber of its own, before it goes on. */
export const start = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.forkChild(effect, { startImmediately: true })

/** What a function throws. */
export const thrownBy = (body: () => unknown): unknown => {
  try {
    body()
  } catch (cause) {
    return cause
  }
  throw new Error("nothing was thrown")
}
