/**
 * A file whose writes a test can stop in their midst: a part is written, the test does what it likes,
 * then the rest is. As an Io promises, a write that has begun completes, whoever is interrupted.
 */
import * as Effect from "effect/Effect"
import type { IoFile, WriteError } from "../../src/io/Io.ts"

export interface HinderedWrites {
  readonly file: IoFile
  /** How many writes were begun. */
  readonly begun: () => number
  /** How many of them have neither succeeded nor failed. */
  readonly underWay: () => number
}

/** Little enough that the rest of a large write still goes to the thread pool. */
const firstPartBytes = 4096

/** `hinder` runs in the midst of every write, which it is told the number of, from 1. */
export const hinderedWrites = (
  inner: IoFile,
  hinder: (write: number) => Effect.Effect<void, WriteError>
): HinderedWrites => {
  let begun = 0
  let ended = 0
  const writeAt: IoFile["writeAt"] = (offset, bytes) =>
    Effect.suspend(() => {
      const write = ++begun
      const middle = Math.min(firstPartBytes, bytes.length >>> 1)
      return inner
        .writeAt(offset, bytes.subarray(0, middle))
        .pipe(
          Effect.andThen(hinder(write)),
          Effect.andThen(inner.writeAt(offset + middle, bytes.subarray(middle))),
          Effect.ensuring(Effect.sync(() => ended++))
        )
    }).pipe(Effect.uninterruptible)
  return { file: { ...inner, writeAt }, begun: () => begun, underWay: () => begun - ended }
}
